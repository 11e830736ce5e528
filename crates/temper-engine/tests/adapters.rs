//! PEFT directories in and out. `tools/fixtures/training_steps.py` made the adapters with PEFT.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::fixtures;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use temper_engine::{LoraConfig, Model, Projection};

/// The adapters and their bases: all projections or some, plain and rank-stabilised, with and without a reward head.
const ADAPTERS: [(&str, &str); 5] = [
    ("sft-lora-qwen3", "qwen3"),
    ("sft-lora-qwen2", "qwen2"),
    ("sft-lora-llama", "llama"),
    ("reward-lora-qwen3", "qwen3-reward"),
    ("reward-lora-mistral", "mistral-reward"),
];

fn adapter(case: &str) -> PathBuf {
    fixtures().join("steps").join(case).join("end")
}

fn base(name: &str) -> Model {
    Model::load(&fixtures().join(name)).unwrap()
}

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(dir: &Path) -> Tensors {
    let bytes = fs::read(dir.join("adapter_model.safetensors")).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Tensors =
        read.iter().map(|(n, t)| (n.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn config(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("adapter_config.json")).unwrap()).unwrap()
}

#[test]
fn adapters_of_peft_come_in_and_go_out_unchanged() {
    for (case, name) in ADAPTERS {
        let mut model = base(name);
        let source = model.load_adapter(&adapter(case)).unwrap();
        assert_eq!((source.base_model.as_deref(), source.dropout, source.note()), (Some(name), 0.0, None));
        let lora = model.adapter().unwrap().config().clone();
        assert_eq!((lora.r, lora.alpha, lora.rslora), (8, 16.0, case == "sft-lora-llama"));
        let some = ["sft-lora-qwen2", "reward-lora-mistral"].contains(&case);
        let targets: &[Projection] = if some { &[Projection::Q, Projection::V] } else { &Projection::ALL };
        assert_eq!(lora.targets, targets);
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("adapter");
        model.save_adapter(&out, name).unwrap();
        assert!(tensors(&out) == tensors(&adapter(case)), "{case}");
        let (written, expected) = (config(&out), config(&adapter(case)));
        for key in ["peft_type", "task_type", "r", "lora_alpha", "use_rslora", "base_model_name_or_path", "bias"] {
            assert_eq!(written[key], expected[key], "{case}: {key}");
        }
        assert_eq!(written["modules_to_save"].is_null(), expected["modules_to_save"].is_null());
        // Over what is there, and read again.
        model.save_adapter(&out, name).unwrap();
        let mut again = base(name);
        again.load_adapter(&out).unwrap();
        assert_eq!(again.trainable(), model.trainable());
        assert_eq!(again.trainable_tensors(), model.trainable_tensors());
    }
}

#[test]
fn a_new_adapter_can_be_saved() {
    let mut model = base("qwen3");
    let targets = vec![Projection::Q, Projection::Down];
    model.add_adapter(LoraConfig { r: 3, alpha: 4.5, rslora: true, targets }, 1);
    let dir = tempfile::tempdir().unwrap();
    model.save_adapter(dir.path(), "org/base").unwrap();
    let written = config(dir.path());
    assert_eq!(written["target_modules"], json!(["q_proj", "down_proj"]));
    assert_eq!((&written["lora_alpha"], &written["task_type"]), (&json!(4.5), &json!("CAUSAL_LM")));
    let mut again = base("qwen3");
    again.load_adapter(dir.path()).unwrap();
    assert_eq!(again.adapter().unwrap().config(), model.adapter().unwrap().config());
    let error = base("qwen3").save_adapter(dir.path(), "org/base").unwrap_err().to_string();
    assert!(error.contains("no adapter"), "{error}");
}

/// A copy of an adapter that a test may break.
fn copy(case: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(adapter(case).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

fn set(dir: &Path, key: &str, value: Value) {
    let mut all = config(dir);
    all[key] = value;
    fs::write(dir.join("adapter_config.json"), all.to_string()).unwrap();
}

/// Rewrites the weights after `change`.
fn rewrite(dir: &Path, change: impl FnOnce(&mut Tensors)) {
    let mut all = tensors(dir);
    change(&mut all);
    let views = all.iter().map(|(n, d, s, b)| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    safetensors::serialize_to_file(views, None, &dir.join("adapter_model.safetensors")).unwrap();
}

/// The error of loading `dir` on `base`, which must contain the words; the model is as it was.
#[track_caller]
fn says(name: &str, dir: &Path, words: &[&str]) {
    let mut model = base(name);
    let error = model.load_adapter(dir).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
    assert!(model.adapter().is_none());
}

#[test]
fn targets_may_be_names_paths_or_patterns() {
    let paths: Vec<String> =
        (0..2).flat_map(|l| ["q_proj", "v_proj"].map(|p| format!("model.layers.{l}.self_attn.{p}"))).collect();
    for value in [json!(paths), json!(["self_attn.v_proj", "q_proj"]), json!(r".*\.(q|v)_proj"), json!("all-linear")] {
        let dir = copy("sft-lora-qwen2");
        set(dir.path(), "target_modules", value);
        let mut model = base("qwen2");
        model.load_adapter(dir.path()).unwrap();
        assert_eq!(model.adapter().unwrap().config().targets, [Projection::Q, Projection::V]);
    }
    let dir = copy("sft-lora-qwen2");
    set(dir.path(), "target_modules", json!(["q_proj", "v_proj", "o_proj"]));
    says("qwen2", dir.path(), &["target_modules", "`o_proj` has no tensors"]);
    set(dir.path(), "target_modules", json!(["q_proj", "v_proj", "embed_tokens"]));
    says("qwen2", dir.path(), &["target_modules", "embed_tokens", "gate_proj"]);
    set(dir.path(), "target_modules", json!(["q_proj"]));
    says("qwen2", dir.path(), &["target_modules", "does not name", "v_proj"]);
}

#[test]
fn half_precision_and_dropout_are_read() {
    let dir = copy("sft-lora-qwen3");
    set(dir.path(), "lora_dropout", json!(0.05));
    rewrite(dir.path(), |all| {
        for (at, (_, dtype, _, bytes)) in all.iter_mut().enumerate() {
            let values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
            if at % 2 == 0 {
                *bytes = values.flat_map(|x| half::bf16::from_f32(x).to_le_bytes()).collect();
                *dtype = Dtype::BF16;
            } else {
                *bytes = values.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect();
                *dtype = Dtype::F16;
            }
        }
    });
    let (mut model, mut exact) = (base("qwen3"), base("qwen3"));
    let note = model.load_adapter(dir.path()).unwrap().note().unwrap();
    assert!(note.contains("lora_dropout 0.05") && note.contains("without"), "{note}");
    exact.load_adapter(&adapter("sft-lora-qwen3")).unwrap();
    for (x, y) in model.trainable().iter().zip(exact.trainable()) {
        assert!((x - y).abs() <= y.abs() / 256.0 + 1e-7, "{x} {y}");
    }
}

#[test]
fn refuses_what_it_would_get_wrong() {
    let cases = [
        ("peft_type", json!("IA3"), "only LORA"),
        ("task_type", json!("SEQ_CLS"), "Qwen3ForCausalLM"),
        ("task_type", json!("TOKEN_CLS"), "CAUSAL_LM or SEQ_CLS"),
        ("bias", json!("lora_only"), "merge"),
        ("use_dora", json!(true), "DoRA"),
        ("rank_pattern", json!({"q_proj": 4}), "differ between modules"),
        ("alpha_pattern", json!({"q_proj": 4}), "differ between modules"),
        ("layers_to_transform", json!([0, 1]), "some of the layers"),
        ("layer_replication", json!([[0, 2]]), "some of the layers"),
        ("modules_to_save", json!(["lm_head"]), "`lm_head`"),
        ("modules_to_save", json!("lm_head"), "merge"),
        ("init_lora_weights", json!("pissa_niter_16"), "pissa_niter_16"),
        ("lora_bias", json!(true), "bias"),
        ("trainable_token_indices", json!([5]), "not supported"),
        ("use_something_new", json!(1), "not supported"),
        ("r", json!(0), "1 or more"),
        ("r", json!("8"), "expected a number"),
        ("use_rslora", json!("yes"), "true or false"),
    ];
    for (key, value, word) in cases {
        let dir = copy("sft-lora-qwen3");
        set(dir.path(), key, value);
        says("qwen3", dir.path(), &["adapter_config.json", &format!("`{key}`"), word]);
    }
}

#[test]
fn every_tensor_is_accounted_for() {
    const A: &str = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight";
    let broken = |change: fn(&mut Tensors)| {
        let dir = copy("sft-lora-qwen3");
        rewrite(dir.path(), change);
        dir
    };
    let missing = broken(|all| all.retain(|t| t.0 != A));
    says("qwen3", missing.path(), &[A, "missing"]);
    let renamed = broken(|all| all[0].0 = "base_model.model.lm_head.weight".into());
    says("qwen3", renamed.path(), &["lm_head", "embeddings are not supported"]);
    let dora = broken(|all| all[0].0 = "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector".into());
    says("qwen3", dora.path(), &["lora_magnitude_vector", "DoRA"]);
    let shape = broken(|all| all.iter_mut().filter(|t| t.0 == A).for_each(|t| t.2.swap(0, 1)));
    says("qwen3", shape.path(), &[A, "[8, 28]", "[28, 8]"]);
    let infinite = broken(|all| {
        all.iter_mut().filter(|t| t.0 == A).for_each(|t| t.3[4..8].copy_from_slice(&f32::INFINITY.to_le_bytes()));
    });
    says("qwen3", infinite.path(), &[A, "inf", "element 1"]);
    let integers = broken(|all| all.iter_mut().filter(|t| t.0 == A).for_each(|t| t.1 = Dtype::I32));
    says("qwen3", integers.path(), &[A, "I32", "BF16"]);
    // Without a head of its own the adapter keeps the base's.
    let headless = copy("reward-lora-qwen3");
    rewrite(headless.path(), |all| all.retain(|t| !t.0.ends_with("score.weight")));
    let mut model = base("qwen3-reward");
    model.load_adapter(headless.path()).unwrap();
    let (head, own) = (model.tensors().last().unwrap(), model.trainable_tensors().last().unwrap());
    assert_eq!((head.name.as_str(), own.name.as_str()), ("score.weight", "score.weight"));
    assert_eq!(model.params()[head.range.clone()], model.trainable()[own.range.clone()]);
    // Adapters of other models, by depth and by width.
    says("qwen2", &adapter("sft-lora-qwen3"), &["model.layers.2.", "2 layers", "own base"]);
    says("qwen3-yarn", &adapter("sft-lora-qwen2"), &["expected shape", "own base"]);
    says("qwen3", &adapter("reward-lora-qwen3"), &["task_type", "SEQ_CLS", "Qwen3ForCausalLM"]);
}

#[test]
fn files_that_are_not_there_are_named() {
    let dir = copy("sft-lora-qwen3");
    says("qwen3", &dir.path().join("nowhere"), &["nowhere", "PEFT directory"]);
    fs::write(dir.path().join("adapter_config.json"), "{").unwrap();
    says("qwen3", dir.path(), &["adapter_config.json", "not valid JSON"]);
    fs::remove_file(dir.path().join("adapter_config.json")).unwrap();
    says("qwen3", dir.path(), &["adapter_config.json", "file not found"]);
    let dir = copy("sft-lora-qwen3");
    fs::remove_file(dir.path().join("adapter_model.safetensors")).unwrap();
    fs::write(dir.path().join("adapter_model.bin"), "").unwrap();
    says("qwen3", dir.path(), &["adapter_model.safetensors", "pickled"]);
}
