//! The reinforcement-learning stage: group-relative policy optimisation.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::optim::gather_optim;
use crate::{AdamState, Extent, Init, LoraSpec, Scheduler};

/// Group-relative policy optimisation (GRPO): completions of one prompt are compared with each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["data", "rewards"]))]
pub struct Grpo {
    /// Name of the stage, for gates and the report; `null` for its kind.
    pub name: Option<String>,
    /// A name under `data`: the prompts.
    pub data: String,
    /// The checkpoint to start from.
    pub init: Init,
    /// Scorers whose weighted sum is the reward.
    #[schemars(length(min = 1))]
    pub rewards: Vec<RewardRef>,
    /// Optimiser steps at most. At least one of this, `share` and `num_train_epochs` is needed.
    #[schemars(range(min = 1))]
    pub max_steps: Option<usize>,
    /// Share of the arm's FLOP budget at most.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub share: Option<f64>,
    /// Passes over the prompts at most.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub num_train_epochs: Option<f64>,
    /// Prompts per step.
    #[schemars(range(min = 1))]
    pub prompts_per_step: usize,
    /// Completions of each prompt: the group that a completion's advantage is relative to.
    #[schemars(range(min = 2))]
    pub completions_per_prompt: usize,
    /// Longest prompt in tokens; longer ones are skipped, counted and shown. `null` for no limit.
    #[schemars(range(min = 1))]
    pub max_prompt_length: Option<usize>,
    /// Longest completion in tokens.
    #[schemars(range(min = 1))]
    pub max_completion_length: usize,
    /// Softmax temperature of sampling and of the log-probabilities in the loss.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Nucleus sampling; less than 1 needs `allow_truncated_sampling`.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f64,
    /// Top-k sampling; more than 0 needs `allow_truncated_sampling`.
    pub top_k: usize,
    /// Allow `top_p` < 1 and `top_k` > 0, although the loss then uses probabilities that the samples were not drawn from.
    pub allow_truncated_sampling: bool,
    /// Weight of the KL divergence (k3 estimator) from the stage's initial model; 0 for none.
    #[schemars(range(min = 0))]
    pub beta: f64,
    /// Clip range of the probability ratio: 1 ± epsilon.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
    /// Upper clip range where it differs from `epsilon` (clip-higher); `null` for the same.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon_high: Option<f64>,
    /// How token losses are reduced to one number.
    pub loss_type: LossType,
    /// What advantages are divided by.
    pub scale_rewards: ScaleRewards,
    /// Optimiser steps on each batch of completions.
    #[schemars(range(min = 1))]
    pub num_iterations: usize,
    /// Leave completions that reached `max_completion_length` out of the loss.
    pub mask_truncated_completions: bool,
    /// Peak learning rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Shape of the learning rate after the warm-up.
    pub lr_scheduler_type: Scheduler,
    /// Share of the stage during which the learning rate rises from 0.
    #[schemars(range(min = 0, max = 1))]
    pub warmup_ratio: f64,
    /// Gradient norm above which the gradient is scaled down; 0 for never.
    #[schemars(range(min = 0))]
    pub max_grad_norm: f64,
    /// Decoupled weight decay (not on norms and biases).
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// AdamW: decay of the first moment.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub adam_beta1: f64,
    /// AdamW: decay of the second moment.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub adam_beta2: f64,
    /// AdamW: added to the root of the second moment.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub adam_epsilon: f64,
    /// AdamW: how its two moments are held.
    pub adam_state: AdamState,
    /// Train a low-rank adapter instead of all parameters; `null` for all parameters.
    pub lora: Option<LoraSpec>,
    /// Steps between saved states that an interrupted run goes on from; 0 for only at the end.
    pub save_steps: usize,
    /// Steps between lines of `metrics.jsonl`.
    #[schemars(range(min = 1))]
    pub logging_steps: usize,
}

impl Default for Grpo {
    fn default() -> Self {
        Grpo {
            name: None,
            data: String::new(),
            init: Init::Parent,
            rewards: Vec::new(),
            max_steps: None,
            share: None,
            num_train_epochs: None,
            prompts_per_step: 8,
            completions_per_prompt: 8,
            max_prompt_length: None,
            max_completion_length: 512,
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            allow_truncated_sampling: false,
            beta: 0.0,
            epsilon: 0.2,
            epsilon_high: None,
            loss_type: LossType::Dapo,
            scale_rewards: ScaleRewards::Group,
            num_iterations: 1,
            mask_truncated_completions: false,
            learning_rate: 1e-6,
            lr_scheduler_type: Scheduler::Linear,
            warmup_ratio: 0.0,
            max_grad_norm: 1.0,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            adam_state: AdamState::F32,
            lora: None,
            save_steps: 20,
            logging_steps: 1,
        }
    }
}

gather_optim!(Grpo);

impl Grpo {
    /// How long the stage runs.
    pub fn extent(&self) -> Extent {
        Extent { max_steps: self.max_steps, share: self.share, epochs: self.num_train_epochs }
    }
}

/// How the losses of tokens become one loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossType {
    /// Mean over each completion's tokens, then mean over completions (the paper's; short completions weigh more per token).
    Grpo,
    /// Sum over tokens divided by completions × `max_completion_length` (Dr. GRPO; no length bias).
    DrGrpo,
    /// Sum over tokens divided by the number of tokens of the step (DAPO; every token weighs the same).
    #[default]
    Dapo,
}

/// What advantages are divided by after the group's mean is taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleRewards {
    /// The standard deviation within the group.
    #[default]
    Group,
    /// The standard deviation over the whole step.
    Batch,
    /// Nothing.
    None,
}

/// A scorer that a policy is rewarded by, with its weight. `name` alone is short for `{scorer: name, weight: 1}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RewardForm")]
pub struct RewardRef {
    /// An entry of `scorers` or a built-in type.
    pub scorer: String,
    /// Factor of its score in the reward; negative to punish.
    pub weight: f64,
}

impl RewardRef {
    /// The scorer `name` with weight 1.
    pub fn plain(name: &str) -> Self {
        RewardRef { scorer: name.to_string(), weight: 1.0 }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RewardForm {
    Plain(String),
    Full {
        scorer: String,
        #[serde(default = "one")]
        weight: f64,
    },
}

fn one() -> f64 {
    1.0
}

impl From<RewardForm> for RewardRef {
    fn from(form: RewardForm) -> Self {
        match form {
            RewardForm::Plain(scorer) => RewardRef { scorer, weight: 1.0 },
            RewardForm::Full { scorer, weight } => RewardRef { scorer, weight },
        }
    }
}

impl JsonSchema for RewardRef {
    fn schema_name() -> Cow<'static, str> {
        "RewardRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A scorer that a policy is rewarded by: its name, or its name and weight.",
            "anyOf": [
                {"type": "string", "description": "An entry of `scorers` or a built-in type, with weight 1."},
                {
                    "type": "object",
                    "properties": {
                        "scorer": {"type": "string", "description": "An entry of `scorers` or a built-in type."},
                        "weight": {
                            "type": "number",
                            "default": 1.0,
                            "description": "Factor of its score in the reward; negative to punish.",
                        },
                    },
                    "required": ["scorer"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
