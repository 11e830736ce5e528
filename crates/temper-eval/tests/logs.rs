//! Logs that others open, and logs of others.
//!
//! Set `TEMPER_PYTHON` to a Python with inspect_ai and lm_eval to have both read what is written here; without it, or without
//! one of them, the tests say that they were skipped.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use temper_eval::{
    ItemRecord, LENGTH, Log, LogHead, Metric, NOT_SAMPLED, Recorded, open_log, read_log, write_lm_eval, write_log_with,
};
use temper_score::{Better, Score};

fn record(id: &str, repeat: usize, scores: &[(&str, Score)]) -> ItemRecord {
    ItemRecord {
        suite: "sums".to_owned(),
        id: id.to_owned(),
        repeat,
        prompt: format!("What is {id}? 漢字 </script>"),
        text: format!("<think>\nI add.\n</think>\n\\boxed{{{id}}}"),
        thinking: Some("I add.".to_owned()),
        answer: format!("\\boxed{{{id}}}"),
        tokens: 9 + repeat,
        finish: "stop".to_owned(),
        scores: scores.iter().map(|(name, score)| ((*name).to_owned(), score.clone())).collect(),
        answers: [("right".to_owned(), id.to_owned())].into(),
        explanations: Default::default(),
        slices: [("level".to_owned(), "easy".to_owned())].into(),
        cluster: None,
        tags: vec!["right:no_box".to_owned()],
        fields: json!({"target": "4", "big": u64::MAX}).as_object().cloned().unwrap(),
    }
}

fn log() -> Log {
    let unscored = || Score::Unscored("the judge did not answer".to_owned());
    let mut cut = record("3", 0, &[("right", Score::Value(0.0)), ("share", Score::Error("exit code 1".to_owned()))]);
    cut.finish = LENGTH.to_owned();
    cut.thinking = None;
    cut.answer = "no thinking".to_owned();
    cut.text = cut.answer.clone();
    let mut none = record("a/b \"c\"", 0, &[("right", unscored()), ("share", unscored())]);
    none.finish = NOT_SAMPLED.to_owned();
    (none.text, none.answer, none.thinking, none.tokens) = (String::new(), String::new(), None, 0);
    let records = vec![
        record("1+1", 0, &[("right", Score::Value(1.0)), ("share", Score::Value(0.25))]),
        record("1+1", 1, &[("right", Score::Value(0.0)), ("share", unscored())]),
        record("2", 0, &[("right", Score::Value(1.0)), ("share", Score::NotApplicable)]),
        record("2", 1, &[("right", Score::Value(1.0)), ("share", Score::Value(0.75))]),
        cut,
        none,
    ];
    let metric =
        |name: &str, better| Metric { name: name.to_owned(), title: name.to_owned(), better, range: Some((0.0, 1.0)) };
    let head = LogHead {
        suite: "sums".to_owned(),
        model: "org/model".to_owned(),
        dataset: Some("lab:problems".to_owned()),
        repeats: Some(2),
        sampling: Some(temper_recipe::Sampling { temperature: 0.5, ..Default::default() }),
        seed: Some(3),
        metrics: vec![metric("right", Better::Higher), metric("share", Better::Lower)],
        ..LogHead::default()
    };
    Log { head, records }
}

/// What `tools/fixtures/check_logs.py` says; `None` where there is no Python with the module.
fn python(module: &str, arguments: &[&str]) -> Option<Value> {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON names no Python with {module}");
        return None;
    };
    let has = Command::new(&python).args(["-c", &format!("import {module}")]).output().unwrap();
    if !has.status.success() {
        println!("skipped: the Python of TEMPER_PYTHON has no {module}");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/fixtures/check_logs.py");
    let out = Command::new(&python).arg(script).args(arguments).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn inspect_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.eval");
    let log = log();
    write_log_with(&file, &log.head, &log.records).unwrap();
    assert_eq!(read_log(&file).unwrap(), log.records);
    let Some(read) = python("inspect_ai", &["eval", &file.display().to_string()]) else { return };
    for (key, expected) in [
        ("status", json!("success")),
        ("model", json!("org/model")),
        ("task", json!("sums")),
        ("epochs", json!(2)),
        ("temperature", json!(0.5)),
        ("dataset", json!(["lab:problems", 4])),
        ("total", json!(6)),
        ("completed", json!(5)),
        ("unscored", json!({"right": 1, "share": 4})),
        ("summaries", json!(6)),
        ("listed", json!(["base.eval"])),
        ("reductions", json!({"right": {"1+1": 0.5, "2": 1.0, "3": 0.0}, "share": {"1+1": 0.25, "2": 0.75}})),
    ] {
        assert_eq!(read[key], expected, "{key}");
    }
    // The results are those that Inspect computes from the samples.
    for (scorer, mean) in [("right", "accuracy"), ("share", "mean")] {
        let (ours, theirs) = (&read["results"][scorer], &read["recomputed"][scorer]);
        for (a, b) in [(&ours[mean], &theirs["mean"]), (&ours["stderr"], &theirs["stderr"])] {
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12, "{scorer}: {a} {b}");
        }
    }
    // Inspect sorts by epoch and id.
    let samples = read["samples"].as_array().unwrap();
    let sample = |id: &str, epoch: u64| samples.iter().find(|s| s["id"] == id && s["epoch"] == epoch).unwrap();
    let one = sample("1+1", 2);
    assert_eq!(one["scores"], json!({"right": 0.0, "share": null}));
    assert_eq!(one["reasons"], json!({"share": "unscored"}));
    assert_eq!(one["explanations"]["share"], "the judge did not answer");
    assert_eq!((&one["reasoning"], &one["answer"]), (&json!(["I add."]), &json!("\\boxed{1+1}")));
    assert_eq!((&one["tokens"], &one["stop"], &one["target"]), (&json!(10), &json!("stop"), &json!("4")));
    assert_eq!(one["fields"], json!({"target": "4", "big": u64::MAX}));
    assert_eq!(one["answers"], json!({"right": "1+1"}));
    assert_eq!(one["input"], log.records[1].prompt.as_str());
    assert_eq!(sample("3", 1)["stop"], "max_tokens");
    assert_eq!(sample("3", 1)["reasons"], json!({"share": "scoring_failed"}));
    assert_eq!(sample("2", 1)["reasons"], json!({"share": "not_applicable"}));
    assert_eq!(sample("a/b \"c\"", 1)["stop"], Value::Null);
}

#[test]
fn lm_eval_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let log = log();
    let written = write_lm_eval(folder.path(), std::slice::from_ref(&log)).unwrap();
    assert_eq!(written.results.parent().unwrap(), folder.path().join("org__model"));
    assert_eq!(written.notes.len(), 2, "{:?}", written.notes);
    let results: Value = serde_json::from_slice(&std::fs::read(&written.results).unwrap()).unwrap();
    assert_eq!(results["results"]["sums"]["right,none"], 0.5);
    assert_eq!(results["results"]["sums"]["share_stderr,none"], 0.25);
    assert_eq!(results["higher_is_better"]["sums"], json!({"right": true, "share": false}));
    // Every key of a results file and of a sample that lm-eval itself writes for a task of one model.
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lm_eval");
    let (file, samples) = (only(&theirs, "results_"), only(&theirs, "samples_mini_sums"));
    let own: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let missing: Vec<&String> = own.as_object().unwrap().keys().filter(|key| results.get(*key).is_none()).collect();
    assert!(missing.iter().all(|key| OF_ITS_OWN.contains(&key.as_str())), "{missing:?}");
    let line = |file: &Path| -> Value {
        serde_json::from_str(std::fs::read_to_string(file).unwrap().lines().next().unwrap()).unwrap()
    };
    let (ours, theirs) = (line(&written.samples[0]), line(&samples));
    for key in theirs.as_object().unwrap().keys().filter(|key| *key != "exact_match") {
        assert_eq!(kind(&ours[key]), kind(&theirs[key]), "{key}");
    }
    // What it reads back as: one record per item, the mean of its repeats.
    let back = open_log(&written.samples[0]).unwrap();
    assert_eq!(back.head.model, "org/model");
    let values: Vec<_> = back.records.iter().map(|r| r.scores.get("right").and_then(Score::value)).collect();
    assert_eq!(values, [Some(0.5), Some(1.0), Some(0.0), None]);
    assert_eq!(back.head.metrics[0].better, Better::Higher);
    let Some(read) = python("lm_eval", &["lm-eval", &folder.path().display().to_string()]) else { return };
    let table = read["table"].as_str().unwrap();
    assert!(table.contains("|sums") && table.contains("right") && table.contains("0.5"), "{table}");
    assert_eq!(read["samples"]["sums"].as_array().unwrap().len(), 4);
    assert_eq!(read["samples"]["sums"][0]["right"], 0.5);
}

/// Keys about lm-eval's own machine and version.
const OF_ITS_OWN: [&str; 10] = [
    "pretty_env_info",
    "transformers_version",
    "lm_eval_version",
    "upper_git_hash",
    "tokenizer_pad_token",
    "tokenizer_eos_token",
    "tokenizer_bos_token",
    "eot_token_id",
    "max_length",
    "samples",
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn only(folder: &Path, prefix: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix));
    let one = found.next().unwrap();
    assert!(found.next().is_none());
    one
}

/// The files in `tests/fixtures/lm_eval` are lm-eval's own, made by `tools/fixtures/lm_eval_logs.py`.
#[test]
fn lm_evals_files_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lm_eval");
    let sums = open_log(&only(&folder, "samples_mini_sums")).unwrap();
    assert_eq!((sums.head.suite.as_str(), sums.records.len()), ("mini_sums", 3));
    let first = &sums.records[0];
    assert_eq!((first.prompt.as_str(), first.text.as_str(), first.id.as_str()), ("What is 2 + 3?", "lol", "0"));
    let names: Vec<&String> = first.scores.keys().collect();
    assert_eq!(names, ["exact_match,first", "exact_match,number"]);
    assert_eq!(first.answers["exact_match,number"], "[invalid]");
    assert_eq!(first.fields["target"], "5");
    assert_eq!(sums.head.notes, ["3 further responses to an item have no score of their own and are left out"]);
    assert_eq!(sums.head.metrics[0].better, Better::Higher);
    // A choice: the option with the highest log-likelihood, and a metric per line.
    let choice = open_log(&only(&folder, "samples_mini_choice")).unwrap();
    for record in &choice.records {
        let right = record.scores["acc"].value().unwrap() == 1.0;
        assert_eq!(record.answer == record.fields["answer"].as_str().unwrap(), right, "{record:?}");
    }
    // All tasks of a results file, and what lm-eval recorded is the mean of what is read.
    let all = open_log(&only(&folder, "results_")).unwrap();
    assert_eq!((all.head.suite.as_str(), all.records.len()), ("mini_choice+mini_sums", 6));
    let means: Vec<&Recorded> = all.head.recorded.iter().filter(|one| one.name == "mean").collect();
    assert_eq!(means.len(), 4);
    for one in means {
        let (task, metric) = one.scorer.split_once('/').unwrap();
        let of: Vec<f64> =
            all.records.iter().filter(|r| r.suite == task).map(|r| r.scores[metric].value().unwrap()).collect();
        assert_eq!(of.iter().sum::<f64>() / of.len() as f64, one.value, "{}", one.scorer);
    }
    // Through Inspect's format and back.
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("x.eval");
    write_log_with(&file, &all.head, &all.records).unwrap();
    assert_eq!(read_log(&file).unwrap(), all.records);
}

#[test]
fn a_broken_file_of_lm_eval_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("samples_t_2026.jsonl");
    let says = |text: &str, expected: &str| {
        std::fs::write(&file, text).unwrap();
        let message = open_log(&file).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let good =
        r#"{"doc_id": 1, "resps": [["a"]], "filtered_resps": ["a"], "filter": "none", "metrics": ["m"], "m": NaN}"#;
    says(&format!("{good}\n{}", &good[..30]), "samples_t_2026.jsonl:2: not a sample");
    says(
        &format!("{good}\n{good}\n"),
        "samples_t_2026.jsonl:2: document 1 with filter `none` stands in an earlier line",
    );
    says(&format!("{good}\n{{\"resps\": []}}\n"), "there is no `doc_id`");
    std::fs::write(&file, good).unwrap();
    assert_eq!(read_log(&file).unwrap()[0].scores["m"], Score::Unscored("the log's value is NaN".to_owned()));
    let results = scratch.path().join("results_2027.json");
    std::fs::write(&results, "{}").unwrap();
    let message = open_log(&results).unwrap_err().to_string();
    assert!(message.contains("no samples_<task>_2027.jsonl") && message.contains("--log_samples"), "{message}");
}
