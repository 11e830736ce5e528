//! Paired comparison of two item logs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ItemRecord;
use crate::measure::{CONFIDENCE, usual_range};
use crate::pairs::{count_clusters, join};
use crate::sampled::Sampled;
use crate::stats::{clustered_t_test, holm, mcnemar_exact, paired_t_test};

/// One metric of one suite on two checkpoints, over the items that both have scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Key of the suite.
    pub suite: String,
    /// Name of the metric.
    pub metric: String,
    /// Items that both logs have scored.
    pub n: usize,
    /// Mean of the first log over these items.
    #[serde(with = "crate::nullable")]
    pub a: f64,
    /// Mean of the second log over these items.
    #[serde(with = "crate::nullable")]
    pub b: f64,
    /// b − a.
    #[serde(with = "crate::nullable")]
    pub difference: f64,
    /// Standard error of the difference, cluster-robust where the items come in clusters.
    #[serde(with = "crate::nullable", default = "crate::nullable::missing")]
    pub se: f64,
    /// Clusters that the items form; `None` where every item stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// Lower end of the difference's 95 % interval.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end of the difference's 95 % interval.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// p of no difference: McNemar's exact test where every item is 0 or 1, else the paired t test; the cluster-robust t test
    /// where the items come in clusters.
    #[serde(with = "crate::nullable")]
    pub p: f64,
    /// p after Holm's correction over all metrics that were compared together; not a number where nothing was corrected.
    #[serde(with = "crate::nullable", default = "crate::nullable::missing")]
    pub p_adjusted: f64,
    /// Whether every item is 0 or 1 in both logs.
    pub binary: bool,
    /// Items that are higher in the second log.
    pub up: usize,
    /// Items that are lower in the second log.
    pub down: usize,
    /// Samples of either log without a partner (same item, repeat and prompt) in the other.
    pub unmatched: usize,
    /// Matched samples that one of the logs left unscored or failed on.
    pub unscored: usize,
    /// Matched samples that the metric does not apply to in one of the logs.
    pub not_applicable: usize,
}

/// Compares two logs, suite by suite and metric by metric, in alphabetical order: every suite and metric that both have.
pub fn compare(a: &[ItemRecord], b: &[ItemRecord]) -> Vec<PairedComparison> {
    let (a, b) = (by_suite(a), by_suite(b));
    let mut comparisons = Vec::new();
    for (suite, left) in &a {
        let Some(right) = b.get(suite) else { continue };
        for metric in metrics(left).intersection(&metrics(right)) {
            comparisons.push(compare_one(suite, metric, left, right));
        }
    }
    comparisons
}

/// Sets `p_adjusted` of the comparisons that `counts` accepts, by Holm's procedure over all of these.
pub fn adjust(comparisons: &mut [PairedComparison], counts: impl Fn(&PairedComparison) -> bool) {
    let p: Vec<f64> = comparisons.iter().map(|one| if counts(one) { one.p } else { f64::NAN }).collect();
    for (one, adjusted) in comparisons.iter_mut().zip(holm(&p)) {
        one.p_adjusted = adjusted;
    }
}

fn by_suite(records: &[ItemRecord]) -> BTreeMap<&str, Vec<&ItemRecord>> {
    let mut suites: BTreeMap<&str, Vec<&ItemRecord>> = BTreeMap::new();
    for record in records {
        suites.entry(&record.suite).or_default().push(record);
    }
    suites
}

fn metrics(records: &[&ItemRecord]) -> BTreeSet<String> {
    records.iter().flat_map(|record| record.scores.keys().cloned()).collect()
}

fn compare_one(suite: &str, metric: &str, a: &[&ItemRecord], b: &[&ItemRecord]) -> PairedComparison {
    let pairs = join(a, b, metric);
    let range = usual_range(pairs.values.iter().flat_map(|(x, y)| [*x, *y]));
    let n = pairs.values.len();
    let mean = |pick: fn(&(f64, f64)) -> f64| pairs.values.iter().map(pick).sum::<f64>() / n as f64;
    let up = pairs.values.iter().filter(|(x, y)| y > x).count();
    let down = pairs.values.iter().filter(|(x, y)| y < x).count();
    let binary = n > 0
        && range == Some((0.0, 1.0))
        && pairs.values.iter().all(|(x, y)| [x, y].iter().all(|v| **v == 0.0 || **v == 1.0));
    let sampled = Sampled::of_paired_clusters(&pairs.values, pairs.clusters.as_deref(), range);
    let (difference, se, (low, high), p) = match sampled {
        None => (f64::NAN, f64::NAN, (f64::NAN, f64::NAN), f64::NAN),
        Some(sampled) => {
            let differences: Vec<f64> = pairs.values.iter().map(|(x, y)| y - x).collect();
            let p = match (&pairs.clusters, binary) {
                (Some(labels), _) => clustered_t_test(&differences, labels),
                (None, true) => mcnemar_exact(up, down),
                (None, false) => paired_t_test(&differences),
            };
            let se = if n > 1 { sampled.spread() / (n as f64).sqrt() } else { f64::NAN };
            (sampled.value(), se, sampled.interval(n, CONFIDENCE), p)
        }
    };
    PairedComparison {
        suite: suite.to_owned(),
        metric: metric.to_owned(),
        n,
        a: mean(|pair| pair.0),
        b: mean(|pair| pair.1),
        difference,
        se,
        clusters: count_clusters(pairs.clusters.as_ref()),
        low,
        high,
        p,
        p_adjusted: f64::NAN,
        binary,
        up,
        down,
        unmatched: pairs.unmatched,
        unscored: pairs.unscored,
        not_applicable: pairs.not_applicable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use temper_score::Score;

    fn log(values: &[(&str, f64)]) -> Vec<ItemRecord> {
        values.iter().map(|(id, value)| record("s", id, 0, &[("m", Score::Value(*value))])).collect()
    }

    #[test]
    fn binary_items_by_hand() {
        let a = log(&[("1", 0.0), ("2", 0.0), ("3", 1.0), ("4", 1.0), ("only a", 1.0)]);
        let mut b = log(&[("4", 1.0), ("3", 0.0), ("2", 1.0), ("1", 1.0), ("5", 0.0), ("6", 0.0)]);
        let [c] = &compare(&a, &b)[..] else { panic!() };
        assert_eq!((c.n, c.a, c.b, c.difference), (4, 0.5, 0.75, 0.25));
        assert_eq!((c.up, c.down, c.unmatched, c.binary), (2, 1, 3, true));
        assert_eq!(c.p, 1.0); // 2 · P(X ≤ 1) of 3 = 1
        // (2.5 − 1.5) / 6 ± z √((4 − 1/6) / 36)
        let half = 1.959963985 * ((4.0 - 1.0 / 6.0) / 36.0f64).sqrt();
        assert!((c.low - (1.0 / 6.0 - half)).abs() < 1e-8 && (c.high - (1.0 / 6.0 + half)).abs() < 1e-8);
        b[0].prompt = "another question".to_owned();
        let [c] = &compare(&a, &b)[..] else { panic!() };
        assert_eq!((c.n, c.unmatched), (3, 5));
    }

    #[test]
    fn repeats_and_unscored_samples() {
        let value = |id: &str, repeat, score| record("s", id, repeat, &[("m", score)]);
        let a = [
            value("1", 0, Score::Value(1.0)),
            value("1", 1, Score::Value(0.0)),
            value("2", 0, Score::Value(3.0)),
            value("3", 0, Score::NotApplicable),
            value("4", 0, Score::Unscored("x".into())),
        ];
        let b = [
            value("1", 0, Score::Value(3.0)),
            value("1", 1, Score::Value(2.0)),
            value("2", 0, Score::Value(6.0)),
            value("3", 0, Score::Value(1.0)),
            value("4", 0, Score::Value(1.0)),
        ];
        let [c] = &compare(&a, &b)[..] else { panic!() };
        // Items: 0.5 → 2.5 and 3 → 6.
        assert_eq!((c.n, c.difference, c.binary), (2, 2.5, false));
        assert_eq!((c.unscored, c.not_applicable, c.unmatched), (1, 1, 0));
        // Differences 2 and 3: sd √0.5, se 0.5, t = 5 with one degree of freedom, p = 2 · (1/2 − atan(5)/π) = 0.125666.
        assert!((c.p - 0.125666).abs() < 1e-6, "{}", c.p);
    }

    #[test]
    fn nothing_in_common() {
        assert!(compare(&log(&[("1", 0.0)]), &[]).is_empty());
        let other = log(&[("2", 0.0)]);
        let [c] = &compare(&log(&[("1", 0.0)]), &other)[..] else { panic!() };
        assert!(c.n == 0 && c.difference.is_nan() && c.unmatched == 2);
    }
}
