//! A suite from prompts to the item log, on a small random model.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use temper_data::Row;
use temper_engine::{Model, ModelConfig};
use temper_eval::{
    BLOCK, Engine, EvalError, GateCase, ItemRecord, LENGTH, NOT_SAMPLED, SuiteResult, SuiteRun, compare, judge_all,
    read_log, run_suite, run_suite_until,
};
use temper_recipe::{Gate, GateCorrection, Lab, Reference, Sampling, Suite};
use temper_score::{Better, Score, Scorer};
use temper_text::{Prompt, Tokenizer};
use temper_train::{Progress, Total};

/// One token per character.
fn tokenizer() -> Tokenizer {
    let characters = "abcdefghijklmnopqrstuvwxyz \\{}<>/0123456789?";
    let mut vocab: BTreeMap<String, usize> =
        characters.chars().enumerate().map(|(id, c)| (c.to_string(), id)).collect();
    let end = vocab.len();
    vocab.insert("<end>".to_owned(), end);
    let special = json!({"id": end, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [special],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": vocab, "merges": []}
    });
    let files = [
        ("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes()),
        ("tokenizer_config.json".to_owned(), json!({"eos_token": "<end>"}).to_string().into_bytes()),
    ];
    Tokenizer::from_bytes(files.into_iter().collect(), Path::new("test")).unwrap()
}

fn model(seed: u64) -> Model {
    let mut config = ModelConfig::small(tokenizer().vocab_size(), 32, 2, 2, 1, 48);
    config.max_position_embeddings = 64;
    let mut model = Model::random(config, seed);
    // Far enough from uniform that checkpoints differ.
    for weight in model.params_mut() {
        *weight *= 4.0;
    }
    model
}

fn rows(count: usize) -> Vec<Row> {
    (0..count)
        .map(|i| Row {
            file: "items.jsonl".into(),
            line: i + 1,
            id: format!("item{i}"),
            prompt: Prompt::Text(format!("how many {i}?")),
            fields: json!({"answer": i.to_string(), "long": "x".repeat(300), "list": [1]}).as_object().unwrap().clone(),
            ..Row::default()
        })
        .collect()
}

fn suite() -> Suite {
    Suite {
        sampling: Sampling { temperature: 1.0, max_tokens: 12, ..Sampling::default() },
        repeats: 2,
        ..Suite::default()
    }
}

fn scorers() -> Vec<Arc<dyn Scorer>> {
    ["accuracy", "length", "truncated"]
        .iter()
        .map(|name| temper_score::build(name, &Default::default(), &Lab::default()).unwrap())
        .collect()
}

#[derive(Default)]
struct Seen {
    begun: usize,
    ended: usize,
    last: f64,
    stop_at: Option<f64>,
    stop: Arc<AtomicBool>,
}

impl Progress for Seen {
    fn begin(&mut self, _label: &str, _total: Total) {
        self.begun += 1;
    }
    fn advance(&mut self, done: f64, _note: &str) {
        assert!((0.0..=1.0).contains(&done) && done >= self.last, "{done} after {}", self.last);
        self.last = done;
        if self.stop_at.is_some_and(|at| done >= at) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn end(&mut self) {
        self.ended += 1;
    }
    fn warn(&mut self, _message: &str) {}
}

fn run(model: &Model, rows: &[Row], seed: u64, log: &Path, seen: &mut Seen) -> Result<Option<SuiteResult>, EvalError> {
    let (suite, scorers) = (suite(), scorers());
    let run = SuiteRun { name: "s", suite: &suite, rows, scorers: &scorers, seed, label: "base", log };
    let stop = seen.stop.clone();
    run_suite(&run, &Engine { model, tokenizer: &tokenizer() }, seen, &stop)
}

fn texts(records: &[ItemRecord]) -> Vec<&str> {
    records.iter().map(|record| record.text.as_str()).collect()
}

#[test]
fn records_measurements_and_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("eval/s/base.eval");
    let (base, items) = (model(1), rows(70));
    let mut seen = Seen::default();
    let result = run(&base, &items, 7, &log, &mut seen).unwrap().unwrap();
    assert_eq!((seen.begun, seen.ended, seen.last), (1, 1, 1.0));
    assert_eq!(result.records.len(), 140);
    assert_eq!(read_log(&log).unwrap(), result.records);
    let first = &result.records[1];
    assert_eq!((first.suite.as_str(), first.id.as_str(), first.repeat), ("s", "item0", 1));
    assert_eq!((first.prompt.as_str(), first.answer.as_str()), ("how many 0?", first.text.as_str()));
    assert!(first.tags.contains(&"no_close_tag".to_owned()));
    assert_eq!(first.fields, json!({"answer": "0"}).as_object().unwrap().clone());
    assert_ne!(result.records[0].text, result.records[1].text);
    let tokens: usize = result.records.iter().map(|record| record.tokens).sum();
    assert_eq!(result.cost.tokens_sampled, tokens as u64);
    assert!(result.cost.flops > 0.0 && result.cost.peak_memory_bytes > 0);
    let [accuracy, length, truncated] = &result.measurements[..] else { panic!() };
    assert_eq!((accuracy.metric.as_str(), accuracy.n, accuracy.samples), ("accuracy", 70, 140));
    assert_eq!(accuracy.title, "Right answer");
    assert!((length.value - tokens as f64 / 140.0).abs() < 1e-9);
    let cut = result.records.iter().filter(|record| record.finish == LENGTH).count();
    assert!((truncated.value - cut as f64 / 140.0).abs() < 1e-12 && truncated.truncated == truncated.value);
    for record in &result.records {
        assert!(record.text.chars().count() == record.tokens - usize::from(record.finish != LENGTH), "{record:?}");
        assert_eq!(record.scores["length"], Score::Value(record.tokens as f64));
    }

    // The same log is read again, a log that was changed or that is of other items, weights or seeds is not.
    let mut again = Seen::default();
    let recalled = run(&base, &items, 7, &log, &mut again).unwrap().unwrap();
    assert_eq!((recalled.tally.from_log, result.tally.asked, again.begun), (140, 140, 0));
    assert_eq!(SuiteResult { tally: result.tally.clone(), ..recalled }, result);
    let mut other = Seen::default();
    let reseeded = run(&base, &items, 8, &log, &mut other).unwrap().unwrap();
    assert_eq!(other.begun, 1);
    assert_ne!(texts(&reseeded.records), texts(&result.records));
    std::fs::write(&log, "").unwrap();
    let mut damaged = Seen::default();
    assert_eq!(run(&base, &items, 8, &log, &mut damaged).unwrap().unwrap().records, reseeded.records);
    assert_eq!(damaged.begun, 1);
}

#[test]
fn an_item_does_not_depend_on_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (base, items) = (model(1), rows(9));
    let all = run(&base, &items, 7, &folder.path().join("all.eval"), &mut Seen::default()).unwrap().unwrap();
    let one = run(&base, &items[4..5], 7, &folder.path().join("one.jsonl"), &mut Seen::default()).unwrap().unwrap();
    assert_eq!(one.records, all.records[8..10]);
}

#[test]
fn a_clear_case_ends_early() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("early.eval");
    let (base, items) = (model(1), rows(150));
    let (suite, scorers) = (suite(), scorers());
    let run_until = |blocks: usize| {
        let run =
            SuiteRun { name: "s", suite: &suite, rows: &items, scorers: &scorers, seed: 7, label: "base", log: &log };
        let mut seen = Vec::new();
        let mut on_block = |records: &[ItemRecord]| {
            seen.push(records.len());
            if seen.len() == blocks { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let engine = Engine { model: &base, tokenizer: &tokenizer() };
        let stop = AtomicBool::new(false);
        let result = run_suite_until(&run, &engine, &mut on_block, &mut Seen::default(), &stop).unwrap().unwrap();
        (result, seen)
    };
    let (early, looks) = run_until(2);
    assert_eq!((early.records.len(), looks), (2 * 2 * BLOCK, vec![2 * BLOCK, 4 * BLOCK]));
    assert_eq!(early.measurements[1].n, 2 * BLOCK);
    // The items are those of the order of sampling, in the order of the rows, each as in a whole evaluation.
    let whole = run(&base, &items, 7, &folder.path().join("whole.eval"), &mut Seen::default()).unwrap().unwrap();
    let kept: Vec<&ItemRecord> = whole.records.iter().filter(|record| early.records.contains(record)).collect();
    assert_eq!(kept, early.records.iter().collect::<Vec<_>>());
    // It is read again where an early end is meant, and completed where it is not.
    let (again, looks) = run_until(2);
    assert_eq!((again.tally.from_log, looks.len()), (4 * BLOCK, 0));
    let completed = run(&base, &items, 7, &log, &mut Seen::default()).unwrap().unwrap();
    assert_eq!((completed.tally.from_log, completed.records), (0, whole.records));
}

#[test]
fn checkpoints_are_compared_item_by_item() {
    let folder = tempfile::tempdir().unwrap();
    let items = rows(20);
    let a = run(&model(1), &items, 7, &folder.path().join("a.jsonl"), &mut Seen::default()).unwrap().unwrap();
    let b = run(&model(2), &items, 7, &folder.path().join("b.jsonl"), &mut Seen::default()).unwrap().unwrap();
    assert_ne!(texts(&a.records), texts(&b.records));
    let comparisons = compare(&a.records, &b.records);
    assert_eq!(comparisons.iter().map(|c| c.metric.as_str()).collect::<Vec<_>>(), ["accuracy", "length", "truncated"]);
    assert!(comparisons.iter().all(|c| c.n == 20 && c.unmatched == 0));
    let gate = Gate {
        suite: "s".into(),
        metric: "accuracy".into(),
        not_worse_than: Some(Reference::Parent),
        margin: 0.5,
        ..Gate::default()
    };
    let case = GateCase {
        gate: &gate,
        better: Better::Higher,
        judge: "",
        calibration: None,
        now: &b.records,
        reference: Some(&a.records),
        parent: None,
    };
    let verdict = judge_all(&[case], GateCorrection::Holm).remove(0);
    assert_eq!((verdict.n, verdict.unscored), (20, 0.0));
}

#[test]
fn an_interrupted_suite_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("base.eval");
    // Inside the first of two batches: however the threads take turns, the second one finds the flag set.
    let mut seen = Seen { stop_at: Some(0.3), ..Seen::default() };
    assert_eq!(run(&model(1), &rows(100), 7, &log, &mut seen).unwrap(), None);
    assert_eq!((seen.begun, seen.ended), (1, 1));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn an_interrupted_suite_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (base, items) = (model(1), rows(150));
    let (whole, log) = (folder.path().join("whole.jsonl"), folder.path().join("resumed.jsonl"));
    let uninterrupted = run(&base, &items, 7, &whole, &mut Seen::default()).unwrap().unwrap();
    // Three batches: 64, 64 and 22 items with two repeats each; it stops in the second one.
    let mut seen = Seen { stop_at: Some(0.6), ..Seen::default() };
    assert_eq!(run(&base, &items, 7, &log, &mut seen).unwrap(), None);
    let journal = folder.path().join("resumed.partial.jsonl");
    let kept = std::fs::read_to_string(&journal).unwrap();
    assert_eq!(kept.lines().count(), 1 + 128);
    // Of the last item's repeats only the first one is left, and a piece of a line.
    let lines: Vec<&str> = kept.lines().collect();
    std::fs::write(&journal, lines[..128].join("\n") + "\n{\"id\": ").unwrap();
    let resumed = run(&base, &items, 7, &log, &mut Seen::default()).unwrap().unwrap();
    assert_eq!((resumed.tally.from_journal, resumed.tally.asked), (127, 173));
    assert_eq!(std::fs::read(&log).unwrap(), std::fs::read(&whole).unwrap());
    assert_eq!(
        (resumed.cost.tokens_sampled, resumed.cost.flops),
        (uninterrupted.cost.tokens_sampled, uninterrupted.cost.flops)
    );
    assert!(!journal.exists());

    // The journal of other weights is not mixed in.
    std::fs::write(&journal, kept).unwrap();
    let other = run(&model(2), &items, 7, &log, &mut Seen::default()).unwrap().unwrap();
    assert_eq!((other.tally.from_journal, other.tally.asked), (0, 300));
    assert!(folder.path().join("resumed.partial.1.aside").exists());
}

#[test]
fn an_item_that_does_not_fit_is_recorded_as_unscored() {
    let folder = tempfile::tempdir().unwrap();
    let mut items = rows(3);
    items[1].prompt = Prompt::Text("how ".repeat(16));
    let result = run(&model(1), &items, 7, &folder.path().join("log.jsonl"), &mut Seen::default()).unwrap().unwrap();
    assert_eq!(result.records.len(), 6);
    let long = &result.records[2];
    assert_eq!((long.id.as_str(), long.finish.as_str(), long.tokens), ("item1", NOT_SAMPLED, 0));
    let Score::Unscored(reason) = &long.scores["length"] else { panic!() };
    assert_eq!(reason, "items.jsonl:2: the prompt of 64 tokens leaves no room in the model's context");
    assert_eq!((result.measurements[1].n, result.measurements[1].unscored), (2, 2));
    assert_eq!(result.records[4].id, "item2");
}

#[test]
fn bad_items_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let message = |items: &[Row]| run(&model(1), items, 7, &log, &mut Seen::default()).unwrap_err().to_string();
    assert!(message(&[]).starts_with("suite `s` has no items"));
    let mut twice = rows(3);
    twice[2].id = "item0".to_owned();
    assert!(message(&twice).starts_with("suite `s`: items.jsonl:1 and items.jsonl:3 both have the id `item0`"));
    let mut empty = rows(2);
    empty[1].prompt = Prompt::Text(String::new());
    assert!(message(&empty).starts_with("suite `s`, items.jsonl:2: "), "{}", message(&empty));
}
