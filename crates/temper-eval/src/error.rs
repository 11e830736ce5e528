//! Errors of evaluations.

use std::path::PathBuf;

use temper_endpoint::EndpointError;
use temper_engine::EngineError;
use temper_text::TextError;

/// What stopped an evaluation, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}; {remedy}", file.display())]
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
    /// A line of an item log is not a record.
    #[error("{}:{line}: {what}; {remedy}", file.display())]
    Log {
        /// The log.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// An entry of an item log, or the log as a whole, is not what it should be.
    #[error("{}: {entry}: {what}; {remedy}", file.display())]
    LogEntry {
        /// The log.
        file: PathBuf,
        /// The entry or the part of the log.
        entry: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A suite has no items.
    #[error("suite `{suite}` has no items; check its `data`: path, filter, skip and rows")]
    Empty {
        /// The suite.
        suite: String,
    },
    /// Two items of a suite have the same identity, so that checkpoints could not be compared item by item.
    #[error(
        "suite `{suite}`: {first} and {second} both have the id `{id}`; give every item an id of its own, or name another column with `columns.id`"
    )]
    DuplicateItem {
        /// The suite.
        suite: String,
        /// The identity.
        id: String,
        /// Place of the first row.
        first: String,
        /// Place of the second row.
        second: String,
    },
    /// An item's prompt cannot be encoded.
    #[error("suite `{suite}`, {place}: {source}")]
    Prompt {
        /// The suite.
        suite: String,
        /// Place of the row.
        place: String,
        /// What the tokenizer said.
        source: Box<TextError>,
    },
    /// The model could not complete the prompts.
    #[error("suite `{suite}`: {source}")]
    Model {
        /// The suite.
        suite: String,
        /// What the engine said.
        source: Box<EngineError>,
    },
    /// A scorer broke its contract.
    #[error(
        "suite `{suite}`: scorer `{scorer}` gave {got} scores for {expected} samples; it must give one per sample, in their order"
    )]
    Scorer {
        /// The suite.
        suite: String,
        /// The scorer.
        scorer: String,
        /// How many scores it gave.
        got: usize,
        /// How many samples it was given.
        expected: usize,
    },
    /// A scorer panicked.
    #[error(
        "suite `{suite}`: scorer `{scorer}` broke down: {what}; this is a fault of the scorer. The completions are kept: leave the scorer out, or repair it, and run the same command again"
    )]
    Panic {
        /// The suite.
        suite: String,
        /// The scorer.
        scorer: String,
        /// What it said.
        what: String,
    },
    /// The server cannot be asked.
    #[error("{source}")]
    Endpoint {
        /// What went wrong, with the server's address.
        source: Box<EndpointError>,
    },
    /// Too many items without a completion.
    #[error(
        "suite `{suite}`: {failed} of {samples} completions failed, more than {} %; the last one: {last}. What is done is kept: repair the server and run the same command again",
        100.0 * share
    )]
    TooManyFailed {
        /// The suite.
        suite: String,
        /// Completions that failed.
        failed: usize,
        /// Completions of the suite.
        samples: usize,
        /// The share that may fail.
        share: f64,
        /// Why the last one failed.
        last: String,
    },
    /// Another process works on the same log.
    #[error("{}: another process is evaluating into this file; wait until it is done, or choose another folder", file.display())]
    Busy {
        /// The journal.
        file: PathBuf,
    },
}
