//! Training: stages, pure loss functions, rollouts, learning-rate schedules.
//!
//! From the inside out:
//!
//! - [`algorithms`] are pure functions from log-probabilities to a loss and its gradient;
//! - [`step`] runs them over packed micro-batches of a model, and knows no algorithm;
//! - [`rollout`] samples completions, each with the log-probabilities that training computes again to the bit;
//! - a stage ([`run_sft`], [`run_grpo`], [`run_reject`], [`pretrain`]) takes a [`StageContext`], its part of the recipe and
//!   rows, and leaves its result in the context's model (or returns rows);
//! - [`bench`](bench()) measures the speed of what the stages are made of.
//!
//! A stage writes into its folder
//!
//! ```text
//! metrics.jsonl               one object per logged step, TRL's metric names; a missing value is null
//! completions/step-NNNNN.jsonl    grpo: the completions of logged steps with rewards and advantages
//! dataset/train.jsonl         reject: the kept rows, with a data card in README.md
//! state/                      weights, optimiser and counters, replaced as a whole every `save_steps` steps
//! ```
//!
//! Everything random is a function of the stage's seed and of what is drawn for, and everything else is deterministic, so
//! that a stage that was stopped or killed and is resumed ends with the same bits as one that was not.

pub mod algorithms;
mod bench;
mod budget;
mod context;
mod error;
mod fit;
mod metrics;
mod progress;
mod rewards;
pub mod rollout;
pub mod schedule;
mod stages;
mod state;
pub mod step;
mod trainer;

pub use bench::{BenchReport, BenchSettings, Limit, Spread, Work, bench};
pub use budget::Cost;
pub use context::{RejectOutcome, StageContext, StageOutcome, StageStatus};
pub use error::TrainError;
pub use fit::{Demand, Fit, Needs, Resources, precision};
pub use metrics::METRICS_FILE;
pub use progress::{Progress, Quiet, Total};
pub use stages::{
    RejectReport, encode_notes, encode_rows, pretrain, run_grpo, run_reject, run_sft, run_sft_on, sft_encoding,
};
