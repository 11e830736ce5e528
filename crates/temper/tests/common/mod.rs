//! A lab small enough for tests, and the binary with a cache of its own.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A recipe whose base model has 1 layer of width 32 and whose arms take seconds.
pub const RECIPE: &str = "
name: tiny
seed: 3
model: {path: 'lab:base'}
lab:
  hidden_size: 32
  num_layers: 1
  num_heads: 2
  num_kv_heads: 1
  intermediate_size: 64
  vocab_size: 512
  pretrain: {tokens: 150000, batch_tokens: 1000, learning_rate: 0.005, save_steps: 20}
budget: {flops: 2.0e+10}
data:
  demonstrations: {path: 'lab:demonstrations', rows: 60}
  problems: {path: 'lab:problems', rows: 60}
suites:
  familiar:
    data: {path: 'lab:eval/familiar', rows: 12}
    scorers: [lab_solved, format]
    sampling: {max_tokens: 16}
arms:
  sft_only:
    stages:
      - sft: {data: demonstrations, share: 0.2, batch_size: 4, learning_rate: 0.001, save_steps: 3}
  hybrid:
    stages:
      - sft: {name: cold, data: demonstrations, max_steps: 4, batch_size: 4, learning_rate: 0.001, save_steps: 2}
      - grpo:
          data: problems
          max_steps: 6
          prompts_per_step: 2
          completions_per_prompt: 4
          max_completion_length: 12
          rewards: [accuracy, length]
          beta: 0.05
          learning_rate: 0.001
          save_steps: 2
      - reject:
          data: problems
          prompts: 20
          samples_per_prompt: 2
          keep: [{scorer: length, at_least: 1}]
          max_completion_length: 64
          mix: [demonstrations]
      - sft: {name: second, data: 'stage:reject', init: base, max_steps: 4, batch_size: 4, learning_rate: 0.001, save_steps: 2}
gates:
  - {suite: familiar, metric: lab_solved, not_worse_than: parent, margin: 0.5, on_fail: warn}
";

/// A scratch folder with the recipe in it, and the binary run inside.
pub struct Scratch {
    /// The folder.
    pub dir: tempfile::TempDir,
}

impl Scratch {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("recipe.yaml"), RECIPE).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_temper"));
        command.args(args).current_dir(self.dir.path()).env("TEMPER_CACHE", self.path("cache"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs and insists on success; returns standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "temper {args:?}: {}\n{stderr}", out.status);
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs and insists on exit code 2; returns standard error.
    pub fn refused(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "temper {args:?}\n{stderr}");
        stderr
    }

    /// The lab's tiny base model, written to `base`.
    pub fn base(&self) -> PathBuf {
        self.ok(&["lab", "base", "--recipe", "recipe.yaml", "--out", "base"]);
        self.path("base")
    }
}

/// Bytes of every checkpoint's weights and the records of every item log below a run's directory, by relative path. A log also
/// says when it was written, which is not compared.
pub fn results(run: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![run.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(run).unwrap().display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with("checkpoint/model.safetensors") || name.ends_with("dataset/train.jsonl") {
                found.insert(name, std::fs::read(&path).unwrap());
            } else if name.starts_with("eval/") && name.ends_with(".eval") {
                found.insert(name, log(&path));
            }
        }
    }
    found
}

/// The records of an item log as bytes.
pub fn log(file: &Path) -> Vec<u8> {
    serde_json::to_vec(&temper_eval::read_log(file).unwrap()).unwrap()
}
