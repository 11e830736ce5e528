//! Training: stages, pure loss functions, rollouts, learning-rate schedules.

pub mod algorithms;
mod budget;
mod context;
mod error;
mod examples;
mod metrics;
mod progress;
mod rewards;
pub mod rollout;
pub mod schedule;
mod stages;
mod state;
pub mod step;
mod trainer;

pub use budget::Cost;
pub use context::{RejectOutcome, StageContext, StageOutcome, StageStatus};
pub use error::TrainError;
pub use metrics::METRICS_FILE;
pub use progress::{Progress, Quiet, Total};
pub use stages::{RejectReport, encode_documents, pretrain, run_grpo, run_reject, run_sft};
