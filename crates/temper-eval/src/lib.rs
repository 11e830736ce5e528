//! Suites, statistics, gates, item-level logs.

pub(crate) mod nullable;
mod records;
mod verdict;

pub use records::{ItemRecord, LENGTH, Measurement, STOP};
pub use verdict::{Action, GateVerdict, Verdict};
