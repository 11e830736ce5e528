//! Reading the parity fixtures. `tools/fixtures/engine_models.py` writes them.

#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde::Deserialize;
use std::collections::BTreeMap;
use temper_engine::{Model, Packed};

/// Every fixture: all four families, all rotary scalings, f32, bf16, f16 and sharded on disk, tied and untied heads.
pub const MODELS: [&str; 9] =
    ["llama", "llama3", "llama-linear", "llama-yarn", "qwen2", "qwen2-window", "qwen3", "qwen3-yarn", "mistral"];

/// The sequence classifiers: all four families.
pub const REWARDS: [&str; 4] = ["qwen3-reward", "qwen2-reward", "llama-reward", "mistral-reward"];

#[derive(Deserialize)]
pub struct Reference {
    pub temperature: f32,
    pub sequences: Vec<Sequence>,
    pub greedy: Vec<Greedy>,
    pub training: Training,
}

#[derive(Deserialize)]
pub struct Sequence {
    pub ids: Vec<u32>,
    pub logprobs: Vec<Option<f64>>,
    pub logprobs_tempered: Vec<Option<f64>>,
    pub entropy: Vec<Option<f64>>,
}

#[derive(Deserialize)]
pub struct Greedy {
    pub prompt: Vec<u32>,
    pub ids: Vec<u32>,
    pub logprobs: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Training {
    pub loss: f64,
    pub grad_norm: f64,
    pub tensors: BTreeMap<String, [f64; 2]>,
    pub adamw: BTreeMap<String, f64>,
    pub losses: Vec<f64>,
    pub grad_norms: Vec<f64>,
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn load(name: &str) -> (Model, Reference) {
    let dir = fixtures().join(name);
    let text = std::fs::read(dir.join("reference.json")).unwrap();
    (Model::load(&dir).unwrap(), serde_json::from_slice(&text).unwrap())
}

#[derive(Deserialize)]
pub struct RewardReference {
    sequences: Vec<RewardSequence>,
}

#[derive(Deserialize)]
pub struct RewardSequence {
    pub ids: Vec<u32>,
    pub rewards: Vec<f64>,
}

/// A sequence classifier and what transformers makes of some sequences.
pub fn load_rewards(name: &str) -> (Model, Vec<RewardSequence>) {
    let dir = fixtures().join(name);
    let text = std::fs::read(dir.join("reference.json")).unwrap();
    let reference: RewardReference = serde_json::from_slice(&text).unwrap();
    (Model::load(&dir).unwrap(), reference.sequences)
}

/// All sequences of a fixture as one batch, and every position but the first of each selected.
pub fn batch(reference: &Reference) -> (Packed, Vec<bool>) {
    let ids: Vec<&[u32]> = reference.sequences.iter().map(|s| s.ids.as_slice()).collect();
    let batch = Packed::new(&ids);
    let mut select = vec![true; batch.len()];
    for segment in 0..batch.segments() {
        select[batch.range(segment).start] = false;
    }
    (batch, select)
}
