//! What can go wrong while a recipe runs. Every message names the thing and ends in what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error of a run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] temper_recipe::RecipeError),
    /// The engine failed: a model directory, a shape, a file.
    #[error(transparent)]
    Engine(#[from] temper_engine::EngineError),
    /// A tokenizer or a chat template failed.
    #[error(transparent)]
    Text(#[from] temper_text::TextError),
    /// A data file or row is wrong.
    #[error(transparent)]
    Data(#[from] temper_data::DataError),
    /// The lab does not know a name.
    #[error(transparent)]
    Lab(#[from] temper_lab::LabError),
    /// A scorer is unknown or wrongly configured.
    #[error(transparent)]
    Score(#[from] temper_score::ScoreError),
    /// A stage failed.
    #[error(transparent)]
    Train(#[from] temper_train::TrainError),
    /// A suite failed.
    #[error(transparent)]
    Eval(#[from] temper_eval::EvalError),
    /// A file could not be read or written.
    #[error("{}: {source}. {remedy}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The ledger could not be opened.
    #[error("{}: the ledger cannot be opened: {source}. Check that the directory is writable and the disk not full", path.display())]
    Ledger {
        /// The ledger file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A ledger statement failed.
    #[error("the ledger cannot be written: {0}. Check that the disk is not full")]
    Sql(rusqlite::Error),
    /// JSON could not be written or read.
    #[error("a record cannot be turned into JSON: {0}. This is a bug of Temper; please report it")]
    Json(serde_json::Error),
    /// The output directory holds something else.
    #[error("{}", .0)]
    Occupied(String),
    /// Training rows and suite items overlap.
    #[error("{}", .0)]
    Leak(String),
    /// Anything that needs a sentence of its own.
    #[error("{}", .0)]
    Other(String),
}

impl RunError {
    /// Wraps an I/O error with its path.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let remedy = match source.kind() {
            std::io::ErrorKind::NotFound => "Check the path",
            std::io::ErrorKind::PermissionDenied => "Check the permissions, or choose another directory with --out",
            std::io::ErrorKind::StorageFull => {
                "The disk is full: free some space, then continue the run with --resume; the last checkpoint is intact"
            }
            _ => "Check the path and the disk",
        };
        Self::Io { path: path.to_owned(), source, remedy }
    }

    pub(crate) fn ledger(path: &Path, source: rusqlite::Error) -> Self {
        Self::Ledger { path: path.to_owned(), source }
    }

    pub(crate) fn sql(source: rusqlite::Error) -> Self {
        Self::Sql(source)
    }

    pub(crate) fn json(source: serde_json::Error) -> Self {
        Self::Json(source)
    }
}
