//! What the page's script reads.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Map, Value, json};
use temper_eval::{ItemRecord, Log};
use temper_score::{Better, Score};
use temper_text::thinking;

/// Bytes of a text that are shown; the rest of a longer one is cut and counted.
const LONGEST: usize = 100_000;

/// The logs, joined. Texts are numbers: places in `texts`, where each stands once.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    title: String,
    logs: Vec<Head>,
    suites: Vec<Suite>,
    texts: Vec<String>,
    pub items: Vec<Item>,
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Head {
    name: String,
    model: String,
    created: Option<String>,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Suite {
    name: String,
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
struct Metric {
    name: String,
    title: String,
    better: Better,
}

/// An item and repeat, with what each log has of it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    suite: usize,
    id: String,
    repeat: usize,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    slices: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    logs: Vec<Option<Record>>,
}

#[derive(Debug, Serialize)]
struct Record {
    prompt: usize,
    /// What stands before the thinking.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<usize>,
    answer: usize,
    tokens: usize,
    finish: String,
    /// By the suite's metrics: a number, `null` where it does not apply or is not there, or `[unscored or error, reason]`.
    scores: Vec<Value>,
    /// Extracted answers and explanations by metric, where there are any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    said: BTreeMap<usize, [Option<usize>; 2]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

/// Texts, each once.
#[derive(Default)]
struct Texts<'a> {
    places: HashMap<&'a str, usize>,
    texts: Vec<String>,
    cut: usize,
}

impl<'a> Texts<'a> {
    fn place(&mut self, text: &'a str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len();
        self.places.insert(text, place);
        self.texts.push(match text.len() > LONGEST {
            false => text.to_owned(),
            true => {
                self.cut += 1;
                let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                format!("{}\n[… {} more bytes are in the log]", &text[..end], text.len() - end)
            }
        });
        place
    }
}

impl Data {
    pub fn of(title: &str, logs: &[(String, &Log)]) -> Data {
        let suites = suites(logs);
        let mut texts = Texts::default();
        let mut items: Vec<Item> = Vec::new();
        let mut places: HashMap<(usize, &str, usize), usize> = HashMap::new();
        for (column, (_, log)) in logs.iter().enumerate() {
            for record in &log.records {
                let Some(suite) = suites.iter().position(|suite| suite.name == record.suite) else { continue };
                let place = *places.entry((suite, &record.id, record.repeat)).or_insert_with(|| {
                    items.push(Item {
                        suite,
                        id: record.id.clone(),
                        repeat: record.repeat,
                        fields: record.fields.clone(),
                        slices: record.slices.clone(),
                        cluster: record.cluster.clone(),
                        logs: logs.iter().map(|_| None).collect(),
                    });
                    items.len() - 1
                });
                items[place].logs[column] = Some(of_record(record, &suites[suite], &mut texts));
            }
        }
        let mut notes: Vec<String> = Vec::new();
        for (name, log) in logs {
            notes.extend(log.head.notes.iter().map(|note| format!("{name}: {note}")));
        }
        if texts.cut > 0 {
            notes.push(format!("{} texts are longer than {LONGEST} bytes and cut there", texts.cut));
        }
        let heads = logs.iter().map(|(name, log)| Head {
            name: name.clone(),
            model: log.head.model.clone(),
            created: log.head.created.clone(),
            status: log.head.status.word(),
        });
        Data { title: title.to_owned(), logs: heads.collect(), suites, texts: texts.texts, items, notes }
    }
}

/// The suites of all logs in the order in which they come, each with the metrics that any log has.
fn suites(logs: &[(String, &Log)]) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    for (_, log) in logs {
        let mut of: Vec<(&str, Vec<&ItemRecord>)> = Vec::new();
        for record in &log.records {
            match of.iter_mut().find(|(name, _)| *name == record.suite) {
                Some((_, records)) => records.push(record),
                None => of.push((&record.suite, vec![record])),
            }
        }
        for (name, records) in of {
            let place = suites.iter().position(|suite| suite.name == name).unwrap_or_else(|| {
                suites.push(Suite { name: name.to_owned(), metrics: Vec::new() });
                suites.len() - 1
            });
            for metric in log.head.metrics_of(records.iter().copied()) {
                if !suites[place].metrics.iter().any(|known| known.name == metric.name) {
                    let better = metric.better;
                    suites[place].metrics.push(Metric { name: metric.name, title: metric.title, better });
                }
            }
        }
    }
    suites
}

fn of_record<'a>(record: &'a ItemRecord, suite: &Suite, texts: &mut Texts<'a>) -> Record {
    let before = record.text.find(thinking::OPEN).map_or("", |at| record.text[..at].trim());
    let score = |score: Option<&Score>| match score {
        Some(Score::Value(value)) if value.is_finite() => json!(value),
        Some(Score::Value(value)) => json!(["error", format!("the score is {value}")]),
        Some(Score::Unscored(reason)) => json!(["unscored", reason]),
        Some(Score::Error(reason)) => json!(["error", reason]),
        Some(Score::NotApplicable) | None => Value::Null,
    };
    let mut said = BTreeMap::new();
    for (place, metric) in suite.metrics.iter().enumerate() {
        let mut text = |map: &'a BTreeMap<String, String>| map.get(&metric.name).map(|text| texts.place(text));
        let both = [text(&record.answers), text(&record.explanations)];
        if both != [None, None] {
            said.insert(place, both);
        }
    }
    Record {
        prompt: texts.place(&record.prompt),
        before: (!before.is_empty() && record.thinking.is_some()).then(|| texts.place(before)),
        thinking: record.thinking.as_deref().map(|text| texts.place(text)),
        answer: texts.place(&record.answer),
        tokens: record.tokens,
        finish: record.finish.clone(),
        scores: suite.metrics.iter().map(|metric| score(record.scores.get(&metric.name))).collect(),
        said,
        tags: record.tags.clone(),
    }
}
