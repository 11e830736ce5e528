//! Suites, statistics, gates, item-level logs.
//!
//! [`run_suite`] samples completions of a suite's items, scores them and writes the item log; [`measure`] turns records into
//! [`Measurement`]s with intervals; [`judge_all`] holds logs against gates; [`compare`] compares two logs item by item. The unit
//! of every statistic is the item.

mod calibration;
mod compare;
mod error;
mod foresight;
mod gate;
#[cfg(test)]
mod golden;
mod log;
mod measure;
pub(crate) mod nullable;
mod pairs;
mod provenance;
mod records;
mod reduced;
pub mod sampled;
mod sequential;
pub mod stats;
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
pub use log::{append_log, read_log, write_log};
pub use measure::{CONFIDENCE, Metric, item_values, measure};
pub use records::{Corrected, ItemRecord, LENGTH, Measurement, NOT_SAMPLED, STOP};
pub use sequential::{Look, OnBlock, look, sampling_order};
pub use suite::{SuiteResult, SuiteRun, run_suite};
pub use tax::{AxisChange, Tax, axis_value, dominated_by, safety_tax};
pub use verdict::{Action, Delta, GateVerdict, Verdict};
