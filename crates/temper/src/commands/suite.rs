//! `temper suite`: what suites there are, what is in them, and what a model is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use temper_data::Row;
use temper_recipe::{BUILT_IN, Location, Recipe, Suite, SuiteFile};
use temper_run::Sources;

use crate::args::{ShownSuites, SuiteArgs, SuiteCommand};
use crate::commands;
use crate::error::CliError;

/// Lists, shows, or prints prompts.
pub fn suite(args: &SuiteArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        SuiteCommand::List { json } => list(*json),
        SuiteCommand::Show(which) => show(which),
        SuiteCommand::Items { which, rows } => items(which, *rows),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// The recipe that a model is measured by: a recipe's, with suite files added, or of suite files alone. Without both, those built-in
/// files that hold the suites named by `--suite`.
pub fn recipe(
    recipe: Option<&Path>,
    include: &[String],
    suites: &[String],
    model: &str,
    overrides: &[String],
) -> Result<Recipe, CliError> {
    let known = temper_score::known_types();
    if let Some(file) = recipe {
        let mut overrides = overrides.to_vec();
        overrides.push(format!("model.path={model}"));
        return Ok(Recipe::load_including(file, &absolute(include), &overrides, &known)?);
    }
    let mut include = include.to_vec();
    if include.is_empty() {
        for suite in suites {
            let Some(holder) = holder(suite)? else {
                return Err(CliError::message(format!(
                    "--suite {suite}: there is no built-in suite of this name; it takes --recipe FILE or --include FILE. `temper suite list` shows the built-in ones"
                )));
            };
            if !include.iter().any(|name| name == holder) {
                include.push(holder.to_owned());
            }
        }
    }
    if include.is_empty() {
        return Err(CliError::message(
            "no suite is named; give --recipe FILE, --include NAME or --suite NAME. `temper suite list` shows the built-in ones",
        ));
    }
    Ok(Recipe::of_suites(model, &include, overrides, &known)?)
}

/// Files of the command line lie where the command is called, those of a recipe beside it.
fn absolute(include: &[String]) -> Vec<String> {
    let full = |name: &String| match std::path::absolute(name) {
        Ok(path) if Path::new(name).exists() => path.display().to_string(),
        _ => name.clone(),
    };
    include.iter().map(full).collect()
}

/// The built-in file that holds a suite of this name.
fn holder(suite: &str) -> Result<Option<&'static str>, CliError> {
    for file in BUILT_IN {
        if SuiteFile::load(file.name, Path::new(""))?.suites.contains_key(suite) {
            return Ok(Some(file.name));
        }
    }
    Ok(None)
}

fn list(as_json: bool) -> Result<(), CliError> {
    let mut out = String::new();
    let mut all = Vec::new();
    for built_in in BUILT_IN {
        let file = SuiteFile::load(built_in.name, Path::new(""))?;
        let _ = writeln!(out, "{}\n    {}", built_in.name, file.description);
        let suites: Vec<&str> = file.suites.keys().map(String::as_str).collect();
        let _ = writeln!(out, "    suites: {}", suites.join(", "));
        all.push(json!({"name": built_in.name, "description": file.description, "suites": suites}));
    }
    if as_json {
        return commands::print_json(&all);
    }
    out.push_str(
        "\nIn a recipe: `include: [NAME, ./FILE.yaml]`. With a model that is there: `temper eval --include NAME`.\n",
    );
    commands::print(&out)
}

/// The suites that were asked for, in a recipe of their own, and what the file says of itself.
struct Chosen {
    recipe: Recipe,
    name: String,
    description: String,
}

fn chosen(which: &ShownSuites) -> Result<Chosen, CliError> {
    let built_in = BUILT_IN.iter().any(|file| file.name == which.name);
    let path = PathBuf::from(&which.name);
    let single = if built_in || path.exists() { None } else { holder(&which.name)? };
    let name = single.unwrap_or(&which.name).to_owned();
    let file = SuiteFile::load(&name, Path::new(""))?;
    let known = temper_score::known_types();
    let mut recipe = Recipe::of_suites("lab:base", std::slice::from_ref(&name), &which.set, &known)?;
    if single.is_some() {
        recipe.suites.retain(|suite, _| *suite == which.name);
        // Those that the suite names, and what they are made of.
        let mut used = BTreeSet::new();
        let mut open: Vec<String> = recipe.suites.values().flat_map(|suite| suite.scorers.clone()).collect();
        while let Some(name) = open.pop() {
            if used.insert(name.clone()) {
                let spec = recipe.scorers.get(&name);
                open.extend(spec.iter().flat_map(|spec| spec.parts()).map(str::to_owned));
            }
        }
        recipe.scorers.retain(|scorer, _| used.contains(scorer));
        recipe.gates.retain(|gate| gate.suite == which.name);
    }
    let name = if single.is_some() { which.name.clone() } else { file.name };
    Ok(Chosen { recipe, name, description: file.description })
}

impl Chosen {
    /// The suites as a file of their own, with every default.
    fn file(&self) -> SuiteFile {
        SuiteFile {
            name: self.name.clone(),
            description: self.description.clone(),
            scorers: self.recipe.scorers.clone(),
            suites: self.recipe.suites.clone(),
            gates: self.recipe.gates.clone(),
        }
    }
}

fn show(which: &ShownSuites) -> Result<(), CliError> {
    let chosen = chosen(which)?;
    let sources = Sources::new(&chosen.recipe.lab);
    let mut out = format!("{}\n{}\n", chosen.name, chosen.description);
    let mut shown = Vec::new();
    for (name, suite) in &chosen.recipe.suites {
        // Rows that are not there keep nobody from looking at the suite.
        let rows = sources.rows(&suite.data, true);
        let scorers = suite
            .scorers
            .iter()
            .map(|name| Ok((name, temper_score::build(name, &chosen.recipe.scorers, &chosen.recipe.lab)?)))
            .collect::<Result<Vec<_>, CliError>>()?;
        let title = suite.title.as_deref().unwrap_or(name);
        let _ = writeln!(out, "\n{name}: {title}");
        let line = |out: &mut String, key: &str, text: &str| {
            if !text.is_empty() {
                let _ = writeln!(out, "  {key:<9}{text}");
            }
        };
        let counts = rows.as_ref().ok().map(|rows| slices(suite, rows));
        match &rows {
            Ok(rows) => line(&mut out, "items", &rows.len().to_string()),
            Err(error) => line(&mut out, "items", &format!("not there: {error}")),
        }
        line(&mut out, "rows", &suite.data.path);
        line(&mut out, "from", suite.data.about.as_deref().unwrap_or_default());
        line(&mut out, "licence", &licence(suite).unwrap_or_default());
        for (name, scorer) in &scorers {
            let what = temper_score::registry();
            let kind = chosen.recipe.scorer(name).r#type;
            let summary = what.iter().find(|info| info.r#type == kind).map_or("", |info| info.summary);
            line(&mut out, "scorer", &format!("{name}: {}. {summary}", scorer.title()));
            let spec = chosen.recipe.scorer(name);
            let given = spec.params.iter().filter(|(key, _)| !["title", "better"].contains(&key.as_str()));
            let given: Vec<String> = given.map(|(key, value)| format!("{key}: {value}")).collect();
            line(&mut out, "", &given.join(", "));
        }
        let sampling = &suite.sampling;
        let reducers: Vec<String> = suite.reducers.iter().map(ToString::to_string).collect();
        let repeats = if suite.repeats == 1 { "once".to_owned() } else { format!("{} times", suite.repeats) };
        line(
            &mut out,
            "sampled",
            &format!(
                "{repeats}, temperature {}, top_p {}, at most {} tokens; {}",
                sampling.temperature,
                sampling.top_p,
                sampling.max_tokens,
                reducers.join(", ")
            ),
        );
        for (slice, values) in counts.iter().flatten() {
            line(&mut out, "slice", &format!("{slice}: {}", told(values)));
        }
        if let (Some(field), Ok(rows)) = (&suite.cluster, &rows) {
            let clusters: BTreeSet<String> = rows
                .iter()
                .map(|row| row.fields.get(field).and_then(label).unwrap_or_else(|| row.id.clone()))
                .collect();
            line(&mut out, "clusters", &format!("{} by `{field}`", clusters.len()));
        }
        shown.push(json!({
            "suite": name,
            "items": rows.as_ref().map(Vec::len).ok(),
            "missing": rows.as_ref().err().map(ToString::to_string),
            "slices": counts,
        }));
    }
    let notes = sources.notes();
    if which.json {
        let file = chosen.file();
        return commands::print_json(&json!({"file": file, "suites": shown, "notes": notes}));
    }
    for note in notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    let _ = write!(out, "\n{}", chosen.file().to_yaml());
    commands::print(&out)
}

/// What is said of the licence beside the rows' file.
fn licence(suite: &Suite) -> Option<String> {
    match suite.data.location().ok()? {
        Location::Lab(_) => Some("Apache-2.0 (generated by Temper's lab)".to_owned()),
        Location::File(path) => {
            let file = if path.is_file() {
                path
            } else {
                let folder = path.ancestors().find(|folder| folder.is_dir())?;
                folder.join("any")
            };
            temper_data::licence_beside(&file)
        }
        Location::Hub(_) => None,
    }
}

/// For each slice its values with the number of items.
fn slices(suite: &Suite, rows: &[Row]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut all: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, field) in &suite.slices {
        let counts = all.entry(name.clone()).or_default();
        for value in rows.iter().filter_map(|row| row.fields.get(field).and_then(label)) {
            *counts.entry(value).or_default() += 1;
        }
    }
    all
}

fn label(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The values of a slice, the first twelve of them.
fn told(values: &BTreeMap<String, usize>) -> String {
    const SHOWN: usize = 12;
    if values.is_empty() {
        return "no row has the field; correct `slices`".to_owned();
    }
    let told: Vec<String> = values.iter().take(SHOWN).map(|(value, count)| format!("{value} {count}")).collect();
    let more = if values.len() > SHOWN { format!(" and {} more values", values.len() - SHOWN) } else { String::new() };
    told.join(", ") + &more
}

fn items(which: &ShownSuites, count: usize) -> Result<(), CliError> {
    let chosen = chosen(which)?;
    let sources = Sources::new(&chosen.recipe.lab);
    let mut out = String::new();
    for (name, suite) in &chosen.recipe.suites {
        let rows = sources.rows(&suite.data, true)?;
        for row in rows.iter().take(count) {
            let value = |field: &String| row.fields.get(field).and_then(label);
            let slices: BTreeMap<&String, Option<String>> =
                suite.slices.iter().map(|(name, field)| (name, value(field))).collect();
            if which.json {
                let cluster = suite.cluster.as_ref().and_then(value);
                let line = json!({
                    "suite": name, "id": row.id, "prompt": row.prompt, "slices": slices, "cluster": cluster, "fields": row.fields,
                });
                let _ = writeln!(out, "{line}");
                continue;
            }
            let told: String = slices.iter().filter_map(|(k, v)| Some(format!(" · {k} {}", v.as_ref()?))).collect();
            let _ = writeln!(out, "── {name} · {}{told}\n{}\n", row.id, row.prompt.display().trim_end());
        }
        if !which.json && rows.len() > count {
            let _ = writeln!(out, "   {} more items in {name}; --rows shows more\n", rows.len() - count);
        }
    }
    for note in sources.notes().iter().filter(|_| !which.json) {
        let _ = writeln!(out, "note: {note}");
    }
    commands::print(&out)
}
