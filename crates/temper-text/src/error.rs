//! Errors of this crate.

use std::path::PathBuf;

/// What went wrong with a tokenizer, a chat template or an example, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}. {remedy}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A file is not what it should be.
    #[error("{}: {what}. {remedy}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Text or a dialogue cannot be encoded.
    #[error("{what}. {remedy}")]
    Encode {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
}
