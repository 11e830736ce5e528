//! An item log in short.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use temper_eval::{Log, LogStatus, Measurement, NOT_SAMPLED};

use super::render_measurements;
use crate::number::{count, duration, grouped, short};
use crate::when::pretty;

/// What a log says of itself, what is in it, and what its items measure.
pub fn render_log(log: &Log, measurements: &[Measurement]) -> String {
    let head = &log.head;
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        if !text.is_empty() {
            let _ = writeln!(out, "{name:<12}{text}");
        }
    };
    line("suite", head.suite.clone());
    line("model", head.model.clone());
    line(
        "status",
        match &head.status {
            LogStatus::Error(message) => format!("error: {message}"),
            other => other.word().to_owned(),
        },
    );
    let took = head.seconds.map(|seconds| format!(", after {}", duration(seconds))).unwrap_or_default();
    line("written", head.created.as_deref().map(|time| pretty(time) + &took).unwrap_or_default());
    line("by", head.writer.clone().unwrap_or_default());
    line("items from", head.dataset.clone().unwrap_or_default());
    let sampling = head.sampling.as_ref().map(|sampling| {
        let seed = head.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        format!(
            "temperature {}, top_p {}, at most {} tokens{seed}",
            sampling.temperature, sampling.top_p, sampling.max_tokens
        )
    });
    line("sampling", sampling.unwrap_or_default());
    let records = &log.records;
    let mut items: Vec<(&str, &str)> =
        records.iter().map(|record| (record.suite.as_str(), record.id.as_str())).collect();
    items.sort_unstable();
    items.dedup();
    let tokens: usize = records.iter().map(|record| record.tokens).fold(0, usize::saturating_add);
    line(
        "holds",
        format!(
            "{} of {}, {}",
            count(records.len(), "sample"),
            count(items.len(), "item"),
            count(tokens, "sampled token")
        ),
    );
    let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
    records.iter().for_each(|record| *endings.entry(&record.finish).or_default() += 1);
    let ending = |(finish, n): (&str, usize)| {
        let word = match finish {
            temper_eval::LENGTH => "cut off at the limit",
            temper_eval::STOP => "ended by the model",
            NOT_SAMPLED => "not sampled",
            other => other,
        };
        format!("{} {word}", grouped(n as f64))
    };
    line("endings", endings.into_iter().map(ending).collect::<Vec<_>>().join(", "));
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    records.iter().flat_map(|record| &record.tags).for_each(|tag| *tags.entry(tag).or_default() += 1);
    line(
        "tags",
        tags.into_iter().map(|(tag, n)| format!("{tag} {}", grouped(n as f64))).collect::<Vec<_>>().join(", "),
    );
    let recorded = head.recorded.iter().map(|one| format!("{} {} {}", one.scorer, one.name, short(one.value)));
    line("recorded", recorded.collect::<Vec<_>>().join(", "));
    for note in &head.notes {
        line("note", note.clone());
    }
    format!("{out}\n{}", render_measurements(measurements))
}
