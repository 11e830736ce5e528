//! What the command line can fail with; all of it ends in exit code 2.

use std::path::Path;

use temper_run::RunError;
use thiserror::Error;

/// An error of a command.
#[derive(Debug, Error)]
pub enum CliError {
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The report cannot be drawn.
    #[error(transparent)]
    Report(#[from] temper_report::ReportError),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Stdout(std::io::Error),
    /// Anything that needs a sentence of its own.
    #[error("{0}")]
    Message(String),
}

impl CliError {
    /// An error from a file.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Run(RunError::io(path, source))
    }

    /// A sentence.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// Whether the reader of standard output went away, as `head` does.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Stdout(e) if e.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

macro_rules! through_run {
    ($($error:ty),*) => { $(impl From<$error> for CliError {
        fn from(error: $error) -> Self {
            Self::Run(error.into())
        }
    })* };
}
through_run!(
    temper_recipe::RecipeError,
    temper_engine::EngineError,
    temper_text::TextError,
    temper_data::DataError,
    temper_lab::LabError,
    temper_score::ScoreError,
    temper_train::TrainError,
    temper_eval::EvalError
);
