//! The JSON Schema of recipes.

use serde_json::Value;

use crate::Recipe;

impl Recipe {
    /// The JSON Schema of recipes, for editors and for checking.
    pub fn json_schema() -> Value {
        schemars::schema_for!(Recipe).to_value()
    }
}
