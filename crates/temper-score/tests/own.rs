//! Scorers of the user's own: what they answer, how they fail, and that nothing of it stalls.
//!
//! The tests with Python functions need a `python3`; the comparison with TRL needs `TEMPER_PYTHON`, a Python with trl.

#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temper_data::Row;
use temper_recipe::{Lab, ScorerSpec};
use temper_score::{Sample, Score, ScoreCache, Scorer, build_with};
use temper_text::Prompt;

fn build(kind: &str, params: &Value, cache: &ScoreCache) -> Result<Arc<dyn Scorer>, String> {
    let spec = ScorerSpec { r#type: kind.into(), params: params.as_object().unwrap().clone() };
    let named = [("mine".to_owned(), spec)].into_iter().collect();
    build_with("mine", &named, &Lab::default(), cache).map_err(|error| error.to_string())
}

fn scorer(kind: &str, params: Value) -> Arc<dyn Scorer> {
    build(kind, &params, &ScoreCache::none()).unwrap()
}

fn row(fields: Value) -> Row {
    Row {
        file: "test.jsonl".into(),
        line: 1,
        id: "1".into(),
        prompt: Prompt::user("How many?"),
        fields: fields.as_object().unwrap().clone(),
        ..Row::default()
    }
}

fn scores(scorer: &Arc<dyn Scorer>, row: &Row, texts: &[&str]) -> Vec<Score> {
    let samples: Vec<Sample> = texts.iter().map(|text| Sample::new(row, text, 1, false)).collect();
    scorer.score(&samples)
}

fn reason(score: &Score) -> &str {
    match score {
        Score::Error(reason) => reason,
        other => panic!("{other:?} is no error"),
    }
}

fn shell(script: &str, more: Value) -> Arc<dyn Scorer> {
    let mut params = json!({"command": ["sh", "-c", script], "batch_size": 1, "timeout": 20});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scorer("process", params)
}

fn python() -> bool {
    let there = Command::new("python3").arg("-c").arg("pass").status().is_ok_and(|status| status.success());
    if !there {
        println!("skipped: there is no python3");
    }
    there
}

#[test]
fn a_process_is_started_once_and_asked_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let script = "echo x >> \"$STARTS\"; while read -r line; do echo '{\"rewards\": [0.25], \"extra\": {\"why\": [\"so\"]}}'; done";
    let scorer = shell(script, json!({"env": {"STARTS": starts}}));
    assert!(!starts.exists(), "it is started when it is needed");
    let row = row(json!({"answer": "4"}));
    assert_eq!(scores(&scorer, &row, &["a", "b", "c"]), vec![Score::Value(0.25); 3]);
    let judged = scorer.judge(&[Sample::new(&row, "a", 1, false)]);
    assert_eq!(judged[0].explanation.as_deref(), Some("why: so"));
    assert_eq!(std::fs::read_to_string(&starts).unwrap(), "x\n");
    assert!(scores(&scorer, &row, &[]).is_empty());
}

#[test]
fn a_crash_is_told_with_its_last_words() {
    let row = row(json!({}));
    let crash = shell("read -r line; echo boom >&2; exit 7", json!({}));
    let found = scores(&crash, &row, &["a"]);
    assert!(reason(&found[0]).contains("exit status: 7") && reason(&found[0]).contains("boom"), "{found:?}");
    let missing = scorer("process", json!({"command": ["/nowhere/at/all"]}));
    let found = scores(&missing, &row, &["a", "b"]);
    assert!(reason(&found[1]).contains("cannot start `/nowhere/at/all`"), "{found:?}");
    let noisy = shell("echo hello; while read -r line; do echo '{\"rewards\": [1]}'; done", json!({}));
    let found = scores(&noisy, &row, &["a"]);
    assert!(reason(&found[0]).contains("hello"), "{found:?}");
}

#[test]
fn what_dies_on_start_is_not_started_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let dies = shell("echo x >> \"$STARTS\"; exit 1", json!({"env": {"STARTS": starts}, "restarts": 3}));
    let row = row(json!({}));
    let texts = vec!["a"; 500];
    let found = scores(&dies, &row, &texts);
    assert!(found.iter().all(|score| matches!(score, Score::Error(_))));
    assert!(reason(&found[499]).contains("given up after 3 failures in a row"), "{:?}", found[499]);
    let count = || std::fs::read_to_string(&starts).unwrap().lines().count();
    assert_eq!(count(), 3);
    scores(&dies, &row, &texts);
    assert_eq!(count(), 4, "the next call tries once");
}

#[test]
fn a_hang_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = "sleep 1000 & echo $! > \"$PID\"; wait";
    let hangs = shell(script, json!({"env": {"PID": pid}, "timeout": 0.5, "restarts": 2}));
    let row = row(json!({}));
    // More than a pipe holds, to a process that reads nothing.
    let long = "x".repeat(1 << 20);
    let start = Instant::now();
    let found = scores(&hangs, &row, &[&long, "b", "c", "d", "e", "f"]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(reason(&found[0]).contains("gave no answer within 0.5 s and was killed"), "{:?}", found[0]);
    assert!(reason(&found[5]).contains("given up after 2 failures"), "{:?}", found[5]);
    let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let gone = || {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat"));
        status.map_or(true, |status| status.contains(") Z "))
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !gone() {
        assert!(Instant::now() < deadline, "the child of the killed process still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn wrong_parameters_are_named() {
    let error = |kind: &str, params: Value| build(kind, &params, &ScoreCache::none()).err().unwrap();
    assert!(error("process", json!({})).contains("missing field `command`"));
    assert!(error("process", json!({"command": []})).contains("`command` is empty"));
    assert!(error("process", json!({"command": ["x"], "tiemout": 1})).contains("unknown field `tiemout`"));
    assert!(error("process", json!({"command": ["x"], "timeout": 0})).contains("`timeout` is 0; write seconds"));
    assert!(error("process", json!({"command": ["x"], "workers": 0})).contains("`workers` is 0"));
    assert!(error("process", json!({"command": ["x"], "range": [1, 0]})).contains("`range` is empty"));
    assert!(error("python", json!({"function": "noname"})).contains("`noname` names no function"));
    assert!(error("python", json!({"function": "/nowhere/f.py:f"})).contains("there is no file /nowhere/f.py"));
    assert!(error("http", json!({"url": "ftp://x"})).contains("begins with `http://`"));
    let header = json!({"url": "http://x", "headers_env": {"authorization": "TEMPER_NO_SUCH_VARIABLE"}});
    assert!(error("http", header).contains("TEMPER_NO_SUCH_VARIABLE, which should hold the header `authorization`"));
}

const FUNCTIONS: &str = r#"
import asyncio, functools, os, sys, time

def texts(completions):
    return [c if isinstance(c, str) else c[0]["content"] for c in completions]

def length(completions, **kwargs):
    print("a line on standard output")
    os.write(1, b"and another\n")
    return [float(len(t)) for t in texts(completions)]

def right(completions, answer, **kwargs):
    return [None if a is None else float(a == t) for a, t in zip(answer, texts(completions))]

async def later(prompts, completions, completion_ids, log_extra, log_metric, **kwargs):
    await asyncio.sleep(0.01)
    log_extra("asked", [p[-1]["content"] for p in prompts])
    log_metric("ids", sum(len(i) for i in completion_ids))
    return [len(i) for i in completion_ids]

class Weighted:
    def __call__(self, completions, weight=2):
        return [weight * len(t) for t in texts(completions)]

weighted = Weighted()
tripled = functools.partial(Weighted(), weight=3)

def fussy(completions, **kwargs):
    for t in texts(completions):
        if t == "raise": raise ValueError("no such thing")
        if t == "exit": sys.exit(3)
        if t == "die": print("last words", file=sys.stderr, flush=True); os._exit(9)
        if t == "hang": time.sleep(1000)
    return [1.0 if t != "nan" else float("nan") for t in texts(completions)]

def short(completions, **kwargs):
    return [1.0]

def none(completions, **kwargs):
    return []

def read_input(completions, **kwargs):
    return [0.0 if sys.stdin.read() == "" else 1.0 for _ in completions]

def state(completions, trainer_state, **kwargs):
    return [trainer_state.global_step for _ in completions]

def wordy(completions, **kwargs):
    return ["good" for _ in completions]
"#;

fn functions() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rewards.py"), FUNCTIONS).unwrap();
    folder
}

fn function(folder: &Path, name: &str, more: Value) -> Arc<dyn Scorer> {
    let mut params = json!({"function": format!("{}:{name}", folder.join("rewards.py").display()), "timeout": 20});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scorer("python", params)
}

#[test]
fn a_function_is_called_as_trl_calls_it() {
    if !python() {
        return;
    }
    let folder = functions();
    let of = |name: &str| function(folder.path(), name, json!({}));
    let asked = row(json!({"answer": "four"}));
    let values = |values: &[f64]| values.iter().map(|value| Score::Value(*value)).collect::<Vec<_>>();
    assert_eq!(scores(&of("length"), &asked, &["a", "bb", ""]), values(&[1.0, 2.0, 0.0]));
    assert_eq!(scores(&of("weighted"), &asked, &["a", "bb"]), values(&[2.0, 4.0]));
    assert_eq!(scores(&of("tripled"), &asked, &["a", "bb"]), values(&[3.0, 6.0]));
    assert_eq!(scores(&of("right"), &asked, &["four", "five"]), values(&[1.0, 0.0]));
    assert_eq!(scores(&of("right"), &row(json!({"answer": null})), &["four"]), [Score::NotApplicable]);
    assert_eq!(scores(&of("read_input"), &asked, &["a"]), values(&[0.0]));
    let later = of("later");
    let judged = later.judge(&[Sample::new(&asked, "a", 2, false).with_tokens(&[5, 6], &[])]);
    assert_eq!(judged[0].score, Score::Value(2.0));
    assert_eq!(judged[0].explanation.as_deref(), Some("asked: How many?\nmetric ids: 2"));
    let mut plain = asked.clone();
    plain.prompt = Prompt::Text("2+2=".into());
    assert_eq!(scores(&of("length"), &plain, &["abc"]), values(&[3.0]));
}

#[test]
fn a_function_that_fails_spoils_only_its_sample() {
    if !python() {
        return;
    }
    let folder = functions();
    let row = row(json!({}));
    let fussy = function(folder.path(), "fussy", json!({"timeout": 1.0}));
    let texts = ["a", "raise", "b", "exit", "c", "die", "d", "nan", "e", "hang", "f"];
    let start = Instant::now();
    let found = scores(&fussy, &row, &texts);
    assert!(start.elapsed() < Duration::from_secs(30));
    for (text, score) in texts.iter().zip(&found) {
        let expected = match *text {
            "raise" => "ValueError: no such thing (",
            "exit" => "SystemExit: 3",
            "die" => "exit status: 9); last on standard error: last words",
            "nan" => "the function returned nan as a reward",
            "hang" => "gave no answer within 1 s and was killed",
            _ => {
                assert_eq!(*score, Score::Value(1.0), "{text}");
                continue;
            }
        };
        assert!(reason(score).contains(expected), "{text}: {score:?}");
    }
    assert!(reason(&found[1]).contains("rewards.py:"), "the place in the user's file: {:?}", found[1]);
    let of = |name: &str, texts: &[&str]| scores(&function(folder.path(), name, json!({})), &row, texts);
    // Of a wrong number of rewards nobody knows whose they are; asked one by one there is one for one.
    assert_eq!(of("short", &["a", "b"]), [Score::Value(1.0), Score::Value(1.0)]);
    assert!(reason(&of("none", &["a"])[0]).contains("0 rewards for 1 completions"));
    assert!(reason(&of("state", &["a"])[0]).contains("Temper passes no state of the trainer"));
    assert!(reason(&of("wordy", &["a"])[0]).contains("returned the text 'good'"));
    assert!(reason(&of("nothing", &["a"])[0]).contains("has no attribute 'nothing'"));
    let missing = scorer("python", json!({"function": "no_such_module_anywhere:f"}));
    assert!(reason(&scores(&missing, &row, &["a"])[0]).contains("No module named 'no_such_module_anywhere'"));
    std::fs::write(folder.path().join("broken.py"), "def f(:\n").unwrap();
    let broken = scorer("python", json!({"function": format!("{}:f", folder.path().join("broken.py").display())}));
    assert!(reason(&scores(&broken, &row, &["a"])[0]).contains("SyntaxError"));
}

#[test]
fn large_batches_and_several_workers() {
    if !python() {
        return;
    }
    let folder = functions();
    let row = row(json!({"answer": "4"}));
    let long: Vec<String> = (0..200).map(|n| "long text ".repeat(1000) + &"x".repeat(n)).collect();
    let texts: Vec<&str> = long.iter().map(String::as_str).collect();
    for (workers, batch_size) in [(1, 200), (3, 16)] {
        let scorer = function(folder.path(), "length", json!({"workers": workers, "batch_size": batch_size}));
        let expected: Vec<Score> = long.iter().map(|text| Score::Value(text.len() as f64)).collect();
        assert_eq!(scores(&scorer, &row, &texts), expected);
        // Several calls at once share the workers.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(scores(&scorer, &row, &texts[..20]), expected[..20]));
            }
        });
    }
}

#[test]
fn the_identity_is_the_code_and_what_it_is_given() {
    let folder = functions();
    let digest = |name: &str, more: Value| function(folder.path(), name, more).digest();
    let first = digest("length", json!({}));
    assert_eq!(first, digest("length", json!({"workers": 4, "timeout": 5, "batch_size": 8, "restarts": 1})));
    assert_ne!(first, digest("right", json!({})));
    assert_ne!(first, digest("length", json!({"env": {"A": "1"}})));
    assert_ne!(first, digest("length", json!({"part": "answer"})));
    std::fs::write(folder.path().join("rewards.py"), format!("{FUNCTIONS}\n# changed\n")).unwrap();
    assert_ne!(first, digest("length", json!({})), "the file is part of it");
}

#[test]
fn judgements_of_a_version_are_kept_and_of_none_are_not() {
    if !python() {
        return;
    }
    let folder = functions();
    let log = folder.path().join("calls");
    let code = format!(
        "def f(completions, **kwargs):\n    open({:?}, 'a').write('x')\n    return [1.0 for _ in completions]\n",
        log.display().to_string()
    );
    std::fs::write(folder.path().join("counted.py"), code).unwrap();
    let path = format!("{}:f", folder.path().join("counted.py").display());
    let cache = ScoreCache::at(&folder.path().join("cache"));
    let row = row(json!({}));
    for (params, calls) in [
        (json!({"function": path}), 1),
        (json!({"function": path}), 2),
        (json!({"function": path, "version": "1"}), 3),
        (json!({"function": path, "version": "1"}), 3),
        (json!({"function": path, "version": "2"}), 4),
    ] {
        let scorer = build("python", &params, &cache).unwrap();
        assert_eq!(scorer.costly(), params.get("version").is_some());
        assert_eq!(scores(&scorer, &row, &["a"]), [Score::Value(1.0)]);
        assert_eq!(std::fs::read_to_string(&log).unwrap().len(), calls, "{params}");
    }
}

/// Needs `TEMPER_PYTHON`: a Python with trl.
#[test]
fn trl_gives_the_same_rewards() {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON names no Python with trl");
        return;
    };
    let python = python.to_str().unwrap();
    let folder = functions();
    let script = r#"
import json, sys, types, asyncio, threading
import torch
from accelerate import Accelerator
sys.path.insert(0, sys.argv[1])
import rewards
from trl import GRPOTrainer
from trl.rewards import think_format_reward
texts = json.loads(sys.argv[2])
trainer = types.SimpleNamespace()
trainer.accelerator = Accelerator(cpu=True)
trainer.reward_funcs = [rewards.length, rewards.right, think_format_reward, rewards.later]
trainer.reward_processing_classes = [None] * 4
trainer.reward_func_names = [f.__name__ for f in trainer.reward_funcs]
trainer.state, trainer.environments = types.SimpleNamespace(global_step=0), None
trainer._log_completion_extra = lambda column, values: None
trainer._log_metric = lambda name, value: None
trainer._metrics = {"train": {}}
trainer.control = trainer.args = types.SimpleNamespace(report_to=[])
trainer.async_loop = asyncio.new_event_loop()
threading.Thread(target=trainer.async_loop.run_forever, daemon=True).start()
prompts = [[{"role": "user", "content": "How many?"}] for _ in texts]
inputs = [{"prompt": p, "answer": "4"} for p in prompts]
completions = [[{"role": "assistant", "content": t}] for t in texts]
ids = [[1] * len(t) for t in texts]
found = GRPOTrainer._calculate_rewards(trainer, inputs, prompts, completions, ids)
sys.stdout.write("RESULT " + json.dumps(found.double().tolist()) + "\n")
"#;
    let texts = [
        "<think>\nreason\n</think>\n4",
        "4",
        "<think>a</think>",
        "<think>a<think>b</think>c",
        "no thinking",
        "",
        "<think>中文</think> x",
    ];
    let output = Command::new(python)
        .args(["-c", script, folder.path().to_str().unwrap(), &json!(texts).to_string()])
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let line = line.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let theirs: Vec<Vec<f64>> = serde_json::from_str(line).unwrap();
    let row = row(json!({"answer": "4"}));
    let ids: Vec<Vec<u32>> = texts.iter().map(|text| vec![1; text.chars().count()]).collect();
    let samples: Vec<Sample> = texts
        .iter()
        .zip(&ids)
        .map(|(text, ids)| Sample::new(&row, text, ids.len(), false).with_tokens(ids, &[]))
        .collect();
    let own = |name: &str| function(folder.path(), name, json!({"python": python}));
    let format = json!({"function": "trl.rewards:think_format_reward", "python": python, "timeout": 120});
    let all = [own("length"), own("right"), scorer("python", format), own("later")];
    for (at, scorer) in all.iter().enumerate() {
        let ours: Vec<f64> = scorer.score(&samples).iter().map(|score| score.value().unwrap()).collect();
        assert_eq!(ours, theirs.iter().map(|row| row[at]).collect::<Vec<_>>(), "function {at}");
    }
}
