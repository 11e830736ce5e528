//! Supervised fine-tuning and pre-training of a tiny model.

#![allow(clippy::unwrap_used)]

mod common;

use common::{metrics, model, rows, run, tokenizer};
use temper_recipe::{Checkpointing, LongRows, Pretrain, Sft, Stage};
use temper_train::{Demand, Resources, StageStatus, TrainError, pretrain, run_sft};

fn spec() -> Sft {
    Sft { batch_size: Some(4), max_steps: Some(12), learning_rate: 1e-2, save_steps: 3, ..Sft::default() }
}

#[test]
fn the_loss_falls_and_is_logged_under_the_known_names() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Sft { max_steps: Some(40), ..spec() };
    let (outcome, trained, _) = run(dir.path(), 0, false, |ctx| run_sft(ctx, &spec, &rows(18)));
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.steps), (StageStatus::Finished, 40));
    assert_ne!(trained.digest(), model().digest());
    let lines = metrics(dir.path());
    assert_eq!(lines.len(), 40);
    for name in ["loss", "grad_norm", "learning_rate", "epoch", "num_tokens", "mean_token_accuracy", "entropy"] {
        assert!(lines.iter().all(|line| line[name].is_number()), "{name}");
    }
    let loss = |i: usize| lines[i]["loss"].as_f64().unwrap();
    assert!(loss(39) < 0.5 * loss(0), "{} {}", loss(0), loss(39));
    assert_eq!(lines[0]["learning_rate"], 1e-2);
    // 18 rows in batches of 4: the fifth batch of an epoch has 2 rows.
    assert!((lines[4]["epoch"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    assert!(outcome.cost.tokens_trained > 0 && outcome.cost.flops > 0.0 && outcome.cost.tokens_sampled == 0);
}

#[test]
fn stopped_and_resumed_ends_with_the_same_bits() {
    let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, whole, _) = run(straight.path(), 0, false, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    let (outcome, half, _) = run(parts.path(), 5, false, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    assert_eq!((outcome.status, outcome.steps), (StageStatus::Stopped, 5));
    assert_ne!(half.digest(), whole.digest());
    // Work after the last saved state, as a kill leaves it.
    let log = parts.path().join("metrics.jsonl");
    let mut text = std::fs::read_to_string(&log).unwrap();
    text.push_str("{\"step\":6,\"loss\":0}\n{\"st");
    std::fs::write(&log, text).unwrap();
    std::fs::create_dir_all(parts.path().join("state.next")).unwrap();

    let error = run(parts.path(), 0, false, |ctx| run_sft(ctx, &spec(), &rows(18))).0.unwrap_err();
    assert!(error.to_string().contains("--resume"), "{error}");
    let other = Sft { learning_rate: 1e-3, ..spec() };
    let error = run(parts.path(), 0, true, |ctx| run_sft(ctx, &other, &rows(18))).0.unwrap_err();
    assert!(matches!(error, TrainError::State { .. }), "{error}");

    let (outcome, resumed, _) = run(parts.path(), 0, true, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    assert_eq!((outcome.status, outcome.steps), (StageStatus::Finished, 12));
    assert_eq!(resumed.digest(), whole.digest());
    assert_eq!(metrics(parts.path()), metrics(straight.path()));
    // Resuming a finished stage gives its result again.
    let (again, model, _) = run(parts.path(), 0, true, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    assert_eq!((again.status, again.steps), (StageStatus::Finished, 12));
    assert_eq!(model.digest(), whole.digest());
}

#[test]
fn killed_without_a_chance_to_save_goes_on_from_the_last_state() {
    let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, whole, _) = run(straight.path(), 0, false, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    let panicked = std::panic::catch_unwind(|| {
        run(parts.path(), 0, false, |ctx| {
            struct Kill(usize);
            impl temper_train::Progress for Kill {
                fn begin(&mut self, _: &str, _: temper_train::Total) {}
                fn advance(&mut self, _: f64, _: &str) {
                    self.0 += 1;
                    assert!(self.0 < 8, "killed");
                }
                fn end(&mut self) {}
                fn warn(&mut self, _: &str) {}
            }
            let mut kill = Kill(0);
            let mut ctx = temper_train::StageContext { model: &mut *ctx.model, progress: &mut kill, ..*ctx };
            run_sft(&mut ctx, &spec(), &rows(18)).unwrap();
        })
    });
    assert!(panicked.is_err());
    let (outcome, resumed, _) = run(parts.path(), 0, true, |ctx| run_sft(ctx, &spec(), &rows(18)).unwrap());
    assert_eq!(outcome.steps, 12);
    assert_eq!(resumed.digest(), whole.digest());
    assert_eq!(metrics(parts.path()), metrics(straight.path()));
}

#[test]
fn accumulated_batches_are_one_batch() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = Sft { batch_size: Some(8), max_steps: Some(3), ..spec() };
    let two = Sft { batch_size: Some(2), gradient_accumulation_steps: 4, max_steps: Some(3), ..spec() };
    run(a.path(), 0, false, |ctx| run_sft(ctx, &one, &rows(16)).unwrap());
    run(b.path(), 0, false, |ctx| run_sft(ctx, &two, &rows(16)).unwrap());
    assert_eq!(metrics(a.path()), metrics(b.path()));
}

#[test]
fn rows_that_are_too_long_are_cut_or_left_out_or_stop_the_stage() {
    let mut rows = rows(6);
    rows[4].completion = Some(["w3"; 9].join(" ").into());
    let try_on = |spec: &Sft, rows: &[temper_data::Row]| {
        let dir = tempfile::tempdir().unwrap();
        let (outcome, _, warnings) = run(dir.path(), 0, false, |ctx| run_sft(ctx, spec, rows));
        outcome.map(|outcome| {
            assert_eq!(outcome.notes, warnings);
            outcome.notes
        })
    };
    let cut = Sft { max_length: 8, max_steps: Some(1), ..spec() };
    let notes = try_on(&cut, &rows).unwrap();
    assert!(notes[0].starts_with("1 of 6 rows (16.7 %): longer than `max_length` and cut"), "{notes:?}");
    assert!(notes[0].ends_with("(rows.jsonl:5)") && notes[1].starts_with("6 examples in 2 batches"), "{notes:?}");

    rows[1].prompt = temper_text::Prompt::Text(["w2"; 9].join(" "));
    let error = try_on(&cut, &rows).unwrap_err().to_string();
    assert!(error.starts_with("rows.jsonl: 1 of 6 rows (16.7 %): cut at `max_length` (8), nothing is left"), "{error}");
    assert!(error.contains("(rows.jsonl:2)") && error.ends_with("`long_rows: drop`"), "{error}");
    let drop = Sft { long_rows: LongRows::Drop, ..cut.clone() };
    let notes = try_on(&drop, &rows).unwrap();
    assert!(notes[0].starts_with("2 of 6 rows (33.3 %): longer than `max_length` and left out"), "{notes:?}");
    let refuse = Sft { long_rows: LongRows::Refuse, ..cut.clone() };
    assert!(try_on(&refuse, &rows).unwrap_err().to_string().contains("2 of 6 rows"));
    let none = Sft { max_length: 2, ..drop };
    let error = try_on(&none, &rows).unwrap_err().to_string();
    assert!(error.contains("none of 6 rows is left") && error.contains("Raise `max_length`"), "{error}");

    rows[3].completion = None;
    let error = try_on(&cut, &rows).unwrap_err().to_string();
    assert!(error.contains("(rows.jsonl:2)") && error.contains("also found: unencodable (1 rows)"), "{error}");
    let error = try_on(&Sft { long_rows: LongRows::Drop, ..cut.clone() }, &rows).unwrap_err().to_string();
    assert!(error.contains("has no completion") && error.contains("(rows.jsonl:4)"), "{error}");
    assert!(try_on(&cut, &[]).unwrap_err().to_string().contains("no rows"));
}

#[test]
fn packing_and_grouping_change_the_company_and_not_the_loss_of_an_epoch() {
    // One step over everything, with a learning rate of 0: the loss is that of all examples together.
    let loss = |spec: Sft| {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), 0, false, |ctx| run_sft(ctx, &spec, &rows(18)).unwrap());
        metrics(dir.path())[0]["loss"].as_f64().unwrap()
    };
    let all = Sft { batch_size: Some(18), max_steps: Some(1), ..spec() };
    let packed = Sft {
        batch_size: None,
        batch_tokens: Some(16),
        packing: true,
        gradient_accumulation_steps: 100,
        max_steps: Some(1),
        ..spec()
    };
    let grouped = Sft { batch_size: Some(6), group_by_length: true, gradient_accumulation_steps: 3, ..all.clone() };
    let one = loss(all);
    for other in [loss(packed), loss(grouped)] {
        assert!((other - one).abs() < 1e-5 * one, "{one} {other}");
    }
}

#[test]
fn a_loss_that_is_not_finite_names_step_rows_and_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let wild = Sft { learning_rate: 1e30, max_steps: Some(9), save_steps: 1, max_grad_norm: 0.0, ..spec() };
    let error = run(dir.path(), 0, false, |ctx| run_sft(ctx, &wild, &rows(18))).0.unwrap_err();
    let TrainError::NotFinite { step, rows, checkpoint, .. } = &error else { panic!("{error}") };
    assert!(*step > 1 && !rows.is_empty() && rows[0].starts_with("rows.jsonl:"), "{error}");
    assert_eq!(checkpoint.as_deref(), Some(dir.path().join("state").as_path()));
    assert!(error.to_string().contains("learning_rate"));
}

#[test]
fn the_budget_ends_the_stage() {
    let dir = tempfile::tempdir().unwrap();
    let shared = Sft { max_steps: None, share: Some(0.02), ..spec() };
    let (outcome, ..) = run(dir.path(), 0, false, |ctx| run_sft(ctx, &shared, &rows(18)).unwrap());
    let (flops, step) = (outcome.cost.flops, outcome.cost.flops / outcome.steps as f64);
    assert!((flops - 2e7).abs() <= step, "{flops} of 2e7 in {} steps", outcome.steps);
    let dir = tempfile::tempdir().unwrap();
    let error = run(dir.path(), 0, false, |ctx| {
        ctx.budget_flops = None;
        run_sft(ctx, &shared, &rows(18))
    });
    assert!(error.0.unwrap_err().to_string().contains("budget.flops"));
}

#[test]
fn pretraining_learns_and_resumes() {
    let documents: Vec<Vec<u32>> =
        (0..30u32).map(|i| (0..5 + i % 9).map(|t| 2 + (i + t) % 20).chain([1]).collect()).collect();
    let spec =
        Pretrain { tokens: 64 * 20, batch_tokens: 64, learning_rate: 1e-2, save_steps: 0, ..Pretrain::default() };
    let (straight, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (outcome, whole, _) = run(straight.path(), 0, false, |ctx| pretrain(ctx, &spec, &documents).unwrap());
    assert_eq!(outcome.steps, 20);
    let lines = metrics(straight.path());
    assert!(lines[19]["loss"].as_f64().unwrap() < 0.9 * lines[0]["loss"].as_f64().unwrap());
    run(parts.path(), 7, false, |ctx| pretrain(ctx, &spec, &documents).unwrap());
    let (_, resumed, _) = run(parts.path(), 0, true, |ctx| pretrain(ctx, &spec, &documents).unwrap());
    assert_eq!(resumed.digest(), whole.digest());
}

/// Checkpointing changes no bit; a budget that is too small stops the stage before its first step, with a hint.
#[test]
fn memory_decides_before_the_first_step() {
    let run_with = |resources: Resources| {
        let dir = tempfile::tempdir().unwrap();
        let (outcome, model, warnings) = run(dir.path(), 0, false, |ctx| {
            ctx.resources = resources;
            run_sft(ctx, &spec(), &rows(18))
        });
        let stepped = dir.path().join("state").exists();
        (outcome, model.digest(), warnings, stepped)
    };
    let (plain, bits, warnings, _) = run_with(Resources::default());
    assert!(
        plain.is_ok() && warnings.len() == 1 && warnings[0].starts_with("18 examples in 5 batches"),
        "{warnings:?}"
    );
    let on = Resources { checkpointing: Checkpointing::On, ..Resources::default() };
    assert_eq!(run_with(on).1, bits);
    // Where only checkpointing fits, it is chosen and said.
    let (config, precision) = (model().config().clone(), temper_engine::Precision::F32);
    let demand = Demand::of(&Stage::Sft(spec()), precision, &config, &tokenizer(), &rows(18)).unwrap().unwrap();
    let needs = |on| demand.needs(&config, 8192, on, temper_engine::threads()).total();
    let (outcome, same, warnings, _) = run_with(Resources { budget: Some(needs(true)), ..Resources::default() });
    assert!(outcome.is_ok() && needs(true) < needs(false));
    assert_eq!(same, bits);
    assert!(warnings.iter().any(|w| w.contains("checkpointing")), "{warnings:?}");
    let off = Resources { budget: Some(needs(true)), checkpointing: Checkpointing::Off, micro_tokens: None };
    let (outcome, _, _, stepped) = run_with(off);
    let error = outcome.unwrap_err().to_string();
    assert!(!stepped && error.contains("It would fit with `checkpointing: on`"), "{error}");
    let (outcome, _, _, stepped) = run_with(Resources { budget: Some(1 << 20), ..Resources::default() });
    let error = outcome.unwrap_err().to_string();
    assert!(!stepped && error.contains("weights") && error.contains("No setting makes it fit"), "{error}");
}
