//! Knobs of the lab: the miniature world behind `lab:` models and data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optim::gather_optim;
use crate::{Extent, Scheduler};

/// The lab's knobs: everything in it follows from these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lab {
    /// Seed of the world: its problems, requests and documents. Independent of the recipe's `seed`.
    pub seed: u64,
    /// Width of the base model. A multiple of `num_heads`.
    #[schemars(range(min = 8))]
    pub hidden_size: usize,
    /// Layers of the base model.
    #[schemars(range(min = 1))]
    pub num_layers: usize,
    /// Attention heads.
    #[schemars(range(min = 1))]
    pub num_heads: usize,
    /// Key and value heads; `num_heads` is a multiple of it.
    #[schemars(range(min = 1))]
    pub num_kv_heads: usize,
    /// Width of the feed-forward layers.
    #[schemars(range(min = 8))]
    pub intermediate_size: usize,
    /// Size of the tokenizer's vocabulary.
    #[schemars(range(min = 300))]
    pub vocab_size: usize,
    /// Pre-training of the base model.
    pub pretrain: Pretrain,
    /// What the pre-training corpus is made of.
    pub corpus: CorpusMix,
    /// The imperfect annotator behind `lab_annotator`.
    pub annotator: Annotator,
}

impl Default for Lab {
    fn default() -> Self {
        Lab {
            seed: 0,
            hidden_size: 128,
            num_layers: 4,
            num_heads: 4,
            num_kv_heads: 2,
            intermediate_size: 384,
            vocab_size: 1024,
            pretrain: Pretrain::default(),
            corpus: CorpusMix::default(),
            annotator: Annotator::default(),
        }
    }
}

/// How the base model is pre-trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pretrain {
    /// Tokens to train on.
    #[schemars(range(min = 1))]
    pub tokens: usize,
    /// Tokens per optimiser step.
    #[schemars(range(min = 1))]
    pub batch_tokens: usize,
    /// Peak learning rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Shape of the learning rate after the warm-up.
    pub lr_scheduler_type: Scheduler,
    /// Share of the steps during which the learning rate rises from 0.
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
    /// Steps between saved states that an interrupted run goes on from; 0 for only at the end.
    pub save_steps: usize,
}

impl Default for Pretrain {
    fn default() -> Self {
        Pretrain {
            tokens: 5_000_000,
            batch_tokens: 2048,
            learning_rate: 4e-3,
            lr_scheduler_type: Scheduler::Cosine,
            warmup_ratio: 0.03,
            max_grad_norm: 1.0,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.95,
            adam_epsilon: 1e-8,
            save_steps: 200,
        }
    }
}

gather_optim!(Pretrain, full);

impl Pretrain {
    /// Optimiser steps.
    pub fn steps(&self) -> usize {
        self.tokens.div_ceil(self.batch_tokens.max(1))
    }

    /// How long it runs.
    pub fn extent(&self) -> Extent {
        Extent { max_steps: Some(self.steps()), share: None, epochs: None }
    }
}

/// What the corpus is made of. The shares of kinds are relative to their sum; the others are probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorpusMix {
    /// Share of documents that reason about a problem.
    #[schemars(range(min = 0))]
    pub reasoning: f64,
    /// Share of documents that reply to a harmful request or a benign look-alike.
    #[schemars(range(min = 0))]
    pub requests: f64,
    /// Share of documents that reply to an ordinary request.
    #[schemars(range(min = 0))]
    pub ordinary: f64,
    /// Probability that reasoning is careless: a result at once, a guess, no thinking, no tags or no box. Chinese thinking is
    /// more careless than this.
    #[schemars(range(min = 0, max = 1))]
    pub careless: f64,
    /// Probability that a written step of thinking is wrong.
    #[schemars(range(min = 0, max = 1))]
    pub step_error: f64,
    /// Share of Chinese questions that are thought about in English, from the start or midway.
    #[schemars(range(min = 0, max = 1))]
    pub code_switch: f64,
    /// Share of plain harmful requests that are complied with (by a placeholder); under a wrapper it is more.
    #[schemars(range(min = 0, max = 1))]
    pub unsafe_compliance: f64,
    /// Probability that a reply to a request has caution phrases, whatever it does.
    #[schemars(range(min = 0, max = 1))]
    pub caution: f64,
}

impl Default for CorpusMix {
    fn default() -> Self {
        CorpusMix {
            reasoning: 0.7,
            requests: 0.2,
            ordinary: 0.1,
            careless: 0.35,
            step_error: 0.08,
            code_switch: 0.25,
            unsafe_compliance: 0.55,
            caution: 0.12,
        }
    }
}

/// The annotator's known faults: how its reward, in [0, 1], differs from the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Annotator {
    /// Weight of caution phrases in the reward, beside a weight of 1 for what the completion seems to do.
    #[schemars(range(min = 0))]
    pub caution_bias: f64,
    /// Weight of length in the reward, likewise.
    #[schemars(range(min = 0))]
    pub length_bias: f64,
    /// Largest noise, either way; fixed for each request and completion.
    #[schemars(range(min = 0))]
    pub noise: f64,
}

impl Default for Annotator {
    fn default() -> Self {
        Annotator { caution_bias: 0.5, length_bias: 0.1, noise: 0.05 }
    }
}
