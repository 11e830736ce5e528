//! Exact tests of rates and of paired differences: no approximation by a normal distribution.

use statrs::function::factorial::ln_binomial;
use temper_engine::Key;

/// Relative slack within which two probabilities count as equal, so that ties of the two tails are not lost to rounding.
const TIE: f64 = 1e-7;

/// Number of differences up to which [`sign_flip_test`] looks at every assignment of signs.
const EVERY_ASSIGNMENT: usize = 16;

/// Two-sided p of `successes` of `n` draws under the rate `rate`: the probability of all outcomes that are no more probable
/// than the one seen (Clopper and Pearson's distribution; the rule of R's and SciPy's `binom.test`). Not a number for a rate
/// outside [0, 1] or more successes than draws.
pub fn binomial_test(successes: usize, n: usize, rate: f64) -> f64 {
    if successes > n || !(0.0..=1.0).contains(&rate) {
        return f64::NAN;
    }
    let log = |k: usize| {
        let term = |count: usize, p: f64| if count == 0 { 0.0 } else { count as f64 * p.ln() };
        ln_binomial(n as u64, k as u64) + term(k, rate) + term(n - k, 1.0 - rate)
    };
    tails((0..=n).map(log), log(successes))
}

/// Fisher's exact two-sided p that two independent rates, `a` of `n` and `b` of `m`, are the same: over all tables with these
/// margins, the probability of those no more probable than the one seen. Not a number when there are more successes than
/// draws.
pub fn fisher_exact(a: usize, n: usize, b: usize, m: usize) -> f64 {
    if a > n || b > m {
        return f64::NAN;
    }
    let (all, hits) = (n + m, a + b);
    let log = |k: usize| {
        ln_binomial(n as u64, k as u64) + ln_binomial(m as u64, (hits - k) as u64)
            - ln_binomial(all as u64, hits as u64)
    };
    let possible = hits.saturating_sub(m)..=hits.min(n);
    tails(possible.map(log), log(a))
}

/// Sum of the probabilities (as logarithms) that are no larger than `seen`.
fn tails(logs: impl Iterator<Item = f64>, seen: f64) -> f64 {
    logs.filter(|log| *log <= seen + TIE).map(f64::exp).sum::<f64>().min(1.0)
}

/// The sign test: two-sided p of `up` positive and `down` negative differences, zeros left out. The same as McNemar's exact
/// test on the discordant pairs.
pub fn sign_test(up: usize, down: usize) -> f64 {
    super::mcnemar_exact(up, down)
}

/// The paired permutation test: two-sided p of the mean difference when every difference may as well have the other sign.
/// Every assignment of signs is looked at for up to 16 differences other than zero; beyond that `draws` random ones are, and
/// the one seen counts as one of them, (1 + as extreme) / (1 + draws), so that the test stays exact (Phipson and Smyth 2010).
/// 1 when all differences are zero, not a number for none.
pub fn sign_flip_test(differences: &[f64], draws: usize, seed: u64) -> f64 {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return f64::NAN;
    }
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if moved.is_empty() {
        return 1.0;
    }
    let size: f64 = moved.iter().map(|d| d.abs()).sum();
    let seen = moved.iter().sum::<f64>().abs() - TIE * size;
    if moved.len() <= EVERY_ASSIGNMENT {
        let all = 1u32 << moved.len();
        let extreme = (0..all)
            .filter(|signs| {
                let flipped = moved.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d });
                flipped.sum::<f64>().abs() >= seen
            })
            .count();
        return extreme as f64 / f64::from(all);
    }
    let key = Key::new(seed).fold_str("sign flips");
    let extreme = (0..draws)
        .filter(|draw| {
            let key = key.fold(*draw as u64);
            // 64 signs from each block of bits.
            let sum: f64 = moved
                .chunks(64)
                .enumerate()
                .map(|(block, part)| {
                    let bits = key.fold(block as u64).bits();
                    part.iter().enumerate().map(|(i, d)| if bits >> i & 1 == 1 { -d } else { *d }).sum::<f64>()
                })
                .sum();
            sum.abs() >= seen
        })
        .count();
    (1 + extreme) as f64 / (1 + draws) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // 2 of 2 at ½: both extremes, ½.
        assert!((binomial_test(2, 2, 0.5) - 0.5).abs() < 1e-12);
        assert!((binomial_test(0, 3, 0.0) - 1.0).abs() < 1e-12 && binomial_test(1, 3, 0.0) == 0.0);
        assert!(binomial_test(4, 3, 0.5).is_nan() && binomial_test(1, 3, 1.5).is_nan());
        // Lady tasting tea: 3 of 4 and 1 of 4: (16 + 1 + 16 + 1) / 70.
        assert!((fisher_exact(3, 4, 1, 4) - 34.0 / 70.0).abs() < 1e-12);
        assert!((sign_test(5, 0) - 0.0625).abs() < 1e-12);
    }

    #[test]
    fn signs_by_hand() {
        // |±1 ± 2 ± 3| ≥ 6 for two of the eight assignments; zeros change nothing.
        assert_eq!(sign_flip_test(&[1.0, 2.0, 3.0, 0.0], 10, 0), 0.25);
        assert_eq!(sign_flip_test(&[0.0, 0.0], 10, 0), 1.0);
        assert!(sign_flip_test(&[], 10, 0).is_nan());
        // 20 equal signs: none of a thousand random assignments is as extreme (2 of a million would be).
        assert_eq!(sign_flip_test(&[0.3; 20], 999, 1), 0.001);
        let mixed: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }).collect();
        assert_eq!(sign_flip_test(&mixed, 500, 1), 1.0);
    }
}
