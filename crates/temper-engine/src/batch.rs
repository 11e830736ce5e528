//! A packed batch: sequences of different lengths one after the other, without padding; a shared prompt appears once.

/// Token ids of several sequences (segments), concatenated. Attention and positions are per segment, but a segment may
/// continue another one: it sees that one's tokens before its own and counts its positions from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Token ids, `[T]`.
    pub ids: Vec<u32>,
    /// Start of each segment and, last, `T`: `segments + 1` numbers.
    pub offsets: Vec<usize>,
    /// For each segment the earlier one that it continues, which continues none itself. Empty: no segment does.
    pub parents: Vec<Option<usize>>,
}

impl Packed {
    /// Packs the sequences in order.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S]) -> Self {
        let mut batch = Packed { offsets: vec![0], ..Packed::default() };
        batch.ids.reserve(sequences.iter().map(|s| s.as_ref().len()).sum());
        for sequence in sequences {
            batch.push(sequence.as_ref(), None);
        }
        batch
    }

    /// Appends a segment and returns its index. With a `parent` it continues that segment.
    ///
    /// # Panics
    /// If the parent is not an earlier segment without a parent.
    pub fn push(&mut self, ids: &[u32], parent: Option<usize>) -> usize {
        let index = self.segments();
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.ids.extend_from_slice(ids);
        self.offsets.push(self.ids.len());
        if let Some(parent) = parent {
            assert!(
                parent < index && self.parent(parent).is_none(),
                "segment {index} cannot continue segment {parent}"
            );
            self.parents.resize(index, None);
            self.parents.push(Some(parent));
        }
        index
    }

    /// The segment that `index` continues.
    pub fn parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index).copied().flatten()
    }

    /// Positions in the batch of the tokens that segment `index` continues; empty if there are none.
    pub fn prefix(&self, index: usize) -> std::ops::Range<usize> {
        self.parent(index).map_or(0..0, |parent| self.range(parent))
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

    /// Keys seen, summed over tokens, under plain causal attention: `n (n + 1) / 2` for a segment of `n` tokens, and `n p`
    /// more if it continues one of `p`.
    pub fn attended(&self) -> u64 {
        let keys = |i: usize| {
            let (n, p) = (self.range(i).len() as u64, self.prefix(i).len() as u64);
            n * (n + 1) / 2 + n * p
        };
        (0..self.segments()).map(keys).sum()
    }

    /// Length of the longest sequence: a segment with what it continues.
    pub fn longest(&self) -> usize {
        (0..self.segments()).map(|i| self.prefix(i).len() + self.range(i).len()).max().unwrap_or(0)
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

    #[test]
    fn a_segment_continues_another() {
        let mut batch = Packed::default();
        let prompt = batch.push(&[1, 2, 3], None);
        batch.push(&[4, 5], Some(prompt));
        let other = batch.push(&[6], None);
        batch.push(&[7], Some(other));
        assert_eq!((batch.len(), batch.segments(), batch.longest()), (7, 4, 5));
        assert_eq!((batch.prefix(1), batch.prefix(2), batch.prefix(3)), (0..3, 0..0, 5..6));
        assert_eq!(batch.attended(), 6 + (3 + 6) + 1 + (1 + 1));
    }
}
