//! What can go wrong in the lab.

use std::path::PathBuf;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// No data of this name.
    #[error("the lab has no data named `{name}`; did you mean `{nearest}`? Known names: {known}")]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The known name nearest to it.
        nearest: &'static str,
        /// All known names.
        known: String,
    },
    /// The vocabulary cannot hold the bytes and the special tokens.
    #[error(
        "lab.vocab_size is {asked}, but the bytes and the marked tokens alone are {least}; set it to {least} or more"
    )]
    VocabularyTooSmall {
        /// The size asked for.
        asked: usize,
        /// The smallest possible size.
        least: usize,
    },
    /// The tokenizer library rejected what was built.
    #[error(
        "the lab's tokenizer could not be built: {0}; this is a fault of the lab, please report it with the recipe"
    )]
    Tokenizer(String),
    /// A file could not be written.
    #[error("{}: {source}; check that the folder exists, may be written to and has space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Rows could not be written out.
    #[error("writing `{name}`, row {row}: {source}; check that the output may be written to and has space")]
    Export {
        /// The data's name.
        name: String,
        /// The row, from 1.
        row: usize,
        /// What the system said.
        source: std::io::Error,
    },
}
