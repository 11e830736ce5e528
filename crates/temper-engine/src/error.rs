//! What can go wrong, with what to do about it.

use std::path::PathBuf;

use crate::hf::HfError;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A file cannot be read or written.
    #[error("{}: {source}; {}", path.display(), remedy(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A field of `config.json` is missing or has a value that the engine cannot use.
    #[error("config.json, field `{field}`: {problem}")]
    Config {
        /// The key.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The model family is not supported.
    #[error(
        "architecture `{name}` is not supported; use LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM or \
         MistralForCausalLM, or as a reward model one of these families' ForSequenceClassification"
    )]
    Unsupported {
        /// As in `config.json`.
        name: String,
    },
    /// A weights or state file is damaged or does not fit the model.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong, which tensor, and what to do.
        problem: String,
    },
    /// A Hugging Face directory cannot be read or written.
    #[error(transparent)]
    Hf(Box<HfError>),
    /// A sampling request cannot be served.
    #[error("{problem}")]
    Sampling {
        /// What was asked for, what is allowed and what to do.
        problem: String,
    },
    /// Sampling was stopped from outside before all completions were done.
    #[error("sampling was interrupted; its completions are dropped: run it again")]
    Interrupted,
    /// A token id is not a row of the embedding.
    #[error(
        "token id {id} is outside the model's vocabulary of {vocab_size}; use the tokenizer that belongs to the model"
    )]
    Token {
        /// The id.
        id: u32,
        /// Rows of the embedding.
        vocab_size: usize,
    },
    /// A gradient is NaN or infinite; the step was not made.
    #[error(
        "the gradient of `{tensor}` is not finite and the step was not made; lower the learning rate, or look for an unusual row in the batch"
    )]
    NotFinite {
        /// Name of the first such tensor.
        tensor: String,
    },
}

fn remedy(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::StorageFull => "the disk is full: free some space and run again; what was saved before is intact",
        ErrorKind::NotFound => "check the path",
        ErrorKind::PermissionDenied => "check the permissions, or choose another directory",
        _ => "check the path and the disk",
    }
}

impl EngineError {
    /// Wraps an error of the file system.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        EngineError::Io { path: path.into(), source }
    }
}

impl From<HfError> for EngineError {
    fn from(error: HfError) -> Self {
        EngineError::Hf(Box::new(error))
    }
}
