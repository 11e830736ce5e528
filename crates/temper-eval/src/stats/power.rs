//! What a number of items can show, before they are sampled.

use super::normal_quantile;

/// The power that plans are made for.
pub const POWER: f64 = 0.8;
/// Correlation of an item's scores on two checkpoints that a plan assumes.
pub const CORRELATION: f64 = 0.5;

/// The smallest effect that `n` items of standard deviation `sd` show with probability `power`, where a two-sided interval at
/// `confidence` decides: (z_confidence + z_power) · sd / √n.
///
/// For a bound the effect is the distance of the true value from the bound, and `sd` that of an item. For a comparison it is the
/// true difference, and for non-inferiority the margin that is shown when there is no true difference; `sd` is that of an item's
/// difference in both.
pub fn detectable(sd: f64, n: f64, confidence: f64, power: f64) -> f64 {
    quantiles(confidence, power) * sd / n.sqrt()
}

/// The items that show an effect: (z_confidence + z_power)² · sd² / effect², rounded up. `None` when the effect is zero or not
/// a number.
pub fn items_for_effect(sd: f64, effect: f64, confidence: f64, power: f64) -> Option<usize> {
    let n = (quantiles(confidence, power) * sd / effect).powi(2);
    (n.is_finite() && n < 1e15).then(|| n.ceil().max(1.0) as usize)
}

fn quantiles(confidence: f64, power: f64) -> f64 {
    // The two-sided quantile of 2·power − 1 is the one-sided one of power.
    normal_quantile(confidence) + normal_quantile((2.0 * power - 1.0).max(0.0))
}

/// Standard deviation of an item that is 1 with probability `share`, else 0.
pub fn share_sd(share: f64) -> f64 {
    (share * (1.0 - share)).max(0.0).sqrt()
}

/// Standard deviation of the difference of two values with standard deviations `a` and `b` and this correlation.
pub fn difference_sd(a: f64, b: f64, correlation: f64) -> f64 {
    (a * a + b * b - 2.0 * correlation * a * b).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampled::pairs_for_power;

    #[test]
    fn by_hand() {
        // (1.959964 + 0.841621) · 0.5 / √300
        assert!((detectable(0.5, 300.0, 0.95, 0.8) - 0.080875).abs() < 1e-6);
        assert_eq!((share_sd(0.5), difference_sd(0.5, 0.5, 0.5), difference_sd(0.5, 0.5, 1.0)), (0.5, 0.5, 0.0));
        let needed = items_for_effect(0.5, 0.05, 0.95, 0.8).unwrap();
        assert_eq!(needed, 785);
        assert_eq!(needed as f64, pairs_for_power(0.25, 0.05, 0.95, 0.8).ceil());
        assert!(detectable(0.5, needed as f64, 0.95, 0.8) <= 0.05);
        assert_eq!(items_for_effect(0.5, 0.0, 0.95, 0.8), None);
    }
}
