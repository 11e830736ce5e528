//! The percentile bootstrap, over items or whole clusters (Efron 1979).

use std::collections::BTreeMap;

use temper_engine::Key;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;

/// Values of a statistic on resampled units, in rising order.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// Seed of the draws, to be recorded with the result.
    pub seed: u64,
    /// The statistic on each resample where it is defined, rising.
    pub values: Vec<f64>,
    /// Resamples on which the statistic is not a finite number; they are left out.
    pub undefined: usize,
}

impl Bootstrap {
    /// Draws as many of `units` units with replacement, `resamples` times, and computes `statistic` on the units drawn. A draw
    /// depends on the seed, the resample and its place in it only.
    pub fn new(units: usize, resamples: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> Self {
        let key = Key::new(seed).fold_str("bootstrap");
        let mut drawn = vec![0; units];
        let mut values = Vec::with_capacity(resamples);
        for resample in 0..if units == 0 { 0 } else { resamples } {
            let key = key.fold(resample as u64);
            for (draw, unit) in drawn.iter_mut().enumerate() {
                *unit = ((key.fold(draw as u64).uniform() * units as f64) as usize).min(units - 1);
            }
            values.push(statistic(&drawn));
        }
        let all = values.len();
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        Bootstrap { seed, undefined: all - values.len(), values }
    }

    /// The two-sided percentile interval, between order statistics by straight lines (NumPy's `linear`). Not a number when
    /// there is no value.
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        let tail = (1.0 - super::level(confidence)) / 2.0;
        (self.quantile(tail), self.quantile(1.0 - tail))
    }

    fn quantile(&self, p: f64) -> f64 {
        let Some(last) = self.values.len().checked_sub(1) else { return f64::NAN };
        let at = p * last as f64;
        let (low, share) = (at.floor() as usize, at.fract());
        let (a, b) = (self.values[low.min(last)], self.values[(low + 1).min(last)]);
        a + share * (b - a)
    }
}

/// The bootstrap of a mean; whole clusters are drawn where `clusters` gives one label per value. `None` for no value, or when
/// the two differ in length.
pub fn bootstrap_mean<K: Ord>(
    values: &[f64],
    clusters: Option<&[K]>,
    resamples: usize,
    seed: u64,
) -> Option<Bootstrap> {
    if values.is_empty() || clusters.is_some_and(|labels| labels.len() != values.len()) {
        return None;
    }
    // Sum and count of each unit that is drawn as a whole.
    let units: Vec<(f64, f64)> = match clusters {
        None => values.iter().map(|x| (*x, 1.0)).collect(),
        Some(labels) => {
            let mut sums: BTreeMap<&K, (f64, f64)> = BTreeMap::new();
            for (x, label) in values.iter().zip(labels) {
                let (sum, count) = sums.entry(label).or_insert((0.0, 0.0));
                *sum += x;
                *count += 1.0;
            }
            sums.into_values().collect()
        }
    };
    Some(Bootstrap::new(units.len(), resamples, seed, |drawn| {
        let (sum, count) = drawn.iter().fold((0.0, 0.0), |(s, c), unit| (s + units[*unit].0, c + units[*unit].1));
        sum / count
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{clustered, mean_interval};

    #[test]
    fn agrees_with_the_t_interval_on_many_items() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i * 7919 % 101) / 100.0).collect();
        let bootstrap = bootstrap_mean::<u8>(&values, None, RESAMPLES, 3).unwrap();
        let (low, high) = bootstrap.interval(0.95);
        let t = mean_interval(&values, 0.95).unwrap();
        assert!((low - t.low).abs() < 0.003 && (high - t.high).abs() < 0.003, "{low} {high} {t:?}");
        // The same seed draws the same, another one other units.
        assert_eq!(bootstrap, bootstrap_mean::<u8>(&values, None, RESAMPLES, 3).unwrap());
        assert_ne!(bootstrap.values, bootstrap_mean::<u8>(&values, None, RESAMPLES, 4).unwrap().values);
    }

    #[test]
    fn whole_clusters_are_drawn() {
        // Twenty clusters of ten equal items: the error is that of twenty values.
        let values: Vec<f64> = (0..200).map(|i| f64::from(i / 10 * 37 % 20) / 20.0).collect();
        let labels: Vec<usize> = (0..200).map(|i| i / 10).collect();
        let (low, high) = bootstrap_mean(&values, Some(&labels), RESAMPLES, 1).unwrap().interval(0.95);
        let robust = clustered(&values, &labels, 0.95).unwrap();
        assert!(((high - low) / (robust.high - robust.low) - 1.0).abs() < 0.15, "{low} {high} {robust:?}");
        let (low, high) = bootstrap_mean::<u8>(&values, None, 2000, 1).unwrap().interval(0.95);
        assert!((high - low) * 2.5 < robust.high - robust.low);
    }

    #[test]
    fn edges() {
        assert!(bootstrap_mean::<u8>(&[], None, 10, 0).is_none());
        assert!(bootstrap_mean(&[1.0], Some(&[1, 2]), 10, 0).is_none());
        assert_eq!(bootstrap_mean::<u8>(&[2.0], None, 10, 0).unwrap().interval(0.95), (2.0, 2.0));
        let undefined = Bootstrap::new(2, 10, 0, |_| f64::NAN);
        assert!(undefined.undefined == 10 && undefined.interval(0.9).0.is_nan());
        // Quantiles between order statistics.
        let four = Bootstrap { seed: 0, values: vec![0.0, 1.0, 2.0, 3.0], undefined: 0 };
        assert!((four.quantile(0.5) - 1.5).abs() < 1e-12 && four.quantile(1.0) == 3.0);
    }
}
