//! The recipe: types, defaults, validation and JSON Schema. No tensors.
//!
//! A recipe is one YAML file that says everything about a run: the model, the data, the arms with their stages, the suites
//! and the gates. [`Recipe::load`] reads it, applies `--set` overrides and checks it; what it returns is complete (every
//! default filled in) and consistent (every name it mentions exists, no gate is judged by what an arm trained on).

mod check;
mod clean;
mod compute;
mod data;
mod digest;
pub mod docs;
mod endpoint;
mod error;
mod firewall;
mod gate;
mod grpo;
mod hub_path;
mod include;
mod lab;
mod load;
mod lora;
mod loss_on;
mod optim;
mod overrides;
pub mod plan;
mod recipe;
mod reducer;
mod reject;
mod schema;
mod scorer;
mod sft;
mod shape;
mod single;
mod source;
mod stage;
mod suggest;
mod suite;
mod transform;
mod tree;
mod validate;

pub use clean::{Check, Clean, Duplicates, Mix, MixBy, MixPart, MixUntil, Part, Side};
pub use compute::{AdamState, Bytes, Checkpointing, Dtype, NotBytes};
pub use data::{Columns, DataSource, Location, expand_env};
pub use endpoint::EndpointSpec;
pub use error::RecipeError;
pub use gate::{Gate, GateCorrection, GateSlice, OnFail, Reference, Rule};
pub use grpo::{Grpo, LossType, RewardRef, ScaleRewards};
pub use hub_path::{HubKind, HubPath};
pub use include::{BUILT_IN, BuiltIn, SuiteFile};
pub use lab::{Annotator, CorpusMix, Lab, Pretrain};
pub use lora::{ALL_LINEAR, BaseStorage, LoraSpec, PROJECTIONS, Targets};
pub use loss_on::LossOn;
pub use optim::{Extent, Optim, Scheduler};
pub use plan::{Plan, PlannedArm, PlannedStage};
pub use recipe::{Arm, Axes, Budget, EvaluateWhen, ModelRef, Recipe};
pub use reducer::Reducer;
pub use reject::{Keep, Reject};
pub use scorer::ScorerSpec;
pub use sft::{LongRows, Sft};
pub use shape::Shape;
pub use single::SingleStage;
pub use stage::{Init, Stage, StageData};
pub use suite::{Sampling, Suite};
pub use transform::{Family, Transform, Variants};
