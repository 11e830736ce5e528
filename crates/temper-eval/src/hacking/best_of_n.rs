//! Best-of-n by the proxy, and curves of over-optimisation (Gao et al., arXiv 2210.10760).

use std::collections::BTreeMap;

use serde::Serialize;

use super::value;
use crate::ItemRecord;
use crate::measure::CONFIDENCE;
use crate::stats::mean_interval;

/// KL divergence of best-of-n from the policy it draws from, in nats: ln n − (n − 1)/n.
pub fn best_of_n_kl(n: usize) -> f64 {
    let n = n as f64;
    n.ln() - (n - 1.0) / n
}

/// Expected gold score of the best of `n` by the proxy, estimated without bias from N samples `(proxy, gold)` of one prompt:
/// Σ_{i=n}^{N} C(i−1, n−1)/C(N, n) · gold_(i), samples sorted by proxy. Samples of equal proxy share their places. `None` for
/// fewer samples than `n`, or n = 0.
pub fn best_of_n(samples: &[(f64, f64)], n: usize) -> Option<f64> {
    let all = samples.len();
    if n == 0 || all < n {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The weight of place i, from the last place down: w_N = n/N, w_{i−1} = w_i · (i − n)/(i − 1).
    let mut weights = vec![0.0; all];
    let mut weight = n as f64 / all as f64;
    for place in (n..=all).rev() {
        weights[place - 1] = weight;
        if place > 1 {
            weight *= (place - n) as f64 / (place - 1) as f64;
        }
    }
    let (mut total, mut from) = (0.0, 0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let weight: f64 = weights[from..from + tied.len()].iter().sum();
        total += weight * tied.iter().map(|sample| sample.1).sum::<f64>() / tied.len() as f64;
        from += tied.len();
    }
    Some(total)
}

/// A point of a best-of-n curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestOfN {
    /// How many samples the best is chosen from.
    pub n: usize,
    /// Divergence, in nats.
    pub kl: f64,
    /// Items.
    pub items: usize,
    /// Mean proxy of the best.
    pub proxy: f64,
    /// Mean gold score of the best by the proxy.
    pub gold: f64,
    /// Lower end of the gold score's 95 % interval over items; not a number for one item.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::nullable")]
    pub high: f64,
}

/// Best-of-n for n = 1, 2, 4, … up to the number of repeats that every item has with both scores. Empty where that is one.
/// Items without any such repeat are left out.
pub fn best_of_n_curve(records: &[&ItemRecord], proxy: &str, gold: &str) -> Vec<BestOfN> {
    let mut items: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for record in records {
        if let (Some(proxy), Some(gold)) = (value(record, proxy), value(record, gold)) {
            items.entry(&record.id).or_default().push((proxy, gold));
        }
    }
    let most = items.values().map(Vec::len).min().unwrap_or(0);
    if most < 2 {
        return Vec::new();
    }
    let point = |n: usize| {
        let golds: Vec<f64> = items.values().filter_map(|samples| best_of_n(samples, n)).collect();
        let proxies: Vec<f64> = items
            .values()
            .filter_map(|samples| best_of_n(&samples.iter().map(|s| (s.0, s.0)).collect::<Vec<_>>(), n))
            .collect();
        let estimate = mean_interval(&golds, CONFIDENCE)?;
        Some(BestOfN {
            n,
            kl: best_of_n_kl(n),
            items: golds.len(),
            proxy: proxies.iter().sum::<f64>() / proxies.len() as f64,
            gold: estimate.value,
            low: estimate.low,
            high: estimate.high,
        })
    };
    std::iter::successors(Some(1_usize), |n| n.checked_mul(2)).take_while(|n| *n <= most).filter_map(point).collect()
}

/// A fitted curve of the gold score over the root of the divergence, d = √KL.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Initial slope.
    pub a: f64,
    /// How fast it falls.
    pub b: f64,
    /// d at which the gold score is highest; `None` where the curve has no peak.
    pub peak: Option<f64>,
}

/// Least squares of R(d) = d·(a − b·d), for best-of-n; peak at a/(2b). Points are (d, gold − gold at d = 0). `None` for fewer
/// than two different d > 0.
pub fn fit_bon(points: &[(f64, f64)]) -> Option<Fit> {
    let (a, b) = fit(points, |d| d * d)?;
    Some(Fit { a, b, peak: (a > 0.0 && b > 0.0).then(|| a / (2.0 * b)) })
}

/// Least squares of R(d) = d·(a − b·ln d), for reinforcement learning; peak at exp(a/b − 1).
pub fn fit_rl(points: &[(f64, f64)]) -> Option<Fit> {
    let (a, b) = fit(points, |d| d * d.ln())?;
    Some(Fit { a, b, peak: (b > 0.0).then(|| (a / b - 1.0).exp()) })
}

/// a and b of R = a·d − b·f(d), by the normal equations. Points at d = 0 say nothing.
fn fit(points: &[(f64, f64)], f: impl Fn(f64) -> f64) -> Option<(f64, f64)> {
    let (mut dd, mut df, mut ff, mut dr, mut fr) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (d, r) in points.iter().filter(|(d, r)| *d > 0.0 && r.is_finite()) {
        let f = f(*d);
        dd += d * d;
        df += d * f;
        ff += f * f;
        dr += d * r;
        fr += f * r;
    }
    let determinant = dd * ff - df * df;
    if determinant <= 1e-12 * dd * ff {
        return None;
    }
    Some(((dr * ff - fr * df) / determinant, (dr * df - fr * dd) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use temper_score::Score;

    #[test]
    fn the_table_of_divergences() {
        for (n, kl) in
            [(1, 0.0), (2, 0.1931), (4, 0.6363), (8, 1.2044), (16, 1.8351), (64, 3.1745), (256, 4.5491), (1024, 5.9324)]
        {
            assert!((best_of_n_kl(n) - kl).abs() < 5e-5, "{n}: {}", best_of_n_kl(n));
        }
    }

    #[test]
    fn the_estimate_is_the_mean_over_all_subsets() {
        let samples = [(0.3_f64, 1.0), (0.1, 5.0), (0.9, -2.0), (0.5, 3.0), (0.7, 0.5)];
        for n in 1..=5 {
            let (mut sum, mut count) = (0.0, 0.0);
            for subset in 1_u32..32 {
                if subset.count_ones() as usize == n {
                    let chosen = samples.iter().enumerate().filter(|(i, _)| subset & (1 << i) != 0).map(|(_, s)| s);
                    sum += chosen.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
                    count += 1.0;
                }
            }
            assert!((best_of_n(&samples, n).unwrap() - sum / count).abs() < 1e-12, "{n}");
        }
        assert_eq!(best_of_n(&samples, 6), None);
        assert_eq!(best_of_n(&samples, 0), None);
        assert_eq!(best_of_n(&[(1.0, 0.0), (1.0, 4.0)], 2), Some(2.0), "ties are shared");
    }

    #[test]
    fn curves_take_the_repeats_that_every_item_has() {
        let mut records = Vec::new();
        for (id, repeats) in [("a", 4), ("b", 5)] {
            for repeat in 0..repeats {
                let value = Score::Value(repeat as f64);
                records.push(record("s", id, repeat, &[("p", value.clone()), ("g", value)]));
            }
        }
        let records: Vec<&ItemRecord> = records.iter().collect();
        let curve = best_of_n_curve(&records, "p", "g");
        assert_eq!(curve.iter().map(|point| (point.n, point.items)).collect::<Vec<_>>(), [(1, 2), (2, 2), (4, 2)]);
        // Item a: mean 1.5, best of 2 is (1 + 2·2 + 3·3)/6, best of 4 is 3; item b: 2, 3, 0.2·3 + 0.8·4.
        assert!((curve[0].gold - 1.75).abs() < 1e-12 && (curve[2].gold - 3.4).abs() < 1e-12);
        assert!((curve[1].gold - (14.0 / 6.0 + 3.0) / 2.0).abs() < 1e-12);
        assert!(best_of_n_curve(&records[..1], "p", "g").is_empty());
    }

    #[test]
    fn fits_find_the_curve_they_were_made_of() {
        let points =
            |r: fn(f64) -> f64| -> Vec<(f64, f64)> { (0..8).map(|i| f64::from(i) * 0.5).map(|d| (d, r(d))).collect() };
        let fit = fit_bon(&points(|d| d * (2.0 - 0.5 * d))).unwrap();
        assert!((fit.a - 2.0).abs() < 1e-9 && (fit.b - 0.5).abs() < 1e-9 && (fit.peak.unwrap() - 2.0).abs() < 1e-9);
        let fit = fit_rl(&points(|d| if d > 0.0 { d * (1.5 - 0.7 * d.ln()) } else { 0.0 })).unwrap();
        assert!((fit.a - 1.5).abs() < 1e-9 && (fit.b - 0.7).abs() < 1e-9);
        assert!((fit.peak.unwrap() - (1.5_f64 / 0.7 - 1.0).exp()).abs() < 1e-9);
        assert_eq!(fit_bon(&points(|d| 2.0 * d + d * d)).unwrap().peak, None, "no peak where it only rises");
        assert_eq!(fit_bon(&[(0.0, 0.0), (1.0, 2.0)]), None);
    }
}
