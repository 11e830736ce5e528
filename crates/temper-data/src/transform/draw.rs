//! Draws that are functions of their key alone.

use crate::units::{hash_text, mix};

/// A stream of draws under one key.
pub(super) struct Draw {
    key: u64,
    counter: u64,
}

impl Draw {
    /// The stream of a seed, some names and a number.
    pub fn new(seed: u64, names: &[&str], index: u64) -> Self {
        let key = names.iter().fold(mix(seed ^ 0x7472_616e_7366_6f72), |key, name| mix(key ^ hash_text(name, 1)));
        Self { key: mix(key ^ mix(index)), counter: 0 }
    }

    fn bits(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key ^ mix(self.counter))
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: i128, high: i128) -> i128 {
        let span = (high - low + 1).max(1) as u128;
        low + ((u128::from(self.bits()) * span) >> 64) as i128
    }

    /// Puts items into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.between(0, i as i128) as usize);
        }
    }
}
