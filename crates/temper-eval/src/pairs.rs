//! Joining two item logs.

use std::collections::{BTreeMap, BTreeSet};

use temper_recipe::Reducer;
use temper_score::{Better, Score};

use crate::ItemRecord;
use crate::measure::item_values;

/// Two logs of one suite joined on item and repeat, for one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pairs {
    /// Per item the values (a, b) over the repeats that both logs have scored, in the order of the identities.
    pub(crate) values: Vec<(f64, f64)>,
    /// The identity of each of `values`.
    pub(crate) ids: Vec<String>,
    /// The cluster of each of `values`; `None` where no item has one.
    pub(crate) clusters: Option<Vec<String>>,
    /// Samples of either log without a partner in the other, or whose partner had another prompt.
    pub(crate) unmatched: usize,
    /// Matched samples that one of the logs left unscored or failed on.
    pub(crate) unscored: usize,
    /// Matched samples that the metric does not apply to in at least one of the logs.
    pub(crate) not_applicable: usize,
    /// Matched samples.
    pub(crate) matched: usize,
}

/// Joins on the mean of an item's repeats.
pub(crate) fn join(a: &[&ItemRecord], b: &[&ItemRecord], metric: &str) -> Pairs {
    join_by(a, b, metric, Reducer::Mean, Better::Neither)
}

/// Joins on the reduced value of those repeats of an item that both logs have scored.
pub(crate) fn join_by(a: &[&ItemRecord], b: &[&ItemRecord], metric: &str, reducer: Reducer, better: Better) -> Pairs {
    let index = |records: &[&ItemRecord]| -> BTreeMap<(String, usize), usize> {
        records.iter().enumerate().map(|(at, record)| ((record.id.clone(), record.repeat), at)).collect()
    };
    let (in_a, in_b) = (index(a), index(b));
    let mut pairs = Pairs {
        values: Vec::new(),
        ids: Vec::new(),
        clusters: None,
        unmatched: 0,
        unscored: 0,
        not_applicable: 0,
        matched: 0,
    };
    let (mut left_scored, mut right_scored) = (Vec::new(), Vec::new());
    for (key, at) in &in_a {
        let left = a[*at];
        let Some(right) = in_b.get(key).map(|at| b[*at]).filter(|right| right.prompt == left.prompt) else {
            pairs.unmatched += 1;
            continue;
        };
        pairs.matched += 1;
        match (left.scores.get(metric), right.scores.get(metric)) {
            (Some(Score::Value(_)), Some(Score::Value(_))) => {
                left_scored.push(left);
                right_scored.push(right);
            }
            (None | Some(Score::Unscored(_) | Score::Error(_)), _)
            | (_, None | Some(Score::Unscored(_) | Score::Error(_))) => pairs.unscored += 1,
            (Some(Score::NotApplicable), _) | (_, Some(Score::NotApplicable)) => pairs.not_applicable += 1,
        }
    }
    pairs.unmatched +=
        in_b.iter().filter(|(key, at)| in_a.get(*key).is_none_or(|left| a[*left].prompt != b[**at].prompt)).count();
    let left = item_values(left_scored.iter().copied(), metric, reducer, better);
    let right = item_values(right_scored.iter().copied(), metric, reducer, better);
    let both: Vec<&String> = left.keys().filter(|id| right.contains_key(*id)).collect();
    pairs.values = both.iter().map(|id| (left[*id], right[*id])).collect();
    pairs.ids = both.iter().map(|id| (*id).clone()).collect();
    pairs.clusters = clusters(&right_scored, both.iter().map(|id| id.as_str()));
    pairs
}

/// The cluster of each item, in the order of `ids`; an item without one stands for itself. `None` where every item is alone.
pub(crate) fn clusters<'a>(records: &[&ItemRecord], ids: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let known: BTreeMap<&str, &str> =
        records.iter().filter_map(|record| Some((record.id.as_str(), record.cluster.as_deref()?))).collect();
    // The first letter keeps the name of a cluster and the identity of an item apart.
    let label = |id: &str| known.get(id).map_or_else(|| format!("i{id}"), |cluster| format!("c{cluster}"));
    let labels: Vec<String> = ids.map(label).collect();
    let together = labels.iter().collect::<BTreeSet<_>>().len() < labels.len();
    together.then_some(labels)
}

/// How many different clusters there are.
pub(crate) fn count_clusters(clusters: Option<&Vec<String>>) -> Option<usize> {
    clusters.map(|labels| labels.iter().collect::<BTreeSet<_>>().len())
}
