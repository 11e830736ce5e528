//! Header, summaries and reductions: the numbers that Inspect shows of a log.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use temper_score::Score;

use super::OURS;
use crate::log::{LogHead, LogStatus};
use crate::stats::mean_sd;
use crate::{ItemRecord, Metric, NOT_SAMPLED, item_values};

/// `eval` and `plan`, which start.json and header.json share.
pub(super) fn start(head: &LogHead, records: &[ItemRecord], created: &str) -> Map<String, Value> {
    let mut ids: Vec<&str> = Vec::new();
    for record in records {
        if ids.last() != Some(&record.id.as_str()) && record.repeat == 0 {
            ids.push(&record.id);
        }
    }
    let repeats = head.repeats.unwrap_or(1);
    let identity = |what: &str| -> String {
        let mut hash = Sha256::new();
        [what, created, &head.suite, &head.model].iter().for_each(|part| hash.update(format!("{}:{part}", part.len())));
        hash.finalize().iter().take(11).map(|byte| format!("{byte:02x}")).collect()
    };
    let scorers: Vec<Value> = head
        .metrics_of(records)
        .iter()
        .map(|metric| {
            let names = [mean_name(metric, records), "stderr"];
            let metrics = names.map(|name| json!({"name": format!("inspect_ai/{name}"), "options": {}}));
            let about = json!({"title": metric.title, "better": metric.better});
            json!({"name": metric.name, "options": {}, "metrics": metrics, "metadata": about})
        })
        .collect();
    let config = generate_config(head);
    let eval = json!({
        "eval_id": identity("eval"),
        "run_id": identity("run"),
        "created": created,
        "task": head.suite,
        "task_id": identity("task"),
        "task_version": 0,
        "task_attribs": {},
        "task_args": {},
        "task_args_passed": {},
        "dataset": {
            "name": head.suite,
            "location": head.dataset,
            "samples": ids.len(),
            "sample_ids": ids,
            "shuffled": false,
        },
        "model": if head.model.is_empty() { "unknown" } else { &head.model },
        "model_generate_config": config,
        "model_args": {},
        "config": {"epochs": repeats, "epochs_reducer": ["mean"], "log_samples": true},
        "packages": {"temper": env!("CARGO_PKG_VERSION")},
        "metadata": {OURS: head.extra()},
        "scorers": scorers,
    });
    let plan = json!({
        "name": "plan",
        "steps": [{"solver": "generate", "params": {}, "params_passed": {}}],
        "config": config,
    });
    Map::from_iter([("version".to_owned(), json!(2)), ("eval".to_owned(), eval), ("plan".to_owned(), plan)])
}

/// The sampling in Inspect's names.
fn generate_config(head: &LogHead) -> Value {
    let mut config = Map::new();
    if let Some(sampling) = &head.sampling {
        config.insert("temperature".to_owned(), sampling.temperature.into());
        config.insert("top_p".to_owned(), sampling.top_p.into());
        config.insert("max_tokens".to_owned(), sampling.max_tokens.into());
        if sampling.top_k > 0 {
            config.insert("top_k".to_owned(), sampling.top_k.into());
        }
    }
    if let Some(seed) = head.seed {
        config.insert("seed".to_owned(), seed.into());
    }
    config.into()
}

/// The whole header: what the start says, and the results.
pub(super) fn header(head: &LogHead, records: &[ItemRecord], created: &str) -> Value {
    let mut header = start(head, records, created);
    let scores: Vec<Value> = head.metrics_of(records).iter().map(|metric| result(metric, records)).collect();
    let status = head.status.word();
    header.insert("status".to_owned(), json!(status));
    header.insert(
        "results".to_owned(),
        json!({
            "total_samples": records.len(),
            "completed_samples": records.iter().filter(|record| record.finish != NOT_SAMPLED).count(),
            "scores": scores,
        }),
    );
    let tokens: usize = records.iter().map(|record| record.tokens).fold(0, usize::saturating_add);
    let usage = BTreeMap::from([(head.model.as_str(), usage(tokens))]);
    let started = started(head, created);
    header.insert("stats".to_owned(), json!({"started_at": started, "completed_at": created, "model_usage": usage}));
    if let LogStatus::Error(message) = &head.status {
        header.insert("error".to_owned(), json!({"message": message, "traceback": "", "traceback_ansi": ""}));
    }
    Value::Object(header)
}

/// When the evaluation began; when the log was written, where it does not say how long it took.
fn started(head: &LogHead, created: &str) -> String {
    let (Some(seconds), Ok(end)) = (head.seconds, created.parse::<jiff::Timestamp>()) else {
        return created.to_owned();
    };
    let took = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    end.checked_sub(took).map_or(created.to_owned(), |start| start.strftime(TIME).to_string())
}

/// How times are written.
pub(super) const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f+00:00";

/// Sampled tokens; how many a prompt has, a log does not say.
pub(super) fn usage(tokens: usize) -> Value {
    json!({"output_tokens": tokens, "total_tokens": tokens})
}

/// Inspect's name of the mean: accuracy where every score is 0 or 1.
fn mean_name(metric: &Metric, records: &[ItemRecord]) -> &'static str {
    let values = records.iter().filter_map(|record| record.scores.get(&metric.name)?.value());
    if values.clone().next().is_some() && values.clone().all(|value| value == 0.0 || value == 1.0) {
        "accuracy"
    } else {
        "mean"
    }
}

/// One scorer's results, by Inspect's definitions: the repeats of an item are averaged first, the standard error is the standard
/// deviation (n − 1) over the root of the number of items.
fn result(metric: &Metric, records: &[ItemRecord]) -> Value {
    let values: Vec<f64> =
        item_values(records, &metric.name, temper_recipe::Reducer::Mean, metric.better).into_values().collect();
    let scored =
        records.iter().filter(|record| record.scores.get(&metric.name).and_then(Score::value).is_some()).count();
    let mut metrics = Map::new();
    let mut add = |name: &str, value: f64| {
        if value.is_finite() {
            metrics.insert(name.to_owned(), json!({"name": name, "value": value, "params": {}}));
        }
    };
    if let Some((mean, sd)) = mean_sd(&values) {
        add(mean_name(metric, records), mean);
        // One item has no spread; there the error is not a number, and left out.
        add("stderr", if values.len() > 1 { sd / (values.len() as f64).sqrt() } else { f64::NAN });
    }
    json!({
        "name": metric.name,
        "scorer": metric.name,
        "reducer": "mean",
        "scored_samples": scored,
        "unscored_samples": records.len() - scored,
        "params": {},
        "metrics": metrics,
    })
}

/// The items' values of each scorer.
pub(super) fn reductions(head: &LogHead, records: &[ItemRecord]) -> Value {
    let of = |metric: &Metric| {
        let values = item_values(records, &metric.name, temper_recipe::Reducer::Mean, metric.better).into_iter();
        let samples: Vec<Value> = values.map(|(id, value)| json!({"value": value, "sample_id": id})).collect();
        json!({"scorer": metric.name, "reducer": "mean", "samples": samples})
    };
    head.metrics_of(records).iter().map(of).collect::<Vec<_>>().into()
}
