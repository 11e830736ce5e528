//! Incremental computation: key-value caches and the entry points that sampling is built on.

use crate::{Model, Packed, Real};

/// Keys and values of one sequence, for every layer and key-value head.
#[derive(Clone, Debug)]
pub struct KvCache<F = f32> {
    len: usize,
    _marker: std::marker::PhantomData<F>,
}

/// For which of the new positions the final hidden state is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Every new position.
    All,
    /// The last new position of each sequence.
    Last,
}

impl<F: Real> KvCache<F> {
    /// An empty cache with room for `capacity` positions (it grows if more come).
    pub fn new(_model: &Model<F>, _capacity: usize) -> Self {
        KvCache { len: 0, _marker: std::marker::PhantomData }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<F: Real> Model<F> {
    /// Runs the new tokens of several sequences on the calling thread, appends their keys and values to `caches`
    /// (one for each segment of `new`), and writes the final hidden states (after the last norm) to `hidden`:
    /// `[T, hidden]` for [`Positions::All`], `[segments, hidden]` for [`Positions::Last`] (then no segment may be empty).
    pub fn extend(&self, caches: &mut [&mut KvCache<F>], new: &Packed, positions: Positions, hidden: &mut Vec<F>) {
        let rows = if positions == Positions::All { new.len() } else { caches.len() };
        hidden.clear();
        hidden.resize(rows * self.config().hidden_size, F::default());
    }

    /// Logits of `rows` final hidden states, on the calling thread: `hidden` is `[rows, hidden]`, `out` becomes
    /// `[rows, vocab]`.
    pub fn logits(&self, hidden: &[F], out: &mut Vec<F>) {
        out.clear();
        out.resize(hidden.len() / self.config().hidden_size * self.config().vocab_size, F::default());
    }
}

/// Log-sum-exp of one row of logits divided by a temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSoftmax<F> {
    /// 1 / temperature.
    pub inv_temperature: F,
    /// Largest scaled logit.
    pub max: F,
    /// Logarithm of the sum of `exp(scaled logit - max)`.
    pub log_sum: F,
}

impl<F: Real> LogSoftmax<F> {
    /// Of `logits` (one row).
    pub fn new(_logits: &[F], temperature: F) -> Self {
        LogSoftmax { inv_temperature: temperature, max: F::default(), log_sum: F::default() }
    }

    /// Log-probability of a token with this logit: the same bits as [`Model::score`].
    pub fn logprob(&self, _logit: F) -> F {
        F::default()
    }
}
