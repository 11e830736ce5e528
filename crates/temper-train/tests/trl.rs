//! Losses and advantages compared with the numbers of TRL's trainers (`tools/fixtures/trl_losses.py`).

#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use temper_train::algorithms::advantage::{Scale, advantages, mean_std, weighted_reward, zero_spread};
use temper_train::algorithms::dpo;
use temper_train::algorithms::grpo::{Completion, Objective, Reduction, StepTotals, grpo};
use temper_train::algorithms::reward::{self, bradley_terry};
use temper_train::algorithms::sft::nll;

#[derive(Deserialize)]
struct Fixture {
    grpo: Vec<GrpoCase>,
    advantages: Vec<AdvantageCase>,
    sft: Vec<SftCase>,
    dpo: Vec<DpoCase>,
    reward: Vec<RewardCase>,
}

#[derive(Deserialize)]
struct DpoCase {
    beta: f64,
    pairs: Vec<[DpoCompletion; 2]>,
    loss: f64,
    grad: Vec<[Vec<f64>; 2]>,
    chosen_reward: f64,
    rejected_reward: f64,
    accuracy: f64,
}

#[derive(Deserialize)]
struct DpoCompletion {
    mask: Vec<u8>,
    logprobs: Vec<f64>,
    r#ref: Vec<f64>,
}

#[derive(Deserialize)]
struct RewardCase {
    center: f64,
    pairs: Vec<RewardPair>,
    loss: f64,
    grad: Vec<[f64; 2]>,
    accuracy: f64,
}

#[derive(Deserialize)]
struct RewardPair {
    chosen: f64,
    rejected: f64,
    margin: f64,
}

#[derive(Deserialize)]
struct GrpoCase {
    loss_type: String,
    beta: f64,
    bias_correction: bool,
    epsilon: f64,
    epsilon_high: f64,
    max_completion_length: usize,
    completions: Vec<CompletionCase>,
    loss: f64,
    grad: Vec<Vec<f64>>,
    clip_low_mean: Option<f64>,
    clip_high_mean: Option<f64>,
    kl: Option<f64>,
}

#[derive(Deserialize)]
struct CompletionCase {
    advantage: f64,
    mask: Vec<u8>,
    logprobs: Vec<f64>,
    old: Vec<f64>,
    r#ref: Vec<f64>,
}

#[derive(Deserialize)]
struct AdvantageCase {
    name: String,
    scale: String,
    group_size: usize,
    weights: Vec<f64>,
    rewards: Vec<Vec<Option<f64>>>,
    advantages: Vec<f64>,
    reward: f64,
    reward_std: f64,
    frac_reward_zero_std: f64,
}

#[derive(Deserialize)]
struct SftCase {
    sequences: Vec<SftSequence>,
    normaliser: f64,
    loss: f64,
}

#[derive(Deserialize)]
struct SftSequence {
    logprobs: Vec<f64>,
    mask: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/trl_losses.json")).unwrap()
}

#[track_caller]
fn close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= 1e-5, "{what}: {a}, TRL {b}");
}

#[test]
fn grpo_losses_and_gradients() {
    let cases = fixture().grpo;
    assert_eq!(cases.len(), 27);
    for (at, case) in cases.iter().enumerate() {
        let what = format!("case {at} ({}, beta {})", case.loss_type, case.beta);
        let reduction = match case.loss_type.as_str() {
            "grpo" => Reduction::Grpo,
            "dr_grpo" => Reduction::DrGrpo,
            _ => Reduction::Dapo,
        };
        let objective = Objective {
            epsilon_low: case.epsilon,
            epsilon_high: case.epsilon_high,
            beta: case.beta,
            bias_correction: case.bias_correction,
        };
        let trainable = |c: &CompletionCase| c.mask.iter().map(|m| usize::from(*m)).sum::<usize>();
        let totals = StepTotals {
            completions: case.completions.len(),
            tokens: case.completions.iter().map(trainable).sum(),
            max_completion_length: case.max_completion_length,
        };
        let (mut loss, mut low, mut high, mut kl) = (0.0, 0, 0, 0.0);
        for (c, grad) in case.completions.iter().zip(&case.grad) {
            let mask: Vec<bool> = c.mask.iter().map(|m| *m == 1).collect();
            let completion = Completion {
                logprobs: &c.logprobs,
                old_logprobs: &c.old,
                ref_logprobs: Some(&c.r#ref),
                mask: &mask,
                advantage: c.advantage,
            };
            let out = grpo(&completion, &objective, reduction.weight(&totals, trainable(c)));
            loss += out.token_loss.loss;
            (low, high, kl) = (low + out.clipped_low, high + out.clipped_high, kl + out.kl_sum);
            for (a, b) in out.token_loss.grad.iter().zip(grad) {
                close(*a, *b, &format!("{what}: gradient"));
            }
        }
        close(loss, case.loss, &what);
        let tokens = totals.tokens as f64;
        for (ours, theirs) in [(low as f64, case.clip_low_mean), (high as f64, case.clip_high_mean), (kl, case.kl)] {
            if let Some(theirs) = theirs {
                close(ours / tokens, theirs, &format!("{what}: logged mean"));
            }
        }
    }
}

#[test]
fn advantages_and_reward_statistics() {
    for case in fixture().advantages {
        let what = format!("{} ({})", case.name, case.scale);
        let scale = match case.scale.as_str() {
            "group" => Scale::Group,
            "batch" => Scale::Batch,
            _ => Scale::None,
        };
        let rewards: Vec<Option<f64>> = case.rewards.iter().map(|r| weighted_reward(r, &case.weights)).collect();
        for (a, b) in advantages(&rewards, case.group_size, scale).iter().zip(&case.advantages) {
            close(*a, *b, &what);
        }
        let (mean, std) = mean_std(&rewards);
        close(mean.unwrap(), case.reward, &format!("{what}: mean"));
        close(std.unwrap(), case.reward_std, &format!("{what}: std"));
        // TRL logs the batch's spread under `batch`, and does not count groups of one scorable completion.
        if scale != Scale::Batch && case.name != "one scorable" {
            let groups: Vec<_> = rewards.chunks(case.group_size).collect();
            let flat = groups.iter().filter(|g| zero_spread(g)).count() as f64 / groups.len() as f64;
            close(flat, case.frac_reward_zero_std, &format!("{what}: zero spread"));
        }
    }
}

#[test]
fn sft_loss() {
    for case in fixture().sft {
        let loss: f64 = case.sequences.iter().map(|s| nll(&s.logprobs, &s.mask, case.normaliser).loss).sum();
        close(loss, case.loss, "sft");
    }
}

#[test]
fn dpo_losses_and_gradients() {
    let cases = fixture().dpo;
    assert_eq!(cases.len(), 4);
    for (at, case) in cases.iter().enumerate() {
        let what = format!("dpo {at}");
        let n = case.pairs.len() as f64;
        let (mut loss, mut chosen, mut rejected, mut correct) = (0.0, 0.0, 0.0, 0.0);
        for (pair, grad) in case.pairs.iter().zip(&case.grad) {
            let masks = pair.each_ref().map(|c| c.mask.iter().map(|m| *m == 1).collect::<Vec<bool>>());
            let side = |i: usize| dpo::Completion {
                logprobs: &pair[i].logprobs,
                ref_logprobs: &pair[i].r#ref,
                mask: &masks[i],
            };
            let out = dpo::dpo(&side(0), &side(1), case.beta, 1.0 / n);
            loss += out.chosen.loss + out.rejected.loss;
            chosen += out.chosen_reward / n;
            rejected += out.rejected_reward / n;
            correct += f64::from(u8::from(out.chosen_reward > out.rejected_reward)) / n;
            for (ours, (theirs, mask)) in [out.chosen.grad, out.rejected.grad].iter().zip(grad.iter().zip(&masks)) {
                for ((a, b), counts) in ours.iter().zip(theirs).zip(mask) {
                    // TRL's model gives 0 for masked tokens.
                    close(*a, if *counts { *b } else { 0.0 }, &format!("{what}: gradient"));
                }
            }
        }
        close(loss, case.loss, &what);
        close(chosen, case.chosen_reward, &format!("{what}: chosen"));
        close(rejected, case.rejected_reward, &format!("{what}: rejected"));
        close(correct, case.accuracy, &format!("{what}: accuracy"));
    }
}

#[test]
fn reward_losses_and_gradients() {
    let cases = fixture().reward;
    assert_eq!(cases.len(), 4);
    for (at, case) in cases.iter().enumerate() {
        let what = format!("reward {at}");
        let n = case.pairs.len() as f64;
        let objective = reward::Objective { center: case.center };
        let (mut loss, mut correct) = (0.0, 0.0);
        for (pair, grad) in case.pairs.iter().zip(&case.grad) {
            let out = bradley_terry(pair.chosen, pair.rejected, pair.margin, &objective, 1.0 / n);
            loss += out.loss;
            correct += f64::from(u8::from(out.correct)) / n;
            close(out.chosen_grad, grad[0], &format!("{what}: chosen"));
            close(out.rejected_grad, grad[1], &format!("{what}: rejected"));
        }
        close(loss, case.loss, &what);
        close(correct, case.accuracy, &format!("{what}: accuracy"));
    }
}
