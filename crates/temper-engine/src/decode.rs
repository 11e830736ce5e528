//! Incremental computation: key-value caches and the entry points that sampling is built on.
//!
//! All of it runs on the calling thread: a caller that decodes many sequences gives each thread some of them. The bits are
//! those of [`Model::score`], because both go through the same row-wise phases and the same attention.

use std::sync::Arc;

use crate::forward::{check_ids, heads};
use crate::kernels::product::packed;
use crate::ops::attention::{self, BLOCK, Heads, Inputs, Keys, Operand};
use crate::ops::rmsnorm;
use crate::ops::rows::{View, ViewMut};
use crate::par::{ROWS, Shared, rows};
use crate::real::with_scratch;
use crate::{Model, ModelConfig, Packed, Real};

/// Packed keys and values of one key-value head (see `ops/attention.rs`).
#[derive(Clone, Debug, Default)]
struct HeadCache<E> {
    keys: Vec<E>,
    values: Vec<E>,
}

impl<E: Copy + Default> HeadCache<E> {
    /// Room for `capacity` positions.
    fn new<F: Real>(capacity: usize, heads: Heads<F>) -> Self
    where
        E: Operand<F>,
    {
        HeadCache {
            keys: Vec::with_capacity(E::keys_size(capacity, heads.dim)),
            values: Vec::with_capacity(E::values_size(capacity, heads.padded())),
        }
    }

    /// Appends `count` positions from `position` on.
    fn push<F: Real>(&mut self, position: usize, count: usize, heads: Heads<F>, key: View<F>, value: View<F>)
    where
        E: Operand<F>,
    {
        let (dim, padded) = (heads.dim, heads.padded());
        self.keys.resize(E::keys_size(position + count, dim), E::default());
        E::pack_keys(&mut self.keys, position, count, dim, key);
        self.values.resize(E::values_size(position + count, padded), E::default());
        E::pack_values(&mut self.values, position, count, dim, padded, value);
    }

    /// A copy of what lies from `position` on, a multiple of [`BLOCK`], with room for `additional` more positions.
    fn tail<F: Real>(&self, position: usize, additional: usize, heads: Heads<F>) -> Self
    where
        E: Operand<F>,
    {
        let (keys, values) = (E::keys_size(position, heads.dim), E::values_size(position, heads.padded()));
        let mut tail = Self::new(additional + BLOCK, heads);
        tail.keys.extend_from_slice(&self.keys[keys..]);
        tail.values.extend_from_slice(&self.values[values..]);
        tail
    }

    fn bytes(&self) -> usize {
        (self.keys.capacity() + self.values.capacity()) * std::mem::size_of::<E>()
    }
}

/// Heads `[layer][kv head]`, as numbers or as pairs of bf16.
#[derive(Clone, Debug)]
enum Cache<F> {
    Numbers(Vec<HeadCache<F>>),
    Pairs(Vec<HeadCache<u32>>),
}

/// Keys and values of one sequence, for every layer and key-value head. Sequences that go on from one prompt share its
/// whole blocks of 16 positions ([`KvCache::branch`]).
#[derive(Clone, Debug)]
pub struct KvCache<F = f32> {
    len: usize,
    /// Widths of the heads, but for the window, which layers differ in.
    widths: Heads<F>,
    /// What others share with this sequence, and how many positions of it: a multiple of 16.
    shared: Option<(Arc<KvCache<F>>, usize)>,
    heads: Cache<F>,
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
    pub fn new(model: &Model<F>, capacity: usize) -> Self {
        let config = model.config();
        let widths = heads::<F>(config, 0);
        let count = config.num_layers * config.num_kv_heads;
        let heads = if model.pairs() {
            Cache::Pairs((0..count).map(|_| HeadCache::new(capacity, widths)).collect())
        } else {
            Cache::Numbers((0..count).map(|_| HeadCache::new(capacity, widths)).collect())
        };
        KvCache { len: 0, widths, shared: None, heads }
    }

    /// A sequence that goes on from this one, with room for `additional` more positions. Whole blocks are shared, at most
    /// 15 positions copied. Of a branch it is a copy.
    pub fn branch(self: &Arc<Self>, additional: usize) -> Self {
        if self.shared.is_some() {
            return KvCache::clone(self);
        }
        let (shared, widths) = (self.len / BLOCK * BLOCK, self.widths);
        let heads = match &self.heads {
            Cache::Numbers(heads) => {
                Cache::Numbers(heads.iter().map(|head| head.tail(shared, additional, widths)).collect())
            }
            Cache::Pairs(heads) => {
                Cache::Pairs(heads.iter().map(|head| head.tail(shared, additional, widths)).collect())
            }
        };
        KvCache { len: self.len, widths, shared: Some((self.clone(), shared)), heads }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory in bytes, without what is shared.
    pub fn bytes(&self) -> usize {
        match &self.heads {
            Cache::Numbers(heads) => heads.iter().map(HeadCache::bytes).sum(),
            Cache::Pairs(heads) => heads.iter().map(HeadCache::bytes).sum(),
        }
    }

    /// Memory in bytes that one position takes.
    pub(crate) fn bytes_per_position(config: &ModelConfig, pairs: bool) -> usize {
        let padded = heads::<F>(config, 0).padded();
        let number = if pairs { 2 } else { std::mem::size_of::<F>() };
        (config.head_dim + padded) * config.num_layers * config.num_kv_heads * number
    }

    /// Appends the keys and values of `count` new positions to head `index`, and writes what attention gives for them.
    #[allow(clippy::too_many_arguments)]
    fn attend(
        &mut self,
        index: usize,
        count: usize,
        heads: Heads<F>,
        queries: View<F>,
        key: View<F>,
        value: View<F>,
        out: ViewMut<F>,
    ) {
        let split = self.shared.as_ref().map_or(0, |shared| shared.1);
        let shared = self.shared.as_ref().map(|shared| &shared.0.heads);
        let position = self.len - split;
        match (&mut self.heads, shared) {
            (Cache::Numbers(own), shared) => {
                let shared = if let Some(Cache::Numbers(shared)) = shared { Some(&shared[index]) } else { None };
                own[index].push(position, count, heads, key, value);
                own[index].attend(shared, split, position, count, heads, queries, out);
            }
            (Cache::Pairs(own), shared) => {
                let shared = if let Some(Cache::Pairs(shared)) = shared { Some(&shared[index]) } else { None };
                own[index].push(position, count, heads, key, value);
                own[index].attend(shared, split, position, count, heads, queries, out);
            }
        }
    }
}

impl<E: Copy + Default> HeadCache<E> {
    /// Attention of the `count` positions from `split + position` on, where `shared` holds the first `split` ones.
    #[allow(clippy::too_many_arguments)]
    fn attend<F: Real>(
        &self,
        shared: Option<&Self>,
        split: usize,
        position: usize,
        count: usize,
        heads: Heads<F>,
        queries: View<F>,
        out: ViewMut<F>,
    ) where
        E: Operand<F>,
    {
        let shared =
            shared.map_or(Keys { keys: &[][..], values: &[] }, |head| Keys { keys: &head.keys, values: &head.values });
        let own = Keys { keys: &self.keys, values: &self.values };
        let inputs = Inputs { heads, queries, position: split + position, split, shared, own };
        attention::forward(&inputs, count, out, None);
    }
}

impl<F: Real> Model<F> {
    /// Runs the new tokens of several sequences on the calling thread, appends their keys and values to `caches`
    /// (one for each segment of `new`), and writes the final hidden states (after the last norm) to `hidden`:
    /// `[T, hidden]` for [`Positions::All`], `[segments, hidden]` for [`Positions::Last`] (then no segment may be empty).
    ///
    /// # Panics
    /// If a token id is not below `vocab_size` or the number of caches is not that of segments.
    pub fn extend(&self, caches: &mut [&mut KvCache<F>], new: &Packed, positions: Positions, hidden: &mut Vec<F>) {
        assert_eq!(caches.len(), new.segments(), "one cache for each segment");
        let config = self.config();
        check_ids(config, &new.ids);
        let (d, t) = (config.hidden_size, new.len());
        let at = |i: usize, start: usize| (start..start + new.range(i).len()).collect::<Vec<_>>();
        let places: Vec<usize> = caches.iter().enumerate().flat_map(|(i, cache)| at(i, cache.len)).collect();
        let table = self.angles(places.iter().max().map_or(0, |p| p + 1));
        with_scratch(2 * t * d, |streams| {
            let (mut x, mut out) = streams.split_at_mut(t * d);
            self.embed(&new.ids, x);
            for index in 0..config.num_layers {
                self.extend_layer(index, caches, new, |r| table.at(places[r]), x, out);
                std::mem::swap(&mut x, &mut out);
            }
            let rows: Vec<usize> = match positions {
                Positions::All => (0..t).collect(),
                Positions::Last => new.offsets[1..].iter().map(|end| end - 1).collect(),
            };
            let picked = &mut *out;
            for (row, to) in rows.iter().zip(picked.chunks_exact_mut(d)) {
                to.copy_from_slice(&x[row * d..(row + 1) * d]);
            }
            hidden.clear();
            hidden.resize(rows.len() * d, F::ZERO);
            let mut inverse = vec![F::ZERO; rows.len()];
            let weight = &self.params()[self.places.norm.clone()];
            let eps = F::from_f64(config.rms_norm_eps);
            rmsnorm::forward(&picked[..rows.len() * d], weight, eps, hidden, &mut inverse);
        });
        for (i, cache) in caches.iter_mut().enumerate() {
            cache.len += new.range(i).len();
        }
    }

    fn extend_layer<'t>(
        &self,
        index: usize,
        caches: &mut [&mut KvCache<F>],
        new: &Packed,
        angles: impl Fn(usize) -> &'t [F],
        x: &[F],
        out: &mut [F],
    ) where
        F: 't,
    {
        let config = self.config();
        let view = self.layer(index, true);
        let heads = heads::<F>(config, index);
        let (dim, group) = (heads.dim, heads.group);
        let (d, q, kv, f) = (config.hidden_size, config.q_size(), config.kv_size(), config.intermediate_size);
        let width = q + 2 * kv;
        let (t, all_heads) = (new.len(), config.num_heads + config.num_kv_heads);
        let norm = usize::from(config.qk_norm);
        let chunk = ROWS.min(t);
        let sizes = [t * width, t * q, chunk, chunk * width * norm, chunk * all_heads * norm, chunk * d, chunk * 2 * f];
        with_scratch(sizes.iter().sum(), |mut rest| {
            let [qkv, attended, inverse, raw, inverse_qk, middle, gate_up] = sizes.map(|size| {
                let (part, after) = std::mem::take(&mut rest).split_at_mut(size);
                rest = after;
                part
            });
            for start in (0..t).step_by(ROWS) {
                let range = start..(start + ROWS).min(t);
                let n = range.len();
                view.attention_inputs(
                    rows(x, &range, d),
                    |r| angles(start + r),
                    &mut inverse[..n],
                    &mut raw[..n * width * norm],
                    &mut inverse_qk[..n * all_heads * norm],
                    &mut qkv[range.start * width..range.end * width],
                );
            }
            for (i, cache) in caches.iter_mut().enumerate() {
                let segment = new.range(i);
                if segment.is_empty() {
                    continue;
                }
                for kv_head in 0..config.num_kv_heads {
                    let at = |column: usize| View { data: &*qkv, start: segment.start * width + column, row: width };
                    let (key, value) = (at(q + kv_head * dim), at(q + kv + kv_head * dim));
                    let first = kv_head * group * dim;
                    // SAFETY: one thread.
                    let out = unsafe { ViewMut::new(Shared::new(&mut *attended), segment.start * q + first, q) };
                    let head = index * config.num_kv_heads + kv_head;
                    cache.attend(head, segment.len(), heads, at(first), key, value, out);
                }
            }
            for start in (0..t).step_by(ROWS) {
                let range = start..(start + ROWS).min(t);
                let n = range.len();
                view.outputs(
                    rows(attended, &range, q),
                    rows(x, &range, d),
                    &mut middle[..n * d],
                    &mut inverse[..n],
                    &mut gate_up[..n * 2 * f],
                    &mut out[range.start * d..range.end * d],
                );
            }
        });
    }

    /// Logits of `rows` final hidden states, on the calling thread: `hidden` is `[rows, hidden]`, `out` becomes
    /// `[rows, vocab]`.
    pub fn logits(&self, hidden: &[F], out: &mut Vec<F>) {
        let config = self.config();
        let (d, vocab) = (config.hidden_size, config.vocab_size);
        let rows = hidden.len() / d;
        out.resize(rows * vocab, F::ZERO);
        packed(rows, hidden, d, &self.forward_panels().head, out, vocab, false);
    }
}
