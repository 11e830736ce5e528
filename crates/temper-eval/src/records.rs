//! What an evaluation writes down: one record per item and repeat, one measurement per metric.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use temper_recipe::Reducer;
use temper_score::{Better, Score};

/// One completion of one item, with everything that was said about it. One line of an item log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemRecord {
    /// The suite that the item belongs to.
    pub suite: String,
    /// Identity of the item within the suite; logs of two checkpoints are joined on it and on `repeat`.
    pub id: String,
    /// Which of the item's samples this is, from 0.
    pub repeat: usize,
    /// The prompt as text.
    pub prompt: String,
    /// Prefill and completion.
    pub text: String,
    /// The thinking, where the completion has one.
    pub thinking: Option<String>,
    /// The answer.
    pub answer: String,
    /// Tokens of the completion, the stop token included; 0 with the tag `tokens_unknown` where the server did not say.
    pub tokens: usize,
    /// [`STOP`] when the model ended the completion, [`LENGTH`] when it reached its limit, [`CONTENT_FILTER`] when the server cut
    /// it; [`NOT_SAMPLED`] and [`ERROR`] when there is none; [`OTHER`] for whatever else a server said.
    pub finish: String,
    /// Score by metric.
    pub scores: BTreeMap<String, Score>,
    /// What a scorer took out of the completion to judge it, by metric, where it did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, String>,
    /// Why a score is what it is, by metric, where the scorer says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub explanations: BTreeMap<String, String>,
    /// Value of each of the suite's slices that the item has one of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, String>,
    /// The cluster that the item belongs to; `None` where it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What is worth counting beside the scores: `no_close_tag`, and a scorer's own tags as `scorer:tag`, such as
    /// `accuracy:no_box`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The row's short fields (numbers, booleans, texts of at most 200 bytes), for breaking results down.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// `finish` of a completion that the model ended.
pub const STOP: &str = "stop";
/// `finish` of a completion that reached its limit of tokens.
pub const LENGTH: &str = "length";
/// `finish` of an item whose prompt leaves no room in the model's context.
pub const NOT_SAMPLED: &str = "not_sampled";
/// `finish` of a completion that a filter of the server cut.
pub const CONTENT_FILTER: &str = "content_filter";
/// `finish` of a completion of which the server says something else.
pub const OTHER: &str = "other";
/// `finish` of an item to which the server gave no completion, however often it was asked.
pub const ERROR: &str = "error";

/// Longest text among a record's fields, in bytes.
pub(crate) const SHORT: usize = 200;

/// Whether a value may stand among a record's fields.
pub(crate) fn is_short(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= SHORT,
        _ => false,
    }
}

impl ItemRecord {
    /// The reference answer as text, from the first of the fields `target`, `answer`, `reference` and `solution` that the item
    /// has; empty where it has none. For formats that show one.
    pub fn reference(&self) -> String {
        let found = ["target", "answer", "reference", "solution"].iter().find_map(|key| self.fields.get(*key));
        match found {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// Whether the completion reached its limit of tokens.
    pub fn truncated(&self) -> bool {
        self.finish == LENGTH
    }
}

/// One metric of one suite on one checkpoint, with its interval.
///
/// The unit is the item: the repeats of an item are averaged first. What has no value is left out of the mean and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Key of the suite.
    pub suite: String,
    /// Name of the scorer.
    pub metric: String,
    /// The scorer's title.
    pub title: String,
    /// The good direction.
    pub better: Better,
    /// How the repeats of an item became its value.
    #[serde(default)]
    pub reducer: Reducer,
    /// The slice (name, value) that the items are from; `None` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<(String, String)>,
    /// Items with a value.
    pub n: usize,
    /// Clusters that these items form; `None` where every item stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// Mean over the items; not a number (`null` in JSON) when no item has a value.
    #[serde(with = "crate::nullable")]
    pub value: f64,
    /// Lower end of the 95 % interval; not a number when there is none (a single item).
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end of the 95 % interval.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// Samples (items times repeats) in the suite.
    pub samples: usize,
    /// Samples that the scorer could not decide.
    pub unscored: usize,
    /// Samples on which the scorer failed.
    pub errors: usize,
    /// Samples that the scorer does not apply to.
    pub not_applicable: usize,
    /// Share of samples that reached the limit of tokens.
    #[serde(with = "crate::nullable")]
    pub truncated: f64,
    /// Whether every item is 0 or 1, so that the interval is one of a proportion.
    pub binary: bool,
    /// How many samples carry each of the scorer's own tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, usize>,
    /// The share corrected for the scorer's errors, where it has a calibration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
}

/// A share corrected for the errors of the scorer that found it (Rogan and Gladen).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// The corrected share; the raw one where `note` says that it could not be corrected.
    pub value: f64,
    /// Lower end of the 95 % interval, the calibration's own error included.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end of the 95 % interval.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// Share of the positive that the scorer finds.
    pub sensitivity: f64,
    /// Share of the negative that the scorer leaves alone.
    pub specificity: f64,
    /// Labelled rows behind the two.
    pub labels: usize,
    /// The labelled data that they were measured on.
    pub source: String,
    /// Why the share is not corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Measurement {
    /// Share of unscored and failed samples among those that the scorer applies to; 0 when it applies to none.
    pub fn unscored_share(&self) -> f64 {
        let applicable = self.samples - self.not_applicable.min(self.samples);
        if applicable == 0 { 0.0 } else { (self.unscored + self.errors) as f64 / applicable as f64 }
    }
}
