//! Supervised fine-tuning.

use temper_data::Row;
use temper_recipe::Sft;

use super::Epochs;
use crate::algorithms::sft::nll;
use crate::examples;
use crate::step::Sequence;
use crate::trainer::{Plan, Trainer, fingerprint};
use crate::{Demand, StageContext, StageOutcome, TrainError};

/// Supervised fine-tuning on the completions of `rows`.
///
/// A step takes `gradient_accumulation_steps` batches of the shuffled epoch, by rows or by tokens, and no batch crosses
/// the end of an epoch. The loss is the negative log-likelihood of the completion tokens, divided by their number over the
/// whole step.
///
/// # Errors
/// See [`TrainError`]; among them rows without a completion, no row with a token to learn, and a loss or gradient that is
/// not finite.
pub fn run_sft(ctx: &mut StageContext, spec: &Sft, rows: &[Row]) -> Result<StageOutcome, TrainError> {
    let config = ctx.model.config();
    let max_length = spec.max_length.min(config.max_position_embeddings);
    let examples = examples::encode(ctx.tokenizer, rows, max_length, config.vocab_size)?;
    let notes = examples.notes();
    let plan = Plan {
        label: spec.name.clone().unwrap_or_else(|| "sft".into()),
        optim: spec.optim(),
        extent: spec.extent(),
        epoch_len: examples.items.len(),
        save_steps: spec.save_steps,
        logging_steps: spec.logging_steps,
        demand: Demand::sft(spec, ctx.model.precision(), &examples.lengths()),
        fingerprint: fingerprint("sft", spec, ctx, rows),
    };
    let mut epochs = Epochs::new(examples.items.len(), ctx.seed);
    let mut trainer = Trainer::begin(ctx, plan)?;
    if trainer.at.step == 0 {
        notes.iter().for_each(|note| trainer.ctx.progress.warn(note));
    }
    while trainer.goes_on() {
        let batch = take(&mut epochs, trainer.at.cursor, spec, |i| examples.items[i].1.ids.len());
        let sequences: Vec<Sequence> = batch
            .iter()
            .map(|i| Sequence { ids: &examples.items[*i].1.ids, selected: &examples.items[*i].1.trainable, prompt: 0 })
            .collect();
        let targets: usize = sequences.iter().map(Sequence::selected_tokens).sum();
        let place = |i: usize| rows[examples.items[batch[i]].0].place();
        let update = trainer.update(&sequences, 1.0, &place, &mut |_, logprobs| {
            nll(logprobs, &vec![1.0; logprobs.len()], targets as f64)
        })?;
        trainer.at.cursor += batch.len() as u64;
        let tokens = trainer.at.cost.tokens_trained;
        trainer.log(&update, |record| {
            record.put("mean_token_accuracy", update.stats.accuracy());
            record.count("num_tokens", tokens);
        })?;
        trainer.note(&format!("loss {:.3}", update.stats.loss));
        trainer.end_step()?;
    }
    trainer.end(notes)
}

/// The examples of one step, from `cursor` on.
fn take(epochs: &mut Epochs, cursor: u64, spec: &Sft, length: impl Fn(usize) -> usize) -> Vec<usize> {
    let batches = spec.gradient_accumulation_steps.max(1);
    let left = epochs.left(cursor);
    if let Some(rows) = spec.rows_per_batch() {
        return (0..left.min(rows.max(1) * batches)).map(|i| epochs.at(cursor + i as u64)).collect();
    }
    let (limit, mut out) = (spec.batch_tokens.unwrap_or(1), Vec::new());
    for _ in 0..batches {
        let (start, mut tokens) = (out.len(), 0);
        while out.len() < left {
            let next = epochs.at(cursor + out.len() as u64);
            tokens += length(next);
            if tokens > limit && out.len() > start {
                break;
            }
            out.push(next);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_by_rows_and_by_tokens_stop_at_the_end_of_an_epoch() {
        let mut epochs = Epochs::new(10, 1);
        let rows = |batch_size, steps| Sft {
            batch_size: Some(batch_size),
            gradient_accumulation_steps: steps,
            ..Sft::default()
        };
        assert_eq!(take(&mut epochs, 0, &rows(4, 1), |_| 1).len(), 4);
        assert_eq!(take(&mut epochs, 0, &rows(4, 2), |_| 1).len(), 8);
        assert_eq!(take(&mut epochs, 8, &rows(4, 1), |_| 1).len(), 2);
        let tokens = |batch_tokens, steps| Sft {
            batch_tokens: Some(batch_tokens),
            gradient_accumulation_steps: steps,
            ..Sft::default()
        };
        assert_eq!(take(&mut epochs, 0, &tokens(10, 1), |_| 4).len(), 2);
        assert_eq!(take(&mut epochs, 0, &tokens(10, 3), |_| 4).len(), 6);
        assert_eq!(take(&mut epochs, 0, &tokens(3, 1), |_| 4).len(), 1);
        assert_eq!(take(&mut epochs, 9, &tokens(100, 1), |_| 4).len(), 1);
    }
}
