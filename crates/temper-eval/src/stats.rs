//! Interval estimates and tests. Formulas as in standard texts; levels are two-sided.

mod agreement;
mod bootstrap;
mod exact;
#[cfg(test)]
mod fixtures;
mod multiple;
mod power;
mod sequence;

use std::collections::BTreeMap;

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

pub use agreement::{cohen_kappa, krippendorff_alpha, krippendorff_interval};
pub use bootstrap::{Bootstrap, RESAMPLES, bootstrap_mean};
pub use exact::{binomial_test, fisher_exact, sign_flip_test, sign_test};
pub use multiple::{benjamini_hochberg, holm};
pub use power::{CORRELATION, POWER, detectable, difference_sd, items_for_effect, share_sd};
pub use sequence::{bounded_sequence, mean_sequence, share_sequence};

/// A mean with its standard error and interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Units that the mean is over.
    pub n: usize,
    /// The mean.
    pub value: f64,
    /// Standard error; not a number where it is undefined (one unit, one cluster).
    pub se: f64,
    /// Lower end of the interval; not a number where it is undefined.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The point of the standard normal distribution with `(1 + confidence) / 2` below it; 1.959964 at 95 %.
pub fn normal_quantile(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + level(confidence) / 2.0)
}

/// The same of Student's t distribution with `df` degrees of freedom.
pub fn t_quantile(confidence: f64, df: f64) -> f64 {
    if df > 1000.0 {
        // The Cornish-Fisher expansion, here better than 1e-8 and, unlike the inverted distribution, exact in the limit.
        let z = normal_quantile(confidence);
        let first = (z.powi(3) + z) / 4.0;
        let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
        return z + first / df + second / (df * df);
    }
    match StudentsT::new(0.0, 1.0, df) {
        Ok(t) => t.inverse_cdf(0.5 + level(confidence) / 2.0),
        Err(_) => f64::NAN,
    }
}

/// A level kept inside (0, 1), so that no input panics.
pub(crate) fn level(confidence: f64) -> f64 {
    if confidence.is_finite() { confidence.clamp(1e-9, 1.0 - 1e-9) } else { 0.95 }
}

/// Mean and standard deviation (n − 1 below); the latter is not a number for a single value. `None` for no value.
pub fn mean_sd(values: &[f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let sd = if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN };
    Some((mean, sd))
}

/// Mean with a t interval: se = sd / √n, n − 1 degrees of freedom. `None` for no value.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Estimate> {
    let (value, sd) = mean_sd(values)?;
    let n = values.len();
    let se = sd / (n as f64).sqrt();
    let half = t_quantile(confidence, n as f64 - 1.0) * se;
    Some(Estimate { n, value, se, low: value - half, high: value + half })
}

/// Mean of the differences b − a of paired values, with a t interval over the pairs. `None` for no pair.
pub fn paired(pairs: &[(f64, f64)], confidence: f64) -> Option<Estimate> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
    mean_interval(&differences, confidence)
}

/// Mean of values that come in clusters: se = √(C/(C−1) · Σ_c (Σ_{i∈c} (x_i − x̄))²) / n, t interval with C − 1 degrees of
/// freedom. One cluster leaves the error undefined. `None` for no value, or when the two slices differ in length.
pub fn clustered<K: Ord>(values: &[f64], clusters: &[K], confidence: f64) -> Option<Estimate> {
    if values.len() != clusters.len() {
        return None;
    }
    let (value, _) = mean_sd(values)?;
    let mut sums: BTreeMap<&K, f64> = BTreeMap::new();
    for (x, cluster) in values.iter().zip(clusters) {
        *sums.entry(cluster).or_insert(0.0) += x - value;
    }
    let c = sums.len() as f64;
    let squares: f64 = sums.values().map(|sum| sum * sum).sum();
    let n = values.len();
    let se = if sums.len() > 1 { (c / (c - 1.0) * squares).sqrt() / n as f64 } else { f64::NAN };
    let half = t_quantile(confidence, c - 1.0) * se;
    Some(Estimate { n, value, se, low: value - half, high: value + half })
}

/// Wilson's interval of a proportion. `successes` and `n` may be fractions of what was counted, for planning. Not a number
/// for n = 0.
pub fn wilson(successes: f64, n: f64, confidence: f64) -> (f64, f64) {
    let z = normal_quantile(confidence);
    let p = successes / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

/// Clopper and Pearson's exact interval of a proportion. Not a number for n = 0.
pub fn clopper_pearson(successes: usize, n: usize, confidence: f64) -> (f64, f64) {
    if n == 0 {
        return (f64::NAN, f64::NAN);
    }
    let tail = (1.0 - level(confidence)) / 2.0;
    let (k, total) = (successes.min(n) as f64, n as f64);
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = match successes {
        0 => 0.0,
        _ if k == total => tail.powf(1.0 / total),
        _ => quantile(k, total - k + 1.0, tail),
    };
    let high = match successes {
        0 => 1.0 - tail.powf(1.0 / total),
        _ if k == total => 1.0,
        _ => quantile(k + 1.0, total - k, 1.0 - tail),
    };
    (low, high)
}

/// Interval of the difference of two paired proportions, (up − down) / n, by Agresti and Min (Statistics in Medicine 24, 2005):
/// half an observation is added to each of the four cells. Unlike the t interval it does not vanish when no pair differs.
/// `up` and `down` are the pairs that differ, one way and the other.
pub fn paired_proportions(up: f64, down: f64, n: f64, confidence: f64) -> (f64, f64) {
    let (up, down, n) = (up + 0.5, down + 0.5, n + 2.0);
    let difference = (up - down) / n;
    let variance = ((up + down) - (up - down).powi(2) / n) / (n * n);
    let half = normal_quantile(confidence) * variance.max(0.0).sqrt();
    ((difference - half).max(-1.0), (difference + half).min(1.0))
}

/// McNemar's exact two-sided p for `b` pairs that differ one way and `c` the other: min(1, 2·P(X ≤ min(b, c))), X binomial
/// with b + c trials and probability ½. 1 when no pair differs.
pub fn mcnemar_exact(b: usize, c: usize) -> f64 {
    if b + c == 0 {
        return 1.0;
    }
    match Binomial::new(0.5, (b + c) as u64) {
        Ok(binomial) => (2.0 * binomial.cdf(b.min(c) as u64)).min(1.0),
        Err(_) => f64::NAN,
    }
}

/// McNemar's χ² with continuity correction, (|b − c| − 1)² / (b + c); 0 when no pair differs.
pub fn mcnemar_chi_squared(b: usize, c: usize) -> f64 {
    if b + c == 0 { 0.0 } else { (b.abs_diff(c) as f64 - 1.0).powi(2) / (b + c) as f64 }
}

/// Two-sided p of the mean of paired differences being zero (t test); 1 when all differences are zero, not a number for fewer
/// than two.
pub fn paired_t_test(differences: &[f64]) -> f64 {
    let Some((mean, sd)) = mean_sd(differences) else { return f64::NAN };
    if differences.len() < 2 {
        return f64::NAN;
    }
    if sd == 0.0 {
        return if mean == 0.0 { 1.0 } else { 0.0 };
    }
    let n = differences.len() as f64;
    let t = mean / (sd / n.sqrt());
    match StudentsT::new(0.0, 1.0, n - 1.0) {
        Ok(distribution) => (2.0 * distribution.cdf(-t.abs())).min(1.0),
        Err(_) => f64::NAN,
    }
}

/// Two-sided p of the mean of clustered differences being zero: t test with the cluster-robust error and C − 1 degrees of
/// freedom; 1 when all differences are zero, not a number for one cluster.
pub fn clustered_t_test<K: Ord>(differences: &[f64], clusters: &[K]) -> f64 {
    let Some(estimate) = clustered(differences, clusters, 0.95) else { return f64::NAN };
    if estimate.se.is_nan() {
        return f64::NAN;
    }
    if estimate.se == 0.0 {
        return if estimate.value == 0.0 { 1.0 } else { 0.0 };
    }
    let count = clusters.iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
    match StudentsT::new(0.0, 1.0, count - 1.0) {
        Ok(distribution) => (2.0 * distribution.cdf(-(estimate.value / estimate.se).abs())).min(1.0),
        Err(_) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} and {b}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        close(normal_quantile(0.95), 1.959963985, 1e-8);
        for (df, t) in
            [(1.0, 12.706204736), (2.0, 4.302652730), (9.0, 2.262157163), (1000.0, 1.962339081), (1318.0, 1.961765491)]
        {
            close(t_quantile(0.95, df), t, 1e-7 * t);
        }
        close(t_quantile(0.95, 1000.0), t_quantile(0.95, 1000.1), 1e-6);
        close(t_quantile(0.95, 1e12), normal_quantile(0.95), 1e-11);
        close(t_quantile(0.9, 4.0), 2.131846786, 1e-7);
    }

    #[test]
    fn mean_of_five_by_hand() {
        // sd² = (4 + 1 + 0 + 1 + 4) / 4 = 2.5, se = √(2.5 / 5) = √0.5.
        let e = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        assert_eq!((e.n, e.value), (5, 3.0));
        close(e.se, 0.5f64.sqrt(), 1e-15);
        close(e.high - e.value, 2.776445105 * 0.5f64.sqrt(), 1e-7);
        assert!(mean_interval(&[], 0.95).is_none());
        assert!(mean_interval(&[1.0], 0.95).unwrap().low.is_nan());
    }

    #[test]
    fn clusters_by_hand() {
        // Mean 0.5; deviations sum to +1 and −1 in two clusters of two: se = √(2/1 · 2) / 4 = 0.5.
        let e = clustered(&[1.0, 1.0, 0.0, 0.0], &["a", "a", "b", "b"], 0.95).unwrap();
        assert_eq!((e.value, e.se), (0.5, 0.5));
        // Clusters of one: the ordinary standard error.
        let values = [1.0, 2.0, 4.0];
        close(clustered(&values, &[1, 2, 3], 0.95).unwrap().se, mean_interval(&values, 0.95).unwrap().se, 1e-15);
        assert!(clustered(&[1.0, 0.0], &["a", "a"], 0.95).unwrap().se.is_nan());
        assert!(clustered(&[1.0], &["a", "b"], 0.95).is_none());
    }

    #[test]
    fn proportions() {
        let (low, high) = wilson(286.0, 1319.0, 0.95);
        close(low, 0.195431, 5e-7);
        close(high, 0.239875, 5e-7);
        let (low, high) = wilson(515.0, 1319.0, 0.95);
        close(low, 0.364474, 5e-7);
        close(high, 0.417057, 5e-7);
        let (low, high) = clopper_pearson(50, 50, 0.95);
        close(low, 0.928878, 5e-7);
        assert_eq!(high, 1.0);
        let (low, high) = clopper_pearson(0, 1000, 0.95);
        assert_eq!(low, 0.0);
        close(high, 0.003682, 5e-7);
        // 7 of 10: the tabulated interval.
        let (low, high) = clopper_pearson(7, 10, 0.95);
        close(low, 0.347547, 5e-6);
        close(high, 0.933260, 5e-6);
        assert!(clopper_pearson(0, 0, 0.95).0.is_nan());
    }

    #[test]
    fn pairs() {
        close(mcnemar_exact(1, 5), 0.21875, 1e-12); // 2 · (1 + 6) / 64
        assert_eq!(mcnemar_exact(3, 3), 1.0);
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        close(mcnemar_exact(80, 5) / 1.8e-18, 1.0, 0.05);
        close(mcnemar_chi_squared(293, 64), 145.613, 5e-4);
        close(mcnemar_chi_squared(80, 5), 64.424, 5e-4);
        // No pair of 200 differs: 0 ± z · √1 / 202.
        let (low, high) = paired_proportions(0.0, 0.0, 200.0, 0.95);
        close(high, 1.959963985 / 202.0, 1e-9);
        assert_eq!(low, -high);
        assert_eq!(paired_proportions(3.0, 0.0, 3.0, 0.95).1, 1.0);
    }

    #[test]
    fn t_test_by_hand() {
        // Mean 3, se √0.5: t = 4.2426 with 4 degrees of freedom, p = 0.01324.
        close(paired_t_test(&[1.0, 2.0, 3.0, 4.0, 5.0]), 0.013236, 5e-6);
        assert_eq!(paired_t_test(&[0.0, 0.0]), 1.0);
        assert_eq!(paired_t_test(&[1.0, 1.0]), 0.0);
        assert!(paired_t_test(&[1.0]).is_nan());
    }
}
