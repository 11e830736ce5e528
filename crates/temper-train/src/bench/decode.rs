//! Sampling completions of random prompts.

use std::time::Instant;

use temper_engine::{Key, Model, ModelConfig, Precision, Request, SamplingParams, generate};

use super::{Repetition, SEED, Size, attended, needed_flops, random_ids, repeat};
use crate::TrainError;

pub(super) fn run(
    model: &Model,
    batch: usize,
    seq: usize,
    new_tokens: usize,
    seconds: f64,
) -> Result<(Size, Vec<Repetition>), TrainError> {
    let key = Key::new(SEED).fold_str("decode");
    let prompts = random_ids(model.config(), key, batch, seq);
    let params = params(new_tokens);
    let flops = batch as f64 * sampling_flops(model.config(), seq, 1, new_tokens);
    let repetitions = repeat(seconds, |number| {
        let requests = requests(&prompts, 1, key.fold_str("sample").fold(number));
        let start = Instant::now();
        generate(model, &requests, &params, &mut |_| true)?;
        Ok(Repetition { seconds: start.elapsed().as_secs_f64(), sampling: None, flops })
    })?;
    let bytes = bytes_read(model.config(), model.precision(), batch, seq, new_tokens);
    Ok((Size { tokens: batch * new_tokens, bytes: Some(bytes) }, repetitions))
}

/// Temperature 1, no stop token.
pub(super) fn params(new_tokens: usize) -> SamplingParams {
    SamplingParams { max_new_tokens: new_tokens, ..SamplingParams::default() }
}

/// `group` completions of each prompt.
pub(super) fn requests(prompts: &[Vec<u32>], group: usize, key: Key) -> Vec<Request> {
    let request = |(i, prompt): (usize, &Vec<u32>)| {
        let key = key.fold(i as u64);
        Request { prompt: prompt.clone(), keys: (0..group as u64).map(|s| key.fold(s)).collect() }
    };
    prompts.iter().enumerate().map(request).collect()
}

/// Operations that `group` completions of one prompt need: the prompt once, with the head at its last position, and every
/// new token but the last.
pub(super) fn sampling_flops(config: &ModelConfig, seq: usize, group: usize, new_tokens: usize) -> f64 {
    let decoded = new_tokens - 1;
    needed_flops(config, seq, attended(0, seq), 1)
        + group as f64 * needed_flops(config, decoded, attended(seq, decoded), decoded)
}

/// Bytes that have to be read, in the operands' format: all matrices for the prefill and for each step of the batch after it, and
/// each sequence's keys and values up to its position at each step.
fn bytes_read(config: &ModelConfig, precision: Precision, batch: usize, seq: usize, new_tokens: usize) -> f64 {
    let operand = match precision {
        Precision::F32 => 4.0,
        Precision::Bf16 => 2.0,
    };
    // One token does one multiply-add with each weight.
    let weights = config.forward_flops(1, 0) / 2.0;
    let cached = (2 * config.num_layers * config.kv_size()) as f64 * attended(seq, new_tokens - 1) as f64;
    operand * (new_tokens as f64 * weights + batch as f64 * cached)
}
