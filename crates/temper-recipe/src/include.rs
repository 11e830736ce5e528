//! Suite files: suites with their scorers and gates, built in or from a file, that a recipe takes in by `include`.

use std::path::Path;
use std::sync::LazyLock;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::check::{Problem, check};
use crate::load::{invalid, located, to_yaml};
use crate::schema::tidy;
use crate::suggest::unknown;
use crate::tree::{Content, Entry, Node, Place};
use crate::{Gate, Recipe, RecipeError, ScorerSpec, Suite};

/// A built-in suite file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// What `include` calls it.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! built_in {
    ($($name:literal => $file:literal),* $(,)?) => {
        [$(BuiltIn { name: $name, text: include_str!(concat!("../../../suites/", $file)) }),*]
    };
}

/// Every built-in suite file.
pub const BUILT_IN: [BuiltIn; 12] = built_in![
    "reasoning" => "reasoning.yaml",
    "harmless" => "harmless.yaml",
    "over-refusal" => "over-refusal.yaml",
    "language" => "language.yaml",
    "hacking" => "hacking.yaml",
    "generalisation" => "generalisation.yaml",
    "lab:reasoning" => "lab/reasoning.yaml",
    "lab:harmless" => "lab/harmless.yaml",
    "lab:over-refusal" => "lab/over-refusal.yaml",
    "lab:language" => "lab/language.yaml",
    "lab:hacking" => "lab/hacking.yaml",
    "lab:generalisation" => "lab/generalisation.yaml",
];

/// A suite file: what a recipe that includes it gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "suites"]))]
pub struct SuiteFile {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub description: String,
    /// Scorers with parameters, by name.
    pub scorers: IndexMap<String, ScorerSpec>,
    /// The suites, by name.
    pub suites: IndexMap<String, Suite>,
    /// Rules for checkpoints.
    pub gates: Vec<Gate>,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(SuiteFile).to_value();
    tidy(&mut schema);
    schema
});

impl SuiteFile {
    /// The JSON Schema (draft 2020-12) of suite files.
    pub fn json_schema() -> Value {
        SCHEMA.clone()
    }

    /// The suite file that `include` calls `name` in a recipe that lies in `folder`: built in, or a file. Its parts are checked
    /// for keys and types; names that it refers to are checked with the recipe.
    ///
    /// # Errors
    /// A name that is not known, a file that cannot be read, a wrong key or value.
    pub fn load(name: &str, folder: &Path) -> Result<SuiteFile, RecipeError> {
        let (shown, node) = read(name, folder)?;
        let value = check(&SCHEMA, &SCHEMA, &node, "").map_err(|problem| invalid(&shown, problem))?;
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            invalid(&shown, Problem { place: node.place_of(&path), path, message: error.inner().to_string() })
        })
    }
}

impl SuiteFile {
    /// The file as YAML with every default written out.
    pub fn to_yaml(&self) -> String {
        to_yaml(&serde_json::to_value(self).unwrap_or_default())
    }
}

impl Recipe {
    /// As [`Recipe::load_with`], with the suite files of `include` beside those that the recipe names itself.
    pub fn load_including(
        file: &Path,
        include: &[String],
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        Recipe::load_more(file, include, overrides, known_scorers)
    }

    /// A recipe of included suites alone, without arms, to measure a model that is there already.
    ///
    /// # Errors
    /// As [`Recipe::load_with`].
    pub fn of_suites(
        model: &str,
        include: &[String],
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        let tree = json!({"name": "eval", "model": {"path": model}, "include": include, "arms": {}});
        Recipe::from_tree_of_suites(Node::from_json(&tree), "--include", overrides, known_scorers)
    }
}

/// Adds names to the recipe's `include`.
pub(crate) fn name(recipe: &mut Node, names: &[String]) {
    let Content::Map(map) = &mut recipe.value else { return };
    if names.is_empty() {
        return;
    }
    let entry = map.entry("include".to_owned()).or_insert_with(|| Entry { key: Place::Unknown, node: Node::default() });
    if matches!(entry.node.value, Content::Null) {
        entry.node.value = Content::List(Vec::new());
    }
    if let Content::List(items) = &mut entry.node.value {
        items.extend(names.iter().map(|name| Node::from_json(&json!(name))));
    }
}

/// Adds what the recipe's `include` names to the recipe and empties the list. `origin` is the recipe's file.
pub(crate) fn expand(recipe: &mut Node, origin: &str) -> Result<(), RecipeError> {
    let Content::Map(map) = &mut recipe.value else { return Ok(()) };
    let Some(include) = map.get_mut("include") else { return Ok(()) };
    // What is no list of names is told by the check of the whole recipe.
    let Content::List(items) = &include.node.value else { return Ok(()) };
    if !items.iter().all(|item| matches!(item.value, Content::Text(_))) {
        return Ok(());
    }
    let items = items.clone();
    include.node.value = Content::List(Vec::new());
    let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
    for item in items {
        let Content::Text(name) = &item.value else { continue };
        let at =
            |message: String| invalid(origin, Problem { place: item.place.clone(), path: "include".into(), message });
        let (_, file) = read(name, folder).map_err(|error| match error {
            RecipeError::Include { .. } => at(error.to_string()),
            other => other,
        })?;
        let Content::Map(parts) = file.value else { continue };
        for (key, part) in parts {
            match (key.as_str(), part.node.value) {
                ("scorers" | "suites", Content::Map(entries)) => {
                    let mine = map.entry(key.clone()).or_insert_with(|| Entry {
                        key: item.place.clone(),
                        node: Node { value: Content::Map(IndexMap::new()), ..Node::default() },
                    });
                    add(&key, mine, entries, origin)?;
                }
                ("gates", Content::List(gates)) => {
                    let mine = map.entry(key).or_insert_with(|| Entry {
                        key: item.place.clone(),
                        node: Node { value: Content::List(Vec::new()), ..Node::default() },
                    });
                    if matches!(mine.node.value, Content::Null) {
                        mine.node.value = Content::List(Vec::new());
                    }
                    if let Content::List(mine) = &mut mine.node.value {
                        gates.into_iter().for_each(|gate| {
                            if !mine.iter().any(|other| other.to_json() == gate.to_json()) {
                                mine.push(gate);
                            }
                        });
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Adds entries to one of the recipe's mappings; one that is there already must be the same.
fn add(key: &str, mine: &mut Entry, entries: IndexMap<String, Entry>, origin: &str) -> Result<(), RecipeError> {
    if matches!(mine.node.value, Content::Null) {
        mine.node.value = Content::Map(IndexMap::new());
    }
    let Content::Map(mine) = &mut mine.node.value else { return Ok(()) };
    for (name, entry) in entries {
        match mine.get(&name) {
            None => {
                mine.insert(name, entry);
            }
            Some(there) if there.node.to_json() == entry.node.to_json() => {}
            Some(there) => {
                let (one, other) = (located(origin, &there.key), located(origin, &entry.key));
                let message = format!(
                    "{one} and {other} both say what `{name}` is, and they differ. Rename one of the two; to change a key of \
                     an included one, write `--set {key}.{name}.KEY=VALUE`"
                );
                let path = format!("{key}.{name}");
                return Err(invalid(origin, Problem { place: there.key.clone(), path, message }));
            }
        }
    }
    Ok(())
}

/// A suite file as a tree whose places name it, checked for keys and types, and the name that it is shown by.
fn read(name: &str, folder: &Path) -> Result<(String, Node), RecipeError> {
    let include = |message: String| RecipeError::Include { name: name.to_owned(), message };
    let built_in = BUILT_IN.iter().find(|file| file.name == name);
    let looks_like_a_file = name.ends_with(".yaml") || name.ends_with(".yml") || name.contains(['/', '\\']);
    let (shown, text) = match built_in {
        Some(file) => (format!("suite {name}"), file.text.to_owned()),
        None if looks_like_a_file => {
            let path = folder.join(crate::expand_env(name)?);
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|error| {
                include(format!("cannot read {shown}: {error}; the path is relative to the recipe"))
            })?;
            (shown, text)
        }
        None => {
            let known = BUILT_IN.map(|file| file.name);
            return Err(include(format!(
                "{}. A file's name ends in `.yaml` or has a `/`",
                unknown("suite file", name, known)
            )));
        }
    };
    let mut node = Node::parse(&text)
        .map_err(|(place, message)| RecipeError::Yaml { origin: located(&shown, &place), message })?;
    check(&SCHEMA, &SCHEMA, &node, "").map_err(|problem| invalid(&shown, problem))?;
    node.of_file(&shown);
    Ok((shown, node))
}
