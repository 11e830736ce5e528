//! A suite on a model behind a server: records, failures, resume; and what holds for every subject.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../temper-endpoint/tests/server/mod.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use server::{Answer, Server, completion, error, said};
use temper_data::Row;
use temper_endpoint::Endpoint;
use temper_eval::{CONTENT_FILTER, ERROR, EvalError, NOT_SAMPLED, Served, SuiteResult, SuiteRun, read_log, run_suite};
use temper_recipe::{EndpointSpec, Lab, Sampling, Suite};
use temper_score::{Better, Judged, Part, Sample, Score, Scorer};
use temper_text::Prompt;
use temper_train::Quiet;

fn rows(count: usize) -> Vec<Row> {
    let row = |i: usize| Row {
        file: "items.jsonl".into(),
        line: i + 1,
        id: format!("item{i}"),
        prompt: if i.is_multiple_of(2) { Prompt::user(format!("q{i}")) } else { Prompt::Text(format!("q{i}")) },
        fields: json!({"answer": i.to_string()}).as_object().unwrap().clone(),
        ..Row::default()
    };
    (0..count).map(row).collect()
}

fn suite(repeats: usize) -> Suite {
    let sampling = Sampling { temperature: 0.7, top_p: 0.9, top_k: 3, max_tokens: 12 };
    Suite { sampling, repeats, ..Suite::default() }
}

fn scorers() -> Vec<Arc<dyn Scorer>> {
    ["accuracy", "length"]
        .iter()
        .map(|name| temper_score::build(name, &Default::default(), &Lab::default()).unwrap())
        .collect()
}

fn served(server: &Server) -> Served {
    let spec = EndpointSpec { url: server.url.clone(), retries: 1, max_connections: 4, ..EndpointSpec::default() };
    Served::new(Endpoint::new(&spec).unwrap()).unwrap()
}

fn evaluate(
    server: &Server,
    suite: &Suite,
    rows: &[Row],
    scorers: &[Arc<dyn Scorer>],
    log: &Path,
    stop: &AtomicBool,
) -> Result<Option<SuiteResult>, EvalError> {
    let run = SuiteRun { name: "s", suite, rows, scorers, seed: 7, label: "tiny", log };
    run_suite(&run, &served(server), &mut Quiet, stop)
}

fn run(server: &Server, suite: &Suite, rows: &[Row], log: &Path) -> Result<SuiteResult, EvalError> {
    evaluate(server, suite, rows, &scorers(), log, &AtomicBool::new(false)).map(Option::unwrap)
}

#[test]
fn dialogues_and_texts_reasoning_and_unknown_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("eval/s.jsonl");
    let server = Server::start(|_, seen| match seen.prompt().as_str() {
        "q0" => {
            let mut body = completion("\\boxed{0}");
            body["choices"][0]["message"]["reasoning_content"] = json!("because");
            body["system_fingerprint"] = json!("w1");
            Answer::Http(200, Vec::new(), body.to_string())
        }
        "q1" => {
            Answer::Http(200, Vec::new(), json!({"choices": [{"text": "1", "finish_reason": "length"}]}).to_string())
        }
        "q2" => error(400, "This model's maximum context length is 8 tokens, your prompt has 9"),
        "q3" => {
            let mut body = completion("par");
            body["choices"][0]["finish_reason"] = json!("content_filter");
            Answer::Http(200, Vec::new(), body.to_string())
        }
        other => said(other),
    });
    let result = run(&server, &suite(2), &rows(6), &log).unwrap();
    assert_eq!(result.records.len(), 12);
    assert_eq!(read_log(&log).unwrap(), result.records);
    let record = |item: usize| &result.records[2 * item];
    assert_eq!(record(0).text, "<think>\nbecause\n</think>\n\n\\boxed{0}");
    assert_eq!((record(0).thinking.as_deref(), record(0).answer.as_str()), (Some("because"), "\\boxed{0}"));
    assert_eq!(record(0).scores["accuracy"], Score::Value(1.0));
    assert_eq!((record(1).finish.as_str(), record(1).tokens), ("length", 0));
    assert!(record(1).tags.contains(&"tokens_unknown".to_owned()));
    assert!(matches!(&record(1).scores["length"], Score::Unscored(_)));
    assert_eq!(record(2).finish, NOT_SAMPLED);
    let Score::Unscored(reason) = &record(2).scores["accuracy"] else { panic!() };
    assert!(reason.starts_with("items.jsonl:3: ") && reason.contains("maximum context length"), "{reason}");
    assert_eq!((record(3).finish.as_str(), record(3).text.as_str()), (CONTENT_FILTER, "par"));
    let tally = &result.tally;
    assert_eq!((tally.samples, tally.asked, tally.not_sampled, tally.tokens_unknown, tally.failed), (12, 12, 2, 2, 0));
    assert_eq!(result.cost.tokens_sampled, result.records.iter().map(|record| record.tokens as u64).sum::<u64>());

    let seen = server.seen();
    let paths = |path: &str| seen.iter().filter(|seen| seen.path == path).count();
    assert_eq!((paths("/v1/chat/completions"), paths("/v1/completions")), (6, 6));
    let body = &seen.iter().find(|seen| seen.prompt() == "q4").unwrap().body;
    assert_eq!(
        (&body["model"], &body["temperature"], &body["top_p"], &body["top_k"], &body["max_tokens"]),
        (&json!("tiny"), &json!(0.7), &json!(0.9), &json!(3), &json!(12))
    );
    let mut seeds: Vec<u64> = seen.iter().map(|seen| seen.body["seed"].as_u64().unwrap()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 12);

    // The same again comes from the log; what the server says of its weights stands in the note.
    let again = run(&server, &suite(2), &rows(6), &log).unwrap();
    assert_eq!((again.records, again.tally.from_log, server.count()), (result.records, 12, 12));
    let note = std::fs::read_to_string(log.with_extension("meta.json")).unwrap();
    let note: serde_json::Value = serde_json::from_str(&note).unwrap();
    assert_eq!(note["fingerprints"], json!({"w1": 2}));
    assert_eq!((&note["server"]["model"], &note["server"]["listed"]["owned_by"]), (&json!("tiny"), &json!("test")));
    assert!(!log.with_extension("partial.jsonl").exists());
}

#[test]
fn a_few_failures_are_records_and_are_asked_again_by_the_same_call() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("s.jsonl");
    let healed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&healed);
    let server = Server::start(move |_, seen| match seen.prompt().as_str() {
        "q4" if !flag.load(Ordering::Relaxed) => error(400, "I do not like this one"),
        other => said(other),
    });
    let result = run(&server, &suite(1), &rows(20), &log).unwrap();
    assert_eq!((result.tally.failed, server.count()), (1, 20));
    let failed = &result.records[4];
    assert_eq!((failed.finish.as_str(), failed.text.as_str()), (ERROR, ""));
    let Score::Error(reason) = &failed.scores["accuracy"] else { panic!() };
    assert!(reason.starts_with("items.jsonl:5: ") && reason.contains("I do not like this one"), "{reason}");
    assert_eq!((result.measurements[0].errors, result.measurements[0].n), (1, 19));
    healed.store(true, Ordering::Relaxed);
    let whole = run(&server, &suite(1), &rows(20), &log).unwrap();
    assert_eq!((whole.tally.failed, whole.tally.from_journal, whole.tally.asked, server.count()), (0, 19, 1, 21));
    assert_eq!(whole.records[4].text, "q4");
    assert!(!log.with_extension("partial.jsonl").exists());
}

#[test]
fn a_broken_server_ends_the_evaluation_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("s.jsonl");
    let healed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&healed);
    let server = Server::start(move |n, seen| match n {
        0..=9 => said(&seen.prompt()),
        _ if flag.load(Ordering::Relaxed) => said(&seen.prompt()),
        _ => error(400, "broken"),
    });
    let problem = run(&server, &suite(1), &rows(40), &log).unwrap_err();
    let EvalError::TooManyFailed { failed, samples, .. } = &problem else { panic!("{problem}") };
    assert_eq!((*failed, *samples), (5, 40));
    let text = problem.to_string();
    assert!(
        text.starts_with("suite `s`: 5 of 40 completions failed, more than 10 %; the last one: items.jsonl:"),
        "{text}"
    );
    assert!(!log.exists());
    healed.store(true, Ordering::Relaxed);
    let result = run(&server, &suite(1), &rows(40), &log).unwrap();
    let tally = &result.tally;
    assert_eq!((tally.from_journal + tally.asked, tally.failed), (40, 0));
    assert!((5..=10).contains(&tally.from_journal), "{tally:?}");
    // A key that is refused would be refused for every item.
    let server = Server::start(|_, _| error(401, "who are you"));
    let problem = run(&server, &suite(1), &rows(40), &folder.path().join("t.jsonl")).unwrap_err().to_string();
    assert!(problem.contains("HTTP 401: who are you") && server.count() < 40, "{problem}");
    assert!(!folder.path().join("t.partial.jsonl").exists());
}

#[test]
fn an_interrupted_evaluation_asks_only_for_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("s.jsonl");
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let server = Server::start(move |n, seen| {
        if n == 15 {
            flag.store(true, Ordering::Relaxed);
        }
        said(&format!("to {} {}", seen.prompt(), seen.body["seed"]))
    });
    let (suite, items) = (suite(3), rows(10));
    assert_eq!(evaluate(&server, &suite, &items, &scorers(), &log, &stop).unwrap(), None);
    let (before, journal) = (server.count(), log.with_extension("partial.jsonl"));
    let kept = std::fs::read_to_string(&journal).unwrap().lines().count() - 1;
    assert!((12..=before).contains(&kept), "{kept} of {before}");
    // Torn in the middle of the last line.
    let bytes = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &bytes[..bytes.len() - 5]).unwrap();
    let resumed = run(&server, &suite, &items, &log).unwrap();
    assert_eq!((resumed.tally.from_journal, resumed.tally.asked), (kept - 1, 30 - (kept - 1)));
    // Those that were under way may arrive at the server late.
    let since = server.count() - before;
    assert!((resumed.tally.asked..=resumed.tally.asked + 4).contains(&since), "{since}");
    let (whole, other) = (
        folder.path().join("whole.jsonl"),
        Server::start(|_, seen| said(&format!("to {} {}", seen.prompt(), seen.body["seed"]))),
    );
    run(&other, &suite, &items, &whole).unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), std::fs::read(&whole).unwrap());

    // A journal of another sampling is put aside, not mixed in.
    std::fs::write(&journal, &bytes).unwrap();
    std::fs::remove_file(&log).unwrap();
    let mut warmer = suite.clone();
    warmer.sampling.temperature = 1.0;
    let before = server.count();
    let result = run(&server, &warmer, &items, &log).unwrap();
    assert_eq!((result.tally.from_journal, server.count() - before), (0, 30));
    assert_eq!(std::fs::read(folder.path().join("s.partial.1.aside")).unwrap(), bytes);
}

/// A scorer that does something when it judges.
struct Acts<F>(&'static str, F);

impl<F: Fn(&[Sample]) -> usize + Send + Sync> Scorer for Acts<F> {
    fn name(&self) -> &str {
        self.0
    }
    fn digest(&self) -> String {
        self.0.to_owned()
    }
    fn part(&self) -> Part {
        Part::Whole
    }
    fn better(&self) -> Better {
        Better::Higher
    }
    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        (0..(self.1)(samples)).map(|_| Score::Value(1.0).into()).collect()
    }
}

#[test]
fn scorers_work_at_the_same_time_and_a_broken_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, seen| said(&seen.prompt()));
    let judge = |name: &str, scorers: Vec<Arc<dyn Scorer>>| {
        let log = folder.path().join(name);
        evaluate(&server, &suite(1), &rows(5), &scorers, &log, &AtomicBool::new(false)).map(Option::unwrap)
    };
    // Each waits for the other.
    let (a, b) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let (a2, b2, b3) = (Arc::clone(&a), Arc::clone(&b), Arc::clone(&b));
    let first = Acts("first", move |samples: &[Sample]| {
        a.wait();
        b2.fetch_add(samples.len(), Ordering::Relaxed);
        samples.len()
    });
    let second = Acts("second", move |samples: &[Sample]| {
        a2.wait();
        b3.fetch_add(samples.len(), Ordering::Relaxed);
        samples.len()
    });
    judge("both.jsonl", vec![Arc::new(first), Arc::new(second)]).unwrap();
    assert_eq!(b.load(Ordering::Relaxed), 10);

    let before = server.count();
    let panics: Arc<dyn Scorer> = Arc::new(Acts("bad", |samples: &[Sample]| {
        assert!(samples.len() > 99, "only {} samples", samples.len());
        0
    }));
    let problem = judge("bad.jsonl", vec![panics]).unwrap_err().to_string();
    assert!(problem.starts_with("suite `s`: scorer `bad` broke down: only 5 samples"), "{problem}");
    let short: Arc<dyn Scorer> = Arc::new(Acts("short", |samples: &[Sample]| samples.len() - 1));
    let problem = judge("bad.jsonl", vec![short]).unwrap_err().to_string();
    assert!(problem.contains("scorer `short` gave 4 scores for 5 samples"), "{problem}");
    // The completions were kept: other scorers need no new ones.
    let good = judge("bad.jsonl", vec![Arc::new(Acts("good", |samples: &[Sample]| samples.len()))]).unwrap();
    assert_eq!((good.tally.from_journal, server.count() - before), (5, 5));
}
