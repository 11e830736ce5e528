//! The commands on one model, and what they say to bad input.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Scratch;
use serde_json::{Value, json};

fn lines(scratch: &Scratch, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(scratch.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sampled_log_probabilities_are_those_of_the_text() {
    let scratch = Scratch::new();
    scratch.base();
    let rows = [
        json!({"prompt": "Start with 3."}),
        json!({"messages": [{"role": "user", "content": "从3开始。"}]}),
        json!({"text": "Hello"}),
    ];
    scratch.write("p.jsonl", &rows.map(|row| row.to_string()).join("\n"));
    let arguments = ["--model", "base", "--input", "p.jsonl", "-n", "3", "--max-tokens", "9", "--seed", "5"];
    scratch.ok(&[&["sample", "--out", "s.jsonl"], &arguments[..]].concat());
    scratch.ok(&[&["sample", "--out", "s1.jsonl", "--threads", "1"], &arguments[..]].concat());
    let sampled = lines(&scratch, "s.jsonl");
    assert_eq!(sampled.len(), 9);
    assert_eq!(sampled, lines(&scratch, "s1.jsonl"));
    assert!(sampled[3]["prompt"].as_str().unwrap().contains("<|im_start|>user\n从3开始。<|im_end|>"));
    assert!(sampled[0]["prompt"] == "Start with 3." && sampled[6]["prompt"] == "Hello");
    for line in &sampled {
        let n = line["ids"].as_array().unwrap().len();
        assert!((1..=9).contains(&n) && line["logprobs"].as_array().unwrap().len() == n);
        assert!(line["finish_reason"] == "length" || line["finish_reason"] == "stop");
    }
    // The text, scored as it was given, has the sampled log-probabilities to the bit, as far as it has the sampled tokens
    // (the tokenizer may cut a random text in other places).
    let sampled: Vec<&Value> = sampled.iter().filter(|line| line["row"] == 3).collect();
    let texts: Vec<String> = sampled
        .iter()
        .map(|line| json!({"text": format!("Hello{}", line["completion"].as_str().unwrap())}).to_string())
        .collect();
    scratch.write("t.jsonl", &texts.join("\n"));
    scratch.ok(&["logprobs", "--model", "base", "--input", "t.jsonl", "--out", "l.jsonl"]);
    let mut compared = 0;
    for (sampled, scored) in sampled.iter().zip(lines(&scratch, "l.jsonl")) {
        assert_eq!(scored["logprobs"][0], Value::Null);
        let list = |value: &Value| value.as_array().unwrap().clone();
        let start = list(&sampled["prompt_ids"]).len();
        let ids = [list(&sampled["prompt_ids"]), list(&sampled["ids"])].concat();
        let same = ids.iter().zip(list(&scored["ids"])).take_while(|(a, b)| **a == *b).count();
        for t in start..same {
            assert_eq!(scored["logprobs"][t], sampled["logprobs"][t - start]);
            compared += 1;
        }
    }
    assert!(compared > 0);
}

#[test]
fn one_stage_without_a_recipe() {
    let scratch = Scratch::new();
    scratch.base();
    scratch.write("d.jsonl", "{\"q\": \"1+1?\", \"a\": \"2\"}\n{\"q\": \"2+1?\", \"a\": \"3\"}\n");
    let common = ["--model", "base", "--data", "d.jsonl", "--max-steps", "2", "--set", "save_steps=1"];
    scratch.ok(&[&["sft", "--columns", "prompt=q,completion=a", "--out", "s"], &common[..]].concat());
    assert!(scratch.path("s/arms/main/01-sft/checkpoint/model.safetensors").exists());
    let grpo =
        ["grpo", "--columns", "prompt=q,answer=a", "--reward", "length=0.5", "--reward", "accuracy", "--out", "g"];
    scratch.ok(&[&grpo[..], &common[..], &["--set", "max_completion_length=8"]].concat());
    let metrics = std::fs::read_to_string(scratch.path("g/arms/main/01-grpo/metrics.jsonl")).unwrap();
    assert!(metrics.lines().count() == 2 && metrics.contains("\"rewards/length/mean\""), "{metrics}");
}

#[test]
fn the_lab_can_be_taken_along() {
    let scratch = Scratch::new();
    assert!(scratch.ok(&["lab", "list"]).contains("lab:demonstrations"));
    scratch.ok(&["lab", "export", "lab:problems", "--out", "x/problems.jsonl"]);
    let rows = lines(&scratch, "x/problems.jsonl");
    assert!(rows.len() > 1000 && rows[0]["prompt"][0]["role"] == "user" && rows[0]["answer"].is_string());
    let error = scratch.refused(&["lab", "export", "problem", "--out", "y.jsonl"]);
    assert!(error.contains("did you mean `problems`"), "{error}");
    assert!(!scratch.path("y.jsonl").exists());
}

/// Merging what a stage trained into its base gives the stage's checkpoint, to the byte.
#[test]
fn an_adapter_and_its_base_merge_into_the_checkpoint() {
    let scratch = Scratch::new();
    scratch.base();
    let recipe = "
name: one
seed: 3
model: {path: base}
data: {rows: {path: 'lab:demonstrations', rows: 20}}
arms:
  a:
    stages:
      - sft: {data: rows, max_steps: 2, batch_size: 4, learning_rate: 0.01, save_steps: 0, lora: {r: 4, alpha: 8}}
";
    scratch.write("one.yaml", recipe);
    scratch.ok(&["run", "one.yaml", "--out", "r"]);
    let checkpoint = scratch.path("r/arms/a/01-sft/checkpoint");
    let adapter = checkpoint.join("adapter");
    let adapter = adapter.to_str().unwrap();
    let said = scratch.ok(&["merge", "--model", "base", "--adapter", adapter, "--out", "merged", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["tensors"].as_u64().unwrap() > 0 && said["digest"].as_str().unwrap().len() == 64, "{said}");
    let weights = |dir: &std::path::Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    let merged = scratch.path("merged");
    assert!(weights(&merged) == weights(&checkpoint) && weights(&merged) != weights(&scratch.path("base")));
    assert!(merged.join("tokenizer.json").exists());
    let again = scratch.refused(&["merge", "--model", "base", "--adapter", adapter, "--out", "merged"]);
    assert!(again.contains("is not empty"), "{again}");
    let wrong = scratch.refused(&["merge", "--model", "base", "--adapter", "base", "--out", "other"]);
    assert!(wrong.contains("adapter_config.json"), "{wrong}");
    let wrong = scratch.refused(&["merge", "--model", adapter, "--adapter", adapter, "--out", "other"]);
    assert!(wrong.contains("config.json") && !scratch.path("other").exists(), "{wrong}");
}

#[test]
fn bad_input_is_named_and_writes_nothing() {
    let scratch = Scratch::new();
    let base = scratch.base();
    scratch.write("in.jsonl", "{\"text\": \"a b\"}\n");
    let logprobs = |model: &str, input: &str| {
        let error = scratch.refused(&["logprobs", "--model", model, "--input", input, "--out", "o.jsonl"]);
        assert!(!scratch.path("o.jsonl").exists());
        error
    };
    let says = |error: String, parts: &[&str]| {
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    };
    let copy = |name: &str| {
        std::fs::create_dir(scratch.path(name)).unwrap();
        for file in std::fs::read_dir(&base).unwrap().flatten() {
            std::fs::copy(file.path(), scratch.path(name).join(file.file_name())).unwrap();
        }
        scratch.path(name)
    };

    says(logprobs("nowhere", "in.jsonl"), &["nowhere", "does not exist"]);
    let half = copy("half");
    let bytes = std::fs::read(half.join("model.safetensors")).unwrap();
    std::fs::write(half.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    says(logprobs("half", "in.jsonl"), &["half/model.safetensors", "truncated"]);
    let other = copy("other");
    let config = std::fs::read_to_string(other.join("config.json")).unwrap();
    std::fs::write(other.join("config.json"), config.replace("Qwen3ForCausalLM", "BloomForCausalLM")).unwrap();
    says(logprobs("other", "in.jsonl"), &["BloomForCausalLM", "LlamaForCausalLM", "Qwen3ForCausalLM"]);
    let large = copy("large");
    let tokenizer = std::fs::read_to_string(large.join("tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_str(&tokenizer).unwrap();
    let extra = json!({"id": 9000, "content": "<extra>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    tokenizer["model"]["vocab"]["<extra>"] = json!(9000);
    tokenizer["added_tokens"].as_array_mut().unwrap().push(extra);
    std::fs::write(large.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    says(logprobs("large", "in.jsonl"), &["large", "tokenizer", "embedding"]);

    scratch.write("broken.jsonl", "{\"text\": \"a\"}\n{\"text\": \n");
    says(logprobs("base", "broken.jsonl"), &["broken.jsonl:2", "JSON"]);
    scratch.write("field.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
    says(logprobs("base", "field.jsonl"), &["field.jsonl:2", "`txt`", "text"]);

    says(scratch.refused(&["run", "gone.yaml"]), &["gone.yaml"]);
    let set = |change: &[&str]| {
        let mut args = vec!["run", "recipe.yaml", "--out", "r"];
        args.extend(change.iter().flat_map(|c| ["--set", c]));
        let error = scratch.refused(&args);
        assert!(!scratch.path("r").exists(), "{error}");
        error
    };
    says(set(&["arms.hybrid.stages.1.grpo.betta=0"]), &["betta", "did you mean `beta`"]);
    says(set(&["data.problems.path=missing.jsonl"]), &["missing.jsonl"]);
    says(
        set(&["suites.familiar.scorers=[accuracy]", "gates.0.metric=accuracy"]),
        &["gates[0].metric", "hybrid", "What trained a model cannot be what passes it"],
    );
    // The same scorer under another name is still the same scorer.
    says(
        set(&["scorers.mine={type: accuracy, title: Mine}", "suites.familiar.scorers=[mine]", "gates.0.metric=mine"]),
        &["mine", "accuracy", "hybrid"],
    );
    says(set(&["data.problems.path=lab:eval/familiar"]), &["familiar"]);
}

#[test]
fn bench_reports_numbers_that_agree_with_each_other() {
    let scratch = Scratch::new();
    scratch.base();
    // Token ids only: no tokenizer is needed.
    std::fs::remove_file(scratch.path("base/tokenizer.json")).unwrap();
    let works: [(&str, &[&str], f64); 3] = [
        ("train", &["--batch", "2", "--seq", "16"], 32.0),
        ("decode", &["--batch", "3", "--seq", "8", "--new-tokens", "4"], 12.0),
        ("grpo", &["--batch", "2", "--group", "3", "--seq", "8", "--new-tokens", "4"], 24.0),
    ];
    for (work, sizes, tokens) in works {
        for dtype in ["f32", "bf16"] {
            let common =
                ["bench", work, "--model", "base", "--dtype", dtype, "--seconds", "0", "--threads", "2", "--json"];
            let report: Value = serde_json::from_str(&scratch.ok(&[&common[..], sizes].concat())).unwrap();
            let number = |path: &str| {
                let value = report.pointer(path).and_then(Value::as_f64);
                value.filter(|v| v.is_finite() && *v > 0.0).unwrap_or_else(|| panic!("{path} of {report}"))
            };
            let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} and {b} in {report}");
            assert_eq!((&report["work"], &report["dtype"]), (&json!(work), &json!(dtype)));
            assert_eq!((number("/tokens"), number("/threads"), number("/repeats")), (tokens, 2.0, 3.0));
            for spread in ["seconds", "tokens_per_s"] {
                let [min, median, max] = ["min", "median", "max"].map(|field| number(&format!("/{spread}/{field}")));
                assert!(min <= median && median <= max, "{report}");
            }
            close(number("/tokens_per_s/median"), tokens / number("/seconds/median"));
            close(number("/share_of_peak"), number("/flops_per_s") / number("/peak_flops_per_s"));
            close(number("/arithmetic_limit/seconds"), number("/flops") / number("/peak_flops_per_s"));
            close(number("/arithmetic_limit/share"), number("/arithmetic_limit/seconds") / number("/seconds/median"));
            if work == "decode" {
                close(number("/memory_limit/seconds"), number("/bytes") / number("/memory_bytes_per_s"));
            }
            if work == "grpo" {
                assert!(number("/sampling_seconds/min") + number("/training_seconds/min") <= number("/seconds/max"));
            }
            assert!(number("/peak_memory_bytes") > 1e6 && report["peak_instructions"].is_string());
        }
    }
    let text = scratch.ok(&["bench", "train", "--model", "base", "--batch", "2", "--seq", "16", "--seconds", "0"]);
    assert!(text.contains("tokens per second") && text.contains("arithmetic limit"), "{text}");
}

#[test]
fn bench_names_what_it_cannot_measure() {
    let scratch = Scratch::new();
    scratch.base();
    for (args, parts) in [
        (&["train", "--model", "nowhere"][..], &["nowhere", "Hugging Face directory"][..]),
        (&["train", "--model", "base", "--dtype", "f16"], &["`f16`", "f32 or bf16"]),
        (&["train", "--model", "base", "--seq", "100000"], &["100000 tokens", "max_position_embeddings", "--seq"]),
        (&["decode", "--model", "base", "--new-tokens", "100000"], &["100000 new", "max_position_embeddings"]),
        (&["decode", "--model", "base", "--batch", "0"], &["--batch 0", "at least 1"]),
        (&["train", "--model", "base", "--new-tokens", "4"], &["--new-tokens"]),
        (&["train", "--model", "base", "--seconds=-1"], &["--seconds -1"]),
        (&["score", "--model", "base"], &["score"]),
    ] {
        let error = scratch.refused(&[&["bench"], args].concat());
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
    }
}
