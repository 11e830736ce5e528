use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

use super::{HfError, write};
use crate::{EngineError, Frozen, Model, ModelConfig};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of a fixture that a test may break.
fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, dir.path().join(file.file_name().unwrap())).unwrap();
    }
    dir
}

fn failure(dir: &Path) -> HfError {
    match Model::load(dir).unwrap_err() {
        EngineError::Hf(error) => *error,
        other => panic!("{other}"),
    }
}

/// The error of loading `dir`, which must contain the words.
fn says(dir: &Path, words: &[&str]) -> HfError {
    let error = failure(dir);
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    error
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &Path) -> Tensors {
    let bytes = fs::read(file).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    read.iter().map(|(n, t)| (n.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

/// Rewrites `model.safetensors` of `dir` after `change`.
fn rewrite(dir: &Path, change: impl FnOnce(&mut Tensors)) {
    let file = dir.join("model.safetensors");
    let mut all = tensors(&file);
    change(&mut all);
    let views = all.iter().map(|(n, (d, s, b))| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    safetensors::serialize_to_file(views, None, &file).unwrap();
}

fn set_config(dir: &Path, key: &str, value: Value) {
    let file = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    config[key] = value;
    fs::write(&file, config.to_string()).unwrap();
}

fn truncate(file: &Path, keep: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(keep).unwrap();
}

const Q: &str = "model.layers.1.self_attn.q_proj.weight";

#[test]
fn reads_f32_bf16_f16_and_shards() {
    for name in ["llama", "llama3", "llama-linear", "qwen2", "qwen3", "mistral"] {
        let model = Model::load(&fixture(name)).unwrap();
        assert_eq!(model.num_params(), model.config().num_params());
        assert!(model.params().iter().any(|x| *x != 0.0));
    }
    let sharded = Model::load(&fixture("llama3")).unwrap();
    assert_eq!(sharded.config().eos_token_ids, [2, 5, 7]);
    // bf16 keeps 8 bits of the significand, f16 11: the rest of an f32's 24 is zero.
    for (name, zeros) in [("qwen2", 16), ("llama-linear", 13)] {
        let model = Model::load(&fixture(name)).unwrap();
        assert!(model.params().iter().all(|x| x.to_bits().trailing_zeros() >= zeros || x.abs() < 1e-4));
    }
}

#[test]
fn saved_models_load_with_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["llama", "llama3", "llama-linear", "qwen2", "qwen2-window", "qwen3", "mistral"] {
        let model = Model::load(&fixture(name)).unwrap();
        let out = dir.path().join("deep/er").join(name);
        model.save(&out).unwrap();
        let back = Model::load(&out).unwrap();
        assert_eq!(back.params(), model.params());
        assert_eq!(back.digest(), model.digest());
        assert_eq!(back.config().to_json(), model.config().to_json());
        let mut files: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["config.json", "generation_config.json", "model.safetensors"]);
        let bytes = fs::read(out.join("model.safetensors")).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(metadata.metadata(), &Some(HashMap::from([("format".to_owned(), "pt".to_owned())])));
    }
    assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 7);
}

#[test]
fn saving_over_a_model_keeps_the_other_files() {
    let dir = copy("llama");
    fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    let mut model = Model::load(dir.path()).unwrap();
    let before = model.digest();
    model.params_mut()[5] += 1.0;
    assert_ne!(model.digest(), before);
    model.save(dir.path()).unwrap();
    assert_eq!(Model::load(dir.path()).unwrap().digest(), model.digest());
    assert!(dir.path().join("tokenizer.json").is_file());
    let hidden = |e: &fs::DirEntry| e.file_name().to_string_lossy().starts_with('.');
    assert!(!fs::read_dir(dir.path()).unwrap().any(|e| hidden(&e.unwrap())));
}

#[test]
fn saving_over_shards_leaves_no_stale_weights() {
    let dir = copy("llama3");
    let mut model = Model::load(dir.path()).unwrap();
    model.params_mut()[0] = 0.5;
    model.save(dir.path()).unwrap();
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["config.json", "generation_config.json", "model.safetensors", "reference.json"]);
    assert_eq!(Model::load(dir.path()).unwrap().digest(), model.digest());
}

#[test]
fn digest_depends_on_names_shapes_and_values() {
    let model = Model::<f32>::random(ModelConfig::small(20, 8, 1, 2, 1, 12), 1);
    assert_eq!(model.digest().len(), 64);
    assert_eq!(model.digest(), model.clone().digest());
    let other = Model::<f32>::zeros(ModelConfig::small(24, 8, 1, 2, 1, 12)).digest();
    assert_ne!(Model::<f32>::zeros(ModelConfig::small(20, 8, 1, 2, 1, 12)).digest(), other);
}

#[test]
fn missing_files_say_what_to_do() {
    says(Path::new("no/such/dir"), &["no/such/dir", "no such model directory", "Hugging Face"]);
    let dir = tempfile::tempdir().unwrap();
    says(dir.path(), &["config.json", "not found", "check the path"]);
    let dir = copy("llama");
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    says(dir.path(), &["model.safetensors", "download or save"]);
    fs::write(dir.path().join("pytorch_model.bin"), "").unwrap();
    says(dir.path(), &["pickled", "save_pretrained"]);
    fs::write(dir.path().join("adapter_config.json"), "").unwrap();
    says(dir.path(), &["PEFT adapter", "base model"]);
}

#[test]
fn bad_json_names_file_and_place() {
    let dir = copy("llama");
    let text = fs::read_to_string(dir.path().join("config.json")).unwrap();
    fs::write(dir.path().join("config.json"), &text[..text.len() / 2]).unwrap();
    says(dir.path(), &["config.json", "line", "half-written"]);
    fs::write(dir.path().join("config.json"), text).unwrap();
    set_config(dir.path(), "architectures", json!(["BertModel"]));
    says(dir.path(), &["config.json", "BertModel", "MistralForCausalLM"]);
    set_config(dir.path(), "architectures", json!(["LlamaForCausalLM"]));
    set_config(dir.path(), "hidden_size", json!("32"));
    says(dir.path(), &["config.json", "hidden_size", "\"32\""]);
}

#[test]
fn half_written_files_are_told_apart_from_other_files() {
    let dir = copy("llama");
    let file = dir.path().join("model.safetensors");
    let len = fs::metadata(&file).unwrap().len();
    for keep in [len - 1, len / 2, 100, 8, 3, 0] {
        truncate(&file, keep);
        let error = says(dir.path(), &["model.safetensors", "truncated", "again"]);
        assert!(matches!(error, HfError::Truncated { found, .. } if found == keep), "{error}");
        fs::copy(fixture("llama").join("model.safetensors"), &file).unwrap();
    }
    truncate(&file, len - 1);
    assert!(matches!(failure(dir.path()), HfError::Truncated { expected, .. } if expected == len));
    fs::write(&file, "<html><body>404: file not found on this server, sorry</body></html>").unwrap();
    says(dir.path(), &["model.safetensors", "not a safetensors file"]);
    fs::copy(fixture("llama").join("model.safetensors"), &file).unwrap();
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"more").unwrap();
    says(dir.path(), &["not a safetensors file"]);
}

#[test]
fn sharded_models_are_checked_against_their_index() {
    let dir = copy("llama3");
    let shard = dir.path().join("model-00002-of-00006.safetensors");
    let index = dir.path().join("model.safetensors.index.json");
    let original = fs::read(&index).unwrap();
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&original).unwrap();
        change(&mut value);
        fs::write(&index, value.to_string()).unwrap();
    };
    truncate(&shard, 5000);
    says(dir.path(), &["model-00002-of-00006.safetensors", "truncated", "5000"]);
    fs::remove_file(&shard).unwrap();
    says(dir.path(), &["index.json", "`model-00002-of-00006.safetensors`", "download the missing file"]);
    fs::copy(fixture("llama3").join("model-00002-of-00006.safetensors"), &shard).unwrap();

    edit(&|v| drop(v["weight_map"].as_object_mut().unwrap().remove(Q)));
    let error = says(dir.path(), &["index.json", Q, "[40, 40]", "does not list it"]);
    assert!(matches!(error, HfError::MissingTensor { .. }));
    edit(&|v| v["weight_map"][Q] = json!("model-00001-of-00006.safetensors"));
    says(dir.path(), &["model-00001-of-00006.safetensors", Q, "different saves"]);
    edit(&|v| v["weight_map"][Q] = json!("../other.safetensors"));
    says(dir.path(), &["weight_map", "../other.safetensors"]);
    edit(&|v| v["weight_map"] = json!([1]));
    says(dir.path(), &["weight_map", "[1]"]);
    fs::write(&index, "{").unwrap();
    says(dir.path(), &["index.json", "not valid JSON"]);
}

#[test]
fn tensors_are_checked_against_the_config() {
    let dir = copy("llama");
    rewrite(dir.path(), |t| drop(t.remove(Q)));
    says(dir.path(), &["model.safetensors", Q, "[32, 32]", "num_hidden_layers"]);

    let dir = copy("llama");
    set_config(dir.path(), "vocab_size", json!(129));
    says(dir.path(), &["model.embed_tokens.weight", "[129, 32]", "[128, 32]", "vocab_size"]);
    set_config(dir.path(), "vocab_size", json!(128));
    set_config(dir.path(), "intermediate_size", json!(50));
    says(dir.path(), &["mlp.gate_proj.weight", "[50, 32]", "[48, 32]", "different models"]);

    let dir = copy("llama");
    set_config(dir.path(), "attention_bias", json!(true));
    says(dir.path(), &["q_proj.bias", "attention_bias"]);

    let dir = copy("llama-linear");
    set_config(dir.path(), "attention_bias", json!(false));
    says(dir.path(), &["k_proj.bias", "8 such tensors", "LlamaForCausalLM"]);

    let dir = copy("llama");
    set_config(dir.path(), "num_hidden_layers", json!(1));
    says(dir.path(), &["model.layers.1.", "9 such tensors", "num_hidden_layers"]);

    let dir = copy("llama");
    rewrite(dir.path(), |t| t.get_mut(Q).unwrap().0 = Dtype::I32);
    says(dir.path(), &[Q, "I32", "BF16"]);

    // Old checkpoints carry rotary frequencies, which follow from the config.
    let dir = copy("llama");
    rewrite(dir.path(), |t| {
        t.insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), (Dtype::F32, vec![1], vec![0; 4]));
    });
    Model::load(dir.path()).unwrap();
}

#[test]
fn broken_weights_are_named() {
    let cases = [("llama", 4, f32::NAN.to_le_bytes().to_vec(), "NaN"), ("qwen2", 2, vec![0x80, 0x7f], "inf")];
    for (name, width, bytes, shown) in cases {
        let dir = copy(name);
        rewrite(dir.path(), |t| t.get_mut(Q).unwrap().2[7 * width..8 * width].copy_from_slice(&bytes));
        says(dir.path(), &["model.safetensors", Q, shown, "element 7", "earlier"]);
    }
}

#[test]
fn a_tied_head_may_be_present_if_it_is_the_embedding() {
    let dir = copy("qwen3");
    rewrite(dir.path(), |t| {
        let embedding = t["model.embed_tokens.weight"].clone();
        t.insert("lm_head.weight".into(), embedding);
    });
    let model = Model::load(dir.path()).unwrap();
    assert_eq!(model.digest(), Model::load(&fixture("qwen3")).unwrap().digest());
    rewrite(dir.path(), |t| t.get_mut("lm_head.weight").unwrap().2[4 * 9 + 3] ^= 1);
    says(dir.path(), &["lm_head.weight", "element 9", "tie_word_embeddings to false"]);
    set_config(dir.path(), "tie_word_embeddings", json!(false));
    assert!(Model::load(dir.path()).is_ok());
    rewrite(dir.path(), |t| drop(t.remove("lm_head.weight")));
    says(dir.path(), &["lm_head.weight", "tie_word_embeddings to true"]);
}

#[test]
fn a_full_disk_is_named() {
    let full = HfError::write(Path::new("out"), std::io::ErrorKind::StorageFull.into());
    assert!(full.to_string().contains("the disk is full: free some space"), "{full}");
    let dir = tempfile::tempdir().unwrap();
    let error = write::check_space(dir.path(), u64::MAX).unwrap_err();
    assert!(matches!(error, HfError::NoSpace { .. }));
    assert!(error.to_string().contains("no disk space"), "{error}");
    write::check_space(dir.path(), 1).unwrap();
}

#[test]
fn a_failed_save_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let model = Model::load(&fixture("llama")).unwrap();
    let error = model.save(&file).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(model.save(&file.join("below")).is_err());
}

#[test]
fn frozen_models_are_read_like_whole_ones_and_then_frozen() {
    for name in ["llama", "llama3", "llama-linear", "qwen2", "qwen3", "qwen3-reward"] {
        for frozen in [Frozen::Bf16, Frozen::Int8, Frozen::Nf4] {
            let mut whole = Model::load(&fixture(name)).unwrap();
            whole.freeze(frozen);
            let model = Model::load_frozen(&fixture(name), frozen).unwrap();
            assert_eq!((model.frozen(), model.digest()), (Some(frozen), whole.digest()), "{name} {frozen}");
            // What is saved is what the matrices stand for.
            let dir = tempfile::tempdir().unwrap();
            model.save(&dir.path().join("saved")).unwrap();
            let again = Model::load(&dir.path().join("saved")).unwrap();
            assert_eq!(again.digest(), model.digest(), "{name} {frozen}");
        }
    }
    let dir = copy("qwen3");
    rewrite(dir.path(), |all| all.get_mut(Q).unwrap().2[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    let error = Model::load_frozen(dir.path(), Frozen::Nf4).unwrap_err().to_string();
    assert!(error.contains(Q) && error.contains("NaN"), "{error}");
}

#[test]
fn a_directorys_digest_is_of_its_contents() {
    let digest = |dir: &Path| crate::files_digest(dir).unwrap();
    let of = digest(&fixture("qwen3"));
    assert_eq!(of.len(), 64);
    assert_ne!(of, digest(&fixture("llama")));
    let other = copy("qwen3");
    assert_eq!(of, digest(other.path()));
    let file = other.path().join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_ne!(of, digest(other.path()));
    let sharded = copy("llama3");
    digest(sharded.path());
    fs::remove_file(sharded.path().join("model-00002-of-00006.safetensors")).unwrap();
    let error = crate::files_digest(sharded.path()).unwrap_err().to_string();
    assert!(error.contains("model-00002-of-00006.safetensors"), "{error}");
}
