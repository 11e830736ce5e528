//! Pairs of bf16 in 32 bits, the first in the lower half.
//!
//! Where the CPU has AVX-512 BF16 its own rounding is used; like the products it takes numbers below the smallest normal
//! one for 0. Everywhere else [`Real::to_bf16`] rounds. Both round to the nearest, ties to even.

use std::any::TypeId;

use crate::real::Real;
use crate::simd::{bf16_pairs, simd};

/// `x` as `f32`, if that is what it is and the CPU rounds to bf16.
#[inline(always)]
fn fast<F: Real>(x: &[F]) -> Option<&[f32]> {
    let same = TypeId::of::<F>() == TypeId::of::<f32>();
    // SAFETY: the types are the same.
    (same && bf16_pairs()).then(|| unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) })
}

/// Pairs along each row of `a` (rows of `k` at distance `a_row`); rows of `out` have `k / 2` pairs, rounded up.
pub fn along_rows<F: Real>(a: &[F], a_row: usize, k: usize, out: &mut [u32]) {
    for (row, out) in out.chunks_exact_mut(k.div_ceil(2)).enumerate() {
        let a = &a[row * a_row..row * a_row + k];
        match fast(a) {
            // SAFETY: `fast` has found the CPU's features.
            #[cfg(target_arch = "x86_64")]
            Some(a) => unsafe { x86::along_row(a, out) },
            _ => along_row(a, out),
        }
    }
}

/// Pairs of two consecutive rows (of `columns`, at distance `stride`), as rows of `width` of `out`; of the last row alone
/// if `odd`. Columns from `columns` on are left as they are.
pub fn of_rows<F: Real>(from: &[F], stride: usize, columns: usize, width: usize, odd: bool, out: &mut [u32]) {
    match fast(from) {
        // SAFETY: `fast` has found the CPU's features.
        #[cfg(target_arch = "x86_64")]
        Some(from) => unsafe { x86::of_rows(from, stride, columns, width, odd, out) },
        _ => of_rows_plain(from, stride, columns, width, odd, out),
    }
}

/// Pairs along `rows` rows of `w` (of `k`, at distance `stride`), as columns of `out`, `[k / 2][width]`.
pub fn transposed<F: Real>(w: &[F], stride: usize, rows: usize, k: usize, width: usize, out: &mut [u32]) {
    let mut first = 0;
    #[cfg(target_arch = "x86_64")]
    if let Some(w) = fast(w) {
        while first + 16 <= rows {
            // SAFETY: `fast` has found the CPU's features.
            unsafe { x86::transposed16(&w[first * stride..], stride, k, width, &mut out[first..]) };
            first += 16;
        }
    }
    if first < rows {
        transposed_plain(&w[first * stride..], stride, rows - first, k, width, &mut out[first..]);
    }
}

simd! {
    fn along_row(a: &[F], out: &mut [u32]) {
        let (pairs, rest) = a.as_chunks::<2>();
        for (out, [x, y]) in out.iter_mut().zip(pairs) {
            *out = x.to_bf16() | y.to_bf16() << 16;
        }
        if let ([x], Some(out)) = (rest, out.last_mut()) {
            *out = x.to_bf16();
        }
    }

    fn of_rows_plain(from: &[F], stride: usize, columns: usize, width: usize, odd: bool, out: &mut [u32]) {
        let whole = out.len() / width - usize::from(odd);
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let start = 2 * row * stride;
            let even = &from[start..start + columns];
            if row < whole {
                let odd = &from[start + stride..start + stride + columns];
                for ((out, x), y) in out.iter_mut().zip(even).zip(odd) {
                    *out = x.to_bf16() | y.to_bf16() << 16;
                }
            } else {
                for (out, x) in out.iter_mut().zip(even) {
                    *out = x.to_bf16();
                }
            }
        }
    }

    fn transposed_plain(w: &[F], stride: usize, rows: usize, k: usize, width: usize, out: &mut [u32]) {
        let pairs = k.div_ceil(2);
        for p0 in (0..pairs).step_by(16) {
            for lane in 0..rows {
                let row = &w[lane * stride..lane * stride + k];
                for p in p0..(p0 + 16).min(pairs) {
                    let high = if 2 * p + 1 < k { row[2 * p + 1].to_bf16() } else { 0 };
                    out[p * width + lane] = row[2 * p].to_bf16() | high << 16;
                }
            }
        }
    }

    /// Rounds each number to bf16.
    pub fn round(x: &mut [F]) {
        for x in x {
            *x = F::from_bf16(x.to_bf16());
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    /// Lanes below `count`.
    fn mask(count: usize) -> __mmask16 {
        if count >= 16 { 0xFFFF } else { (1 << count) - 1 }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn widen(x: __m512) -> __m512i {
        // SAFETY: both types are 256 bits of anything.
        _mm512_cvtepu16_epi32(unsafe { transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x)) })
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn along_row(a: &[f32], out: &mut [u32]) {
        let whole = a.len() / 32;
        let (pairs, rest) = out.split_at_mut(whole * 16);
        for (from, to) in a.as_chunks::<32>().0.iter().zip(pairs.as_chunks_mut::<16>().0) {
            // SAFETY: 32 numbers to read, 16 words to write; both vector types are 512 bits of anything.
            unsafe {
                let (low, high) = (_mm512_loadu_ps(from.as_ptr()), _mm512_loadu_ps(from.as_ptr().add(16)));
                let packed: __m512i = transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_epi32(to.as_mut_ptr().cast(), packed);
            }
        }
        if !rest.is_empty() {
            let mut from = [0.0; 32];
            let left = &a[whole * 32..];
            from[..left.len()].copy_from_slice(left);
            let mut to = [0; 16];
            along_row(&from, &mut to);
            rest.copy_from_slice(&to[..rest.len()]);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn of_rows(from: &[f32], stride: usize, columns: usize, width: usize, odd: bool, out: &mut [u32]) {
        let rows = out.len() / width;
        let count = 2 * rows - usize::from(odd);
        assert!(columns <= width && (count == 0 || from.len() >= (count - 1) * stride + columns));
        for c in (0..columns).step_by(16) {
            let mask = mask(columns - c);
            for row in 0..rows {
                // SAFETY: the masked lanes lie inside the rows, whose sizes were checked above.
                unsafe {
                    let even = from.as_ptr().add(2 * row * stride + c);
                    let mut pair = widen(_mm512_maskz_loadu_ps(mask, even));
                    if 2 * row + 1 < count {
                        let odd = widen(_mm512_maskz_loadu_ps(mask, even.add(stride)));
                        pair = _mm512_or_si512(pair, _mm512_slli_epi32::<16>(odd));
                    }
                    _mm512_mask_storeu_epi32(out.as_mut_ptr().add(row * width + c).cast(), mask, pair);
                }
            }
        }
    }

    /// Pairs along 16 rows of `k` at distance `stride`, as 16 columns of `out`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn transposed16(w: &[f32], stride: usize, k: usize, width: usize, out: &mut [u32]) {
        let pairs = k.div_ceil(2);
        assert!(w.len() >= 15 * stride + k && out.len() >= (pairs - 1) * width + 16);
        for p in (0..pairs).step_by(16) {
            let left = k - 2 * p;
            let (low, high) = (mask(left), mask(left.saturating_sub(16)));
            let mut rows = [_mm512_setzero_si512(); 16];
            for (r, row) in rows.iter_mut().enumerate() {
                // SAFETY: the masked lanes lie inside the row; both vector types are 512 bits of anything.
                unsafe {
                    let from = w.as_ptr().add(r * stride + 2 * p);
                    let low = _mm512_maskz_loadu_ps(low, from);
                    let high = _mm512_maskz_loadu_ps(high, from.wrapping_add(16));
                    *row = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
                }
            }
            let columns = transpose(rows);
            for (i, column) in columns.iter().enumerate().take(16.min(pairs - p)) {
                // SAFETY: inside `out`, as checked above.
                unsafe { _mm512_storeu_epi32(out.as_mut_ptr().add((p + i) * width).cast(), *column) };
            }
        }
    }

    /// The transpose of 16 rows of 16 words.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transpose(r: [__m512i; 16]) -> [__m512i; 16] {
        let mut t = [_mm512_setzero_si512(); 16];
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
        }
        // Of rows 4i..4i + 4: lane group g holds column 4g + j.
        let mut q = [_mm512_setzero_si512(); 16];
        for i in 0..4 {
            q[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
            q[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
            q[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
            q[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
        }
        let mut out = [_mm512_setzero_si512(); 16];
        for j in 0..4 {
            let (a, b, c, d) = (q[j], q[4 + j], q[8 + j], q[12 + j]);
            let ab_even = _mm512_shuffle_i32x4::<0x88>(a, b);
            let ab_odd = _mm512_shuffle_i32x4::<0xDD>(a, b);
            let cd_even = _mm512_shuffle_i32x4::<0x88>(c, d);
            let cd_odd = _mm512_shuffle_i32x4::<0xDD>(c, d);
            out[j] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
            out[8 + j] = _mm512_shuffle_i32x4::<0xDD>(ab_even, cd_even);
            out[4 + j] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
            out[12 + j] = _mm512_shuffle_i32x4::<0xDD>(ab_odd, cd_odd);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Key;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| Key::new(4).fold(i as u64).normal() as f32).collect()
    }

    /// The CPU's rounding and transposing against the plain code.
    #[test]
    fn all_ways_agree() {
        for k in [1usize, 2, 15, 16, 31, 32, 33, 64, 95] {
            let pairs = k.div_ceil(2);
            let x = numbers(40 * k);
            let (mut a, mut b) = (vec![0; 40 * pairs], vec![0; 40 * pairs]);
            along_rows(&x, k, k, &mut a);
            b.chunks_exact_mut(pairs).zip(x.chunks_exact(k)).for_each(|(to, from)| along_row(from, to));
            assert_eq!(a, b, "{k}");
            for rows in [0..16, 3..40, 5..7] {
                let (mut a, mut b) = (vec![9; pairs * 40], vec![9; pairs * 40]);
                transposed(&x[rows.start * k..], k, rows.len(), k, 40, &mut a);
                transposed_plain(&x[rows.start * k..], k, rows.len(), k, 40, &mut b);
                assert_eq!(a, b, "{k} {rows:?}");
            }
            for (rows, odd) in [(4, false), (5, true)] {
                let (mut a, mut b) = (vec![9; 3 * 100], vec![9; 3 * 100]);
                let size = rows / 2 + usize::from(odd);
                of_rows(&x, k, k, 100, odd, &mut a[..size * 100]);
                of_rows_plain(&x, k, k, 100, odd, &mut b[..size * 100]);
                assert_eq!(a, b, "{k} {rows}");
            }
        }
    }

    #[test]
    fn rounds_to_nearest_even() {
        let cases = [(1.0, 0x3F80), (1.0 + 1.0 / 256.0, 0x3F80), (1.0 + 3.0 / 256.0, 0x3F82), (-1.005, 0xBF81)];
        for (x, bits) in cases {
            let mut out = [0];
            along_rows(&[x, 0.0f32], 2, 2, &mut out);
            assert_eq!((f32::to_bf16(x), out[0]), (bits, bits), "{x}");
        }
        assert!(f32::from_bf16(f32::NAN.to_bf16()).is_nan());
        assert_eq!(f32::INFINITY.to_bf16(), 0x7F80);
    }
}
