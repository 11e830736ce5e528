//! What a gate says.

use serde::{Deserialize, Serialize};

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

/// A gate's verdict with the numbers it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    /// Name of the gate; `suite.metric` when the recipe gives none.
    pub gate: String,
    /// Key of the suite.
    pub suite: String,
    /// Name of the metric.
    pub metric: String,
    /// The rule in words.
    pub rule: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What the rule is about: the metric itself, or its paired difference to the reference (now minus reference).
    #[serde(with = "crate::nullable")]
    pub value: f64,
    /// Lower end of the interval of `value` at the gate's confidence.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// What `value` is held against.
    pub bound: f64,
    /// Level of the two-sided interval.
    pub confidence: f64,
    /// Items, or pairs of items, with a value.
    pub n: usize,
    /// The metric on the checkpoint.
    #[serde(with = "crate::nullable")]
    pub now: f64,
    /// The metric on the reference, over the same items, for a rule that compares.
    pub reference: Option<f64>,
    /// Items without a score or without a partner, as a share.
    #[serde(with = "crate::nullable")]
    pub unscored: f64,
    /// For an undecided gate: items that would decide it if the values stay as they are; `None` when no number would.
    pub items_needed: Option<usize>,
    /// Why the verdict is what it is, in one sentence.
    pub reason: String,
    /// What follows.
    pub action: Action,
}
