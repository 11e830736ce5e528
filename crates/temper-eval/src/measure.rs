//! From item records to measurements.

use std::collections::BTreeMap;

use temper_recipe::Reducer;
use temper_score::{Better, Score, Scorer};

use crate::sampled::Sampled;
use crate::{ItemRecord, Measurement};

/// Level of the intervals in tables.
pub const CONFIDENCE: f64 = 0.95;

/// What a measurement says of its metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Name of the scorer.
    pub name: String,
    /// The scorer's title.
    pub title: String,
    /// The good direction.
    pub better: Better,
    /// The smallest and largest possible score, where there are such.
    pub range: Option<(f64, f64)>,
}

impl Metric {
    /// The metric of a scorer.
    pub fn of(scorer: &dyn Scorer) -> Self {
        Metric { name: scorer.name().to_owned(), title: scorer.title(), better: scorer.better(), range: scorer.range() }
    }
}

/// One measurement per metric over the records of one suite.
pub fn measure(suite: &str, records: &[ItemRecord], metrics: &[Metric]) -> Vec<Measurement> {
    metrics.iter().map(|metric| measure_one(suite, records, metric)).collect()
}

fn measure_one(suite: &str, records: &[ItemRecord], metric: &Metric) -> Measurement {
    let values: Vec<f64> = item_values(records, &metric.name).into_values().collect();
    let count = |wanted: fn(&Score) -> bool| {
        records.iter().filter(|record| record.scores.get(&metric.name).is_some_and(wanted)).count()
    };
    let (value, (low, high), binary) = match Sampled::of(&values, metric.range) {
        None => (f64::NAN, (f64::NAN, f64::NAN), false),
        Some(sampled) => {
            let interval = within(sampled.interval(values.len(), CONFIDENCE), metric.range);
            (sampled.value(), interval, matches!(sampled, Sampled::Proportion { .. }))
        }
    };
    let truncated = records.iter().filter(|record| record.truncated()).count();
    let mut tags = BTreeMap::new();
    for tag in records.iter().flat_map(|record| &record.tags) {
        if let Some(tag) = tag.strip_prefix(metric.name.as_str()).and_then(|rest| rest.strip_prefix(':')) {
            *tags.entry(tag.to_owned()).or_insert(0) += 1;
        }
    }
    Measurement {
        suite: suite.to_owned(),
        metric: metric.name.clone(),
        title: metric.title.clone(),
        better: metric.better,
        reducer: Reducer::Mean,
        slice: None,
        n: values.len(),
        clusters: None,
        value,
        low,
        high,
        samples: records.len(),
        unscored: count(|score| matches!(score, Score::Unscored(_))),
        // A record without this metric at all is no better than a failure.
        errors: count(|score| matches!(score, Score::Error(_)))
            + records.iter().filter(|record| !record.scores.contains_key(&metric.name)).count(),
        not_applicable: count(|score| matches!(score, Score::NotApplicable)),
        truncated: if records.is_empty() { f64::NAN } else { truncated as f64 / records.len() as f64 },
        binary,
        tags,
        corrected: None,
    }
}

/// The part of an interval that a score can reach at all: Student's t knows no limits, the metric does.
fn within((low, high): (f64, f64), range: Option<(f64, f64)>) -> (f64, f64) {
    range.map_or((low, high), |(least, most)| (low.max(least), high.min(most)))
}

/// The mean over its scored repeats of every item that has one, by identity.
pub fn item_values<'a>(records: impl IntoIterator<Item = &'a ItemRecord>, metric: &str) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&'a str, (f64, usize)> = BTreeMap::new();
    for record in records {
        if let Some(value) = record.scores.get(metric).and_then(Score::value) {
            let (sum, count) = sums.entry(&record.id).or_insert((0.0, 0));
            *sum += value;
            *count += 1;
        }
    }
    sums.into_iter().map(|(id, (sum, count))| (id.to_owned(), sum / count as f64)).collect()
}

/// The tightest of the usual limits that all values keep: [0, 1], [−1, 1], or none. For logs whose scorers are not at hand.
pub(crate) fn usual_range(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    [(0.0, 1.0), (-1.0, 1.0)]
        .into_iter()
        .find(|(low, high)| values.clone().all(|value| *low <= value && value <= *high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    fn metric(name: &str, range: Option<(f64, f64)>) -> Metric {
        Metric { name: name.to_owned(), title: "Title".to_owned(), better: Better::Higher, range }
    }

    #[test]
    fn an_item_is_the_mean_of_its_repeats() {
        let records = [
            record("s", "a", 0, &[("m", Score::Value(1.0))]),
            record("s", "a", 1, &[("m", Score::Value(0.0))]),
            record("s", "b", 0, &[("m", Score::Value(1.0))]),
            record("s", "b", 1, &[("m", Score::Unscored("x".into()))]),
            record("s", "c", 0, &[("m", Score::NotApplicable)]),
            record("s", "c", 1, &[("m", Score::Error("x".into()))]),
            record("s", "d", 0, &[]),
        ];
        let [m] = &measure("s", &records, &[metric("m", Some((0.0, 1.0)))])[..] else { panic!() };
        assert_eq!((m.n, m.value, m.samples), (2, 0.75, 7));
        assert_eq!((m.unscored, m.errors, m.not_applicable), (1, 2, 1));
        assert!(!m.binary);
        assert_eq!(m.unscored_share(), 0.5);
        // Values 0.5 and 1: sd √0.125, se 0.25, t with one degree of freedom 12.706; a score from 0 to 1 stays there.
        assert_eq!((m.low, m.high), (0.0, 1.0));
        let [m] = &measure("s", &records, &[metric("m", None)])[..] else { panic!() };
        assert!((m.high - (0.75 + 12.706204736 * 0.25)).abs() < 1e-6, "{}", m.high);
    }

    #[test]
    fn a_binary_metric_has_wilsons_interval() {
        let mut records: Vec<ItemRecord> =
            (0..10).map(|i| record("s", &i.to_string(), 0, &[("m", Score::flag(i < 7))])).collect();
        records[0].finish = crate::LENGTH.to_owned();
        records[1].tags = vec!["m:no_box".to_owned(), "other:no_match".to_owned(), "no_close_tag".to_owned()];
        let [m] = &measure("s", &records, &[metric("m", Some((0.0, 1.0)))])[..] else { panic!() };
        assert!(m.binary);
        assert_eq!((m.n, m.value, m.truncated), (10, 0.7, 0.1));
        assert!((m.low - 0.396778).abs() < 1e-6 && (m.high - 0.892209).abs() < 1e-6, "{} {}", m.low, m.high);
        assert_eq!(m.tags, [("no_box".to_owned(), 1)].into_iter().collect());
    }

    #[test]
    fn nothing_scored_is_null_in_json() {
        let records = [record("s", "a", 0, &[("m", Score::NotApplicable)])];
        let [m] = &measure("s", &records, &[metric("m", None)])[..] else { panic!() };
        let json = serde_json::to_string(m).unwrap();
        assert!(json.contains("\"value\":null"), "{json}");
        let back: Measurement = serde_json::from_str(&json).unwrap();
        assert!(back.value.is_nan() && back.n == 0);
        assert_eq!(m.unscored_share(), 0.0);
    }
}
