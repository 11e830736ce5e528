//! The pairwise loss of reward models.

use super::neg_log_sigmoid;

/// Constants of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// Factor of (r_c + r_r)², which keeps rewards around 0; 0: off. TRL's `center_rewards_coefficient`.
    pub center: f64,
}

/// Loss of one pair and its derivatives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RewardLoss {
    /// The pair's share of the step's loss.
    pub loss: f64,
    /// d loss / d reward of the chosen completion.
    pub chosen_grad: f64,
    /// d loss / d reward of the rejected completion.
    pub rejected_grad: f64,
    /// Whether the chosen completion has the higher reward.
    pub correct: bool,
}

/// Loss of one pair: weight × [ −log σ(r_c − r_r − margin) + center (r_c + r_r)² ].
///
/// The model of Bradley and Terry as in arXiv 2203.02155 (equation 1), with the margin of Llama 2 (arXiv 2307.09288,
/// equation 2; 0: none) and centring as in arXiv 2312.09244. `weight` is 1 over the pairs of the optimizer step. The loss of
/// TRL's `RewardTrainer.compute_loss`.
pub fn bradley_terry(chosen: f64, rejected: f64, margin: f64, objective: &Objective, weight: f64) -> RewardLoss {
    let (loss, slope) = neg_log_sigmoid(chosen - rejected - margin);
    let sum = chosen + rejected;
    let center = 2.0 * objective.center * sum;
    RewardLoss {
        loss: weight * (loss + objective.center * sum * sum),
        chosen_grad: weight * (slope + center),
        rejected_grad: weight * (center - slope),
        correct: chosen > rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::TokenLoss;
    use super::super::testing::{check_gradient, close};
    use super::*;

    #[test]
    fn matches_the_hand_computed_values() {
        let plain = Objective::default();
        // Equal rewards: ln 2, and each moves with half of the weight.
        let out = bradley_terry(0.7, 0.7, 0.0, &plain, 0.5);
        close(out.loss, 0.346_574, 1e-6);
        assert_eq!((out.chosen_grad, out.rejected_grad, out.correct), (-0.25, 0.25, false));
        // ln(1 + e^−2) = 0.126928; a margin of 2 takes the lead away.
        let out = bradley_terry(1.5, -0.5, 0.0, &plain, 1.0);
        close(out.loss, 0.126_928, 1e-6);
        assert!(out.correct);
        close(bradley_terry(1.5, -0.5, 2.0, &plain, 1.0).loss, std::f64::consts::LN_2, 1e-12);
        close(bradley_terry(1.5, -0.5, 0.0, &Objective { center: 0.1 }, 1.0).loss, 0.226_928, 1e-6);
    }

    #[test]
    fn gradient_agrees_with_finite_differences() {
        for (margin, center) in [(0.0, 0.0), (0.4, 0.01)] {
            check_gradient(&[0.3, 1.1], |x| {
                let out = bradley_terry(x[0], x[1], margin, &Objective { center }, 0.25);
                TokenLoss { loss: out.loss, grad: vec![out.chosen_grad, out.rejected_grad] }
            });
        }
    }

    #[test]
    fn a_constant_added_to_both_rewards_changes_nothing() {
        let plain = Objective::default();
        let (a, b) = (bradley_terry(0.25, -0.5, 0.0, &plain, 1.0), bradley_terry(8.25, 7.5, 0.0, &plain, 1.0));
        assert_eq!(a, b);
    }

    #[test]
    fn extreme_rewards_stay_finite() {
        for lead in [1e6, -1e6] {
            let out = bradley_terry(lead, 0.0, 0.0, &Objective::default(), 1.0);
            assert!(out.loss.is_finite() && out.chosen_grad.is_finite());
        }
    }
}
