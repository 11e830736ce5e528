//! The tokenizer of a model, without its weights.

use std::path::PathBuf;

use temper_recipe::HubPath;
use temper_text::Tokenizer;

use crate::error::RunError;
use crate::models::{LAB_BASE, lab_tokenizer};
use crate::sources::Sources;

/// The tokenizer and chat template of a directory, of a model of the Hugging Face Hub, or of the lab's base model. Weights are
/// neither read nor fetched, and the lab's model is not made.
///
/// # Errors
/// The path is malformed or names nothing; the files are missing or malformed.
pub fn tokenizer(path: &str, sources: &Sources) -> Result<Tokenizer, RunError> {
    let path = temper_recipe::expand_env(path)?;
    if path == LAB_BASE {
        return lab_tokenizer(sources.world());
    }
    if let Some(other) = path.strip_prefix("lab:") {
        return Err(RunError::Other(format!(
            "the lab has no model `{other}`. Use `{LAB_BASE}`, a Hugging Face model directory, or `hf://ORG/MODEL`"
        )));
    }
    let dir = match HubPath::is(&path) {
        true => temper_data::hub::tokenizer_dir(&HubPath::parse(&path)?)?,
        false => PathBuf::from(path),
    };
    Ok(Tokenizer::load(&dir)?)
}
