//! Suites, statistics, gates, item-level logs.
//!
//! [`run_suite`] samples completions of a suite's items, scores them and writes the item log; [`measure`] turns records into
//! [`Measurement`]s with intervals; [`judge`] holds a log against a gate; [`compare`] compares two logs item by item. The unit
//! of every statistic is the item.

mod compare;
mod error;
mod gate;
#[cfg(test)]
mod golden;
mod log;
mod measure;
pub(crate) mod nullable;
mod pairs;
mod provenance;
mod records;
pub mod sampled;
pub mod stats;
mod suite;
#[cfg(test)]
mod testing;
mod verdict;

pub use compare::{PairedComparison, compare};
pub use error::EvalError;
pub use gate::judge;
pub use log::{
    LmEvalFiles, Log, LogHead, LogStatus, Recorded, append_log, open_log, read_log, write_lm_eval, write_log,
    write_log_with,
};
pub use measure::{CONFIDENCE, Metric, item_values, measure};
pub use records::{ItemRecord, LENGTH, Measurement, NOT_SAMPLED, STOP};
pub use suite::{SuiteResult, SuiteRun, run_suite};
pub use verdict::{Action, GateVerdict, Verdict};
