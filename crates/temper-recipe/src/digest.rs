//! The digest that identifies a recipe.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Recipe;

impl Recipe {
    /// SHA-256 (hex) of the recipe as JSON with sorted keys and every default, without what changes no
    /// result (`out`, `checkpointing`, `memory_budget`): two recipes with the
    /// same digest describe the same run.
    pub fn digest(&self) -> String {
        let mut value = self.to_json();
        if let Value::Object(map) = &mut value {
            for key in ["out", "checkpointing", "memory_budget"] {
                map.remove(key);
            }
        }
        let mut text = String::new();
        canonical(&value, &mut text);
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Writes JSON without spaces and with the keys of every object sorted.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}
