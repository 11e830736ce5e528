//! How well refusals are told on the human labels of XSTest: the scorer `refusal` beside the rules on strings and GPT-4's stored
//! labels. `TEMPER_DATA=… cargo run --release -p temper-score --example refusal_table`

#![allow(clippy::unwrap_used, reason = "an example on fixed files")]
#![allow(missing_docs, reason = "an example")]
#![allow(dead_code, reason = "a test takes what it needs of this file")]

use std::path::Path;

use sha2::{Digest, Sha256};
use temper_score::refusal::{Class, classify, refuses_gcg, refuses_xstest};

/// One labelled completion.
pub struct Labelled {
    pub id: String,
    pub human: Class,
    pub gpt4: Class,
    pub strings: Class,
    pub gcg: Class,
    pub temper: Class,
}

impl Labelled {
    /// Half of the prompts, by a hash of their id: the rules were developed on these.
    pub fn development(&self) -> bool {
        Sha256::digest(self.id.as_bytes())[0] % 2 == 0
    }
}

fn class(label: &str) -> Class {
    match label.as_bytes().first() {
        Some(b'1') => Class::Compliance,
        Some(b'2') => Class::Full,
        Some(b'3') => Class::Partial,
        _ => panic!("label `{label}`"),
    }
}

fn flag(refused: bool) -> Class {
    if refused { Class::Full } else { Class::Compliance }
}

/// All 425 completions with human labels.
pub fn labelled(data: &Path) -> Vec<Labelled> {
    let mut reader = csv::Reader::from_path(data.join("xstest/xstest_completions_mistralguard.csv")).unwrap();
    let columns = reader.headers().unwrap().clone();
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let (id, prompt, completion, human, gpt4) =
        (at("id"), at("prompt"), at("completion"), at("final_label"), at("gpt4_label"));
    let records = reader.records().map(Result::unwrap);
    records
        .map(|record| Labelled {
            id: record[id].to_owned(),
            human: class(&record[human]),
            gpt4: class(&record[gpt4]),
            strings: flag(refuses_xstest(&record[completion])),
            gcg: flag(refuses_gcg(&record[completion])),
            temper: classify(&record[completion], Some(&record[prompt])).unwrap().class,
        })
        .collect()
}

/// What is counted of pairs of the human class and another.
#[derive(Debug, Clone, Copy)]
pub struct Agreement {
    pub n: usize,
    pub accuracy: f64,
    pub precision: f64,
    pub recall: f64,
    pub kappa: f64,
    pub three_way: f64,
}

/// Full and partial refusals count as refusals in all but `three_way`.
pub fn agreement(pairs: impl Iterator<Item = (Class, Class)>) -> Agreement {
    let (mut table, mut same) = ([[0.0f64; 2]; 2], 0.0);
    for (human, found) in pairs {
        table[usize::from(human != Class::Compliance)][usize::from(found != Class::Compliance)] += 1.0;
        same += f64::from(u8::from(human == found));
    }
    let [[right_no, wrong_yes], [wrong_no, right_yes]] = table;
    let n = right_no + wrong_yes + wrong_no + right_yes;
    let accuracy = (right_no + right_yes) / n;
    let chance =
        ((right_no + wrong_yes) * (right_no + wrong_no) + (right_yes + wrong_no) * (right_yes + wrong_yes)) / (n * n);
    Agreement {
        n: n as usize,
        accuracy,
        precision: right_yes / (right_yes + wrong_yes),
        recall: right_yes / (right_yes + wrong_no),
        kappa: (accuracy - chance) / (1.0 - chance),
        three_way: same / n,
    }
}

fn row(name: &str, who: &str, found: Agreement) {
    println!(
        "| {name} | {} | {who} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} |",
        found.n, found.accuracy, found.precision, found.recall, found.kappa, found.three_way
    );
}

fn main() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("TEMPER_DATA is not set; name the folder with xstest/");
        std::process::exit(2);
    };
    let data = Path::new(&data);
    let start = std::time::Instant::now();
    let rows = labelled(data);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "| completions | n | rule | accuracy | precision | recall | kappa | three-way |\n|---|---|---|---|---|---|---|---|"
    );
    for (name, keep) in [("development half", Some(true)), ("set-aside half", Some(false)), ("all", None)] {
        let kept = || rows.iter().filter(|row| keep.is_none_or(|keep| keep == row.development()));
        row(name, "`refusal`", agreement(kept().map(|row| (row.human, row.temper))));
        row(name, "XSTest strings", agreement(kept().map(|row| (row.human, row.strings))));
        row(name, "GCG strings", agreement(kept().map(|row| (row.human, row.gcg))));
        row(name, "GPT-4", agreement(kept().map(|row| (row.human, row.gpt4))));
    }
    println!("\n{:.0} completions/s on one thread, patterns compiled on the way\n", rows.len() as f64 / seconds);
    println!("Stored labels of the three models (all 450 prompts each):\n");
    println!(
        "| model | n | rule | accuracy | precision | recall | kappa | three-way |\n|---|---|---|---|---|---|---|---|"
    );
    let mut reader = csv::Reader::from_path(data.join("xstest/xstest_labels_3models.csv")).unwrap();
    let columns = reader.headers().unwrap().clone();
    let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for model in ["llama2new", "llama2orig", "mistralguard", "all three"] {
        for (who, column) in [("XSTest strings", "strmatch_label"), ("GPT-4", "gpt4_label")] {
            let kept = records.iter().filter(|record| model == "all three" || &record[at("model")] == model);
            row(
                model,
                who,
                agreement(kept.map(|record| (class(&record[at("final_label")]), class(&record[at(column)])))),
            );
        }
    }
}
