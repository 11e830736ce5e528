//! Causal grouped-query attention, forward.
//!
//! Keys lie in blocks of 16 positions, `[block][head_dim][16]`, values in rows, `[position][padded]` with `padded` the
//! head width rounded up to 16. A few queries (rows times the heads that share a key-value head) are taken at a time, but
//! every element is computed in an order that depends only on its own position: scores sum over `head_dim`, the softmax's
//! denominator over lanes by position, the output over positions. So training over a whole segment and decoding one token
//! with a cache give the same bits.

use std::ops::Range;

use super::reduce::fold;
use super::rows::{View, ViewMut, gather, scatter, scatter_scaled};
use crate::kernels::product::{Strided, key_scores, strided};
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

    /// The rows `position..position + count` of one tile.
    pub fn tile(&self, position: usize, count: usize) -> TileRows {
        let blocks = self.first(position) / BLOCK..(position + count).div_ceil(BLOCK);
        TileRows { position, count, group: self.group, window: self.window.unwrap_or(usize::MAX), blocks }
    }

    /// Copies the queries (or results, or gradients) of `count` rows into a tile with rows of `padded`.
    pub fn gather(&self, from: View<F>, count: usize, tile: &mut [F]) {
        let padded = self.padded();
        for g in 0..self.group {
            gather(from.shifted(0, g * self.dim), count, self.dim, &mut tile[g * padded..], self.group * padded);
        }
    }

    /// Copies a tile back.
    pub fn scatter(&self, tile: &[F], count: usize, to: ViewMut<F>) {
        let padded = self.padded();
        for g in 0..self.group {
            scatter(&tile[g * padded..], self.group * padded, count, self.dim, to.shifted(0, g * self.dim));
        }
    }
}

/// Rows of a tile of scores (row `r` and head `g` at index `r * group + g`) and the keys that they see.
pub struct TileRows {
    position: usize,
    count: usize,
    group: usize,
    window: usize,
    /// Blocks of keys of the tile.
    pub blocks: Range<usize>,
}

impl TileRows {
    /// Number of queries.
    pub fn queries(&self) -> usize {
        self.count * self.group
    }

    /// Width of the tile.
    pub fn width(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// Position of the tile's first key.
    pub fn origin(&self) -> usize {
        self.blocks.start * BLOCK
    }

    /// Number of keys up to the last row's own.
    pub fn keys(&self) -> usize {
        self.position + self.count - self.origin()
    }

    /// Columns that query `index` sees.
    #[inline(always)]
    pub fn seen(&self, index: usize) -> Range<usize> {
        let end = self.position + index / self.group + 1;
        end.saturating_sub(self.window).max(self.origin()) - self.origin()..end - self.origin()
    }
}

/// Elements of the packed keys of `len` positions.
pub fn keys_size(len: usize, dim: usize) -> usize {
    len.next_multiple_of(BLOCK) * dim
}

simd! {
    /// Writes the keys of positions `first..first + count`, rows of `from`, into packed keys.
    pub fn pack_keys(keys: &mut [F], first: usize, count: usize, dim: usize, from: View<F>) {
        for r in 0..count {
            let (block, lane) = ((first + r) / BLOCK, (first + r) % BLOCK);
            let block = keys[block * BLOCK * dim..(block + 1) * BLOCK * dim].as_chunks_mut::<BLOCK>().0;
            for (to, x) in block.iter_mut().zip(from.at(r, dim)) {
                to[lane] = *x;
            }
        }
    }

    /// Turns each row of a tile of scores into `exp(scale (score - max))` where a key is seen and 0 elsewhere. Writes the
    /// inverse of each row's sum, and the logarithm of the sum with the maximum in it.
    fn softmax(scores: &mut [F], tile: &TileRows, scale: F, inverse: &mut [F], log_sum: &mut [F]) {
        let width = tile.width();
        for (index, row) in scores.chunks_exact_mut(width).take(tile.queries()).enumerate() {
            let seen = tile.seen(index);
            let blocks = row.as_chunks_mut::<LANES>().0;
            let mut lanes = [F::NEG_INFINITY; LANES];
            for_blocks(blocks, &seen, |block, visible| {
                for i in 0..LANES {
                    let x = if visible[i] { block[i] } else { F::NEG_INFINITY };
                    lanes[i] = x.max(lanes[i]);
                }
            });
            let most = lanes.iter().fold(F::NEG_INFINITY, |a, b| a.max(*b));
            let mut lanes = [F::ZERO; LANES];
            for_blocks(blocks, &seen, |block, visible| {
                for i in 0..LANES {
                    let p = ((block[i] - most) * scale).exp::<FMA>();
                    let p = if visible[i] { p } else { F::ZERO };
                    block[i] = p;
                    lanes[i] += p;
                }
            });
            let sum = fold(lanes);
            inverse[index] = F::ONE / sum;
            log_sum[index] = most * scale + sum.ln();
        }
    }
}

/// Calls `f` with each block of a row of scores and which of its columns are seen.
#[inline(always)]
pub fn for_blocks<F>(
    blocks: &mut [[F; LANES]],
    seen: &Range<usize>,
    mut f: impl FnMut(&mut [F; LANES], [bool; LANES]),
) {
    let whole = seen.start.div_ceil(LANES)..seen.end / LANES;
    for (b, block) in blocks.iter_mut().enumerate() {
        if whole.contains(&b) {
            f(block, [true; LANES]);
        } else {
            let mut visible = [false; LANES];
            let first = (b * LANES) as u32;
            for (i, visible) in visible.iter_mut().enumerate() {
                let column = first + i as u32;
                *visible = column >= seen.start as u32 && column < seen.end as u32;
            }
            f(block, visible);
        }
    }
}

/// Queries, keys and values of one key-value head.
pub struct Inputs<'a, F> {
    /// Widths.
    pub heads: Heads<F>,
    /// Queries: head `g` of the group is `g * dim` further right.
    pub queries: View<'a, F>,
    /// Position of row 0.
    pub position: usize,
    /// Packed keys of positions `0..`.
    pub keys: &'a [F],
    /// Values of positions `0..`, rows of `padded`.
    pub values: &'a [F],
}

/// Attention of rows `0..rows`. Head `g` of the group goes `g * dim` further right in `out`; the logarithm of the softmax's
/// denominator (with the maximum in it) `g` further right in `log_sums`.
pub fn forward<F: Real>(inputs: &Inputs<F>, rows: usize, out: ViewMut<F>, log_sums: Option<ViewMut<F>>) {
    let heads = inputs.heads;
    let (dim, padded, group) = (heads.dim, heads.padded(), heads.group);
    let step = heads.rows(QUERIES);
    let most = inputs.position + rows;
    let width = (most - heads.first(inputs.position) + 2 * BLOCK).next_multiple_of(BLOCK);
    let queries = step * group;
    with_scratch(queries * (2 * padded + width + 2), |scratch| {
        let (q, rest) = scratch.split_at_mut(queries * padded);
        let (o, rest) = rest.split_at_mut(queries * padded);
        let (inverse, rest) = rest.split_at_mut(queries);
        let (log_sum, s) = rest.split_at_mut(queries);
        for start in (0..rows).step_by(step) {
            let count = step.min(rows - start);
            let tile = heads.tile(inputs.position + start, count);
            let (m, width, origin) = (tile.queries(), tile.width(), tile.origin());
            heads.gather(inputs.queries.shifted(start, 0), count, q);
            key_scores(q, m, padded, dim, inputs.keys, &tile.blocks, s);
            softmax(s, &tile, heads.scale, inverse, log_sum);
            let product = Strided {
                m,
                n: padded,
                k: tile.keys(),
                a: s[..m * width].as_ptr(),
                a_row: width,
                a_k: 1,
                b: inputs.values[origin * padded..(origin + tile.keys()) * padded].as_ptr(),
                b_k: padded,
                c: o.as_mut_ptr(),
                c_row: padded,
                load: false,
            };
            // SAFETY: `s` holds `m` rows of `width >= keys`, `o` has `m` rows of `padded`, and the slice of values was
            // checked.
            unsafe { strided(&product) };
            for g in 0..group {
                let to = out.shifted(start, g * dim);
                scatter_scaled(&o[g * padded..], group * padded, count, dim, &inverse[g..], group, to);
                if let Some(log_sums) = log_sums {
                    scatter(&log_sum[g..], group, count, 1, log_sums.shifted(start, g));
                }
            }
        }
    });
}
