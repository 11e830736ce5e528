//! Suites: items that checkpoints are measured on.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataSource, Reducer};

/// A named set of items with the scorers that judge them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["data", "scorers"]))]
pub struct Suite {
    /// Title in tables; `null` for the suite's name.
    pub title: Option<String>,
    /// The items.
    pub data: DataSource,
    /// Scorers by name: an entry of `scorers` or a built-in type.
    #[schemars(length(min = 1))]
    pub scorers: Vec<String>,
    /// How completions are sampled.
    pub sampling: Sampling,
    /// Completions per item.
    #[schemars(range(min = 1))]
    pub repeats: usize,
    /// How an item's repeats become its value; every reducer makes a row of its own in the tables.
    #[schemars(length(min = 1))]
    pub reducers: Vec<Reducer>,
    /// Breakdowns: the name of a slice (`category`, `language`, `wrapper`) and the field of the rows that holds its value.
    pub slices: IndexMap<String, String>,
    /// Field whose value items that belong together share (one question in several languages, one request in several
    /// wrappings): intervals and tests treat them as one cluster. `null`: every item stands for itself.
    pub cluster: Option<String>,
}

impl Default for Suite {
    fn default() -> Self {
        Suite {
            title: None,
            data: DataSource::default(),
            scorers: Vec::new(),
            sampling: Sampling::default(),
            repeats: 1,
            reducers: vec![Reducer::Mean],
            slices: IndexMap::new(),
            cluster: None,
        }
    }
}

/// How a completion is sampled in an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Softmax temperature; 0 is greedy.
    #[schemars(range(min = 0))]
    pub temperature: f64,
    /// Smallest set of tokens whose probabilities add up to this much; 1 for all.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f64,
    /// Number of most probable tokens to choose among; 0 for all.
    pub top_k: usize,
    /// Longest completion in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 0.6, top_p: 1.0, top_k: 0, max_tokens: 256 }
    }
}
