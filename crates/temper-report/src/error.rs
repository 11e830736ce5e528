//! Errors of this crate.

use std::path::PathBuf;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The report could not be written.
    #[error("{}: {source}. Give a directory that can be written and has space", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
