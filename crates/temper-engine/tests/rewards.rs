//! Sequence classifiers (reward models) of every family: directories of transformers in and out.
//! `tools/fixtures/engine_models.py` made the reference.

mod common;

use common::{REWARDS, fixtures, load_rewards};
use temper_engine::{Model, Packed};

#[test]
fn rewards_agree_with_transformers() {
    for name in REWARDS {
        let (model, sequences) = load_rewards(name);
        let ids: Vec<&[u32]> = sequences.iter().map(|s| s.ids.as_slice()).collect();
        let together = model.rewards(&Packed::new(&ids));
        let expected: Vec<f64> = sequences.iter().flat_map(|s| s.rewards.clone()).collect();
        assert_eq!(together.len(), expected.len());
        for (found, expected) in together.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 2e-4, "{name}: {found}, {expected}");
        }
        let alone: Vec<f32> = ids.iter().flat_map(|ids| model.rewards(&Packed::new(&[ids]))).collect();
        assert_eq!(alone, together, "{name}: alone and in a batch");
    }
}

#[test]
fn directories_of_sequence_classifiers_are_read_and_written() {
    let labels = [1, 2, 3, 1];
    for (name, labels) in REWARDS.into_iter().zip(labels) {
        let model = Model::load(&fixtures().join(name)).unwrap();
        let head = model.tensors().last().unwrap();
        assert_eq!((head.name.as_str(), &head.shape), ("score.weight", &vec![labels, model.config().hidden_size]));
        assert!(model.tensors().iter().all(|t| t.name != "lm_head.weight"));
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join(name);
        model.save(&out).unwrap();
        let again = Model::load(&out).unwrap();
        assert_eq!((again.digest(), again.config().num_labels), (model.digest(), Some(labels)));
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("config.json")).unwrap()).unwrap();
        assert!(json["architectures"][0].as_str().unwrap().ends_with("ForSequenceClassification"));
        assert_eq!(json["id2label"].as_object().unwrap().len(), labels);
    }
}

#[test]
fn a_language_model_is_not_taken_for_a_classifier() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("model");
    let copy = |from: &str, file: &str| std::fs::copy(fixtures().join(from).join(file), out.join(file)).unwrap();
    std::fs::create_dir(&out).unwrap();
    copy("qwen3", "model.safetensors");
    let config = std::fs::read_to_string(fixtures().join("qwen3/config.json")).unwrap();
    let config = config.replace("Qwen3ForCausalLM", "Qwen3ForSequenceClassification");
    std::fs::write(out.join("config.json"), config).unwrap();
    let error = Model::load(&out).unwrap_err().to_string();
    assert!(error.contains("score.weight") && error.contains("language model"), "{error}");
}
