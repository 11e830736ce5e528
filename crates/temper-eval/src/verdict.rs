//! What a gate says.

use serde::{Deserialize, Serialize};
use temper_recipe::Reducer;

/// A gate's judgement of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval meets the rule.
    Pass,
    /// The whole interval breaks the rule, or too many items have no score.
    Fail,
    /// The interval straddles the bound.
    Undecided,
}

/// What follows from a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The arm goes on.
    Continue,
    /// The arm goes on with a warning.
    Warn,
    /// The arm ends here.
    Stop,
    /// The arm goes back to the parent's checkpoint and ends there.
    Rollback,
}

/// The paired change of a metric from one checkpoint to another, over the items that both have scored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// Mean on the earlier checkpoint.
    #[serde(with = "crate::nullable")]
    pub previous: f64,
    /// Mean of now − previous.
    #[serde(with = "crate::nullable")]
    pub value: f64,
    /// Lower end of its interval at the gate's confidence.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// Pairs of items.
    pub n: usize,
}

/// A gate's verdict with the numbers it rests on. A gate on every value of a slice has one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    /// Name of the gate; `suite/metric` when the recipe gives none.
    pub gate: String,
    /// Key of the suite.
    pub suite: String,
    /// Name of the metric.
    pub metric: String,
    /// How the repeats of an item became its value.
    #[serde(default)]
    pub reducer: Reducer,
    /// The slice that was judged, as `name=value`; `None` for all items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Digest of the metric's scorer.
    #[serde(default)]
    pub judge: String,
    /// The rule in words.
    pub rule: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What the rule is about: the metric itself, or its paired difference to the reference (now minus reference); corrected
    /// for the scorer's errors where the gate says so.
    #[serde(with = "crate::nullable")]
    pub value: f64,
    /// Lower end of the interval of `value` at `level`.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// The judgement in words: `better`, `no worse`, `worse` for a rule that compares, `within the bound`, `beyond the bound`
    /// for another; `not judged` where the numbers did not decide.
    #[serde(default)]
    pub outcome: String,
    /// What `value` is held against.
    pub bound: f64,
    /// The margin of a rule that compares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// The gate's confidence.
    pub confidence: f64,
    /// Level of the two-sided interval that decided, after the correction for many tests; `confidence` without one.
    #[serde(with = "crate::nullable", default = "crate::nullable::missing")]
    pub level: f64,
    /// Two-sided p of `value` being `bound`; not below 1e-9.
    #[serde(with = "crate::nullable", default = "crate::nullable::missing")]
    pub p: f64,
    /// p after Holm's correction: the gate is decided where this is at most 1 − `confidence`.
    #[serde(with = "crate::nullable", default = "crate::nullable::missing")]
    pub p_adjusted: f64,
    /// Tests that were corrected for; 1 without a correction.
    #[serde(default = "one")]
    pub tests: usize,
    /// Items, or pairs of items, with a value.
    pub n: usize,
    /// Clusters that they form; `None` where every item stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// The metric on the checkpoint.
    #[serde(with = "crate::nullable")]
    pub now: f64,
    /// The metric on the reference, over the same items, for a rule that compares.
    pub reference: Option<f64>,
    /// `value` as it was scored, where it is corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<f64>,
    /// The change from the parent, as it was scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Delta>,
    /// Items without a score or without a partner, as a share.
    #[serde(with = "crate::nullable")]
    pub unscored: f64,
    /// For an undecided gate: items that would decide it if the values stay as they are; `None` when no number would.
    pub items_needed: Option<usize>,
    /// For an undecided gate: the distance from the bound that so many items show with a power of 80 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    /// Why the verdict is what it is, in one sentence.
    pub reason: String,
    /// What follows.
    pub action: Action,
}

fn one() -> usize {
    1
}
