//! Suites, statistics, gates, item-level logs.
//!
//! [`run_suite`] has a [`Subject`] (a model of the engine, or one behind a server) complete a suite's items, scores the
//! completions and writes the item log; [`measure`] turns records into
//! [`Measurement`]s with intervals; [`judge_all`] holds logs against gates; [`compare`] compares two logs item by item. The unit
//! of every statistic is the item.

mod calibration;
mod compare;
mod error;
mod foresight;
mod gate;
#[cfg(test)]
mod golden;
pub mod hacking;
mod journal;
mod log;
mod measure;
pub(crate) mod nullable;
mod pairs;
mod provenance;
mod records;
mod reduce;
pub mod sampled;
mod scoring;
mod sequential;
mod slices;
pub mod stats;
mod subject;
mod subject_endpoint;
mod suite;
mod tax;
#[cfg(test)]
mod testing;
mod verdict;

pub use calibration::{Calibration, Calibrations, Confusion, JudgeErrors, LEAST_INFORMATION, correct};
pub use compare::{PairedComparison, adjust, compare};
pub use error::EvalError;
pub use foresight::{GateForesight, SuiteItems, foresee};
pub use gate::{GateCase, judge_all};
pub use log::{
    LmEvalFiles, Log, LogHead, LogStatus, Recorded, append_log, open_log, read_log, write_lm_eval, write_log,
    write_log_with,
};
pub use measure::{CONFIDENCE, Metric, item_values, measure};
pub use records::{CONTENT_FILTER, Corrected, ERROR, ItemRecord, LENGTH, Measurement, NOT_SAMPLED, OTHER, STOP};
pub use reduce::{Draw, reduce};
pub use sequential::{Look, OnBlock, look, sampling_order};
pub use slices::{SliceComparison, compare_slices};
pub use subject::{Asked, Completed, Engine, Identity, Receive, Subject, Work};
pub use subject_endpoint::Served;
pub use suite::{BLOCK, MOST_FAILED, SuiteResult, SuiteRun, Tally, run_suite, run_suite_until};
pub use tax::{AxisChange, Tax, axis_value, dominated_by, safety_tax};
pub use verdict::{Action, Delta, GateVerdict, Verdict};
