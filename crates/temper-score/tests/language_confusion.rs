//! `line_pass` and `word_pass` on the published completions of Llama 2, from the folder that `TEMPER_DATA` names, beside the
//! published rates. Prints the table of `docs/scorers-language.md` with `--nocapture`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use temper_data::Row;
use temper_recipe::{Lab, ScorerSpec};
use temper_score::{Sample, Score, Scorer, build};

fn scorer(kind: &str, params: serde_json::Value) -> Arc<dyn Scorer> {
    let spec = ScorerSpec { r#type: kind.to_owned(), params: params.as_object().unwrap().clone() };
    build(kind, &[(kind.to_owned(), spec)].into_iter().collect(), &Lab::default()).unwrap()
}

/// Task, source, language.
type Group = (String, String, String);

fn completions(data: &Path) -> Vec<(Group, Row, String)> {
    let mut reader = csv::Reader::from_path(data.join("language_confusion/outputs/llama-2-instruct.csv")).unwrap();
    let columns = reader.headers().unwrap().clone();
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let (task, source, language, text) = (at("task"), at("source"), at("language"), at("completion"));
    let records = reader.records().map(Result::unwrap);
    records
        .map(|record| {
            let group = (record[task].to_owned(), record[source].to_owned(), record[language].to_owned());
            let fields = json!({"language": &record[language]}).as_object().unwrap().clone();
            (group, Row { fields, ..Row::default() }, record[text].to_owned())
        })
        .collect()
}

/// Means of the scores: per language over sources, and overall over languages.
fn rates(scores: &[(Group, Score)], task: &str) -> (BTreeMap<String, f64>, f64) {
    let mut groups: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for ((of, source, language), score) in scores {
        match score {
            Score::Value(value) if of == task => groups.entry((language, source)).or_default().push(*value),
            Score::Value(_) | Score::NotApplicable => {}
            other => panic!("{other:?}"),
        }
    }
    let mut languages: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for ((language, _), values) in groups {
        languages
            .entry(language.to_owned())
            .or_default()
            .push(100.0 * values.iter().sum::<f64>() / values.len() as f64);
    }
    let means: BTreeMap<_, _> = languages
        .into_iter()
        .map(|(language, rates)| (language, rates.iter().sum::<f64>() / rates.len() as f64))
        .collect();
    let overall = means.values().sum::<f64>() / means.len() as f64;
    (means, overall)
}

#[test]
fn pass_rates_of_llama_2() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set");
        return;
    };
    let data = Path::new(&data);
    let completions = completions(data);
    assert_eq!(completions.len(), 6543);
    let samples: Vec<Sample> = completions.iter().map(|(_, row, text)| Sample::new(row, text, 1, false)).collect();
    let judge = |scorer: &Arc<dyn Scorer>| -> Vec<(Group, Score)> {
        let start = std::time::Instant::now();
        let scores = scorer.score(&samples);
        let seconds = start.elapsed().as_secs_f64();
        println!("{}: {:.0} completions/s", scorer.name(), samples.len() as f64 / seconds);
        completions.iter().map(|(group, ..)| group.clone()).zip(scores).collect()
    };
    let lines = judge(&scorer("line_pass", json!({})));
    let words = judge(&scorer("word_pass", json!({"words": data.join("language_confusion/words")})));
    let plain = judge(&scorer("word_pass", json!({})));
    judge(&scorer("language", json!({"part": "answer"})));
    judge(&scorer("language_match", json!({})));
    judge(&scorer("language_switches", json!({"part": "answer"})));
    judge(&scorer("refusal", json!({})));
    for task in ["monolingual", "crosslingual"] {
        let (line, overall) = rates(&lines, task);
        let (word, word_overall) = rates(&words, task);
        let (bare, bare_overall) = rates(&plain, task);
        println!("\n{task}\n| language | line pass | word pass, list | word pass, no list |\n|---|---|---|---|");
        for (language, rate) in &line {
            let shown =
                |of: &BTreeMap<String, f64>| of.get(language).map_or("–".to_owned(), |rate| format!("{rate:.1}"));
            println!("| {language} | {rate:.1} | {} | {} |", shown(&word), shown(&bare));
        }
        println!("| all | {overall:.2} | {word_overall:.2} | {bare_overall:.2} |");
        let published: &[(&str, f64)] = match task {
            "monolingual" => &[("ar", 0.3), ("hi", 1.0), ("ja", 7.0), ("ko", 0.0), ("vi", 17.0), ("zh", 10.5)],
            _ => &[],
        };
        for (language, rate) in published {
            assert!((line[*language] - rate).abs() <= 1.0, "{task} {language}: {:.2} and {rate}", line[*language]);
        }
        let rate = if task == "monolingual" { 48.3 } else { 38.4 };
        assert!((overall - rate).abs() <= 1.0, "{task}: {overall:.2} and {rate}");
    }
}
