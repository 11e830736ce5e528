//! Blockwise dynamic quantisation to 8 bits (Dettmers et al., "8-bit Optimizers via Block-wise Quantization",
//! arXiv 2110.02861).
//!
//! A block of 256 values is stored as 256 codes of one byte and one scale, its largest magnitude. A code stands for one of
//! 256 values in [-1, 1] (or [0, 1]) whose spacing shrinks with their magnitude, decade by decade: the leading bits of a
//! code say how many decades below 1 the value lies, the rest divides the decade. The values are those of bitsandbytes.

use std::sync::LazyLock;

use crate::simd::simd;

/// Values with one scale.
pub const BLOCK: usize = 256;

/// Decades that a code reaches below 1.
const DECADES: i32 = 7;

/// Mantissa bits that choose an entry of [`CodeMap::first`]: with so many no entry's interval holds two bounds of codes.
const BITS: u32 = 7;
/// Binary exponents below 1 that the entries tell apart; no bound lies further below.
const EXPONENTS: u32 = 24;
/// Number of entries: one for each leading part of a float in [2^-EXPONENTS, 1], and one for what is smaller.
const ENTRIES: usize = ((EXPONENTS << BITS) + 2) as usize;
/// Leading part of 2^-EXPONENTS, less the entry for what is smaller.
const FIRST: u32 = ((127 - EXPONENTS) << BITS) - 1;

/// The values of the codes 0 to 255 in rising order, and how to find the nearest.
pub struct CodeMap {
    values: [f32; 256],
    /// Bound between code `i` and the next: their mean; infinite after the last.
    bounds: [f32; 256],
    /// Code of the smallest magnitude of each entry; the magnitude's own is this or the one beside it.
    positive: Box<[u8; ENTRIES]>,
    /// The same for negative values.
    negative: Box<[u8; ENTRIES]>,
}

/// For first moments.
pub static SIGNED: LazyLock<CodeMap> = LazyLock::new(|| CodeMap::new(true));
/// For second moments, which are not negative.
pub static UNSIGNED: LazyLock<CodeMap> = LazyLock::new(|| CodeMap::new(false));

/// The 256 values in rising order. Decade `i` below 1 is divided into `2^(6 - i)` parts (twice as many without sign), of
/// which the middles are values, with either sign; 0 and 1 complete them.
fn values(signed: bool) -> [f32; 256] {
    let mut values = vec![0.0, 1.0];
    for decade in 0..DECADES {
        let parts = 1 << (DECADES - 1 - decade + i32::from(!signed));
        for part in 0..parts {
            let middle = 0.1 + 0.9 * (f64::from(part) + 0.5) / f64::from(parts);
            let value = middle * 10f64.powi(-decade);
            values.push(value);
            if signed {
                values.push(-value);
            }
        }
    }
    values.sort_by(f64::total_cmp);
    std::array::from_fn(|i| values[i] as f32)
}

impl CodeMap {
    fn new(signed: bool) -> Self {
        let values = values(signed);
        let bound = |i: usize| values.get(i + 1).map_or(f32::INFINITY, |next| (values[i] + next) / 2.0);
        let bounds = std::array::from_fn(bound);
        let code = |x: f32| bounds.iter().position(|bound| x <= *bound).unwrap_or(255) as u8;
        let smallest = |entry: usize| match entry {
            0 => 0.0,
            _ => f32::from_bits((FIRST + entry as u32) << (23 - BITS)),
        };
        let table = |sign: f32| Box::new(std::array::from_fn(|entry| code(sign * smallest(entry))));
        CodeMap { values, bounds, positive: table(1.0), negative: table(-1.0) }
    }

    /// The value of a code.
    #[cfg(test)]
    pub fn value(&self, code: u8) -> f32 {
        self.values[code as usize]
    }

    /// Code of the value nearest to `x` in [-1, 1]; of two equally near ones the lower.
    #[inline(always)]
    pub fn code(&self, x: f32) -> u8 {
        let bits = x.to_bits();
        let entry = (((bits & 0x7fff_ffff) >> (23 - BITS)).saturating_sub(FIRST) as usize).min(ENTRIES - 1);
        if bits >> 31 == 0 {
            let code = self.positive[entry];
            code + u8::from(x > self.bounds[code as usize])
        } else {
            let code = self.negative[entry];
            // The bound below is that of the code before; code 0 has none.
            code - u8::from(code > 0 && x <= self.bounds[code.wrapping_sub(1) as usize])
        }
    }

    /// Writes what `codes` with this scale stand for.
    pub fn decode(&self, codes: &[u8], scale: f32, values: &mut [f32]) {
        for (value, code) in values.iter_mut().zip(codes) {
            *value = self.values[*code as usize] * scale;
        }
    }

    /// Writes the codes of finite `values`, at most [`BLOCK`], and returns their scale: the largest magnitude. A value
    /// that is not 0 gets code `least` or a higher one.
    pub fn encode(&self, values: &mut [f32], least: u8, codes: &mut [u8]) -> f32 {
        let scale = largest_magnitude(values);
        if scale == 0.0 {
            codes.fill(self.code(0.0));
            return 0.0;
        }
        divide(values, scale);
        for (code, value) in codes.iter_mut().zip(values.iter()) {
            *code = self.code(*value).max(if *value == 0.0 { 0 } else { least });
        }
        scale
    }
}

simd! {
    fn largest_magnitude(values: &[F]) -> F {
        let mut lanes = [F::ZERO; 16];
        let (blocks, rest) = values.as_chunks::<16>();
        for block in blocks {
            for i in 0..16 {
                lanes[i] = lanes[i].max(block[i].max(-block[i]));
            }
        }
        for (i, x) in rest.iter().enumerate() {
            lanes[i] = lanes[i].max(x.max(-*x));
        }
        lanes.iter().fold(F::ZERO, |most, x| most.max(*x))
    }

    fn divide(values: &mut [F], divisor: F) {
        for value in values {
            *value = *value / divisor;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The nearest code by its definition.
    fn nearest(map: &CodeMap, x: f32) -> u8 {
        (0..255).find(|&i| x <= (map.value(i) + map.value(i + 1)) / 2.0).unwrap_or(255)
    }

    #[test]
    fn values_rise_from_end_to_end_and_hold_zero_and_one() {
        for (map, zero, first) in [(&SIGNED, 127, -0.992_968_75), (&UNSIGNED, 0, 0.0)] {
            assert!(map.values.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!((map.value(0), map.value(255), map.value(zero)), (first, 1.0, 0.0));
            assert_eq!((map.code(0.0), map.code(-0.0), map.code(1.0)), (zero, zero, 255));
        }
        // Every value but 1 has its opposite.
        assert!((1..=127).all(|i| SIGNED.value(127 - i) == -SIGNED.value(127 + i)));
        assert_eq!((SIGNED.code(-1.0), UNSIGNED.code(-1.0)), (0, 0));
    }

    /// The look-up is exact where codes change: at each bound and at the floats beside it.
    #[test]
    fn the_look_up_finds_the_nearest_at_every_bound() {
        for map in [&SIGNED, &UNSIGNED] {
            for bound in &map.bounds[..255] {
                for x in [bound.next_down(), *bound, bound.next_up()] {
                    assert_eq!(map.code(x), nearest(map, x), "{x:e}");
                }
            }
            for code in 0..=255 {
                assert_eq!(map.code(map.value(code)), code);
            }
        }
    }

    proptest! {
        #[test]
        fn the_look_up_finds_the_nearest(x in -1f32..=1.0, down in 0i32..45) {
            let x = x * 0.5f32.powi(down);
            prop_assert_eq!(SIGNED.code(x), nearest(&SIGNED, x));
            prop_assert_eq!(UNSIGNED.code(x.abs()), nearest(&UNSIGNED, x.abs()));
        }

        /// A value comes back within half of the spacing of its decade: `0.9 / parts / 2` of the decade's upper end, or
        /// half of the smallest value next to 0.
        #[test]
        fn a_block_comes_back_within_half_a_spacing(
            values in proptest::collection::vec(-1f32..=1.0, 1..=BLOCK), down in -60i32..60, signed: bool,
        ) {
            let map = if signed { &SIGNED } else { &UNSIGNED };
            let values: Vec<f32> =
                values.iter().map(|x| if signed { *x } else { x.abs() } * 2f32.powi(down)).collect();
            let (mut codes, mut back) = (vec![0; values.len()], vec![0.0; values.len()]);
            let scale = map.encode(&mut values.clone(), 0, &mut codes);
            prop_assert_eq!(scale, values.iter().fold(0f32, |most, x| most.max(x.abs())));
            map.decode(&codes, scale, &mut back);
            for (x, y) in values.iter().zip(&back) {
                let share = f64::from(x.abs()) / f64::from(scale).max(1e-300);
                let decade = (-share.log10()).floor().clamp(0.0, 6.0) as i32;
                let parts = 2f64.powi(6 - decade + i32::from(!signed));
                // The gap to 1, and that from one decade to the next, is a mean of two spacings at most.
                let half = (0.45 / parts * 10f64.powi(-decade)).max(0.45e-6) + 1e-6 * share;
                let error = (f64::from(*x) - f64::from(*y)).abs() / f64::from(scale).max(1e-300);
                prop_assert!(error <= half, "{} came back as {} at scale {}", x, y, scale);
            }
        }
    }

    #[test]
    fn zeros_and_the_smallest_numbers_come_back() {
        for map in [&SIGNED, &UNSIGNED] {
            let (mut codes, mut back) = ([9; 3], [9.0; 3]);
            assert_eq!(map.encode(&mut [0.0, -0.0, 0.0], 1, &mut codes), 0.0);
            map.decode(&codes, 0.0, &mut back);
            assert_eq!(back, [0.0; 3]);
            let tiny = f32::from_bits(1);
            let scale = map.encode(&mut [tiny, 0.0, f32::from_bits(2)], 0, &mut codes);
            map.decode(&codes, scale, &mut back);
            assert_eq!((scale, back[1], back[2]), (2.0 * tiny, 0.0, 2.0 * tiny));
        }
    }

    #[test]
    fn what_is_not_zero_stays_so_where_asked() {
        let mut codes = [9; 3];
        UNSIGNED.encode(&mut [1.0, 1e-9, 0.0], 1, &mut codes);
        assert_eq!(codes, [255, 1, 0]);
    }
}
