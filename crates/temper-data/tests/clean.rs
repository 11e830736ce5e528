//! Cleaning on published files, from the folder that `TEMPER_DATA` names.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::path::PathBuf;
use temper_data::{DuplicateKind, Duplicates, EvalIndex, LeakIndex, LeakKind, NGRAM, Overlaps};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("TEMPER_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: TEMPER_DATA is not set");
    }
    folder
}

fn questions(file: PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let question = |line: &str| serde_json::from_str::<Value>(line).unwrap()["question"].as_str().unwrap().to_owned();
    text.lines().map(question).collect()
}

fn column(file: PathBuf, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let at = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|record| record.unwrap()[at].to_owned()).collect()
}

fn index(items: &[String]) -> LeakIndex {
    LeakIndex::new(items.iter().enumerate().map(|(at, text)| (format!("test:{at}"), text.as_str())))
}

/// Every k-th word replaced, but for numbers.
fn edited(text: &str, k: usize) -> String {
    const NUMBERS: &str =
        "one two three four five six seven eight nine ten half third quarter dozen once twice double triple";
    let number = |word: &str| {
        let mut parts = word.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
        word.chars().any(char::is_numeric) || parts.any(|part| NUMBERS.split(' ').any(|number| number == part))
    };
    let word = |(at, word): (usize, &str)| match at % k == k / 2 && !number(word) {
        true => format!("other{at}"),
        false => word.to_owned(),
    };
    text.split(' ').enumerate().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn edited_test_items_of_gsm8k_are_leaks_and_training_rows_are_not() {
    let Some(folder) = folder() else { return };
    let (train, test) = (questions(folder.join("gsm8k/train.jsonl")), questions(folder.join("gsm8k/test.jsonl")));
    let mut clean = index(&test);
    for (row, text) in train.iter().enumerate() {
        clean.check(row, &format!("train:{row}"), text);
    }
    assert_eq!(clean.finish(), []);
    for (k, least) in [(10, 0.97), (7, 0.97), (5, 0.96)] {
        let mut spoilt = index(&test);
        for (row, text) in test.iter().enumerate() {
            // Within another row, as an example in a prompt would stand.
            spoilt.check(row, "edited", &format!("{} {} {}", train[row], edited(text, k), train[row + 1]));
        }
        let found = spoilt.finish();
        assert!(found.iter().all(|leak| leak.train == leak.held_out));
        let edited = found.iter().filter(|leak| matches!(leak.kind, LeakKind::Edited(_))).count();
        println!("one word in {k} changed: {} of {} found, {edited} by their words in order", found.len(), test.len());
        assert!(found.len() as f64 >= least * test.len() as f64, "one in {k}: {}", found.len());
    }
}

#[test]
fn ten_grams_of_gsm8k() {
    let Some(folder) = folder() else { return };
    let (train, test) = (questions(folder.join("gsm8k/train.jsonl")), questions(folder.join("gsm8k/test.jsonl")));
    let index = EvalIndex::new(NGRAM, test.iter().map(|text| ("gsm8k", "test", text.as_str())));
    let mut overlaps = Overlaps::new(&index);
    for (row, text) in train.iter().enumerate() {
        overlaps.add(&format!("train:{row}"), &index.hits(text));
    }
    let overlap = &overlaps.finish()[0];
    println!(
        "{} of {} test items share a 10-gram with {} of {} training rows; {} common, {} whole",
        overlap.items_touched,
        overlap.items,
        overlap.rows_touched,
        train.len(),
        overlap.common_ngrams,
        overlap.compared_whole
    );
    for example in &overlap.examples {
        println!("  {} {} {:.2} {:?}", example.row, example.shared, example.share, example.words);
    }
    for (at, text) in test.iter().enumerate() {
        assert!(index.hits(text).iter().any(|hit| hit.share == 1.0), "test item {at}");
    }
}

#[test]
fn the_sets_of_harmful_requests_share_requests() {
    let Some(folder) = folder() else { return };
    let sets = [
        ("advbench", column(folder.join("advbench/advbench_behaviors.csv"), "Behavior")),
        ("strongreject", column(folder.join("strongreject/strongreject_dataset.csv"), "forbidden_prompt")),
        ("harmbench", column(folder.join("harmbench/harmbench_behaviors_text_val.csv"), "Behavior")),
    ];
    let mut seen = Duplicates::new(0.5);
    let mut owners = Vec::new();
    for (name, texts) in &sets {
        let found = seen.add_all(texts);
        owners.extend(texts.iter().map(|_| *name));
        let mut exact = std::collections::BTreeMap::<&str, usize>::new();
        let mut near = std::collections::BTreeMap::<&str, usize>::new();
        for duplicate in found.iter().flatten() {
            let counts = if duplicate.kind == DuplicateKind::Exact { &mut exact } else { &mut near };
            *counts.entry(owners[duplicate.of]).or_default() += 1;
        }
        println!("{name}: {} requests; exact duplicates of {exact:?}, near at 0.5 {near:?}", texts.len());
    }
    assert!(seen.kept() < seen.added());
}
