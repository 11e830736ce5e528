//! Blockwise dynamic quantisation to 8 bits (Dettmers et al., "8-bit Optimizers via Block-wise Quantization",
//! arXiv 2110.02861).
//!
//! A block of 256 values is stored as 256 codes of one byte and one scale, its largest magnitude. A code stands for one of
//! 256 values in [-1, 1] (or [0, 1]) whose spacing shrinks with their magnitude, decade by decade: the leading bits of a
//! code say how many decades below 1 the value lies, the rest divides the decade. The values are those of bitsandbytes.

use crate::simd::simd;

/// Values with one scale.
pub const BLOCK: usize = 256;

/// Decades that a code reaches below 1.
const DECADES: usize = 7;
/// A float of at least this size has no fraction; a small number added to it is rounded to a whole one.
const WHOLE: f32 = (1u32 << 23) as f32;

/// What the codes 0 to 255 stand for, in rising order.
///
/// A code has a rank, a whole number: in a signed map its distance from 127, with the sign of the value; in an unsigned map
/// itself plus 1. The ranks `2^n..2^(n+1)` divide one decade into `2^n` parts and stand for the parts' middles; the highest
/// decade ends at 1. The lowest rank stands for 0, the highest for 1. Either way is arithmetic without a table, so that it
/// becomes vector code.
#[derive(Debug)]
pub struct CodeMap {
    /// Code of rank 0.
    zero: i32,
    decades: [Decade; DECADES],
    /// Rank of 0.
    least: f32,
    /// Ranks of 1 and of -1's nearest value.
    most: [f32; 2],
    /// Magnitude from which on 1 is the nearest value.
    one: f32,
}

/// One decade of values.
#[derive(Clone, Copy, Debug)]
struct Decade {
    /// First rank, a power of 2.
    first: f32,
    /// The value of rank `k` is `low + range (k / first - 1)`, where the bracket is the mantissa of `k`.
    low: f32,
    range: f32,
    /// Magnitude from which on this decade's values are nearer than those below.
    from: f32,
    /// A magnitude `x` has rank `x slope + offset`, rounded; `offset` is `first 8/9 - 1/2`.
    slope: f32,
    offset: f32,
}

/// For first moments.
pub static SIGNED: CodeMap = CodeMap::new(true);
/// For second moments, which are not negative.
pub static UNSIGNED: CodeMap = CodeMap::new(false);

impl CodeMap {
    const fn new(signed: bool) -> Self {
        let mut decades = [Decade { first: 0.0, low: 0.0, range: 0.0, from: 0.0, slope: 0.0, offset: 0.0 }; DECADES];
        let (mut parts, mut top, mut below) = (if signed { 1.0 } else { 2.0 }, 1e-6, 0.0);
        let mut n = 0;
        while n < DECADES {
            let (low, last) = (top * (0.1 + 0.45 / parts), top * (1.0 - 0.45 / parts));
            decades[n] = Decade {
                first: parts as f32,
                low: low as f32,
                range: (0.9 * top) as f32,
                from: ((below + low) / 2.0) as f32,
                slope: (parts / (0.9 * top)) as f32,
                // Rank `first` begins at a tenth of the decade; rounding to the nearest is to cut off.
                offset: (parts - parts / 9.0 - 0.5) as f32,
            };
            (parts, top, below) = (2.0 * parts, if n == DECADES - 2 { 1.0 } else { 10.0 * top }, last);
            n += 1;
        }
        CodeMap {
            zero: if signed { 127 } else { -1 },
            decades,
            least: if signed { 0.0 } else { 1.0 },
            most: [parts as f32, if signed { (parts - 1.0) as f32 } else { 1.0 }],
            one: ((below + 1.0) / 2.0) as f32,
        }
    }

    /// Writes what `codes` with this scale stand for.
    pub fn decode(&self, codes: &[u8; BLOCK], scale: f32, values: &mut [f32; BLOCK]) {
        decode::<f32>(self, codes, scale, values);
    }

    /// Writes the codes of finite `values` and returns their scale, the largest magnitude. The code is that of the nearest
    /// value; within rounding of the middle of two it may be either.
    pub fn encode(&self, values: &[f32; BLOCK], codes: &mut [u8; BLOCK]) -> f32 {
        let scale = largest_magnitude(values);
        // Zeros are zeros at any scale.
        encode::<f32>(self, values, if scale == 0.0 { 1.0 } else { scale }, codes);
        scale
    }
}

simd! {
    fn largest_magnitude(values: &[F; BLOCK]) -> F {
        let mut lanes = [F::ZERO; 16];
        for group in values.as_chunks::<16>().0 {
            for i in 0..16 {
                lanes[i] = lanes[i].max(group[i].max(-group[i]));
            }
        }
        lanes.iter().fold(F::ZERO, |most, x| most.max(*x))
    }

    #[allow(clippy::extra_unused_type_parameters, reason = "codes are of f32 only")]
    fn decode(map: &CodeMap, codes: &[u8; BLOCK], scale: f32, values: &mut [f32; BLOCK]) {
        let CodeMap { zero, decades, most: [most, _], .. } = *map;
        for (code, value) in codes.iter().zip(values) {
            let signed = i32::from(*code) - zero;
            let rank = signed.abs() as f32;
            let (mut low, mut range) = (0.0, 0.0);
            for decade in &decades {
                let above = rank >= decade.first;
                low = if above { decade.low } else { low };
                range = if above { decade.range } else { range };
            }
            let mantissa = f32::from_bits(rank.to_bits() & 0x007f_ffff | 0x3f80_0000) - 1.0;
            let size = low + range * mantissa;
            let size = if rank >= most { 1.0 } else { size };
            *value = (if signed < 0 { -size } else { size }) * scale;
        }
    }

    #[allow(clippy::extra_unused_type_parameters, reason = "codes are of f32 only")]
    fn encode(map: &CodeMap, values: &[f32; BLOCK], scale: f32, codes: &mut [u8; BLOCK]) {
        let CodeMap { zero, decades, least, most: [most, negative_most], one } = *map;
        for (value, code) in values.iter().zip(codes) {
            let size = value.abs() / scale;
            let (mut slope, mut offset) = (0.0, least * (8.0 / 9.0) - 0.5);
            for decade in &decades {
                let above = size >= decade.from;
                slope = if above { decade.slope } else { slope };
                offset = if above { decade.offset } else { offset };
            }
            let first = (offset + 0.5) * 1.125;
            let last = first + first - 1.0;
            let last = if last > first { last } else { first };
            let rank = size * slope + offset;
            let rank = if rank < first { first } else { rank };
            let rank = if rank > last { last } else { rank };
            let end = if *value < 0.0 { negative_most } else { most };
            let rank = if size >= one { end } else { rank };
            let rank = ((rank + WHOLE).to_bits() & 0x1ff) as i32;
            *code = (zero + if *value < 0.0 { -rank } else { rank }) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The 256 values by their definition. Decade `i` below 1 has `2^(6 - i)` parts, twice as many without sign.
    fn values(signed: bool) -> Vec<f64> {
        let mut values = vec![0.0, 1.0];
        for decade in 0..7 {
            let parts = 1 << (6 - decade + i32::from(!signed));
            for part in 0..parts {
                let value = (0.1 + 0.9 * (f64::from(part) + 0.5) / f64::from(parts)) * 10f64.powi(-decade);
                values.push(value);
                if signed {
                    values.push(-value);
                }
            }
        }
        values.sort_by(f64::total_cmp);
        values
    }

    fn decoded(map: &CodeMap, scale: f32) -> [f32; BLOCK] {
        let mut values = [0.0; BLOCK];
        map.decode(&std::array::from_fn(|i| i as u8), scale, &mut values);
        values
    }

    /// Codes of `values` at scale 1.
    fn codes(map: &CodeMap, values: &[f32]) -> Vec<u8> {
        let mut padded = [1.0; BLOCK];
        padded[..values.len()].copy_from_slice(values);
        let mut codes = [0; BLOCK];
        assert_eq!(map.encode(&padded, &mut codes), 1.0);
        codes[..values.len()].to_vec()
    }

    const MAPS: [(&CodeMap, bool); 2] = [(&SIGNED, true), (&UNSIGNED, false)];

    #[test]
    fn values_rise_from_end_to_end_and_hold_zero_and_one() {
        for (map, signed) in MAPS {
            let found = decoded(map, 1.0);
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
            let zero = if signed { 127 } else { 0 };
            assert_eq!((found[zero], found[255]), (0.0, 1.0));
            for (found, expected) in found.iter().zip(values(signed)) {
                assert!((f64::from(*found) - expected).abs() <= 3e-7 * expected.abs(), "{found} is not {expected}");
            }
            assert_eq!(codes(map, &[0.0, -0.0, 1.0]), [zero as u8, zero as u8, 255]);
            assert_eq!(codes(map, &found[1..]), (1..=255).collect::<Vec<u8>>());
        }
        // Every value but 1 has its opposite.
        let signed = decoded(&SIGNED, 1.0);
        assert!((0..=127).all(|i| signed[127 - i] == -signed[127 + i]));
        assert_eq!(codes(&SIGNED, &[-1.0, signed[0]]), [0, 0]);
    }

    #[test]
    fn codes_change_half_way_between_values() {
        for (map, signed) in MAPS {
            let values = values(signed);
            let borders: Vec<f64> = values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
            let at = |by: f64| borders.iter().map(|b| (b + by * b.abs()) as f32).collect::<Vec<f32>>();
            assert_eq!(codes(map, &at(-1e-6)), (0..255).collect::<Vec<u8>>());
            assert_eq!(codes(map, &at(1e-6)), (1..=255).collect::<Vec<u8>>());
        }
    }

    proptest! {
        /// A value comes back as the nearest one.
        #[test]
        fn a_block_comes_back_within_half_a_spacing(
            values in proptest::collection::vec((-1f32..=1.0, 0i32..25), BLOCK), scale in -60i32..60, signed: bool,
        ) {
            let map = if signed { &SIGNED } else { &UNSIGNED };
            let value = |(x, down): &(f32, i32)| if signed { *x } else { x.abs() } * 2f32.powi(scale - down);
            let values: [f32; BLOCK] = std::array::from_fn(|i| value(&values[i]));
            let (mut codes, mut back) = ([0; BLOCK], [0.0; BLOCK]);
            let scale = map.encode(&values, &mut codes);
            prop_assert_eq!(scale, values.iter().fold(0f32, |most, x| most.max(x.abs())));
            map.decode(&codes, scale, &mut back);
            let all = decoded(map, scale);
            for (x, y) in values.iter().zip(&back) {
                let error = |y: f32| (f64::from(*x) - f64::from(y)).abs();
                let least = all.iter().map(|y| error(*y)).fold(f64::INFINITY, f64::min);
                prop_assert!(error(*y) <= least + 1e-6 * f64::from(x.abs()), "{} came back as {}", x, y);
                // Half a spacing of the topmost decade, and the end of the negative side.
                let parts = if signed { 64.0 } else { 128.0 };
                prop_assert!(error(*y) <= f64::from(scale) * 0.4501 / parts, "{} came back as {}", x, y);
            }
        }
    }

    #[test]
    fn zeros_and_the_smallest_numbers_come_back() {
        let tiny = f32::from_bits(1);
        for (map, _) in MAPS {
            let (mut codes, mut values, mut back) = ([9; BLOCK], [0.0; BLOCK], [9.0; BLOCK]);
            assert_eq!(map.encode(&values, &mut codes), 0.0);
            map.decode(&codes, 0.0, &mut back);
            assert_eq!(back, [0.0; BLOCK]);
            values[3] = 2.0 * tiny;
            let scale = map.encode(&values, &mut codes);
            map.decode(&codes, scale, &mut back);
            assert_eq!((scale, back), (2.0 * tiny, values));
        }
    }
}
