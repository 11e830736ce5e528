//! Causal grouped-query attention, backward. Probabilities are computed again from the saved log-sums.

use super::attention::{BLOCK, Heads, block_scores, keys_size, pack_key};
use super::reduce::dot;
use crate::kernels::product::{Strided, strided};
use crate::real::{Real, with_scratch};
use crate::simd::simd;

/// Queries taken at a time: rows times grouped heads.
const QUERIES: usize = 48;

/// One key-value head of one segment. Each closure returns a slice of `dim` for a row of the segment (and a query head
/// of the group).
pub struct Segment<Q, K, V, O, D> {
    /// Queries after rotation.
    pub query: Q,
    /// Keys after rotation.
    pub key: K,
    /// Values.
    pub value: V,
    /// The forward's result.
    pub out: O,
    /// Gradient of the result.
    pub dout: D,
}

/// Writes the gradients of queries, keys and values of one key-value head of a segment of `len` rows. With
/// `P = softmax(scale Q K^T)` and `O = P V`: `dV = P^T dO`, `dS = P (dO V^T - rowsum(dO O))`, `dQ = scale dS K`,
/// `dK = scale dS^T Q`.
pub fn backward<'a, F: Real, Q, K, V, O, D>(
    heads: Heads<F>,
    len: usize,
    inputs: &Segment<Q, K, V, O, D>,
    log_sum: impl Fn(usize, usize) -> F,
    dquery: impl Fn(usize, usize) -> &'a mut [F],
    dkey: impl Fn(usize) -> &'a mut [F],
    dvalue: impl Fn(usize) -> &'a mut [F],
) where
    Q: Fn(usize, usize) -> &'a [F],
    K: Fn(usize) -> &'a [F],
    V: Fn(usize) -> &'a [F],
    O: Fn(usize, usize) -> &'a [F],
    D: Fn(usize, usize) -> &'a [F],
{
    if len == 0 {
        return;
    }
    let (dim, padded, group) = (heads.dim, heads.padded(), heads.group);
    let packed = keys_size(len, dim);
    let step = heads.rows(QUERIES);
    let most = step * group;
    let width = len.next_multiple_of(BLOCK);
    with_scratch(2 * packed + len * padded * 3 + most * (3 * padded + 2 * width), |scratch| {
        let (k_blocks, rest) = scratch.split_at_mut(packed);
        let (v_blocks, rest) = rest.split_at_mut(packed);
        let (k_rows, rest) = rest.split_at_mut(len * padded);
        let (dk, rest) = rest.split_at_mut(len * padded);
        let (dv, rest) = rest.split_at_mut(len * padded);
        let (q, rest) = rest.split_at_mut(most * padded);
        let (d, rest) = rest.split_at_mut(most * padded);
        let (dq, rest) = rest.split_at_mut(most * padded);
        let (s, dp) = rest.split_at_mut(most * width);
        k_blocks[packed - BLOCK * dim..].fill(F::ZERO);
        v_blocks[packed - BLOCK * dim..].fill(F::ZERO);
        for part in [&mut *k_rows, dk, dv, q, d] {
            part.fill(F::ZERO);
        }
        for t in 0..len {
            pack_key(k_blocks, t, (inputs.key)(t));
            pack_key(v_blocks, t, (inputs.value)(t));
            k_rows[t * padded..t * padded + dim].copy_from_slice((inputs.key)(t));
        }
        for start in (0..len).step_by(step) {
            let count = step.min(len - start);
            let m = count * group;
            let last = start + count;
            let blocks = heads.first(start) / BLOCK..last.div_ceil(BLOCK);
            let origin = blocks.start * BLOCK;
            let width = blocks.len() * BLOCK;
            for r in 0..count {
                for g in 0..group {
                    let i = (r * group + g) * padded;
                    q[i..i + dim].copy_from_slice((inputs.query)(start + r, g));
                    d[i..i + dim].copy_from_slice((inputs.dout)(start + r, g));
                }
            }
            block_scores(q, m, padded, dim, k_blocks, &blocks, s);
            block_scores(d, m, padded, dim, v_blocks, &blocks, dp);
            for r in 0..count {
                let row = start + r;
                let (first, end) = (heads.first(row) - origin, row + 1 - origin);
                for g in 0..group {
                    let i = r * group + g;
                    let (s, dp) = (&mut s[i * width..(i + 1) * width], &mut dp[i * width..(i + 1) * width]);
                    let mean = inner(&d[i * padded..i * padded + dim], (inputs.out)(row, g));
                    let range = first / BLOCK * BLOCK..end.next_multiple_of(BLOCK);
                    softmax_backward(&mut s[range.clone()], &mut dp[range.clone()], log_sum(row, g), mean, heads.scale);
                    for part in [s, dp] {
                        part[..first].fill(F::ZERO);
                        part[end..].fill(F::ZERO);
                    }
                }
            }
            let keys = last - origin;
            let transposed = |a: *const F, b: *const F, c: *mut F| Strided {
                m: keys,
                n: padded,
                k: m,
                a,
                a_row: 1,
                a_k: width,
                b,
                b_k: padded,
                c,
                c_row: padded,
                load: true,
            };
            let queries = Strided {
                m,
                n: padded,
                k: keys,
                a: dp.as_ptr(),
                a_row: width,
                a_k: 1,
                b: k_rows[origin * padded..].as_ptr(),
                b_k: padded,
                c: dq.as_mut_ptr(),
                c_row: padded,
                load: false,
            };
            // SAFETY: `s` and `dp` hold `m` rows of `width >= keys`, `q`, `d` and `dq` have `m` rows of `padded`, and the
            // others have `len >= origin + keys` rows of `padded`.
            unsafe {
                strided(&transposed(s.as_ptr(), d.as_ptr(), dv[origin * padded..].as_mut_ptr()));
                strided(&transposed(dp.as_ptr(), q.as_ptr(), dk[origin * padded..].as_mut_ptr()));
                strided(&queries);
            }
            for r in 0..count {
                for g in 0..group {
                    let i = (r * group + g) * padded;
                    dquery(start + r, g).copy_from_slice(&dq[i..i + dim]);
                }
            }
        }
        for t in 0..len {
            dkey(t).copy_from_slice(&dk[t * padded..t * padded + dim]);
            dvalue(t).copy_from_slice(&dv[t * padded..t * padded + dim]);
        }
    });
}

simd! {
    fn inner(x: &[F], y: &[F]) -> F {
        dot::<F, FMA>(x, y)
    }

    /// Turns scores into probabilities and gradients of probabilities into gradients of unscaled scores.
    fn softmax_backward(s: &mut [F], dp: &mut [F], log_sum: F, mean: F, scale: F) {
        for (s, dp) in s.iter_mut().zip(dp) {
            let p = s.fma::<FMA>(scale, -log_sum).exp::<FMA>();
            *s = p;
            *dp = p * (*dp - mean) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::attention::{self, Inputs};
    use crate::ops::finite::{check, dot, random};
    use crate::par::Shared;

    /// Attention of one key-value head as its definition says; also what the forward returns.
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

    #[allow(clippy::needless_pass_by_value)]
    fn case(dim: usize, group: usize, len: usize, window: Option<usize>) {
        let heads = Heads { dim, group, scale: 0.4, window };
        let padded = heads.padded();
        let q = random(len * group * dim, 1);
        let (k, v, a) = (random(len * dim, 2), random(len * dim, 3), random(len * group * dim, 4));
        let (mut keys, mut values) = (vec![0.0; keys_size(len, dim)], vec![0.0; len * padded]);
        for t in 0..len {
            pack_key(&mut keys, t, &k[t * dim..(t + 1) * dim]);
            values[t * padded..t * padded + dim].copy_from_slice(&v[t * dim..(t + 1) * dim]);
        }
        let (mut out, mut sums) = (vec![0.0; q.len()], vec![0.0; len * group]);
        let inputs = Inputs { heads, queries: &q, query_row: group * dim, position: 0, keys: &keys, values: &values };
        let at = |r: usize, g: usize| (r * group + g) * dim..(r * group + g + 1) * dim;
        let shared = Shared::new(&mut out);
        // SAFETY: one thread, and heads of rows do not overlap.
        attention::forward(&inputs, len, |r, g| unsafe { shared.range(at(r, g)) }, |r, g, s| sums[r * group + g] = s);
        for (found, expected) in out.iter().zip(naive(heads, len, &q, &k, &v)) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
        let [to_q, to_k, to_v] = [&mut dq, &mut dk, &mut dv].map(|d| Shared::new(d));
        let row = |r: usize| r * dim..(r + 1) * dim;
        backward(
            heads,
            len,
            &Segment {
                query: |r, g| &q[at(r, g)],
                key: |r| &k[row(r)],
                value: |r| &v[row(r)],
                out: |r, g| &out[at(r, g)],
                dout: |r, g| &a[at(r, g)],
            },
            |r, g| sums[r * group + g],
            // SAFETY: as above.
            |r, g| unsafe { to_q.range(at(r, g)) },
            // SAFETY: as above.
            |r| unsafe { to_k.range(row(r)) },
            // SAFETY: as above.
            |r| unsafe { to_v.range(row(r)) },
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
