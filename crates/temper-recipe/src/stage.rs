//! Stages: the steps of an arm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Extent, Grpo, LoraSpec, Reject, Sft};

/// One step of an arm, written as its kind and its settings: `- sft: {data: demonstrations}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)]
pub enum Stage {
    /// Supervised fine-tuning.
    Sft(Sft),
    /// Group-relative policy optimisation.
    Grpo(Grpo),
    /// Rejection sampling.
    Reject(Reject),
}

/// The checkpoint that a stage starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// The checkpoint of the stage before.
    #[default]
    Parent,
    /// The base model.
    Base,
}

/// Where a stage's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageData<'a> {
    /// An entry of the recipe's `data`.
    Source(&'a str),
    /// The rows that the stage of this name kept.
    Stage(&'a str),
}

impl Stage {
    /// `sft`, `grpo` or `reject`.
    pub fn kind(&self) -> &'static str {
        match self {
            Stage::Sft(_) => "sft",
            Stage::Grpo(_) => "grpo",
            Stage::Reject(_) => "reject",
        }
    }

    /// The stage's own name, if the recipe gives one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Stage::Sft(stage) => stage.name.as_deref(),
            Stage::Grpo(stage) => stage.name.as_deref(),
            Stage::Reject(stage) => stage.name.as_deref(),
        }
    }

    /// What the stage is called: its name, or else its kind.
    pub fn label(&self) -> &str {
        self.name().unwrap_or(self.kind())
    }

    /// The stage's folder name: its number in the arm (from 1) and its label, as in `02-grpo`.
    pub fn folder(&self, index: usize) -> String {
        format!("{:02}-{}", index + 1, self.label())
    }

    /// Where the rows come from.
    pub fn data(&self) -> StageData<'_> {
        let data = match self {
            Stage::Sft(stage) => &stage.data,
            Stage::Grpo(stage) => &stage.data,
            Stage::Reject(stage) => &stage.data,
        };
        match data.strip_prefix("stage:") {
            Some(name) => StageData::Stage(name),
            None => StageData::Source(data),
        }
    }

    /// The checkpoint that the stage starts from.
    pub fn init(&self) -> Init {
        match self {
            Stage::Sft(stage) => stage.init,
            Stage::Grpo(stage) => stage.init,
            Stage::Reject(_) => Init::Parent,
        }
    }

    /// How long the stage runs. A `reject` stage takes no optimiser steps; its extent is one pass over its prompts.
    pub fn extent(&self) -> Extent {
        match self {
            Stage::Sft(stage) => stage.extent(),
            Stage::Grpo(stage) => stage.extent(),
            Stage::Reject(stage) => Extent { max_steps: None, share: stage.share, epochs: Some(1.0) },
        }
    }

    /// The adapter that the stage trains, if it trains one.
    pub fn lora(&self) -> Option<&LoraSpec> {
        match self {
            Stage::Sft(stage) => stage.lora.as_ref(),
            Stage::Grpo(stage) => stage.lora.as_ref(),
            Stage::Reject(_) => None,
        }
    }

    /// Whether the stage changes the model.
    pub fn trains(&self) -> bool {
        !matches!(self, Stage::Reject(_))
    }

    /// The scorers that the stage optimises or selects by, by name, in order.
    pub fn scorers(&self) -> Vec<&str> {
        match self {
            Stage::Sft(_) => Vec::new(),
            Stage::Grpo(stage) => stage.rewards.iter().map(|reward| reward.scorer.as_str()).collect(),
            Stage::Reject(stage) => stage.keep.iter().map(|keep| keep.scorer.as_str()).collect(),
        }
    }
}
