//! The rejection-sampling stage: samples completions and keeps the good ones as training rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rejection sampling: samples from the arm's current checkpoint and keeps what meets every rule. Makes rows, no checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["data", "keep"]))]
pub struct Reject {
    /// Name of the stage, for `stage:NAME` and the report; `null` for its kind.
    pub name: Option<String>,
    /// A name under `data`: the prompts.
    pub data: String,
    /// Rules that a completion must meet, all of them.
    #[schemars(length(min = 1))]
    pub keep: Vec<Keep>,
    /// Completions sampled for each prompt.
    #[schemars(range(min = 1))]
    pub samples_per_prompt: usize,
    /// Kept completions per prompt at most, different ones, in the order sampled; `null` for all.
    #[schemars(range(min = 1))]
    pub per_prompt: Option<usize>,
    /// Prompts to sample for at most; `null` for all rows of the data.
    #[schemars(range(min = 1))]
    pub prompts: Option<usize>,
    /// Share of the arm's FLOP budget at most.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub share: Option<f64>,
    /// Softmax temperature.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Nucleus sampling; 1 for all tokens.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f64,
    /// Top-k sampling; 0 for all tokens.
    pub top_k: usize,
    /// Longest completion in tokens.
    #[schemars(range(min = 1))]
    pub max_completion_length: usize,
    /// Names under `data` whose rows are added to what was kept.
    pub mix: Vec<String>,
}

impl Default for Reject {
    fn default() -> Self {
        Reject {
            name: None,
            data: String::new(),
            keep: Vec::new(),
            samples_per_prompt: 8,
            per_prompt: None,
            prompts: None,
            share: None,
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            max_completion_length: 512,
            mix: Vec::new(),
        }
    }
}

/// A rule on one score. At least one of the bounds is needed; a completion without a score does not meet the rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["scorer"]))]
pub struct Keep {
    /// An entry of `scorers` or a built-in type.
    pub scorer: String,
    /// Smallest score that is kept.
    pub at_least: Option<f64>,
    /// Largest score that is kept.
    pub at_most: Option<f64>,
}

impl Keep {
    /// Whether a score meets the rule.
    pub fn accepts(&self, score: f64) -> bool {
        self.at_least.is_none_or(|bound| score >= bound) && self.at_most.is_none_or(|bound| score <= bound)
    }
}
