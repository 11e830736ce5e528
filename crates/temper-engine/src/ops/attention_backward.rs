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
