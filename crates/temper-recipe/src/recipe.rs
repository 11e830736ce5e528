//! The recipe itself and its smallest parts.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Checkpointing, DataSource, Dtype, Gate, GateCorrection, Lab, ScorerSpec, Stage, Suite};

/// A recipe: everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "model", "arms"]))]
pub struct Recipe {
    /// Name of the run: its folder under `out`. Letters, digits, `.`, `_` and `-`.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: String,
    /// One sentence for the report.
    pub description: Option<String>,
    /// Seed of every random draw of the run: data order, sampling, evaluation.
    pub seed: u64,
    /// The base model that every arm starts from.
    pub model: ModelRef,
    /// Number format of matrix products in sampling, training and measuring. The lab's base model is always made in f32.
    pub dtype: Dtype,
    /// Whether a layer's activations are computed again in the backward. Changes no result. Not part of the digest.
    pub checkpointing: Checkpointing,
    /// Memory that the run may take, such as `4GiB`; `null` for what the machine has. A stage that will not fit is refused
    /// before its first step. Changes no result. Not part of the digest.
    pub memory_budget: Option<String>,
    /// Tokens that go through the model at a time at most; a longer sequence goes alone. `null` for as many as keep the
    /// activations within about 1 GiB. A smaller number takes less memory and rounds differently.
    #[schemars(range(min = 1))]
    pub micro_batch_tokens: Option<usize>,
    /// The miniature world behind `lab:` models and data.
    pub lab: Lab,
    /// Compute budget that each arm may spend; `null` for none.
    pub budget: Option<Budget>,
    /// Suite files whose scorers, suites and gates are added: built-in names (`temper suite list`) or files, relative to the
    /// recipe. In a resolved recipe they are written out and this list is empty.
    pub include: Vec<String>,
    /// Data sources by name, for stages to refer to.
    pub data: IndexMap<String, DataSource>,
    /// Scorers with parameters, by name. Built-in types without parameters need no entry.
    pub scorers: IndexMap<String, ScorerSpec>,
    /// Suites by name: items that every checkpoint is measured on.
    pub suites: IndexMap<String, Suite>,
    /// Arms by name: sequences of stages from the base model, compared with each other.
    pub arms: IndexMap<String, Arm>,
    /// Rules that a checkpoint must meet for its arm to go on.
    pub gates: Vec<Gate>,
    /// How the tests of one checkpoint's gates are corrected for being many.
    pub gate_correction: GateCorrection,
    /// Calibrations of scorers that estimate: files that `temper scorer calibrate` wrote, or folders of them; `${VAR}` is
    /// replaced. Each belongs to the scorer whose digest it names.
    pub calibrations: Vec<String>,
    /// Which metrics stand for reasoning and which for safety, for the safety tax.
    pub axes: Axes,
    /// When the suites are run.
    pub evaluate: EvaluateWhen,
    /// Sample completions per suite and checkpoint that the report shows.
    pub show_samples: usize,
    /// Folder that runs are written to. Not part of the digest.
    pub out: String,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            name: String::new(),
            description: None,
            seed: 0,
            model: ModelRef::default(),
            dtype: Dtype::default(),
            checkpointing: Checkpointing::default(),
            memory_budget: None,
            micro_batch_tokens: None,
            lab: Lab::default(),
            budget: None,
            include: Vec::new(),
            data: IndexMap::new(),
            scorers: IndexMap::new(),
            suites: IndexMap::new(),
            arms: IndexMap::new(),
            gates: Vec::new(),
            gate_correction: GateCorrection::default(),
            calibrations: Vec::new(),
            axes: Axes::default(),
            evaluate: EvaluateWhen::default(),
            show_samples: 4,
            out: "runs".into(),
        }
    }
}

/// Where the base model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["path"]))]
pub struct ModelRef {
    /// `lab:base` (pre-trained on the lab's corpus), a Hugging Face model directory or `hf://ORG/MODEL[@REVISION]`;
    /// `${VAR}` is replaced by the environment variable.
    pub path: String,
}

/// What one arm may spend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["flops"]))]
pub struct Budget {
    /// Floating-point operations of sampling and training per arm; evaluation is not counted.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub flops: f64,
}

/// Metrics, as `suite/metric`, that stand for reasoning and for safety. Several on one axis count alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Axes {
    /// Reasoning, such as `gsm8k/accuracy`.
    pub reasoning: Vec<String>,
    /// Safety, such as `harmbench/unsafe`.
    pub safety: Vec<String>,
}

impl Axes {
    /// Whether both axes are named; without, there is no safety tax.
    pub fn named(&self) -> bool {
        !self.reasoning.is_empty() && !self.safety.is_empty()
    }
}

/// When suites are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluateWhen {
    /// On the base model and after every stage that makes a checkpoint.
    #[default]
    EachStage,
    /// On the base model and on the last checkpoint of every arm.
    Final,
}

/// One sequence of stages from the base model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["stages"]))]
pub struct Arm {
    /// One sentence for the report.
    pub description: Option<String>,
    /// The stages, in order; each starts from the checkpoint before it unless its `init` says otherwise.
    #[schemars(length(min = 1))]
    pub stages: Vec<Stage>,
}
