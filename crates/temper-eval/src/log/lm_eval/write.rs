//! Writing lm-eval's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use temper_score::{Better, Score};

use crate::log::place::write_whole;
use crate::log::{Log, LogHead, damage};
use crate::stats::mean_sd;
use crate::{EvalError, ItemRecord, item_values};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LmEvalFiles {
    /// `results_<time>.json`.
    pub results: PathBuf,
    /// `samples_<task>_<time>.jsonl` of each suite.
    pub samples: Vec<PathBuf>,
    /// What the format has no place for.
    pub notes: Vec<String>,
}

/// Writes logs of one model as lm-eval does: `<out>/<model>/results_<time>.json` and a `samples_<task>_<time>.jsonl` for each
/// suite, with one line per item.
///
/// lm-eval keeps one value per item and metric, so that is the mean over the item's repeats; an item without a value does not
/// name the metric. Which of the two and why, tokens and tags are not kept, and the notes say so.
///
/// # Errors
/// Logs of several models or none, or a file that cannot be written.
pub fn write_lm_eval(out: &Path, logs: &[Log]) -> Result<LmEvalFiles, EvalError> {
    let refused = |what: String, remedy: &str| Err(damage::at(out, "lm-eval", what, remedy));
    let Some(first) = logs.first() else { return refused("no log was given".to_owned(), "name one log at least") };
    let model = first.head.model.as_str();
    if let Some(other) = logs.iter().find(|log| log.head.model != model) {
        let what = format!("the logs are of two models, `{model}` and `{}`", other.head.model);
        return refused(what, "lm-eval's results are of one model; convert each model's logs by themselves");
    }
    let suites = suites(logs);
    if let Some((suite, _)) = suites.iter().find(|(_, parts)| parts.len() > 1) {
        return refused(format!("two logs hold suite `{suite}`"), "give one log of each suite");
    }
    let now = jiff::Timestamp::now();
    let time = now.strftime("%Y-%m-%dT%H-%M-%S.%6f").to_string();
    let folder = out.join(sanitized(model));
    let mut samples = Vec::new();
    let mut tasks = Tasks::default();
    for (suite, parts) in &suites {
        for (head, records) in parts {
            let lines = lines(head, records);
            let file = folder.join(format!("samples_{}_{time}.jsonl", sanitized(suite)));
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            write_whole(&file, text.as_bytes())?;
            samples.push(file);
            tasks.add(suite, head, records, &lines);
        }
    }
    let results = folder.join(format!("results_{time}.json"));
    let value = tasks.results(model, now.as_millisecond() as f64 / 1000.0);
    let text = serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
    write_whole(&results, text.as_bytes())?;
    Ok(LmEvalFiles { results, samples, notes: notes(logs) })
}

type Part<'a> = (&'a LogHead, Vec<&'a ItemRecord>);

/// The records of each suite, by log.
fn suites(logs: &[Log]) -> BTreeMap<&str, Vec<Part<'_>>> {
    let mut out: BTreeMap<&str, Vec<Part>> = BTreeMap::new();
    for log in logs {
        let mut of: BTreeMap<&str, Vec<&ItemRecord>> = BTreeMap::new();
        log.records.iter().for_each(|record| of.entry(&record.suite).or_default().push(record));
        for (suite, records) in of {
            out.entry(suite).or_default().push((&log.head, records));
        }
    }
    out
}

fn notes(logs: &[Log]) -> Vec<String> {
    let records = || logs.iter().flat_map(|log| &log.records);
    let mut notes = Vec::new();
    let repeated = records().filter(|record| record.repeat > 0).count();
    if repeated > 0 {
        notes.push(format!(
            "{repeated} scores of repeats are averaged with the item's first: lm-eval keeps one value per item"
        ));
    }
    let none = records().flat_map(|record| record.scores.values()).filter(|score| score.value().is_none()).count();
    if none > 0 {
        notes.push(format!(
            "{none} scores without a value are left out: lm-eval has no word for unscored, failed or not applicable"
        ));
    }
    notes
}

fn sanitized(name: &str) -> String {
    let mut out = String::new();
    let mut replaced = false;
    for c in name.chars() {
        let bad = c.is_control() || "\"<>:/|\\?*[]".contains(c);
        match (bad, replaced) {
            (false, _) => out.push(c),
            (true, false) => out.push_str("__"),
            (true, true) => {}
        }
        replaced = bad;
    }
    if out.is_empty() || out.chars().all(|c| c == '.') { "unknown".to_owned() } else { out }
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line per item, in the order of the log.
fn lines(head: &LogHead, records: &[&ItemRecord]) -> Vec<Value> {
    let mut order: Vec<&str> = Vec::new();
    let mut items: BTreeMap<&str, Vec<&ItemRecord>> = BTreeMap::new();
    for record in records {
        let repeats = items.entry(&record.id).or_default();
        if repeats.is_empty() {
            order.push(&record.id);
        }
        repeats.push(record);
    }
    order.iter().enumerate().map(|(at, id)| line(at, head, &items[id])).collect()
}

fn line(at: usize, head: &LogHead, repeats: &[&ItemRecord]) -> Value {
    let first = repeats[0];
    let mut doc = Map::from_iter([("id".to_owned(), Value::from(first.id.as_str()))]);
    doc.extend(first.fields.iter().filter(|(key, _)| *key != "id").map(|(key, value)| (key.clone(), value.clone())));
    let doc = Value::Object(doc);
    let target = first.reference();
    let texts: Vec<&str> = repeats.iter().map(|record| record.text.as_str()).collect();
    let names: std::collections::BTreeSet<&String> = repeats.iter().flat_map(|record| record.scores.keys()).collect();
    let values: Vec<(&String, f64)> = names
        .into_iter()
        .filter_map(|name| {
            let values: Vec<f64> =
                repeats.iter().filter_map(|record| record.scores.get(name).and_then(Score::value)).collect();
            Some((name, mean_sd(&values)?.0))
        })
        .collect();
    let mut line = json!({
        "doc_id": at,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": first.prompt, "arg_1": generation(head)}},
        "resps": [texts],
        "filtered_resps": [first.answer],
        "filter": "none",
        "metrics": values.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "doc_hash": hash(&serde_json::to_string_pretty(&doc).unwrap_or_default()),
        "prompt_hash": hash(&first.prompt),
        "target_hash": hash(&target),
    });
    if let Value::Object(line) = &mut line {
        for (name, value) in values {
            // A metric never takes the place of one of lm-eval's own keys.
            line.entry(name.clone()).or_insert(value.into());
        }
    }
    line
}

fn generation(head: &LogHead) -> Value {
    let Some(sampling) = &head.sampling else { return json!({}) };
    json!({
        "do_sample": sampling.temperature > 0.0,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "max_gen_toks": sampling.max_tokens,
    })
}

/// The parts of the results file, filled suite by suite.
#[derive(Default)]
struct Tasks {
    results: Map<String, Value>,
    configs: Map<String, Value>,
    versions: Map<String, Value>,
    shots: Map<String, Value>,
    better: Map<String, Value>,
    samples: Map<String, Value>,
    hashes: Map<String, Value>,
}

impl Tasks {
    fn add(&mut self, suite: &str, head: &LogHead, records: &[&ItemRecord], lines: &[Value]) {
        let metrics = head.metrics_of(records.iter().copied());
        let mut result = json!({"name": suite, "alias": suite, "sample_len": lines.len()});
        let mut better = Map::new();
        for metric in &metrics {
            let values: Vec<f64> =
                item_values(records.iter().copied(), &metric.name, temper_recipe::Reducer::Mean, metric.better)
                    .into_values()
                    .collect();
            let Some((mean, sd)) = mean_sd(&values) else { continue };
            let error = if values.len() > 1 { json!(sd / (values.len() as f64).sqrt()) } else { json!("N/A") };
            result[format!("{},none", metric.name)] = mean.into();
            result[format!("{}_stderr,none", metric.name)] = error;
            let word = match metric.better {
                Better::Higher => Value::Bool(true),
                Better::Lower => Value::Bool(false),
                Better::Neither => Value::Null,
            };
            better.insert(metric.name.clone(), word);
        }
        let list: Vec<Value> = better
            .iter()
            .map(|(name, better)| json!({"metric": name, "aggregation": "mean", "higher_is_better": better}))
            .collect();
        let config = json!({
            "task": suite,
            "dataset_path": head.dataset,
            "output_type": "generate_until",
            "generation_kwargs": generation(head),
            "num_fewshot": 0,
            "repeats": head.repeats.unwrap_or(1),
            "metric_list": list,
            "metadata": {"version": 0},
        });
        let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let all: String = lines
            .iter()
            .map(|line| text(line, "doc_hash") + &text(line, "prompt_hash") + &text(line, "target_hash"))
            .collect();
        let key = || suite.to_owned();
        self.results.insert(key(), result);
        self.configs.insert(key(), config);
        self.versions.insert(key(), 0.into());
        self.shots.insert(key(), 0.into());
        self.better.insert(key(), Value::Object(better));
        self.samples.insert(key(), json!({"original": lines.len(), "effective": lines.len()}));
        self.hashes.insert(key(), hash(&all).into());
    }

    fn results(self, model: &str, date: f64) -> Value {
        json!({
            "results": self.results,
            "group_subtasks": {},
            "configs": self.configs,
            "versions": self.versions,
            "n-shot": self.shots,
            "higher_is_better": self.better,
            "n-samples": self.samples,
            "config": {"model": "temper", "model_args": {"pretrained": model}, "batch_size": null, "limit": null, "gen_kwargs": {}},
            "git_hash": null,
            "date": date,
            "task_hashes": self.hashes,
            "model_source": "temper",
            "model_name": model,
            "model_name_sanitized": sanitized(model),
            "system_instruction": null,
            "system_instruction_sha": null,
            "fewshot_as_multiturn": null,
            "chat_template": null,
            "chat_template_sha": null,
            "start_time": null,
            "end_time": null,
            "total_evaluation_time_seconds": null,
        })
    }
}
