//! The learning rate over a stage.

use temper_recipe::{Optim, Scheduler};

/// Learning rate at `progress`, the share of the stage in [0, 1] that lies behind the step.
///
/// Rises from 0 over the first `warmup_ratio` of the stage, then follows the scheduler: constant, a line to 0, or half a
/// cosine to 0. With `progress = step / max_steps` these are the schedules `constant_with_warmup`, `linear` and `cosine` of
/// `transformers`.
pub fn learning_rate(optim: &Optim, progress: f64) -> f64 {
    let (progress, warmup) = (progress.clamp(0.0, 1.0), optim.warmup_ratio.clamp(0.0, 1.0));
    if progress < warmup {
        return optim.learning_rate * progress / warmup;
    }
    let after = if warmup < 1.0 { (progress - warmup) / (1.0 - warmup) } else { 0.0 };
    let factor = match optim.lr_scheduler_type {
        Scheduler::Constant => 1.0,
        Scheduler::Linear => 1.0 - after,
        Scheduler::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * after).cos()),
    };
    optim.learning_rate * factor.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::testing::close;

    fn at(scheduler: Scheduler, warmup_ratio: f64, step: usize, max_steps: usize) -> f64 {
        let optim = Optim {
            learning_rate: 2.0,
            lr_scheduler_type: scheduler,
            warmup_ratio,
            max_grad_norm: 1.0,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            adam_state: temper_recipe::AdamState::F32,
            lora: None,
        };
        learning_rate(&optim, step as f64 / max_steps as f64)
    }

    #[test]
    fn agree_with_transformers() {
        // get_{constant_with_warmup,linear,cosine}_schedule_with_warmup, 10 steps of which 2 warm up, peak 2.
        let constant = [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
        let linear = [0.0, 1.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25];
        let cosine = [0.0, 1.0, 2.0, 1.923_879_5, 1.707_106_8, 1.382_683_4, 1.0, 0.617_316_6, 0.292_893_2, 0.076_120_5];
        for step in 0..10 {
            close(at(Scheduler::Constant, 0.2, step, 10), constant[step], 1e-7);
            close(at(Scheduler::Linear, 0.2, step, 10), linear[step], 1e-7);
            close(at(Scheduler::Cosine, 0.2, step, 10), cosine[step], 1e-7);
        }
    }

    #[test]
    fn starts_at_the_peak_without_warm_up_and_ends_at_zero() {
        for scheduler in [Scheduler::Linear, Scheduler::Cosine] {
            assert_eq!(at(scheduler, 0.0, 0, 10), 2.0);
            close(at(scheduler, 0.0, 10, 10), 0.0, 1e-12);
            close(at(scheduler, 0.3, 12, 10), 0.0, 1e-12);
        }
        assert_eq!(at(Scheduler::Constant, 1.0, 5, 10), 1.0);
    }
}
