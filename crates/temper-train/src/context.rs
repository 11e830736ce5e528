//! What a stage is given and what it returns.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use temper_data::Row;
use temper_engine::Model;
use temper_text::Tokenizer;

use crate::{Cost, Progress, Resources};

/// What a stage runs on.
pub struct StageContext<'a> {
    /// The weights to start from, also where the stage's result ends up. A stage that is resumed needs the same initial
    /// weights again: they are GRPO's reference.
    pub model: &'a mut Model,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Seed of everything random in the stage; different for the stages of an arm.
    pub seed: u64,
    /// Folder of the stage: `metrics.jsonl`, `completions/`, `dataset/`, `state/`.
    pub dir: &'a Path,
    /// Memory, and how to keep to it. None of it changes the result, but for `micro_tokens`.
    pub resources: Resources,
    /// FLOP budget of the whole arm; a stage's `share` is a share of it.
    pub budget_flops: Option<f64>,
    /// Receives progress and warnings.
    pub progress: &'a mut dyn Progress,
    /// When set, the stage finishes its step, saves its state and returns [`StageStatus::Stopped`].
    pub stop: &'a AtomicBool,
    /// Go on from the state in `dir`, if there is one.
    pub resume: bool,
}

impl StageContext<'_> {
    /// Whether somebody asked to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// It did all its steps.
    Finished,
    /// It was asked to stop and saved its state; it can be resumed.
    Stopped,
}

/// What a training stage did. Its weights are in [`StageContext::model`].
#[derive(Clone, Debug)]
pub struct StageOutcome {
    /// Finished or stopped.
    pub status: StageStatus,
    /// Optimizer steps, those before a resumption included.
    pub steps: usize,
    /// What it cost, those steps included.
    pub cost: Cost,
    /// What a reader of the report should know: rows cut, dropped or skipped, rewards that failed.
    pub notes: Vec<String>,
    /// The metrics, one JSON object per logged step.
    pub metrics: PathBuf,
}

/// What rejection sampling kept.
#[derive(Clone, Debug)]
pub struct RejectOutcome {
    /// Finished or stopped.
    pub status: StageStatus,
    /// The kept rows, each a prompt with a completion; file and line are those of [`RejectOutcome::dataset`].
    pub rows: Vec<Row>,
    /// Counts by reason.
    pub report: crate::RejectReport,
    /// What it cost.
    pub cost: Cost,
    /// What a reader of the report should know.
    pub notes: Vec<String>,
    /// The kept rows as JSONL, with a data card beside it.
    pub dataset: PathBuf,
}
