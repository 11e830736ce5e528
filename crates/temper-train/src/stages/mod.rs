//! The stages: each turns a checkpoint into a checkpoint, or into data.

mod grpo;
mod grpo_log;
mod pretrain;
mod reject;
mod sft;

pub use grpo::run_grpo;
pub use pretrain::pretrain;
pub use reject::{RejectReport, run_reject};
pub(crate) use sft::lengths;
pub use sft::{encode_notes, encode_rows, run_sft, run_sft_on, sft_encoding};

use temper_data::order;

/// An endless stream of shuffled epochs over `len` things; a place in it is a number.
struct Epochs {
    len: usize,
    seed: u64,
    epoch: u64,
    order: Vec<usize>,
}

impl Epochs {
    fn new(len: usize, seed: u64) -> Self {
        Self { len, seed, epoch: 0, order: order(len, seed, 0) }
    }

    /// The thing at place `cursor`.
    fn at(&mut self, cursor: u64) -> usize {
        let epoch = cursor / self.len as u64;
        if epoch != self.epoch {
            (self.epoch, self.order) = (epoch, order(self.len, self.seed, epoch));
        }
        self.order[(cursor % self.len as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_everything_once_in_its_own_order() {
        let mut epochs = Epochs::new(10, 3);
        let mut first: Vec<usize> = (0..10).map(|c| epochs.at(c)).collect();
        let mut second: Vec<usize> = (10..20).map(|c| epochs.at(c)).collect();
        assert_ne!(first, second);
        assert_eq!(first[4], epochs.at(4));
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        assert_eq!(first, second);
    }
}
