//! What training stages share: the optimiser's settings and how long a stage runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AdamState, LoraSpec};

/// Shape of the learning rate over a stage, after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheduler {
    /// The same rate throughout.
    Constant,
    /// Falls in a straight line to 0.
    #[default]
    Linear,
    /// Falls along half a cosine to 0.
    Cosine,
}

/// Settings of AdamW and of the learning rate, gathered from a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Optim {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Shape after the warm-up.
    pub lr_scheduler_type: Scheduler,
    /// Share of the stage during which the rate rises from 0.
    pub warmup_ratio: f64,
    /// Gradient norm above which the gradient is scaled down; 0 for never.
    pub max_grad_norm: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub adam_beta1: f64,
    /// Decay of the second moment.
    pub adam_beta2: f64,
    /// Added to the root of the second moment.
    pub adam_epsilon: f64,
    /// How the moments are held.
    pub adam_state: AdamState,
    /// The adapter that is trained; `None`: all parameters.
    pub lora: Option<LoraSpec>,
}

/// How long a stage runs; whichever comes first ends it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extent {
    /// Optimiser steps.
    pub max_steps: Option<usize>,
    /// Share of the arm's FLOP budget.
    pub share: Option<f64>,
    /// Passes over the data.
    pub epochs: Option<f64>,
}

/// Gathers the optimiser's fields of a stage into an [`Optim`].
///
/// A stage of which `full` is said trains all parameters, with moments in f32.
macro_rules! gather_optim {
    ($stage:ty) => {
        gather_optim!($stage, |stage| (stage.adam_state, stage.lora.clone()));
    };
    ($stage:ty, full) => {
        gather_optim!($stage, |_stage| (crate::AdamState::F32, None));
    };
    ($stage:ty, |$this:ident| $memory:expr) => {
        impl $stage {
            /// The optimiser's settings.
            pub fn optim(&self) -> crate::Optim {
                let $this = self;
                let (adam_state, lora) = $memory;
                crate::Optim {
                    learning_rate: self.learning_rate,
                    lr_scheduler_type: self.lr_scheduler_type,
                    warmup_ratio: self.warmup_ratio,
                    max_grad_norm: self.max_grad_norm,
                    weight_decay: self.weight_decay,
                    adam_beta1: self.adam_beta1,
                    adam_beta2: self.adam_beta2,
                    adam_epsilon: self.adam_epsilon,
                    adam_state,
                    lora,
                }
            }
        }
    };
}
pub(crate) use gather_optim;
