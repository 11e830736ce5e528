//! Causal grouped-query attention, forward.
//!
//! Keys lie in blocks of 16 positions, `[block][head_dim][16]`, values in rows, `[position][padded]` with `padded` the
//! head width rounded up to 16; in bf16, keys in pairs along the head and values in pairs of positions. A few queries (rows times the heads that share a key-value head) are taken at a time, but
//! every element is computed in an order that depends only on its own position: scores sum over `head_dim`, the softmax's
//! denominator over lanes by position, the output over positions. So training over a whole segment and decoding one token
//! with a cache give the same bits.

use std::ops::Range;

use super::reduce::fold;
use super::rows::{View, ViewMut, gather, scatter, scatter_scaled};
use crate::kernels::bf16;
use crate::kernels::product::{Strided, key_scores, strided};
use crate::kernels::tile::{Element, LANES};
use crate::real::{Real, with_scratch, with_words};
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

/// In what keys, values, queries and probabilities are multiplied: numbers, or pairs of bf16.
pub trait Operand<F: Real>: Element<F> {
    /// Numbers in one element.
    const NUMBERS: usize;

    /// Writes the keys of positions `first..first + count`, rows of `from`, into packed keys.
    fn pack_keys(keys: &mut [Self], first: usize, count: usize, dim: usize, from: View<F>);

    /// Writes the values of positions `first..first + count`, rows of `from`, into packed values.
    fn pack_values(values: &mut [Self], first: usize, count: usize, dim: usize, padded: usize, from: View<F>);

    /// The first `k` numbers of `m` rows of `x` as elements along each row, and their distance.
    fn along<'a>(x: &'a [F], row: usize, m: usize, k: usize, space: &'a mut [Self]) -> (&'a [Self], usize);

    /// `m` rows of `x` as elements of consecutive rows, at the same distance.
    fn across<'a>(x: &'a [F], row: usize, m: usize, space: &'a mut [Self]) -> &'a [Self];

    /// Runs `f` with a buffer of `len` elements with unspecified contents.
    fn with<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R;

    /// Elements of the packed keys of `len` positions.
    fn keys_size(len: usize, dim: usize) -> usize {
        len.next_multiple_of(BLOCK) * dim.div_ceil(Self::NUMBERS)
    }

    /// Elements of the packed values of `len` positions.
    fn values_size(len: usize, padded: usize) -> usize {
        len.div_ceil(Self::NUMBERS) * padded
    }

    /// Elements of `numbers` in a buffer for [`Operand::along`] or [`Operand::across`]; 0 if they need none.
    fn space(numbers: usize) -> usize {
        if Self::NUMBERS == 1 { 0 } else { numbers.div_ceil(Self::NUMBERS) }
    }
}

impl<F: Real> Operand<F> for F {
    const NUMBERS: usize = 1;

    fn pack_keys(keys: &mut [F], first: usize, count: usize, dim: usize, from: View<F>) {
        pack_numbers(keys, first, count, dim, from);
    }

    fn pack_values(values: &mut [F], first: usize, count: usize, dim: usize, padded: usize, from: View<F>) {
        gather(from, count, dim, &mut values[first * padded..], padded);
    }

    fn along<'a>(x: &'a [F], row: usize, _m: usize, _k: usize, _space: &'a mut [F]) -> (&'a [F], usize) {
        (x, row)
    }

    fn across<'a>(x: &'a [F], _row: usize, _m: usize, _space: &'a mut [F]) -> &'a [F] {
        x
    }

    fn with<R>(len: usize, f: impl FnOnce(&mut [F]) -> R) -> R {
        with_scratch(len, f)
    }
}

impl<F: Real> Operand<F> for u32 {
    const NUMBERS: usize = 2;

    fn pack_keys(keys: &mut [u32], first: usize, count: usize, dim: usize, from: View<F>) {
        let pairs = dim.div_ceil(2);
        let mut r = 0;
        while r < count {
            let (block, lane) = ((first + r) / BLOCK, (first + r) % BLOCK);
            let rows = (BLOCK - lane).min(count - r);
            let to = &mut keys[block * BLOCK * pairs + lane..(block + 1) * BLOCK * pairs];
            bf16::transposed(from.rows(r), from.row, rows, dim, BLOCK, to);
            r += rows;
        }
    }

    fn pack_values(values: &mut [u32], first: usize, count: usize, dim: usize, padded: usize, from: View<F>) {
        let mut done = 0;
        if !first.is_multiple_of(2) && count > 0 {
            let to = &mut values[first / 2 * padded..];
            for (to, x) in to.iter_mut().zip(from.at(0, dim)) {
                *to = *to & 0xFFFF | x.to_bf16() << 16;
            }
            done = 1;
        }
        let count = count - done;
        let to = &mut values[(first + done) / 2 * padded..][..count.div_ceil(2) * padded];
        if count > 0 {
            bf16::of_rows(from.rows(done), from.row, dim, padded, !count.is_multiple_of(2), to);
        }
    }

    fn along<'a>(x: &'a [F], row: usize, m: usize, k: usize, space: &'a mut [u32]) -> (&'a [u32], usize) {
        let pairs = k.div_ceil(2);
        let space = &mut space[..m * pairs];
        bf16::along_rows(x, row, k, space);
        (space, pairs)
    }

    fn across<'a>(x: &'a [F], row: usize, m: usize, space: &'a mut [u32]) -> &'a [u32] {
        let space = &mut space[..m.div_ceil(2) * row];
        bf16::of_rows(x, row, row, row, !m.is_multiple_of(2), space);
        space
    }

    fn with<R>(len: usize, f: impl FnOnce(&mut [u32]) -> R) -> R {
        with_words::<F, R>(len, f)
    }
}

simd! {
    fn pack_numbers(keys: &mut [F], first: usize, count: usize, dim: usize, from: View<F>) {
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

/// Packed keys and values of consecutive positions.
#[derive(Clone, Copy)]
pub struct Keys<'a, E> {
    /// Keys.
    pub keys: &'a [E],
    /// Values.
    pub values: &'a [E],
}

/// Queries, keys and values of one key-value head.
pub struct Inputs<'a, F, E> {
    /// Widths.
    pub heads: Heads<F>,
    /// Queries: head `g` of the group is `g * dim` further right.
    pub queries: View<'a, F>,
    /// Position of row 0.
    pub position: usize,
    /// Positions that `shared` holds; a multiple of [`BLOCK`].
    pub split: usize,
    /// Keys and values of positions `0..split`.
    pub shared: Keys<'a, E>,
    /// Keys and values from position `split` on.
    pub own: Keys<'a, E>,
}

/// Attention of rows `0..rows`. Head `g` of the group goes `g * dim` further right in `out`; the logarithm of the softmax's
/// denominator (with the maximum in it) `g` further right in `log_sums`.
pub fn forward<F: Real, E: Operand<F>>(
    inputs: &Inputs<F, E>,
    rows: usize,
    out: ViewMut<F>,
    log_sums: Option<ViewMut<F>>,
) {
    let heads = inputs.heads;
    let (dim, padded, group) = (heads.dim, heads.padded(), heads.group);
    let step = heads.rows(QUERIES);
    let most = inputs.position + rows;
    let width = (most - heads.first(inputs.position) + 2 * BLOCK).next_multiple_of(BLOCK);
    let queries = step * group;
    let elements = E::space(queries * padded.max(width));
    with_scratch(queries * (2 * padded + width + 2), |scratch| {
        let (q, rest) = scratch.split_at_mut(queries * padded);
        let (o, rest) = rest.split_at_mut(queries * padded);
        let (inverse, rest) = rest.split_at_mut(queries);
        let (log_sum, s) = rest.split_at_mut(queries);
        E::with(elements, |space| {
            for start in (0..rows).step_by(step) {
                let count = step.min(rows - start);
                let tile = heads.tile(inputs.position + start, count);
                heads.gather(inputs.queries.shifted(start, 0), count, q);
                inputs.scores(&tile, q, s, space);
                softmax(s, &tile, heads.scale, inverse, log_sum);
                inputs.mix(&tile, s, o, space);
                for g in 0..group {
                    let to = out.shifted(start, g * dim);
                    scatter_scaled(&o[g * padded..], group * padded, count, dim, &inverse[g..], group, to);
                    if let Some(log_sums) = log_sums {
                        scatter(&log_sum[g..], group, count, 1, log_sums.shifted(start, g));
                    }
                }
            }
        });
    });
}

impl<F: Real, E: Operand<F>> Inputs<'_, F, E> {
    /// Scores of a tile of queries, rows of `tile.width()`.
    fn scores(&self, tile: &TileRows, q: &[F], s: &mut [F], space: &mut [E]) {
        let (dim, padded) = (self.heads.dim, self.heads.padded());
        let (m, width) = (tile.queries(), tile.width());
        let k = dim.div_ceil(E::NUMBERS);
        let (q, row) = E::along(q, padded, m, dim, space);
        let split = (self.split / BLOCK).clamp(tile.blocks.start, tile.blocks.end);
        let shared = split - tile.blocks.start;
        let own = split - self.split / BLOCK;
        let keys = if shared > 0 { &self.shared.keys[tile.blocks.start * BLOCK * k..] } else { &[] };
        key_scores(q, m, row, k, keys, shared, s, width);
        let rest = tile.blocks.end - split;
        key_scores(q, m, row, k, &self.own.keys[own * BLOCK * k..], rest, &mut s[shared * BLOCK..], width);
    }

    /// Sums of values weighted by the rows of `s`, rows of `padded`.
    fn mix(&self, tile: &TileRows, s: &[F], o: &mut [F], space: &mut [E]) {
        let padded = self.heads.padded();
        let (m, width, origin, keys) = (tile.queries(), tile.width(), tile.origin(), tile.keys());
        let (p, row) = E::along(s, width, m, keys, space);
        let shared = self.split.clamp(origin, origin + keys) - origin;
        let product = |from: usize, count: usize, values: &[E], o: &mut [F], load: bool| {
            let k = count.div_ceil(E::NUMBERS);
            let product = Strided {
                m,
                n: padded,
                k,
                a: p[from / E::NUMBERS..].as_ptr(),
                a_row: row,
                a_k: 1,
                b: values[..k * padded].as_ptr(),
                b_k: padded,
                c: o[..m * padded].as_mut_ptr(),
                c_row: padded,
                load,
            };
            // SAFETY: `p` holds `m` rows with all keys, and the slices were checked.
            unsafe { strided(&product) };
        };
        if shared > 0 {
            product(0, shared, &self.shared.values[origin / E::NUMBERS * padded..], o, false);
        }
        if keys > shared {
            let first = (origin + shared - self.split) / E::NUMBERS * padded;
            product(shared, keys - shared, &self.own.values[first..], o, shared > 0);
        }
    }
}
