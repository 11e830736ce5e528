//! Data sources of a recipe: cleaned, split, mixed and tokenised, with cards that say so.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Value, json};
use temper_data::{Encoding, Row};
use temper_recipe::{DataSource, Lab, LongRows, LossOn};
use temper_run::{Dataset, HeldOut, Sources};
use temper_text::Tokenizer;

/// The lab's tokenizer, which has a chat template.
fn tokenizer(sources: &Sources) -> Tokenizer {
    let dir = tempfile::tempdir().unwrap();
    sources.world().train_tokenizer().unwrap().write(dir.path()).unwrap();
    Tokenizer::load(dir.path()).unwrap()
}

fn sources() -> Sources {
    Sources::new(&Lab { vocab_size: 320, ..Lab::default() })
}

fn write(dir: &Path, name: &str, rows: impl Iterator<Item = Value>) -> String {
    let text: Vec<String> = rows.map(|row| row.to_string()).collect();
    let path = dir.join(name);
    std::fs::write(&path, text.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

const NAMES: [&str; 10] = ["apples", "pears", "plums", "nuts", "figs", "dates", "limes", "grapes", "melons", "kiwis"];

fn row(i: usize) -> Value {
    let (a, b) = (NAMES[i % 10], NAMES[(i / 10) % 10]);
    json!({"id": format!("r{i}"), "prompt": format!("case {i}: how many {a} and {b} are there, if {i} {a} are sold?"),
        "completion": format!("There are {} {a} and {b} in the end, since {i} were sold.", i + 1), "kind": a})
}

fn data(entries: Value) -> IndexMap<String, DataSource> {
    serde_json::from_value(entries).unwrap()
}

fn encoding(tokenizer: &Tokenizer) -> Encoding<'_> {
    Encoding {
        tokenizer,
        loss_on: LossOn::Completion,
        max_length: Some(512),
        long_rows: LongRows::Cut,
        vocab_size: None,
        allow: &[],
    }
}

fn ids(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn what_is_cleaned_away_is_in_the_card_and_the_rest_is_the_same_held_and_as_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let rows = (0..50).map(row).chain([row(7), json!({"id": "long", "prompt": "p", "completion": "x ".repeat(900)})]);
    let path = write(dir.path(), "train.jsonl", rows);
    let data = data(json!({"train": {"path": path, "clean": {"duplicates": "exact", "max_chars": 1000}}}));
    let (sources, none) = (sources(), HeldOut::new(vec![]));
    let tokenizer = tokenizer(&sources);
    let mut set = Dataset::read("train", &data, &sources, &none, true).unwrap();
    let held = set.hold(&tokenizer).unwrap();
    assert_eq!((set.count(), held.len(), set.card.rows), (50, 50, 50));
    let removed: Vec<(&str, usize)> = set.card.cleaned.removed.iter().map(|r| (r.rule.as_str(), r.count)).collect();
    assert_eq!(removed, [("at most 1000 characters", 1), ("exact duplicates", 1)]);
    assert_eq!((set.card.files.len(), set.card.files[0].sha256.len()), (1, 64));
    let (tokens, report) = set.encode(&encoding(&tokenizer), dir.path()).unwrap();
    assert_eq!((tokens.len(), report.rows, report.examples), (50, 50, 50));
    let direct = tokenizer.encode_example(&held[3].prompt, &held[3].said()).unwrap();
    assert_eq!(tokens.get(3).ids, direct.ids);
    let text = set.card.markdown();
    assert!(
        text.contains("50 of 52 rows stay") && text.contains("the same as") && text.contains("not stated"),
        "{text}"
    );
}

#[test]
fn the_sides_of_a_split_have_no_row_in_common_and_keep_clusters_whole() {
    let dir = tempfile::tempdir().unwrap();
    // Every second row is a near duplicate of the one before.
    let twin = |i: usize| {
        let mut row = row(i / 2);
        row["id"] = json!(format!("r{i}"));
        row["prompt"] = json!(format!("{} {}", row["prompt"].as_str().unwrap(), ["", "Say it."][i % 2]));
        row
    };
    let path = write(dir.path(), "all.jsonl", (0..200).map(twin));
    let (sources, none) = (sources(), HeldOut::new(vec![]));
    let tokenizer = tokenizer(&sources);
    for more in [json!({}), json!({"stratify": "kind"}), json!({"clusters": true})] {
        let side = |take: &str| {
            let mut part = json!({"take": take, "held_out": 0.2, "seed": 3});
            part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let data = data(json!({"d": {"path": path, "part": part, "clean": {"similarity": 0.6}}}));
            let mut set = Dataset::read("d", &data, &sources, &none, true).unwrap();
            set.hold(&tokenizer).unwrap()
        };
        let (train, held) = (side("train"), side("held_out"));
        // A suite reads the same side.
        let mut part = json!({"take": "held_out", "held_out": 0.2, "seed": 3});
        part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let suite = data(json!({"d": {"path": path, "part": part, "clean": {"similarity": 0.6}}}));
        assert_eq!(ids(&sources.rows(&suite["d"], true).unwrap()), ids(&held));
        assert_eq!((ids(&train).is_disjoint(&ids(&held)), train.len() + held.len()), (true, 200), "{more}");
        assert!((25..=55).contains(&held.len()), "{more}: {}", held.len());
        let number = |row: &Row| row.id[1..].parse::<usize>().unwrap() / 2;
        if more.get("clusters").is_some() {
            let pairs: BTreeSet<usize> = held.iter().map(number).collect();
            assert!(train.iter().all(|row| !pairs.contains(&number(row))));
        }
    }
}

#[test]
fn a_mixture_has_the_shares_that_were_asked_for_in_rows_and_in_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let short = write(dir.path(), "short.jsonl", (0..90).map(row));
    let long = (0..30).map(|i| {
        let mut row = row(1000 + i);
        row["completion"] = json!(row["completion"].as_str().unwrap().repeat(6));
        row
    });
    let long = write(dir.path(), "long.jsonl", long);
    let (sources, none) = (sources(), HeldOut::new(vec![]));
    let tokenizer = tokenizer(&sources);
    let made = |mix: Value, rows: Value| {
        let data = data(json!({"short": {"path": short}, "long": {"path": long}, "both": {"mix": mix, "rows": rows}}));
        Dataset::read("both", &data, &sources, &none, true).unwrap()
    };
    let of = json!({"short": {"weight": 3}, "long": {"weight": 1, "max_epochs": 4}});
    let mut set = made(json!({"of": of}), json!(100));
    let held = set.hold(&tokenizer).unwrap();
    assert_eq!(held.iter().filter(|row| row.id.starts_with("long/")).count(), 25);
    assert_eq!(ids(&held).len(), 100);
    assert!(set.card.markdown().contains("| long | 30 | 25 |"), "{}", set.card.markdown());

    let mut set = made(json!({"of": of, "by": "tokens"}), json!(null));
    let (tokens, _) = set.encode(&encoding(&tokenizer), dir.path()).unwrap();
    let all: usize = (0..tokens.len()).map(|i| tokens.length(i)).sum();
    let of_long: usize =
        (0..tokens.len()).filter(|i| tokens.place(*i).contains("long")).map(|i| tokens.length(i)).sum();
    let share = of_long as f64 / all as f64;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    assert_eq!(set.card.mixture.len(), 2);
}

#[test]
fn an_item_of_a_suite_is_found_whether_it_is_the_same_or_nearly() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "train.jsonl", (0..40).map(row));
    let (sources, text) = (sources(), row(5)["prompt"].as_str().unwrap().to_owned());
    let item = |prompt: String| Row {
        file: "items".into(),
        line: 1,
        prompt: temper_text::Prompt::user(prompt),
        ..Row::default()
    };
    let items =
        [item(text.to_uppercase()), item(format!("Please answer. {text}")), item("what else is there to say".into())];
    let held_out = HeldOut::new(vec![("suite", &items[..])]);
    let set = Dataset::read("d", &data(json!({"d": {"path": path}})), &sources, &held_out, true).unwrap();
    let wall = &set.card.firewall[0];
    assert_eq!((wall.items, wall.exact), (3, 1));
    assert_eq!(set.card.cleaned.overlaps[0].items_touched, 2);
    // Decontamination leaves the row out, and then nothing is the same.
    let clean = data(json!({"d": {"path": path, "clean": {"decontaminate": 10}}}));
    let set = Dataset::read("d", &clean, &sources, &held_out, true).unwrap();
    assert_eq!((set.card.firewall[0].exact, set.card.rows), (0, 39));
}

#[test]
fn checks_that_fail_stop_with_rows_and_remedy_and_can_be_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources();
    let tokenizer = tokenizer(&sources);
    let stop = tokenizer.token(tokenizer.stop_ids()[0]);
    let rows = (0..10).map(|i| {
        let mut row = row(i);
        if i % 5 == 1 {
            row["prompt"] = json!(format!("what does {stop} mean?"));
        }
        row
    });
    let path = write(dir.path(), "train.jsonl", rows);
    let encode = |allow: Value| {
        let data = data(json!({"d": {"path": path, "allow": allow}}));
        let mut set = Dataset::read("d", &data, &sources, &HeldOut::new(vec![]), true).unwrap();
        set.encode(&encoding(&tokenizer), dir.path()).map(|(tokens, report)| (tokens.len(), report.findings()))
    };
    let error = encode(json!([])).unwrap_err().to_string();
    assert!(error.contains("2 of 10 rows (20.0 %): the user turn has the special token"), "{error}");
    assert!(error.contains("train.jsonl:2, ") && error.contains("allow: [special_in_text]"), "{error}");
    let (examples, findings) = encode(json!(["special_in_text"])).unwrap();
    assert_eq!((examples, findings[0].count), (10, 2));
}
