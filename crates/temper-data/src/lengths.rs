//! How long things are: percentiles and a histogram.

use serde::Serialize;

/// Bins of a histogram with even steps, at most.
const BINS: u32 = 12;
/// The ratios from which bins double instead: of the 99th and the 5th percentile, and of the longest and the median.
const SPREAD: u32 = 24;
const OUTLIER: u32 = 8;

/// Lengths of many things, exact.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// How many there are.
    pub count: usize,
    /// All together.
    pub total: u64,
    /// Their mean; 0 where there are none.
    pub mean: f64,
    /// The shortest.
    pub min: u32,
    /// The 5th percentile: the least length that 5 % of them do not exceed.
    pub p5: u32,
    /// The median.
    pub p50: u32,
    /// The 95th percentile.
    pub p95: u32,
    /// The 99th percentile.
    pub p99: u32,
    /// The longest.
    pub max: u32,
    /// How many there are of which lengths, without gaps.
    pub histogram: Vec<Bin>,
}

/// Lengths from `from` to `to`, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// The least.
    pub from: u32,
    /// The greatest.
    pub to: u32,
    /// How many.
    pub count: usize,
}

impl Lengths {
    /// Of these lengths, in any order.
    pub fn of(mut lengths: Vec<u32>) -> Self {
        lengths.sort_unstable();
        let (Some(min), Some(max)) = (lengths.first().copied(), lengths.last().copied()) else {
            return Self::default();
        };
        let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        let percentile = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100).max(1) - 1];
        let (p5, p99) = (percentile(5), percentile(99));
        let spread = p99 / p5.max(1) >= SPREAD || max / percentile(50).max(1) >= OUTLIER;
        let edges = if spread { doubling(min, max) } else { even(min, max) };
        let mut histogram = Vec::with_capacity(edges.len());
        let mut before = 0;
        for pair in edges.windows(2) {
            let end = lengths.partition_point(|length| u64::from(*length) < pair[1]);
            let to = u32::try_from(pair[1] - 1).unwrap_or(u32::MAX);
            histogram.push(Bin { from: pair[0] as u32, to, count: end - before });
            before = end;
        }
        Self {
            count: lengths.len(),
            total,
            mean: total as f64 / lengths.len() as f64,
            min,
            p5,
            p50: percentile(50),
            p95: percentile(95),
            p99,
            max,
            histogram,
        }
    }
}

/// Edges of bins of one round width: 1, 2 or 5 times a power of ten.
fn even(min: u32, max: u32) -> Vec<u64> {
    let span = max - min + 1;
    let least = u64::from(span.div_ceil(BINS).max(1));
    let mut unit = 1;
    let width = loop {
        match [1, 2, 5].into_iter().map(|times| times * unit).find(|width| *width >= least) {
            Some(width) => break width,
            None => unit *= 10,
        }
    };
    let first = u64::from(min) / width * width;
    let count = (u64::from(max) - first) / width + 1;
    (0..=count).map(|step| first + step * width).collect()
}

/// Edges at 0, 1, 2, 4, 8, ….
fn doubling(min: u32, max: u32) -> Vec<u64> {
    let bin = |length: u32| length.checked_ilog2().map_or(0, |log| log + 1);
    let edge = |bin: u32| if bin == 0 { 0 } else { 1 << (bin - 1) };
    (bin(min)..=bin(max) + 1).map(edge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_lengths() {
        let lengths = Lengths::of((1..=200).rev().collect());
        assert_eq!((lengths.count, lengths.total, lengths.mean), (200, 20100, 100.5));
        assert_eq!(
            (lengths.min, lengths.p5, lengths.p50, lengths.p95, lengths.p99, lengths.max),
            (1, 10, 100, 190, 198, 200)
        );
        let one = Lengths::of(vec![7]);
        assert_eq!((one.min, one.p5, one.p99, one.max), (7, 7, 7, 7));
        assert_eq!(one.histogram, [Bin { from: 7, to: 7, count: 1 }]);
        assert_eq!(Lengths::of(vec![]), Lengths::default());
    }

    #[test]
    fn bins_are_round_and_hold_everything() {
        let near = Lengths::of((95..=142).collect());
        let bins: Vec<_> = near.histogram.iter().map(|bin| (bin.from, bin.to, bin.count)).collect();
        assert_eq!(bins[0], (95, 99, 5));
        assert_eq!(bins.last(), Some(&(140, 144, 3)));
        for lengths in
            [(95..=142).collect(), vec![0, 1, 1000, 70000], vec![5; 9], vec![0, u32::MAX], (0..3).collect::<Vec<_>>()]
        {
            let made = Lengths::of(lengths.clone());
            assert_eq!(made.histogram.iter().map(|bin| bin.count).sum::<usize>(), lengths.len(), "{lengths:?}");
            assert!(
                made.histogram.windows(2).all(|pair| pair[0].to.checked_add(1) == Some(pair[1].from)),
                "{lengths:?}"
            );
            assert!(made.histogram.len() <= 34, "{lengths:?}");
        }
    }

    #[test]
    fn bins_double_where_the_spread_is_large() {
        let wide = Lengths::of((0..1000).map(|i| i * i).collect());
        let froms: Vec<u32> = wide.histogram.iter().map(|bin| bin.from).collect();
        assert_eq!(froms[..5], [0, 1, 2, 4, 8]);
        assert_eq!(wide.histogram.last().map(|bin| bin.from), Some(524_288));
    }
}
