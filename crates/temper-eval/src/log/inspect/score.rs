//! Scores: Temper's four outcomes in Inspect's one value, and whatever value another log has as one of the four.
//!
//! Inspect marks a sample without a score by a value of NaN, which its metrics leave out and count. So do a score that does not
//! apply, an unscored one and a failed one; the metadata keeps them apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use temper_score::Score;

use super::OURS;

/// One score as an entry of a sample's `scores`, as JSON text in Python's sense: a value may be a bare `NaN`.
pub(super) fn written(name: &str, score: &Score, answer: Option<&str>, explanation: Option<&str>) -> String {
    let mut rest = Map::new();
    if let Some(answer) = answer {
        rest.insert("answer".to_owned(), answer.into());
    }
    let (value, state, reason) = match score {
        Score::Value(value) if value.is_finite() => (Value::from(*value).to_string(), None, None),
        Score::Value(value) => {
            let text = format!("the score is {value}");
            ("NaN".to_owned(), Some("error"), Some(text))
        }
        Score::NotApplicable => ("NaN".to_owned(), Some("not_applicable"), None),
        Score::Unscored(text) => ("NaN".to_owned(), Some("unscored"), Some(text.clone())),
        Score::Error(text) => ("NaN".to_owned(), Some("error"), Some(text.clone())),
    };
    if let Some(text) = explanation.or(reason.as_deref()) {
        rest.insert("explanation".to_owned(), text.into());
    }
    if let Some(state) = state {
        // Inspect's own words where it has one.
        let word = if state == "error" { "scoring_failed" } else { state };
        rest.insert("reason".to_owned(), word.into());
        rest.insert(
            "metadata".to_owned(),
            json!({"unscored_reason": word, OURS: {"state": state, "message": reason, "explained": explanation.is_some()}}),
        );
    }
    let rest = Value::Object(rest).to_string();
    let rest = rest[1..rest.len() - 1].to_owned();
    let comma = if rest.is_empty() { "" } else { "," };
    format!("{}:{{\"value\":{value}{comma}{rest}}}", Value::from(name))
}

/// The scores of a sample with what rests on them, by metric.
#[derive(Debug, Default)]
pub(super) struct Scores {
    pub scores: BTreeMap<String, Score>,
    pub answers: BTreeMap<String, String>,
    pub explanations: BTreeMap<String, String>,
    /// `scorer:no_answer`.
    pub tags: Vec<String>,
}

impl Scores {
    /// Takes up one entry of a sample's `scores`. A value of several parts becomes one metric per part, `scorer/part`.
    pub(super) fn take(&mut self, name: &str, entry: &Value) {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut explanation = text("explanation");
        let ours = entry.pointer(&format!("/metadata/{OURS}"));
        let score = match ours.and_then(state) {
            Some((score, message)) => {
                let explained = ours.and_then(|ours| ours.get("explained")) == Some(&Value::Bool(true));
                if !explained && explanation == message {
                    explanation = None;
                }
                score
            }
            None => match entry.get("value") {
                Some(Value::Object(parts)) => {
                    parts.iter().for_each(|(part, value)| self.part(name, part, value, entry));
                    self.rest(name, text("answer"), explanation);
                    return;
                }
                Some(Value::Array(parts)) => {
                    let numbered = parts.iter().enumerate();
                    numbered.for_each(|(part, value)| self.part(name, &part.to_string(), value, entry));
                    self.rest(name, text("answer"), explanation);
                    return;
                }
                value => {
                    if value == Some(&Value::from("N")) {
                        self.tags.push(format!("{name}:no_answer"));
                    }
                    one(value.unwrap_or(&Value::Null), entry)
                }
            },
        };
        self.scores.insert(name.to_owned(), score);
        self.rest(name, text("answer"), explanation);
    }

    fn part(&mut self, name: &str, part: &str, value: &Value, entry: &Value) {
        self.scores.insert(format!("{name}/{part}"), one(value, entry));
    }

    fn rest(&mut self, name: &str, answer: Option<String>, explanation: Option<String>) {
        self.answers.extend(answer.map(|answer| (name.to_owned(), answer)));
        self.explanations.extend(explanation.map(|explanation| (name.to_owned(), explanation)));
    }
}

/// A score that Temper marked as none, with its message.
fn state(ours: &Value) -> Option<(Score, Option<String>)> {
    let message = ours.get("message").and_then(Value::as_str).map(str::to_owned);
    let text = message.clone().unwrap_or_default();
    let score = match ours.get("state")?.as_str()? {
        "not_applicable" => Score::NotApplicable,
        "unscored" => Score::Unscored(text),
        "error" => Score::Error(text),
        _ => return None,
    };
    Some((score, message))
}

/// A value of another log: numbers and booleans as they are, C 1, P ½, I and N 0, texts that are numbers.
fn one(value: &Value, entry: &Value) -> Score {
    match value {
        Value::Number(number) => {
            number.as_f64().map_or_else(|| Score::Error(format!("the score is {number}")), Score::of)
        }
        Value::Bool(yes) => Score::flag(*yes),
        Value::Null => Score::Unscored(reason(entry)),
        Value::String(text) => match text.as_str() {
            "C" => Score::Value(1.0),
            "P" => Score::Value(0.5),
            "I" | "N" => Score::Value(0.0),
            "NaN" => Score::Unscored(reason(entry)),
            "yes" | "true" => Score::flag(true),
            "no" | "false" => Score::flag(false),
            other => match other.trim().parse::<f64>() {
                Ok(value) => Score::of(value),
                Err(_) => Score::Unscored(format!("the value `{}` is no number", short(other))),
            },
        },
        Value::Array(_) | Value::Object(_) => Score::Unscored("the value has parts of its own".to_owned()),
    }
}

fn reason(entry: &Value) -> String {
    let of = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let found = of("/reason").or(of("/metadata/unscored_reason")).or(of("/explanation"));
    found.unwrap_or_else(|| "the log has no value".to_owned())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
