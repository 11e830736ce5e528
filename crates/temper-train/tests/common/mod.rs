//! A tiny random model, a word-level tokenizer, rows and a scorer.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use temper_data::Row;
use temper_engine::{Model, ModelConfig};
use temper_score::{Better, Judged, Part, Sample, Score, Scorer};
use temper_text::{Prompt, Tokenizer};
use temper_train::{Progress, Resources, StageContext, Total};

pub const WORDS: usize = 24;

/// Words `w0 …` after an unknown word and an end of text.
pub fn tokenizer() -> Tokenizer {
    let mut vocab = Map::from_iter([("<unk>".to_owned(), json!(0)), ("</s>".to_owned(), json!(1))]);
    for i in 2..WORDS {
        vocab.insert(format!("w{i}"), json!(i));
    }
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "decoder": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "added_tokens": [{
            "id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true,
        }],
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
    });
    let files = BTreeMap::from([
        ("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes()),
        ("tokenizer_config.json".to_owned(), json!({"eos_token": "</s>"}).to_string().into_bytes()),
    ]);
    Tokenizer::from_bytes(files, Path::new("model")).unwrap()
}

pub fn model() -> Model {
    let mut config = ModelConfig::small(WORDS, 16, 2, 2, 1, 32);
    config.max_position_embeddings = 64;
    Model::random(config, 11)
}

/// Rows that ask for a word to be repeated.
pub fn rows(n: usize) -> Vec<Row> {
    (0..n)
        .map(|i| {
            let word = 2 + i % 6;
            Row {
                file: "rows.jsonl".into(),
                line: i + 1,
                id: format!("row-{i}"),
                prompt: Prompt::Text(format!("w{word} w{}", 10 + i % 3)),
                completion: Some(vec![format!("w{word}"); 2 + i % 3].join(" ").into()),
                fields: Map::from_iter([("word".to_owned(), json!(format!("w{word}")))]),
                ..Row::default()
            }
        })
        .collect()
}

/// The share of a completion's words that satisfy a rule.
pub struct Words(pub &'static str, pub fn(&Row, &str) -> Option<bool>);

impl Scorer for Words {
    fn name(&self) -> &str {
        self.0
    }
    fn digest(&self) -> String {
        self.0.into()
    }
    fn part(&self) -> Part {
        Part::Whole
    }
    fn better(&self) -> Better {
        Better::Higher
    }
    fn range(&self) -> Option<(f64, f64)> {
        Some((0.0, 1.0))
    }
    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        samples
            .iter()
            .map(|sample| {
                let judged: Option<Vec<bool>> =
                    sample.text.split_whitespace().map(|word| (self.1)(sample.row, word)).collect();
                match judged {
                    None => Score::NotApplicable,
                    Some(words) if words.is_empty() => Score::Value(0.0),
                    Some(words) => Score::Value(words.iter().filter(|w| **w).count() as f64 / words.len() as f64),
                }
                .into()
            })
            .collect()
    }
}

/// Rewards words with an even number.
pub fn even() -> Arc<dyn Scorer> {
    Arc::new(Words("even", |_, word| Some(word[1..].parse::<usize>().is_ok_and(|n| n % 2 == 0))))
}

/// A scorer that says the same about everything.
pub struct Fixed(pub Score);

impl Scorer for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }
    fn digest(&self) -> String {
        format!("{:?}", self.0)
    }
    fn part(&self) -> Part {
        Part::Whole
    }
    fn better(&self) -> Better {
        Better::Higher
    }
    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        vec![self.0.clone().into(); samples.len()]
    }
}

/// A scorer that breaks.
pub fn broken() -> Arc<dyn Scorer> {
    Arc::new(Fixed(Score::Error("no judge".into())))
}

/// Collects warnings, and asks to stop after some notes.
pub struct Watch<'a> {
    pub stop: &'a AtomicBool,
    pub after: usize,
    pub seen: usize,
    pub warnings: Vec<String>,
}

impl<'a> Watch<'a> {
    pub fn new(stop: &'a AtomicBool, after: usize) -> Self {
        Self { stop, after, seen: 0, warnings: Vec::new() }
    }
}

impl Progress for Watch<'_> {
    fn begin(&mut self, _label: &str, _total: Total) {}
    fn advance(&mut self, done: f64, note: &str) {
        assert!((0.0..=1.0).contains(&done), "{done}");
        if !note.starts_with("sampling") {
            self.seen += 1;
        }
        if self.after > 0 && self.seen == self.after {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn end(&mut self) {}
    fn warn(&mut self, message: &str) {
        self.warnings.push(message.into());
    }
}

/// Runs `stage` on a fresh model in `dir`; asks to stop after `after` notes (0: never). Returns what it returned, the
/// model and the warnings.
pub fn run<T>(
    dir: &Path,
    after: usize,
    resume: bool,
    stage: impl FnOnce(&mut StageContext) -> T,
) -> (T, Model, Vec<String>) {
    let (mut model, tokenizer, stop) = (model(), tokenizer(), AtomicBool::new(false));
    let mut watch = Watch::new(&stop, after);
    let mut context = StageContext {
        model: &mut model,
        tokenizer: &tokenizer,
        seed: 5,
        dir,
        resources: Resources::default(),
        budget_flops: Some(1e9),
        progress: &mut watch,
        stop: &stop,
        resume,
    };
    let out = stage(&mut context);
    let warnings = watch.warnings;
    (out, model, warnings)
}

/// The metrics of a stage, without what a clock says.
pub fn metrics(dir: &Path) -> Vec<Map<String, Value>> {
    std::fs::read_to_string(dir.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut map: Map<String, Value> = serde_json::from_str(line).unwrap();
            assert!(map.remove("step_time").is_some());
            map
        })
        .collect()
}
