//! Errors of this crate.

use std::path::PathBuf;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No arm of that name.
    #[error("the run has no arm `{name}`; it has: {known}")]
    UnknownArm {
        /// The name asked for.
        name: String,
        /// The arms there are.
        known: String,
    },
    /// A file that the report is made from is there but cannot be used.
    #[error("{}: {message}. The report is made from this file; restore it, or run the stage again", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The report could not be written.
    #[error("{}: {source}. Give a directory that can be written and has space", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
