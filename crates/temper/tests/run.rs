//! Whole runs of a tiny recipe: to the end, interrupted, killed and resumed, refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Scratch, results};

#[test]
fn a_killed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    let scratch = Scratch::new();
    scratch.ok(&["run", "recipe.yaml", "--out", "straight"]);
    let straight = results(&scratch.path("straight"));
    assert!(!straight["arms/hybrid/03-reject/dataset/train.jsonl"].is_empty(), "rejection sampling kept nothing");
    assert_eq!(straight.len(), 4 + 1 + 5, "{:?}", straight.keys());

    // Killed again and again, a little later each time, the pre-training included.
    std::fs::remove_dir_all(scratch.path("cache")).unwrap();
    let begin = Instant::now();
    let mut wait = Duration::from_millis(300);
    let mut kills = 0;
    let mut args = vec!["run", "recipe.yaml", "--out", "killed"];
    loop {
        let mut child = scratch.command(&args).stderr(std::process::Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + wait;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > deadline => break None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if let Some(status) = status {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if scratch.path("killed/run.json").exists() {
            args = vec!["run", "recipe.yaml", "--resume=killed"];
        }
        wait = wait.mul_f64(1.25);
        assert!(begin.elapsed() < Duration::from_secs(300), "the run does not get on");
    }
    assert!(kills > 0);
    let killed = results(&scratch.path("killed"));
    assert_eq!(straight.keys().collect::<Vec<_>>(), killed.keys().collect::<Vec<_>>());
    for (name, bytes) in &straight {
        assert!(killed[name] == *bytes, "{name} differs after {kills} kills");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let scratch = Scratch::new();
    scratch.base();
    let mut child = scratch
        .command(&["run", "recipe.yaml", "--out", "stopped", "--set", "arms.sft_only.stages.0.sft.share=1.0"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !scratch.path("stopped/arms/sft_only/01-sft/metrics.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(2));
    }
    // SAFETY: a signal to a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    let out = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("--resume=stopped"), "{stderr}");
    assert!(scratch.path("stopped/arms/sft_only/01-sft/state").exists());
}

#[test]
fn a_run_leaves_what_the_guide_says() {
    let scratch = Scratch::new();
    let json = scratch.ok(&["run", "recipe.yaml", "--out", "r", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["arms"].as_array().unwrap().len(), 2);
    assert!(summary["finished"].is_string());
    for name in ["recipe.yaml", "summary.json", "report.html", "ledger.sqlite"] {
        assert!(scratch.path("r").join(name).exists(), "{name}");
    }
    let checkpoint = scratch.path("r/arms/hybrid/02-grpo/checkpoint");
    for name in ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"] {
        assert!(checkpoint.join(name).exists(), "{name}");
    }
    let table = scratch.ok(&["report", "r", "--stages"]);
    assert!(table.contains("sft_only") && table.contains("hybrid") && table.contains("report.html"), "{table}");
    let compared = scratch.ok(&["compare", "r/eval/familiar/base.jsonl", "r/eval/familiar/hybrid-02-grpo.jsonl"]);
    assert!(compared.contains("lab_solved"), "{compared}");
    // What the run wrote is what an evaluation of the checkpoint gives.
    scratch.ok(&["eval", "--model", "r/arms/hybrid/02-grpo/checkpoint", "--recipe", "recipe.yaml", "--out", "e"]);
    let read = |name: &str| std::fs::read(scratch.path(name)).unwrap();
    assert!(read("e/familiar.jsonl") == read("r/eval/familiar/hybrid-02-grpo.jsonl"));
    // The directory is taken.
    let error = scratch.refused(&["run", "recipe.yaml", "--out", "r"]);
    assert!(error.contains("already holds the run `tiny`"), "{error}");
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would_cost() {
    let scratch = Scratch::new();
    let text = scratch.ok(&["run", "recipe.yaml", "--dry-run"]);
    assert!(text.contains("learning_rate") && text.contains("hybrid/02-grpo") && text.contains("memory"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&scratch.ok(&["run", "recipe.yaml", "--dry-run", "--json"])).unwrap();
    assert_eq!(json["plan"]["arms"][1]["stages"][0]["steps"], 4);
    assert!(!scratch.path("runs").exists() && !scratch.path("cache").exists());
}
