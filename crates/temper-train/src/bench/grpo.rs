//! A GRPO step on random prompts: what the `grpo` stage does between two of its steps, without text.

use std::time::Instant;

use temper_engine::{AdamW, AdamWConfig, Grads, Key, Model, ModelConfig, generate};

use super::decode::{params, requests, sampling_flops};
use super::{Repetition, SEED, Size, attended, needed_flops, random_ids, repeat};
use crate::TrainError;
use crate::algorithms::advantage::{Scale, advantages};
use crate::algorithms::grpo::{Completion, Objective, Reduction, StepTotals, grpo};
use crate::step::{self, Sequence};

/// Learning rate; it has no influence on the time.
const LEARNING_RATE: f64 = 1e-6;
/// The clip range of the stage's defaults, without a reference.
const OBJECTIVE: Objective = Objective { epsilon_low: 0.2, epsilon_high: 0.2, beta: 0.0, bias_correction: false };

/// A completion with its prompt.
struct Sample {
    ids: Vec<u32>,
    /// Log-probabilities when sampled.
    old: Vec<f64>,
}

pub(super) fn run(
    model: &mut Model,
    prompts: usize,
    group: usize,
    seq: usize,
    new_tokens: usize,
    seconds: f64,
) -> Result<(Size, Vec<Repetition>), TrainError> {
    let config = model.config().clone();
    let key = Key::new(SEED).fold_str("grpo");
    let ids = random_ids(&config, key, prompts, seq);
    let params = params(new_tokens);
    let limit = step::micro_batch_tokens(&config);
    let mut grads = Grads::zeros(model);
    let mut adam = AdamW::new(model, AdamWConfig::default());
    let selected: Vec<bool> = (0..seq + new_tokens).map(|t| t >= seq).collect();
    let totals = StepTotals {
        completions: prompts * group,
        tokens: prompts * group * new_tokens,
        max_completion_length: new_tokens,
    };
    let repetitions = repeat(seconds, |number| {
        let requests = requests(&ids, group, key.fold_str("sample").fold(number));
        let start = Instant::now();
        let completions = generate(model, &requests, &params, &mut |_| true)?;
        // A rollout names the weights that made it.
        std::hint::black_box(model.digest());
        let sampling = start.elapsed().as_secs_f64();

        let samples: Vec<Sample> = ids
            .iter()
            .zip(&completions)
            .flat_map(|(prompt, group)| group.iter().map(move |completion| (prompt, completion)))
            .map(|(prompt, completion)| Sample {
                ids: [prompt.as_slice(), completion.ids.as_slice()].concat(),
                old: completion.logprobs.iter().map(|l| f64::from(*l)).collect(),
            })
            .collect();
        let rewards: Vec<Option<f64>> = samples.iter().map(|sample| Some(reward(&sample.ids[seq..]))).collect();
        let advantages = advantages(&rewards, group, Scale::Group);
        let trained: Vec<usize> = (0..samples.len()).filter(|i| advantages[*i] != 0.0).collect();
        let sequences: Vec<Sequence> =
            trained.iter().map(|i| Sequence { ids: &samples[*i].ids, selected: &selected, prompt: seq }).collect();
        let mask = vec![true; new_tokens];
        let mut difference = 0.0f64;
        grads.zero();
        step::accumulate(model, &sequences, params.temperature, limit, &mut grads, &mut |i, logprobs| {
            let old = &samples[trained[i]].old;
            for (new, old) in logprobs.iter().zip(old) {
                difference = difference.max((new - old).abs());
            }
            let completion = Completion {
                logprobs,
                old_logprobs: old,
                ref_logprobs: None,
                mask: &mask,
                advantage: advantages[trained[i]],
            };
            grpo(&completion, &OBJECTIVE, Reduction::Dapo.weight(&totals, logprobs.len())).token_loss
        });
        if difference > 0.0 {
            let what = "sampled and trained tokens";
            return Err(TrainError::Mismatch { step: number as usize + 1, what, max: difference });
        }
        adam.step(model, &grads, LEARNING_RATE, Some(1.0))?;
        let seconds = start.elapsed().as_secs_f64();

        let mut flops = prompts as f64 * sampling_flops(&config, seq, group, new_tokens);
        for start in (0..samples.len()).step_by(group) {
            let members = trained.iter().filter(|i| (start..start + group).contains(*i)).count();
            flops += 3.0 * training_flops(&config, seq, members, new_tokens);
        }
        Ok(Repetition { seconds, sampling: Some(sampling), flops })
    })?;
    Ok((Size { tokens: totals.tokens, bytes: None }, repetitions))
}

/// A cheap rule: 1 if the sum of the ids is even.
fn reward(ids: &[u32]) -> f64 {
    let sum: u64 = ids.iter().map(|id| u64::from(*id)).sum();
    if sum.is_multiple_of(2) { 1.0 } else { 0.0 }
}

/// Operations of a forward over `group` completions of one prompt: the prompt once, and the head for each new token.
fn training_flops(config: &ModelConfig, seq: usize, group: usize, new_tokens: usize) -> f64 {
    if group == 0 {
        return 0.0;
    }
    let own = new_tokens - 1;
    needed_flops(config, seq + group * own, attended(0, seq) + group as u64 * attended(seq, own), group * new_tokens)
}
