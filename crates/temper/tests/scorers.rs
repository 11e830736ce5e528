//! `temper scorer`, `temper hacking`, and training with scorers that hang and crash.

#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::Scratch;
use serde_json::{Value, json};

fn python() -> bool {
    let there = Command::new("python3").arg("-c").arg("pass").status().is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no python3");
    }
    there
}

const REWARDS: &str = r#"
import os, time

def concise(completions, **kwargs):
    return [1 / (1 + len(c[0]["content"])) for c in completions]

def ids(completion_ids, **kwargs):
    return [float(len(i)) for i in completion_ids]

def hang(completions, **kwargs):
    time.sleep(1000)

def crash(completions, **kwargs):
    os._exit(5)
"#;

#[test]
fn a_scorer_that_hangs_or_crashes_never_stalls_training() {
    if !python() {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("rewards.py", REWARDS);
    scratch.base();
    scratch.write(
        "own.yaml",
        &common::RECIPE
            .split("suites:")
            .next()
            .unwrap()
            .replace("model: {path: 'lab:base'}", "model: {path: base}")
            .replace("budget: {flops: 2.0e+10}\n", "")
            .chars()
            .chain(
                "scorers:
  ids: {type: python, function: 'rewards.py:ids'}
  hang: {type: python, function: 'rewards.py:hang', timeout: 0.5, restarts: 2}
  crash: {type: python, function: 'rewards.py:crash', restarts: 2}
arms:
  own:
    stages:
      - grpo:
          data: problems
          max_steps: 3
          prompts_per_step: 2
          completions_per_prompt: 4
          max_completion_length: 8
          rewards: [ids, hang, crash]
"
                .chars(),
            )
            .collect::<String>(),
    );
    let start = Instant::now();
    let out = scratch.run(&["run", "own.yaml", "--out", "run"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(start.elapsed() < Duration::from_secs(90), "{:?}\n{said}", start.elapsed());
    let metrics = std::fs::read_to_string(scratch.path("run/arms/own/01-grpo/metrics.jsonl"));
    let metrics = metrics.unwrap_or_else(|error| panic!("{error}\n{said}"));
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert!(last["rewards/ids/mean"].as_f64().unwrap() > 0.0, "{last}");
    let errors = |name: &str| {
        let key = last.as_object().unwrap().keys().find(|key| key.contains(name) && key.contains("error"));
        last[key.unwrap_or_else(|| panic!("{last}"))].as_f64().unwrap()
    };
    assert!(errors("hang") > 0.0 && errors("crash") > 0.0, "{last}");
}

#[test]
fn completions_that_exist_are_scored_and_looked_at() {
    if !python() {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("rewards.py", REWARDS);
    let log = |name: &str, long: usize| {
        let lines: Vec<String> = (0..30)
            .map(|n| {
                let text = format!("{}\\boxed{{{}}}", "so ".repeat(n + n * long), if n % 3 < 2 - long { 4 } else { 5 });
                json!({"id": n.to_string(), "prompt": format!("question {n}"), "answer": "4", "completion": text})
                    .to_string()
            })
            .collect();
        scratch.write(name, &lines.join("\n"));
    };
    log("a.jsonl", 0);
    log("b.jsonl", 1);
    let score = |data: &str, out: &str| {
        scratch.ok(&[
            "scorer",
            "score",
            "--scorer",
            "accuracy",
            "--scorer",
            "length",
            "--scorer",
            "concise",
            "--set",
            "concise.type=python",
            "--set",
            "concise.function=rewards.py:concise",
            "--data",
            data,
            "--completion",
            "completion",
            "--out",
            out,
        ])
    };
    let said = score("a.jsonl", "a.log.jsonl");
    assert!(said.contains("accuracy") && said.contains("66.7 %") && said.contains("Lengths are in words"), "{said}");
    score("b.jsonl", "b.log.jsonl");
    let said = scratch.ok(&["hacking", "a.log.jsonl", "b.log.jsonl", "--proxy", "length", "--gold", "accuracy"]);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the proxy promises more than the gold score gives"), "{said}");
    assert!(said.contains("in 1 of 1 pair of checkpoints"), "{said}");
    let json: Value = serde_json::from_str(&scratch.ok(&[
        "hacking",
        "a.log.jsonl",
        "b.log.jsonl",
        "--proxy",
        "length",
        "--gold",
        "accuracy",
        "--json",
    ]))
    .unwrap();
    assert_eq!(json[0]["hackability"]["hacked"], json!(1));
    let error = scratch.refused(&["hacking", "a.log.jsonl", "--proxy", "none", "--gold", "accuracy"]);
    assert!(error.contains("their metrics are accuracy, concise, length"), "{error}");
    let error =
        scratch.refused(&["scorer", "score", "--scorer", "length", "--data", "a.jsonl", "--completion", "text"]);
    assert!(error.contains("there is no such column; the row's columns are"), "{error}");
}

#[test]
fn scorers_are_listed_shown_and_measured() {
    let scratch = Scratch::new();
    let list: Value = serde_json::from_str(&scratch.ok(&["scorer", "list", "--json"])).unwrap();
    assert!(list.as_array().unwrap().iter().any(|info| info["type"] == "python"));
    let recipe = "
name: x
model: {path: 'lab:base'}
scorers:
  sum: {type: expression, of: {a: accuracy, f: format}, formula: a + 0.2 * f}
arms:
  a: {stages: [{grpo: {data: d, max_steps: 1, rewards: [sum]}}]}
data: {d: {path: 'lab:problems'}}
";
    scratch.write("sum.yaml", recipe);
    let shown = scratch.ok(&["scorer", "show", "sum", "--recipe", "sum.yaml"]);
    assert!(shown.contains("sum (expression)") && shown.contains("  accuracy (accuracy)"), "{shown}");
    let error = scratch.refused(&["scorer", "show", "acuracy"]);
    assert!(error.contains("nearest: `accuracy`"), "{error}");
    let speeds = scratch.ok(&["scorer", "bench", "--scorer", "accuracy", "--scorer", "format", "--seconds", "0.05"]);
    assert!(speeds.contains("samples/s") && speeds.contains("accuracy") && speeds.contains("format"), "{speeds}");
}
