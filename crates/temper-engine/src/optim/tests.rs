use super::*;
use crate::{ModelConfig, Packed, TokenGrads};

fn setup() -> (Model, Grads) {
    let model = Model::random(ModelConfig::small(40, 16, 1, 2, 1, 24), 0);
    let mut grads = Grads::zeros(&model);
    let batch = Packed::new(&[vec![1, 2, 3, 4, 5, 6, 7]]);
    model.backprop(&batch, 1.0, &[true; 7], &mut grads, |_| TokenGrads { logprobs: vec![-1.0; 7], entropy: None });
    (model, grads)
}

/// The update as PyTorch's documentation states it, in f64.
#[test]
fn agrees_with_the_formula() {
    let (mut model, grads) = setup();
    let config = AdamWConfig { beta1: 0.8, beta2: 0.95, eps: 1e-6, weight_decay: 0.1, ..AdamWConfig::default() };
    let mut optimiser = AdamW::new(&model, config);
    let decays: Vec<bool> =
        model.tensors().iter().flat_map(|t| std::iter::repeat_n(t.decays(), t.range.len())).collect();
    let mut expected: Vec<f64> = model.params().iter().map(|x| f64::from(*x)).collect();
    let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    let norm = grads.norm();
    for t in 1..=3 {
        let lr = 0.01 / f64::from(t);
        let clip = 0.5 * norm;
        assert_eq!(optimiser.step(&mut model, &grads, lr, Some(clip)).unwrap(), norm);
        for i in 0..expected.len() {
            let g = f64::from(grads.as_slice()[i]) * clip / (norm + 1e-6);
            m[i] = 0.8 * m[i] + 0.2 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            let decay = if decays[i] { 0.1 } else { 0.0 };
            expected[i] -= lr * decay * expected[i];
            let (m, v) = (m[i] / (1.0 - 0.8f64.powi(t)), v[i] / (1.0 - 0.95f64.powi(t)));
            expected[i] -= lr * m / (v.sqrt() + 1e-6);
        }
    }
    for (x, y) in model.params().iter().zip(&expected) {
        assert!((f64::from(*x) - y).abs() < 1e-6, "{x} is not {y}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_named_and_changes_nothing() {
    let (mut model, mut grads) = setup();
    let before = model.params().to_vec();
    let tensor = model.tensors()[3].clone();
    grads.as_mut_slice()[tensor.range.start + 1] = f32::NAN;
    let error = AdamW::new(&model, AdamWConfig::default()).step(&mut model, &grads, 0.1, None).unwrap_err();
    assert!(error.to_string().contains(&tensor.name), "{error}");
    assert_eq!(before, model.params());
}

#[test]
fn saved_and_loaded_state_continues_to_the_bit() {
    let (mut model, grads) = setup();
    let mut optimiser = AdamW::new(&model, AdamWConfig::default());
    optimiser.step(&mut model, &grads, 0.01, None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("optimizer.safetensors");
    optimiser.save(&file).unwrap();
    let mut other_model = model.clone();
    let mut other = AdamW::new(&other_model, AdamWConfig::default());
    other.load(&file).unwrap();
    assert_eq!(other.steps(), 1);
    optimiser.step(&mut model, &grads, 0.01, Some(1.0)).unwrap();
    other.step(&mut other_model, &grads, 0.01, Some(1.0)).unwrap();
    assert_eq!(model.params(), other_model.params());
    let smaller = Model::random(ModelConfig::small(40, 8, 1, 2, 1, 24), 0);
    let error = AdamW::new(&smaller, AdamWConfig::default()).load(&file).unwrap_err();
    assert!(error.to_string().contains("another model"), "{error}");
}

/// A model whose embedding and projections have 8-bit moments, key and value projections (2,048 elements) f32 ones.
fn medium() -> Model {
    Model::random(ModelConfig::small(80, 64, 1, 2, 1, 72), 3)
}

const EIGHT_BIT: AdamWConfig =
    AdamWConfig { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, moments: Moments::EightBit };

/// What `tools/fixtures/adamw_8bit.py` wrote.
#[derive(serde::Deserialize)]
struct Reference {
    signed: Vec<f32>,
    unsigned: Vec<f32>,
    settings: std::collections::BTreeMap<String, f64>,
    tensors: Vec<(String, usize)>,
    m_codes: Vec<u8>,
    v_codes: Vec<u8>,
    m_scales: Vec<f32>,
    v_scales: Vec<f32>,
    params: Vec<Vec<f64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../tests/fixtures/adamw_8bit.json")).unwrap()
}

/// As in the script.
fn wave(i: u64, step: u64) -> f32 {
    let n = (i * 7919 + step * 104_729 + (i / 256) * (i % 256) * 31) % 4001;
    let size = 0.05 + 0.95 * (n / 2) as f64 / 2000.0;
    (if n.is_multiple_of(2) { size } else { -size }) as f32
}

#[test]
fn code_maps_are_those_of_bitsandbytes() {
    let reference = reference();
    for (map, expected) in [(&dynamic::SIGNED, &reference.signed), (&dynamic::UNSIGNED, &reference.unsigned)] {
        assert_eq!(expected.len(), 256);
        let mut values = [0.0; 256];
        map.decode(&std::array::from_fn(|i| i as u8), 1.0, &mut values);
        for (code, (found, expected)) in values.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() <= 3e-7 * expected.abs(), "code {code}: {found}, {expected}");
        }
    }
}

#[test]
fn eight_bit_steps_are_those_of_bitsandbytes() {
    let reference = reference();
    let setting = |key: &str| reference.settings[key];
    let config = AdamWConfig {
        beta1: setting("beta1"),
        beta2: setting("beta2"),
        eps: setting("eps"),
        weight_decay: setting("weight_decay"),
        moments: Moments::EightBit,
    };
    let mut model = medium();
    let names: Vec<_> = model.tensors().iter().map(|t| (t.name.clone(), t.range.len())).collect();
    assert_eq!(names, reference.tensors);
    for (i, x) in model.params_mut().iter_mut().enumerate() {
        *x = wave(i as u64, 0);
    }
    let mut grads = Grads::zeros(&model);
    let mut optimiser = AdamW::new(&model, config);
    // Near the border of two codes the look-up of bitsandbytes on the CPU is not exact.
    let rare = |count: usize, of: usize| assert!(count * 100 <= of, "{count} of {of} differ");
    for (step, expected) in (1..).zip(&reference.params) {
        for (i, g) in grads.as_mut_slice().iter_mut().enumerate() {
            *g = wave(i as u64, step);
        }
        optimiser.step(&mut model, &grads, setting("lr"), None).unwrap();
        let found = model.params().iter().step_by(13);
        let errors: Vec<f64> = found.zip(expected).map(|(x, y)| (f64::from(*x) - y).abs()).collect();
        assert_eq!(errors.len(), expected.len());
        rare(errors.iter().filter(|e| **e > 1e-6).count(), errors.len());
        assert!(errors.iter().all(|e| *e < 0.1 * setting("lr")));
    }
    for (found, codes, scales) in [
        (&optimiser.m, &reference.m_codes, &reference.m_scales),
        (&optimiser.v, &reference.v_codes, &reference.v_scales),
    ] {
        rare(found.codes.iter().zip(codes).filter(|(a, b)| a != b).count(), codes.len());
        assert!(found.codes.iter().zip(codes).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert!(found.scales.iter().zip(scales).all(|(a, b)| (a - b).abs() <= 1e-2 * b));
    }
}

/// A task with a gradient that changes from step to step: rows of random tokens, some of them in most steps.
fn train(config: AdamWConfig, steps: u32) -> (Model, Vec<f64>) {
    let mut model = medium();
    let mut optimiser = AdamW::new(&model, config);
    let mut grads = Grads::zeros(&model);
    let losses = (0..steps).map(|step| {
        let row = |r: u32| (0..24).map(|t| 1 + (t * (3 + r % 4) + r * (step % 3)) % 70).collect::<Vec<u32>>();
        let batch = Packed::new(&[row(0), row(1), row(2), row(3)]);
        let mut select = vec![true; batch.len()];
        (0..4).for_each(|segment| select[batch.range(segment).start] = false);
        grads.zero();
        let stats = model.backprop(&batch, 1.0, &select, &mut grads, |stats| TokenGrads {
            logprobs: vec![-1.0 / 92.0; stats.logprobs.len()],
            entropy: None,
        });
        optimiser.step(&mut model, &grads, 3e-3, Some(1.0)).unwrap();
        -stats.logprobs.iter().map(|x| f64::from(*x)).sum::<f64>() / 92.0
    });
    let losses = losses.collect();
    (model, losses)
}

#[test]
fn a_hundred_steps_in_eight_bits_are_close_to_f32() {
    let (_, exact) = train(AdamWConfig { moments: Moments::F32, ..EIGHT_BIT }, 100);
    let (model, found) = train(EIGHT_BIT, 100);
    assert!(model.params().iter().all(|x| x.is_finite()));
    assert!(exact[99] < 0.2 * exact[0], "{exact:?}");
    for (step, (found, exact)) in found.iter().zip(&exact).enumerate() {
        assert!((found - exact).abs() < 0.02 + 0.1 * exact, "step {step}: {found}, f32 {exact}");
    }
}

#[test]
fn eight_bit_steps_do_not_depend_on_the_threads() {
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| train(EIGHT_BIT, 5).0)
    };
    assert_eq!(run(1).params(), run(3).params());
}

#[test]
fn saved_and_loaded_eight_bit_state_continues_to_the_bit() {
    let (mut model, _) = train(EIGHT_BIT, 1);
    let mut grads = Grads::zeros(&model);
    let mut optimiser = AdamW::new(&model, EIGHT_BIT);
    let mut gradient = |step: u64| {
        grads.as_mut_slice().iter_mut().enumerate().for_each(|(i, g)| *g = 1e-3 * wave(i as u64, step));
        grads.clone()
    };
    optimiser.step(&mut model, &gradient(1), 0.01, None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("optimizer.safetensors");
    optimiser.save(&file).unwrap();
    let bytes = Moments::EightBit.bytes(model.tensors());
    let size = std::fs::metadata(&file).unwrap().len() as usize;
    assert!((bytes..bytes + 1024).contains(&size), "{size} bytes on disk, {bytes} in memory");
    let (mut other_model, mut other) = (model.clone(), AdamW::new(&model, EIGHT_BIT));
    other.load(&file).unwrap();
    for step in 2..4 {
        optimiser.step(&mut model, &gradient(step), 0.01, Some(1.0)).unwrap();
        other.step(&mut other_model, &gradient(step), 0.01, Some(1.0)).unwrap();
    }
    assert_eq!(model.params(), other_model.params());
    // The other format is named, in either direction.
    let mut exact = AdamW::new(&model, AdamWConfig::default());
    let error = exact.load(&file).unwrap_err().to_string();
    assert!(error.contains("holds moments as 8bit, but f32"), "{error}");
    exact.save(&file).unwrap();
    let error = other.load(&file).unwrap_err().to_string();
    assert!(error.contains("holds moments as f32, but 8bit"), "{error}");
}

/// A parameter whose gradient is far below the others of its block moves by its learning rate at most: its second moment
/// is stored as the smallest code, not as 0.
#[test]
fn a_small_second_moment_does_not_vanish() {
    let mut model = medium();
    let start = model.params().to_vec();
    let mut grads = Grads::zeros(&model);
    grads.as_mut_slice().iter_mut().enumerate().for_each(|(i, g)| *g = if i % 7 == 0 { 1.0 } else { 1e-5 });
    let mut optimiser = AdamW::new(&model, AdamWConfig { weight_decay: 0.0, beta2: 0.999, ..EIGHT_BIT });
    for _ in 0..30 {
        optimiser.step(&mut model, &grads, 1e-3, None).unwrap();
    }
    let most = model.params().iter().zip(&start).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(most < 1.1 * 30.0 * 1e-3, "{most}");
}

#[test]
fn memory_is_what_is_stated() {
    let model = medium();
    let optimiser = AdamW::new(&model, EIGHT_BIT);
    let held = |m: &Moment| 4 * (m.values.len() + m.scales.len()) + m.codes.len();
    assert_eq!(held(&optimiser.m) + held(&optimiser.v), Moments::EightBit.bytes(model.tensors()));
    assert_eq!(Moments::F32.bytes(model.tensors()), 8 * model.num_params());
    let config = ModelConfig::small(1 << 15, 512, 8, 8, 4, 1536);
    let per_parameter = Moments::EightBit.bytes(&crate::model::layout(&config)) as f64 / config.num_params() as f64;
    assert!((2.03..2.04).contains(&per_parameter), "{per_parameter}");
    assert_eq!("8bit".parse(), Ok(Moments::EightBit));
    assert_eq!(Moments::F32.to_string(), "f32");
    assert!("4bit".parse::<Moments>().unwrap_err().to_string().contains("f32 or 8bit"));
}
