//! Counter-based randomness: a draw is a pure function of its key, so it depends on no hidden state, order or thread.

/// A key from which random values are drawn. Fold in whatever identifies the draw (stage, step, prompt, sample,
/// position); equal keys give equal draws, different keys give independent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub [u64; 2]);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Self {
        Key([mix(seed.wrapping_add(GOLDEN)), mix(seed ^ 0xD1B5_4A32_D192_ED03)])
    }

    /// The child key for `x`.
    #[must_use]
    pub fn fold(self, x: u64) -> Self {
        let [a, b] = self.0;
        let c = mix(a ^ mix(x.wrapping_add(GOLDEN)));
        let d = mix(b.wrapping_add(c.rotate_left(32)) ^ x.wrapping_mul(0x2545_F491_4F6C_DD1D));
        Key([c.wrapping_add(mix(d ^ GOLDEN)), d])
    }

    /// The child key for a word.
    #[must_use]
    pub fn fold_str(self, text: &str) -> Self {
        let mut key = self.fold(text.len() as u64 ^ 0x7374_7269_6E67);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            key = key.fold(u64::from_le_bytes(word));
        }
        key
    }

    /// 64 uniform bits.
    pub fn bits(self) -> u64 {
        let [a, b] = self.0;
        mix(a.wrapping_add(mix(b ^ GOLDEN).rotate_left(17)))
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn uniform(self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A standard normal number (Box and Muller, 1958).
    pub fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.fold(0).uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fold(1).uniform()).cos()
    }
}

/// A random permutation of `0..n` (Fisher and Yates).
pub fn shuffle(n: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let wide = u128::from(key.fold(i as u64).bits()) * (i as u128 + 1);
        order.swap(i, (wide >> 64) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_functions_of_the_key() {
        let key = Key::new(7).fold(3).fold_str("rollout");
        assert_eq!(key.bits(), Key::new(7).fold(3).fold_str("rollout").bits());
        assert_ne!(key.bits(), Key::new(8).fold(3).fold_str("rollout").bits());
        assert_ne!(key.fold(1).fold(2).bits(), key.fold(2).fold(1).bits());
        assert_ne!(key.fold_str("a").bits(), key.fold_str("a\0").bits());
    }

    #[test]
    fn uniform_and_normal_have_the_right_moments() {
        let n = 200_000;
        let key = Key::new(0);
        let (mut u, mut z, mut zz) = (0.0, 0.0, 0.0);
        for i in 0..n {
            u += key.fold(i).uniform();
            let x = key.fold(i).normal();
            z += x;
            zz += x * x;
        }
        let n = n as f64;
        assert!((u / n - 0.5).abs() < 0.003);
        assert!((z / n).abs() < 0.01);
        assert!((zz / n - 1.0).abs() < 0.02);
    }

    #[test]
    fn shuffle_is_a_permutation() {
        let mut order = shuffle(1000, Key::new(1));
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }
}
