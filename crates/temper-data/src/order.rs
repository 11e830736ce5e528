//! The order in which training visits rows.

use crate::units::mix;

/// A permutation of `0..n` for one pass over the data: a pure function of its arguments.
///
/// Each position gets a key from (seed, epoch, position), and the positions are sorted by key.
pub fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let stream = mix(mix(seed) ^ epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut keyed: Vec<(u64, usize)> = (0..n).map(|i| (mix(stream.wrapping_add(i as u64)), i)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, i)| i).collect()
}

/// A permutation of `0..n` that gives any position without making the others, in constant memory.
///
/// A Feistel network of [`ROUNDS`] rounds (Luby and Rackoff 1988) permutes the least even number of bits that holds `n`; a
/// value outside goes through again until it is inside (cycle walking, Black and Rogaway 2002), four times at most on
/// average. Not the same permutation as [`order`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    n: u64,
    /// Bits of each half.
    half: u32,
    keys: [u64; ROUNDS],
}

const ROUNDS: usize = 6;

impl Shuffle {
    /// The permutation for one pass over `n` rows: a pure function of its arguments.
    pub fn new(n: u64, seed: u64, epoch: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let stream = mix(mix(seed) ^ epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut keys = [0; ROUNDS];
        for (round, key) in keys.iter_mut().enumerate() {
            *key = mix(stream.wrapping_add(round as u64));
        }
        Self { n, half: bits.div_ceil(2).max(1), keys }
    }

    /// The row at position `i`; `None` from `n` on.
    pub fn at(&self, i: u64) -> Option<u64> {
        if i >= self.n {
            return None;
        }
        let mask = (1u64 << self.half) - 1;
        let mut x = i;
        loop {
            let (mut left, mut right) = (x >> self.half, x & mask);
            for key in self.keys {
                (left, right) = (right, left ^ (mix(key ^ right) & mask));
            }
            x = left << self.half | right;
            if x < self.n {
                return Some(x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_that_depends_on_seed_and_epoch() {
        let one = order(1000, 7, 0);
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_eq!(one, order(1000, 7, 0));
        assert_ne!(one, order(1000, 7, 1));
        assert_ne!(one, order(1000, 8, 0));
        assert!(order(0, 7, 0).is_empty());
    }

    #[test]
    fn every_row_comes_equally_early() {
        let mut sums = [0usize; 10];
        for epoch in 0..5000 {
            for (at, row) in order(10, 3, epoch).into_iter().enumerate() {
                sums[row] += at;
            }
        }
        for sum in sums {
            let mean = sum as f64 / 5000.0;
            assert!((mean - 4.5).abs() < 0.2, "{mean}");
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_seed_and_epoch() {
        for n in (0..70).chain([255, 256, 257, 1000, 4097]) {
            let shuffle = Shuffle::new(n, 7, 0);
            let mut rows: Vec<u64> = (0..n).map(|i| shuffle.at(i).unwrap()).collect();
            rows.sort_unstable();
            assert_eq!(rows, (0..n).collect::<Vec<_>>(), "{n}");
            assert_eq!((shuffle.at(n), shuffle.at(u64::MAX)), (None, None));
        }
        let rows = |seed, epoch| (0..1000).map(|i| Shuffle::new(1000, seed, epoch).at(i).unwrap()).collect::<Vec<_>>();
        assert_eq!(rows(7, 0), rows(7, 0));
        assert_ne!(rows(7, 0), rows(7, 1));
        assert_ne!(rows(7, 0), rows(8, 0));
        assert!(Shuffle::new(u64::MAX, 1, 1).at(5).is_some());
    }

    #[test]
    fn a_shuffle_puts_every_row_everywhere_equally_often() {
        // χ² over the 10 × 10 counts of row and position has 81 degrees of freedom: mean 81, deviation 13.
        let mut counts = [[0f64; 10]; 10];
        for epoch in 0..10_000 {
            let shuffle = Shuffle::new(10, 3, epoch);
            for (at, row) in counts.iter_mut().enumerate() {
                row[shuffle.at(at as u64).unwrap() as usize] += 1.0;
            }
        }
        let chi: f64 = counts.iter().flatten().map(|count| (count - 1000.0).powi(2) / 1000.0).sum();
        assert!((30.0..150.0).contains(&chi), "{chi}");
        // Neighbours do not stay neighbours: of 10,000 rows about one next pair follows on.
        let shuffle = Shuffle::new(10_000, 5, 0);
        let follows = (0..9_999).filter(|i| shuffle.at(i + 1).unwrap() == shuffle.at(*i).unwrap() + 1).count();
        assert!(follows < 8, "{follows}");
    }
}
