//! What the engine saves, transformers and PEFT read: models and reward models of every family and adapters are trained for
//! a step, saved, loaded in Python and run there.
//!
//! Set `TEMPER_PYTHON` to a Python with torch, transformers and peft to run this; without it the tests say that they were
//! skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{MODELS, REWARDS, batch, fixtures, load, load_rewards};
use temper_engine::{AdamW, AdamWConfig, Grads, LoraConfig, Model, Packed, Projection, TokenGrads};

fn python() -> Option<OsString> {
    let python = std::env::var_os("TEMPER_PYTHON");
    if python.is_none() {
        println!("skipped: TEMPER_PYTHON names no Python with torch, transformers and peft");
    }
    python
}

/// Lets the script compare directories with files of numbers.
fn check(python: OsString, pairs: &[(PathBuf, PathBuf)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/fixtures/check_saved.py");
    let mut run = Command::new(&python);
    run.arg(&script);
    for (dir, file) in pairs {
        run.arg(dir).arg(file);
    }
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// One step of this size, so that the weights are ones that only the engine has seen.
fn step(model: &mut Model, batch: &Packed, lr: f64) {
    let mut grads = Grads::zeros(model);
    if model.config().num_labels.is_some() {
        model.backprop_rewards(batch, &mut grads, |rewards| {
            rewards.iter().enumerate().map(|(i, _)| if i % 2 == 0 { 1.0 } else { -0.5 }).collect()
        });
    } else {
        let loss = |_: &_| TokenGrads { logprobs: vec![-0.01; batch.len()], entropy: None };
        model.backprop(batch, 1.0, &vec![true; batch.len()], &mut grads, loss);
    }
    AdamW::new(model, AdamWConfig::default()).step(model, &grads, lr, Some(1.0)).unwrap();
}

/// Rewards, or the log-probabilities of all tokens.
fn results(model: &Model, batch: &Packed) -> Vec<f32> {
    match model.config().num_labels {
        Some(_) => model.rewards(batch),
        None => model.score(batch, 1.0, &vec![true; batch.len()]).logprobs,
    }
}

fn distance(x: &[f32], y: &[f32]) -> f32 {
    x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// Writes what the model computes beside `out`.
fn numbers(model: &Model, batch: &Packed, out: &Path) -> PathBuf {
    let shown = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(", ");
    let mut lines = String::new();
    let (labels, all) = (model.config().num_labels, results(model, batch));
    for segment in 0..batch.segments() {
        let range = batch.range(segment);
        let ids = &batch.ids[range.clone()];
        match labels {
            Some(labels) => {
                let rewards = shown(&all[segment * labels..(segment + 1) * labels]);
                writeln!(lines, r#"{{"ids": {ids:?}, "rewards": [{rewards}]}}"#)
            }
            None => {
                let logprobs = [vec!["null".to_owned()], vec![shown(&all[range][1..])]].concat().join(", ");
                writeln!(lines, r#"{{"ids": {ids:?}, "logprobs": [{logprobs}]}}"#)
            }
        }
        .unwrap();
    }
    let file = out.with_extension("jsonl");
    std::fs::write(&file, lines).unwrap();
    file
}

#[test]
fn transformers_scores_saved_models_the_same() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = Vec::new();
    for name in MODELS {
        let (mut model, reference) = load(name);
        let (batch, _) = batch(&reference);
        step(&mut model, &batch, 1e-3);
        let out = dir.path().join(name);
        model.save(&out).unwrap();
        pairs.push((out.clone(), numbers(&model, &batch, &out)));
    }
    check(python, &pairs);
}

#[test]
fn transformers_gives_saved_reward_models_the_same_rewards() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = Vec::new();
    for name in REWARDS {
        let (mut model, batch) = reward_model(name);
        step(&mut model, &batch, 1e-3);
        let out = dir.path().join(name);
        model.save(&out).unwrap();
        pairs.push((out.clone(), numbers(&model, &batch, &out)));
    }
    check(python, &pairs);
}

fn reward_model(name: &str) -> (Model, Packed) {
    let (model, sequences) = load_rewards(name);
    let ids: Vec<&[u32]> = sequences.iter().map(|s| s.ids.as_slice()).collect();
    (model, Packed::new(&ids))
}

#[test]
fn peft_runs_saved_adapters_the_same() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = Vec::new();
    let some = vec![Projection::Q, Projection::V];
    for (number, name) in ["qwen2", "llama-linear", "qwen3-yarn", "mistral"].into_iter().chain(REWARDS).enumerate() {
        let (mut model, batch) = if name.ends_with("reward") {
            reward_model(name)
        } else {
            let (model, reference) = load(name);
            (model, batch(&reference).0)
        };
        let before = results(&model, &batch);
        let (rslora, targets) =
            (number % 2 == 1, if number % 3 == 0 { some.clone() } else { Projection::ALL.to_vec() });
        model.add_adapter(LoraConfig { r: 3, alpha: 7.5, rslora, targets }, 5);
        // Two steps: the first moves B from zero, the second A.
        step(&mut model, &batch, 3e-2);
        step(&mut model, &batch, 3e-2);
        assert!(distance(&results(&model, &batch), &before) > 0.05, "{name}: the adapter changes little");
        let out = dir.path().join(format!("{name}-adapter"));
        model.save_adapter(&out, &fixtures().join(name).to_string_lossy()).unwrap();
        pairs.push((out.clone(), numbers(&model, &batch, &out)));
        // Merged, it is a model of its own that computes the same.
        let merged = dir.path().join(format!("{name}-merged"));
        let file = numbers(&model, &batch, &merged);
        model.merge_adapter();
        model.save(&merged).unwrap();
        pairs.push((merged, file));
    }
    check(python, &pairs);
}
