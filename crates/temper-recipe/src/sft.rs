//! The supervised fine-tuning stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optim::gather_optim;
use crate::{AdamState, Extent, Init, LoraSpec, LossOn, Scheduler};

/// Supervised fine-tuning on completions: the loss is on the completion's tokens only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["data"]))]
pub struct Sft {
    /// Name of the stage, for `stage:NAME`, gates and the report; `null` for its kind.
    pub name: Option<String>,
    /// A name under `data`, or `stage:NAME` for the rows that an earlier `reject` stage of this arm kept.
    pub data: String,
    /// The checkpoint to start from.
    pub init: Init,
    /// Optimiser steps at most.
    #[schemars(range(min = 1))]
    pub max_steps: Option<usize>,
    /// Share of the arm's FLOP budget at most.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub share: Option<f64>,
    /// Passes over the data at most. With none of `max_steps`, `share` and this given, 1.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub num_train_epochs: Option<f64>,
    /// Which tokens are learned.
    pub loss_on: LossOn,
    /// Rows per batch. With neither this nor `batch_tokens` given, 16.
    #[schemars(range(min = 1))]
    pub batch_size: Option<usize>,
    /// Tokens per batch (as many rows as fit, at least one), instead of `batch_size`.
    #[schemars(range(min = 1))]
    pub batch_tokens: Option<usize>,
    /// Batches per optimiser step; the loss is normalised over all of them.
    #[schemars(range(min = 1))]
    pub gradient_accumulation_steps: usize,
    /// Put the rows of a batch together so that `batch_tokens` is used up as far as can be (best fit), instead of in the order
    /// of the shuffle. Rows never see each other either way.
    pub packing: bool,
    /// Batch rows of similar length together.
    pub group_by_length: bool,
    /// Longest row in tokens, prompt and completion.
    #[schemars(range(min = 2))]
    pub max_length: usize,
    /// What becomes of longer rows.
    pub long_rows: LongRows,
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

/// What becomes of rows that are longer than `max_length`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LongRows {
    /// They are cut, counted and shown. A row that would be left without a token to learn stops the run.
    #[default]
    Cut,
    /// They are left out, counted and shown.
    Drop,
    /// They stop the run.
    Refuse,
}

impl Default for Sft {
    fn default() -> Self {
        Sft {
            name: None,
            data: String::new(),
            init: Init::Parent,
            max_steps: None,
            share: None,
            num_train_epochs: None,
            loss_on: LossOn::Completion,
            batch_size: None,
            batch_tokens: None,
            packing: false,
            group_by_length: false,
            gradient_accumulation_steps: 1,
            max_length: 1024,
            long_rows: LongRows::Cut,
            learning_rate: 2e-5,
            lr_scheduler_type: Scheduler::Linear,
            warmup_ratio: 0.0,
            max_grad_norm: 1.0,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            adam_state: AdamState::F32,
            lora: None,
            save_steps: 50,
            logging_steps: 1,
        }
    }
}

gather_optim!(Sft);

impl Sft {
    /// How long the stage runs: one epoch where the recipe does not say.
    pub fn extent(&self) -> Extent {
        let unsaid = self.max_steps.is_none() && self.share.is_none() && self.num_train_epochs.is_none();
        Extent {
            max_steps: self.max_steps,
            share: self.share,
            epochs: if unsaid { Some(1.0) } else { self.num_train_epochs },
        }
    }

    /// Rows per batch, or `None` where the batch is counted in tokens (`batch_tokens`).
    pub fn rows_per_batch(&self) -> Option<usize> {
        match (self.batch_size, self.batch_tokens) {
            (rows, Some(_)) => rows,
            (rows, None) => rows.or(Some(16)),
        }
    }
}
