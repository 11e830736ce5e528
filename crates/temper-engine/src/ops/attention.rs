//! Causal grouped-query attention, forward.
//!
//! Keys lie in blocks of 16 positions, `[block][head_dim][16]`, values in rows, `[position][padded]` with `padded` the
//! head width rounded up to 16. A few queries (rows times the heads that share a key-value head) are taken at a time, but
//! every element is computed in an order that depends only on its own position: scores sum over `head_dim`, the softmax's
//! denominator over lanes by position, the output over positions. So training over a whole segment and decoding one token
//! with a cache give the same bits.

use std::ops::Range;

use super::reduce::{fold, max};
use crate::kernels::product::{Strided, strided};
use crate::kernels::tile::LANES;
use crate::real::{Real, with_scratch};
use crate::simd::simd;

/// Positions of one block of keys.
pub const BLOCK: usize = LANES;
/// Queries taken at a time: rows times grouped heads.
const QUERIES: usize = 24;

/// Widths that attention needs.
#[derive(Clone, Copy, Debug)]
pub struct Heads<F> {
    /// Width of a head.
    pub dim: usize,
    /// Query heads that share a key-value head.
    pub group: usize,
    /// Factor on the scores, `1 / sqrt(dim)`.
    pub scale: F,
    /// Latest keys that a query sees, its own included.
    pub window: Option<usize>,
}

impl<F: Real> Heads<F> {
    /// The head width rounded up to a whole vector.
    pub fn padded(&self) -> usize {
        self.dim.next_multiple_of(LANES)
    }

    /// First key that the query at `position` sees.
    pub fn first(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }

    /// Rows whose queries are taken together.
    pub fn rows(&self, queries: usize) -> usize {
        (queries / self.group).max(1)
    }
}

/// Elements of the packed keys of `len` positions.
pub fn keys_size(len: usize, dim: usize) -> usize {
    len.next_multiple_of(BLOCK) * dim
}

/// Writes the key of `position` into packed keys.
#[inline]
pub fn pack_key<F: Real>(keys: &mut [F], position: usize, key: &[F]) {
    let block = &mut keys[position / BLOCK * BLOCK * key.len()..];
    for (d, x) in key.iter().enumerate() {
        block[d * BLOCK + position % BLOCK] = *x;
    }
}

/// Scores of `m` queries (rows of `padded`) with the keys of `blocks`; rows of `scores` are of `blocks.len() * 16`.
pub fn block_scores<F: Real>(
    queries: &[F],
    m: usize,
    padded: usize,
    dim: usize,
    keys: &[F],
    blocks: &Range<usize>,
    scores: &mut [F],
) {
    let width = blocks.len() * BLOCK;
    assert!(queries.len() >= m * padded && scores.len() >= m * width && keys.len() >= blocks.end * BLOCK * dim);
    for (i, block) in blocks.clone().enumerate() {
        let product = Strided {
            m,
            n: BLOCK,
            k: dim,
            a: queries.as_ptr(),
            a_row: padded,
            a_k: 1,
            b: keys[block * BLOCK * dim..].as_ptr(),
            b_k: BLOCK,
            c: scores[i * BLOCK..].as_mut_ptr(),
            c_row: width,
            load: false,
        };
        // SAFETY: sizes were checked above.
        unsafe { strided(&product) };
    }
}

/// Queries, keys and values of one key-value head, and where the result goes.
pub struct Inputs<'a, F> {
    /// Widths.
    pub heads: Heads<F>,
    /// Queries: head `g` of row `r` starts at `r * query_row + g * dim`.
    pub queries: &'a [F],
    /// Distance between rows of queries.
    pub query_row: usize,
    /// Position of row 0.
    pub position: usize,
    /// Packed keys of positions `0..`.
    pub keys: &'a [F],
    /// Values of positions `0..`, rows of `padded`.
    pub values: &'a [F],
}

/// Attention of rows `0..rows`. Head `g` of row `r` goes to `out(r, g)`, a slice of `dim`; the logarithm of the softmax's
/// denominator (with the maximum in it) goes to `log_sum(r, g, value)`.
pub fn forward<'o, F: Real>(
    inputs: &Inputs<F>,
    rows: usize,
    out: impl Fn(usize, usize) -> &'o mut [F],
    mut log_sum: impl FnMut(usize, usize, F),
) {
    let heads = inputs.heads;
    let (dim, padded, group) = (heads.dim, heads.padded(), heads.group);
    let step = heads.rows(QUERIES);
    let most = inputs.position + rows;
    let width = (most - heads.first(inputs.position) + 2 * BLOCK).next_multiple_of(BLOCK);
    let queries = step * group;
    with_scratch(queries * (2 * padded + width + 1), |scratch| {
        let (q, rest) = scratch.split_at_mut(queries * padded);
        let (o, rest) = rest.split_at_mut(queries * padded);
        let (inverse, s) = rest.split_at_mut(queries);
        for start in (0..rows).step_by(step) {
            let count = step.min(rows - start);
            let m = count * group;
            for r in 0..count {
                let from = (start + r) * inputs.query_row;
                for g in 0..group {
                    q[(r * group + g) * padded..][..dim]
                        .copy_from_slice(&inputs.queries[from + g * dim..from + (g + 1) * dim]);
                }
            }
            let position = inputs.position + start;
            let last = position + count;
            let blocks = heads.first(position) / BLOCK..last.div_ceil(BLOCK);
            let origin = blocks.start * BLOCK;
            let width = blocks.len() * BLOCK;
            block_scores(q, m, padded, dim, inputs.keys, &blocks, s);
            for r in 0..count {
                let (first, end) = (heads.first(position + r) - origin, position + r + 1 - origin);
                for g in 0..group {
                    let i = r * group + g;
                    let (max, sum) = softmax(&mut s[i * width..(i + 1) * width], first, end, heads.scale);
                    inverse[i] = F::ONE / sum;
                    log_sum(start + r, g, max + sum.ln());
                }
            }
            let product = Strided {
                m,
                n: padded,
                k: last - origin,
                a: s.as_ptr(),
                a_row: width,
                a_k: 1,
                b: inputs.values[origin * padded..last * padded].as_ptr(),
                b_k: padded,
                c: o.as_mut_ptr(),
                c_row: padded,
                load: false,
            };
            // SAFETY: `s` holds `m` rows of `width >= last - origin`, `o` has `m` rows of `padded`, and the slice of
            // values was checked.
            unsafe { strided(&product) };
            for r in 0..count {
                for g in 0..group {
                    let i = r * group + g;
                    scale_into(&o[i * padded..i * padded + dim], inverse[i], out(start + r, g));
                }
            }
        }
    });
}

simd! {
    /// Turns scores (a whole number of blocks) into `exp(scale (score - max))` at `first..end` and 0 elsewhere. Returns
    /// the scaled maximum and the sum.
    fn softmax(scores: &mut [F], first: usize, end: usize, scale: F) -> (F, F) {
        let start = first / LANES * LANES;
        let stop = end.next_multiple_of(LANES);
        scores[..start].fill(F::ZERO);
        scores[stop..].fill(F::ZERO);
        scores[start..first].fill(F::NEG_INFINITY);
        scores[end..stop].fill(F::NEG_INFINITY);
        let scores = &mut scores[start..stop];
        let most = max(scores);
        let mut lanes = [F::ZERO; LANES];
        for block in scores.as_chunks_mut::<LANES>().0 {
            for i in 0..LANES {
                let p = ((block[i] - most) * scale).exp::<FMA>();
                block[i] = p;
                lanes[i] += p;
            }
        }
        (most * scale, fold(lanes))
    }

    /// `y = factor x`.
    fn scale_into(x: &[F], factor: F, y: &mut [F]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = *x * factor;
        }
    }
}
