//! The value of an item under a reducer.

use std::collections::BTreeMap;

use temper_recipe::Reducer;
use temper_score::{Better, Score};

use crate::ItemRecord;
use crate::measure::item_values;

/// The value of every item that has one, by identity: its scored repeats reduced. An item with fewer scored repeats than the
/// reducer needs has none.
pub(crate) fn reduced_values(
    records: &[&ItemRecord],
    metric: &str,
    reducer: Reducer,
    better: Better,
) -> BTreeMap<String, f64> {
    if reducer == Reducer::Mean {
        return item_values(records.iter().copied(), metric);
    }
    let mut items: BTreeMap<&str, Vec<(f64, Option<&String>)>> = BTreeMap::new();
    for record in records {
        if let Some(value) = record.scores.get(metric).and_then(Score::value) {
            items.entry(&record.id).or_default().push((value, record.answers.get(metric)));
        }
    }
    let reduce = |repeats: Vec<(f64, Option<&String>)>| -> Option<f64> {
        let n = repeats.len();
        let right = repeats.iter().filter(|(value, _)| *value > 0.5).count();
        match reducer {
            Reducer::Mean => None,
            Reducer::Pass(k) => (k <= n).then(|| 1.0 - chosen(n - right, n, k)),
            Reducer::All(k) => (k <= n).then(|| chosen(right, n, k)),
            Reducer::Worst(k) => (k <= n).then(|| worst(repeats.iter().map(|(value, _)| *value), k, better)),
            Reducer::Majority => Some(majority(&repeats)),
        }
    };
    items.into_iter().filter_map(|(id, repeats)| Some((id.to_owned(), reduce(repeats)?))).collect()
}

/// C(c, k) / C(n, k): the chance that k of n repeats, drawn without replacement, are all among c of them.
fn chosen(c: usize, n: usize, k: usize) -> f64 {
    (0..k).map(|i| c.saturating_sub(i) as f64 / (n - i) as f64).product()
}

/// Expected worst of k values drawn without replacement: the i-th best of n is the worst of C(i − 1, k − 1) of C(n, k) draws.
fn worst(values: impl Iterator<Item = f64>, k: usize, better: Better) -> f64 {
    let mut values: Vec<f64> = values.collect();
    // Best first; without a good direction larger counts as better.
    values.sort_by(|a, b| if better == Better::Lower { a.total_cmp(b) } else { b.total_cmp(a) });
    let n = values.len();
    // All k among the first i, less all k among the first i − 1.
    values.iter().enumerate().map(|(i, value)| value * (chosen(i + 1, n, k) - chosen(i, n, k))).sum()
}

/// The mean score of the answer that most repeats give, the first such one; without answers whether most score above one half.
fn majority(repeats: &[(f64, Option<&String>)]) -> f64 {
    let mut votes: Vec<(&String, usize, f64)> = Vec::new();
    for (value, answer) in repeats.iter().filter_map(|(value, answer)| Some((*value, (*answer)?))) {
        match votes.iter_mut().find(|(given, _, _)| *given == answer) {
            Some((_, count, sum)) => {
                *count += 1;
                *sum += value;
            }
            None => votes.push((answer, 1, value)),
        }
    }
    let most = votes.iter().map(|(_, count, _)| *count).max();
    match votes.iter().find(|(_, count, _)| Some(*count) == most) {
        Some((_, count, sum)) => sum / *count as f64,
        None => {
            let right = repeats.iter().filter(|(value, _)| *value > 0.5).count();
            f64::from(u8::from(2 * right > repeats.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn by_hand() {
        // 3 right of 10.
        let records: Vec<ItemRecord> = (0..10).map(|i| record("s", "a", i, &[("m", Score::flag(i < 3))])).collect();
        let records: Vec<&ItemRecord> = records.iter().collect();
        let value = |reducer, better| reduced_values(&records, "m", reducer, better).get("a").copied();
        let close = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-6, "{found:?}");
        close(value(Reducer::Pass(5), Better::Higher), 0.916667);
        close(value(Reducer::All(2), Better::Higher), 3.0 / 45.0);
        close(value(Reducer::Worst(2), Better::Higher), 3.0 / 45.0);
        close(value(Reducer::Worst(5), Better::Lower), 0.916667);
        close(value(Reducer::Mean, Better::Higher), 0.3);
        close(value(Reducer::Majority, Better::Higher), 0.0);
        assert_eq!(value(Reducer::Pass(11), Better::Higher), None);
    }

    #[test]
    fn the_answer_of_most() {
        let mut records: Vec<ItemRecord> = (0..3).map(|i| record("s", "a", i, &[("m", Score::flag(i != 0))])).collect();
        for (record, answer) in records.iter_mut().zip(["5", "7", "7"]) {
            record.answers.insert("m".to_owned(), answer.to_owned());
        }
        let records: Vec<&ItemRecord> = records.iter().collect();
        assert_eq!(reduced_values(&records, "m", Reducer::Majority, Better::Higher)["a"], 1.0);
    }
}
