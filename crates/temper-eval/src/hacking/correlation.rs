//! What a metric goes along with: length, format, other metrics.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{item_means, value};
use crate::ItemRecord;
use crate::measure::CONFIDENCE;
use crate::stats::normal_quantile;

/// Correlation of a metric with something else, over the items of a suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// The metric.
    pub metric: String,
    /// `tokens` (length of the completion), `closed` (it has a closing `</think>`), or another metric.
    pub with: String,
    /// Items with both values.
    pub n: usize,
    /// Pearson's r; not a number when one side does not vary.
    #[serde(with = "crate::nullable")]
    pub pearson: f64,
    /// Its 95 % interval, by Fisher's transformation.
    pub pearson_interval: Option<(f64, f64)>,
    /// Spearman's ρ, ties with their middle rank.
    #[serde(with = "crate::nullable")]
    pub spearman: f64,
    /// Its 95 % interval, with Bonett and Wright's standard error (Psychometrika 65, 2000).
    pub spearman_interval: Option<(f64, f64)>,
}

/// Correlations of `metric` with length, closed thinking and every other metric of the records, which are of one suite. What
/// does not vary has no correlation and is told with `NaN`.
pub fn correlations(records: &[&ItemRecord], metric: &str) -> Vec<Correlation> {
    let others: BTreeSet<&str> =
        records.iter().flat_map(|record| record.scores.keys()).map(String::as_str).filter(|m| *m != metric).collect();
    let mut found = vec![
        one(records, metric, "tokens", |record| Some(record.tokens as f64)),
        one(records, metric, "closed", |record| {
            Some(f64::from(u8::from(!record.tags.iter().any(|tag| tag == "no_close_tag"))))
        }),
    ];
    found.extend(others.into_iter().map(|other| one(records, metric, other, |record| value(record, other))));
    found
}

fn one(records: &[&ItemRecord], metric: &str, with: &str, of: impl Fn(&ItemRecord) -> Option<f64>) -> Correlation {
    // Only samples that have both, so that both means are over the same repeats.
    let both: Vec<&ItemRecord> =
        records.iter().copied().filter(|record| value(record, metric).is_some() && of(record).is_some()).collect();
    let x: Vec<f64> = item_means(&both, |record| value(record, metric)).into_values().collect();
    let y: Vec<f64> = item_means(&both, of).into_values().collect();
    let (r, rho, n) = (pearson(&x, &y), spearman(&x, &y), x.len());
    Correlation {
        metric: metric.to_owned(),
        with: with.to_owned(),
        n,
        pearson: r,
        pearson_interval: fisher(r, n, 1.0),
        spearman: rho,
        spearman_interval: fisher(rho, n, 1.0 + rho * rho / 2.0),
    }
}

/// tanh(atanh r ± z·√(variance / (n − 3))).
fn fisher(r: f64, n: usize, variance: f64) -> Option<(f64, f64)> {
    if n < 4 || !r.is_finite() {
        return None;
    }
    let centre = r.clamp(-1.0, 1.0).atanh();
    let half = normal_quantile(CONFIDENCE) * (variance / (n as f64 - 3.0)).sqrt();
    Some(((centre - half).tanh(), (centre + half).tanh()))
}

/// Pearson's r of paired values; not a number when a side does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len()) as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    // Sums of rounding errors are no variation.
    let varies = |sum: f64, mean: f64| sum > n * (1e-12 * mean.abs().max(1e-300)).powi(2);
    if varies(xx, mean_x) && varies(yy, mean_y) { (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0) } else { f64::NAN }
}

/// Spearman's ρ: Pearson's r of the ranks, ties with their middle rank.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&ranks(x), &ranks(y))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let middle = from as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|at| ranks[*at] = middle);
        from += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use temper_score::Score;

    #[test]
    fn correlations_by_hand() {
        // scipy.stats: pearsonr 0.7745966692, spearmanr 0.7378647874 (ties).
        let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 5.0, 4.0, 5.0]);
        assert!((pearson(&x, &y) - 0.7745966692414834).abs() < 1e-12);
        assert!((spearman(&x, &y) - 0.7378647873726218).abs() < 1e-12);
        assert_eq!(ranks(&[3.0, 1.0, 3.0]), [2.5, 1.0, 2.5]);
        assert!(pearson(&x, &[0.1; 5]).is_nan() && pearson(&[], &[]).is_nan());
        // atanh 0.5 ± 1.959964 / √97.
        let (low, high) = fisher(0.5, 100, 1.0).unwrap();
        assert!((low - 0.3366433).abs() < 1e-6 && (high - 0.6341398).abs() < 1e-6, "{low} {high}");
        assert_eq!(fisher(0.5, 3, 1.0), None);
    }

    #[test]
    fn items_count_once_and_only_with_both_values() {
        let mut records = Vec::new();
        for (item, (value, tokens)) in [(1.0, 10), (2.0, 20), (3.0, 30), (9.0, 5)].into_iter().enumerate() {
            for repeat in 0..2 {
                let score = if item == 3 { Score::Unscored("x".into()) } else { Score::Value(value + repeat as f64) };
                let mut record = record("s", &item.to_string(), repeat, &[("m", score), ("k", Score::NotApplicable)]);
                record.tokens = tokens;
                records.push(record);
            }
        }
        let records: Vec<&ItemRecord> = records.iter().collect();
        let found = correlations(&records, "m");
        let names: Vec<(&str, usize)> = found.iter().map(|c| (c.with.as_str(), c.n)).collect();
        assert_eq!(names, [("tokens", 3), ("closed", 3), ("k", 0)]);
        assert!((found[0].pearson - 1.0).abs() < 1e-12 && found[1].pearson.is_nan() && found[2].pearson.is_nan());
    }
}
