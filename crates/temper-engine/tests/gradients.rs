//! The gradient of the whole model against central finite differences in f64.

use temper_engine::{
    Arch, AttentionBias, Grads, Key, LoraConfig, Model, ModelConfig, Packed, Precision, Projection, RopeScaling,
    TokenGrads, TokenStats,
};

fn tiny(arch: Arch) -> ModelConfig {
    let mut config = ModelConfig::small(37, 24, 2, 4, 2, 20);
    config.arch = arch;
    config.head_dim = 6;
    config.qk_norm = arch == Arch::Qwen3;
    config.attention_bias = AttentionBias { qkv: arch == Arch::Qwen2, o: false };
    config.rope.theta = 100.0;
    config
}

/// Weights large enough that every nonlinearity matters; norms and biases random too.
fn model(config: ModelConfig, seed: u64) -> Model<f64> {
    let mut model = Model::<f64>::random(config, seed);
    let key = Key::new(seed).fold_str("test");
    let tensors = model.tensors().to_vec();
    let params = model.params_mut();
    for tensor in tensors {
        let norm = tensor.name.ends_with("norm.weight");
        for i in tensor.range {
            let x = key.fold(i as u64).normal();
            params[i] = if norm { 1.0 + 0.3 * x } else { 0.4 * x };
        }
    }
    model
}

fn batch(vocab: u32) -> Packed {
    let key = Key::new(99);
    let sequence = |i: u64, n: u64| -> Vec<u32> {
        (0..n).map(|t| (key.fold(i).fold(t).bits() % u64::from(vocab)) as u32).collect()
    };
    Packed::new(&[sequence(0, 23), sequence(1, 1), sequence(2, 9), vec![], sequence(3, 40)])
}

/// As [`batch`], with segments that continue others.
fn family_batch(vocab: u32) -> Packed {
    let mut batch = batch(vocab);
    let ids = batch.ids.clone();
    for (parent, range) in [(0, 3..20), (0, 20..21), (2, 7..40), (0, 1..1), (3, 5..9), (2, 30..39)] {
        batch.push(&ids[range], Some(parent));
    }
    batch
}

/// Loss `sum_t a_t logprob_t + b_t entropy_t` with fixed random coefficients.
fn coefficients(len: usize) -> (Vec<f64>, Vec<f64>, Vec<bool>) {
    let key = Key::new(5);
    let a = (0..len).map(|t| key.fold(1).fold(t as u64).normal()).collect();
    let b = (0..len).map(|t| key.fold(2).fold(t as u64).normal()).collect();
    let select = (0..len).map(|t| key.fold(3).fold(t as u64).uniform() < 0.7).collect();
    (a, b, select)
}

fn loss(stats: &TokenStats<f64>, a: &[f64], b: &[f64]) -> f64 {
    let terms = stats.logprobs.iter().zip(a).map(|(x, a)| a * x);
    terms.sum::<f64>() + stats.entropy.iter().zip(b).map(|(x, b)| b * x).sum::<f64>()
}

fn check(config: ModelConfig) {
    let model = model(config, 3);
    check_model(&model, &batch(37));
    check_model(&model, &family_batch(37));
}

fn check_model(model: &Model<f64>, batch: &Packed) {
    let mut model = model.clone();
    let name = format!("{:?}", model.config());
    let (a, b, select) = coefficients(batch.len());
    let temperature = 0.8;
    let run = |model: &Model<f64>| {
        let mut grads = Grads::zeros(model);
        grads.as_mut_slice().fill(0.25);
        let stats = model.backprop(batch, temperature, &select, &mut grads, |_| TokenGrads {
            logprobs: a.clone(),
            entropy: Some(b.clone()),
        });
        (stats, grads)
    };
    let (stats, grads) = run(&model);
    assert_eq!(stats, model.score(batch, temperature, &select));
    model.set_checkpointing(true);
    let again = run(&model);
    assert!(stats == again.0 && grads.as_slice() == again.1.as_slice(), "checkpointing keeps the bits ({name})");
    let tensors = model.trainable_tensors().to_vec();
    let key = Key::new(17);
    for tensor in tensors {
        let count = tensor.range.len().min(6);
        for sample in 0..count {
            let draw = key.fold(sample as u64).fold(tensor.range.start as u64).bits() as usize;
            let i = tensor.range.start + draw % tensor.range.len();
            let h = 1e-5;
            let at = model.trainable()[i];
            let mut value = |x: f64| {
                model.trainable_mut()[i] = x;
                loss(&model.score(batch, temperature, &select), &a, &b)
            };
            let numeric = (value(at + h) - value(at - h)) / (2.0 * h);
            value(at);
            let analytic = grads.as_slice()[i] - 0.25;
            let error = (numeric - analytic).abs() / (1.0 + numeric.abs());
            assert!(error < 2e-7, "{}[{}]: {analytic} is not {numeric} ({name})", tensor.name, i - tensor.range.start);
        }
    }
}

/// Loss: the sum of rewards with fixed coefficients.
#[test]
fn rewards() {
    for adapted in [false, true] {
        let mut config = tiny(Arch::Qwen3);
        config.num_labels = Some(2);
        config.tie_word_embeddings = !adapted;
        let mut model = model(config, 6);
        let batch = family_batch(37);
        if adapted {
            let targets = vec![Projection::K, Projection::Down];
            model.add_adapter(LoraConfig { r: 2, alpha: 2.0, rslora: false, targets }, 4);
            model.trainable_mut().iter_mut().enumerate().for_each(|(i, x)| *x += 0.01 * (i % 7) as f64);
        }
        let key = Key::new(31);
        let a: Vec<f64> = (0..2 * batch.segments()).map(|i| key.fold(i as u64).normal()).collect();
        let sum = |rewards: &[f64]| rewards.iter().zip(&a).map(|(r, a)| r * a).sum::<f64>();
        let mut grads = Grads::zeros(&model);
        let rewards = model.backprop_rewards(&batch, &mut grads, |_| a.clone());
        assert_eq!(rewards, model.rewards(&batch));
        assert_eq!((rewards.len(), rewards[6]), (a.len(), 0.0), "an empty segment has no reward");
        for tensor in model.trainable_tensors().to_vec() {
            for i in [tensor.range.start, tensor.range.end - 1] {
                let at = model.trainable()[i];
                let mut value = |x: f64| {
                    model.trainable_mut()[i] = x;
                    sum(&model.rewards(&batch))
                };
                let numeric = (value(at + 1e-5) - value(at - 1e-5)) / 2e-5;
                value(at);
                let error = (numeric - grads.as_slice()[i]).abs() / (1.0 + numeric.abs());
                assert!(error < 2e-7, "{}: {} is not {numeric}", tensor.name, grads.as_slice()[i]);
            }
        }
    }
}

#[test]
fn adapters() {
    let sets = [&Projection::ALL[..], &[Projection::Q, Projection::V], &[Projection::Up, Projection::O]];
    for (targets, rslora) in sets.into_iter().zip([false, true, false]) {
        let mut config = tiny(Arch::Qwen2);
        config.tie_word_embeddings = !rslora;
        let mut model = model(config, 3);
        let batch = family_batch(37);
        let plain = model.score(&batch, 1.0, &vec![true; batch.len()]);
        model.add_adapter(LoraConfig { r: 3, alpha: 5.0, rslora, targets: targets.to_vec() }, 4);
        assert_eq!(plain, model.score(&batch, 1.0, &vec![true; batch.len()]), "a new adapter changes nothing");
        let key = Key::new(21);
        for (i, x) in model.trainable_mut().iter_mut().enumerate() {
            *x += 0.2 * key.fold(i as u64).normal();
        }
        check_model(&model, &batch);
        let adapted = model.score(&batch, 1.0, &vec![true; batch.len()]);
        assert_ne!(plain, adapted);
        assert_eq!(plain, model.score_base(&batch, 1.0, &vec![true; batch.len()]));
        model.merge_adapter();
        let merged = model.score(&batch, 1.0, &vec![true; batch.len()]);
        for (x, y) in adapted.logprobs.iter().zip(&merged.logprobs) {
            assert!((x - y).abs() < 1e-11, "{x} is not {y} after merging");
        }
    }
}

#[test]
fn llama() {
    let mut config = tiny(Arch::Llama);
    config.tie_word_embeddings = false;
    check(config.clone());
    config.rope.scaling = RopeScaling::Llama3 {
        factor: 4.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 32,
    };
    config.attention_bias = AttentionBias { qkv: true, o: true };
    config.mlp_bias = true;
    check(config);
}

#[test]
fn qwen2() {
    let mut config = tiny(Arch::Qwen2);
    config.rope.scaling = RopeScaling::Linear { factor: 2.0 };
    check(config);
}

#[test]
fn qwen3() {
    let mut config = tiny(Arch::Qwen3);
    config.rope.scaling = RopeScaling::Yarn {
        factor: 4.0,
        original_max_position_embeddings: 32,
        beta_fast: 32.0,
        beta_slow: 1.0,
        attention_factor: None,
        mscale: None,
        mscale_all_dim: None,
        truncate: true,
    };
    check(config);
}

#[test]
fn mistral_with_sliding_window() {
    let mut config = tiny(Arch::Mistral);
    config.tie_word_embeddings = false;
    config.sliding_window = vec![Some(7), Some(20)];
    check(config);
}

#[test]
fn one_head_per_group_and_wide_heads() {
    let mut config = ModelConfig::small(37, 32, 1, 2, 2, 48);
    config.head_dim = 32;
    check(config);
}

/// Rounding to bf16 (8 bits of mantissa) moves the gradients of this model, whose weights are large, by some parts in a
/// hundred; a wrong term moves them by more than a fifth.
#[test]
fn bf16_gradients_are_close_to_those_of_f32() {
    for (arch, window) in [(Arch::Qwen3, None), (Arch::Qwen2, None), (Arch::Mistral, Some(7))] {
        let mut config = tiny(arch);
        config.sliding_window = vec![window; config.num_layers];
        let mut model: Model<f32> = model(config, 3).cast();
        let batch = family_batch(37);
        let (a, _, select) = coefficients(batch.len());
        let a: Vec<f32> = a.iter().map(|x| *x as f32).collect();
        let mut run = |precision| {
            model.set_precision(precision);
            let mut grads = Grads::zeros(&model);
            model.backprop(&batch, 1.0, &select, &mut grads, |_| TokenGrads { logprobs: a.clone(), entropy: None });
            grads.as_slice().to_vec()
        };
        let (exact, rounded) = (run(Precision::F32), run(Precision::Bf16));
        for tensor in model.tensors() {
            let norm = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let (exact, rounded) = (&exact[tensor.range.clone()], &rounded[tensor.range.clone()]);
            let difference: Vec<f32> = exact.iter().zip(rounded).map(|(x, y)| x - y).collect();
            let error = norm(&difference) / norm(exact);
            assert!(error > 1e-5 && error < 0.2, "{}: {error}", tensor.name);
        }
    }
}
