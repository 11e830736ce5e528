//! Agreement of raters beyond chance.

use std::collections::BTreeMap;

use super::{Bootstrap, Estimate, normal_quantile};

/// Cohen's kappa of two raters from their table of counts (rows: first rater, columns: second; as many of either), with the
/// large-sample error of Fleiss, Cohen and Everitt (1969); no interval where the raters never or always differ. `None` for a table that is empty, not square, or where chance alone
/// would make the raters agree everywhere (both always give the same one class).
pub fn cohen_kappa(table: &[Vec<f64>], confidence: f64) -> Option<Estimate> {
    let k = table.len();
    if k == 0 || table.iter().any(|row| row.len() != k) {
        return None;
    }
    let n: f64 = table.iter().flatten().sum();
    if n <= 0.0 {
        return None;
    }
    let p = |i: usize, j: usize| table[i][j] / n;
    let rows: Vec<f64> = (0..k).map(|i| (0..k).map(|j| p(i, j)).sum()).collect();
    let columns: Vec<f64> = (0..k).map(|j| (0..k).map(|i| p(i, j)).sum()).collect();
    let agree: f64 = (0..k).map(|i| p(i, i)).sum();
    let chance: f64 = (0..k).map(|i| rows[i] * columns[i]).sum();
    if 1.0 - chance < 1e-12 {
        return None;
    }
    let kappa = (agree - chance) / (1.0 - chance);
    let same: f64 = (0..k).map(|i| p(i, i) * (1.0 - (rows[i] + columns[i]) * (1.0 - kappa)).powi(2)).sum();
    let other: f64 = (0..k)
        .flat_map(|i| (0..k).map(move |j| (i, j)))
        .filter(|(i, j)| i != j)
        .map(|(i, j)| p(i, j) * (columns[i] + rows[j]).powi(2))
        .sum();
    let by_chance = (kappa - chance * (1.0 - kappa)).powi(2);
    let variance = (same + (1.0 - kappa).powi(2) * other - by_chance) / ((1.0 - chance).powi(2) * n);
    let se = variance.max(0.0).sqrt();
    // Without any disagreement the large-sample error is 0, which is no certainty.
    let half = if se > 0.0 { normal_quantile(confidence) * se } else { f64::NAN };
    Some(Estimate { n: n as usize, value: kappa, se, low: at_most_one(kappa - half), high: at_most_one(kappa + half) })
}

/// Within what kappa can be; what is not a number stays so.
fn at_most_one(kappa: f64) -> f64 {
    if kappa.is_nan() { kappa } else { kappa.clamp(-1.0, 1.0) }
}

/// Krippendorff's alpha for nominal data: `units[u]` holds the classes that the raters gave unit `u`, missing ratings left out;
/// units with fewer than two ratings tell nothing. α = 1 − (n − 1) Σ_u Σ_{c≠k} n_uc n_uk / (m_u − 1) / Σ_{c≠k} n_c n_k, with n
/// ratings in all that can be paired (Krippendorff, Content Analysis, 2004, ch. 11). `None` when there is nothing to pair or
/// only one class.
pub fn krippendorff_alpha<T: Ord>(units: &[Vec<T>]) -> Option<f64> {
    let counts: Vec<BTreeMap<&T, f64>> = units.iter().map(|unit| counted(unit)).collect();
    alpha_of(counts.iter())
}

/// [`krippendorff_alpha`] with a percentile bootstrap over units. The error is the standard deviation of the resamples.
pub fn krippendorff_interval<T: Ord>(
    units: &[Vec<T>],
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Option<Estimate> {
    let counts: Vec<BTreeMap<&T, f64>> = units.iter().map(|unit| counted(unit)).collect();
    let value = alpha_of(counts.iter())?;
    let pairable = units.iter().filter(|unit| unit.len() > 1).count();
    let bootstrap = Bootstrap::new(counts.len(), resamples, seed, |drawn| {
        alpha_of(drawn.iter().map(|unit| &counts[*unit])).unwrap_or(f64::NAN)
    });
    let (low, high) = bootstrap.interval(confidence);
    let se = super::mean_sd(&bootstrap.values).map_or(f64::NAN, |(_, sd)| sd);
    Some(Estimate { n: pairable, value, se, low, high })
}

fn counted<T: Ord>(unit: &[T]) -> BTreeMap<&T, f64> {
    let mut counts = BTreeMap::new();
    for class in unit {
        *counts.entry(class).or_insert(0.0) += 1.0;
    }
    counts
}

fn alpha_of<'a, T: Ord + 'a>(units: impl Iterator<Item = &'a BTreeMap<&'a T, f64>>) -> Option<f64> {
    let mut totals: BTreeMap<&T, f64> = BTreeMap::new();
    let mut observed = 0.0;
    for unit in units {
        let ratings: f64 = unit.values().sum();
        if ratings < 2.0 {
            continue;
        }
        observed += unit.values().map(|count| count * (ratings - count)).sum::<f64>() / (ratings - 1.0);
        for (class, count) in unit {
            *totals.entry(class).or_insert(0.0) += count;
        }
    }
    let n: f64 = totals.values().sum();
    let expected: f64 = totals.values().map(|count| count * (n - count)).sum();
    (expected > 0.0).then(|| 1.0 - (n - 1.0) * observed / expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_by_hand() {
        // Agreement 0.7, chance 0.5: 0.4.
        let kappa = cohen_kappa(&[vec![20.0, 5.0], vec![10.0, 15.0]], 0.95).unwrap();
        assert!((kappa.value - 0.4).abs() < 1e-12 && kappa.n == 50, "{kappa:?}");
        let perfect = cohen_kappa(&[vec![5.0, 0.0], vec![0.0, 7.0]], 0.95).unwrap();
        assert!(perfect.value == 1.0 && perfect.high.is_nan());
        assert!(cohen_kappa(&[vec![5.0, 0.0], vec![0.0, 0.0]], 0.95).is_none());
        assert!(cohen_kappa(&[vec![1.0, 2.0]], 0.95).is_none() && cohen_kappa(&[], 0.95).is_none());
    }

    #[test]
    fn alpha_by_hand() {
        // Two raters, units aa, ab: o = 1·1 + 1·1 = 2, expected 2 · 3 · 1 = 6, α = 1 − 3 · 2 / 6 = 0.
        assert_eq!(krippendorff_alpha(&[vec!['a', 'a'], vec!['a', 'b'], vec!['c']]), Some(0.0));
        assert_eq!(krippendorff_alpha(&[vec!['a', 'a'], vec!['b', 'b']]), Some(1.0));
        assert_eq!(krippendorff_alpha(&[vec!['a', 'a'], vec!['a', 'a']]), None);
        assert_eq!(krippendorff_alpha::<u8>(&[]), None);
        let units: Vec<Vec<usize>> = (0..60).map(|i| vec![i % 3, if i % 5 == 0 { 0 } else { i % 3 }]).collect();
        let estimate = krippendorff_interval(&units, 0.95, 2000, 1).unwrap();
        assert!(estimate.low < estimate.value && estimate.value < estimate.high && estimate.n == 60, "{estimate:?}");
    }
}
