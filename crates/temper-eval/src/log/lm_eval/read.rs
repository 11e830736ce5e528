//! Reading lm-eval's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use temper_score::{Better, Score};
use temper_text::thinking;

use crate::log::place::read_error;
use crate::log::{Log, LogHead, Recorded, tolerant};
use crate::records::is_short;
use crate::{EvalError, ItemRecord, Metric};

/// Whether a file is lm-eval's, from its name and first line.
pub(in crate::log) fn is_one(file: &Path, first: &[u8]) -> bool {
    if is_results(file) {
        return true;
    }
    match serde_json::from_slice::<Map<String, Value>>(&tolerant::json(first)) {
        Ok(line) => line.contains_key("doc_id") && (line.contains_key("filtered_resps") || line.contains_key("resps")),
        Err(_) => false,
    }
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_results(file: &Path) -> bool {
    name(file).starts_with("results_") && file.extension().is_some_and(|extension| extension == "json")
}

/// Reads a samples file, with the results of the same time beside it where there are any, or a results file with all its samples.
pub(in crate::log) fn read(file: &Path) -> Result<Log, EvalError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let (results, samples) = if is_results(file) {
        let time = name(file)["results_".len()..].trim_end_matches(".json").to_owned();
        (Some(file.to_owned()), beside(file, folder, &time)?)
    } else {
        let name = name(file);
        let time = name.trim_end_matches(".jsonl").rsplit('_').next().unwrap_or_default();
        let results = folder.join(format!("results_{time}.json"));
        (results.exists().then_some(results), vec![file.to_owned()])
    };
    let results = results.map(|file| json(&file)).transpose()?;
    let mut head = head_of(results.as_ref());
    let mut records = Vec::new();
    let (mut further, mut long) = (0, 0);
    for file in &samples {
        let read = task(file)?;
        further += read.further;
        long += read.long;
        records.extend(read.records);
    }
    if further > 0 {
        head.notes.push(format!("{further} further responses to an item have no score of their own and are left out"));
    }
    if long > 0 {
        head.notes.push(format!("{long} fields of the documents are long or have parts, and are left out"));
    }
    let rest = LogHead::of_records(file, &records);
    head.suite = rest.suite;
    if head.model.is_empty() {
        head.model = rest.model;
    }
    head.metrics = metrics(&head, &records, results.as_ref());
    Ok(Log { head, records })
}

/// The samples files of a time.
fn beside(file: &Path, folder: &Path, time: &str) -> Result<Vec<PathBuf>, EvalError> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(place).map_err(|source| read_error(place, source))?;
    let end = format!("_{time}.jsonl");
    let wanted = |path: &PathBuf| name(path).starts_with("samples_") && name(path).ends_with(&end);
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(wanted).collect();
    found.sort();
    if found.is_empty() {
        let what = format!("there is no samples_<task>{end} beside it");
        return Err(at(file, 1, what, "run lm-eval with --log_samples, or give a samples file"));
    }
    Ok(found)
}

fn at(file: &Path, line: usize, what: String, remedy: &str) -> EvalError {
    EvalError::Log { file: file.to_owned(), line, what, remedy: remedy.to_owned() }
}

fn json(file: &Path) -> Result<Value, EvalError> {
    let bytes = fs::read(file).map_err(|source| read_error(file, source))?;
    serde_json::from_slice(&tolerant::json(&bytes))
        .map_err(|error| at(file, error.line(), format!("not JSON: {error}"), "copy the file again"))
}

fn head_of(results: Option<&Value>) -> LogHead {
    let Some(results) = results else { return LogHead::default() };
    let text = |pointer: &str| results.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let version = text("/lm_eval_version").map(|version| format!("lm_eval {version}"));
    let date = results.get("date").and_then(Value::as_f64);
    let created = date.and_then(|date| jiff::Timestamp::from_millisecond((date * 1000.0) as i64).ok());
    let mut recorded = Vec::new();
    for (task, values) in results.get("results").and_then(Value::as_object).into_iter().flatten() {
        for (key, value) in values.as_object().into_iter().flatten() {
            let (Some((metric, filter)), Some(value)) = (key.split_once(','), value.as_f64()) else { continue };
            let (metric, what) = metric.strip_suffix("_stderr").map_or((metric, "mean"), |metric| (metric, "stderr"));
            let scorer = format!("{task}/{}", metric_name(metric, filter));
            recorded.push(Recorded { scorer, reducer: None, name: what.to_owned(), value });
        }
    }
    LogHead {
        model: text("/model_name").filter(|name| !name.is_empty()).or(text("/config/model")).unwrap_or_default(),
        created: created.map(|time| time.to_string()),
        writer: version.or(Some("lm_eval".to_owned())),
        recorded,
        ..LogHead::default()
    }
}

/// lm-eval's `metric,filter`; the filter that does nothing is not named.
fn metric_name(metric: &str, filter: &str) -> String {
    if filter == "none" { metric.to_owned() } else { format!("{metric},{filter}") }
}

fn metrics(head: &LogHead, records: &[ItemRecord], results: Option<&Value>) -> Vec<Metric> {
    let tasks = results.and_then(|results| results.get("higher_is_better")).and_then(Value::as_object);
    let better = |name: &str| {
        let metric = name.split_once(',').map_or(name, |(metric, _)| metric);
        match tasks.into_iter().flat_map(|tasks| tasks.values()).find_map(|task| task.get(metric)?.as_bool()) {
            Some(true) => Better::Higher,
            Some(false) => Better::Lower,
            None => Better::Neither,
        }
    };
    head.metrics_of(records).into_iter().map(|metric| Metric { better: better(&metric.name), ..metric }).collect()
}

#[derive(Default)]
struct Task {
    records: Vec<ItemRecord>,
    further: usize,
    long: usize,
}

/// One task's samples: the lines of a document, one per filter, are one record.
fn task(file: &Path) -> Result<Task, EvalError> {
    let name = name(file);
    let stem = name.trim_end_matches(".jsonl").trim_start_matches("samples_");
    let suite = stem.rsplit_once('_').map_or(stem, |(task, _)| task);
    let open = File::open(file).map_err(|source| read_error(file, source))?;
    let mut out = Task::default();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut filters: BTreeSet<(String, String)> = BTreeSet::new();
    for (number, line) in BufReader::new(open).split(b'\n').enumerate() {
        let number = number + 1;
        let line = line.map_err(|source| read_error(file, source))?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line: Value = serde_json::from_slice(&tolerant::json(&line))
            .map_err(|error| at(file, number, format!("not a sample: {error}"), "copy the file again"))?;
        let id = match line.get("doc_id") {
            Some(Value::Number(id)) => id.to_string(),
            Some(Value::String(id)) => id.clone(),
            _ => {
                return Err(at(
                    file,
                    number,
                    "there is no `doc_id`".to_owned(),
                    "give a file that lm-eval wrote with --log_samples",
                ));
            }
        };
        let filter = line.get("filter").and_then(Value::as_str).unwrap_or("none").to_owned();
        if !filters.insert((id.clone(), filter.clone())) {
            let what = format!("document {id} with filter `{filter}` stands in an earlier line already");
            return Err(at(file, number, what, "give the samples of one run"));
        }
        let place = match places.get(&id) {
            Some(place) => *place,
            None => {
                let (record, further, long) = record(suite, &id, &line);
                out.further += further;
                out.long += long;
                out.records.push(record);
                places.insert(id, out.records.len() - 1);
                out.records.len() - 1
            }
        };
        score(&mut out.records[place], &line, &filter);
    }
    Ok(out)
}

/// A document's record without scores, the number of responses besides the first, and that of fields left out.
fn record(suite: &str, id: &str, line: &Value) -> (ItemRecord, usize, usize) {
    let (said, further) = said(line);
    let split = thinking::split(&said);
    let doc = line.get("doc").and_then(Value::as_object).cloned().unwrap_or_default();
    let all = doc.len();
    let mut fields: Map<String, Value> = doc.into_iter().filter(|(_, value)| is_short(value)).collect();
    let long = all - fields.len();
    if let Some(target) = line.get("target").filter(|target| is_short(target)) {
        fields.entry("target".to_owned()).or_insert(target.clone());
    }
    let record = ItemRecord {
        suite: suite.to_owned(),
        id: id.to_owned(),
        repeat: 0,
        prompt: argument(line, 0, 0).and_then(Value::as_str).unwrap_or_default().to_owned(),
        thinking: split.thinking.map(str::to_owned),
        answer: split.answer.to_owned(),
        text: said.clone(),
        tokens: 0,
        // lm-eval does not say why a completion ended.
        finish: "unknown".to_owned(),
        scores: BTreeMap::new(),
        answers: BTreeMap::new(),
        explanations: BTreeMap::new(),
        slices: BTreeMap::new(),
        cluster: None,
        tags: Vec::new(),
        fields,
    };
    (record, further, long)
}

/// An argument of a request: `{"gen_args_0": {"arg_0": …}}`, in older files `[[…]]`.
fn argument(line: &Value, request: usize, argument: usize) -> Option<&Value> {
    let arguments = line.get("arguments")?;
    arguments
        .pointer(&format!("/gen_args_{request}/arg_{argument}"))
        .or_else(|| arguments.pointer(&format!("/{request}/{argument}")))
}

/// What the model said: its first response; of a choice the option of the highest log-likelihood. And how many more there are.
fn said(line: &Value) -> (String, usize) {
    let empty = Vec::new();
    let requests = line.get("resps").and_then(Value::as_array).unwrap_or(&empty);
    let responses = requests.first().and_then(Value::as_array).unwrap_or(&empty);
    match responses.first() {
        Some(Value::String(text)) => (text.clone(), responses.len() - 1),
        Some(Value::Array(_)) => {
            let likelihood = |request: &Value| {
                let first = request.pointer("/0/0").or(request.pointer("/0"))?;
                first.as_f64().or_else(|| first.as_str()?.parse().ok())
            };
            let values = requests.iter().map(|request| likelihood(request).unwrap_or(f64::NEG_INFINITY)).enumerate();
            let best = values.reduce(|best, next| if next.1 > best.1 { next } else { best }).map_or(0, |(at, _)| at);
            let chosen = argument(line, best, 1).and_then(Value::as_str).unwrap_or_default();
            (chosen.trim_start().to_owned(), 0)
        }
        _ => (String::new(), 0),
    }
}

/// Takes up a line's metrics.
fn score(record: &mut ItemRecord, line: &Value, filter: &str) {
    let names = line.get("metrics").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let filtered = line.pointer("/filtered_resps/0");
    let filtered = filtered.and_then(|text| text.as_str().or_else(|| text.get(0)?.as_str()));
    for metric in names {
        let score = match line.get(metric) {
            Some(Value::Number(number)) => {
                number.as_f64().map_or(Score::Error(format!("the score is {number}")), Score::of)
            }
            Some(Value::Bool(yes)) => Score::flag(*yes),
            Some(Value::String(text)) if text == "NaN" => Score::Unscored("the log's value is NaN".to_owned()),
            Some(_) => Score::Unscored("the value has parts of its own, which only lm-eval adds up".to_owned()),
            None => Score::Error("the line names the metric and has no value of it".to_owned()),
        };
        let name = metric_name(metric, filter);
        if let Some(text) =
            filtered.filter(|text| *text != record.text && line.pointer("/resps/0/0").is_some_and(Value::is_string))
        {
            record.answers.insert(name.clone(), text.to_owned());
        }
        record.scores.insert(name, score);
    }
}
