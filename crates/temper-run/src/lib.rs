//! Executes a recipe: arms, stages, gates, resume, ledger.
//!
//! [`execute`] is the whole of it: it resolves the base model, reads and checks every row and scorer, runs the arms and
//! leaves a directory that a report can be drawn from and that an interrupted run can go on from.

mod calibrate;
mod calibrations;
mod datasets;
mod directory;
mod error;
mod evaluate;
mod execute;
mod gates;
mod ledger;
mod machine;
mod models;
mod plan;
mod prepare;
mod sources;
pub mod summary;
mod tokenizer;

pub use calibrate::{Labelled, calibrate};
pub use calibrations::{check_calibrated, read_calibrations};
pub use datasets::{Dataset, HeldOut};
pub use directory::{Identity, Place, RECIPE_FILE, RunDir};
pub use error::RunError;
pub use evaluate::log_path;
pub use execute::{Ending, Inputs, execute};
pub use gates::{Checkpoints, Logs, Measured, MeasuredPlace, early_stop, foresee_gates, foresee_recipe, judge_gates};
pub use ledger::{Event, Ledger};
pub use models::{LAB_BASE, Loaded, Resolve, load_directory, local, resolve};
pub use plan::{Estimate, MemoryEstimate, estimate};
pub use prepare::{Encoded, Prepared, PreparedSuite, prepare};
pub use sources::Sources;
pub use temper_train::precision;
pub use tokenizer::tokenizer;
