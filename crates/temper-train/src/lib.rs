//! Training: stages, pure loss functions, rollouts, learning-rate schedules.

pub mod algorithms;
mod budget;
mod error;
mod progress;

pub use budget::Cost;
pub use error::TrainError;
pub use progress::{Progress, Quiet, Total};
