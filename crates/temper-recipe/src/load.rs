//! Reading and writing recipes.

use std::path::Path;

use crate::check::{Problem, check};
use crate::schema::schema;
use crate::tree::{Node, Place};
use crate::{Recipe, RecipeError, Stage, include, overrides};

impl Recipe {
    /// Reads a recipe file, applies overrides (`a.b.c=value`) and checks it. Scorer types are not checked; see
    /// [`Recipe::load_with`].
    pub fn load(file: &Path, overrides: &[String]) -> Result<Recipe, RecipeError> {
        Recipe::load_with(file, overrides, &[])
    }

    /// As [`Recipe::load`], and checks that every scorer is an entry of `scorers` or one of `known_scorers`.
    pub fn load_with(file: &Path, overrides: &[String], known_scorers: &[&str]) -> Result<Recipe, RecipeError> {
        Recipe::load_more(file, &[], overrides, known_scorers)
    }

    /// As [`Recipe::load_with`], with `include` added to the recipe's own.
    pub(crate) fn load_more(
        file: &Path,
        include: &[String],
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| RecipeError::Read { file: file.to_path_buf(), source })?;
        let origin = file.display().to_string();
        let mut tree = Node::parse(&text)
            .map_err(|(place, message)| RecipeError::Yaml { origin: located(&origin, &place), message })?;
        include::name(&mut tree, include);
        Recipe::from_tree(tree, &origin, overrides, known_scorers)
    }

    /// Reads and checks a recipe from text; `origin` names it in errors.
    pub fn parse(
        text: &str,
        origin: &str,
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        let tree = Node::parse(text)
            .map_err(|(place, message)| RecipeError::Yaml { origin: located(origin, &place), message })?;
        Recipe::from_tree(tree, origin, overrides, known_scorers)
    }

    pub(crate) fn from_tree(
        tree: Node,
        origin: &str,
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        let place = tree.place_of("arms");
        let recipe = Recipe::from_tree_of_suites(tree, origin, overrides, known_scorers)?;
        if recipe.arms.is_empty() {
            let message = "there is no arm; write at least one, as in `arms: {main: {stages: [...]}}`".to_owned();
            return Err(invalid(origin, Problem { place, path: "arms".into(), message }));
        }
        Ok(recipe)
    }

    /// As [`Recipe::from_tree`], of a recipe that may be without arms.
    pub(crate) fn from_tree_of_suites(
        mut tree: Node,
        origin: &str,
        overrides: &[String],
        known_scorers: &[&str],
    ) -> Result<Recipe, RecipeError> {
        // What is included first, so that overrides can reach into it.
        let (first, rest): (Vec<_>, Vec<_>) = overrides.iter().partition(|text| overrides::is_about(text, "include"));
        for text in first {
            overrides::apply(&mut tree, text)?;
        }
        include::expand(&mut tree, origin)?;
        for text in rest {
            overrides::apply(&mut tree, text)?;
        }
        let value = check(schema(), schema(), &tree, "").map_err(|problem| invalid(origin, problem))?;
        let mut recipe: Recipe = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            invalid(origin, Problem { place: tree.place_of(&path), path, message: error.inner().to_string() })
        })?;
        recipe.resolve();
        match recipe.problem(known_scorers) {
            None => Ok(recipe),
            Some(mut problem) => {
                problem.place = tree.place_of(&problem.path);
                Err(invalid(origin, problem))
            }
        }
    }

    /// Writes out the defaults that depend on other keys.
    fn resolve(&mut self) {
        for stage in self.arms.values_mut().flat_map(|arm| &mut arm.stages) {
            if let Stage::Sft(sft) = stage {
                sft.num_train_epochs = sft.extent().epochs;
                sft.batch_size = sft.rows_per_batch();
            }
        }
    }

    /// The recipe as YAML with every default written out. Reading it back gives an equal recipe.
    pub fn to_yaml(&self) -> String {
        to_yaml(&self.to_json())
    }
}

/// JSON as YAML.
pub(crate) fn to_yaml(value: &serde_json::Value) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).expect("JSON is always YAML")
}

/// The error for a problem in the recipe called `origin`.
pub(crate) fn invalid(origin: &str, problem: Problem) -> RecipeError {
    let path = if problem.path.is_empty() { "the recipe".to_string() } else { problem.path };
    RecipeError::Invalid { origin: located(origin, &problem.place), path, message: problem.message }
}

pub(crate) fn located(origin: &str, place: &Place) -> String {
    match place {
        Place::Unknown => origin.to_string(),
        Place::At(line, column) => format!("{origin}:{line}:{column}"),
        Place::In(file, line, column) => format!("{file}:{line}:{column}"),
        Place::Set(text) => format!("--set {text}"),
    }
}
