//! Direct preference optimisation (arXiv 2305.18290).

use super::{TokenLoss, neg_log_sigmoid};

/// One completion's tokens; every slice has one entry per token.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// Log-probabilities under the policy that is trained.
    pub logprobs: &'a [f64],
    /// Log-probabilities under the reference.
    pub ref_logprobs: &'a [f64],
    /// Which tokens count.
    pub mask: &'a [bool],
}

impl Completion<'_> {
    /// log π/π_ref of the completion: the sum over the tokens that count.
    fn log_ratio(&self) -> f64 {
        let tokens = self.logprobs.iter().zip(self.ref_logprobs).zip(self.mask);
        tokens.filter(|(_, counts)| **counts).map(|((logprob, reference), _)| logprob - reference).sum()
    }

    fn loss(&self, loss: f64, slope: f64) -> TokenLoss {
        TokenLoss { loss, grad: self.mask.iter().map(|counts| if *counts { slope } else { 0.0 }).collect() }
    }
}

/// Loss of one pair, its gradient and what is logged about it.
#[derive(Clone, Debug, PartialEq)]
pub struct DpoLoss {
    /// The pair's share of the step's loss, and its gradient with respect to the chosen completion's log-probabilities.
    pub chosen: TokenLoss,
    /// The gradient with respect to the rejected completion's; its loss is 0, since that of the pair is with the chosen one.
    pub rejected: TokenLoss,
    /// β log π/π_ref of the chosen completion, its implicit reward.
    pub chosen_reward: f64,
    /// The same of the rejected completion.
    pub rejected_reward: f64,
}

/// Loss of one pair: weight × −log σ(β (Δ_c − Δ_r)), Δ = Σ_t m_t (ℓ_t − ℓ_ref,t).
///
/// `weight` is 1 over the pairs of the optimizer step. A masked token has exactly zero gradient. The `sigmoid` loss of TRL's
/// `DPOTrainer._compute_loss`.
pub fn dpo(chosen: &Completion, rejected: &Completion, beta: f64, weight: f64) -> DpoLoss {
    let (chosen_reward, rejected_reward) = (beta * chosen.log_ratio(), beta * rejected.log_ratio());
    let (loss, slope) = neg_log_sigmoid(chosen_reward - rejected_reward);
    let slope = weight * beta * slope;
    DpoLoss {
        chosen: chosen.loss(weight * loss, slope),
        rejected: rejected.loss(0.0, -slope),
        chosen_reward,
        rejected_reward,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, close};
    use super::*;

    #[test]
    fn matches_the_hand_computed_values() {
        let (reference, mask) = ([-1.0, -2.0], [true, true]);
        let chosen = Completion { logprobs: &[-0.5, -1.0], ref_logprobs: &reference, mask: &mask };
        let rejected = Completion { logprobs: &[-1.5, -2.0], ref_logprobs: &reference, mask: &mask };
        // Log-ratios 1.5 and −0.5: −log σ(0.5 × 2) = ln(1 + e^−1) = 0.313262, slope −σ(−1) = −0.268941.
        let out = dpo(&chosen, &rejected, 0.5, 0.25);
        close(out.chosen.loss, 0.25 * 0.313_262, 1e-6);
        assert_eq!(out.rejected.loss, 0.0);
        close(out.chosen.grad[0], -0.25 * 0.5 * 0.268_941, 1e-6);
        assert_eq!(out.rejected.grad, vec![-out.chosen.grad[0]; 2]);
        assert_eq!((out.chosen_reward, out.rejected_reward), (0.75, -0.25));
        // The reference itself: ln 2.
        let same = Completion { logprobs: &reference, ref_logprobs: &reference, mask: &mask };
        close(dpo(&same, &same, 0.1, 1.0).chosen.loss, std::f64::consts::LN_2, 1e-12);
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        let reference = [-0.7, -1.2, -0.4, -2.0, -0.9];
        let mask = [true, false, true, true, true];
        check_gradient(&[-0.3, -1.7, -2.2, -0.5, -1.4], |x| {
            let part = |at: std::ops::Range<usize>| Completion {
                logprobs: &x[at.clone()],
                ref_logprobs: &reference[at.clone()],
                mask: &mask[at],
            };
            let out = dpo(&part(0..3), &part(3..5), 0.3, 0.5);
            TokenLoss { loss: out.chosen.loss + out.rejected.loss, grad: [out.chosen.grad, out.rejected.grad].concat() }
        });
    }

    #[test]
    fn masked_tokens_and_empty_masks_are_exactly_zero() {
        let empty = Completion { logprobs: &[f64::NEG_INFINITY], ref_logprobs: &[-1.0], mask: &[false] };
        let out = dpo(&empty, &empty, 0.1, 1.0);
        close(out.chosen.loss, std::f64::consts::LN_2, 1e-12);
        assert_eq!((out.chosen.grad, out.rejected.grad), (vec![0.0], vec![0.0]));
    }

    #[test]
    fn extreme_ratios_stay_finite() {
        for logprob in [-1e8, 1e8] {
            let far = Completion { logprobs: &[logprob], ref_logprobs: &[-1.0], mask: &[true] };
            let near = Completion { logprobs: &[-1.0], ref_logprobs: &[-1.0], mask: &[true] };
            let out = dpo(&far, &near, 0.1, 1.0);
            assert!(out.chosen.loss.is_finite() && out.chosen.grad[0].is_finite());
        }
    }
}
