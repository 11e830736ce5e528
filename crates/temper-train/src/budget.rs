//! What a stage costs.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// What was spent: additive, except for the peak of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Tokens drawn from a model (completion tokens, stop tokens included).
    pub tokens_sampled: u64,
    /// Tokens that went through a training forward and backward pass, prompts included.
    pub tokens_trained: u64,
    /// Floating-point operations of training, sampling and scoring with a model, by the model's analytic count.
    pub flops: f64,
    /// Elapsed time in seconds.
    pub wall_seconds: f64,
    /// Largest resident memory of the process in bytes.
    pub peak_memory_bytes: u64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.tokens_sampled += other.tokens_sampled;
        self.tokens_trained += other.tokens_trained;
        self.flops += other.flops;
        self.wall_seconds += other.wall_seconds;
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
    }
}

impl Add for Cost {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_and_the_peak_is_the_larger_one() {
        let a = Cost { tokens_sampled: 1, tokens_trained: 2, flops: 3.0, wall_seconds: 4.0, peak_memory_bytes: 9 };
        let b = Cost { peak_memory_bytes: 5, ..a };
        let sum: Cost = [a, b].into_iter().sum();
        assert_eq!((sum.tokens_sampled, sum.tokens_trained, sum.peak_memory_bytes), (2, 4, 9));
        assert_eq!((sum.flops, sum.wall_seconds), (6.0, 8.0));
    }
}
