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

    /// The scorers that this one is made of, by name: `minuend` and `subtrahend` of a `difference`, those `of` an
    /// `expression`.
    pub fn parts(&self) -> Vec<&str> {
        match self.r#type.as_str() {
            "difference" => {
                ["minuend", "subtrahend"].iter().filter_map(|key| self.params.get(*key)?.as_str()).collect()
            }
            "expression" => {
                let of = self.params.get("of").and_then(Value::as_object);
                of.into_iter().flat_map(|of| of.values()).filter_map(Value::as_str).collect()
            }
            _ => Vec::new(),
        }
    }
}
