//! How fast this machine trains and samples a model, beside what the machine could do at most.
//!
//! Every work runs on random token ids and needs no text. The operations that are counted are those that the work needs, not
//! those that an implementation happens to do: a prompt counts once for all its completions, the head only where a
//! log-probability is wanted. Their number over the machine's peak is the arithmetic limit of the work. For decoding there
//! is a second limit, the bytes that have to be read over the bandwidth of the memory; weights that stay in the caches from
//! one step to the next go below it.

mod decode;
mod grpo;
mod train;

use std::time::Instant;

use serde::Serialize;
use temper_engine::{
    Key, Model, ModelConfig, Precision, memory_bandwidth, peak_flops, peak_instructions, peak_memory_bytes,
};

use crate::TrainError;

/// Fewest and most repetitions that are measured.
const REPEATS: std::ops::RangeInclusive<usize> = 3..=100;
/// Seed of token ids and of sampling.
const SEED: u64 = 1;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Forward, backward and a clipped AdamW step on every token of `batch` sequences.
    Train {
        /// Sequences.
        batch: usize,
        /// Tokens of each.
        seq: usize,
    },
    /// Prefill and decoding of completions of different prompts, sampled at temperature 1 without a stop token.
    Decode {
        /// Sequences.
        batch: usize,
        /// Tokens of each prompt.
        seq: usize,
        /// Tokens of each completion.
        new_tokens: usize,
    },
    /// One GRPO step: sampling as in [`Work::Decode`], then one optimiser step on all completions.
    Grpo {
        /// Prompts.
        prompts: usize,
        /// Completions of each prompt.
        group: usize,
        /// Tokens of each prompt.
        seq: usize,
        /// Tokens of each completion.
        new_tokens: usize,
    },
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Work::Train { .. } => "train",
            Work::Decode { .. } => "decode",
            Work::Grpo { .. } => "grpo",
        }
    }

    /// Refuses what the model cannot run.
    fn check(&self, config: &ModelConfig) -> Result<(), TrainError> {
        if config.num_labels.is_some() {
            return Err(TrainError::setting(
                "the model is a sequence classifier, which predicts no tokens",
                "Give the directory of a causal language model",
            ));
        }
        let (seq, new_tokens) = match *self {
            Work::Train { seq, .. } => (seq, 0),
            Work::Decode { seq, new_tokens, .. } | Work::Grpo { seq, new_tokens, .. } => (seq, new_tokens),
        };
        let most = config.max_position_embeddings;
        if seq.saturating_add(new_tokens) > most {
            let sum = if new_tokens > 0 { format!(" and {new_tokens} new ones") } else { String::new() };
            return Err(TrainError::setting(
                format!(
                    "sequences of {seq} tokens{sum} are longer than the model's context of {most} (max_position_embeddings)"
                ),
                format!("Use at most {} with --seq", most.saturating_sub(new_tokens).max(1)),
            ));
        }
        let (fewest, flag, of, number) = match *self {
            Work::Train { batch: 0, .. } | Work::Decode { batch: 0, .. } | Work::Grpo { prompts: 0, .. } => {
                (1, "--batch", "sequences", 0)
            }
            Work::Train { seq, .. } if seq < 2 => (2, "--seq", "tokens, the first of which is not trained on", seq),
            _ if seq < 1 => (1, "--seq", "tokens of a prompt", seq),
            Work::Decode { new_tokens: 0, .. } | Work::Grpo { new_tokens: 0, .. } => {
                (1, "--new-tokens", "tokens of a completion", 0)
            }
            Work::Grpo { group, .. } if group < 2 => (2, "--group", "completions that are compared", group),
            _ => return Ok(()),
        };
        Err(TrainError::setting(format!("{flag} {number}: there must be {of}"), format!("Use at least {fewest}")))
    }
}

/// What to measure, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchSettings {
    /// The work.
    pub work: Work,
    /// Number format of the products.
    pub precision: Precision,
    /// Time that the measured repetitions take together, as far as whole ones allow, in seconds.
    pub seconds: f64,
}

/// Median, smallest and largest of the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let median = (values[(n - 1) / 2] + values[n / 2]) / 2.0;
        Spread { median, min: values[0], max: values[n - 1] }
    }
}

/// A bound on the time of one repetition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// The least time that it takes, in seconds.
    pub seconds: f64,
    /// That over the median of what it took: 1 at the limit.
    pub share: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// `train`, `decode` or `grpo`.
    pub work: &'static str,
    /// Number format of the products: `f32` or `bf16`.
    pub dtype: String,
    /// Parameters of the model.
    pub parameters: usize,
    /// Threads.
    pub threads: usize,
    /// Sequences, or prompts of a GRPO step.
    pub batch: usize,
    /// Completions of each prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// Tokens of each sequence or prompt.
    pub seq: usize,
    /// Tokens of each completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_tokens: Option<usize>,
    /// Repetitions measured, after one that was not.
    pub repeats: usize,
    /// Time of one repetition.
    pub seconds: Spread,
    /// Sampling's part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_seconds: Option<Spread>,
    /// Training's part of it: advantages, loss, backward, optimiser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_seconds: Option<Spread>,
    /// Tokens of one repetition: trained ones, or new ones where completions are sampled.
    pub tokens: usize,
    /// The same per second.
    pub tokens_per_s: Spread,
    /// Operations that one repetition needs (mean).
    pub flops: f64,
    /// The same per second (median).
    pub flops_per_s: f64,
    /// What all threads reach in registers, in the same call.
    pub peak_flops_per_s: f64,
    /// The instructions of that peak.
    pub peak_instructions: &'static str,
    /// `flops_per_s` over `peak_flops_per_s`.
    pub share_of_peak: f64,
    /// Bytes that one repetition has to read: the weights for each step of the batch, and the caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    /// What all threads read from memory, in the same call.
    pub memory_bytes_per_s: f64,
    /// Time of the operations at the peak.
    pub arithmetic_limit: Limit,
    /// Time of the bytes at the memory's bandwidth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<Limit>,
    /// Peak memory of the process, the measurement of the memory's bandwidth excluded.
    pub peak_memory_bytes: u64,
}

/// One repetition.
struct Repetition {
    seconds: f64,
    /// Sampling's part.
    sampling: Option<f64>,
    /// Operations needed.
    flops: f64,
}

/// What stays the same over the repetitions.
struct Size {
    tokens: usize,
    bytes: Option<f64>,
}

/// Measures a work on a model: one repetition to warm up, then as many as fit into the time.
///
/// # Errors
/// [`TrainError::Setting`] for a size that the model cannot run; what the engine cannot run.
pub fn bench(model: &mut Model, settings: &BenchSettings) -> Result<BenchReport, TrainError> {
    let (work, precision) = (settings.work, settings.precision);
    work.check(model.config())?;
    model.set_precision(precision);
    let peak = peak_flops(precision);
    let (size, repetitions) = match work {
        Work::Train { batch, seq } => train::run(model, batch, seq, settings.seconds)?,
        Work::Decode { batch, seq, new_tokens } => decode::run(model, batch, seq, new_tokens, settings.seconds)?,
        Work::Grpo { prompts, group, seq, new_tokens } => {
            grpo::run(model, prompts, group, seq, new_tokens, settings.seconds)?
        }
    };
    let peak_memory = peak_memory_bytes();
    // Again, so that a peak that was disturbed does not flatter the work.
    let peak = peak.max(peak_flops(precision));
    let bandwidth = memory_bandwidth();

    let spread = |value: fn(&Repetition) -> f64| Spread::of(repetitions.iter().map(value));
    let seconds = spread(|r| r.seconds);
    let sampled = repetitions.iter().all(|r| r.sampling.is_some());
    let flops = repetitions.iter().map(|r| r.flops).sum::<f64>() / repetitions.len() as f64;
    let flops_per_s = spread(|r| r.flops / r.seconds).median;
    let limit = |least: f64| Limit { seconds: least, share: least / seconds.median };
    let (batch, seq) = match work {
        Work::Train { batch, seq } | Work::Decode { batch, seq, .. } => (batch, seq),
        Work::Grpo { prompts, seq, .. } => (prompts, seq),
    };
    Ok(BenchReport {
        work: work.name(),
        dtype: precision.to_string(),
        parameters: model.num_params(),
        threads: rayon::current_num_threads(),
        batch,
        group: if let Work::Grpo { group, .. } = work { Some(group) } else { None },
        seq,
        new_tokens: match work {
            Work::Train { .. } => None,
            Work::Decode { new_tokens, .. } | Work::Grpo { new_tokens, .. } => Some(new_tokens),
        },
        repeats: repetitions.len(),
        seconds,
        sampling_seconds: sampled.then(|| spread(|r| r.sampling.unwrap_or(0.0))),
        training_seconds: sampled.then(|| spread(|r| r.seconds - r.sampling.unwrap_or(0.0))),
        tokens: size.tokens,
        tokens_per_s: Spread::of(repetitions.iter().map(|r| size.tokens as f64 / r.seconds)),
        flops,
        flops_per_s,
        peak_flops_per_s: peak,
        peak_instructions: peak_instructions(precision),
        share_of_peak: flops_per_s / peak,
        bytes: size.bytes,
        memory_bytes_per_s: bandwidth,
        arithmetic_limit: limit(flops / peak),
        memory_limit: size.bytes.map(|bytes| limit(bytes / bandwidth)),
        peak_memory_bytes: peak_memory,
    })
}

/// Runs `one` once to warm up, then until `seconds` have passed. It is given the number of the repetition.
fn repeat(
    seconds: f64,
    mut one: impl FnMut(u64) -> Result<Repetition, TrainError>,
) -> Result<Vec<Repetition>, TrainError> {
    let warm = one(0)?;
    let fit = (seconds / warm.seconds.max(1e-9)).round() as usize;
    let started = Instant::now();
    let mut out = Vec::new();
    for number in 1..=fit.clamp(*REPEATS.start(), *REPEATS.end()) as u64 {
        out.push(one(number)?);
        // The warm-up may have been the faster one.
        if out.len() >= *REPEATS.start() && started.elapsed().as_secs_f64() > seconds {
            break;
        }
    }
    Ok(out)
}

/// `count` different sequences of `length` random token ids.
fn random_ids(config: &ModelConfig, key: Key, count: usize, length: usize) -> Vec<Vec<u32>> {
    let vocab = config.vocab_size as u64;
    let sequence = |i| {
        let key = key.fold(i as u64);
        (0..length).map(|t| (key.fold(t as u64).bits() % vocab) as u32).collect()
    };
    (0..count).map(sequence).collect()
}

/// Operations of a forward over `positions` positions that see `attended` keys in sum, with the head at `heads` of them.
fn needed_flops(config: &ModelConfig, positions: usize, attended: u64, heads: usize) -> f64 {
    let head = 2.0 * (config.vocab_size * config.hidden_size) as f64;
    config.forward_flops(positions, attended) + head * (heads as f64 - positions as f64)
}

/// Keys seen, in sum, by the `count` positions from `start` on.
fn attended(start: usize, count: usize) -> u64 {
    let (start, count) = (start as u64, count as u64);
    count * start + count * (count + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let mut config = ModelConfig::small(64, 16, 2, 2, 1, 32);
        config.max_position_embeddings = 32;
        Model::random(config, 3)
    }

    #[test]
    fn a_spread_is_ordered() {
        let spread = Spread::of([3.0, 1.0, 2.0, 10.0].into_iter());
        assert_eq!(spread, Spread { median: 2.5, min: 1.0, max: 10.0 });
    }

    #[test]
    fn keys_seen_add_up() {
        assert_eq!((attended(0, 4), attended(4, 2)), (10, 11));
        assert_eq!(attended(0, 6), attended(0, 4) + attended(4, 2));
    }

    #[test]
    fn the_head_counts_where_it_is_needed() {
        let config = model().config().clone();
        assert_eq!(needed_flops(&config, 9, 45, 9), config.forward_flops(9, 45));
        assert_eq!(needed_flops(&config, 9, 45, 0), config.forward_flops(9, 45) - 2.0 * 9.0 * 64.0 * 16.0);
    }

    #[test]
    fn sizes_that_the_model_cannot_run_are_named() {
        let refused =
            |work: Work| match bench(&mut model(), &BenchSettings { work, precision: Precision::F32, seconds: 0.0 }) {
                Err(error) => error.to_string(),
                Ok(report) => panic!("{report:?}"),
            };
        for (work, parts) in [
            (Work::Train { batch: 1, seq: 33 }, ["33 tokens", "context of 32", "at most 32"]),
            (Work::Decode { batch: 1, seq: 30, new_tokens: 8 }, ["30 tokens", "8 new", "at most 24"]),
            (Work::Train { batch: 0, seq: 3 }, ["--batch 0", "sequences", "at least 1"]),
            (Work::Train { batch: 1, seq: 1 }, ["--seq 1", "tokens", "at least 2"]),
            (Work::Decode { batch: 1, seq: 0, new_tokens: 8 }, ["--seq 0", "prompt", "at least 1"]),
            (Work::Grpo { prompts: 1, group: 1, seq: 2, new_tokens: 8 }, ["--group 1", "compared", "at least 2"]),
        ] {
            let error = refused(work);
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in {error}");
            }
        }
    }

    #[test]
    fn reports_are_consistent() {
        for work in [
            Work::Train { batch: 2, seq: 9 },
            Work::Decode { batch: 3, seq: 4, new_tokens: 5 },
            Work::Grpo { prompts: 2, group: 4, seq: 4, new_tokens: 5 },
        ] {
            let report = bench(&mut model(), &BenchSettings { work, precision: Precision::F32, seconds: 0.0 }).unwrap();
            let Spread { median, min, max } = report.seconds;
            assert!(0.0 < min && min <= median && median <= max, "{report:?}");
            assert!((report.arithmetic_limit.seconds - report.flops / report.peak_flops_per_s).abs() < 1e-12);
            assert_eq!(report.memory_limit.is_some(), work.name() == "decode");
            assert_eq!(report.sampling_seconds.is_some(), work.name() == "grpo");
            assert_eq!(
                report.tokens,
                match work {
                    Work::Train { .. } => 18,
                    Work::Decode { .. } => 15,
                    Work::Grpo { .. } => 40,
                }
            );
        }
    }
}
