//! Negative log-likelihood of supervised fine-tuning.

use super::TokenLoss;

/// Weighted negative log-likelihood, L = −(1/N) Σ w_t ℓ_t.
///
/// `logprobs` and `weights` have one entry per token of the sequence; a token of weight 0 is masked. `normaliser` is N,
/// the sum of the weights of every token of the optimizer step (with weights of 0 and 1 the number of trainable tokens).
/// With N = 0 loss and gradient are 0. The loss of TRL's `SFTTrainer` (`_chunked_cross_entropy_loss`), normalised by
/// `num_items_in_batch`.
pub fn nll(logprobs: &[f64], weights: &[f64], normaliser: f64) -> TokenLoss {
    let mut out = TokenLoss { loss: 0.0, grad: vec![0.0; logprobs.len()] };
    if normaliser <= 0.0 {
        return out;
    }
    for (t, (logprob, weight)) in logprobs.iter().zip(weights).enumerate() {
        if *weight != 0.0 {
            out.loss -= weight * logprob / normaliser;
            out.grad[t] = -weight / normaliser;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, close};
    use super::*;

    #[test]
    fn matches_the_hand_computed_value() {
        // Two trainable tokens of probability 1/2 and 1/4: −(ln 1/2 + ln 1/4)/2 = 1.039721.
        let logprobs = [0.1f64.ln(), 0.5f64.ln(), 0.25f64.ln()];
        let out = nll(&logprobs, &[0.0, 1.0, 1.0], 2.0);
        close(out.loss, 1.039_721, 1e-6);
        assert_eq!(out.grad, vec![0.0, -0.5, -0.5]);
        // Weights 1 and 3, N = 4: (ln 2 + 3 ln 4)/4 = 1.213008.
        close(nll(&logprobs, &[0.0, 1.0, 3.0], 4.0).loss, 1.213_008, 1e-6);
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        check_gradient(&[-0.3, -1.7, -2.2], |x| nll(x, &[1.0, 0.0, 0.5], 3.0));
    }

    #[test]
    fn an_empty_mask_gives_zero() {
        for normaliser in [0.0, 5.0] {
            let out = nll(&[-1.0, f64::NEG_INFINITY], &[0.0, 0.0], normaliser);
            assert_eq!(out.loss, 0.0);
            assert_eq!(out.grad, vec![0.0, 0.0]);
        }
    }

    #[test]
    fn accumulation_does_not_change_the_loss() {
        let rows: Vec<Vec<f64>> = (0..8).map(|i| (0..=i).map(|t| -0.1 * (t + i) as f64 - 0.05).collect()).collect();
        let n: f64 = rows.iter().map(|r| r.len() as f64).sum();
        let all: Vec<f64> = rows.concat();
        let whole = nll(&all, &vec![1.0; all.len()], n).loss;
        for size in [1, 2, 4] {
            let parts: f64 = rows.chunks(size).map(|c| nll(&c.concat(), &vec![1.0; c.concat().len()], n).loss).sum();
            close(parts, whole, 1e-12);
        }
    }
}
