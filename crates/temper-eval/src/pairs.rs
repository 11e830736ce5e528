//! Joining two item logs.

use std::collections::BTreeMap;

use temper_score::Score;

use crate::ItemRecord;

/// Two logs of one suite joined on item and repeat, for one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pairs {
    /// Per item, the means over the repeats that both logs have scored: (a, b), in the order of the identities.
    pub(crate) values: Vec<(f64, f64)>,
    /// Samples of either log without a partner in the other, or whose partner had another prompt.
    pub(crate) unmatched: usize,
    /// Matched samples that one of the logs left unscored or failed on.
    pub(crate) unscored: usize,
    /// Matched samples that the metric does not apply to in at least one of the logs.
    pub(crate) not_applicable: usize,
    /// Matched samples.
    pub(crate) matched: usize,
}

pub(crate) fn join(a: &[&ItemRecord], b: &[&ItemRecord], metric: &str) -> Pairs {
    let index = |records: &[&ItemRecord]| -> BTreeMap<(String, usize), usize> {
        records.iter().enumerate().map(|(at, record)| ((record.id.clone(), record.repeat), at)).collect()
    };
    let (in_a, in_b) = (index(a), index(b));
    let mut pairs = Pairs { values: Vec::new(), unmatched: 0, unscored: 0, not_applicable: 0, matched: 0 };
    let mut items: BTreeMap<&str, (f64, f64, usize)> = BTreeMap::new();
    for (key, at) in &in_a {
        let left = a[*at];
        let Some(right) = in_b.get(key).map(|at| b[*at]).filter(|right| right.prompt == left.prompt) else {
            pairs.unmatched += 1;
            continue;
        };
        pairs.matched += 1;
        let score = |record: &ItemRecord| record.scores.get(metric).cloned();
        match (score(left), score(right)) {
            (Some(Score::Value(x)), Some(Score::Value(y))) => {
                let (sum_a, sum_b, count) = items.entry(&left.id).or_insert((0.0, 0.0, 0));
                *sum_a += x;
                *sum_b += y;
                *count += 1;
            }
            (None | Some(Score::Unscored(_) | Score::Error(_)), _)
            | (_, None | Some(Score::Unscored(_) | Score::Error(_))) => pairs.unscored += 1,
            (Some(Score::NotApplicable), _) | (_, Some(Score::NotApplicable)) => pairs.not_applicable += 1,
        }
    }
    pairs.unmatched +=
        in_b.iter().filter(|(key, at)| in_a.get(*key).is_none_or(|left| a[*left].prompt != b[**at].prompt)).count();
    pairs.values = items.into_values().map(|(x, y, count)| (x / count as f64, y / count as f64)).collect();
    pairs
}
