//! `config.json` to [`ModelConfig`] and back.

use serde_json::Value;

use crate::{EngineError, ModelConfig};

impl ModelConfig {
    /// Reads the object of a Hugging Face `config.json`.
    ///
    /// # Errors
    /// [`EngineError::Config`] for a field that is missing or out of range, [`EngineError::Unsupported`] for a family
    /// that the engine does not have.
    pub fn from_json(_json: &Value) -> Result<Self, EngineError> {
        Err(EngineError::Config { field: "config.json".into(), problem: "cannot be read yet".into() })
    }

    /// The object of `config.json`, unknown keys of the original included.
    pub fn to_json(&self) -> Value {
        Value::Object(self.raw.clone())
    }
}
