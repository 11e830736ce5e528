//! A packed batch: sequences of different lengths one after the other, without padding.

/// Token ids of several sequences (segments), concatenated. Attention and positions are per segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Token ids, `[T]`.
    pub ids: Vec<u32>,
    /// Start of each segment and, last, `T`: `segments + 1` numbers.
    pub offsets: Vec<usize>,
}

impl Packed {
    /// Packs the sequences in order.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S]) -> Self {
        let mut ids = Vec::with_capacity(sequences.iter().map(|s| s.as_ref().len()).sum());
        let mut offsets = Vec::with_capacity(sequences.len() + 1);
        offsets.push(0);
        for sequence in sequences {
            ids.extend_from_slice(sequence.as_ref());
            offsets.push(ids.len());
        }
        Packed { ids, offsets }
    }

    /// Number of tokens `T`.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of segments.
    pub fn segments(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Positions `start..end` of segment `index` in the batch.
    pub fn range(&self, index: usize) -> std::ops::Range<usize> {
        self.offsets[index]..self.offsets[index + 1]
    }

    /// Keys seen, summed over tokens, under plain causal attention: the sum over segments of `n (n + 1) / 2`.
    pub fn attended(&self) -> u64 {
        self.offsets.windows(2).map(|w| (w[1] - w[0]) as u64).map(|n| n * (n + 1) / 2).sum()
    }

    /// Length of the longest segment.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_in_order() {
        let batch = Packed::new(&[vec![1, 2, 3], vec![], vec![4]]);
        assert_eq!(batch.ids, [1, 2, 3, 4]);
        assert_eq!(batch.offsets, [0, 3, 3, 4]);
        assert_eq!((batch.len(), batch.segments(), batch.attended(), batch.longest()), (4, 3, 7, 3));
        assert_eq!(batch.range(2), 3..4);
    }
}
