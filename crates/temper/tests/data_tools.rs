//! The commands of `temper data` that write: convert, decontaminate, mix, split, pack.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Scratch;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json_of(scratch: &Scratch, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&scratch.ok(&args)).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Rows of prompts and completions that share no five words with each other.
fn rows(count: usize) -> String {
    let row = |i: usize| {
        let prompt = (0..12).map(|w| format!("p{}x{}", i, w * 7 % 12)).collect::<Vec<_>>().join(" ");
        json!({"prompt": prompt, "completion": format!("answer number {i}{}", " and more".repeat(i % 23)), "kind": (["a", "b"][i % 4 / 3]), "n": i})
    };
    (0..count).map(|i| format!("{}\n", row(i))).collect()
}

#[test]
fn rows_go_through_every_format_and_back() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &rows(20));
    for (from, to) in [("a.jsonl", "b.parquet"), ("b.parquet", "c.json.gz"), ("c.json.gz", "d.jsonl")] {
        let said = json_of(&scratch, &["data", "convert", from, "--out", to]);
        assert_eq!((said["rows"].as_u64(), said["left_out"].as_u64()), (Some(20), Some(0)), "{to}");
        assert_eq!(said["bytes_out"].as_u64().unwrap(), scratch.path(to).metadata().unwrap().len());
    }
    assert_eq!(lines(&scratch.path("d.jsonl")), lines(&scratch.path("a.jsonl")));
    // Text has no types, and the change is told.
    scratch.write("nested.jsonl", "{\"a\": [1], \"b\": 1}\n{\"a\": null, \"b\": 2}\n");
    let said = json_of(&scratch, &["data", "convert", "nested.jsonl", "--out", "n.csv"]);
    assert_eq!(said["changed"], json!({"lists and objects became text in JSON": 1}));

    let taken = ["data", "convert", "a.jsonl", "--out", "e.jsonl", "--rows", "3", "--set", "filter={kind: b}"];
    scratch.ok(&taken);
    assert_eq!(
        lines(&scratch.path("e.jsonl")).iter().map(|row| row["n"].as_u64().unwrap()).collect::<Vec<_>>(),
        [3, 7, 11]
    );
}

#[test]
fn rows_get_the_columns_of_a_shape() {
    let scratch = Scratch::new();
    scratch.write("a.csv", "question,solution,label\n1+1?,2,easy\n");
    let columns = ["--columns", "prompt=question,completion=solution"];
    scratch.ok(&[&["data", "convert", "a.csv", "--as", "trl", "--out", "t.jsonl"][..], &columns].concat());
    let row = &lines(&scratch.path("t.jsonl"))[0];
    assert_eq!((&row["prompt"], &row["completion"], &row["label"]), (&json!("1+1?"), &json!("2"), &json!("easy")));
    scratch.ok(&[&["data", "convert", "a.csv", "--as", "messages", "--out", "m.jsonl"][..], &columns].concat());
    let row = &lines(&scratch.path("m.jsonl"))[0];
    let turns = json!([{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]);
    assert_eq!((&row["messages"], &row["label"]), (&turns, &json!("easy")));
    scratch.write("text.jsonl", "{\"text\": \"once\"}\n");
    let said = scratch.refused(&["data", "convert", "text.jsonl", "--as", "messages", "--out", "x.jsonl"]);
    assert!(said.contains("text.jsonl:1") && said.contains("--as trl") && !scratch.path("x.jsonl").exists(), "{said}");
}

#[test]
fn a_bad_row_stops_or_is_counted_and_nothing_half_done_is_left() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", "{\"n\": 1}\n{\"n\": \n{\"n\": 3}\n");
    let before = names(scratch.dir.path());
    let said = scratch.refused(&["data", "convert", "a.jsonl", "--out", "b.parquet"]);
    assert!(said.contains("a.jsonl:2"), "{said}");
    for (out, says) in
        [("b.txt", "not a known format"), ("no/such/b.jsonl", "Make the folder first"), ("b.arrow", ".parquet")]
    {
        let said = scratch.refused(&["data", "convert", "a.jsonl", "--out", out]);
        assert!(said.contains(says), "{out}: {said}");
    }
    let said =
        scratch.refused(&["data", "convert", "a.jsonl", "--as", "trl", "--columns", "prompt=m", "--out", "b.jsonl"]);
    assert!(said.contains("a.jsonl:1: field `m`"), "{said}");
    assert_eq!(names(scratch.dir.path()), before);

    let out = scratch.run(&["data", "convert", "a.jsonl", "--out", "b.jsonl", "--continue-on-error", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((said["rows"].as_u64(), said["left_out"].as_u64()), (Some(2), Some(1)));
    assert!(said["errors"][0].as_str().unwrap().contains("a.jsonl:2"));
    assert_eq!(lines(&scratch.path("b.jsonl")), [json!({"n": 1}), json!({"n": 3})]);
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves_no_file() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &rows(400_000));
    let before = names(scratch.dir.path());
    let args = ["data", "convert", "a.jsonl", "--out", "b.json.gz"];
    let mut child = scratch.command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The handler is there before the file is.
    while names(scratch.dir.path()) == before {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began to write");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // SAFETY: a signal to a process that has not been waited for.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("interrupted; nothing was written"), "{said}");
    assert_eq!(names(scratch.dir.path()), before);
}

const ITEM: &str = "A farmer has twelve hens and every hen lays two eggs a day, how many eggs are there after a week?";

#[test]
fn contaminated_rows_are_found_and_left_out() {
    let scratch = Scratch::new();
    let edited = ITEM.replace("farmer", "grower").replace("hen lays", "bird lays").replace("after a week", "in a week");
    let train = [
        json!({"prompt": "How many apples are left in the basket?", "completion": "Seven apples."}),
        json!({"prompt": ITEM.to_uppercase(), "completion": "168"}),
        json!({"prompt": format!("Think first. {ITEM}"), "completion": "168 eggs."}),
        json!({"prompt": edited, "completion": "168 of them."}),
        json!({"prompt": "What is new?", "completion": "It is said that every hen lays two eggs a day, how many eggs are there I do not know"}),
        json!({"prompt": "How many apples are left in the basket?", "completion": "seven apples"}),
    ];
    scratch.write("train.jsonl", &train.map(|row| format!("{row}\n")).concat());
    scratch.write("test.jsonl", &format!("{}\n{}\n", json!({"question": ITEM}), json!({"question": "Who is there?"})));
    let against =
        ["data", "decontaminate", "train.jsonl", "--against", "test.jsonl", "--against-columns", "prompt=question"];
    let said = json_of(&scratch, &against);
    let set = &said["sets"][0];
    assert_eq!((&said["rows"], &said["kept"]), (&json!(6), &json!(2)), "{said:#}");
    assert_eq!((&set["overlap"]["items_touched"], &set["overlap"]["items"]), (&json!(1), &json!(2)));
    assert_eq!((&set["leaks"]["exact"], &set["leaking_rows"]), (&json!(1), &json!(3)));
    assert_eq!(names(scratch.dir.path()).len(), 3, "without --out nothing is written");

    // A longer n-gram leaves what only the comparison of whole prompts finds.
    let long =
        [&against[..], &["--ngram", "50", "--duplicates", "exact", "--out", "clean.jsonl", "--report", "report.json"]];
    let text = scratch.ok(&long.concat());
    assert!(text.contains("2 rows stay: clean.jsonl") && text.contains("train.jsonl:3"), "{text}");
    let kept = lines(&scratch.path("clean.jsonl"));
    assert_eq!(
        kept.iter().map(|row| row["prompt"].as_str().unwrap()).collect::<Vec<_>>(),
        ["How many apples are left in the basket?", "What is new?"]
    );
    let report: Value = serde_json::from_str(&std::fs::read_to_string(scratch.path("report.json")).unwrap()).unwrap();
    let counts: Vec<u64> =
        report["removed"].as_array().unwrap().iter().map(|rule| rule["count"].as_u64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 4, "{report:#}");
    let card: Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("clean.jsonl.card.json")).unwrap()).unwrap();
    assert_eq!((&card["rows"], &card["firewall"][0]["exact"]), (&json!(2), &json!(0)));
    assert!(std::fs::read_to_string(scratch.path("clean.jsonl.card.md")).unwrap().contains("## Cleaning"));
    // What is left is clean.
    let again = json_of(
        &scratch,
        &[
            "data",
            "decontaminate",
            "clean.jsonl",
            "--against",
            "test.jsonl",
            "--against-columns",
            "prompt=question",
            "--ngram",
            "50",
        ],
    );
    assert_eq!((&again["kept"], &again["sets"][0]["leaking_rows"]), (&json!(2), &json!(0)));

    let refused = scratch.refused(&["data", "decontaminate", "train.jsonl", "--against", "test.jsonl"]);
    assert!(refused.contains("test.jsonl:1") && refused.contains("question"), "{refused}");
    let refused = scratch.refused(&[&against[..], &["--min-chars", "1000", "--out", "none.jsonl"]].concat());
    assert!(refused.contains("no row is left") && !scratch.path("none.jsonl").exists(), "{refused}");
    let refused = scratch.refused(&[&against[..], &["--similarity", "0.7"]].concat());
    assert!(refused.contains("--duplicates near"), "{refused}");
}

#[test]
fn a_mixture_has_the_shares_asked_for() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &rows(60));
    scratch.write("b.csv", "question,answer\nwho,me\nwhere,here\n");
    let mix = |out: &str, more: &[&str]| {
        let args =
            ["data", "mix", "a=a.jsonl,weight=3", "b=b.csv,weight=1,prompt=question,completion=answer", "--out", out];
        json_of(&scratch, &[&args[..], more].concat())
    };
    let said = mix("m.jsonl", &["--rows", "40", "--seed", "5", "--as", "trl"]);
    let taken: Vec<(u64, f64)> = said["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["taken"].as_u64().unwrap(), s["epochs"].as_f64().unwrap()))
        .collect();
    assert_eq!(taken, [(30, 0.5), (10, 5.0)]);
    let rows = lines(&scratch.path("m.jsonl"));
    assert_eq!(rows.iter().filter(|row| row["source"] == "b").count(), 10);
    assert!(rows.iter().all(|row| row["prompt"].is_string() && row["completion"].is_string()));
    // Evenly spread, and the same again.
    assert_eq!(rows[..20].iter().filter(|row| row["source"] == "b").count(), 5);
    mix("again.jsonl", &["--rows", "40", "--seed", "5", "--as", "trl"]);
    assert_eq!(lines(&scratch.path("again.jsonl")), rows);
    mix("other.jsonl", &["--rows", "40", "--seed", "6", "--as", "trl"]);
    assert_ne!(lines(&scratch.path("other.jsonl")), rows);
    // As they are in their files, until one is used up.
    let said = mix("raw.jsonl", &[]);
    assert_eq!(said["rows"], json!(8));
    assert!(lines(&scratch.path("raw.jsonl")).iter().any(|row| row.get("question").is_some()));

    let refused = scratch.refused(&["data", "mix", "a=raw.jsonl", "--out", "x.jsonl"]);
    assert!(refused.contains("field `source`") && refused.contains("--source-column"), "{refused}");
    let refused = scratch.refused(&["data", "mix", "a=a.jsonl", "--by", "tokens", "--out", "x.jsonl"]);
    assert!(refused.contains("--model"), "{refused}");
    let refused = scratch.refused(&["data", "mix", "a=a.jsonl,wieght=2", "--out", "x.jsonl"]);
    assert!(refused.contains("wieght"), "{refused}");
    let refused = scratch.refused(&["data", "mix", "a=a.jsonl", "a=b.csv", "--out", "x.jsonl"]);
    assert!(refused.contains("a source `a` already"), "{refused}");
    assert!(!scratch.path("x.jsonl").exists());
}

#[test]
fn a_mixture_of_a_recipe_is_written() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &rows(30));
    scratch.write("b.jsonl", "{\"q\": \"who\"}\n{\"q\": \"where\"}\n");
    let recipe = "
name: mixed
model: {path: 'lab:base'}
data:
  a: {path: a.jsonl}
  b: {path: b.jsonl, template: 'Say {q}.'}
  both: {mix: {of: {a: {weight: 1}, b: {weight: 1}}, seed: 2}, rows: 12}
arms: {main: {stages: [{sft: {data: both}}]}}
";
    scratch.write("mix.yaml", recipe);
    scratch.ok(&["data", "mix", "--recipe", "mix.yaml", "--data", "both", "--out", "m.jsonl"]);
    let rows = lines(&scratch.path("m.jsonl"));
    assert_eq!(rows.iter().filter(|row| row["source"] == "b").count(), 6);
    assert!(rows.iter().any(|row| row["prompt"] == "Say who."), "the template is applied");
    let refused = scratch.refused(&["data", "mix", "--recipe", "mix.yaml", "--data", "a", "--out", "x.jsonl"]);
    assert!(refused.contains("not a mixture"), "{refused}");
    let cleaned = [
        "data",
        "mix",
        "--recipe",
        "mix.yaml",
        "--data",
        "both",
        "--set",
        "data.a.clean.min_chars=3",
        "--out",
        "x.jsonl",
    ];
    assert!(scratch.refused(&cleaned).contains("data.a: `clean` and `part`"));
}

#[test]
fn a_split_is_exact_by_stratum_and_keeps_clusters_whole() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &rows(200));
    let said =
        json_of(&scratch, &["data", "split", "a.jsonl", "--held-out", "0.2", "--stratify", "kind", "--out", "s"]);
    assert_eq!(said["strata"], json!({"a": {"train": 120, "held_out": 30}, "b": {"train": 40, "held_out": 10}}));
    let numbers = |file: &str| -> BTreeSet<u64> {
        lines(&scratch.path(file)).iter().map(|row| row["n"].as_u64().unwrap()).collect()
    };
    let (train, held_out) = (numbers("s/train.jsonl"), numbers("s/held_out.jsonl"));
    assert!(train.is_disjoint(&held_out) && train.len() + held_out.len() == 200);

    // Every row twice, the second time with one word more.
    let twice: String = rows(60)
        .lines()
        .flat_map(|line| [line.to_owned(), line.replacen("\"prompt\":\"", "\"prompt\":\"Well, ", 1)])
        .map(|line| line + "\n")
        .collect();
    scratch.write("twice.jsonl", &twice);
    let said = json_of(
        &scratch,
        &[
            "data",
            "split",
            "twice.jsonl",
            "--held-out",
            "0.25",
            "--clusters",
            "--seed",
            "3",
            "--out",
            "c",
            "--set",
            "clean.similarity=0.6",
        ],
    );
    assert_eq!((&said["clusters"], &said["largest_cluster"], &said["leaks"]), (&json!(60), &json!(2), &json!([])));
    assert_eq!((&said["train"]["rows"], &said["held_out"]["rows"]), (&json!(90), &json!(30)));
    assert!(numbers("c/train.jsonl").is_disjoint(&numbers("c/held_out.jsonl")));
    // The check is able to fail: clusters that are too small let near duplicates across.
    let out = scratch.run(&[
        "data",
        "split",
        "twice.jsonl",
        "--held-out",
        "0.25",
        "--clusters",
        "--seed",
        "3",
        "--out",
        "d",
        "--set",
        "clean.similarity=1.0",
    ]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stdout).contains("held-out prompts are, or nearly are, training prompts"));

    for (more, says) in [
        (&["--held-out", "1"][..], "between 0 and 1"),
        (&["--held-out", "0.2", "--stratify", "knid"], "field `knid`"),
        (&["--held-out", "0.2", "--format", "xls"], "not a known format"),
        (&["--held-out", "0.00001"], "none is on the side `held_out`"),
    ] {
        let said = scratch.refused(&[&["data", "split", "a.jsonl", "--out", "no"][..], more].concat());
        assert!(said.contains(says) && !scratch.path("no").exists(), "{more:?}: {said}");
    }
}

#[test]
fn rows_are_packed_as_they_would_be_trained_on() {
    let scratch = Scratch::new();
    scratch.base();
    scratch.write("a.jsonl", &rows(300));
    let args =
        ["data", "pack", "a.jsonl", "--model", "base", "--max-length", "200", "--batch-tokens", "2048", "--out", "p"];
    let said = json_of(&scratch, &args);
    assert_eq!(names(&scratch.path("p")), ["README.md", "card.json", "train.parquet"].map(String::from).into());
    scratch.ok(&["data", "convert", "p/train.parquet", "--out", "p.jsonl"]);
    let batches = lines(&scratch.path("p.jsonl"));
    assert_eq!(json!(batches.len()), said["batches"]);
    let numbers =
        |value: &Value| -> Vec<i64> { value.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect() };
    let (mut tokens, mut learned, mut examples) = (0, 0, 0);
    for batch in &batches {
        let (ids, labels, lengths) =
            (numbers(&batch["input_ids"]), numbers(&batch["labels"]), numbers(&batch["seq_lengths"]));
        assert_eq!((ids.len(), lengths.iter().sum::<i64>() as usize), (labels.len(), ids.len()));
        assert!(ids.len() <= 2048);
        assert!(ids.iter().zip(&labels).all(|(id, label)| *label == -100 || label == id));
        let starts = lengths.iter().scan(0, |at, length| Some(std::mem::replace(at, *at + *length as usize)));
        assert!(starts.into_iter().all(|start| labels[start] == -100), "nothing predicts a first token");
        tokens += ids.len();
        learned += labels.iter().filter(|label| **label != -100).count();
        examples += lengths.len();
    }
    assert_eq!(json!([tokens, learned, examples]), json!([said["tokens"], said["targets"], said["examples"]]));
    // Best fit comes within a batch of the fewest that there could be.
    assert!(batches.len() <= tokens.div_ceil(2048) + 1, "{said:#}");
    assert_eq!(said["fill_rate"], json!(tokens as f64 / (2048 * batches.len()) as f64));

    // The same bytes again.
    scratch.ok(&[&args[..9], &["--out", "q", "--json"]].concat());
    assert!(
        std::fs::read(scratch.path("p/train.parquet")).unwrap()
            == std::fs::read(scratch.path("q/train.parquet")).unwrap()
    );

    for (more, says) in [
        (&["--max-length", "8"][..], "the prompt alone"),
        (&[][..], "--max-length or --batch-tokens"),
        (&["--max-length", "1"], "at least 2 tokens"),
        (&["--max-length", "99", "--columns", "completion=nothing"], "field `nothing`"),
    ] {
        let args = [&["data", "pack", "a.jsonl", "--model", "base", "--out", "no"][..], more].concat();
        let said = scratch.refused(&args);
        assert!(said.contains(says) && !scratch.path("no").exists(), "{more:?}: {said}");
    }
    let said = scratch.refused(&["data", "pack", "a.jsonl", "--max-length", "99", "--out", "no"]);
    assert!(said.contains("--model"), "{said}");
}

/// Needs `TEMPER_PYTHON`: a Python with trl, transformers and datasets.
#[test]
fn trl_trains_on_packed_rows_as_they_are() {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON names no Python with trl");
        return;
    };
    let scratch = Scratch::new();
    scratch.base();
    scratch.write("a.jsonl", &rows(60));
    let said = json_of(&scratch, &["data", "pack", "a.jsonl", "--model", "base", "--max-length", "256", "--out", "p"]);
    let script = "
import sys
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
data = load_dataset('p', split='train')
args = SFTConfig(output_dir='out', padding_free=True, max_length=None, dataset_kwargs={'skip_prepare_dataset': True},
    max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True, bf16=False, save_strategy='no')
model, tokenizer = AutoModelForCausalLM.from_pretrained('base'), AutoTokenizer.from_pretrained('base')
trainer = SFTTrainer(model, train_dataset=data, processing_class=tokenizer, args=args)
batch = next(iter(trainer.get_train_dataloader()))
starts = [at for at, position in enumerate(batch['position_ids'][0].tolist()) if position == 0]
assert len(starts) > 2 and all(label == -100 for label in batch['labels'][0][starts].tolist()), starts
trainer.train()
print(sum(map(len, data['input_ids'])), sum(map(len, data['seq_lengths'])))
";
    scratch.write("check.py", script);
    let mut command = std::process::Command::new(python);
    let out =
        command.arg("check.py").current_dir(scratch.dir.path()).env("HF_HOME", scratch.path("hf")).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let counts = format!("{} {}", said["tokens"], said["examples"]);
    assert!(text.lines().last().is_some_and(|line| line == counts), "{text} and {counts}");
}
