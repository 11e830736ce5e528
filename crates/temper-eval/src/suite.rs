//! Running a suite on a checkpoint: prompts in, item records and measurements out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Map, Value};
use temper_data::Row;
use temper_engine::{EngineError, Finish, Key, Model, Request, SamplingParams, generate, peak_memory_bytes};
use temper_recipe::Suite;
use temper_score::{Sample, Score, Scorer};
use temper_text::{EncodedPrompt, Tokenizer};
use temper_train::{Cost, Progress, Total};

use crate::log::{LogHead, write_log_with};
use crate::measure::{Metric, measure};
use crate::provenance::{Provenance, recall, remember};
use crate::records::{LENGTH, NOT_SAMPLED, STOP};
use crate::{EvalError, ItemRecord, Measurement};

/// Completions that are sampled, scored and reported on together. Results do not depend on it.
const BATCH: usize = 128;

/// What to run on what.
#[derive(Clone, Copy)]
pub struct SuiteRun<'a> {
    /// Key of the suite in the recipe.
    pub name: &'a str,
    /// The suite.
    pub suite: &'a Suite,
    /// Its items.
    pub rows: &'a [Row],
    /// Its scorers, built.
    pub scorers: &'a [Arc<dyn Scorer>],
    /// Seed of the sampling. Every checkpoint is sampled with the same random numbers, so that a comparison shows the
    /// checkpoints' difference and not that of the draws.
    pub seed: u64,
    /// What progress and messages call the checkpoint.
    pub label: &'a str,
    /// The item log to write.
    pub log: &'a Path,
}

/// What running a suite gave.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteResult {
    /// One record per item and repeat, items in the order of the rows.
    pub records: Vec<ItemRecord>,
    /// One measurement per scorer, in their order.
    pub measurements: Vec<Measurement>,
    /// What the sampling cost.
    pub cost: Cost,
}

/// Samples the suite's items from the model, scores the completions, and writes the item log with a note of its provenance
/// beside it (`NAME.meta.json`).
///
/// A log that is there already is read instead of sampling again when its provenance is the same: weights, tokenizer, items,
/// scorers, sampling and seed. `None` when `stop` was set meanwhile; nothing is written then.
///
/// Every completion has its own stream of random numbers, keyed by seed, suite, item and repeat. An item whose prompt leaves
/// no room in the model's context is not dropped: its record says so and its scores are unscored.
///
/// # Errors
/// A suite without items, two items of one identity, a prompt that cannot be encoded, a failure of the model, or a log that
/// cannot be written.
pub fn run_suite(
    run: &SuiteRun,
    model: &Model,
    tokenizer: &Tokenizer,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<SuiteResult>, EvalError> {
    check_items(run)?;
    let metrics: Vec<Metric> = run.scorers.iter().map(|scorer| Metric::of(scorer.as_ref())).collect();
    let provenance = Provenance::of(run, model, tokenizer);
    if let Some((records, cost)) = recall(run.log, &provenance) {
        let measurements = measure(run.name, &records, &metrics);
        return Ok(Some(SuiteResult { records, measurements, cost }));
    }
    let start = Instant::now();
    progress.begin(&format!("{}: measuring {}", run.label, run.name), Total::Items(run.rows.len()));
    let sampled = sample_all(run, model, tokenizer, progress, stop);
    progress.end();
    let Some((records, mut cost)) = sampled? else { return Ok(None) };
    cost.wall_seconds = start.elapsed().as_secs_f64();
    cost.peak_memory_bytes = peak_memory_bytes();
    write_log_with(run.log, &LogHead::of_run(run, &provenance, cost.wall_seconds), &records)?;
    remember(run.log, &provenance, &cost)?;
    let measurements = measure(run.name, &records, &metrics);
    Ok(Some(SuiteResult { records, measurements, cost }))
}

fn check_items(run: &SuiteRun) -> Result<(), EvalError> {
    if run.rows.is_empty() {
        return Err(EvalError::Empty { suite: run.name.to_owned() });
    }
    let mut seen: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in run.rows {
        if let Some(first) = seen.insert(&row.id, row) {
            return Err(EvalError::DuplicateItem {
                suite: run.name.to_owned(),
                id: row.id.clone(),
                first: first.place(),
                second: row.place(),
            });
        }
    }
    Ok(())
}

/// The key of one completion's random numbers.
pub(crate) fn key(seed: u64, suite: &str, item: &str, repeat: usize) -> Key {
    Key::new(seed).fold_str("eval").fold_str(suite).fold_str(item).fold(repeat as u64)
}

type Sampled = Option<(Vec<ItemRecord>, Cost)>;

fn sample_all(
    run: &SuiteRun,
    model: &Model,
    tokenizer: &Tokenizer,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Sampled, EvalError> {
    let repeats = run.suite.repeats.max(1);
    let mut cost = Cost::default();
    let mut records = Vec::with_capacity(run.rows.len() * repeats);
    let items = (BATCH / repeats).max(1);
    for (batch, rows) in run.rows.chunks(items).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let prompts = rows
            .iter()
            .map(|row| {
                let failed = |source| EvalError::Prompt {
                    suite: run.name.to_owned(),
                    place: row.place(),
                    source: Box::new(source),
                };
                tokenizer.encode_prompt(&row.prompt).map_err(failed)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let before = batch * items;
        let mut report = |share: f64, tokens: u64| {
            let done = (before as f64 + share * rows.len() as f64) / run.rows.len() as f64;
            progress.advance(done, &format!("{tokens} tokens"));
        };
        let Some(completions) = complete(run, model, tokenizer, rows, &prompts, &mut cost, &mut report, stop)? else {
            return Ok(None);
        };
        report(1.0, cost.tokens_sampled);
        records.extend(score_batch(run, rows, &prompts, completions)?);
    }
    Ok(Some((records, cost)))
}

/// One completion as text.
struct Text {
    text: String,
    tokens: usize,
    finish: &'static str,
}

/// The completions of a batch of items: for each item one per repeat, none where the prompt does not fit.
#[allow(clippy::too_many_arguments)]
fn complete(
    run: &SuiteRun,
    model: &Model,
    tokenizer: &Tokenizer,
    rows: &[Row],
    prompts: &[EncodedPrompt],
    cost: &mut Cost,
    report: &mut dyn FnMut(f64, u64),
    stop: &AtomicBool,
) -> Result<Option<Vec<Vec<Text>>>, EvalError> {
    let repeats = run.suite.repeats.max(1);
    let sampling = &run.suite.sampling;
    let params = SamplingParams {
        temperature: sampling.temperature as f32,
        top_p: sampling.top_p as f32,
        top_k: sampling.top_k,
        max_new_tokens: sampling.max_tokens,
        stop_ids: stop_ids(model, tokenizer),
    };
    let fits: Vec<bool> = prompts.iter().map(|prompt| prompt.ids.len() < context(model)).collect();
    let requests: Vec<Request> = rows
        .iter()
        .zip(prompts)
        .zip(&fits)
        .filter(|(_, fits)| **fits)
        .map(|((row, prompt), _)| Request {
            prompt: prompt.ids.clone(),
            keys: (0..repeats).map(|repeat| key(run.seed, run.name, &row.id, repeat)).collect(),
        })
        .collect();
    let most = (requests.len() * repeats * sampling.max_tokens).max(1);
    let before = cost.tokens_sampled;
    let generated = generate(model, &requests, &params, &mut |tokens| {
        report(tokens as f64 / most as f64, before + tokens as u64);
        !stop.load(Ordering::Relaxed)
    });
    let mut generated = match generated {
        Ok(generated) => generated.into_iter(),
        Err(EngineError::Interrupted) => return Ok(None),
        Err(source) => return Err(EvalError::Model { suite: run.name.to_owned(), source: Box::new(source) }),
    };
    let mut texts = Vec::with_capacity(rows.len());
    for (prompt, fits) in prompts.iter().zip(fits) {
        let group = if fits { generated.next().unwrap_or_default() } else { Vec::new() };
        if !group.is_empty() {
            let length = prompt.ids.len() as u64;
            let (mut tokens, mut attended) = (length, length * (length + 1) / 2);
            for completion in &group {
                let new = completion.ids.len() as u64;
                tokens += new;
                attended += new * length + new * (new + 1) / 2;
                cost.tokens_sampled += new;
            }
            cost.flops += model.config().forward_flops(tokens as usize, attended);
        }
        let text = |completion: temper_engine::Completion| {
            let (written, finish) = match completion.finish {
                Finish::Stop => (&completion.ids[..completion.ids.len().saturating_sub(1)], STOP),
                Finish::Length => (&completion.ids[..], LENGTH),
            };
            let text = format!("{}{}", prompt.prefill, tokenizer.decode(written, true));
            Text { text, tokens: completion.ids.len(), finish }
        };
        texts.push(group.into_iter().map(text).collect());
    }
    Ok(Some(texts))
}

/// Tokens that the model can see at once.
fn context(model: &Model) -> usize {
    model.config().max_position_embeddings
}

/// Every token that ends a completion, by the tokenizer's files or by the model's configuration.
fn stop_ids(model: &Model, tokenizer: &Tokenizer) -> Vec<u32> {
    let mut ids = tokenizer.stop_ids();
    ids.extend(&model.config().eos_token_ids);
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn score_batch(
    run: &SuiteRun,
    rows: &[Row],
    prompts: &[EncodedPrompt],
    completions: Vec<Vec<Text>>,
) -> Result<Vec<ItemRecord>, EvalError> {
    let texts: Vec<(&Row, usize, &Text)> = rows
        .iter()
        .zip(&completions)
        .flat_map(|(row, group)| group.iter().enumerate().map(move |(repeat, text)| (row, repeat, text)))
        .collect();
    let samples: Vec<Sample> =
        texts.iter().map(|(row, _, text)| Sample::new(row, &text.text, text.tokens, text.finish == LENGTH)).collect();
    let mut by_scorer = Vec::with_capacity(run.scorers.len());
    for scorer in run.scorers {
        let scores = scorer.judge(&samples);
        if scores.len() != samples.len() {
            return Err(EvalError::Scorer {
                suite: run.name.to_owned(),
                scorer: scorer.name().to_owned(),
                got: scores.len(),
                expected: samples.len(),
            });
        }
        by_scorer.push(scores.into_iter());
    }
    let mut records = Vec::with_capacity(rows.len() * run.suite.repeats.max(1));
    let mut scored = texts.iter().zip(&samples);
    for ((row, prompt), group) in rows.iter().zip(prompts).zip(&completions) {
        if group.is_empty() {
            records.extend((0..run.suite.repeats.max(1)).map(|repeat| not_sampled(run, row, repeat, prompt.ids.len())));
        }
        for ((_, repeat, text), sample) in scored.by_ref().take(group.len()) {
            let (mut scores, mut answers, mut explanations) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            for (scorer, judged) in run.scorers.iter().zip(&mut by_scorer) {
                let Some(judged) = judged.next() else { continue };
                let name = || scorer.name().to_owned();
                scores.insert(name(), judged.score);
                answers.extend(judged.answer.map(|answer| (name(), answer)));
                explanations.extend(judged.explanation.map(|explanation| (name(), explanation)));
            }
            let closed = if sample.closed() { None } else { Some("no_close_tag".to_owned()) };
            let noted = run.scorers.iter().flat_map(|scorer| {
                scorer.tags(sample).into_iter().map(|tag| format!("{}:{tag}", scorer.name())).collect::<Vec<_>>()
            });
            records.push(ItemRecord {
                suite: run.name.to_owned(),
                id: row.id.clone(),
                repeat: *repeat,
                prompt: row.prompt.display(),
                text: text.text.clone(),
                thinking: sample.thinking.map(str::to_owned),
                answer: sample.answer.to_owned(),
                tokens: text.tokens,
                finish: text.finish.to_owned(),
                scores,
                answers,
                explanations,
                slices: slices(run, row),
                cluster: cluster(run, row),
                tags: closed.into_iter().chain(noted).collect(),
                fields: short_fields(row),
            });
        }
    }
    Ok(records)
}

/// The record of an item whose prompt does not fit.
fn not_sampled(run: &SuiteRun, row: &Row, repeat: usize, tokens: usize) -> ItemRecord {
    let reason = format!("{}: the prompt of {tokens} tokens leaves no room in the model's context", row.place());
    ItemRecord {
        suite: run.name.to_owned(),
        id: row.id.clone(),
        repeat,
        prompt: row.prompt.display(),
        text: String::new(),
        thinking: None,
        answer: String::new(),
        tokens: 0,
        finish: NOT_SAMPLED.to_owned(),
        scores: run.scorers.iter().map(|s| (s.name().to_owned(), Score::Unscored(reason.clone()))).collect(),
        answers: BTreeMap::new(),
        explanations: BTreeMap::new(),
        slices: slices(run, row),
        cluster: cluster(run, row),
        tags: Vec::new(),
        fields: short_fields(row),
    }
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
