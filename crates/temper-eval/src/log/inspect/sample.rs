//! One sample of an Inspect log as an item record, whoever wrote it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use temper_score::Score;

use super::completion::{self, Parts};
use super::score::Scores;
use super::{OURS, extras};
use crate::{ItemRecord, LENGTH, NOT_SAMPLED, STOP};

/// What is read of a sample. The rest (events, store, timelines), which is most of a large sample, is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sample {
    id: Value,
    epoch: Option<usize>,
    input: Value,
    target: Value,
    messages: Option<Vec<Value>>,
    output: Value,
    scores: Option<Map<String, Value>>,
    score: Option<Value>,
    metadata: Option<Map<String, Value>>,
    error: Option<Value>,
    limit: Option<Value>,
    attachments: Option<BTreeMap<String, String>>,
}

/// What the log says around its samples.
pub(super) struct Around<'a> {
    /// Name of the task.
    pub task: &'a str,
    /// The scorers that the header names, which a failed sample has no scores of.
    pub scorers: &'a [String],
}

/// A record, and how many of the sample's metadata were left out because they are long or have parts.
pub(super) fn record(mut sample: Sample, around: &Around) -> Result<(ItemRecord, usize), String> {
    if let Some(attachments) = sample.attachments.take().filter(|attachments| !attachments.is_empty()) {
        let scores = sample.scores.iter_mut().flat_map(|scores| scores.values_mut());
        let metadata = sample.metadata.iter_mut().flat_map(|metadata| metadata.values_mut());
        let texts = sample.messages.iter_mut().flatten();
        let texts = texts.chain([&mut sample.input, &mut sample.target, &mut sample.output]);
        texts.chain(scores).chain(metadata).for_each(|value| resolve(value, &attachments));
    }
    let ours = sample.metadata.as_mut().and_then(|metadata| metadata.shift_remove(OURS));
    let (record, left) = foreign(sample, around, ours.is_none())?;
    match ours {
        None => Ok((record, left)),
        Some(ours) => Ok((extras::apply(record, &ours)?, 0)),
    }
}

/// Puts the text of an attachment in place of each reference to it.
fn resolve(value: &mut Value, attachments: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(found) = text.strip_prefix("attachment://").and_then(|hash| attachments.get(hash)) {
                *text = found.clone();
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| resolve(part, attachments)),
        Value::Object(fields) => fields.values_mut().for_each(|field| resolve(field, attachments)),
        _ => {}
    }
}

/// What anyone can read in a sample; `target` says whether its target becomes a field.
fn foreign(sample: Sample, around: &Around, target: bool) -> Result<(ItemRecord, usize), String> {
    let id = match &sample.id {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        other => return Err(format!("`id` is {other}, expected a text or a number")),
    };
    let repeat = sample.epoch.unwrap_or(1).checked_sub(1).ok_or("`epoch` is 0, expected a number from 1 on")?;
    let choice = sample.output.pointer("/choices/0");
    let messages = sample.messages.unwrap_or_default();
    let last = messages.iter().rposition(completion::is_assistant);
    let said = choice.and_then(|choice| choice.get("message")).or(last.map(|at| &messages[at]));
    let whole = sample.output.get("completion").and_then(Value::as_str).filter(|text| !text.is_empty());
    let parts = match (said, whole) {
        (Some(message), _) => completion::parts(message),
        (None, Some(text)) => completion::parts(&serde_json::json!({"content": text})),
        (None, None) => Parts::default(),
    };
    let mut tags = Vec::new();
    if let Some(limit) = &sample.limit {
        tags.push(format!("limit:{}", limit.get("type").and_then(Value::as_str).unwrap_or("unknown")));
    }
    let finish = match choice.and_then(|choice| choice.get("stop_reason")).and_then(Value::as_str) {
        Some("stop") => STOP,
        Some("max_tokens" | "model_length") => LENGTH,
        Some(other) => other,
        None if said.is_some() || whole.is_some() => "unknown",
        None => NOT_SAMPLED,
    };
    let mut scores = Scores::default();
    for (name, entry) in sample.scores.iter().flatten() {
        scores.take(name, entry);
    }
    if let Some(entry) = &sample.score {
        scores.take("score", entry);
    }
    if let Some(error) = &sample.error {
        let message = error.get("message").and_then(Value::as_str).or(error.as_str()).unwrap_or("no message");
        let missing = around.scorers.iter().filter(|name| !scored(&scores.scores, name));
        let failed: Vec<_> =
            missing.map(|name| (name.clone(), Score::Error(format!("the sample failed: {message}")))).collect();
        scores.scores.extend(failed);
        tags.push("sample_error".to_owned());
    }
    tags.append(&mut scores.tags);
    let (mut fields, left) = short_fields(sample.metadata.unwrap_or_default());
    if target
        && !fields.contains_key("target")
        && let Some(text) = target_text(&sample.target)
    {
        fields.insert("target".to_owned(), text.into());
    }
    let prompt = match last {
        Some(at) if at > 0 => completion::conversation(&messages[..at]),
        _ => match &sample.input {
            Value::String(text) => text.clone(),
            Value::Array(messages) => completion::conversation(messages),
            _ => String::new(),
        },
    };
    let tokens = sample.output.pointer("/usage/output_tokens").and_then(Value::as_u64);
    let record = ItemRecord {
        suite: around.task.to_owned(),
        id,
        repeat,
        prompt,
        text: parts.text,
        thinking: parts.thinking,
        answer: parts.answer,
        tokens: tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(0),
        finish: finish.to_owned(),
        scores: scores.scores,
        answers: scores.answers,
        explanations: scores.explanations,
        slices: BTreeMap::new(),
        cluster: None,
        tags,
        fields,
    };
    Ok((record, left))
}

/// Whether a scorer has a score, be it in parts.
fn scored(scores: &BTreeMap<String, Score>, scorer: &str) -> bool {
    scores.keys().any(|name| name.strip_prefix(scorer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The target as a short text: one text, or several beside each other.
fn target_text(target: &Value) -> Option<String> {
    let text = match target {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= crate::records::SHORT).then_some(text)
}

/// The short ones of a sample's metadata, and how many there are besides.
fn short_fields(metadata: Map<String, Value>) -> (Map<String, Value>, usize) {
    let all = metadata.len();
    let short: Map<String, Value> = metadata.into_iter().filter(|(_, value)| crate::records::is_short(value)).collect();
    let left = all - short.len();
    (short, left)
}
