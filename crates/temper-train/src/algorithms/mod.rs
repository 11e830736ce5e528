//! Training algorithms as pure functions.
//!
//! An algorithm maps the log-probabilities of one sequence's tokens, and what rides along (weights, advantages, old and
//! reference log-probabilities), to a loss and its gradient with respect to those log-probabilities. It knows no model and
//! no file. Normalisers are global (over the whole optimizer step) and are given, so that the loss of a step is the sum of
//! the losses of its sequences however they are split into micro-batches, and terms with different normalisers add up.

pub mod advantage;
pub mod dpo;
pub mod grpo;
pub mod kl;
pub mod reward;
pub mod sft;

/// A loss over the tokens of one sequence and its gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLoss {
    /// The sequence's share of the step's loss.
    pub loss: f64,
    /// d loss / d logprob of each token; exactly zero where a token is masked.
    pub grad: Vec<f64>,
}

/// Exponent above which [`bounded_exp`] continues linearly.
const EXPONENT_LIMIT: f64 = 20.0;

/// `exp(x)` and its derivative; above x = 20 the tangent at 20 takes over, so that neither overflows.
pub(crate) fn bounded_exp(x: f64) -> (f64, f64) {
    if x <= EXPONENT_LIMIT {
        let e = x.exp();
        (e, e)
    } else {
        let e = EXPONENT_LIMIT.exp();
        (e * (1.0 + x - EXPONENT_LIMIT), e)
    }
}

/// `−log σ(x)` and its derivative, `−σ(−x)`; neither overflows.
pub(crate) fn neg_log_sigmoid(x: f64) -> (f64, f64) {
    let e = (-x.abs()).exp();
    let sigmoid_of_minus = if x >= 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
    (e.ln_1p() + (-x).max(0.0), -sigmoid_of_minus)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::TokenLoss;

    /// Asserts that `a` and `b` differ by at most `tolerance`.
    pub fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    /// Compares the gradient of `f` with central finite differences at `x`.
    pub fn check_gradient(x: &[f64], f: impl Fn(&[f64]) -> TokenLoss) {
        let (grad, h) = (f(x).grad, 1e-6);
        assert_eq!(grad.len(), x.len());
        for i in 0..x.len() {
            let at = |d: f64| {
                let mut moved = x.to_vec();
                moved[i] += d;
                f(&moved).loss
            };
            let numeric = (at(h) - at(-h)) / (2.0 * h);
            close(grad[i], numeric, 1e-7 * (1.0 + numeric.abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{bounded_exp, neg_log_sigmoid};

    #[test]
    fn the_log_sigmoid_is_exact_at_both_ends() {
        assert_eq!(neg_log_sigmoid(0.0), (std::f64::consts::LN_2, -0.5));
        assert_eq!(neg_log_sigmoid(1e4), (0.0, -0.0));
        assert_eq!(neg_log_sigmoid(-1e4), (1e4, -1.0));
        assert!((neg_log_sigmoid(-1.5).0 - (1.0 + 1.5f64.exp()).ln()).abs() < 1e-15);
    }

    #[test]
    fn the_exponential_stays_finite_and_continuous() {
        assert_eq!(bounded_exp(0.0), (1.0, 1.0));
        let (below, above) = (bounded_exp(20.0), bounded_exp(20.0 + 1e-9));
        assert!((below.0 - above.0).abs() < 2.0 && below.1 == above.1);
        assert!(bounded_exp(1e6).0.is_finite());
    }
}
