//! Models and data sets of the Hugging Face Hub by the command line, from a server that answers as the Hub does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "../../temper-data/tests/support/hub_server.rs"]
mod hub_server;

use common::Scratch;
use hub_server::Server;
use serde_json::{Value, json};
use std::path::Path;

/// Serves the files of a folder as a model.
fn serve(server: &Server, name: &str, dir: &Path) -> String {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let files: Vec<(String, Vec<u8>)> = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    server.add(name, &files)
}

fn run(scratch: &Scratch, server: &Server, offline: bool, arguments: &[&str]) -> (bool, String) {
    let out = scratch
        .command(arguments)
        .env("HF_ENDPOINT", &server.endpoint)
        .env("HF_HOME", scratch.path("hf"))
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .output()
        .unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn a_model_and_a_data_set_of_the_hub() {
    let scratch = Scratch::new();
    scratch.base();
    let server = Server::start();
    let model = serve(&server, "models/org/tiny", &scratch.path("base"));
    let rows = |from: usize| {
        (from..from + 8)
            .map(|n| {
                json!({"prompt": format!("What is {n} and 1?"), "completion": format!("{}", n + 1)}).to_string() + "\n"
            })
            .collect::<String>()
    };
    let readme = "---\nlicense: mit\nconfigs:\n- config_name: sums\n  data_files:\n  - {split: train, path: a.jsonl}\n  - {split: test, path: b.jsonl}\n---\n";
    let data = server.add(
        "datasets/org/sums",
        &[("README.md", readme.as_bytes()), ("a.jsonl", rows(0).as_bytes()), ("b.jsonl", rows(100).as_bytes())],
    );

    // The same as from the directory that was served.
    scratch.write("p.jsonl", &json!({"prompt": "Start with 3."}).to_string());
    let sample = |model: &str, out: &str, offline| {
        let arguments = ["sample", "--model", model, "--input", "p.jsonl", "--out", out, "--max-tokens", "5"];
        run(&scratch, &server, offline, &arguments)
    };
    let read = |name: &str| std::fs::read_to_string(scratch.path(name)).unwrap();
    let (ok, said) = sample("hf://org/tiny", "a.jsonl", false);
    assert!(ok && said.contains("Downloading model.safetensors of hf://org/tiny"), "{said}");
    assert!(sample("base", "b.jsonl", false).0);
    assert_eq!(read("a.jsonl"), read("b.jsonl"));
    server.log();
    let (ok, said) = sample("hf://org/tiny", "c.jsonl", true);
    assert!(ok && server.log().is_empty() && !said.contains("Downloading"), "{said}");
    let (ok, said) = sample("hf://org/tiyn", "d.jsonl", false);
    assert!(!ok && said.contains("hf://org/tiyn: there is no such model") && said.contains("HF_TOKEN"), "{said}");

    // A data set trains, and what was read is on record.
    let recipe = "
name: hub
model: {path: 'hf://org/tiny'}
data:
  sums: {path: 'hf://datasets/org/sums'}
suites:
  test:
    data: {path: 'hf://datasets/org/sums', split: test, rows: 3, columns: {answer: completion}}
    scorers: [accuracy]
    sampling: {max_tokens: 4}
arms:
  main:
    stages:
      - sft: {data: sums, max_steps: 2, batch_size: 4, learning_rate: 0.001}
";
    scratch.write("hub.yaml", recipe);
    let (ok, said) = run(&scratch, &server, false, &["run", "hub.yaml", "--out", "run"]);
    assert!(ok, "{said}");
    let summary: Value = serde_json::from_str(&read("run/summary.json")).unwrap();
    let notes = summary["notes"].to_string();
    for origin in [
        format!("hf://datasets/org/sums: subset `sums`, split `train`, commit {data}, 1 file"),
        format!("hf://datasets/org/sums: subset `sums`, split `test`, commit {data}, 1 file"),
        format!("hf://org/tiny: commit {model}"),
    ] {
        assert!(notes.contains(&origin), "{origin}: {notes}");
    }
    let (ok, said) = run(&scratch, &server, false, &["run", "hub.yaml", "--set", "data.sums.split=dev", "--out", "no"]);
    assert!(!ok && said.contains("there is no split `dev`") && said.contains("`train`, `test`"), "{said}");
}
