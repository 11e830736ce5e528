//! The stages: each turns a checkpoint into a checkpoint, or into data.

use std::sync::Arc;

use temper_data::Row;
use temper_recipe::{Grpo, Pretrain, Reject, Sft};
use temper_score::Scorer;
use temper_text::Tokenizer;

use crate::{RejectOutcome, StageContext, StageOutcome, TrainError};

/// Counts of rejection sampling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RejectReport {}

/// Supervised fine-tuning.
pub fn run_sft(_ctx: &mut StageContext, _spec: &Sft, _rows: &[Row]) -> Result<StageOutcome, TrainError> {
    Err(TrainError::setting("unfinished", "wait"))
}
/// GRPO; `scorers` are those of `spec.rewards`, in order.
pub fn run_grpo(
    _ctx: &mut StageContext,
    _spec: &Grpo,
    _rows: &[Row],
    _scorers: &[Arc<dyn Scorer>],
) -> Result<StageOutcome, TrainError> {
    Err(TrainError::setting("unfinished", "wait"))
}
/// Rejection sampling; `scorers` are those of `spec.keep`, in order.
pub fn run_reject(
    _ctx: &mut StageContext,
    _spec: &Reject,
    _rows: &[Row],
    _scorers: &[Arc<dyn Scorer>],
) -> Result<RejectOutcome, TrainError> {
    Err(TrainError::setting("unfinished", "wait"))
}
/// Language modelling over documents of token ids.
pub fn pretrain(
    _ctx: &mut StageContext,
    _spec: &Pretrain,
    _documents: &[Vec<u32>],
) -> Result<StageOutcome, TrainError> {
    Err(TrainError::setting("unfinished", "wait"))
}
/// Rows as documents for [`pretrain`].
pub fn encode_documents(_tokenizer: &Tokenizer, _rows: &[Row]) -> Result<Vec<Vec<u32>>, TrainError> {
    Err(TrainError::setting("unfinished", "wait"))
}
