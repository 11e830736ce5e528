//! What is known of a mean from its items, in a form that also answers "and with more items?".

use crate::stats::{clopper_pearson, clustered, mean_sd, normal_quantile, paired_proportions, t_quantile, wilson};

/// The values of a metric over items, reduced to what its interval needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampled {
    /// Every item is 0 or 1; the share of ones. Wilson's interval, Clopper and Pearson's where the share is 0 or 1.
    Proportion {
        /// Share of ones.
        share: f64,
    },
    /// Pairs of 0 or 1; the shares of pairs that went up and down. Agresti and Min's interval of the difference.
    PairedProportions {
        /// Share of pairs 0 → 1.
        up: f64,
        /// Share of pairs 1 → 0.
        down: f64,
    },
    /// Anything else that varies. The t interval.
    Mean {
        /// The mean.
        value: f64,
        /// Standard deviation with n − 1 below.
        sd: f64,
    },
    /// All items have the same value. With known limits, the share of items that could still differ is at most
    /// 1 − (α/2)^(1/n), and the interval is what they could make of the mean; without limits the interval is the value (and
    /// undefined for a single item).
    Constant {
        /// The value.
        value: f64,
        /// The smallest and largest possible value.
        range: Option<(f64, f64)>,
    },
    /// Items that come in clusters. The t interval with the cluster-robust error and C − 1 degrees of freedom; undefined for one
    /// cluster. Where no cluster differs from the mean, the interval of [`Sampled::Constant`] with clusters in place of items.
    Clustered {
        /// The mean.
        value: f64,
        /// Cluster-robust standard error times √n; not a number for one cluster.
        spread: f64,
        /// Items per cluster.
        per_cluster: f64,
        /// The smallest and largest possible value.
        range: Option<(f64, f64)>,
    },
}

impl Sampled {
    /// From one value per item. `None` for no item.
    pub fn of(values: &[f64], range: Option<(f64, f64)>) -> Option<Self> {
        let (value, sd) = mean_sd(values)?;
        if range == Some((0.0, 1.0)) && values.iter().all(|x| *x == 0.0 || *x == 1.0) {
            return Some(Sampled::Proportion { share: value });
        }
        if values.iter().all(|x| *x == values[0]) {
            return Some(Sampled::Constant { value: values[0], range });
        }
        Some(Sampled::Mean { value, sd })
    }

    /// From pairs (a, b), for the mean of b − a; `range` is that of a and of b. `None` for no pair.
    pub fn of_pairs(pairs: &[(f64, f64)], range: Option<(f64, f64)>) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let n = pairs.len() as f64;
        if range == Some((0.0, 1.0)) && pairs.iter().all(|(a, b)| [a, b].iter().all(|x| **x == 0.0 || **x == 1.0)) {
            let count = |up: bool| pairs.iter().filter(|(a, b)| if up { b > a } else { b < a }).count() as f64;
            return Some(Sampled::PairedProportions { up: count(true) / n, down: count(false) / n });
        }
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
        let width = range.map(|(low, high)| (low - high, high - low));
        Sampled::of(&differences, width)
    }

    /// From one value per item and the label of each item's cluster; without labels as [`Sampled::of`]. `None` for no item.
    pub fn of_clusters<K: Ord>(values: &[f64], clusters: Option<&[K]>, range: Option<(f64, f64)>) -> Option<Self> {
        let Some(labels) = clusters else { return Sampled::of(values, range) };
        let estimate = clustered(values, labels, 0.95)?;
        let n = values.len() as f64;
        let count = labels.iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
        Some(Sampled::Clustered {
            value: estimate.value,
            spread: estimate.se * n.sqrt(),
            per_cluster: n / count,
            range,
        })
    }

    /// The same for pairs (a, b) and the mean of b − a.
    pub fn of_paired_clusters<K: Ord>(
        pairs: &[(f64, f64)],
        clusters: Option<&[K]>,
        range: Option<(f64, f64)>,
    ) -> Option<Self> {
        if clusters.is_none() {
            return Sampled::of_pairs(pairs, range);
        }
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
        Sampled::of_clusters(&differences, clusters, range.map(|(low, high)| (low - high, high - low)))
    }

    /// Standard deviation that an item adds to the mean's error: the error is this over √n.
    pub fn spread(&self) -> f64 {
        match *self {
            Sampled::Proportion { share } => (share * (1.0 - share)).sqrt(),
            Sampled::PairedProportions { up, down } => (up + down - (up - down).powi(2)).max(0.0).sqrt(),
            Sampled::Mean { sd, .. } => sd,
            Sampled::Constant { .. } => 0.0,
            Sampled::Clustered { spread, .. } => spread,
        }
    }

    /// The mean.
    pub fn value(&self) -> f64 {
        match *self {
            Sampled::Proportion { share } => share,
            Sampled::PairedProportions { up, down } => up - down,
            Sampled::Mean { value, .. } | Sampled::Constant { value, .. } | Sampled::Clustered { value, .. } => value,
        }
    }

    /// The two-sided interval of the mean if `n` items look like these.
    pub fn interval(&self, n: usize, confidence: f64) -> (f64, f64) {
        let total = n as f64;
        match *self {
            Sampled::Proportion { share } if share <= 0.0 => clopper_pearson(0, n, confidence),
            Sampled::Proportion { share } if share >= 1.0 => clopper_pearson(n, n, confidence),
            Sampled::Proportion { share } => wilson(share * total, total, confidence),
            Sampled::PairedProportions { up, down } => paired_proportions(up * total, down * total, total, confidence),
            Sampled::Mean { value, sd } => {
                let half = t_quantile(confidence, total - 1.0) * sd / total.sqrt();
                (value - half, value + half)
            }
            Sampled::Clustered { value, spread, per_cluster, range } => {
                let count = total / per_cluster;
                if spread == 0.0 {
                    return Sampled::Constant { value, range }.interval(count.floor() as usize, confidence);
                }
                let half = t_quantile(confidence, count - 1.0) * spread / total.sqrt();
                (value - half, value + half)
            }
            Sampled::Constant { range: None, .. } if n < 2 => (f64::NAN, f64::NAN),
            Sampled::Constant { value, range: None } => (value, value),
            Sampled::Constant { value, range: Some((low, high)) } => {
                let share = clopper_pearson(0, n, confidence).1;
                (value - share * (value - low), value + share * (high - value))
            }
        }
    }
}

/// The smallest number of items, each like the ones seen, whose interval `decided` accepts; `None` when ten million would not
/// do. An estimate for planning: with that many new items the gate decides in about half of all cases.
pub fn items_needed(sampled: &Sampled, confidence: f64, decided: impl Fn(f64, f64) -> bool) -> Option<usize> {
    items_until(|n| sampled.interval(n, confidence), decided)
}

/// The same for any interval as a function of the number of items.
pub fn items_until(interval: impl Fn(usize) -> (f64, f64), decided: impl Fn(f64, f64) -> bool) -> Option<usize> {
    const MOST: usize = 10_000_000;
    let enough = |n: usize| {
        let (low, high) = interval(n);
        decided(low, high)
    };
    let mut high = 1;
    while !enough(high) {
        if high >= MOST {
            return None;
        }
        high = (high * 2).min(MOST);
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// n ≈ (z_level + z_power)² · Var(d) / δ²: pairs that show a difference of `delta` with the given power.
pub fn pairs_for_power(variance: f64, delta: f64, confidence: f64, power: f64) -> f64 {
    let one_sided = normal_quantile((2.0 * power - 1.0).max(0.0));
    (normal_quantile(confidence) + one_sided).powi(2) * variance / (delta * delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_from_values_and_limits() {
        let unit = Some((0.0, 1.0));
        assert_eq!(Sampled::of(&[0.0, 1.0, 1.0, 1.0], unit), Some(Sampled::Proportion { share: 0.75 }));
        assert!(matches!(Sampled::of(&[0.0, 0.5], unit), Some(Sampled::Mean { .. })));
        assert!(matches!(Sampled::of(&[0.0, 1.0], Some((-1.0, 1.0))), Some(Sampled::Mean { .. })));
        assert_eq!(Sampled::of(&[0.5, 0.5], unit), Some(Sampled::Constant { value: 0.5, range: unit }));
        assert_eq!(Sampled::of(&[7.0], None), Some(Sampled::Constant { value: 7.0, range: None }));
        assert_eq!(Sampled::of(&[], unit), None);
        let pairs = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)];
        assert_eq!(Sampled::of_pairs(&pairs, unit), Some(Sampled::PairedProportions { up: 0.5, down: 0.25 }));
        assert!(matches!(Sampled::of_pairs(&[(0.0, 0.5), (0.5, 0.2)], unit), Some(Sampled::Mean { .. })));
    }

    #[test]
    fn equal_items_do_not_make_a_certainty() {
        let constant = Sampled::Constant { value: 1.0, range: Some((0.0, 1.0)) };
        // The same as Clopper and Pearson's for 50 of 50.
        let (low, high) = constant.interval(50, 0.95);
        assert!((low - 0.928878).abs() < 5e-7 && high == 1.0);
        let (low, high) = Sampled::Constant { value: 0.0, range: Some((-1.0, 1.0)) }.interval(50, 0.95);
        assert!((high - 0.071122).abs() < 5e-7 && low == -high);
        assert!(Sampled::Constant { value: 7.0, range: None }.interval(1, 0.95).0.is_nan());
        assert_eq!(Sampled::Constant { value: 7.0, range: None }.interval(2, 0.95), (7.0, 7.0));
    }

    #[test]
    fn items_that_would_decide_a_proportion() {
        // Wilson's interval excludes b once n > z² b (1 − b) / (p − b)² = 3.8415 · 0.25 / 0.01 = 96.04.
        let share = Sampled::Proportion { share: 0.6 };
        assert_eq!(items_needed(&share, 0.95, |low, _| low >= 0.5), Some(97));
        assert_eq!(items_needed(&Sampled::Proportion { share: 0.5 }, 0.95, |low, _| low >= 0.5), None);
        // None of n: 1 − 0.025^(1/n) ≤ 0.1 from n = ln 0.025 / ln 0.9 = 35.01 on.
        assert_eq!(items_needed(&Sampled::Proportion { share: 0.0 }, 0.95, |_, high| high <= 0.1), Some(36));
    }

    #[test]
    fn items_that_would_decide_a_mean() {
        // sd 1, gap 0.1: n ≈ (1.96 / 0.1)² = 384.1, a little more for t.
        let mean = Sampled::Mean { value: 0.1, sd: 1.0 };
        let n = items_needed(&mean, 0.95, |low, _| low >= 0.0).unwrap();
        assert!((385..=388).contains(&n), "{n}");
        let pairs = Sampled::PairedProportions { up: 0.1, down: 0.1 };
        // Half-width √0.2 z / √n ≤ 0.05: n ≈ 307.
        let n = items_needed(&pairs, 0.95, |low, _| low >= -0.05).unwrap();
        assert!((300..=315).contains(&n), "{n}");
    }

    #[test]
    fn clusters_widen_the_interval() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i % 10 < 6))).collect();
        let labels: Vec<usize> = (0..40).map(|i| i % 10).collect();
        let robust = Sampled::of_clusters(&values, Some(&labels), Some((0.0, 1.0))).unwrap();
        let expected = clustered(&values, &labels, 0.95).unwrap();
        let (low, high) = robust.interval(40, 0.95);
        assert!((low - expected.low).abs() < 1e-12 && (high - expected.high).abs() < 1e-12);
        let plain = Sampled::of(&values, Some((0.0, 1.0))).unwrap().interval(40, 0.95);
        assert!(high - low > 1.8 * (plain.1 - plain.0));
        // One cluster says nothing; equal clusters say as much as that many items.
        assert!(Sampled::of_clusters(&values, Some(&[1; 40]), None).unwrap().interval(40, 0.95).0.is_nan());
        let equal = Sampled::of_clusters(&[1.0; 40], Some(&labels), Some((0.0, 1.0))).unwrap();
        assert_eq!(equal.interval(40, 0.95).0, clopper_pearson(10, 10, 0.95).0);
        let pairs: Vec<(f64, f64)> = values.iter().map(|x| (0.0, *x)).collect();
        let paired = Sampled::of_paired_clusters(&pairs, Some(&labels), Some((0.0, 1.0))).unwrap();
        assert!(
            (paired.value() - robust.value()).abs() < 1e-12 && paired.interval(40, 0.95) == robust.interval(40, 0.95)
        );
    }

    #[test]
    fn pairs_for_a_power_of_80_percent() {
        // (1.96 + 0.84)² · 0.2 / 0.05² = 627.9
        assert!((pairs_for_power(0.2, 0.05, 0.95, 0.8) - 627.9).abs() < 0.2);
    }
}
