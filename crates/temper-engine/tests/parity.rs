//! The engine's numbers against those of transformers (eager attention, float32) on tiny models of every family.
//! `tools/fixtures/engine_models.py` made the reference.

mod common;

use common::{MODELS, batch, load};
use temper_engine::{AdamW, AdamWConfig, Grads, Model, Packed, SamplingParams, TokenGrads, TokenStats};

/// Largest difference of a log-probability that counts as agreement.
const TOLERANCE: f64 = 2e-4;

/// Largest absolute difference; `None` in the reference is a first token, where the engine says 0.
fn difference(found: &[f32], expected: impl Iterator<Item = Option<f64>>) -> f64 {
    let mut worst: f64 = 0.0;
    let mut count = 0;
    for (&found, expected) in found.iter().zip(expected) {
        worst = worst.max((f64::from(found) - expected.unwrap_or(0.0)).abs());
        count += 1;
    }
    assert_eq!(count, found.len());
    worst
}

#[test]
fn logprobs_and_entropy_agree_with_transformers() {
    for name in MODELS {
        let (model, reference) = load(name);
        let (batch, select) = batch(&reference);
        let plain = model.score(&batch, 1.0, &select);
        let tempered = model.score(&batch, reference.temperature, &select);
        let all = || reference.sequences.iter();
        let found = [
            difference(&plain.logprobs, all().flat_map(|s| s.logprobs.iter().copied())),
            difference(&tempered.logprobs, all().flat_map(|s| s.logprobs_tempered.iter().copied())),
            difference(&plain.entropy, all().flat_map(|s| s.entropy.iter().copied())),
        ];
        println!("{name}: log-prob {:.1e}, tempered {:.1e}, entropy {:.1e}", found[0], found[1], found[2]);
        assert!(found.iter().all(|d| *d < TOLERANCE), "{name}: {found:?}");
    }
}

#[test]
fn a_sequence_alone_scores_the_same_bits_as_in_a_batch() {
    for name in MODELS {
        let (model, reference) = load(name);
        let (batch, select) = batch(&reference);
        let together = model.score(&batch, 1.0, &select);
        for (number, sequence) in reference.sequences.iter().enumerate() {
            let alone = model.score(&Packed::new(&[&sequence.ids]), 1.0, &vec![true; sequence.ids.len()]);
            assert_eq!(alone.logprobs, together.logprobs[batch.range(number)], "{name}");
            assert_eq!(alone.entropy, together.entropy[batch.range(number)], "{name}");
        }
    }
}

#[test]
fn greedy_decoding_agrees_with_transformers() {
    for name in MODELS {
        let (model, reference) = load(name);
        for expected in &reference.greedy {
            let params =
                SamplingParams { temperature: 0.0, max_new_tokens: expected.ids.len(), ..SamplingParams::default() };
            let request =
                temper_engine::Request { prompt: expected.prompt.clone(), keys: vec![temper_engine::Key::new(0)] };
            let found =
                temper_engine::generate(&model, &[request], &params, &mut |_| true).unwrap().remove(0).remove(0);
            assert_eq!(found.ids, expected.ids, "{name}");
            let worst = difference(&found.logprobs, expected.logprobs.iter().map(|&x| Some(x)));
            assert!(worst < TOLERANCE, "{name}: {worst}");
        }
    }
}

/// Mean negative log-likelihood and its derivative.
fn nll(stats: &TokenStats<f32>, select: &[bool], loss: &mut f64) -> TokenGrads<f32> {
    let count = select.iter().filter(|s| **s).count() as f64;
    *loss = -stats.logprobs.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let grad = |&s: &bool| if s { (-1.0 / count) as f32 } else { 0.0 };
    TokenGrads { logprobs: select.iter().map(grad).collect(), entropy: None }
}

fn loss_and_gradient(model: &Model, batch: &Packed, select: &[bool], grads: &mut Grads) -> f64 {
    let mut loss = 0.0;
    grads.zero();
    model.backprop(batch, 1.0, select, grads, |stats| nll(stats, select, &mut loss));
    loss
}

#[test]
fn gradients_agree_with_autograd() {
    for name in MODELS {
        let (model, reference) = load(name);
        let (batch, select) = batch(&reference);
        let mut grads = Grads::zeros(&model);
        let expected = &reference.training;
        let loss = loss_and_gradient(&model, &batch, &select, &mut grads);
        assert!((loss - expected.loss).abs() < 1e-4 * expected.loss, "{name}: loss {loss}, {}", expected.loss);
        let norm_error = (grads.norm() - expected.grad_norm).abs() / expected.grad_norm;
        assert!(norm_error < 1e-4, "{name}: {norm_error:.1e}");
        assert_eq!(model.tensors().len(), expected.tensors.len(), "{name}");
        let mut worst: f64 = 0.0;
        for tensor in model.tensors() {
            let [norm, projection] = expected.tensors[&tensor.name];
            let gradient = &grads.as_slice()[tensor.range.clone()];
            let values = || gradient.iter().map(|&g| f64::from(g));
            let found_norm = values().map(|g| g * g).sum::<f64>().sqrt();
            let found_projection: f64 = values().enumerate().map(|(i, g)| g * (i as f64).cos()).sum();
            // The projection may cancel; its scale is the norm. A key bias has no gradient but rounding: a constant
            // added to all scores of a query changes nothing.
            let scale = norm.max(1e-4 * expected.grad_norm);
            let error = ((found_norm - norm).abs() / scale).max((found_projection - projection).abs() / scale);
            assert!(error < 1e-3, "{name} {}: {error:.1e}, norm {norm:.3e}", tensor.name);
            worst = worst.max(error);
        }
        println!("{name}: gradient norm {norm_error:.1e}, worst tensor {worst:.1e}");
    }
}

#[test]
fn training_agrees_with_torch() {
    for name in MODELS {
        let (mut model, reference) = load(name);
        let (batch, select) = batch(&reference);
        let expected = &reference.training;
        let setting = |key: &str| expected.adamw[key];
        let config = AdamWConfig {
            beta1: setting("beta1"),
            beta2: setting("beta2"),
            eps: setting("eps"),
            weight_decay: setting("weight_decay"),
            ..AdamWConfig::default()
        };
        let mut optimizer = AdamW::new(&model, config);
        let mut grads = Grads::zeros(&model);
        let mut worst: f64 = 0.0;
        for (loss_expected, norm_expected) in expected.losses.iter().zip(&expected.grad_norms) {
            let loss = loss_and_gradient(&model, &batch, &select, &mut grads);
            let norm = optimizer.step(&mut model, &grads, setting("lr"), Some(setting("max_grad_norm"))).unwrap();
            let errors = [(loss - loss_expected).abs() / loss_expected, (norm - norm_expected).abs() / norm_expected];
            assert!(errors.iter().all(|e| *e < 1e-3), "{name}: {errors:?}");
            worst = worst.max(errors[0]).max(errors[1]);
        }
        println!("{name}: losses and gradient norms of {} steps {worst:.1e}", expected.losses.len());
    }
}
