//! Counter-based randomness: every draw is a function of its key and its position.

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection on 64 bits that mixes well.
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of bytes, the same on every machine and in every version of the standard library.
pub(crate) fn hash_str(text: &str) -> u64 {
    text.bytes().fold(0x51_7c_c1_b7_27_22_0a_95, |h, b| mix(h ^ u64::from(b)))
}

/// A stream of draws under one key. Streams of different keys are independent of each other and of their order of use.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    key: u64,
    counter: u64,
}

impl Rng {
    /// The stream of a seed, a name and an index.
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        Self { key: mix(mix(mix(seed) ^ hash_str(name)) ^ index), counter: 0 }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key ^ mix(self.counter))
    }

    /// A number in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether an event of the given probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// An index below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// An index drawn with probability proportional to its weight.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        weights.iter().rposition(|w| *w > 0.0).unwrap_or(0)
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// `count` different indices below `n`, in random order.
    pub fn distinct(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_key() {
        let draw = |seed, name: &str, index| {
            let mut rng = Rng::new(seed, name, index);
            (0..8).map(|_| rng.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "a", 0), draw(1, "a", 0));
        for other in [draw(2, "a", 0), draw(1, "b", 0), draw(1, "a", 1)] {
            assert!(draw(1, "a", 0).iter().zip(&other).all(|(x, y)| x != y));
        }
    }

    #[test]
    fn draws_are_uniform_and_in_range() {
        let mut rng = Rng::new(3, "uniform", 0);
        let n = 20_000;
        let mean = (0..n).map(|_| rng.uniform()).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mut counts = [0usize; 5];
        for _ in 0..n {
            counts[rng.below(5)] += 1;
        }
        assert!(counts.iter().all(|c| (3_700..4_300).contains(c)), "{counts:?}");
        assert!((0..1000).all(|_| (-2..=2).contains(&rng.range(-2, 2))));
        let mut weighted = [0usize; 3];
        for _ in 0..n {
            weighted[rng.weighted(&[1.0, 0.0, 3.0])] += 1;
        }
        assert_eq!(weighted[1], 0);
        assert!((4_600..5_400).contains(&weighted[0]), "{weighted:?}");
        assert_eq!(rng.distinct(6, 6).iter().sum::<usize>(), 15);
    }
}
