//! The number types that the engine computes in.

use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::kernels::tile::{self, Tile};
use crate::simd::Level;

/// `f32` at run time, `f64` to check gradients against finite differences.
pub trait Real:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;

    /// Rounded from `f64`.
    fn from_f64(x: f64) -> Self;
    /// Exactly, as `f64`.
    fn to_f64(self) -> f64;
    /// `self * b + c`, rounded once if `FMA`, else twice.
    fn fma<const FMA: bool>(self, b: Self, c: Self) -> Self;
    /// `e` to the power of `self`; written so that a loop over it becomes vector code. 0 for very negative arguments, NaN for NaN.
    fn exp<const FMA: bool>(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// The larger of two numbers.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// One register tile of a matrix product, with `rows <= tile::max_rows(level, vectors)`.
    ///
    /// # Safety
    /// As for [`Tile`].
    #[doc(hidden)]
    unsafe fn tile(level: Level, rows: usize, vectors: usize, tile: &Tile<Self>);

    /// One register tile of a product of bf16 pairs, if the CPU has it ([`crate::simd::bf16_pairs`]).
    ///
    /// # Safety
    /// As for [`Tile`].
    #[doc(hidden)]
    unsafe fn tile_pairs(rows: usize, vectors: usize, tile: &Tile<Self, u32>);

    /// The nearest bf16, ties to even, in the lower 16 bits. NaN stays NaN.
    fn to_bf16(self) -> u32;

    /// From the lower 16 bits.
    fn from_bf16(bits: u32) -> Self;

    /// A buffer of at least `len` elements with unspecified contents, from this thread's pool.
    #[doc(hidden)]
    fn take_scratch(len: usize) -> Vec<Self>;

    /// Gives a buffer back to this thread's pool.
    #[doc(hidden)]
    fn give_scratch(buffer: Vec<Self>);
}

/// Runs `f` with a scratch buffer of `len` elements with unspecified contents.
pub(crate) fn with_scratch<F: Real, R>(len: usize, f: impl FnOnce(&mut [F]) -> R) -> R {
    let mut buffer = F::take_scratch(len);
    let result = f(&mut buffer[..len]);
    F::give_scratch(buffer);
    result
}

/// As [`with_scratch`], with `len` words of 32 bits.
pub(crate) fn with_words<F: Real, R>(len: usize, f: impl FnOnce(&mut [u32]) -> R) -> R {
    with_scratch(len, |buffer: &mut [F]| {
        // SAFETY: an `F` is at least as large and as strictly aligned as a `u32`, and both take any bits.
        f(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<u32>(), len) })
    })
}

thread_local! {
    static POOL_F32: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
    static POOL_F64: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

macro_rules! scratch {
    ($t:ty, $pool:ident) => {
        fn take_scratch(len: usize) -> Vec<$t> {
            let mut buffer = $pool.with(|pool| pool.borrow_mut().pop()).unwrap_or_default();
            if buffer.len() < len {
                buffer.resize(len, 0.0);
            }
            buffer
        }

        fn give_scratch(buffer: Vec<$t>) {
            $pool.with(|pool| pool.borrow_mut().push(buffer));
        }
    };
}

const LOG2_E: f32 = std::f32::consts::LOG2_E;
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
const ROUND: f32 = 12_582_912.0;

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn fma<const FMA: bool>(self, b: f32, c: f32) -> f32 {
        if FMA { self.mul_add(b, c) } else { self * b + c }
    }

    /// `2^n exp(r)` with `|r| <= ln(2) / 2` and the polynomial of Cephes' `expf` (Moshier, 1992); within 2 units in the
    /// last place.
    #[inline(always)]
    fn exp<const FMA: bool>(self) -> f32 {
        let x = if self > 88.0 { 88.0 } else { self };
        let shifted = x.fma::<FMA>(LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.fma::<FMA>(-LN2_HIGH, x);
        let r = n.fma::<FMA>(-LN2_LOW, r);
        let p = 1.987_569_2e-4_f32;
        let p = p.fma::<FMA>(r, 1.398_2e-3);
        let p = p.fma::<FMA>(r, 8.333_452e-3);
        let p = p.fma::<FMA>(r, 4.166_579_6e-2);
        let p = p.fma::<FMA>(r, 1.666_666_5e-1);
        let p = p.fma::<FMA>(r, 5e-1);
        let p = p.fma::<FMA>(r * r, r + 1.0);
        let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3F80_0000));
        if self < -87.3 { 0.0 } else { p * scale }
    }

    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn ln(self) -> f32 {
        f32::ln(self)
    }

    #[inline(always)]
    unsafe fn tile(level: Level, rows: usize, vectors: usize, tile: &Tile<f32>) {
        // SAFETY: the caller's.
        unsafe { tile::tile_f32(level, rows, vectors, tile) }
    }

    #[inline(always)]
    unsafe fn tile_pairs(rows: usize, vectors: usize, tile: &Tile<f32, u32>) {
        // SAFETY: the caller's.
        unsafe { tile::tile_pairs(rows, vectors, tile) }
    }

    #[inline(always)]
    fn to_bf16(self) -> u32 {
        let bits = self.to_bits();
        let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { 0x7FC0 } else { rounded }
    }

    #[inline(always)]
    fn from_bf16(bits: u32) -> f32 {
        f32::from_bits(bits << 16)
    }

    scratch!(f32, POOL_F32);
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn fma<const FMA: bool>(self, b: f64, c: f64) -> f64 {
        self * b + c
    }

    #[inline(always)]
    fn exp<const FMA: bool>(self) -> f64 {
        f64::exp(self)
    }

    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }

    #[inline(always)]
    unsafe fn tile(_level: Level, rows: usize, vectors: usize, tile: &Tile<f64>) {
        // SAFETY: the caller's.
        unsafe { tile::tile_portable::<f64, false>(rows, vectors, tile) }
    }

    unsafe fn tile_pairs(_rows: usize, _vectors: usize, _tile: &Tile<f64, u32>) {
        unreachable!("bf16 products are for f32")
    }

    fn to_bf16(self) -> u32 {
        (self as f32).to_bf16()
    }

    fn from_bf16(bits: u32) -> f64 {
        f64::from(f32::from_bf16(bits))
    }

    scratch!(f64, POOL_F64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let check = |x: f32| {
            let exact = f64::from(x).exp();
            let unit = f64::from((exact as f32).next_up() - exact as f32);
            for found in [Real::exp::<true>(x), Real::exp::<false>(x)] {
                assert!((f64::from(found) - exact).abs() <= 2.0 * unit, "exp({x}) is {exact}, not {found}");
            }
        };
        for i in -87_000..88_000 {
            check(i as f32 * 0.001);
        }
        for x in [0.0, -0.0, 1e-30, -1e-10, 1.0] {
            check(x);
        }
        assert_eq!(Real::exp::<true>(0.0f32), 1.0);
        for x in [-100.0, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(Real::exp::<true>(x), 0.0);
        }
        assert!(Real::exp::<true>(1000.0f32) > 1e38);
        assert!(Real::exp::<true>(f32::NAN).is_nan());
    }
}
