//! Whole runs of a tiny recipe: to the end, interrupted, killed and resumed, refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Scratch, log, results};

/// Runs the recipe as `killed`, killed again and again, a little later each time, until it ends; gives the number of kills.
fn until_finished(scratch: &Scratch, more: &[&str]) -> usize {
    let begin = Instant::now();
    // The first kills come before a fast machine could be through; later ones leave a slow one the time to get on.
    let mut wait = Duration::from_millis(25);
    let mut kills = 0;
    let mut args = [&["run", "recipe.yaml", "--out", "killed"], more].concat();
    loop {
        let said = std::fs::File::create(scratch.path("said")).unwrap();
        let mut child = scratch.command(&args).stderr(said).spawn().unwrap();
        let deadline = Instant::now() + wait;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > deadline => break None,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        if let Some(status) = status {
            let said = std::fs::read_to_string(scratch.path("said")).unwrap();
            assert!(status.success(), "{status} after {kills} kills: {said}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if scratch.path("killed/run.json").exists() {
            args = [&["run", "recipe.yaml", "--resume=killed"], more].concat();
        }
        wait = wait.mul_f64(1.25);
        assert!(begin.elapsed() < Duration::from_secs(300), "the run does not get on");
    }
    kills
}

/// The tiny recipe's hybrid arm with an adapter in every stage, in bf16, with 8-bit moments and a base in NF4.
const LORA: &[&str] = &[
    "--set",
    "dtype=bf16",
    "--set",
    "arms.hybrid.stages.cold={lora: {r: 4, alpha: 8, base: int8}, adam_state: 8bit, name: cold, data: demonstrations, max_steps: 4, batch_size: 4, learning_rate: 0.01, save_steps: 2}",
    "--set",
    "arms.hybrid.stages.grpo.lora={r: 4, targets: [q_proj, v_proj, down_proj], base: nf4}",
    "--set",
    "arms.hybrid.stages.grpo.adam_state=8bit",
    "--set",
    "arms.hybrid.stages.second.lora={rslora: true}",
];

#[test]
fn a_killed_run_with_adapters_in_bf16_ends_with_the_same_bits() {
    let scratch = Scratch::new();
    // The base model is made once, so that the kills fall into the stages.
    scratch.base();
    let straight = [&["run", "recipe.yaml", "--out", "straight"], LORA].concat();
    scratch.ok(&straight);
    let second = [&["run", "recipe.yaml", "--out", "second"], LORA].concat();
    scratch.ok(&second);
    let bits = results(&scratch.path("straight"));
    assert!(bits == results(&scratch.path("second")), "two runs differ");
    for stage in ["01-cold", "02-grpo", "04-second"] {
        let checkpoint = scratch.path("straight/arms/hybrid").join(stage).join("checkpoint");
        assert!(checkpoint.join("adapter/adapter_model.safetensors").exists());
        let config = std::fs::read_to_string(checkpoint.join("adapter/adapter_config.json")).unwrap();
        assert!(config.contains("\"LORA\""), "{config}");
    }
    // What the run measured is what an evaluation of the merged checkpoint gives, in the recipe's number format.
    let eval = ["eval", "--model", "straight/arms/hybrid/02-grpo/checkpoint", "--recipe", "recipe.yaml", "--out", "e"];
    scratch.ok(&[&eval[..], &["--set", "dtype=bf16"]].concat());
    let read = |name: &str| log(&scratch.path(name));
    assert!(read("e/familiar.eval") == read("straight/eval/familiar/hybrid-02-grpo.eval"));
    assert!(until_finished(&scratch, LORA) > 0);
    let killed = results(&scratch.path("killed"));
    for (name, bytes) in &bits {
        assert!(killed[name] == *bytes, "{name} differs");
    }
}

#[test]
fn a_run_that_will_not_fit_fails_before_it_trains() {
    let scratch = Scratch::new();
    scratch.base();
    let plan = scratch.ok(&["run", "recipe.yaml", "--dry-run", "--memory-budget", "66MiB"]);
    assert!(plan.contains("of 66.0 MiB") && plan.contains("hybrid/02-grpo does not fit"), "{plan}");
    let error = scratch.refused(&["run", "recipe.yaml", "--out", "r", "--memory-budget", "66MiB"]);
    assert!(error.contains("sft_only/01-sft: takes") && error.contains("66.0 MiB"), "{error}");
    assert!(!scratch.path("r/arms").exists() && !scratch.path("r/eval").exists());
    let error = scratch.refused(&["run", "recipe.yaml", "--out", "r", "--memory-budget", "66"]);
    assert!(error.contains("--memory-budget: `66` is not an amount of memory"), "{error}");
    let error = scratch.refused(&["run", "recipe.yaml", "--out", "r", "--dtype", "fp8"]);
    assert!(error.contains("fp8") && error.contains("f32 or bf16"), "{error}");
    let mut command = scratch.command(&["lab", "list"]);
    let out = command.env("TEMPER_SIMD", "sse9").output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && error.contains("avx512, avx2 or portable"), "{error}");
}

#[test]
fn a_killed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    let scratch = Scratch::new();
    scratch.ok(&["run", "recipe.yaml", "--out", "straight"]);
    let straight = results(&scratch.path("straight"));
    assert!(!straight["arms/hybrid/03-reject/dataset/train.jsonl"].is_empty(), "rejection sampling kept nothing");
    assert_eq!(straight.len(), 4 + 1 + 5, "{:?}", straight.keys());

    // Killed again and again, a little later each time, the pre-training included.
    std::fs::remove_dir_all(scratch.path("cache")).unwrap();
    let kills = until_finished(&scratch, &[]);
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
        // Far more than there is time for.
        .args(["--set", "budget.flops=2.0e13"])
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
    for name in ["recipe.yaml", "summary.json", "report.html", "ledger.sqlite", "eval/familiar.html"] {
        assert!(scratch.path("r").join(name).exists(), "{name}");
    }
    let checkpoint = scratch.path("r/arms/hybrid/02-grpo/checkpoint");
    for name in ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"] {
        assert!(checkpoint.join(name).exists(), "{name}");
    }
    let table = scratch.ok(&["report", "r", "--stages"]);
    assert!(table.contains("sft_only") && table.contains("hybrid") && table.contains("report.html"), "{table}");
    let compared = scratch.ok(&["compare", "r/eval/familiar/base.eval", "r/eval/familiar/hybrid-02-grpo.eval"]);
    assert!(compared.contains("lab_solved"), "{compared}");
    // What the run wrote is what an evaluation of the checkpoint gives.
    scratch.ok(&["eval", "--model", "r/arms/hybrid/02-grpo/checkpoint", "--recipe", "recipe.yaml", "--out", "e"]);
    let read = |name: &str| log(&scratch.path(name));
    assert!(read("e/familiar.eval") == read("r/eval/familiar/hybrid-02-grpo.eval"));
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
