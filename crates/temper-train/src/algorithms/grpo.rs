//! The clipped policy loss of GRPO and its reductions.
//!
//! DeepSeekMath (arXiv 2402.03300), Dr. GRPO (2503.20783), DAPO (2503.14476), in the form of TRL's
//! `GRPOTrainer._compute_loss`.

use super::{TokenLoss, bounded_exp, kl};

/// How token losses become the loss of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Mean over completions of the mean over their tokens.
    Grpo,
    /// Sum over tokens, divided by completions × longest allowed completion.
    DrGrpo,
    /// Sum over tokens, divided by the trainable tokens of the step.
    Dapo,
}

/// Counts over the whole optimizer step that [`Reduction::weight`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTotals {
    /// Completions, masked ones included.
    pub completions: usize,
    /// Trainable tokens.
    pub tokens: usize,
    /// Longest allowed completion in tokens.
    pub max_completion_length: usize,
}

impl Reduction {
    /// The factor on each token's loss for a completion of `tokens` trainable tokens.
    pub fn weight(self, totals: &StepTotals, tokens: usize) -> f64 {
        let divisor = match self {
            Self::Grpo => totals.completions.max(1) * tokens.max(1),
            Self::DrGrpo => totals.completions.max(1) * totals.max_completion_length.max(1),
            Self::Dapo => totals.tokens.max(1),
        };
        1.0 / divisor as f64
    }
}

/// Clip range of the ratio and strength of the reference term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The ratio is clipped below at 1 − ε.
    pub epsilon_low: f64,
    /// The ratio is clipped above at 1 + ε_high.
    pub epsilon_high: f64,
    /// Factor of the k3 term; 0 without a reference.
    pub beta: f64,
    /// Whether the k3 term is multiplied by the ratio π/π_old, so that its gradient is that of KL(π‖π_ref)
    /// (DeepSeek-V3.2, arXiv 2512.02556; TRL's `use_bias_correction_kl`).
    pub bias_correction: bool,
}

/// One completion's tokens; every slice has one entry per token.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// Log-probabilities under the policy that is trained.
    pub logprobs: &'a [f64],
    /// Log-probabilities under the policy that sampled.
    pub old_logprobs: &'a [f64],
    /// Log-probabilities under the reference, needed where β is not 0.
    pub ref_logprobs: Option<&'a [f64]>,
    /// Which tokens count.
    pub mask: &'a [bool],
    /// The completion's advantage.
    pub advantage: f64,
}

/// Loss, gradient and what is logged about a completion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrpoLoss {
    /// Loss and its gradient with respect to `logprobs`.
    pub token_loss: TokenLoss,
    /// Trainable tokens.
    pub tokens: usize,
    /// Sum of the (corrected) k3 over them; 0 without a reference.
    pub kl_sum: f64,
    /// Tokens with a negative advantage whose ratio is below the range.
    pub clipped_low: usize,
    /// Tokens with a positive advantage whose ratio is above the range.
    pub clipped_high: usize,
}

/// Loss of one completion: weight × Σ_t m_t [ −min(c₁A, c₂A) + β k3 ], c₁ = π/π_old, c₂ = c₁ clipped;
/// the k3 term times c₁ with `bias_correction`.
///
/// `weight` is [`Reduction::weight`]. A masked token has exactly zero gradient. Above a log-ratio of 20 the exponential
/// continues along its tangent.
pub fn grpo(completion: &Completion, objective: &Objective, weight: f64) -> GrpoLoss {
    let (low, high) = (1.0 - objective.epsilon_low, 1.0 + objective.epsilon_high);
    let advantage = completion.advantage;
    let mut out = GrpoLoss::default();
    out.token_loss.grad = vec![0.0; completion.logprobs.len()];
    for (t, &logprob) in completion.logprobs.iter().enumerate() {
        if !completion.mask[t] {
            continue;
        }
        let (ratio, slope) = bounded_exp(logprob - completion.old_logprobs[t]);
        let clipped = ratio.clamp(low, high);
        // The minimum is the unclipped term, with its gradient, unless clipping makes it larger.
        let (surrogate, mut grad) = if ratio * advantage <= clipped * advantage {
            (ratio * advantage, -slope * advantage)
        } else {
            (clipped * advantage, 0.0)
        };
        let mut loss = -surrogate;
        if let (true, Some(ref_logprobs)) = (objective.beta != 0.0, completion.ref_logprobs) {
            let (mut value, mut kl_slope) = kl::k3(logprob, ref_logprobs[t]);
            if objective.bias_correction {
                (value, kl_slope) = (value * ratio, kl_slope * ratio + value * slope);
            }
            loss += objective.beta * value;
            grad += objective.beta * kl_slope;
            out.kl_sum += value;
        }
        out.token_loss.loss += weight * loss;
        out.token_loss.grad[t] = weight * grad;
        out.tokens += 1;
        out.clipped_low += usize::from(ratio < low && advantage < 0.0);
        out.clipped_high += usize::from(ratio > high && advantage > 0.0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, close};
    use super::*;

    const OBJECTIVE: Objective = Objective { epsilon_low: 0.2, epsilon_high: 0.28, beta: 0.0, bias_correction: false };
    const REDUCTIONS: [Reduction; 3] = [Reduction::Grpo, Reduction::DrGrpo, Reduction::Dapo];

    fn one(ratio: f64, advantage: f64) -> GrpoLoss {
        let logprob = [-1.0 + ratio.ln()];
        let completion =
            Completion { logprobs: &logprob, old_logprobs: &[-1.0], ref_logprobs: None, mask: &[true], advantage };
        grpo(&completion, &OBJECTIVE, 1.0)
    }

    #[test]
    fn match_the_hand_computed_values() {
        for (ratio, advantage, loss, low, high) in
            [(1.5, 1.0, -1.28, 0, 1), (1.5, -1.0, 1.5, 0, 0), (0.5, 1.0, -0.5, 0, 0), (0.5, -1.0, 0.8, 1, 0)]
        {
            let out = one(ratio, advantage);
            close(out.token_loss.loss, loss, 1e-12);
            assert_eq!((out.clipped_low, out.clipped_high), (low, high));
            // Clipped terms have no gradient.
            assert_eq!(out.token_loss.grad[0] == 0.0, low + high > 0);
        }
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        let old = [-1.0, -0.7, -2.0, -0.2, -3.0];
        let reference = [-1.3, -0.4, -2.5, -0.2, -1.0];
        let mask = [true, true, false, true, true];
        for advantage in [1.3, -0.7] {
            for (beta, bias_correction) in [(0.0, false), (0.1, false), (0.1, true)] {
                check_gradient(&[-0.9, -1.4, -0.5, -0.1, -2.5], |x| {
                    let completion = Completion {
                        logprobs: x,
                        old_logprobs: &old,
                        ref_logprobs: Some(&reference),
                        mask: &mask,
                        advantage,
                    };
                    grpo(&completion, &Objective { beta, bias_correction, ..OBJECTIVE }, 0.25).token_loss
                });
            }
        }
    }

    #[test]
    fn on_policy_gradient_is_that_of_reinforce() {
        let logprobs = [-0.5, -1.5];
        let completion = Completion {
            logprobs: &logprobs,
            old_logprobs: &logprobs,
            ref_logprobs: Some(&logprobs),
            mask: &[true, true],
            advantage: 0.8,
        };
        let out = grpo(&completion, &Objective { beta: 0.1, ..OBJECTIVE }, 0.5);
        // −A/2 per token: the gradient of −A (ℓ_1 + ℓ_2)/2. Nothing is clipped and the divergence is 0.
        assert_eq!(out.token_loss.grad, vec![-0.4, -0.4]);
        assert_eq!((out.clipped_low, out.clipped_high, out.kl_sum), (0, 0, 0.0));
    }

    #[test]
    fn masked_tokens_and_empty_masks_are_exactly_zero() {
        let completion = Completion {
            logprobs: &[-1.0, f64::NEG_INFINITY],
            old_logprobs: &[-2.0, -1.0],
            ref_logprobs: None,
            mask: &[false, false],
            advantage: 3.0,
        };
        let totals = StepTotals { completions: 1, tokens: 0, max_completion_length: 2 };
        for reduction in REDUCTIONS {
            let out = grpo(&completion, &OBJECTIVE, reduction.weight(&totals, 0));
            assert_eq!((out.token_loss.loss, out.tokens), (0.0, 0));
            assert_eq!(out.token_loss.grad, vec![0.0, 0.0]);
        }
    }

    #[test]
    fn reductions_weigh_long_and_short_completions_as_named() {
        let totals = StepTotals { completions: 2, tokens: 4, max_completion_length: 8 };
        assert_eq!(Reduction::Grpo.weight(&totals, 1), 0.5);
        close(Reduction::Grpo.weight(&totals, 3), 1.0 / 6.0, 1e-15);
        assert_eq!(Reduction::DrGrpo.weight(&totals, 3), 1.0 / 16.0);
        assert_eq!(Reduction::Dapo.weight(&totals, 3), 0.25);
    }

    #[test]
    fn extreme_ratios_stay_finite() {
        for advantage in [1.0, -1.0] {
            let out = one(1e300, advantage);
            assert!(out.token_loss.loss.is_finite() && out.token_loss.grad[0].is_finite());
        }
    }
}
