//! Estimators of the divergence from a reference policy, on tokens sampled from the policy.
//!
//! With u = log π − log π_ref (Schulman, "Approximating KL divergence", 2020): k1 = u, k2 = u²/2, k3 = e^{−u} + u − 1.

use super::bounded_exp;

/// k1 = u and d k1 / d log π. Its mean under π is the divergence; as a loss term its gradient is zero in expectation.
pub fn k1(logprob: f64, ref_logprob: f64) -> (f64, f64) {
    (logprob - ref_logprob, 1.0)
}

/// k2 = u²/2 and d k2 / d log π, whose mean under π is the gradient of the divergence.
pub fn k2(logprob: f64, ref_logprob: f64) -> (f64, f64) {
    let u = logprob - ref_logprob;
    (0.5 * u * u, u)
}

/// k3 = e^{−u} + u − 1 ≥ 0 and d k3 / d log π = 1 − e^{−u}: the KL term of GRPO (arXiv 2402.03300, eq. 4).
///
/// Where −u exceeds 20 the exponential continues along its tangent, so that one stray token cannot overflow the loss.
pub fn k3(logprob: f64, ref_logprob: f64) -> (f64, f64) {
    let u = logprob - ref_logprob;
    let (value, slope) = bounded_exp(-u);
    (value + u - 1.0, 1.0 - slope)
}

#[cfg(test)]
mod tests {
    use super::super::testing::close;
    use super::*;

    #[test]
    fn match_the_hand_computed_values() {
        for (u, two, three) in
            [(0.3, 0.045, 0.040_818), (-0.3, 0.045, 0.049_859), (2.0, 2.0, 1.135_335), (-2.0, 2.0, 4.389_056)]
        {
            close(k1(u - 1.0, -1.0).0, u, 1e-12);
            close(k2(u - 1.0, -1.0).0, two, 1e-6);
            close(k3(u - 1.0, -1.0).0, three, 1e-6);
        }
    }

    #[test]
    fn expectations_under_the_policy() {
        // π = (0.7, 0.3), reference = (0.5, 0.5): KL = 0.082283.
        let mean = |f: fn(f64, f64) -> (f64, f64)| {
            [(0.7f64, 0.5f64), (0.3, 0.5)].iter().map(|(p, q)| p * f(p.ln(), q.ln()).0).sum::<f64>()
        };
        close(mean(k1), 0.082_283, 1e-6);
        close(mean(k2), 0.078_766, 1e-6);
        close(mean(k3), 0.082_283, 1e-6);
    }

    #[test]
    fn zero_at_the_reference_and_slopes_by_finite_differences() {
        for f in [k1, k2, k3] {
            assert_eq!(f(-1.25, -1.25).0, 0.0);
            for u in [-25.0, -2.0, 0.4, 3.0] {
                let (h, at) = (1e-6, |d: f64| f(u + d, 0.0).0);
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                close(f(u, 0.0).1, numeric, 1e-6 * (1.0 + numeric.abs()));
            }
        }
        assert!(k3(-1e9, 0.0).0.is_finite());
    }
}
