//! What can go wrong in a stage.

use std::path::{Path, PathBuf};

use temper_text::TextError;

/// An error of a training stage: what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}. {}", path.display(), io_remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `write`, …
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A row cannot be used.
    #[error("{place}: {what}. {remedy}")]
    Row {
        /// File and line.
        place: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A row cannot be encoded.
    #[error("{place}: {source}")]
    Encode {
        /// File and line.
        place: String,
        /// What the tokenizer said.
        source: TextError,
    },
    /// The engine could not load, save or run the model.
    #[error(transparent)]
    Engine(#[from] temper_engine::EngineError),
    /// The rows cannot be used.
    #[error(transparent)]
    Data(#[from] temper_data::DataError),
    /// There is nothing to train on, or the settings contradict each other.
    #[error("{what}. {remedy}")]
    Setting {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A loss, log-probability or gradient is infinite or not a number.
    #[error(
        "step {step}: {what} is not finite. Rows of the batch: {}. {} Lower learning_rate or max_grad_norm, or look at these rows.",
        rows.join(", "), resume_hint(checkpoint.as_deref())
    )]
    NotFinite {
        /// Optimizer step, from 1.
        step: usize,
        /// `loss`, `gradient`, …
        what: String,
        /// File and line of the rows whose loss is not finite, or of the rows of the batch.
        rows: Vec<String>,
        /// The last saved state.
        checkpoint: Option<PathBuf>,
    },
    /// Training computes other log-probabilities than sampling did, for the same weights and tokens.
    #[error(
        "step {step}: the log-probabilities of {what} differ by up to {max:e} although the weights are the same. The samples are not on-policy; please report this."
    )]
    Mismatch {
        /// Optimizer step, from 1.
        step: usize,
        /// What was compared.
        what: &'static str,
        /// Largest absolute difference.
        max: f64,
    },
    /// The stage will not fit into the memory.
    #[error("{stage}: takes {needs}; that is more than the {} there are. {remedy}", temper_recipe::Bytes(*budget))]
    Memory {
        /// Name of the stage.
        stage: String,
        /// What it takes.
        needs: Box<crate::Needs>,
        /// Bytes that it may take.
        budget: u64,
        /// What would make it fit.
        remedy: String,
    },
    /// A saved state does not fit the stage that wants to go on from it.
    #[error("{}: {what}. {remedy}", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
}

impl TrainError {
    /// An error of the file system.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    /// A contradiction in the settings.
    pub(crate) fn setting(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Setting { what: what.into(), remedy: remedy.into() }
    }
}

fn io_remedy(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => "Free some disk space and run again with --resume",
        std::io::ErrorKind::PermissionDenied => "Check the permissions, or choose another folder with --out",
        _ => "Check that the path exists and can be written",
    }
}

fn resume_hint(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!("The last good checkpoint is {}.", path.display()),
        None => "No checkpoint has been saved yet.".into(),
    }
}
