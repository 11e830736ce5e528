//! Recipes of one stage, as `temper sft` and `temper grpo` build them.

use indexmap::IndexMap;

use crate::{Arm, Columns, DataSource, Grpo, ModelRef, Recipe, RecipeError, RewardRef, Sft, Stage};

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
    /// Overrides `key=value`; the key is one of the recipe or, for short, one of the stage.
    pub overrides: &'a [String],
}

impl Recipe {
    /// A recipe with one arm `main` of one `sft` stage on the data source `train`.
    pub fn single_sft(single: &SingleStage) -> Result<Recipe, RecipeError> {
        single.recipe(Stage::Sft(Sft { data: "train".into(), ..Sft::default() }))
    }

    /// A recipe with one arm `main` of one `grpo` stage on the data source `train`.
    pub fn single_grpo(single: &SingleStage) -> Result<Recipe, RecipeError> {
        let rewards = single.rewards.iter().map(|name| RewardRef::plain(name)).collect();
        single.recipe(Stage::Grpo(Grpo { data: "train".into(), rewards, ..Grpo::default() }))
    }
}

impl SingleStage<'_> {
    fn recipe(&self, stage: Stage) -> Result<Recipe, RecipeError> {
        let data = DataSource { path: self.data.into(), columns: self.columns.clone(), ..DataSource::default() };
        Ok(Recipe {
            name: self.name.into(),
            model: ModelRef { path: self.model.into() },
            data: IndexMap::from([("train".to_string(), data)]),
            arms: IndexMap::from([("main".to_string(), Arm { description: None, stages: vec![stage] })]),
            ..Recipe::default()
        })
    }
}
