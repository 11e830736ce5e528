//! Confidence sequences: intervals that hold at every number of items at once, so that one may look after every block and stop
//! when the question is decided. With probability of at least `confidence`, no interval of the whole sequence misses the true
//! mean.
//!
//! All of them need items in an order that has nothing to do with their scores: drawn or shuffled, not sorted by difficulty.

use statrs::function::beta::ln_beta;

use super::level;

/// For a share: all rates p that the beta-binomial mixture martingale has not ruled out,
/// B(s + ½, n − s + ½) / B(½, ½) / (p^s (1 − p)^(n−s)) < 1/α, for `successes` s of `n` independent draws. Exact at every n, by
/// Ville's inequality (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49, 2021). All of [0, 1] for no
/// draw.
pub fn share_sequence(successes: f64, n: f64, confidence: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let (s, f) = (successes.clamp(0.0, n), n - successes.clamp(0.0, n));
    let needed = -(1.0 - level(confidence)).ln();
    let mixture = ln_beta(s + 0.5, f + 0.5) - ln_beta(0.5, 0.5);
    let term = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
    let excluded = |p: f64| mixture - term(s, p) - term(f, 1.0 - p) >= needed;
    let share = s / n;
    // The martingale falls up to the share seen and rises after it.
    let edge = |mut inside: f64, mut outside: f64| {
        if !excluded(outside) {
            return outside;
        }
        for _ in 0..60 {
            let middle = 0.5 * (inside + outside);
            if excluded(middle) { outside = middle } else { inside = middle }
        }
        inside
    };
    (edge(share, 0.0), edge(share, 1.0))
}

/// For the mean of values in `range`, in the order in which they were drawn: the empirical Bernstein sequence with predictable
/// weights (Waudby-Smith and Ramdas, JRSS B 86, 2024, theorem 2). With x scaled to [0, 1],
/// Σ λ_i x_i / Σ λ_i ± (ln(2/α) + Σ 4 (x_i − m_{i−1})² ψ(λ_i)) / Σ λ_i, ψ(λ) = (−ln(1 − λ) − λ) / 4, and λ_i, m_{i−1} of the
/// values before x_i only. Exact at every n for bounded values whose mean given the past is always the same. The whole range
/// for no value.
pub fn bounded_sequence(values: &[f64], range: (f64, f64), confidence: f64) -> (f64, f64) {
    let (least, width) = (range.0, range.1 - range.0);
    let log = (2.0 / (1.0 - level(confidence))).ln();
    let (mut weights, mut weighted, mut spread) = (0.0, 0.0, 0.0);
    // Mean and variance so far, each begun as if one value of ½ had been seen at the largest variance.
    let (mut sum, mut squares, mut count) = (0.5, 0.25, 1.0);
    for value in values {
        let x = ((value - least) / width).clamp(0.0, 1.0);
        let (mean, variance): (f64, f64) = (sum / count, squares / count);
        let lambda = (2.0 * log / (variance * count * (1.0 + count).ln())).sqrt().min(0.5);
        weights += lambda;
        weighted += lambda * x;
        spread += (x - mean).powi(2) * (-(1.0 - lambda).ln() - lambda);
        count += 1.0;
        sum += x;
        squares += (x - sum / count).powi(2);
    }
    if weights == 0.0 {
        return range;
    }
    let (centre, half) = (weighted / weights, (log + spread) / weights);
    (least + width * (centre - half).max(0.0), least + width * (centre + half).min(1.0))
}

/// Items at which [`mean_sequence`] is tightest.
const TIGHTEST: f64 = 100.0;

/// For values without known limits: mean ± sd · √(2 (nρ² + 1) / (nρ)² · ln(√(nρ² + 1) / α)), the normal-mixture sequence
/// (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 52, 2024, theorem 2.2), with ρ chosen to be tightest
/// at 100 items. Asymptotic: the error holds in the limit of many items before the first look, as a t interval's does.
pub fn mean_sequence(mean: f64, sd: f64, n: f64, confidence: f64) -> (f64, f64) {
    let alpha = 1.0 - level(confidence);
    let log = -2.0 * alpha.ln();
    let rho2 = (log + (log + 1.0).ln()) / TIGHTEST;
    let grown = n * rho2 + 1.0;
    let half = sd * (2.0 * grown / (n * n * rho2) * (grown.sqrt() / alpha).ln()).sqrt();
    (mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::clopper_pearson;
    use temper_engine::Key;

    #[test]
    fn a_share_by_hand() {
        assert_eq!(share_sequence(0.0, 0.0, 0.95), (0.0, 1.0));
        // No success of n: B(½, n + ½) / B(½, ½) / (1 − p)^n = 20 at the upper end.
        let (low, high) = share_sequence(0.0, 30.0, 0.95);
        let mixture = (ln_beta(0.5, 30.5) - ln_beta(0.5, 0.5)).exp();
        assert!(low == 0.0 && (high - (1.0 - (mixture / 20.0).powf(1.0 / 30.0))).abs() < 1e-12, "{high}");
        // Wider than an interval for one look, and not by much.
        let (low, high) = share_sequence(60.0, 100.0, 0.95);
        let (a, b) = clopper_pearson(60, 100, 0.95);
        assert!(low < a && high > b && (high - low) < 1.6 * (b - a), "{low} {high} {a} {b}");
    }

    #[test]
    fn bounded_values() {
        assert_eq!(bounded_sequence(&[], (-1.0, 1.0), 0.95), (-1.0, 1.0));
        let few = bounded_sequence(&[0.0; 20], (-1.0, 1.0), 0.95);
        let many = bounded_sequence(&[0.0; 500], (-1.0, 1.0), 0.95);
        assert!(few.0 < many.0 && many.0 > -0.05 && many.1 < 0.05, "{few:?} {many:?}");
    }

    /// Share of `runs` in which any look at up to `most` items missed the truth.
    fn missed(
        runs: u64,
        most: usize,
        draw: impl Fn(Key) -> f64,
        truth: f64,
        look: impl Fn(&[f64]) -> (f64, f64),
    ) -> f64 {
        let wrong = (0..runs).filter(|run| {
            let key = Key::new(*run).fold_str("sequence");
            let values: Vec<f64> = (0..most).map(|i| draw(key.fold(i as u64))).collect();
            (1..=most).any(|n| {
                let (low, high) = look(&values[..n]);
                low > truth || high < truth
            })
        });
        wrong.count() as f64 / runs as f64
    }

    #[test]
    fn the_error_over_all_looks_stays_below_alpha() {
        // One look per item up to 300, α = 0.1, 400 runs each. An interval for one look misses far more often.
        let share = |p: f64| move |key: Key| f64::from(u8::from(key.uniform() < p));
        let by_share = |values: &[f64]| share_sequence(values.iter().sum(), values.len() as f64, 0.9);
        for p in [0.05, 0.3, 0.5, 0.9] {
            let error = missed(400, 300, share(p), p, by_share);
            assert!(error <= 0.1, "share {p}: {error}");
        }
        let naive = missed(400, 300, share(0.3), 0.3, |values| {
            crate::stats::wilson(values.iter().sum(), values.len() as f64, 0.9)
        });
        assert!(naive > 0.3, "{naive}");
        // Differences of pairs: mostly 0, sometimes ±1.
        let difference = |key: Key| match key.uniform() {
            u if u < 0.08 => -1.0,
            u if u < 0.2 => 1.0,
            _ => 0.0,
        };
        let error = missed(300, 300, difference, 0.04, |values| bounded_sequence(values, (-1.0, 1.0), 0.9));
        assert!(error <= 0.1, "differences: {error}");
        // Unbounded values, first looked at after 30.
        let error = missed(
            300,
            300,
            |key| 2.0 + 3.0 * key.normal(),
            2.0,
            |values| {
                if values.len() < 30 {
                    return (f64::NEG_INFINITY, f64::INFINITY);
                }
                let (mean, sd) = crate::stats::mean_sd(values).unwrap();
                mean_sequence(mean, sd, values.len() as f64, 0.9)
            },
        );
        assert!(error <= 0.1, "normal: {error}");
    }
}
