//! What a run measured, in the shape the report reads.
//!
//! [`RunSummary`] is written as `summary.json` in the run's directory after every stage, so that a report can be drawn of
//! a run that is still going or that was stopped. It holds numbers and relative paths, no texts beyond the few
//! completions chosen for showing; whatever it leaves out lies in the files it points to.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use temper_eval::{GateVerdict, Measurement, PairedComparison};
use temper_recipe::Axes;
use temper_train::Cost;

/// The name by which stages and reports refer to the base model.
pub const BASE: &str = "base";

/// The file in a run's directory that holds its [`RunSummary`].
pub const SUMMARY_FILE: &str = "summary.json";

/// Everything a report shows of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSummary {
    /// Name of the recipe.
    pub name: String,
    /// The recipe's description, if it has one.
    #[serde(default)]
    pub description: Option<String>,
    /// Seed of the run.
    pub seed: u64,
    /// FLOPs each arm may spend on training, if the recipe limits them.
    #[serde(default)]
    pub budget_flops: Option<f64>,
    /// Digest of the resolved recipe.
    pub recipe_digest: String,
    /// When the run began, RFC 3339.
    pub started: String,
    /// When the run ended, RFC 3339; `None` while it is still going.
    #[serde(default)]
    pub finished: Option<String>,
    /// Version of Temper that ran it.
    pub temper_version: String,
    /// The machine in words: processor, cores, memory.
    pub machine: String,
    /// The base model, measured on the same items as the arms.
    pub base: StageSummary,
    /// The arms, in the recipe's order.
    pub arms: Vec<ArmSummary>,
    /// The suites, in the recipe's order; reports list metrics in this order.
    pub suites: Vec<SuiteInfo>,
    /// The sources that the stages trained on.
    #[serde(default)]
    pub data: Vec<DataSummary>,
    /// The metrics that stand for reasoning and for safety.
    #[serde(default)]
    pub axes: Axes,
    /// Cost outside the arms: pre-training the lab's model and measuring the base model.
    pub cost: Cost,
    /// Warnings and remarks that belong to no single stage.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One source of training rows, in short; the whole is in its data card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Key of the source in the recipe.
    pub name: String,
    /// Where the rows are from: a path, a repository with its commit, the entries of a mixture.
    pub whence: String,
    /// What is said of the licence.
    #[serde(default)]
    pub licence: Option<String>,
    /// Rows that are used.
    pub rows: usize,
    /// Rows that cleaning left out.
    pub removed: usize,
    /// Tokens that are learned, of each way in which the rows were tokenised.
    pub learned: Vec<u64>,
    /// For each suite, how many of its items nearly are training rows.
    pub near_items: BTreeMap<String, usize>,
    /// The data card, relative to the run's directory.
    pub card: String,
}

/// One suite's name and title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteInfo {
    /// Key of the suite in the recipe.
    pub name: String,
    /// Title for people; equals `name` when the recipe gives none.
    pub title: String,
}

/// One arm: a sequence of stages from the base model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Key of the arm in the recipe.
    pub name: String,
    /// The arm's description, if it has one.
    #[serde(default)]
    pub description: Option<String>,
    /// How far the arm came.
    pub status: ArmStatus,
    /// The stages that ran, in order.
    pub stages: Vec<StageSummary>,
    /// Sum over the arm's stages, evaluation excluded.
    pub cost: Cost,
}

/// How far an arm came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ArmStatus {
    /// Every stage ran.
    Completed,
    /// A gate with `on_fail: stop` failed; later stages did not run.
    Stopped {
        /// Name of the stage whose checkpoint failed.
        stage: String,
        /// Name of the gate.
        gate: String,
    },
    /// A gate with `on_fail: rollback` failed; the arm's result is an earlier checkpoint.
    RolledBack {
        /// Name of the stage whose checkpoint failed.
        stage: String,
        /// Name of the gate.
        gate: String,
        /// Name of the stage whose checkpoint counts instead, or [`BASE`].
        to: String,
    },
    /// An error ended the arm.
    Failed {
        /// Name of the stage that failed.
        stage: String,
        /// The error's message.
        message: String,
    },
    /// The arm has stages left to run.
    Running,
}

/// One checkpoint: what made it, what it cost and what was measured on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageSummary {
    /// Name within the arm, such as `01-cold_start`; [`BASE`] for the base model.
    pub name: String,
    /// Kind of stage: `sft`, `grpo`, `reject`; [`BASE`] for the base model.
    pub kind: String,
    /// Directory of the checkpoint relative to the run's directory; `None` when the stage leaves the weights alone.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// Digest of the weights.
    pub digest: String,
    /// Name of the stage it started from, or [`BASE`].
    #[serde(default)]
    pub parent: Option<String>,
    /// Cost of this stage without its evaluation.
    pub cost: Cost,
    /// Cost of measuring the checkpoint.
    #[serde(default)]
    pub evaluation_cost: Cost,
    /// `metrics.jsonl` relative to the run's directory, if the stage trained.
    #[serde(default)]
    pub metrics: Option<String>,
    /// Rows that the stage made (JSONL), relative to the run's directory; of a `reject` stage.
    #[serde(default)]
    pub dataset: Option<String>,
    /// What was measured on the checkpoint.
    #[serde(default)]
    pub measurements: Vec<Measurement>,
    /// The gates' verdicts on the checkpoint.
    #[serde(default)]
    pub gates: Vec<GateVerdict>,
    /// Paired change of every metric from the nearest measured checkpoint that the stage came from, with p-values corrected by
    /// Holm's procedure over the metrics that have a good direction.
    #[serde(default)]
    pub changes: Vec<PairedComparison>,
    /// The same from the base model.
    #[serde(default)]
    pub since_base: Vec<PairedComparison>,
    /// A few completions for showing; the same items for every checkpoint.
    #[serde(default)]
    pub samples: Vec<SampleShown>,
    /// Item-level log of each suite, relative to the run's directory.
    #[serde(default)]
    pub logs: BTreeMap<String, String>,
    /// Warnings and remarks: truncated examples, skipped batches, what a gate did.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One completion shown in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleShown {
    /// Suite of the item.
    pub suite: String,
    /// Identity of the item within the suite.
    pub id: String,
    /// The prompt as text.
    pub prompt: String,
    /// The completion with its thinking, prefill included.
    pub text: String,
    /// Score by metric; `None` when unscored or not applicable.
    pub scores: BTreeMap<String, Option<f64>>,
}

impl RunSummary {
    /// The arm of that name.
    pub fn arm(&self, name: &str) -> Option<&ArmSummary> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Reads `summary.json` of a run's directory.
    ///
    /// # Errors
    /// The file cannot be read, or is not a summary.
    pub fn read(run_dir: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(run_dir.join(SUMMARY_FILE))?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Writes `summary.json` beside its final place and renames it, so that a reader never sees half a file.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, run_dir: &Path) -> std::io::Result<()> {
        let file = run_dir.join(SUMMARY_FILE);
        let beside = run_dir.join(format!("{SUMMARY_FILE}.tmp"));
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &file)
    }
}

impl ArmSummary {
    /// The stage whose checkpoint is the arm's result: the last one that was measured, or the one rolled back to.
    /// `None` when there is none yet, or when the arm was rolled back to the base model.
    pub fn result(&self) -> Option<&StageSummary> {
        let measured = |stage: &&StageSummary| !stage.measurements.is_empty();
        if let ArmStatus::RolledBack { to, .. } = &self.status {
            // A rejection stage hands its parent's weights on and may carry no measurements of its own.
            let end = self.stages.iter().position(|stage| stage.name == *to)?;
            return self.stages[..=end].iter().rev().find(measured);
        }
        self.stages.iter().rev().find(measured)
    }
}
