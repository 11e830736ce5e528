//! GRPO and rejection sampling with a tiny model.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Fixed, Words, broken, even, metrics, rows, run};
use temper_recipe::{AdamState, BaseStorage, Grpo, Keep, LoraSpec, LossType, Reject, RewardRef};
use temper_score::{Score, Scorer};
use temper_text::Prompt;
use temper_train::{StageStatus, run_grpo, run_reject};

fn spec() -> Grpo {
    Grpo {
        rewards: vec![RewardRef::plain("even")],
        max_steps: Some(8),
        prompts_per_step: 3,
        completions_per_prompt: 4,
        max_completion_length: 6,
        learning_rate: 5e-3,
        save_steps: 3,
        ..Grpo::default()
    }
}

#[test]
fn the_reward_rises_and_everything_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Grpo { max_steps: Some(40), prompts_per_step: 6, learning_rate: 1e-2, ..spec() };
    let (outcome, ..) = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(12), &[even()]).unwrap());
    assert_eq!(outcome.status, StageStatus::Finished);
    let lines = metrics(dir.path());
    let mean = |from: usize| lines[from..from + 5].iter().map(|l| l["reward"].as_f64().unwrap()).sum::<f64>() / 5.0;
    assert!(mean(35) > mean(0) + 0.2, "{} {}", mean(0), mean(35));
    for name in [
        "loss",
        "grad_norm",
        "learning_rate",
        "epoch",
        "num_tokens",
        "entropy",
        "step_time",
        "reward",
        "reward_std",
        "rewards/even/mean",
        "rewards/even/std",
        "frac_reward_zero_std",
        "completions/mean_length",
        "completions/max_length",
        "completions/min_length",
        "completions/clipped_ratio",
        "clip_ratio/low_mean",
        "clip_ratio/low_min",
        "clip_ratio/high_mean",
        "clip_ratio/high_max",
        "clip_ratio/region_mean",
        "sampling/sampling_logp_difference/mean",
        "sampling/sampling_logp_difference/max",
    ] {
        assert!(name == "step_time" || lines[0].contains_key(name), "{name}");
    }
    // Sampled and trained log-probabilities agree to the bit, in every step.
    assert!(lines.iter().all(|l| l["sampling/sampling_logp_difference/max"].as_f64().unwrap_or(0.0) == 0.0));
    assert!(lines.iter().all(|l| l["clip_ratio/region_mean"] == 0.0));
    let text = std::fs::read_to_string(dir.path().join("completions/step-00002.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 24);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for name in ["step", "prompt", "completion", "rewards", "advantage", "group", "finish", "tokens", "weights"] {
        assert!(!line[name].is_null(), "{name}");
    }
    assert!(outcome.cost.tokens_sampled > 0);
}

#[test]
fn stopped_and_resumed_ends_with_the_same_bits() {
    for changes in [
        Grpo { beta: 0.05, ..spec() },
        Grpo { num_iterations: 2, loss_type: LossType::DrGrpo, mask_truncated_completions: true, ..spec() },
    ] {
        let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let go = |ctx: &mut temper_train::StageContext| run_grpo(ctx, &changes, &rows(7), &[even()]).unwrap();
        let (_, whole, _) = run(straight.path(), 0, false, go);
        let (outcome, ..) = run(parts.path(), 3, false, go);
        assert_eq!(outcome.status, StageStatus::Stopped);
        let (outcome, resumed, _) = run(parts.path(), 0, true, go);
        assert_eq!((outcome.status, outcome.steps), (StageStatus::Finished, 8));
        assert_eq!(resumed.digest(), whole.digest());
        assert_eq!(metrics(parts.path()), metrics(straight.path()));
    }
}

#[test]
fn the_reference_term_is_zero_at_first_and_then_counts() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Grpo { beta: 0.1, ..spec() };
    run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(7), &[even()]).unwrap());
    let lines = metrics(dir.path());
    assert_eq!(lines[0]["kl"], 0.0);
    assert!(lines[7]["kl"].as_f64().unwrap() > 0.0);
}

#[test]
fn later_iterations_are_off_policy() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Grpo { num_iterations: 2, max_steps: Some(4), ..spec() };
    run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(7), &[even()]).unwrap());
    let differences: Vec<f64> =
        metrics(dir.path()).iter().map(|l| l["sampling/sampling_logp_difference/max"].as_f64().unwrap()).collect();
    assert!(differences[0] == 0.0 && differences[2] == 0.0, "{differences:?}");
    assert!(differences[1] > 0.0 && differences[3] > 0.0, "{differences:?}");
}

#[test]
fn missing_rewards_are_left_out_and_failures_are_shown() {
    // One reward applies to the first row only; one breaks always.
    let first: Arc<dyn Scorer> = Arc::new(Words("first", |row, _| (row.id == "row-0").then_some(true)));
    let rewards = ["even", "first", "broken"].map(RewardRef::plain).to_vec();
    let spec = Grpo { rewards, max_steps: Some(2), prompts_per_step: 2, ..spec() };
    let dir = tempfile::tempdir().unwrap();
    let scorers = [even(), first, broken()];
    let (outcome, _, warnings) = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(2), &scorers).unwrap());
    let line = &metrics(dir.path())[0];
    assert_eq!(line["rewards/first/mean"], 1.0);
    assert!(line["rewards/broken/mean"].is_null());
    assert_eq!(line["rewards/broken/errors"], 8);
    assert!(warnings.iter().any(|w| w.contains("no judge")), "{warnings:?}");
    assert!(outcome.notes.iter().any(|n| n.contains("reward broken: 16 completions")), "{:?}", outcome.notes);

    let dir = tempfile::tempdir().unwrap();
    let spec = Grpo { rewards: vec![RewardRef::plain("broken")], ..spec };
    let error = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(2), &[broken()])).0.unwrap_err();
    assert!(error.to_string().contains("no judge"), "{error}");
}

#[test]
fn groups_without_spread_make_no_gradient() {
    let flat: Arc<dyn Scorer> = Arc::new(Fixed(Score::Value(1.0)));
    let spec = Grpo { rewards: vec![RewardRef::plain("flat")], max_steps: Some(1), weight_decay: 0.0, ..spec() };
    let dir = tempfile::tempdir().unwrap();
    let (_, trained, _) = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(4), &[flat]).unwrap());
    let line = &metrics(dir.path())[0];
    assert_eq!((line["grad_norm"].as_f64(), line["loss"].as_f64()), (Some(0.0), Some(0.0)));
    assert_eq!(line["frac_reward_zero_std"], 1.0);
    assert_eq!((&line["frac_groups_all_right"], &line["frac_groups_all_wrong"]), (&1.0.into(), &0.0.into()));
    assert_eq!(trained.digest(), common::model().digest());
}

#[test]
fn prompts_that_are_too_long_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut rows = rows(4);
    rows[2].prompt = Prompt::Text(["w2"; 9].join(" "));
    let short = Grpo { max_prompt_length: Some(5), max_steps: Some(1), ..spec() };
    let (outcome, ..) = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &short, &rows, &[even()]).unwrap());
    assert!(outcome.notes[0].contains("1 of 4 prompts are longer than 5"), "{:?}", outcome.notes);
    let dir = tempfile::tempdir().unwrap();
    let none = Grpo { max_prompt_length: Some(1), ..short };
    let error = run(dir.path(), 0, false, |ctx| run_grpo(ctx, &none, &rows, &[even()])).0.unwrap_err();
    assert!(error.to_string().contains("each of the 4 prompts"), "{error}");
}

#[test]
fn rejection_sampling_keeps_what_meets_the_rules_and_resumes() {
    let spec = Reject {
        keep: vec![Keep { scorer: "even".into(), at_least: Some(0.5), at_most: None }],
        samples_per_prompt: 128,
        per_prompt: Some(3),
        max_completion_length: 30,
        data: "prompts".into(),
        ..Reject::default()
    };
    let go = |ctx: &mut temper_train::StageContext| run_reject(ctx, &spec, &rows(8), &[even()]).unwrap();
    let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, ..) = run(straight.path(), 0, false, go);
    assert_eq!(whole.status, StageStatus::Finished);
    let report = &whole.report;
    assert_eq!((report.total, report.prompts), (1024, 8));
    assert_eq!(report.kept + report.rejected.values().sum::<usize>(), 1024);
    assert_eq!(report.kept, whole.rows.len());
    assert!(report.rejected["even"] > 0 && report.rejected["truncated"] > 0 && report.kept > 8, "{report:?}");
    for prompt in rows(8) {
        let kept: Vec<_> = whole.rows.iter().filter(|r| r.id.starts_with(&format!("{}#", prompt.id))).collect();
        assert!(kept.len() <= 3);
        assert!(kept.iter().all(|r| r.prompt == prompt.prompt && r.fields["word"] == prompt.fields["word"]));
    }
    let card = std::fs::read_to_string(straight.path().join("dataset/README.md")).unwrap();
    assert!(card.contains("`even` at least 0.5") && card.contains("1024 completions"), "{card}");
    assert!(whole.cost.tokens_sampled > 0 && whole.cost.flops > 0.0);

    let (half, ..) = run(parts.path(), 2, false, go);
    assert_eq!(half.status, StageStatus::Stopped);
    // Rows appended after the state was saved are not counted twice.
    let file = parts.path().join("dataset/train.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{}\n{{\"pro", text.lines().next().unwrap())).unwrap();
    let (resumed, ..) = run(parts.path(), 0, true, go);
    assert_eq!(resumed.report, whole.report);
    let completions = |rows: &[temper_data::Row]| rows.iter().map(|r| r.completion.clone()).collect::<Vec<_>>();
    assert_eq!(completions(&resumed.rows), completions(&whole.rows));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        std::fs::read_to_string(straight.path().join("dataset/train.jsonl")).unwrap()
    );
}

/// An adapter on a base in NF4, a KL term, 8-bit moments: the reference is the model with the adapter off, and a stage that
/// was stopped ends with the bits of one that was not.
#[test]
fn an_adapter_is_trained_against_the_model_without_it() {
    let lora = LoraSpec { r: 4, alpha: 8.0, base: BaseStorage::Nf4, ..LoraSpec::default() };
    let spec = Grpo { beta: 0.1, lora: Some(lora), adam_state: AdamState::EightBit, ..spec() };
    let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (outcome, whole, _) = run(straight.path(), 0, false, |ctx| run_grpo(ctx, &spec, &rows(12), &[even()]).unwrap());
    assert_eq!(outcome.status, StageStatus::Finished);
    let lines = metrics(straight.path());
    assert_eq!(lines[0]["kl"], 0.0);
    assert!(lines[7]["kl"].as_f64().unwrap() > 0.0);
    assert!(lines.iter().all(|l| l["sampling/sampling_logp_difference/max"] == 0.0));
    let (outcome, ..) = run(parts.path(), 5, false, |ctx| run_grpo(ctx, &spec, &rows(12), &[even()]).unwrap());
    assert_eq!(outcome.status, StageStatus::Stopped);
    assert!(parts.path().join("state/adapter/adapter_model.safetensors").exists());
    let (outcome, resumed, _) = run(parts.path(), 0, true, |ctx| run_grpo(ctx, &spec, &rows(12), &[even()]).unwrap());
    assert_eq!(outcome.status, StageStatus::Finished);
    assert!(resumed.trainable() == whole.trainable() && !whole.trainable().is_empty());
    assert_eq!(metrics(parts.path()), metrics(straight.path()));
    // Other settings are another stage.
    let other = Grpo { lora: Some(LoraSpec { r: 4, ..LoraSpec::default() }), ..spec };
    let error = run(parts.path(), 0, true, |ctx| run_grpo(ctx, &other, &rows(12), &[even()])).0.unwrap_err();
    assert!(error.to_string().contains("other settings"), "{error}");
}
