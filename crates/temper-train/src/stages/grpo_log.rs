//! What GRPO logs: metrics under TRL's names, and completions.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use temper_data::Row;
use temper_recipe::Grpo;

use super::grpo::Round;
use crate::TrainError;
use crate::algorithms::advantage::{mean_std, zero_spread};
use crate::algorithms::grpo::GrpoLoss;
use crate::metrics::Record;
use crate::trainer::Trainer;

/// Name of the count of prompt and completion tokens.
pub(super) const TOKENS: &str = "num_tokens";
/// Name of the count of steps that were not on-policy although the weights were those that sampled.
pub(super) const MISMATCHES: &str = "sampling/mismatched_steps";

/// Name of the count of completions a reward could not judge.
pub(super) fn unscored(reward: &str) -> String {
    format!("rewards/{reward}/unscored")
}

/// Name of the count of completions a reward broke on.
pub(super) fn errors(reward: &str) -> String {
    format!("rewards/{reward}/errors")
}

/// What an optimizer step said about its tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct StepLog {
    /// Trainable tokens of the round, those without gradient included.
    tokens: usize,
    has_reference: bool,
    /// Sum of the KL estimates.
    pub kl_sum: f64,
    /// Largest difference between trained and sampled log-probabilities.
    pub difference_max: f64,
    difference_sum: f64,
    compared: usize,
    ratio: (f64, f64, f64),
    clipped: (usize, usize),
    low_min: Option<f64>,
    high_max: Option<f64>,
}

impl StepLog {
    /// Nothing yet.
    pub fn new(tokens: usize, has_reference: bool) -> Self {
        Self { tokens, has_reference, ratio: (f64::INFINITY, 0.0, f64::NEG_INFINITY), ..Self::default() }
    }

    /// Adds one completion.
    pub fn add(&mut self, logprobs: &[f64], old: &[f64], out: &GrpoLoss) {
        for (new, old) in logprobs.iter().zip(old) {
            let (difference, ratio) = ((new - old).abs(), (new - old).exp());
            self.difference_max = self.difference_max.max(difference);
            self.difference_sum += difference;
            self.ratio = (self.ratio.0.min(ratio), self.ratio.1 + ratio, self.ratio.2.max(ratio));
            self.compared += 1;
        }
        self.kl_sum += out.kl_sum;
        self.clipped = (self.clipped.0 + out.clipped_low, self.clipped.1 + out.clipped_high);
        if out.tokens > 0 {
            let share = |n: usize| n as f64 / out.tokens as f64;
            let (low, high) = (share(out.clipped_low), share(out.clipped_high));
            self.low_min = Some(self.low_min.map_or(low, |m| m.min(low)));
            self.high_max = Some(self.high_max.map_or(high, |m| m.max(high)));
        }
    }
}

/// Sets the metrics of a step.
pub(super) fn fill(record: &mut Record, spec: &Grpo, ranges: &[Option<(f64, f64)>], round: &Round, log: &StepLog) {
    let mean = |sum: f64, n: usize| (n > 0).then(|| sum / n as f64);
    if log.has_reference {
        record.put("kl", mean(log.kl_sum, log.tokens));
    }
    let (low, high) = log.clipped;
    record.put("clip_ratio/low_mean", mean(low as f64, log.tokens));
    record.put("clip_ratio/low_min", log.low_min);
    record.put("clip_ratio/high_mean", mean(high as f64, log.tokens));
    record.put("clip_ratio/high_max", log.high_max);
    record.put("clip_ratio/region_mean", mean((low + high) as f64, log.tokens));
    record.put("sampling/sampling_logp_difference/mean", mean(log.difference_sum, log.compared));
    record.put("sampling/sampling_logp_difference/max", (log.compared > 0).then_some(log.difference_max));
    record.put("sampling/importance_sampling_ratio/min", log.ratio.0);
    record.put("sampling/importance_sampling_ratio/mean", mean(log.ratio.1, log.compared));
    record.put("sampling/importance_sampling_ratio/max", log.ratio.2);
    lengths(record, round);
    for (reward, column) in spec.rewards.iter().zip(&round.columns) {
        let (mean, std) = mean_std(&column.values);
        record.put(format!("rewards/{}/mean", reward.scorer), mean);
        record.put(format!("rewards/{}/std", reward.scorer), std);
        if column.unscored + column.errors > 0 {
            record.count(unscored(&reward.scorer), column.unscored as u64);
            record.count(errors(&reward.scorer), column.errors as u64);
        }
    }
    let (reward, std) = mean_std(&round.rewards);
    record.put("reward", reward);
    record.put("reward_std", std);
    let (flat, right) = flat_groups(spec, ranges, round);
    let groups = round.rewards.len().div_ceil(spec.completions_per_prompt.max(1)).max(1) as f64;
    record.put("frac_reward_zero_std", flat as f64 / groups);
    record.put("frac_groups_all_right", right as f64 / groups);
    record.put("frac_groups_all_wrong", (flat - right) as f64 / groups);
    record.put("frac_completions_without_gradient", 1.0 - round.trained() as f64 / round.rewards.len().max(1) as f64);
}

fn lengths(record: &mut Record, round: &Round) {
    let rollouts = &round.batch.rollouts;
    for (name, terminated) in [("length", false), ("terminated_length", true)] {
        let of = rollouts.iter().filter(|r| !terminated || !r.truncated()).map(|r| r.tokens());
        let n = of.clone().count();
        record.put(format!("completions/mean_{name}"), (n > 0).then(|| of.clone().sum::<usize>() as f64 / n as f64));
        record.put(format!("completions/min_{name}"), of.clone().min().map(|v| v as f64));
        record.put(format!("completions/max_{name}"), of.max().map(|v| v as f64));
    }
    let truncated = rollouts.iter().filter(|r| r.truncated()).count();
    record.put("completions/clipped_ratio", truncated as f64 / rollouts.len().max(1) as f64);
}

/// Groups whose rewards do not differ, and those of them that lie above the middle of what the rewards can be. A reward
/// without a named range counts as one between 0 and 1.
fn flat_groups(spec: &Grpo, ranges: &[Option<(f64, f64)>], round: &Round) -> (usize, usize) {
    let size = spec.completions_per_prompt.max(1);
    let (mut flat, mut right) = (0, 0);
    for (g, group) in round.rewards.chunks(size).enumerate() {
        if !zero_spread(group) {
            continue;
        }
        flat += 1;
        let (Some(mean), first) = (mean_std(group).0, g * size) else { continue };
        let middle: f64 = spec
            .rewards
            .iter()
            .zip(ranges)
            .zip(&round.columns)
            .filter(|(_, column)| column.values[first..first + group.len()].iter().any(Option::is_some))
            .map(|((reward, range), _)| range.map_or(0.5, |(low, high)| 0.5 * (low + high)) * reward.weight)
            .sum();
        right += usize::from(mean > middle);
    }
    (flat, right)
}

/// Writes the completions of a round to `completions/step-NNNNN.jsonl`, one object per completion.
pub(super) fn write_completions(
    trainer: &mut Trainer,
    spec: &Grpo,
    rows: &[Row],
    round: &Round,
) -> Result<(), TrainError> {
    let (dir, step) = (trainer.ctx.dir.join("completions"), trainer.at.step);
    fs::create_dir_all(&dir).map_err(TrainError::io(&dir, "create"))?;
    let mut text = String::new();
    for (i, rollout) in round.batch.rollouts.iter().enumerate() {
        let row = &rows[rollout.row];
        let rewards: Map<String, Value> = spec
            .rewards
            .iter()
            .zip(&round.columns)
            .map(|(reward, column)| (reward.scorer.clone(), json!(column.values[i])))
            .collect();
        let line = json!({
            "step": step,
            "group": i / spec.completions_per_prompt.max(1),
            "id": row.id,
            "row": row.place(),
            "prompt": row.prompt.display(),
            "completion": rollout.text,
            "rewards": rewards,
            "reward": round.rewards[i],
            "advantage": round.advantages[i],
            "finish": if rollout.truncated() { "length" } else { "stop" },
            "tokens": rollout.tokens(),
            "weights": round.batch.weights,
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    write_beside(&dir.join(format!("step-{step:05}.jsonl")), &text)
}

/// Writes a file beside its place and renames it there.
pub(super) fn write_beside(path: &Path, text: &str) -> Result<(), TrainError> {
    let beside = path.with_extension("next");
    fs::write(&beside, text).map_err(TrainError::io(&beside, "write"))?;
    fs::rename(&beside, path).map_err(TrainError::io(path, "write"))
}

/// What a reader of the report should know about the rewards.
pub(super) fn notes(trainer: &Trainer, spec: &Grpo) -> Vec<String> {
    let mut notes = Vec::new();
    match trainer.counted(MISMATCHES) {
        0 => {}
        n => notes.push(format!("in {n} steps sampled and trained log-probabilities differed; please report this")),
    }
    for reward in &spec.rewards {
        let (errors, unscored) = (trainer.counted(&errors(&reward.scorer)), trainer.counted(&unscored(&reward.scorer)));
        if errors + unscored > 0 {
            notes.push(format!(
                "reward {}: {errors} completions on which it failed and {unscored} it could not judge; they had no such reward",
                reward.scorer
            ));
        }
    }
    notes
}
