//! Steps of supervised fine-tuning, reward modelling and DPO, of all weights and of LoRA adapters, follow PyTorch,
//! transformers and PEFT in f32: losses and gradient norms to 1e-3 relative, and the models they end with.
//! `tools/fixtures/training_steps.py` made the reference.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use temper_engine::{AdamW, AdamWConfig, Grads, Model, Packed, TokenGrads};
use temper_train::algorithms::dpo::{Completion, dpo};
use temper_train::algorithms::reward::{Objective, bradley_terry};
use temper_train::algorithms::sft::nll;

/// Largest relative difference of a loss or a gradient norm.
const TOLERANCE: f64 = 1e-3;
/// Largest absolute difference of a log-probability or reward after the last step.
const PROBE: f64 = 1e-3;

#[derive(Deserialize)]
struct Reference {
    model: String,
    loss: String,
    beta: f64,
    adamw: BTreeMap<String, f64>,
    lora: bool,
    steps: Vec<Step>,
    probe: Vec<Probe>,
}

#[derive(Deserialize)]
struct Step {
    lr: f64,
    rows: Vec<Row>,
    loss: f64,
    grad_norm: f64,
}

/// Token ids and the position of the first target.
#[derive(Deserialize)]
struct Row(Vec<u32>, usize);

#[derive(Deserialize)]
struct Probe {
    ids: Vec<u32>,
    #[serde(default)]
    logprobs: Vec<f64>,
    #[serde(default)]
    rewards: Vec<f64>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../temper-engine/tests/fixtures")
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

/// The loss of a step; adds its gradient to `grads`.
struct Loss<'a> {
    kind: &'a str,
    beta: f64,
    /// The reference of a run that trains all weights; an adapter's is the model with the adapter off.
    reference: Option<&'a Model>,
}

impl Loss<'_> {
    fn backprop(&self, model: &Model, rows: &[Row], grads: &mut Grads) -> f64 {
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.0.as_slice()).collect();
        let batch = Packed::new(&ids);
        let mut select = vec![false; batch.len()];
        for (segment, row) in rows.iter().enumerate() {
            select[batch.range(segment)][row.1..].fill(true);
        }
        match self.kind {
            "sft" => self.sft(model, &batch, &select, grads),
            "dpo" => self.dpo(model, &batch, &select, grads),
            "reward" => self.reward(model, &batch, grads),
            other => panic!("{other}"),
        }
    }

    fn sft(&self, model: &Model, batch: &Packed, select: &[bool], grads: &mut Grads) -> f64 {
        let weights: Vec<f64> = select.iter().map(|s| f64::from(u8::from(*s))).collect();
        let mut loss = 0.0;
        model.backprop(batch, 1.0, select, grads, |stats| {
            let out = nll(&wide(&stats.logprobs), &weights, weights.iter().sum());
            loss = out.loss;
            TokenGrads { logprobs: narrow(&out.grad), entropy: None }
        });
        loss
    }

    fn dpo(&self, model: &Model, batch: &Packed, select: &[bool], grads: &mut Grads) -> f64 {
        let reference = match self.reference {
            Some(reference) => reference.score(batch, 1.0, select),
            None => model.score_base(batch, 1.0, select),
        };
        let (reference, pairs) = (wide(&reference.logprobs), batch.segments() / 2);
        let mut loss = 0.0;
        model.backprop(batch, 1.0, select, grads, |stats| {
            let logprobs = wide(&stats.logprobs);
            let completion = |segment: usize| {
                let range = batch.range(segment);
                Completion {
                    logprobs: &logprobs[range.clone()],
                    ref_logprobs: &reference[range.clone()],
                    mask: &select[range],
                }
            };
            let mut derivatives = Vec::new();
            for pair in 0..pairs {
                let out = dpo(&completion(2 * pair), &completion(2 * pair + 1), self.beta, 1.0 / pairs as f64);
                loss += out.chosen.loss + out.rejected.loss;
                derivatives.extend([out.chosen.grad, out.rejected.grad].concat());
            }
            TokenGrads { logprobs: narrow(&derivatives), entropy: None }
        });
        loss
    }

    fn reward(&self, model: &Model, batch: &Packed, grads: &mut Grads) -> f64 {
        let weight = 2.0 / batch.segments() as f64;
        let mut loss = 0.0;
        model.backprop_rewards(batch, grads, |rewards| {
            let pairs = wide(rewards);
            let pairs = pairs.as_chunks::<2>().0.iter();
            let outs: Vec<_> = pairs.map(|[c, r]| bradley_terry(*c, *r, 0.0, &Objective::default(), weight)).collect();
            loss = outs.iter().map(|out| out.loss).sum();
            outs.iter().flat_map(|out| narrow(&[out.chosen_grad, out.rejected_grad])).collect()
        });
        loss
    }
}

/// Runs the steps of a case and compares; the model it ends with.
fn follow(case: &str, prepare: impl Fn(&mut Model)) -> Model {
    let file = fixtures().join("steps").join(format!("{case}.json"));
    let reference: Reference = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let base = Model::load(&fixtures().join(&reference.model)).unwrap();
    let mut model = base.clone();
    if reference.lora {
        model.load_adapter(&fixtures().join("steps").join(case).join("start")).unwrap();
    }
    prepare(&mut model);
    let setting = |key: &str| reference.adamw[key];
    let config = AdamWConfig {
        beta1: setting("beta1"),
        beta2: setting("beta2"),
        eps: setting("eps"),
        weight_decay: setting("weight_decay"),
        ..AdamWConfig::default()
    };
    let loss = Loss { kind: &reference.loss, beta: reference.beta, reference: (!reference.lora).then_some(&base) };
    let mut optimiser = AdamW::new(&model, config);
    let mut grads = Grads::zeros(&model);
    let mut worst: f64 = 0.0;
    for (number, step) in reference.steps.iter().enumerate() {
        grads.zero();
        let found = loss.backprop(&model, &step.rows, &mut grads);
        let norm = optimiser.step(&mut model, &grads, step.lr, Some(setting("max_grad_norm"))).unwrap();
        for (what, found, expected) in [("loss", found, step.loss), ("gradient norm", norm, step.grad_norm)] {
            let error = (found - expected).abs() / expected;
            assert!(error < TOLERANCE, "{case}, step {number}: {what} {found}, PyTorch {expected} ({error:.1e})");
            worst = worst.max(error);
        }
    }
    let end = probe(&model, &reference.probe);
    assert!(end < PROBE, "{case}: after the last step {end:.1e}");
    println!("{case}: losses and gradient norms of {} steps {worst:.1e}, end {end:.1e}", reference.steps.len());
    model
}

/// Largest difference of the probes' log-probabilities or rewards.
fn probe(model: &Model, probes: &[Probe]) -> f64 {
    let mut worst: f64 = 0.0;
    for probe in probes {
        let batch = Packed::new(&[&probe.ids]);
        let (found, expected) = if probe.rewards.is_empty() {
            let mut select = vec![true; batch.len()];
            select[0] = false;
            (model.score(&batch, 1.0, &select).logprobs[1..].to_vec(), &probe.logprobs)
        } else {
            (model.rewards(&batch), &probe.rewards)
        };
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            worst = worst.max((f64::from(*found) - expected).abs());
        }
    }
    worst
}

#[test]
fn supervised_fine_tuning() {
    for case in ["sft-qwen3", "sft-qwen2", "sft-llama"] {
        follow(case, |_| {});
    }
}

#[test]
fn supervised_fine_tuning_of_adapters() {
    for case in ["sft-lora-qwen3", "sft-lora-qwen2", "sft-lora-llama"] {
        let model = follow(case, |_| {});
        ends_like_peft(case, model);
    }
}

#[test]
fn reward_models() {
    for case in ["reward-qwen3", "reward-mistral"] {
        follow(case, |_| {});
    }
}

#[test]
fn reward_models_with_adapters() {
    for case in ["reward-lora-qwen3", "reward-lora-mistral"] {
        let model = follow(case, |_| {});
        ends_like_peft(case, model);
    }
}

#[test]
fn direct_preference_optimisation() {
    for case in ["dpo-qwen3", "dpo-llama"] {
        follow(case, |_| {});
    }
}

#[test]
fn direct_preference_optimisation_of_adapters() {
    for case in ["dpo-lora-qwen3", "dpo-lora-qwen2"] {
        let model = follow(case, |_| {});
        ends_like_peft(case, model);
    }
}

#[test]
fn activation_checkpointing_follows_too() {
    for case in ["sft-qwen3", "sft-lora-llama", "reward-lora-qwen3", "dpo-lora-qwen2"] {
        follow(case, |model| model.set_checkpointing(true));
    }
}

/// The trained adapter is near PEFT's, and PEFT's, loaded and merged, gives the probes' numbers.
fn ends_like_peft(case: &str, model: Model) {
    let file = fixtures().join("steps").join(format!("{case}.json"));
    let reference: Reference = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut theirs = Model::load(&fixtures().join(&reference.model)).unwrap();
    theirs.load_adapter(&fixtures().join("steps").join(case).join("end")).unwrap();
    let far = model.trainable().iter().zip(theirs.trainable()).filter(|(x, y)| (*x - *y).abs() > 1e-3).count();
    assert!(far * 100 <= model.trainable().len(), "{case}: {far} of {} differ", model.trainable().len());
    for (model, what) in [(&mut theirs, "loaded"), (&mut model.clone(), "trained")] {
        let on = probe(model, &reference.probe);
        model.merge_adapter();
        assert!(model.adapter().is_none());
        let merged = probe(model, &reference.probe);
        let tolerance = if what == "loaded" { 2e-4 } else { PROBE };
        assert!(on < tolerance && merged < tolerance, "{case}, {what}: {on:.1e}, merged {merged:.1e}");
    }
}
