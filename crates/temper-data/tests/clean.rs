//! Cleaning on published files, from the folder that `TEMPER_DATA` names.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use temper_data::{Duplicate, DuplicateKind, Duplicates, EvalIndex, LeakIndex, LeakKind, Overlaps, R1_NGRAM};

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
    let index = EvalIndex::new(R1_NGRAM, test.iter().map(|text| ("gsm8k", "test", text.as_str())));
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

/// The Jaccard index of the word 5-grams, counted; 0 for texts shorter than that.
fn jaccard(a: &str, b: &str) -> f64 {
    let grams = |text: &str| -> HashSet<String> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.windows(5).map(|words| words.join(" ")).collect()
    };
    let (a, b) = (grams(a), grams(b));
    a.intersection(&b).count() as f64 / (a.union(&b).count().max(1)) as f64
}

#[test]
fn requests_that_sets_of_harmful_requests_share() {
    let Some(folder) = folder() else { return };
    let sets = [
        ("AdvBench", column(folder.join("advbench/advbench_behaviors.csv"), "Behavior")),
        ("StrongREJECT", column(folder.join("strongreject/strongreject_dataset.csv"), "forbidden_prompt")),
        ("HarmBench", column(folder.join("harmbench/harmbench_behaviors_text_val.csv"), "Behavior")),
    ];
    const THRESHOLD: f64 = 0.5;
    let mut seen = Duplicates::new(THRESHOLD);
    let (mut owners, mut texts) = (Vec::<&str>::new(), Vec::<&str>::new());
    let mut counts = BTreeMap::<(&str, &str, bool), usize>::new();
    let mut kept: Vec<usize> = Vec::new();
    for (name, set) in &sets {
        for (text, found) in set.iter().zip(seen.add_all(set)) {
            let at = texts.len();
            owners.push(*name);
            texts.push(text.as_str());
            match found {
                Some(Duplicate { of, kind }) => {
                    *counts.entry((name, owners[of], kind == DuplicateKind::Exact)).or_default() += 1;
                    // Four standard deviations of the estimate below the threshold.
                    let index = jaccard(text, texts[of]);
                    assert!(
                        kind == DuplicateKind::Exact || index > THRESHOLD - 0.18,
                        "{index}: {text} / {}",
                        texts[of]
                    );
                }
                None => {
                    let nearest = kept.iter().map(|of| jaccard(text, texts[*of])).fold(0.0, f64::max);
                    assert!(nearest < THRESHOLD + 0.25, "{nearest}: {text}");
                    kept.push(at);
                }
            }
        }
    }
    for ((set, of, exact), count) in &counts {
        println!("{count} of {set} are {} duplicates of {of}", if *exact { "exact" } else { "near" });
    }
    assert_eq!(counts.get(&("StrongREJECT", "AdvBench", true)), Some(&25));
    assert_eq!(counts.get(&("HarmBench", "AdvBench", true)), None);
    assert_eq!((texts.len(), seen.added(), seen.kept()), (913, 913, kept.len()));
}
