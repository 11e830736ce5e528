use serde_json::{Value, json};

use crate::config::{Arch, AttentionBias, RopeScaling};
use crate::{EngineError, ModelConfig};

fn parse(json: &Value) -> ModelConfig {
    ModelConfig::from_json(json).unwrap()
}

fn problem(json: &Value) -> String {
    ModelConfig::from_json(json).unwrap_err().to_string()
}

fn with(mut json: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        json[key] = value.clone();
    }
    json
}

/// Without the keys that do not matter to the engine; the same numbers as in the model's own file.
fn llama_31_8b() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false, "mlp_bias": false,
        "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 14336, "max_position_embeddings": 131072, "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-5,
        "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 128256
    })
}

fn qwen25_05b() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "bos_token_id": 151643, "eos_token_id": 151645,
        "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768,
        "max_window_layers": 21, "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
        "torch_dtype": "bfloat16", "use_sliding_window": false, "vocab_size": 151936
    })
}

fn qwen3_06b() -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": false, "bos_token_id": 151643,
        "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
        "max_position_embeddings": 40960, "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-6, "rope_scaling": null, "rope_theta": 1000000,
        "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_sliding_window": false,
        "vocab_size": 151936
    })
}

fn mistral_7b() -> Value {
    json!({
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "bos_token_id": 1, "eos_token_id": 2,
        "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 32768,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
        "vocab_size": 32000
    })
}

/// The parameter counts that are published for these models.
#[test]
fn real_models_have_their_number_of_parameters() {
    let cases = [
        (llama_31_8b(), 8_030_261_248),
        (qwen25_05b(), 494_032_768),
        (qwen3_06b(), 596_049_920),
        (mistral_7b(), 7_241_732_096),
    ];
    for (json, expected) in cases {
        assert_eq!(parse(&json).num_params(), expected, "{}", json["architectures"]);
    }
}

#[test]
fn reads_what_each_family_adds() {
    let llama = parse(&llama_31_8b());
    assert_eq!((llama.arch, llama.head_dim, llama.qk_norm), (Arch::Llama, 128, false));
    assert_eq!(llama.eos_token_ids, [128001, 128008, 128009]);
    assert_eq!(
        llama.rope.scaling,
        RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192
        }
    );
    let qwen2 = parse(&qwen25_05b());
    assert_eq!(qwen2.attention_bias, AttentionBias { qkv: true, o: false });
    assert_eq!(qwen2.sliding_window, vec![None; 24]);
    let qwen3 = parse(&qwen3_06b());
    assert!(qwen3.qk_norm && qwen3.tie_word_embeddings);
    assert_eq!((qwen3.head_dim, qwen3.q_size(), qwen3.rope.theta), (128, 2048, 1e6));
    assert_eq!(parse(&mistral_7b()).sliding_window, vec![Some(4096); 32]);
    let newer = with(mistral_7b(), json!({"sliding_window": null}));
    assert_eq!(parse(&newer).sliding_window, vec![None; 32]);
    let biased = parse(&with(llama_31_8b(), json!({"attention_bias": true, "mlp_bias": true})));
    assert!(biased.attention_bias.qkv && biased.attention_bias.o && biased.mlp_bias);
}

/// The config with the keys that define the model, without the file's spelling.
fn essence(config: &ModelConfig) -> ModelConfig {
    ModelConfig { raw: Default::default(), generation: Default::default(), ..config.clone() }
}

#[test]
fn both_spellings_mean_the_same() {
    let mut new = llama_31_8b();
    let object = new.as_object_mut().unwrap();
    object.remove("rope_theta");
    object.remove("rope_scaling");
    object.remove("torch_dtype");
    new["dtype"] = json!("bfloat16");
    new["rope_parameters"] = json!({"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    assert_eq!(essence(&parse(&new)), essence(&parse(&llama_31_8b())));
    // `type` was the key before `rope_type`.
    let old = with(qwen25_05b(), json!({"rope_scaling": {"type": "linear", "factor": 2}}));
    assert_eq!(parse(&old).rope.scaling, RopeScaling::Linear { factor: 2.0 });
    assert_eq!(parse(&old).rope.theta, 1e6);
}

#[test]
fn yarn_takes_its_defaults() {
    let yarn = |parameters: Value| parse(&with(qwen3_06b(), json!({"rope_scaling": parameters}))).rope.scaling;
    let expected = RopeScaling::Yarn {
        factor: 4.0,
        original_max_position_embeddings: 32768,
        beta_fast: 32.0,
        beta_slow: 1.0,
        attention_factor: None,
        mscale: None,
        mscale_all_dim: None,
        truncate: true,
    };
    assert_eq!(yarn(json!({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})), expected);
    // No factor: the ratio of the two lengths; no original length: the model's own.
    let RopeScaling::Yarn { factor, .. } =
        yarn(json!({"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 10240}))
    else {
        panic!()
    };
    assert_eq!(factor, 4.0);
    let RopeScaling::Yarn { original_max_position_embeddings, attention_factor, truncate, .. } =
        yarn(json!({"rope_type": "yarn", "factor": 2, "attention_factor": 1.5, "truncate": false}))
    else {
        panic!()
    };
    assert_eq!((original_max_position_embeddings, attention_factor, truncate), (40960, Some(1.5), false));
}

#[test]
fn qwen_windows_follow_layer_types_or_max_window_layers() {
    let base = with(qwen25_05b(), json!({"num_hidden_layers": 4, "use_sliding_window": true, "sliding_window": 8}));
    let by_depth = with(base.clone(), json!({"max_window_layers": 3}));
    assert_eq!(parse(&by_depth).sliding_window, [None, None, None, Some(8)]);
    let types = json!(["sliding_attention", "full_attention", "sliding_attention", "full_attention"]);
    let by_type = with(base, json!({"layer_types": types}));
    assert_eq!(parse(&by_type).sliding_window, [Some(8), None, Some(8), None]);
    let unused = with(by_type.clone(), json!({"use_sliding_window": false}));
    assert!(problem(&unused).contains("layer_types"));
    // What is written reads back the same.
    for json in [by_depth, by_type] {
        assert_eq!(essence(&parse(&parse(&json).to_json())), essence(&parse(&json)));
    }
}

#[test]
fn refuses_what_it_would_get_wrong() {
    let cases = [
        (json!({"architectures": ["GemmaForCausalLM"]}), vec!["GemmaForCausalLM", "Qwen3ForCausalLM"]),
        (
            json!({"architectures": ["LlamaForTokenClassification"]}),
            vec!["LlamaForTokenClassification", "MistralForCausalLM", "ForSequenceClassification"],
        ),
        (
            json!({"architectures": ["LlamaForSequenceClassification"], "id2label": ["good"]}),
            vec!["id2label", "[\"good\"]"],
        ),
        (
            json!({"architectures": ["LlamaForSequenceClassification"], "num_labels": 2, "id2label": {"0": "good"}}),
            vec!["num_labels", "is 2", "1 entries"],
        ),
        (
            json!({"architectures": ["LlamaForSequenceClassification"], "num_labels": 0}),
            vec!["num_labels", "1 or more"],
        ),
        (json!({"architectures": null, "model_type": "mamba"}), vec!["mamba", "LlamaForCausalLM"]),
        (json!({"architectures": null, "model_type": null}), vec!["architectures"]),
        (json!({"quantization_config": {"quant_method": "gptq"}}), vec!["quantization_config", "bfloat16"]),
        (json!({"hidden_act": "gelu"}), vec!["hidden_act", "gelu", "silu"]),
        (json!({"num_experts": 64}), vec!["num_experts", "dense"]),
        (json!({"partial_rotary_factor": 0.5}), vec!["partial_rotary_factor", "0.5"]),
        (
            json!({"rope_scaling": {"type": "dynamic", "factor": 2.0}}),
            vec!["rope_scaling.type", "dynamic", "llama3", "yarn"],
        ),
        (json!({"rope_scaling": {"rope_type": "longrope"}}), vec!["rope_scaling.rope_type", "longrope", "linear"]),
        (json!({"rope_scaling": {"rope_type": "linear"}}), vec!["rope_scaling.factor", "missing"]),
        (json!({"rope_scaling": {"rope_type": "linear", "factor": "2"}}), vec!["rope_scaling.factor", "\"2\""]),
        (json!({"rope_scaling": 3}), vec!["rope_scaling", "object", "3"]),
        (json!({"hidden_size": null}), vec!["hidden_size", "missing"]),
        (json!({"hidden_size": -1}), vec!["hidden_size", "-1"]),
        (json!({"vocab_size": "many"}), vec!["vocab_size", "many"]),
        (json!({"num_key_value_heads": 5}), vec!["num_key_value_heads", "32"]),
        (json!({"num_key_value_heads": 0}), vec!["num_key_value_heads", "1 or more"]),
        (json!({"head_dim": 7}), vec!["head_dim", "odd"]),
        (json!({"num_attention_heads": 30}), vec!["hidden_size", "30"]),
        (json!({"tie_word_embeddings": "yes"}), vec!["tie_word_embeddings", "true or false"]),
        (json!({"eos_token_id": ["</s>"]}), vec!["eos_token_id", "token id"]),
        (json!({"vocab_size": 1u64 << 60}), vec!["implausibly"]),
    ];
    for (change, words) in cases {
        let text = problem(&with(llama_31_8b(), change.clone()));
        for word in words {
            assert!(text.contains(word), "{change}: {text}");
        }
    }
    assert!(matches!(ModelConfig::from_json(&json!([])), Err(EngineError::Config { .. })));
}

#[test]
fn absent_keys_take_the_familys_defaults() {
    let mut json = llama_31_8b();
    for key in [
        "num_key_value_heads",
        "rope_theta",
        "rope_scaling",
        "eos_token_id",
        "bos_token_id",
        "rms_norm_eps",
        "max_position_embeddings",
    ] {
        json.as_object_mut().unwrap().remove(key);
    }
    let config = parse(&json);
    assert_eq!((config.num_kv_heads, config.rope.theta, config.rms_norm_eps), (32, 1e4, 1e-6));
    assert_eq!((config.bos_token_id, config.eos_token_ids.as_slice()), (Some(1), &[2][..]));
    assert_eq!(config.max_position_embeddings, 2048);
    let mut json = mistral_7b();
    json.as_object_mut().unwrap().remove("sliding_window");
    assert_eq!(parse(&json).sliding_window[0], Some(4096));
    // Without `architectures`, `model_type` decides.
    assert_eq!(parse(&with(qwen3_06b(), json!({"architectures": null}))).arch, Arch::Qwen3);
}

#[test]
fn what_is_written_reads_back_and_keeps_unknown_keys() {
    let yarn = json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 10240, "mscale": 0.7,
        "mscale_all_dim": 1.0, "finetuned": true});
    let extra = json!({"my_key": {"a": [1, 2]}, "use_cache": true});
    for json in [
        with(llama_31_8b(), extra.clone()),
        with(qwen25_05b(), extra.clone()),
        with(qwen3_06b(), with(extra.clone(), json!({"rope_scaling": yarn}))),
        with(mistral_7b(), with(extra, json!({"rope_scaling": {"type": "linear", "factor": 2.5}}))),
    ] {
        let config = parse(&json);
        let written = config.to_json();
        assert_eq!(essence(&parse(&written)), essence(&config));
        assert_eq!(written["my_key"], json["my_key"]);
        assert_eq!((&written["dtype"], &written["torch_dtype"]), (&json!("float32"), &json!("float32")));
        // Either spelling alone is enough.
        for drop in [["rope_parameters", "dtype"].as_slice(), &["rope_theta", "rope_scaling", "torch_dtype"]] {
            let mut one = written.clone();
            for key in drop {
                one.as_object_mut().unwrap().remove(*key);
            }
            assert_eq!(essence(&parse(&one)), essence(&config), "without {drop:?}");
        }
        // Writing twice changes nothing more.
        assert_eq!(parse(&written).to_json(), written);
    }
    let kept = parse(&with(qwen3_06b(), json!({"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "odd": 1}})));
    assert_eq!(kept.to_json()["rope_parameters"]["odd"], json!(1));
}

#[test]
fn sequence_classifiers_have_the_labels_that_transformers_counts() {
    let labels = |change: Value| {
        let config =
            parse(&with(with(qwen3_06b(), json!({"architectures": ["Qwen3ForSequenceClassification"]})), change));
        assert_eq!((config.arch, config.architecture()), (Arch::Qwen3, "Qwen3ForSequenceClassification"));
        let written = config.to_json();
        assert_eq!(essence(&parse(&written)), essence(&config));
        assert_eq!(written["architectures"], json!(["Qwen3ForSequenceClassification"]));
        assert_eq!(written["id2label"].as_object().map(|l| l.len()), config.num_labels);
        (config.num_labels.unwrap(), written["id2label"]["0"].clone())
    };
    assert_eq!(labels(json!({})), (2, json!("LABEL_0")));
    assert_eq!(labels(json!({"num_labels": 1})), (1, json!("LABEL_0")));
    let named =
        json!({"id2label": {"0": "bad", "1": "good", "2": "best"}, "label2id": {"bad": 0, "good": 1, "best": 2}});
    assert_eq!(labels(named), (3, json!("bad")));
    assert_eq!(parse(&qwen3_06b()).num_labels, None);
    // The head of the language model gives way, tied or not.
    for tied in [true, false] {
        let change = json!({"architectures": ["Qwen3ForSequenceClassification"], "num_labels": 1});
        let config = parse(&with(with(qwen3_06b(), change), json!({"tie_word_embeddings": tied})));
        assert_eq!(config.num_params(), 596_049_920 + 1024);
    }
}

#[test]
fn generation_config_joins() {
    let read = json!({"eos_token_id": [151645, 151643], "temperature": 0.6, "pad_token_id": 151643});
    let config = parse(&qwen3_06b()).with_generation(&read).unwrap();
    assert_eq!(config.eos_token_ids, [151645, 151643]);
    assert_eq!(config.pad_token_id, Some(151643));
    let written = config.generation_json();
    assert_eq!(written["temperature"], json!(0.6));
    assert_eq!(written["eos_token_id"], json!([151645, 151643]));
    let wrong = parse(&qwen3_06b()).with_generation(&json!({"eos_token_id": 1.5}));
    assert!(wrong.unwrap_err().to_string().contains("generation_config.eos_token_id"));
}

#[test]
fn a_model_made_here_is_written_whole() {
    let config = ModelConfig::small(50, 16, 2, 2, 1, 24);
    assert_eq!(essence(&parse(&config.to_json())), config);
}

/// Against `transformers/modeling_rope_utils.py`; `tools/fixtures/engine_models.py` made the numbers.
#[test]
fn rotary_frequencies_are_those_of_transformers() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rope.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let json = with(llama_31_8b(), json!({"rope_scaling": case["rope_parameters"], "head_dim": case["head_dim"]}));
        let config = parse(&json);
        let (found, factor) = crate::ops::rope::frequencies(&config.rope, config.head_dim);
        let expected: Vec<f64> = case["inv_freq"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            // The reference is computed in f32.
            assert!((found - expected).abs() < 2e-6 * expected, "{found} {expected}: {case}");
        }
        assert!((factor - case["attention_factor"].as_f64().unwrap()).abs() < 1e-9, "{case}");
    }
}
