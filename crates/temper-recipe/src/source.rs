//! A data source without a recipe, as the command line names one.

use serde_json::json;

use crate::tree::Node;
use crate::{Columns, DataSource, Recipe, RecipeError};

/// Where the source stands in the recipe that carries it through the checks.
const PLACE: &str = "data.source";

impl DataSource {
    /// A source of its own: a path, columns, and overrides `key=value` of its other keys (`system="Be brief."`,
    /// `filter.lang=en`), read and checked as in a recipe.
    ///
    /// # Errors
    /// As [`Recipe::load`], about the keys of the source.
    pub fn parse(path: &str, columns: &Columns, sets: &[String]) -> Result<DataSource, RecipeError> {
        let recipe = json!({
            "name": "source",
            "model": {"path": "lab:base"},
            "data": {"source": {"path": path, "columns": columns}},
            "arms": {"main": {"stages": [{"sft": {"data": "source"}}]}},
        });
        let sets: Vec<String> = sets.iter().map(|set| format!("{PLACE}.{set}")).collect();
        let recipe = Recipe::from_tree(Node::from_json(&recipe), path, &sets, &[]).map_err(shorten)?;
        Ok(recipe.data.into_values().next().unwrap_or_default())
    }
}

/// Takes the place in the carrying recipe out of an error.
fn shorten(error: RecipeError) -> RecipeError {
    let inner = format!("{PLACE}.");
    let short = |text: String| text.replace(&inner, "").replace(&format!("`{PLACE}`"), "the data source");
    match error {
        RecipeError::Invalid { origin, path, message } => {
            let path = if path == PLACE { "the data source".to_owned() } else { short(path) };
            RecipeError::Invalid { origin: short(origin), path, message: short(message) }
        }
        RecipeError::Override { text, message } => RecipeError::Override { text: short(text), message: short(message) },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(sets: &[&str]) -> Result<DataSource, String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let columns = Columns { prompt: Some("question".into()), ..Columns::default() };
        DataSource::parse("f.jsonl", &columns, &sets).map_err(|e| e.to_string())
    }

    #[test]
    fn keys_are_set_as_in_a_recipe() {
        let source = parse(&["rows=5", "filter.lang=en", "template='Q: {question}'", "clean.min_chars=3"]).unwrap();
        assert_eq!((source.path.as_str(), source.rows, source.clean.min_chars), ("f.jsonl", Some(5), Some(3)));
        assert_eq!(source.columns.prompt.as_deref(), Some("question"));
        assert_eq!((source.filter["lang"].as_str(), source.template.as_deref()), (Some("en"), Some("Q: {question}")));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_source_alone() {
        let e = parse(&["rows=no"]).unwrap_err();
        assert_eq!(e, "--set rows=no: rows: expected a whole number or null, found `false`");
        let e = parse(&["sytem=Be brief."]).unwrap_err();
        assert!(e.contains("sytem") && e.contains("did you mean `system`") && !e.contains("data.source"), "{e}");
        let e = parse(&["rows"]).unwrap_err();
        assert!(e.starts_with("--set rows: expected KEY=VALUE"), "{e}");
        let e = parse(&["clean.min_chars=5", "clean.max_chars=2"]).unwrap_err();
        assert!(e.contains("clean.min_chars") && !e.contains("data.source"), "{e}");
    }
}
