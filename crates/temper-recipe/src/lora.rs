//! Low-rank adapters as a recipe asks for them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A low-rank adapter (LoRA, arXiv 2106.09685): the stage trains it in place of the model's own parameters. Its checkpoint
/// is the model with the adapter merged in; the adapter alone lies beside it in `adapter/`, as PEFT reads it. The reference
/// of a KL term is the model with the adapter off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoraSpec {
    /// Rank.
    #[schemars(range(min = 1))]
    pub r: usize,
    /// Numerator of the scale: the adapter's output is multiplied by `alpha / r`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub alpha: f64,
    /// Scale by `alpha / sqrt(r)` instead (rsLoRA, arXiv 2312.03732).
    pub rslora: bool,
    /// Projections that get an adapter in every layer: a list of `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`,
    /// `up_proj` and `down_proj`, or `all-linear` for all of them.
    pub targets: Targets,
    /// How the frozen model is held while the adapter is trained.
    pub base: BaseStorage,
}

impl Default for LoraSpec {
    fn default() -> Self {
        LoraSpec { r: 16, alpha: 32.0, rslora: false, targets: Targets::AllLinear, base: BaseStorage::F32 }
    }
}

/// How the matrices of a model that is not trained are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseStorage {
    /// As it is: 4 bytes per parameter, and packed copies.
    #[default]
    F32,
    /// Rounded to bfloat16.
    Bf16,
    /// 8-bit integers with a scale for each 64 weights of a row.
    Int8,
    /// NF4 (QLoRA, arXiv 2305.14314) with a scale for each 64 weights of a row.
    Nf4,
}

/// Name of all projections together.
pub const ALL_LINEAR: &str = "all-linear";

/// The projections of a layer, by name.
pub const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// Which projections get an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "TargetsForm", into = "TargetsForm")]
pub enum Targets {
    /// Every one.
    AllLinear,
    /// These, by name.
    Named(Vec<String>),
}

impl Targets {
    /// Names of the projections, in the order of a layer, each once.
    pub fn names(&self) -> Vec<&'static str> {
        let wanted = |name: &&str| match self {
            Targets::AllLinear => true,
            Targets::Named(names) => names.iter().any(|n| n == name),
        };
        PROJECTIONS.into_iter().filter(wanted).collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TargetsForm {
    One(String),
    Many(Vec<String>),
}

impl From<TargetsForm> for Targets {
    fn from(form: TargetsForm) -> Self {
        match form {
            TargetsForm::One(name) if name == ALL_LINEAR => Targets::AllLinear,
            TargetsForm::One(name) => Targets::Named(vec![name]),
            TargetsForm::Many(names) => Targets::Named(names),
        }
    }
}

impl From<Targets> for TargetsForm {
    fn from(targets: Targets) -> Self {
        match targets {
            Targets::AllLinear => TargetsForm::One(ALL_LINEAR.into()),
            Targets::Named(names) => TargetsForm::Many(names),
        }
    }
}

impl JsonSchema for Targets {
    fn schema_name() -> Cow<'static, str> {
        "Targets".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = PROJECTIONS.into_iter().chain([ALL_LINEAR]).collect();
        json_schema!({
            "description": "Projections that get an adapter: a list of names, or `all-linear`.",
            "anyOf": [
                {"type": "string", "enum": words},
                {"type": "array", "minItems": 1, "items": {"type": "string", "enum": PROJECTIONS}},
            ],
        })
    }
}
