//! The order in which training visits rows.

/// A permutation of `0..n` for one pass over the data: a pure function of its arguments.
///
/// Each position gets a key from (seed, epoch, position), and the positions are sorted by key.
pub fn order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let stream = mix(mix(seed) ^ epoch.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut keyed: Vec<(u64, usize)> = (0..n).map(|i| (mix(stream.wrapping_add(i as u64)), i)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, i)| i).collect()
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
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
}
