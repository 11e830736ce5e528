//! Stages, pure loss functions, rollouts, schedules.
