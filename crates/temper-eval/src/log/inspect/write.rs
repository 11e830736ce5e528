//! Writing a log.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::sample::{self, Around, Sample};
use super::{HEADER, OURS, REDUCTIONS, START, SUMMARIES, completion, entry, extras, results, score};
use crate::log::place::{beside, create_folder, write_error};
use crate::log::{LogHead, damage};
use crate::{EvalError, ItemRecord, LENGTH, NOT_SAMPLED, STOP};

/// Characters of a prompt in the list of samples.
const TEASER: usize = 2000;

/// Writes a log beside its place and renames it.
pub(in crate::log) fn write(file: &Path, head: &LogHead, records: &[ItemRecord]) -> Result<(), EvalError> {
    create_folder(file)?;
    let beside = beside(file);
    let out = File::create(&beside).map_err(write_error(&beside))?;
    let written = archive(file, head, records, BufWriter::new(out));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    fs::rename(&beside, file).map_err(write_error(file))
}

fn archive(file: &Path, head: &LogHead, records: &[ItemRecord], out: BufWriter<File>) -> Result<(), EvalError> {
    let created =
        head.created.clone().unwrap_or_else(|| jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string());
    let mut zip = ZipWriter::new(out);
    let mut put = |name: &str, bytes: &[u8]| -> Result<(), EvalError> {
        // Entries carry no time of their own, so that equal content is equal bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .large_file(bytes.len() >= u32::MAX as usize);
        let failed = |error| match error {
            zip::result::ZipError::Io(source) => write_error(file)(source),
            other => damage::at(
                file,
                name,
                format!("cannot be written: {other}"),
                "give every item an id of its own, of less than 65,000 bytes",
            ),
        };
        zip.start_file(name, options).map_err(failed)?;
        zip.write_all(bytes).map_err(write_error(file))
    };
    put(START, &bytes(&Value::Object(results::start(head, records, &created))))?;
    let several = records.iter().any(|record| record.suite != head.suite);
    let mut summaries: Vec<String> = Vec::with_capacity(records.len());
    for record in records {
        // Items of several suites in one log may have the same identity.
        let id = if several { format!("{}/{}", record.suite, record.id) } else { record.id.clone() };
        let name = entry(&id, record.repeat.saturating_add(1));
        let (sample, summary) =
            written(record, &id, head).map_err(|what| damage::at(file, &name, what, "report it"))?;
        put(&name, sample.as_bytes())?;
        summaries.push(summary);
    }
    let summaries = format!("[{}]", summaries.join(","));
    put("_journal/summaries/1.json", summaries.as_bytes())?;
    put(SUMMARIES, summaries.as_bytes())?;
    put(REDUCTIONS, &bytes(&results::reductions(head, records)))?;
    put(HEADER, &bytes(&results::header(head, records, &created)))?;
    let mut out =
        zip.finish().map_err(|error| damage::at(file, "the end", error.to_string(), "check the free space"))?;
    out.flush().map_err(write_error(file))
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// One record as a sample and as its summary, in JSON.
fn written(record: &ItemRecord, id: &str, head: &LogHead) -> Result<(String, String), String> {
    let text = |map: &std::collections::BTreeMap<String, String>, name: &str| map.get(name).cloned();
    let scores: Vec<String> = record
        .scores
        .iter()
        .map(|(name, score)| {
            let (answer, explanation) = (text(&record.answers, name), text(&record.explanations, name));
            score::written(name, score, answer.as_deref(), explanation.as_deref())
        })
        .collect();
    let scores = scores.join(",");
    let mut metadata = record.fields.clone();
    metadata.shift_remove(OURS);
    let plain = with_scores(&base(record, id, head, metadata.clone()), &scores);
    let parsed: Sample = serde_json::from_slice(&crate::log::tolerant::json(plain.as_bytes()))
        .map_err(|error| format!("the sample does not read back: {error}"))?;
    let (derived, _) = sample::record(parsed, &Around { task: &head.suite, scorers: &[] })?;
    metadata.insert(OURS.to_owned(), extras::of(record, &derived)?);
    let sample = with_scores(&base(record, id, head, metadata), &scores);
    Ok((sample, summary(record, id, head, &scores)))
}

/// The sample without its scores.
fn base(record: &ItemRecord, id: &str, head: &LogHead, metadata: Map<String, Value>) -> Value {
    let sampled = record.finish != NOT_SAMPLED;
    let reply = completion::message(record.thinking.as_deref(), &record.answer, &head.model);
    let mut messages = vec![json!({"role": "user", "content": record.prompt, "source": "input"})];
    let mut output = json!({"model": head.model, "choices": []});
    if sampled {
        messages.push(reply.clone());
        output = json!({
            "model": head.model,
            "choices": [{"message": reply, "stop_reason": stop_reason(&record.finish)}],
            "completion": record.answer,
            "usage": results::usage(record.tokens),
        });
    }
    json!({
        "id": id,
        "epoch": record.repeat.saturating_add(1),
        "input": record.prompt,
        "target": record.reference(),
        "messages": messages,
        "output": output,
        "metadata": metadata,
        "store": {},
        "events": [],
        "model_usage": {&head.model: results::usage(record.tokens)},
        "attachments": {},
    })
}

/// What the list of samples shows.
fn summary(record: &ItemRecord, id: &str, head: &LogHead, scores: &str) -> String {
    let end = record.prompt.char_indices().nth(TEASER).map_or(record.prompt.len(), |(end, _)| end);
    let summary = json!({
        "id": id,
        "epoch": record.repeat.saturating_add(1),
        "input": record.prompt[..end],
        "target": record.reference(),
        "metadata": record.fields,
        "model_usage": {&head.model: results::usage(record.tokens)},
        "retries": 0,
        "completed": true,
        "message_count": if record.finish == NOT_SAMPLED { 1 } else { 2 },
    });
    with_scores(&summary, scores)
}

fn with_scores(object: &Value, scores: &str) -> String {
    let mut text = object.to_string();
    text.truncate(text.len() - 1);
    format!("{text},\"scores\":{{{scores}}}}}")
}

fn stop_reason(finish: &str) -> &str {
    match finish {
        STOP => "stop",
        LENGTH => "max_tokens",
        other @ ("tool_calls" | "content_filter" | "model_length") => other,
        _ => "unknown",
    }
}
