//! Incremental computation: key-value caches and the entry points that sampling is built on.
//!
//! All of it runs on the calling thread: a caller that decodes many sequences gives each thread some of them. The bits are
//! those of [`Model::score`], because both go through the same row-wise phases and the same attention.

use crate::forward::{check_ids, heads};
use crate::kernels::product::packed;
use crate::ops::attention::{self, BLOCK, Inputs, keys_size, pack_keys};
use crate::ops::rmsnorm;
use crate::ops::rows::{View, ViewMut, gather};
use crate::par::{ROWS, Shared, rows};
use crate::real::with_scratch;
use crate::{Model, Packed, Real};

/// Keys (in blocks of 16 positions, `[block][head_dim][16]`) and values (`[position][head_dim rounded up to 16]`) of one
/// key-value head.
#[derive(Clone, Debug, Default)]
struct HeadCache<F> {
    keys: Vec<F>,
    values: Vec<F>,
}

impl<F: Real> HeadCache<F> {
    /// Appends `count` positions from `position` on.
    fn push(&mut self, position: usize, count: usize, dim: usize, padded: usize, key: View<F>, value: View<F>) {
        self.keys.resize(keys_size(position + count, dim), F::ZERO);
        pack_keys(&mut self.keys, position, count, dim, key);
        self.values.resize((position + count) * padded, F::ZERO);
        gather(value, count, dim, &mut self.values[position * padded..], padded);
    }
}

/// Keys and values of one sequence, for every layer and key-value head.
#[derive(Clone, Debug)]
pub struct KvCache<F = f32> {
    len: usize,
    /// `[layer][kv head]`.
    heads: Vec<HeadCache<F>>,
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
        let padded = heads::<F>(config, 0).padded();
        let head = || HeadCache {
            keys: Vec::with_capacity(keys_size(capacity, config.head_dim)),
            values: Vec::with_capacity(capacity * padded),
        };
        KvCache { len: 0, heads: (0..config.num_layers * config.num_kv_heads).map(|_| head()).collect() }
    }

    /// A copy with room for `additional` more positions.
    pub fn fork(&self, additional: usize) -> Self {
        let grow = |from: &Vec<F>| {
            let per_position = from.len().div_ceil(self.len.max(1));
            let mut to = Vec::with_capacity(from.len() + (additional + BLOCK) * per_position);
            to.extend_from_slice(from);
            to
        };
        let heads = self.heads.iter().map(|h| HeadCache { keys: grow(&h.keys), values: grow(&h.values) });
        KvCache { len: self.len, heads: heads.collect() }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let held: usize = self.heads.iter().map(|h| h.keys.capacity() + h.values.capacity()).sum();
        held * std::mem::size_of::<F>()
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
        let (dim, group, padded) = (heads.dim, heads.group, heads.padded());
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
                    let head = &mut cache.heads[index * config.num_kv_heads + kv_head];
                    let at = |column: usize| View { data: &*qkv, start: segment.start * width + column, row: width };
                    let (key, value) = (at(q + kv_head * dim), at(q + kv + kv_head * dim));
                    head.push(cache.len, segment.len(), dim, padded, key, value);
                    let first = kv_head * group * dim;
                    let inputs = Inputs {
                        heads,
                        queries: at(first),
                        position: cache.len,
                        keys: &head.keys,
                        values: &head.values,
                    };
                    // SAFETY: one thread.
                    let out = unsafe { ViewMut::new(Shared::new(&mut *attended), segment.start * q + first, q) };
                    attention::forward(&inputs, segment.len(), out, None);
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
