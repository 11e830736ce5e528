//! Recipes of one stage, as `temper sft` and `temper grpo` build them.

use serde_json::{Map, Value, json};

use crate::overrides::split;
use crate::schema::schema;
use crate::tree::Node;
use crate::{Columns, Recipe, RecipeError};

/// What a single-stage command is given.
#[derive(Clone, Debug, Default)]
pub struct SingleStage<'a> {
    /// Name of the run.
    pub name: &'a str,
    /// Model directory or `lab:base`.
    pub model: &'a str,
    /// Data path: file, folder, glob or `lab:NAME`.
    pub data: &'a str,
    /// Column names.
    pub columns: Columns,
    /// Reward scorers by name (GRPO only).
    pub rewards: &'a [String],
    /// Overrides `key=value`; the key is one of the recipe or, for short, one of the stage (`learning_rate=1e-4`).
    pub overrides: &'a [String],
}

impl Recipe {
    /// A recipe with one arm `main` of one `sft` stage on the data source `train`, checked as [`Recipe::load`] does.
    pub fn single_sft(single: &SingleStage) -> Result<Recipe, RecipeError> {
        single.recipe("sft", json!({"data": "train"}))
    }

    /// A recipe with one arm `main` of one `grpo` stage on the data source `train`, checked as [`Recipe::load`] does.
    pub fn single_grpo(single: &SingleStage) -> Result<Recipe, RecipeError> {
        single.recipe("grpo", json!({"data": "train", "rewards": single.rewards}))
    }
}

impl SingleStage<'_> {
    fn recipe(&self, kind: &str, stage: Value) -> Result<Recipe, RecipeError> {
        let mut recipe = json!({
            "name": self.name,
            "model": {"path": self.model},
            "data": {"train": {"path": self.data, "columns": self.columns}},
            "arms": {"main": {"stages": [Map::from_iter([(kind.to_string(), stage)])]}},
        });
        if let (Value::Object(map), true) = (&mut recipe, self.model.is_empty()) {
            map.shift_remove("model");
        }
        let overrides: Vec<String> = self.overrides.iter().map(|text| self.lengthen(kind, text)).collect();
        Recipe::from_tree(Node::from_json(&recipe), &format!("temper {kind}"), &overrides, &[])
    }

    /// Puts the path of the stage before an override that is about one of its keys.
    fn lengthen(&self, kind: &str, text: &str) -> String {
        let key = split(text).map(|(key, _)| key).unwrap_or_default();
        let first = key.split(['.', '[']).next().unwrap_or_default().trim();
        let known = schema().pointer("/properties").is_some_and(|keys| keys.get(first).is_some());
        if known || first.is_empty() { text.to_string() } else { format!("arms.main.stages.0.{kind}.{text}") }
    }
}
