//! From completions to item records: what every scorer says of every completion.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Map, Value};
use temper_data::Row;
use temper_score::{Judged, Sample, Score, Scorer};

use crate::records::{ERROR, LENGTH, NOT_SAMPLED};
use crate::subject::Completed;
use crate::suite::SuiteRun;
use crate::{EvalError, ItemRecord};

/// Completions that are judged together. Results do not depend on it.
const BATCH: usize = 512;

/// The records of all completions, in their order; `None` when `stop` was set meanwhile. `completed` has the repeats of every
/// row one after the other. `progress` is told how many are judged.
pub(crate) fn score(
    run: &SuiteRun,
    completed: &[Completed],
    progress: &mut dyn FnMut(usize),
    stop: &AtomicBool,
) -> Result<Option<Vec<ItemRecord>>, EvalError> {
    let repeats = run.suite.repeats.max(1);
    let mut records = Vec::with_capacity(completed.len());
    let all: Vec<(&Row, usize, &Completed)> = completed
        .iter()
        .enumerate()
        .map(|(at, completed)| (&run.rows[at / repeats], at % repeats, completed))
        .collect();
    for batch in all.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        records.extend(score_batch(run, batch)?);
        progress(records.len());
    }
    Ok(Some(records))
}

fn is_there(completed: &Completed) -> bool {
    completed.finish != NOT_SAMPLED && completed.finish != ERROR
}

fn score_batch(run: &SuiteRun, batch: &[(&Row, usize, &Completed)]) -> Result<Vec<ItemRecord>, EvalError> {
    let samples: Vec<Sample> = batch
        .iter()
        .filter(|(_, _, completed)| is_there(completed))
        .map(|(row, _, completed)| {
            Sample::new(row, &completed.text, completed.tokens.unwrap_or(0), completed.finish == LENGTH)
        })
        .collect();
    let judged = judge(run, &samples)?;
    let mut judged: Vec<_> = judged.into_iter().map(Vec::into_iter).collect();
    let mut samples = samples.iter();
    let mut records = Vec::with_capacity(batch.len());
    for (row, repeat, completed) in batch {
        let sample = if is_there(completed) { samples.next() } else { None };
        let mut record = ItemRecord {
            suite: run.name.to_owned(),
            id: row.id.clone(),
            repeat: *repeat,
            prompt: row.prompt.display(),
            text: completed.text.clone(),
            thinking: sample.and_then(|sample| sample.thinking).map(str::to_owned),
            answer: sample.map_or(String::new(), |sample| sample.answer.to_owned()),
            tokens: completed.tokens.unwrap_or(0),
            finish: completed.finish.clone(),
            scores: BTreeMap::new(),
            answers: BTreeMap::new(),
            explanations: BTreeMap::new(),
            slices: slices(run, row),
            cluster: cluster(run, row),
            tags: Vec::new(),
            fields: short_fields(row),
        };
        match sample {
            Some(sample) => {
                for (scorer, judged) in run.scorers.iter().zip(&mut judged) {
                    record.extend(scorer.name(), judged.next());
                }
                record.tags = tags(run, sample, completed);
            }
            None => {
                let reason = completed.reason.clone().unwrap_or_default();
                let score = if completed.finish == ERROR { Score::Error(reason) } else { Score::Unscored(reason) };
                record.scores = run.scorers.iter().map(|s| (s.name().to_owned(), score.clone())).collect();
            }
        }
        records.push(record);
    }
    Ok(records)
}

impl ItemRecord {
    fn extend(&mut self, scorer: &str, judged: Option<Judged>) {
        let Some(judged) = judged else { return };
        self.scores.insert(scorer.to_owned(), judged.score);
        self.answers.extend(judged.answer.map(|answer| (scorer.to_owned(), answer)));
        self.explanations.extend(judged.explanation.map(|explanation| (scorer.to_owned(), explanation)));
    }
}

/// The judgements of each scorer. They all work at the same time: one that waits for a server holds up none of the others.
fn judge(run: &SuiteRun, samples: &[Sample]) -> Result<Vec<Vec<Judged>>, EvalError> {
    let outcomes: Vec<_> = thread::scope(|scope| {
        let judge = |scorer: &dyn Scorer| scorer.judge(samples);
        let threads: Vec<_> = run.scorers.iter().map(|scorer| scope.spawn(move || judge(scorer.as_ref()))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    let mut all = Vec::with_capacity(outcomes.len());
    for (scorer, outcome) in run.scorers.iter().zip(outcomes) {
        let (suite, scorer) = (run.name.to_owned(), scorer.name().to_owned());
        match outcome {
            Err(panic) => return Err(EvalError::Panic { suite, scorer, what: said(panic.as_ref()) }),
            Ok(judged) if judged.len() != samples.len() => {
                return Err(EvalError::Scorer { suite, scorer, got: judged.len(), expected: samples.len() });
            }
            Ok(judged) => all.push(judged),
        }
    }
    Ok(all)
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

fn tags(run: &SuiteRun, sample: &Sample, completed: &Completed) -> Vec<String> {
    let closed = (!sample.closed()).then(|| "no_close_tag".to_owned());
    let unknown = completed.tokens.is_none().then(|| "tokens_unknown".to_owned());
    let noted = run.scorers.iter().flat_map(|scorer| {
        scorer.tags(sample).into_iter().map(|tag| format!("{}:{tag}", scorer.name())).collect::<Vec<_>>()
    });
    closed.into_iter().chain(unknown).chain(noted).collect()
}

/// The item's value of each slice; a row without the field is in none.
fn slices(run: &SuiteRun, row: &Row) -> BTreeMap<String, String> {
    let value = |field: &String| row.fields.get(field).and_then(label);
    run.suite.slices.iter().filter_map(|(name, field)| Some((name.clone(), value(field)?))).collect()
}

fn cluster(run: &SuiteRun, row: &Row) -> Option<String> {
    run.suite.cluster.as_ref().and_then(|field| row.fields.get(field)).and_then(label)
}

/// A field's value as a label.
fn label(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn short_fields(row: &Row) -> Map<String, Value> {
    let short = |value: &Value| match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= 200,
        _ => false,
    };
    row.fields.iter().filter(|(_, value)| short(value)).map(|(key, value)| (key.clone(), value.clone())).collect()
}
