//! Many tests at once.

/// Holm's adjusted p-values (1979): a test whose adjusted p is at most α is rejected, and the probability of any false rejection
/// among all is at most α, however the tests depend on each other. In the order of the input; what is not a number stays so
/// and counts as no test.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = rising(p);
    let m = order.len();
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut most: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        most = most.max(((m - rank) as f64 * p[at]).min(1.0));
        adjusted[at] = most;
    }
    adjusted
}

/// Benjamini and Hochberg's adjusted p-values (1995): of those that are at most q, an expected share of at most q is false, for
/// independent or positively dependent tests. In the order of the input; what is not a number stays so.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = rising(p);
    let m = order.len();
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut least: f64 = 1.0;
    for (rank, at) in order.into_iter().enumerate().rev() {
        least = least.min(m as f64 / (rank + 1) as f64 * p[at]);
        adjusted[at] = least;
    }
    adjusted
}

/// Positions of the numbers, smallest first.
fn rising(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).filter(|at| !p[*at].is_nan()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let p = [0.04, 0.01, f64::NAN, 0.03];
        let same = |found: Vec<f64>, expected: [f64; 4]| {
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan()), "{found:?}");
            }
        };
        same(holm(&p), [0.06, 0.03, f64::NAN, 0.06]);
        same(benjamini_hochberg(&p), [0.04, 0.03, f64::NAN, 0.04]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
    }
}
