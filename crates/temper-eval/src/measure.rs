//! From item records to measurements.

use std::collections::{BTreeMap, BTreeSet};

use temper_recipe::Reducer;
use temper_score::{Better, Score, Scorer};

use crate::reduce::{Draw, reduce};
use crate::sampled::Sampled;
use crate::stats::{clopper_pearson, clustered};
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

/// The measurements of one suite: for each metric every reducer over all items, and then over the items of every slice value. What
/// the slices are stands in the records. The first measurement of a metric is that of the first reducer over all items.
pub fn measure(suite: &str, reducers: &[Reducer], records: &[ItemRecord], metrics: &[Metric]) -> Vec<Measurement> {
    let all: Vec<&ItemRecord> = records.iter().collect();
    let mut slices: BTreeMap<(&str, &str), Vec<&ItemRecord>> = BTreeMap::new();
    for record in records {
        for (name, value) in &record.slices {
            slices.entry((name, value)).or_default().push(record);
        }
    }
    let mut measurements = Vec::new();
    for metric in metrics {
        let one = |records: &[&ItemRecord], reducer| measure_one(suite, records, metric, reducer);
        let whole: Vec<Measurement> = reducers.iter().map(|reducer| one(&all, *reducer)).collect();
        // A reducer that makes nothing of the metric makes no sense of a slice that it happens to suit.
        let apply =
            |reducer: &Reducer| *reducer == Reducer::Mean || whole.iter().any(|m| m.reducer == *reducer && m.n > 0);
        let sliced: Vec<&Reducer> = reducers.iter().filter(|reducer| apply(reducer)).collect();
        measurements.extend(whole);
        for ((name, value), records) in &slices {
            for reducer in &sliced {
                let slice = Some(((*name).to_owned(), (*value).to_owned()));
                measurements.push(Measurement { slice, ..one(records, **reducer) });
            }
        }
    }
    measurements
}

fn measure_one(suite: &str, records: &[&ItemRecord], metric: &Metric, reducer: Reducer) -> Measurement {
    let reduced = reduced(records.iter().copied(), &metric.name, reducer, metric.better);
    let values: Vec<f64> = reduced.items.values().map(|item| item.value).collect();
    let count = |wanted: fn(&Score) -> bool| {
        records.iter().filter(|record| record.scores.get(&metric.name).is_some_and(wanted)).count()
    };
    let range = match reducer {
        Reducer::Pass(_) | Reducer::All(_) => Some((0.0, 1.0)),
        // Where no answer is extracted, most repeats are right or not.
        Reducer::Majority => metric.range.map(|(low, high)| (low.min(0.0), high.max(1.0))),
        Reducer::Mean | Reducer::Worst(_) => metric.range,
    };
    let clusters: Vec<&str> = reduced.items.values().map(|item| item.cluster).collect();
    let distinct = clusters.iter().collect::<BTreeSet<_>>().len();
    let together = distinct < values.len();
    let (value, (low, high), binary) = match Sampled::of(&values, range) {
        None => (f64::NAN, (f64::NAN, f64::NAN), false),
        Some(sampled) => {
            let interval = match together {
                true => clustered_interval(&values, &clusters, distinct),
                false => sampled.interval(values.len(), CONFIDENCE),
            };
            (sampled.value(), within(interval, range), matches!(sampled, Sampled::Proportion { .. }))
        }
    };
    let truncated = records.iter().filter(|record| record.truncated()).count();
    let mut tags = BTreeMap::new();
    for tag in records.iter().flat_map(|record| &record.tags) {
        if let Some(tag) = tag.strip_prefix(metric.name.as_str()).and_then(|rest| rest.strip_prefix(':')) {
            *tags.entry(tag.to_owned()).or_insert(0) += 1;
        }
    }
    let unreduced: usize = reduced.dropped.values().sum();
    tags.extend(reduced.dropped.into_iter().map(|(why, samples)| (format!("{reducer}: {why}"), samples)));
    Measurement {
        suite: suite.to_owned(),
        metric: metric.name.clone(),
        title: metric.title.clone(),
        better: metric.better,
        reducer,
        slice: None,
        n: values.len(),
        clusters: together.then_some(distinct),
        value,
        low,
        high,
        samples: records.len(),
        // What the reducer could not use has a score, and yet says nothing.
        unscored: count(|score| matches!(score, Score::Unscored(_))) + unreduced,
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

/// The interval of a mean over items that come in clusters. Where all items have one value the clustered error is 0, which would
/// claim certainty: then the interval is that of as many like shares as there are clusters, for values 0 and 1, and otherwise none.
fn clustered_interval(values: &[f64], clusters: &[&str], distinct: usize) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return match first {
            0.0 => clopper_pearson(0, distinct, CONFIDENCE),
            1.0 => clopper_pearson(distinct, distinct, CONFIDENCE),
            _ => (f64::NAN, f64::NAN),
        };
    }
    clustered(values, clusters, CONFIDENCE).map_or((f64::NAN, f64::NAN), |estimate| (estimate.low, estimate.high))
}

/// The part of an interval that a score can reach at all: Student's t knows no limits, the metric does.
fn within((low, high): (f64, f64), range: Option<(f64, f64)>) -> (f64, f64) {
    match range {
        // What is not a number stays so; `max` would make a limit of it.
        Some((least, most)) if low.is_finite() => (low.max(least), high.min(most)),
        _ => (low, high),
    }
}

/// The value of every item, by identity, that `reducer` can make of its scored repeats (see [`reduce`]).
pub fn item_values<'a>(
    records: impl IntoIterator<Item = &'a ItemRecord>,
    metric: &str,
    reducer: Reducer,
    better: Better,
) -> BTreeMap<String, f64> {
    let reduced = reduced(records, metric, reducer, better);
    reduced.items.into_iter().map(|(id, item)| (id.to_owned(), item.value)).collect()
}

/// An item's value and cluster; an item that belongs to none is a cluster of its own.
struct Item<'a> {
    value: f64,
    cluster: &'a str,
}

/// An item's cluster, and its scored repeats by number.
type Repeats<'a> = (&'a str, Vec<(usize, Draw<'a>)>);

/// The values of items, and samples that the reducer could make nothing of, by reason.
struct Reduced<'a> {
    items: BTreeMap<&'a str, Item<'a>>,
    dropped: BTreeMap<String, usize>,
}

fn reduced<'a>(
    records: impl IntoIterator<Item = &'a ItemRecord>,
    metric: &str,
    reducer: Reducer,
    better: Better,
) -> Reduced<'a> {
    // Scored repeats by item, each with its number, so that their order in the log does not matter.
    let mut draws: BTreeMap<&'a str, Repeats<'a>> = BTreeMap::new();
    for record in records {
        if let Some(value) = record.scores.get(metric).and_then(Score::value) {
            let draw = Draw { value, answer: record.answers.get(metric).map(String::as_str) };
            let cluster = record.cluster.as_deref().unwrap_or(&record.id);
            draws.entry(&record.id).or_insert_with(|| (cluster, Vec::new())).1.push((record.repeat, draw));
        }
    }
    let mut out = Reduced { items: BTreeMap::new(), dropped: BTreeMap::new() };
    // Items that happen to score 0 or 1 under a metric that knows more are no fair choice of items, so all are left out.
    // A majority without answers to vote on asks for right or wrong as well.
    let voteless = || draws.values().all(|(_, repeats)| repeats.iter().all(|(_, draw)| draw.answer.is_none()));
    let binary = match reducer {
        Reducer::Pass(_) | Reducer::All(_) => true,
        Reducer::Majority => voteless(),
        Reducer::Mean | Reducer::Worst(_) => false,
    };
    let scores = draws.values().flat_map(|(_, repeats)| repeats.iter().map(|(_, draw)| draw.value));
    if binary && scores.clone().any(|value| value != 0.0 && value != 1.0) {
        out.dropped.insert("a score that is neither 0 nor 1".to_owned(), scores.count());
        return out;
    }
    for (id, (cluster, mut repeats)) in draws {
        repeats.sort_by_key(|(repeat, _)| *repeat);
        let repeats: Vec<Draw> = repeats.into_iter().map(|(_, draw)| draw).collect();
        match reduce(&repeats, reducer, better) {
            Ok(value) => {
                out.items.insert(id, Item { value, cluster });
            }
            Err(why) => *out.dropped.entry(why).or_default() += repeats.len(),
        }
    }
    out
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
        let [m] = &measure("s", &[Reducer::Mean], &records, &[metric("m", Some((0.0, 1.0)))])[..] else { panic!() };
        assert_eq!((m.n, m.value, m.samples), (2, 0.75, 7));
        assert_eq!((m.unscored, m.errors, m.not_applicable), (1, 2, 1));
        assert!(!m.binary);
        assert_eq!(m.unscored_share(), 0.5);
        // Values 0.5 and 1: sd √0.125, se 0.25, t with one degree of freedom 12.706; a score from 0 to 1 stays there.
        assert_eq!((m.low, m.high), (0.0, 1.0));
        let [m] = &measure("s", &[Reducer::Mean], &records, &[metric("m", None)])[..] else { panic!() };
        assert!((m.high - (0.75 + 12.706204736 * 0.25)).abs() < 1e-6, "{}", m.high);
    }

    #[test]
    fn a_binary_metric_has_wilsons_interval() {
        let mut records: Vec<ItemRecord> =
            (0..10).map(|i| record("s", &i.to_string(), 0, &[("m", Score::flag(i < 7))])).collect();
        records[0].finish = crate::LENGTH.to_owned();
        records[1].tags = vec!["m:no_box".to_owned(), "other:no_match".to_owned(), "no_close_tag".to_owned()];
        let [m] = &measure("s", &[Reducer::Mean], &records, &[metric("m", Some((0.0, 1.0)))])[..] else { panic!() };
        assert!(m.binary);
        assert_eq!((m.n, m.value, m.truncated), (10, 0.7, 0.1));
        assert!((m.low - 0.396778).abs() < 1e-6 && (m.high - 0.892209).abs() < 1e-6, "{} {}", m.low, m.high);
        assert_eq!(m.tags, [("no_box".to_owned(), 1)].into_iter().collect());
    }

    #[test]
    fn nothing_scored_is_null_in_json() {
        let records = [record("s", "a", 0, &[("m", Score::NotApplicable)])];
        let [m] = &measure("s", &[Reducer::Mean], &records, &[metric("m", None)])[..] else { panic!() };
        let json = serde_json::to_string(m).unwrap();
        assert!(json.contains("\"value\":null"), "{json}");
        let back: Measurement = serde_json::from_str(&json).unwrap();
        assert!(back.value.is_nan() && back.n == 0);
        assert_eq!(m.unscored_share(), 0.0);
    }

    #[test]
    fn reducers_and_slices_have_measurements_of_their_own() {
        let sample = |id: &str, repeat, value: f64, language: &str| {
            let mut record = record("s", id, repeat, &[("m", Score::Value(value))]);
            record.slices.insert("language".to_owned(), language.to_owned());
            record.answers.insert("m".to_owned(), value.to_string());
            record
        };
        let records = [
            sample("a", 0, 1.0, "en"),
            sample("a", 1, 0.0, "en"),
            sample("a", 2, 0.0, "en"),
            sample("b", 0, 1.0, "zh"),
            sample("b", 1, 1.0, "zh"),
            sample("b", 2, 0.0, "zh"),
        ];
        let reducers = [Reducer::Mean, Reducer::Majority, Reducer::Pass(2), Reducer::All(2), Reducer::Worst(2)];
        let all = measure("s", &reducers, &records, &[metric("m", Some((0.0, 1.0)))]);
        assert_eq!(all.len(), 15);
        let value = |reducer, slice: Option<&str>| {
            let slice = slice.map(|value| ("language".to_owned(), value.to_owned()));
            let found = all.iter().find(|m| m.reducer == reducer && m.slice == slice).unwrap();
            (found.value * 1e6).round() / 1e6
        };
        assert_eq!((value(Reducer::Mean, None), value(Reducer::Majority, None)), (0.5, 0.5));
        assert_eq!((value(Reducer::Mean, Some("en")), value(Reducer::Majority, Some("en"))), (0.333333, 0.0));
        // pass@2: 1 − C(2,2)/C(3,2) and 1; pass^2: 0 and 1/3.
        assert_eq!((value(Reducer::Pass(2), None), value(Reducer::Pass(2), Some("zh"))), (0.833333, 1.0));
        assert_eq!((value(Reducer::All(2), None), value(Reducer::Worst(2), None)), (0.166667, 0.166667));
        assert_eq!((&all[0].slice, all[0].reducer, all[0].samples), (&None, Reducer::Mean, 6));
        let zh = all.iter().find(|m| m.slice.as_ref().is_some_and(|(_, value)| value == "zh")).unwrap();
        assert_eq!((zh.n, zh.samples), (1, 3));
    }

    #[test]
    fn a_share_has_no_majority_and_no_slices_of_one() {
        let sample = |id: &str, repeat, value: f64| {
            let mut record = record("s", id, repeat, &[("m", Score::Value(value))]);
            record.slices.insert("kind".to_owned(), id.to_owned());
            record
        };
        let records = [sample("a", 0, 0.9), sample("a", 1, 1.0), sample("b", 0, 1.0), sample("b", 1, 1.0)];
        let reducers = [Reducer::Mean, Reducer::Majority, Reducer::Pass(2)];
        let all = measure("s", &reducers, &records, &[metric("m", Some((0.0, 1.0)))]);
        let none: Vec<&Measurement> = all.iter().filter(|m| m.reducer != Reducer::Mean).collect();
        assert_eq!((all.len(), none.len()), (5, 2));
        assert!(none.iter().all(|m| m.n == 0 && m.slice.is_none()));
        assert_eq!(none[0].tags["majority: a score that is neither 0 nor 1"], 4);
        // The rest is right or wrong, and has all of them.
        let all = measure("s", &reducers, &records[2..], &[metric("m", Some((0.0, 1.0)))]);
        assert!(all.len() == 6 && all.iter().all(|m| m.value == 1.0));
    }

    #[test]
    fn what_a_reducer_cannot_use_is_counted_and_said() {
        let records = [
            record("s", "a", 0, &[("m", Score::Value(1.0))]),
            record("s", "a", 1, &[("m", Score::Unscored("x".into()))]),
            record("s", "b", 0, &[("m", Score::Value(0.5))]),
            record("s", "b", 1, &[("m", Score::Value(1.0))]),
            record("s", "c", 0, &[("m", Score::Value(1.0))]),
            record("s", "c", 1, &[("m", Score::Value(0.0))]),
        ];
        let [m] = &measure("s", &[Reducer::Pass(2)], &records, &[metric("m", None)])[..] else { panic!() };
        assert!(m.n == 0 && m.value.is_nan() && m.unscored == 6);
        assert_eq!(m.tags["pass@2: a score that is neither 0 nor 1"], 5);
        let binary: Vec<ItemRecord> = records.iter().filter(|record| record.id != "b").cloned().collect();
        let [m] = &measure("s", &[Reducer::Pass(2)], &binary, &[metric("m", None)])[..] else { panic!() };
        assert_eq!((m.n, m.value, m.unscored), (1, 1.0, 2));
        assert_eq!(m.tags["pass@2: fewer than 2 scored repeats"], 1);
        let neither = Metric { better: Better::Neither, ..metric("m", None) };
        let [m] = &measure("s", &[Reducer::Worst(1)], &records, &[neither])[..] else { panic!() };
        assert!(m.n == 0 && m.value.is_nan() && m.unscored == 6);
        assert!(item_values(&records, "m", Reducer::Worst(1), Better::Lower).len() == 3);
    }

    #[test]
    fn items_of_a_cluster_widen_the_interval() {
        let cluster = |i: usize, value: f64| {
            let mut record = record("s", &format!("{i:03}"), 0, &[("m", Score::Value(value))]);
            record.cluster = Some(format!("c{}", i / 10));
            record
        };
        let spread: Vec<ItemRecord> = (0..100).map(|i| cluster(i, f64::from(u8::from(i < 60)))).collect();
        let one = |records: &[ItemRecord]| {
            measure("s", &[Reducer::Mean], records, &[metric("m", Some((0.0, 1.0)))]).remove(0)
        };
        let m = one(&spread);
        let alone: Vec<ItemRecord> = spread.iter().cloned().map(|r| ItemRecord { cluster: None, ..r }).collect();
        let plain = one(&alone);
        assert_eq!((m.clusters, plain.clusters, m.value, plain.value), (Some(10), None, 0.6, 0.6));
        // se = √(10/9 · (6·4² + 4·6²)) / 100 = 0.163299, t with 9 degrees of freedom 2.262157.
        assert!((m.high - m.low) / 2.0 - 0.163299 * 2.262157 < 1e-5 && m.high - m.low > 2.0 * (plain.high - plain.low));
        // No variation is no certainty: ten clusters, not a hundred items.
        let same: Vec<ItemRecord> = (0..100).map(|i| cluster(i, 1.0)).collect();
        let m = one(&same);
        assert!((m.low - 0.025f64.powf(0.1)).abs() < 1e-9 && m.high == 1.0, "{}", m.low);
        let single: Vec<ItemRecord> = (0..5).map(|i| cluster(i, f64::from(u8::from(i < 2)))).collect();
        assert!(one(&single).low.is_nan());
    }
}
