//! Causal grouped-query attention, backward. Probabilities are computed again from the saved log-sums.

use super::attention::{BLOCK, Heads, Operand, TileRows, for_blocks};
use super::reduce::dot;
use super::rows::{View, ViewMut, gather, scatter, scatter_add};
use crate::kernels::product::{Strided, key_scores, strided};
use crate::kernels::tile::LANES;
use crate::real::{Real, with_scratch};
use crate::simd::simd;

/// Queries taken at a time: rows times grouped heads.
const QUERIES: usize = 48;

/// Keys and values of some positions, and where their gradients go.
#[derive(Clone, Copy)]
pub struct Keys<'a, F> {
    /// Number of positions.
    pub len: usize,
    /// Keys after rotation.
    pub key: View<'a, F>,
    /// Values.
    pub value: View<'a, F>,
    /// Where the gradient of keys goes.
    pub dkey: ViewMut<'a, F>,
    /// Where the gradient of values goes.
    pub dvalue: ViewMut<'a, F>,
}

/// One key-value head of one segment. Head `g` of the group is `g * dim` further right in `query`, `out`, `dout` and
/// `dquery`, and `g` further right in `log_sums`.
pub struct Segment<'a, F> {
    /// Queries after rotation.
    pub query: View<'a, F>,
    /// What the segment continues. Its gradients are added to.
    pub prefix: Option<Keys<'a, F>>,
    /// The segment's own. Its gradients are written.
    pub keys: Keys<'a, F>,
    /// The forward's result.
    pub out: View<'a, F>,
    /// Logarithms of the softmax's denominators.
    pub log_sums: View<'a, F>,
    /// Gradient of the result.
    pub dout: View<'a, F>,
    /// Where the gradient of queries goes.
    pub dquery: ViewMut<'a, F>,
}

/// Writes the gradients of queries, keys and values of one key-value head of a segment. With `P = softmax(scale Q K^T)` and
/// `O = P V`: `dV = P^T dO`, `dS = P (dO V^T - rowsum(dO O))`, `dQ = scale dS K`, `dK = scale dS^T Q`.
pub fn backward<F: Real, E: Operand<F>>(heads: Heads<F>, segment: &Segment<F>) {
    let own = segment.keys.len;
    if own == 0 {
        return;
    }
    let before = segment.prefix.map_or(0, |prefix| prefix.len);
    let len = before + own;
    let (dim, padded, group) = (heads.dim, heads.padded(), heads.group);
    let packed = E::keys_size(len, dim);
    let k = dim.div_ceil(E::NUMBERS);
    let rows = E::values_size(len, padded);
    let step = heads.rows(QUERIES);
    let most = step * group;
    let width = len.next_multiple_of(BLOCK);
    let space = E::space(most * padded.max(width) + padded.max(width));
    let elements = 2 * packed + rows + 3 * space;
    let numbers = 2 * len * padded + most * (3 * padded + 2 * width + 2);
    E::with(elements, |scratch| {
        let (k_blocks, rest) = scratch.split_at_mut(packed);
        let (v_blocks, rest) = rest.split_at_mut(packed);
        let (k_rows, rest) = rest.split_at_mut(rows);
        let (first_space, rest) = rest.split_at_mut(space);
        let (second_space, third_space) = rest.split_at_mut(space);
        for blocks in [&mut *k_blocks, v_blocks] {
            let tail = packed - E::keys_size(1, dim);
            blocks[tail..].fill(E::default());
        }
        if padded > dim {
            k_rows.fill(E::default());
        }
        let mut position = 0;
        for keys in segment.prefix.iter().chain([&segment.keys]) {
            E::pack_keys(k_blocks, position, keys.len, dim, keys.key);
            E::pack_keys(v_blocks, position, keys.len, dim, keys.value);
            E::pack_values(k_rows, position, keys.len, dim, padded, keys.key);
            position += keys.len;
        }
        with_scratch(numbers, |scratch| {
            let (dk, rest) = scratch.split_at_mut(len * padded);
            let (dv, rest) = rest.split_at_mut(len * padded);
            let (q, rest) = rest.split_at_mut(most * padded);
            let (d, rest) = rest.split_at_mut(most * padded);
            let (o, rest) = rest.split_at_mut(most * padded);
            let (log_sum, rest) = rest.split_at_mut(most);
            let (mean, rest) = rest.split_at_mut(most);
            let (s, dp) = rest.split_at_mut(most * width);
            for part in [&mut *dk, dv] {
                part.fill(F::ZERO);
            }
            if padded > dim {
                for part in [&mut *q, d, o] {
                    part.fill(F::ZERO);
                }
            }
            for start in (0..own).step_by(step) {
                let count = step.min(own - start);
                let tile = heads.tile(before + start, count);
                let (m, width, origin, keys) = (tile.queries(), tile.width(), tile.origin(), tile.keys());
                heads.gather(segment.query.shifted(start, 0), count, q);
                heads.gather(segment.dout.shifted(start, 0), count, d);
                heads.gather(segment.out.shifted(start, 0), count, o);
                for g in 0..group {
                    gather(segment.log_sums.shifted(start, g), count, 1, &mut log_sum[g..], group);
                }
                row_dots(d, o, padded, &mut mean[..m]);
                let blocks = tile.blocks.len();
                for (x, packed, scores) in [(&*q, &*k_blocks, &mut *s), (d, v_blocks, dp)] {
                    let (x, row) = E::along(x, padded, m, dim, first_space);
                    key_scores(x, m, row, k, &packed[origin * k..], blocks, scores, width);
                }
                softmax_backward(s, dp, &tile, heads.scale, log_sum, mean);
                // dV += P^T dO and dK += dS^T Q.
                for (a, b, c) in [(&*s, &*d, &mut *dv), (dp, q, dk)] {
                    let (a, b) = (E::across(a, width, m, first_space), E::across(b, padded, m, second_space));
                    let pairs = m.div_ceil(E::NUMBERS);
                    let product = Strided {
                        m: keys,
                        n: padded,
                        k: pairs,
                        a: a[..pairs * width].as_ptr(),
                        a_row: 1,
                        a_k: width,
                        b: b[..pairs * padded].as_ptr(),
                        b_k: padded,
                        c: c[origin * padded..(origin + keys) * padded].as_mut_ptr(),
                        c_row: padded,
                        load: true,
                    };
                    // SAFETY: the slices were checked, and `width >= keys`.
                    unsafe { strided(&product) };
                }
                // dQ = dS K.
                let dq = &mut *o;
                let (ds, row) = E::along(dp, width, m, keys, third_space);
                let count_k = keys.div_ceil(E::NUMBERS);
                let product = Strided {
                    m,
                    n: padded,
                    k: count_k,
                    a: ds[..(m - 1) * row + count_k].as_ptr(),
                    a_row: row,
                    a_k: 1,
                    b: k_rows[origin / E::NUMBERS * padded..][..count_k * padded].as_ptr(),
                    b_k: padded,
                    c: dq[..m * padded].as_mut_ptr(),
                    c_row: padded,
                    load: false,
                };
                // SAFETY: the slices were checked.
                unsafe { strided(&product) };
                heads.scatter(dq, count, segment.dquery.shifted(start, 0));
            }
            if let Some(prefix) = segment.prefix {
                scatter_add(dk, padded, before, dim, prefix.dkey);
                scatter_add(dv, padded, before, dim, prefix.dvalue);
            }
            scatter(&dk[before * padded..], padded, own, dim, segment.keys.dkey);
            scatter(&dv[before * padded..], padded, own, dim, segment.keys.dvalue);
        });
    });
}

simd! {
    /// `out[i] = sum_j x[i, j] y[i, j]` with rows of `width`.
    fn row_dots(x: &[F], y: &[F], width: usize, out: &mut [F]) {
        for ((x, y), out) in x.chunks_exact(width).zip(y.chunks_exact(width)).zip(out) {
            *out = dot::<F, FMA>(x, y);
        }
    }

    /// Turns scores into probabilities and gradients of probabilities into gradients of unscaled scores, 0 where a key is
    /// not seen.
    fn softmax_backward(s: &mut [F], dp: &mut [F], tile: &TileRows, scale: F, log_sum: &[F], mean: &[F]) {
        let width = tile.width();
        let rows = s.chunks_exact_mut(width).zip(dp.chunks_exact_mut(width)).take(tile.queries());
        for (index, (s, dp)) in rows.enumerate() {
            let (log_sum, mean) = (-log_sum[index], mean[index]);
            let mut dp = dp.as_chunks_mut::<LANES>().0.iter_mut();
            for_blocks(s.as_chunks_mut::<LANES>().0, &tile.seen(index), |s, visible| {
                let Some(dp) = dp.next() else { return };
                for i in 0..LANES {
                    let p = s[i].fma::<FMA>(scale, log_sum).exp::<FMA>();
                    let p = if visible[i] { p } else { F::ZERO };
                    s[i] = p;
                    let ds = p * (dp[i] - mean) * scale;
                    dp[i] = if visible[i] { ds } else { F::ZERO };
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::attention::{self, Inputs};
    use crate::ops::finite::{check, dot, random};
    use crate::par::Shared;

    /// Attention of one key-value head as its definition says.
    fn naive(heads: Heads<f64>, len: usize, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
        let (dim, group) = (heads.dim, heads.group);
        let mut out = vec![0.0; q.len()];
        for row in 0..len {
            for g in 0..group {
                let at = (row * group + g) * dim;
                let keys = heads.first(row)..row + 1;
                let score = |j: usize| dot(&q[at..at + dim], &k[j * dim..(j + 1) * dim]) * heads.scale;
                let total: f64 = keys.clone().map(|j| score(j).exp()).sum();
                for j in keys {
                    for d in 0..dim {
                        out[at + d] += score(j).exp() / total * v[j * dim + d];
                    }
                }
            }
        }
        out
    }

    fn view_mut(data: &mut [f64], row: usize) -> ViewMut<'_, f64> {
        // SAFETY: one thread.
        unsafe { ViewMut::new(Shared::new(data), 0, row) }
    }

    fn case(dim: usize, group: usize, len: usize, window: Option<usize>) {
        let heads = Heads { dim, group, scale: 0.4, window };
        let (padded, wide) = (heads.padded(), group * dim);
        let (q, a) = (random(len * wide, 1), random(len * wide, 4));
        let (k, v) = (random(len * dim, 2), random(len * dim, 3));
        let size = <f64 as Operand<f64>>::keys_size(len, dim);
        let (mut keys, mut values) = (vec![0.0; size], vec![0.0; len * padded]);
        let view = |data, row| View { data, start: 0, row };
        f64::pack_keys(&mut keys, 0, len, dim, view(&k, dim));
        f64::pack_values(&mut values, 0, len, dim, padded, view(&v, dim));
        let (mut out, mut sums) = (vec![0.0; q.len()], vec![0.0; len * group]);
        let own = attention::Keys { keys: &keys[..], values: &values };
        let shared = attention::Keys { keys: &[][..], values: &[] };
        let inputs = Inputs { heads, queries: view(&q, wide), position: 0, split: 0, shared, own };
        attention::forward(&inputs, len, view_mut(&mut out, wide), Some(view_mut(&mut sums, group)));
        for (found, expected) in out.iter().zip(naive(heads, len, &q, &k, &v)) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
        backward::<f64, f64>(
            heads,
            &Segment {
                query: view(&q, wide),
                prefix: None,
                keys: Keys {
                    len,
                    key: view(&k, dim),
                    value: view(&v, dim),
                    dkey: view_mut(&mut dk, dim),
                    dvalue: view_mut(&mut dv, dim),
                },
                out: view(&out, wide),
                log_sums: view(&sums, group),
                dout: view(&a, wide),
                dquery: view_mut(&mut dq, wide),
            },
        );
        check("dq", &q, &dq, |q| dot(&naive(heads, len, q, &k, &v), &a));
        check("dk", &k, &dk, |k| dot(&naive(heads, len, &q, k, &v), &a));
        check("dv", &v, &dv, |v| dot(&naive(heads, len, &q, &k, v), &a));
    }

    #[test]
    fn gradient() {
        case(6, 2, 37, None);
        case(16, 1, 5, None);
        case(4, 3, 40, Some(9));
        case(3, 30, 18, Some(1));
    }
}
