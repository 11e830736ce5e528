//! Scorers with parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A scorer type with its parameters, which stand beside `type`; each type has its own. Every type takes `title` (its name
/// in tables) and `better` (`higher`, `lower` or `neither`), which change no score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["type"]))]
pub struct ScorerSpec {
    /// A built-in scorer type, such as `accuracy` or `language`.
    pub r#type: String,
    /// The parameters of that type, written beside `type`.
    #[serde(flatten)]
    pub params: Map<String, Value>,
}

impl ScorerSpec {
    /// The built-in type `name` without parameters.
    pub fn plain(name: &str) -> Self {
        ScorerSpec { r#type: name.to_string(), params: Map::new() }
    }

    /// The scorers that this one is made of (`minuend` and `subtrahend` of a `difference`), by name.
    pub fn parts(&self) -> Vec<&str> {
        if self.r#type != "difference" {
            return Vec::new();
        }
        ["minuend", "subtrahend"].iter().filter_map(|key| self.params.get(*key)?.as_str()).collect()
    }
}
