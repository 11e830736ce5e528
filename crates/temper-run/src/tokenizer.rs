//! The tokenizer of a model, without its weights.

use std::path::PathBuf;

use temper_recipe::HubPath;
use temper_text::Tokenizer;

use crate::error::RunError;
use crate::models::LAB_BASE;
use crate::sources::Sources;

/// The tokenizer and chat template of a directory, of a model of the Hugging Face Hub, or of the lab's base model. Weights are
/// neither read nor fetched, and the lab's model is not made.
///
/// # Errors
/// The path is malformed or names nothing; the files are missing or malformed.
pub fn tokenizer(path: &str, sources: &Sources) -> Result<Tokenizer, RunError> {
    let path = temper_recipe::expand_env(path)?;
    if path == LAB_BASE {
        let scratch = std::env::temp_dir().join(format!("temper-tokenizer-{}", std::process::id()));
        sources.world().train_tokenizer()?.write(&scratch)?;
        let tokenizer = Tokenizer::load(&scratch);
        let _ = std::fs::remove_dir_all(&scratch);
        return Ok(tokenizer?);
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
