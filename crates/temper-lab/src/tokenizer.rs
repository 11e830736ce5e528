//! The world's tokenizer.

use std::path::Path;

use crate::LabError;

/// The files of a Hugging Face tokenizer directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerFiles {
    /// `tokenizer.json`.
    pub tokenizer: String,
    /// `tokenizer_config.json`.
    pub config: String,
    /// `special_tokens_map.json`.
    pub special_tokens_map: String,
    /// `chat_template.jinja`.
    pub chat_template: String,
    /// `generation_config.json`.
    pub generation_config: String,
}

impl TokenizerFiles {
    /// Writes the files into a directory, which is made where it does not exist.
    pub fn write(&self, dir: &Path) -> Result<(), LabError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| LabError::Io { path, source }
        };
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        for (name, text) in [
            ("tokenizer.json", &self.tokenizer),
            ("tokenizer_config.json", &self.config),
            ("special_tokens_map.json", &self.special_tokens_map),
            ("chat_template.jinja", &self.chat_template),
            ("generation_config.json", &self.generation_config),
        ] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(io(&path))?;
        }
        Ok(())
    }
}
