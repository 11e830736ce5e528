//! Signs that a reward is hacked: what it correlates with, and how a proxy and a gold score move apart.
//!
//! Everything here reads item logs. The unit is the item: the repeats of an item are averaged first, except for best-of-n,
//! which is about the repeats.

mod best_of_n;
mod correlation;
mod gap;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use temper_score::Score;

pub use best_of_n::{BestOfN, Fit, best_of_n, best_of_n_curve, best_of_n_kl, fit_bon, fit_rl};
pub use correlation::{Correlation, correlations, pearson, spearman};
pub use gap::{Gap, Hackability, LengthGain, gap, hackability, length_gain};

use crate::ItemRecord;

/// All that the logs of one or more checkpoints say of one suite, for a proxy (the score that was trained on, or is like it)
/// and a gold score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hacking {
    /// Key of the suite.
    pub suite: String,
    /// The metric that may be hacked.
    pub proxy: String,
    /// The metric that tells the truth.
    pub gold: String,
    /// Of each checkpoint, what the proxy correlates with.
    pub correlations: Vec<Vec<Correlation>>,
    /// Of each checkpoint, best-of-n by the proxy, where items have repeats.
    pub best_of_n: Vec<Vec<BestOfN>>,
    /// Of each checkpoint's best-of-n, the fitted curve of over-optimisation of the gold score.
    pub fits: Vec<Option<Fit>>,
    /// Of each checkpoint after the first, proxy and gold against the first.
    pub gaps: Vec<Option<Gap>>,
    /// Of each checkpoint after the first, how much of the proxy's gain is there at equal length.
    pub length_gains: Vec<Option<LengthGain>>,
    /// Over all checkpoints, pairs with the proxy up and the gold score down.
    pub hackability: Hackability,
}

/// Looks at the suites that all logs share and that have both metrics.
pub fn hacking(logs: &[Vec<ItemRecord>], proxy: &str, gold: &str) -> Vec<Hacking> {
    let suites = |records: &[ItemRecord]| -> BTreeSet<String> {
        let has = |metric: &str, suite: &str| {
            records.iter().any(|record| record.suite == suite && record.scores.contains_key(metric))
        };
        let all: BTreeSet<String> = records.iter().map(|record| record.suite.clone()).collect();
        all.into_iter().filter(|suite| has(proxy, suite) && has(gold, suite)).collect()
    };
    let shared = logs.iter().map(|log| suites(log)).reduce(|a, b| a.intersection(&b).cloned().collect());
    shared.unwrap_or_default().into_iter().map(|suite| one(logs, &suite, proxy, gold)).collect()
}

fn one(logs: &[Vec<ItemRecord>], suite: &str, proxy: &str, gold: &str) -> Hacking {
    let logs: Vec<Vec<&ItemRecord>> =
        logs.iter().map(|log| log.iter().filter(|record| record.suite == suite).collect()).collect();
    let best_of_n: Vec<Vec<BestOfN>> = logs.iter().map(|log| best_of_n_curve(log, proxy, gold)).collect();
    let later = || logs.iter().skip(1);
    let means: Vec<(f64, f64)> = logs.iter().map(|log| (mean(log, proxy), mean(log, gold))).collect();
    Hacking {
        suite: suite.to_owned(),
        proxy: proxy.to_owned(),
        gold: gold.to_owned(),
        correlations: logs.iter().map(|log| correlations(log, proxy)).collect(),
        fits: best_of_n.iter().map(|curve| fit_curve(curve)).collect(),
        best_of_n,
        gaps: later().map(|log| gap(&logs[0], log, proxy, gold)).collect(),
        length_gains: later().map(|log| length_gain(&logs[0], log, proxy, gap::BUCKET)).collect(),
        hackability: hackability(&means),
    }
}

/// The gold score's gain over n = 1 as a function of √KL.
fn fit_curve(curve: &[BestOfN]) -> Option<Fit> {
    let start = curve.first()?.gold;
    let points: Vec<(f64, f64)> = curve.iter().map(|point| (point.kl.sqrt(), point.gold - start)).collect();
    // Two parameters need more than two points beside the origin.
    if points.len() < 4 { None } else { fit_bon(&points) }
}

fn mean(records: &[&ItemRecord], metric: &str) -> f64 {
    let items = item_means(records, |record| value(record, metric));
    items.values().sum::<f64>() / items.len() as f64
}

fn value(record: &ItemRecord, metric: &str) -> Option<f64> {
    record.scores.get(metric).and_then(Score::value)
}

/// Mean over the repeats of each item that have a value.
fn item_means(records: &[&ItemRecord], of: impl Fn(&ItemRecord) -> Option<f64>) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for record in records {
        if let Some(value) = of(record) {
            let (sum, count) = sums.entry(&record.id).or_default();
            *sum += value;
            *count += 1;
        }
    }
    sums.into_iter().map(|(id, (sum, count))| (id.to_owned(), sum / count as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    #[test]
    fn a_hack_is_seen() {
        let log = |shift: f64| -> Vec<ItemRecord> {
            (0..40)
                .flat_map(|item| {
                    (0..4).map(move |repeat| {
                        let length = 10 + (item * 7 + repeat * 5) % 30;
                        let proxy = length as f64 / 10.0 + shift;
                        let gold = 1.0 - 0.5 * shift + (item % 3) as f64;
                        let scores = [("proxy", Score::Value(proxy)), ("gold", Score::Value(gold))];
                        let mut record = record("s", &item.to_string(), repeat, &scores);
                        record.tokens = length;
                        record
                    })
                })
                .collect()
        };
        let logs = [log(0.0), log(1.0)];
        let found = hacking(&logs, "proxy", "gold");
        assert_eq!(found.len(), 1);
        let found = &found[0];
        let length = found.correlations[0].iter().find(|c| c.with == "tokens").unwrap();
        assert!((length.pearson - 1.0).abs() < 1e-9 && length.spearman > 0.99);
        let gap = found.gaps[0].as_ref().unwrap();
        assert!(gap.proxy_change > 0.0 && gap.gold_change < 0.0 && gap.low > 0.0, "{gap:?}");
        assert_eq!((found.hackability.pairs, found.hackability.hacked), (1, 1));
        assert!((found.hackability.largest_drop - 0.5).abs() < 1e-9);
        let gain = found.length_gains[0].as_ref().unwrap();
        assert!((gain.ratio - 1.0).abs() < 1e-9, "the same lengths: all of the gain remains");
        assert_eq!(found.best_of_n[0].iter().map(|point| point.n).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(hacking(&logs, "proxy", "none").is_empty());
        assert!(hacking(&[], "proxy", "gold").is_empty());
    }
}
