//! What a log says of itself, apart from its items.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use temper_recipe::Sampling;
use temper_score::Better;

use crate::suite::SuiteRun;
use crate::{ItemRecord, Metric};

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogStatus {
    /// Every item was worked on.
    #[default]
    Success,
    /// It was begun and has not ended, or was killed.
    Started,
    /// A person stopped it.
    Cancelled,
    /// An error ended it; the message.
    Error(String),
}

impl LogStatus {
    /// Inspect's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            LogStatus::Success => "success",
            LogStatus::Started => "started",
            LogStatus::Cancelled => "cancelled",
            LogStatus::Error(_) => "error",
        }
    }
}

/// A number that the log's writer put down as a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The scorer.
    pub scorer: String,
    /// How repeats became one value, where the log says.
    pub reducer: Option<String>,
    /// What it is: `accuracy`, `mean`, `stderr`.
    pub name: String,
    /// The number; not a number where there was nothing to compute it from.
    pub value: f64,
}

/// What a log says of itself. What it does not say is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogHead {
    /// Name of the suite; Inspect calls it task.
    pub suite: String,
    /// The checkpoint or model.
    pub model: String,
    /// How the evaluation ended.
    pub status: LogStatus,
    /// When the log was written (RFC 3339).
    pub created: Option<String>,
    /// How long the evaluation took until then, in seconds.
    pub seconds: Option<f64>,
    /// The program that wrote it, with its version.
    pub writer: Option<String>,
    /// Where the items are from.
    pub dataset: Option<String>,
    /// Completions per item.
    pub repeats: Option<usize>,
    /// How completions were sampled.
    pub sampling: Option<Sampling>,
    /// Seed of the sampling.
    pub seed: Option<u64>,
    /// What the scorers are: titles, good directions, ranges.
    pub metrics: Vec<Metric>,
    /// Digests of everything that the content follows from, as JSON.
    pub provenance: Option<Value>,
    /// Results as the writer computed them.
    pub recorded: Vec<Recorded>,
    /// What a reader left out or could not make sense of.
    pub notes: Vec<String>,
}

impl LogHead {
    /// The head of a suite's log, before anything was recorded.
    pub(crate) fn of_run(run: &SuiteRun, provenance: &impl serde::Serialize, seconds: f64) -> Self {
        LogHead {
            suite: run.name.to_owned(),
            model: run.label.to_owned(),
            seconds: Some(seconds),
            dataset: Some(run.suite.data.path.clone()).filter(|path| !path.is_empty()),
            repeats: Some(run.suite.repeats.max(1)),
            sampling: Some(run.suite.sampling.clone()),
            seed: Some(run.seed),
            metrics: run.scorers.iter().map(|scorer| Metric::of(scorer.as_ref())).collect(),
            provenance: serde_json::to_value(provenance).ok(),
            ..LogHead::default()
        }
    }

    /// What can be said from the records alone; the checkpoint is the file's name.
    pub fn of_records(file: &Path, records: &[ItemRecord]) -> Self {
        let mut suites: Vec<&str> = records.iter().map(|record| record.suite.as_str()).collect();
        suites.sort_unstable();
        suites.dedup();
        LogHead {
            suite: suites.join("+"),
            model: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
            repeats: records.iter().map(|record| record.repeat).max().map(|most| most.saturating_add(1)),
            ..LogHead::default()
        }
    }

    /// The metrics of the records: as the head describes them, and those that it does not under their names, with the
    /// tightest of the usual ranges that their values keep and no good direction.
    pub fn metrics_of<'a>(&self, records: impl IntoIterator<Item = &'a ItemRecord>) -> Vec<Metric> {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, score) in records.into_iter().flat_map(|record| &record.scores) {
            values.entry(name).or_default().extend(score.value());
        }
        let known = self.metrics.iter().filter(|metric| values.contains_key(metric.name.as_str())).cloned();
        let unknown = values.iter().filter(|(name, _)| !self.metrics.iter().any(|metric| metric.name == **name));
        let unknown = unknown.map(|(name, values)| Metric {
            name: (*name).to_owned(),
            title: (*name).to_owned(),
            better: Better::Neither,
            range: crate::measure::usual_range(values.iter().copied()),
        });
        known.chain(unknown).collect()
    }

    /// What Inspect's header has no field for.
    pub(super) fn extra(&self) -> Value {
        let metrics: Vec<Value> = self.metrics.iter().map(metric_json).collect();
        let mut extra = Map::from_iter([("metrics".to_owned(), Value::from(metrics))]);
        if let Some(seed) = self.seed {
            extra.insert("seed".to_owned(), seed.into());
        }
        if let Some(sampling) = self.sampling.as_ref().and_then(|sampling| serde_json::to_value(sampling).ok()) {
            extra.insert("sampling".to_owned(), sampling);
        }
        if let Some(provenance) = &self.provenance {
            extra.insert("provenance".to_owned(), provenance.clone());
        }
        extra.into()
    }

    /// Takes up what [`LogHead::extra`] put down.
    pub(super) fn take_extra(&mut self, extra: &Value) {
        let metrics = extra.get("metrics").and_then(Value::as_array);
        self.metrics = metrics.into_iter().flatten().filter_map(metric_of).collect();
        self.seed = extra.get("seed").and_then(Value::as_u64);
        self.sampling = extra.get("sampling").and_then(|sampling| serde_json::from_value(sampling.clone()).ok());
        self.provenance = extra.get("provenance").cloned();
    }
}

fn metric_json(metric: &Metric) -> Value {
    let bound = |pick: fn((f64, f64)) -> f64| metric.range.map(pick).filter(|bound| bound.is_finite());
    json!({
        "name": metric.name,
        "title": metric.title,
        "better": metric.better,
        "range": metric.range.map(|_| [bound(|range| range.0), bound(|range| range.1)]),
    })
}

fn metric_of(json: &Value) -> Option<Metric> {
    let text = |key: &str| json.get(key).and_then(Value::as_str);
    let range = json.get("range").and_then(Value::as_array).filter(|range| range.len() == 2);
    Some(Metric {
        name: text("name")?.to_owned(),
        title: text("title")?.to_owned(),
        better: serde_json::from_value(json.get("better")?.clone()).ok()?,
        range: range
            .map(|range| (range[0].as_f64().unwrap_or(f64::NEG_INFINITY), range[1].as_f64().unwrap_or(f64::INFINITY))),
    })
}
