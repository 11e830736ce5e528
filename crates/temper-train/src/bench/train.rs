//! A step of training on random tokens.

use std::time::Instant;

use temper_engine::{AdamW, AdamWConfig, Grads, Key, Model};

use super::{Repetition, SEED, Size, attended, needed_flops, random_ids, repeat};
use crate::TrainError;
use crate::algorithms::sft::nll;
use crate::step::{self, Sequence};

/// Learning rate; it has no influence on the time.
const LEARNING_RATE: f64 = 1e-4;

pub(super) fn run(
    model: &mut Model,
    batch: usize,
    seq: usize,
    seconds: f64,
) -> Result<(Size, Vec<Repetition>), TrainError> {
    let config = model.config().clone();
    let ids = random_ids(&config, Key::new(SEED).fold_str("train"), batch, seq);
    let selected: Vec<bool> = (0..seq).map(|t| t > 0).collect();
    let sequences: Vec<Sequence> = ids.iter().map(|ids| Sequence { ids, selected: &selected, prompt: 0 }).collect();
    let targets = batch * (seq - 1);
    let weights = vec![1.0; seq - 1];
    // The last token of a sequence is only a target, so no position has to be computed for it.
    let flops = 3.0 * needed_flops(&config, targets, batch as u64 * attended(0, seq - 1), targets);
    let limit = step::micro_batch_tokens(&config);
    let mut grads = Grads::zeros(model);
    let mut adam = AdamW::new(model, AdamWConfig::default());
    let repetitions = repeat(seconds, |_| {
        let start = Instant::now();
        grads.zero();
        step::accumulate(model, &sequences, 1.0, limit, &mut grads, &mut |_, logprobs| {
            nll(logprobs, &weights, targets as f64)
        });
        adam.step(model, &grads, LEARNING_RATE, Some(1.0))?;
        Ok(Repetition { seconds: start.elapsed().as_secs_f64(), sampling: None, flops })
    })?;
    Ok((Size { tokens: batch * seq, bytes: None }, repetitions))
}
