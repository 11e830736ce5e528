//! Language modelling over documents: how the lab's base model comes to be.

use temper_recipe::Pretrain;

use super::Epochs;
use crate::algorithms::sft::nll;
use crate::step::Sequence;
use crate::trainer::{Plan, Trainer, digest};
use crate::{Demand, StageContext, StageOutcome, TrainError};

/// Trains on documents of token ids, every token but the first a target.
///
/// A step packs whole documents of the shuffled stream up to `batch_tokens`; attention stays within a document. Documents
/// longer than the model's context are cut into pieces. The stage ends after `tokens / batch_tokens` steps.
///
/// # Errors
/// See [`TrainError`].
pub fn pretrain(ctx: &mut StageContext, spec: &Pretrain, documents: &[Vec<u32>]) -> Result<StageOutcome, TrainError> {
    let config = ctx.model.config();
    let (context, vocab_size) = (config.max_position_embeddings.max(2), config.vocab_size);
    let pieces: Vec<&[u32]> = documents.iter().flat_map(|d| d.chunks(context)).filter(|p| p.len() > 1).collect();
    if pieces.is_empty() {
        return Err(TrainError::setting("there are no documents of two or more tokens", "Check the corpus"));
    }
    if let Some(id) = documents.iter().flatten().find(|id| **id as usize >= vocab_size) {
        return Err(TrainError::setting(
            format!("the tokenizer gives id {id}, but the model has {vocab_size} embeddings"),
            "Use the tokenizer that belongs to the model",
        ));
    }
    let longest = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
    let spec_text = serde_json::to_string(spec).unwrap_or_default();
    let ids = digest(pieces.iter().map(|piece| piece.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>()));
    let plan = Plan {
        label: "pre-training".into(),
        optim: spec.optim(),
        extent: spec.extent(),
        epoch_len: pieces.len(),
        save_steps: spec.save_steps,
        logging_steps: 1,
        demand: Demand::documents(&spec.optim(), ctx.model.precision(), spec.batch_tokens, longest),
        fingerprint: digest(["pretrain", &spec_text, &ctx.seed.to_string(), &ids]),
    };
    let selected = vec![true; context];
    let mut epochs = Epochs::new(pieces.len(), ctx.seed);
    let mut trainer = Trainer::begin(ctx, plan)?;
    while trainer.goes_on() {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        loop {
            let piece = pieces[epochs.at(trainer.at.cursor)];
            if !batch.is_empty() && tokens + piece.len() > spec.batch_tokens {
                break;
            }
            tokens += piece.len();
            batch.push(Sequence { ids: piece, selected: &selected[..piece.len()], prompt: 0 });
            trainer.at.cursor += 1;
        }
        let targets = (tokens - batch.len()) as f64;
        let place = |i: usize| format!("document {} of the batch", i + 1);
        let update = trainer
            .update(&batch, 1.0, &place, &mut |_, logprobs| nll(logprobs, &vec![1.0; logprobs.len()], targets))?;
        let trained = trainer.at.cost.tokens_trained;
        trainer.log(&update, |record| {
            record.put("mean_token_accuracy", update.stats.accuracy());
            record.count("num_tokens", trained);
        })?;
        trainer.note(&format!("loss {:.3}", update.stats.loss));
        trainer.end_step()?;
    }
    let epoch = trainer.epoch();
    let notes = match epoch > 1.0 {
        true => vec![format!("the corpus was read {epoch:.1} times")],
        false => Vec::new(),
    };
    trainer.end(notes)
}
