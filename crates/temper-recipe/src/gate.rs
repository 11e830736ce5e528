//! Gates: rules that a checkpoint must meet.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Reducer, Stage};

/// A rule on one metric of one suite. Exactly one of `at_least`, `at_most` and `not_worse_than` is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["suite", "metric"]))]
pub struct Gate {
    /// Name in tables; `null` for suite and metric.
    pub name: Option<String>,
    /// An entry of `suites`.
    pub suite: String,
    /// One of the suite's scorers. No arm that the gate applies to may train on it.
    pub metric: String,
    /// How an item's repeats become its value: `mean`, `majority`, `pass@4`, `pass^4`, `worst@4`.
    pub reducer: Reducer,
    /// The items that are judged: one value of a slice of the suite, such as `{category: violence}`, or the name of a slice, such
    /// as `category`: then each of its values is a test of its own. `null` for all items.
    pub slice: Option<GateSlice>,
    /// Smallest mean that passes.
    pub at_least: Option<f64>,
    /// Largest mean that passes.
    pub at_most: Option<f64>,
    /// The checkpoint that must not be better by more than `margin`, on the same items.
    pub not_worse_than: Option<Reference>,
    /// How much worse than the reference still passes, in the metric's own unit.
    #[schemars(range(min = 0))]
    pub margin: f64,
    /// Confidence of the interval that decides.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub confidence: f64,
    /// What happens to the arm when the gate fails.
    pub on_fail: OnFail,
    /// The arms it applies to; `null` for all.
    pub arms: Option<Vec<String>>,
    /// The stages it applies to, by name or kind; `null` for all that make a checkpoint.
    pub stages: Option<Vec<String>>,
    /// Largest share of items without a score; above it the gate fails.
    #[schemars(range(min = 0, max = 1))]
    pub max_unscored: f64,
    /// Judge by the rate corrected for the scorer's errors, by its calibration, instead of the rate as it was scored.
    pub corrected: bool,
    /// Let the gate rest on a scorer that estimates and has no calibration. How often it errs is then not known.
    pub uncalibrated: bool,
    /// Decide by a confidence sequence, which may be looked at after every block of items, so that a clear case may stop early. Its
    /// intervals are wider than those for one look.
    pub early_stop: bool,
}

/// The items of a suite that a gate is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GateSlice {
    /// Every value of this slice, each a test of its own.
    Every(String),
    /// The items with these values, by name of the slice.
    Where(IndexMap<String, String>),
}

impl GateSlice {
    /// The names of the slices.
    pub fn names(&self) -> Vec<&str> {
        match self {
            GateSlice::Every(name) => vec![name],
            GateSlice::Where(values) => values.keys().map(String::as_str).collect(),
        }
    }
}

/// How the tests of one checkpoint's gates are corrected for being many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateCorrection {
    /// Holm's step-down procedure: the chance of any wrong decision among all tests of a checkpoint is kept.
    #[default]
    Holm,
    /// Every test at its own confidence.
    None,
}

impl Default for Gate {
    fn default() -> Self {
        Gate {
            name: None,
            suite: String::new(),
            metric: String::new(),
            reducer: Reducer::Mean,
            slice: None,
            at_least: None,
            at_most: None,
            not_worse_than: None,
            margin: 0.0,
            confidence: 0.95,
            on_fail: OnFail::Stop,
            arms: None,
            stages: None,
            max_unscored: 0.02,
            corrected: false,
            uncalibrated: false,
            early_stop: false,
        }
    }
}

/// The checkpoint that a gate compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The checkpoint that the stage started from.
    Parent,
    /// The base model.
    Base,
}

/// What happens when a gate fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// The arm ends here.
    #[default]
    Stop,
    /// The arm ends with the checkpoint that the stage started from.
    Rollback,
    /// The arm goes on and the report says so.
    Warn,
}

/// A gate's rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The mean is at least this.
    AtLeast(f64),
    /// The mean is at most this.
    AtMost(f64),
    /// Not worse than the reference by more than the margin, paired over items.
    NotWorse {
        /// The checkpoint to compare with.
        reference: Reference,
        /// How much worse still passes.
        margin: f64,
    },
}

impl Gate {
    /// The rule. A validated recipe has exactly one; otherwise the first that is set, and `at_least` 0 where none is.
    pub fn rule(&self) -> Rule {
        match (self.at_least, self.at_most, self.not_worse_than) {
            (Some(bound), _, _) => Rule::AtLeast(bound),
            (None, Some(bound), _) => Rule::AtMost(bound),
            (None, None, Some(reference)) => Rule::NotWorse { reference, margin: self.margin },
            (None, None, None) => Rule::AtLeast(0.0),
        }
    }

    /// What the gate is called: its name, or else suite and metric, with the reducer and the slice where they are not all
    /// items' mean.
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let mut label = format!("{}/{}", self.suite, self.metric);
        if self.reducer != Reducer::Mean {
            label.push_str(&format!(" {}", self.reducer));
        }
        match &self.slice {
            None => {}
            Some(GateSlice::Every(name)) => label.push_str(&format!(" by {name}")),
            Some(GateSlice::Where(values)) => {
                let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
                label.push_str(&format!(" [{}]", values.join(", ")));
            }
        }
        label
    }

    /// Whether the gate applies to an arm.
    pub fn applies_to_arm(&self, arm: &str) -> bool {
        self.arms.as_ref().is_none_or(|arms| arms.iter().any(|name| name == arm))
    }

    /// Whether the gate applies to a stage of an arm: the arm is named, the stage makes a checkpoint and is named.
    pub fn applies_to(&self, arm: &str, stage: &Stage) -> bool {
        let named = |stages: &Vec<String>| stages.iter().any(|name| name == stage.label() || name == stage.kind());
        self.applies_to_arm(arm) && stage.trains() && self.stages.as_ref().is_none_or(named)
    }
}
