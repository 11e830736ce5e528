//! Register tiles: the innermost loop of every product.
//!
//! A tile computes `C[r, j] = (C[r, j] or 0) + sum_p A[r, p] B[p, j]` for a few rows `r` and a few vectors of 16 columns
//! `j`. The sum runs over `p` in order, one fused multiply-add after the other, so an element of a product has the same
//! bits whatever the tile's shape is and however the sum is cut into consecutive pieces.
//!
//! With bf16 operands an element of `A` and of `B` is a pair of consecutive `p` in 32 bits, the earlier one in the lower
//! half, and one instruction adds the products of a pair.

use crate::real::Real;
use crate::simd::Level;

/// Columns of one vector.
pub const LANES: usize = 16;
/// Columns of one packed panel.
pub const PANEL: usize = 2 * LANES;

/// Operands of a tile. `A[r, p]` is at `a[r * a_row + p * a_k]`; the columns `16 v ..` of row `p` of `B` are at
/// `b[(v / 2) * b_panel + (v % 2) * b_vector + p * b_k]`; `C[r, j]` is at `c[r * c_row + j]`.
///
/// # Safety
/// All these addresses must be valid, and those of `C` be written by nobody else meanwhile.
pub struct Tile<F, E = F> {
    pub k: usize,
    pub a: *const E,
    pub a_row: usize,
    pub a_k: usize,
    pub b: *const E,
    pub b_k: usize,
    pub b_vector: usize,
    pub b_panel: usize,
    pub c: *mut F,
    pub c_row: usize,
    /// Whether to start from `C` rather than from 0.
    pub load: bool,
}

/// Operands of a product: numbers, or pairs of bf16 in 32 bits.
pub trait Element<F>: Copy + Default {
    /// One register tile.
    ///
    /// # Safety
    /// As for [`Tile`]; `rows` and `vectors` are those of a tile that there is at `level`.
    unsafe fn tile(level: Level, rows: usize, vectors: usize, tile: &Tile<F, Self>);
}

impl<F: Real> Element<F> for F {
    #[inline(always)]
    unsafe fn tile(level: Level, rows: usize, vectors: usize, tile: &Tile<F>) {
        // SAFETY: the caller's.
        unsafe { F::tile(level, rows, vectors, tile) }
    }
}

impl<F: Real> Element<F> for u32 {
    #[inline(always)]
    unsafe fn tile(_level: Level, rows: usize, vectors: usize, tile: &Tile<F, u32>) {
        // SAFETY: the caller's.
        unsafe { F::tile_pairs(rows, vectors, tile) }
    }
}

/// Most rows of a tile with `vectors` vectors of columns; 0: no such tile.
pub fn max_rows(level: Level, vectors: usize) -> usize {
    match (level, vectors) {
        (Level::Avx512, 1) => 24,
        (Level::Avx512, 2) => 12,
        (Level::Avx512, 4) => 6,
        (Level::Avx512, 8) => 3,
        (Level::Avx2, 1) => 6,
        (Level::Portable, 1) => 4,
        _ => 0,
    }
}

/// # Safety
/// As for [`Tile`].
#[inline(always)]
unsafe fn generic<F: Real, const ROWS: usize, const FMA: bool>(t: &Tile<F>) {
    let mut sum = [[F::ZERO; LANES]; ROWS];
    // SAFETY: the addresses are valid by the caller's promise.
    unsafe {
        if t.load {
            for (r, row) in sum.iter_mut().enumerate() {
                *row = t.c.add(r * t.c_row).cast::<[F; LANES]>().read();
            }
        }
        for p in 0..t.k {
            let b = t.b.add(p * t.b_k).cast::<[F; LANES]>().read();
            for (r, row) in sum.iter_mut().enumerate() {
                let a = t.a.add(r * t.a_row + p * t.a_k).read();
                for j in 0..LANES {
                    row[j] = a.fma::<FMA>(b[j], row[j]);
                }
            }
        }
        for (r, row) in sum.iter().enumerate() {
            t.c.add(r * t.c_row).cast::<[F; LANES]>().write(*row);
        }
    }
}

/// A tile of one vector and at most six rows.
///
/// # Safety
/// As for [`Tile`].
#[inline(always)]
pub unsafe fn tile_portable<F: Real, const FMA: bool>(rows: usize, vectors: usize, t: &Tile<F>) {
    debug_assert_eq!(vectors, 1);
    // SAFETY: the caller's.
    unsafe {
        match rows {
            1 => generic::<F, 1, FMA>(t),
            2 => generic::<F, 2, FMA>(t),
            3 => generic::<F, 3, FMA>(t),
            4 => generic::<F, 4, FMA>(t),
            5 => generic::<F, 5, FMA>(t),
            6 => generic::<F, 6, FMA>(t),
            _ => unreachable!("no tile of {rows} rows"),
        }
    }
}

/// # Safety
/// As for [`Tile`]; the CPU has the features of `level`.
#[inline]
pub unsafe fn tile_f32(level: Level, rows: usize, vectors: usize, t: &Tile<f32>) {
    // SAFETY: the caller's.
    unsafe {
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::avx512(rows, vectors, t),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::avx2(rows, vectors, t),
            _ => tile_portable::<f32, false>(rows, vectors, t),
        }
    }
}

/// # Safety
/// As for [`Tile`]; the CPU has AVX-512 BF16.
#[inline]
pub unsafe fn tile_pairs(rows: usize, vectors: usize, t: &Tile<f32, u32>) {
    // SAFETY: the caller's.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        x86::pairs(rows, vectors, t);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("pairs need AVX-512 BF16: {rows} rows, {vectors} vectors, {}", t.k);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_epi32, _mm512_loadu_ps,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    use std::mem::transmute;

    use super::{LANES, Tile};

    /// Rows up to which a tile fetches `B` ahead: decoding a few sequences reads every weight from memory.
    const FEW: usize = 9;
    /// How many steps ahead: several kilobytes.
    const AHEAD: usize = 48;

    /// Columns of one 256-bit vector; a vector of [`LANES`] columns is two of them.
    const HALF: usize = LANES / 2;

    /// One vector of columns: with six rows, twelve sums, two vectors of `B` and one value of `A` fill the sixteen registers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow<const ROWS: usize>(t: &Tile<f32>) {
        let mut sum = [[_mm256_setzero_ps(); 2]; ROWS];
        // SAFETY: the addresses are valid by the caller's promise.
        unsafe {
            if t.load {
                for (r, row) in sum.iter_mut().enumerate() {
                    let c = t.c.add(r * t.c_row);
                    *row = [_mm256_loadu_ps(c), _mm256_loadu_ps(c.add(HALF))];
                }
            }
            let (mut a, mut b) = (t.a, t.b);
            for _ in 0..t.k {
                let columns = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(HALF))];
                for (r, row) in sum.iter_mut().enumerate() {
                    let x = _mm256_broadcast_ss(&*a.add(r * t.a_row));
                    row[0] = _mm256_fmadd_ps(x, columns[0], row[0]);
                    row[1] = _mm256_fmadd_ps(x, columns[1], row[1]);
                }
                a = a.add(t.a_k);
                b = b.add(t.b_k);
            }
            for (r, row) in sum.iter().enumerate() {
                let c = t.c.add(r * t.c_row);
                _mm256_storeu_ps(c, row[0]);
                _mm256_storeu_ps(c.add(HALF), row[1]);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(rows: usize, vectors: usize, t: &Tile<f32>) {
        debug_assert_eq!(vectors, 1);
        // SAFETY: the caller's.
        unsafe {
            match rows {
                1 => narrow::<1>(t),
                2 => narrow::<2>(t),
                3 => narrow::<3>(t),
                4 => narrow::<4>(t),
                5 => narrow::<5>(t),
                6 => narrow::<6>(t),
                _ => unreachable!("no tile of {rows} rows"),
            }
        }
    }

    /// The loop of a 512-bit tile, given how a vector of `B` and a repeated element of `A` are read and how both are
    /// multiplied and added to a sum.
    macro_rules! register_tile {
        ($name:ident, $element:ty, $features:literal, $zero:expr,
         |$b:ident| $load:expr, |$a:ident| $repeat:expr, |$x:ident, $y:ident, $sum:ident| $add:expr) => {
            #[allow(clippy::needless_range_loop)]
            #[target_feature(enable = $features)]
            unsafe fn $name<const ROWS: usize, const VECTORS: usize>(t: &Tile<f32, $element>) {
                let mut sum = [[_mm512_setzero_ps(); VECTORS]; ROWS];
                // SAFETY: the addresses are valid by the caller's promise.
                unsafe {
                    if t.load {
                        for r in 0..ROWS {
                            for v in 0..VECTORS {
                                sum[r][v] = _mm512_loadu_ps(t.c.add(r * t.c_row + v * LANES));
                            }
                        }
                    }
                    let (mut a, mut b) = (t.a, t.b);
                    for _ in 0..t.k {
                        let mut columns = [$zero; VECTORS];
                        for v in 0..VECTORS {
                            let $b = b.add((v / 2) * t.b_panel + (v % 2) * t.b_vector);
                            columns[v] = $load;
                            if ROWS <= FEW {
                                _mm_prefetch::<_MM_HINT_T0>($b.wrapping_add(AHEAD * t.b_k).cast());
                            }
                        }
                        for r in 0..ROWS {
                            let $a = a.add(r * t.a_row);
                            let $x = $repeat;
                            for v in 0..VECTORS {
                                let ($y, $sum) = (columns[v], sum[r][v]);
                                sum[r][v] = $add;
                            }
                        }
                        a = a.add(t.a_k);
                        b = b.add(t.b_k);
                    }
                    for r in 0..ROWS {
                        for v in 0..VECTORS {
                            _mm512_storeu_ps(t.c.add(r * t.c_row + v * LANES), sum[r][v]);
                        }
                    }
                }
            }
        };
    }

    register_tile!(
        block,
        f32,
        "avx512f",
        _mm512_setzero_ps(),
        |b| _mm512_loadu_ps(b),
        |a| _mm512_set1_ps(*a),
        |x, y, sum| _mm512_fmadd_ps(x, y, sum)
    );
    register_tile!(
        pair_block,
        u32,
        "avx512f,avx512bf16",
        transmute::<__m512, __m512bh>(_mm512_setzero_ps()),
        |b| transmute::<__m512i, __m512bh>(_mm512_loadu_epi32(b.cast())),
        |a| transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*a as i32)),
        |x, y, sum| _mm512_dpbf16_ps(sum, x, y)
    );

    macro_rules! choose {
        ($block:ident, $rows:expr, $vectors:expr, $t:expr, $(($v:literal: $($r:literal)*))*) => {
            match ($vectors, $rows) {
                $($(($v, $r) => $block::<$r, $v>($t),)*)*
                (vectors, rows) => unreachable!("no tile of {rows} rows and {vectors} vectors"),
            }
        };
    }

    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512(rows: usize, vectors: usize, t: &Tile<f32>) {
        // SAFETY: the caller's.
        unsafe {
            choose!(block, rows, vectors, t,
                (1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
                (2: 1 2 3 4 5 6 7 8 9 10 11 12)
                (4: 1 2 3 4 5 6)
                (8: 1 2 3))
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn pairs(rows: usize, vectors: usize, t: &Tile<f32, u32>) {
        // SAFETY: the caller's.
        unsafe {
            choose!(pair_block, rows, vectors, t,
                (1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
                (2: 1 2 3 4 5 6 7 8 9 10 11 12)
                (4: 1 2 3 4 5 6)
                (8: 1 2 3))
        }
    }
}
