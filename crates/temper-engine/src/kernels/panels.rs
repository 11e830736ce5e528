//! Weights packed for products: `B[k, n]` in panels of 32 columns, `[n / 32][k][32]`, in one of several formats.

use rayon::prelude::*;

use super::bf16;
use super::tile::PANEL;
use crate::Precision;
use crate::memory::huge_pages;
use crate::real::Real;
use crate::simd::{bf16_pairs, simd};

/// Inputs of a weight's row that share a scale in the 8-bit and 4-bit formats.
pub const SCALED: usize = 64;

/// The quantiles of a normal distribution scaled to `[-1, 1]` that NF4 has (arXiv 2305.14314, appendix E).
pub const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// How a packed weight is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In the model's number type.
    Full,
    /// bf16.
    Bf16,
    /// 8-bit integers with a scale for each [`SCALED`] inputs.
    Int8,
    /// NF4 with a scale for each [`SCALED`] inputs.
    Nf4,
}

/// Which way a weight `W[out, in]` is multiplied: `B` is `W^T` in the forward and `W` in the backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// Codes of 32 columns of row `p` are at `[panel][p]`; the scale of an element is that of its block of [`SCALED`] inputs:
/// `[panel][k / 64][32]` in the forward, where `p` is the input, and `[panel][k]` in the backward, where the column is.
#[derive(Clone, Debug)]
enum Store<F> {
    Full(Vec<F>),
    /// Pairs of consecutive `p`, `[n / 32][k / 2][32]`.
    Bf16(Vec<u32>),
    Int8 {
        codes: Vec<i8>,
        scales: Vec<f32>,
    },
    /// Column `c` of the lower 16 is in the lower half of byte `c`, column `16 + c` in its upper half.
    Nf4 {
        codes: Vec<u8>,
        scales: Vec<f32>,
    },
}

/// A packed weight, the last panel filled up with zeros.
#[derive(Clone, Debug)]
pub struct Panels<F> {
    pub k: usize,
    pub n: usize,
    direction: Direction,
    /// Number format of the product.
    pub precision: Precision,
    store: Store<F>,
}

/// What a product finds.
pub enum Operand<'a, F> {
    /// Panels of numbers, for numbers.
    Numbers(&'a [F]),
    /// Panels of pairs, for pairs.
    Pairs(&'a [u32]),
    /// Pieces of panels to be decoded to numbers; the other operand is rounded to bf16 if so said.
    Decoded { rounded: bool },
    /// Pieces of panels to be decoded to pairs, for pairs.
    DecodedPairs,
}

impl<F: Real> Panels<F> {
    /// Room for the product with a weight in direction `direction`.
    pub fn new(k: usize, n: usize, direction: Direction, format: Format, precision: Precision) -> Self {
        let columns = n.div_ceil(PANEL) * PANEL;
        let scales = match direction {
            Direction::Forward => k.div_ceil(SCALED) * columns,
            Direction::Backward => columns / PANEL * k,
        };
        let store = match format {
            Format::Full => Store::Full(vec![F::ZERO; columns * k]),
            Format::Bf16 => Store::Bf16(vec![0; columns * k.div_ceil(2)]),
            Format::Int8 => Store::Int8 { codes: vec![0; columns * k], scales: vec![0.0; scales] },
            Format::Nf4 => Store::Nf4 { codes: vec![0; columns / 2 * k], scales: vec![0.0; scales] },
        };
        match &store {
            Store::Full(data) => huge_pages(data),
            Store::Bf16(data) => huge_pages(data),
            Store::Int8 { codes, .. } => huge_pages(codes),
            Store::Nf4 { codes, .. } => huge_pages(codes),
        }
        Panels { k, n, direction, precision, store }
    }

    /// Packs `w`, `[out, in]`, in parallel.
    pub fn fill(&mut self, w: &[F]) {
        let (k, n, direction) = (self.k, self.n, self.direction);
        assert_eq!(w.len(), k * n);
        if w.is_empty() {
            return;
        }
        match &mut self.store {
            Store::Full(data) => {
                data.par_chunks_exact_mut(k * PANEL).enumerate().for_each(|(i, panel)| match direction {
                    Direction::Forward => transpose(panel, columns(i, n), k, w),
                    Direction::Backward => copy(panel, columns(i, n), n, w),
                });
            }
            Store::Bf16(data) => {
                let size = k.div_ceil(2) * PANEL;
                data.par_chunks_exact_mut(size).enumerate().for_each(|(i, panel)| match direction {
                    Direction::Forward => {
                        let columns = columns(i, n);
                        bf16::transposed(&w[columns.start * k..], k, columns.len(), k, PANEL, panel);
                    }
                    Direction::Backward => {
                        let columns = columns(i, n);
                        bf16::of_rows(&w[columns.start..], n, columns.len(), PANEL, k % 2 == 1, panel);
                    }
                });
            }
            Store::Int8 { codes, scales } => {
                let scales = scales.par_chunks_exact_mut(scale_count(k, direction));
                codes.par_chunks_exact_mut(k * PANEL).zip(scales).enumerate().for_each(|(i, (codes, scales))| {
                    quantise(direction, columns(i, n), (k, n), w, scales, 127.0, |p, c, x| {
                        codes[p * PANEL + c] = x.round_ties_even() as i8;
                    });
                });
            }
            Store::Nf4 { codes, scales } => {
                let scales = scales.par_chunks_exact_mut(scale_count(k, direction));
                codes.par_chunks_exact_mut(k * PANEL / 2).zip(scales).enumerate().for_each(|(i, (codes, scales))| {
                    codes.fill(0x77);
                    quantise(direction, columns(i, n), (k, n), w, scales, 1.0, |p, c, x| {
                        let code = &mut codes[p * PANEL / 2 + c % 16];
                        *code = if c < 16 { *code & 0xF0 | nearest(x) } else { *code & 0x0F | nearest(x) << 4 };
                    });
                });
            }
        }
    }

    /// What a product works with.
    pub fn operand(&self) -> Operand<'_, F> {
        let pairs = self.precision == Precision::Bf16 && bf16_pairs();
        match &self.store {
            Store::Full(data) => Operand::Numbers(data),
            Store::Bf16(data) if pairs => Operand::Pairs(data),
            _ if pairs => Operand::DecodedPairs,
            _ => Operand::Decoded { rounded: self.precision == Precision::Bf16 },
        }
    }

    /// Rows `start..start + out.len() / 32` of panel `panel` as numbers; with bf16 products, rounded to bf16.
    pub fn decode(&self, panel: usize, start: usize, out: &mut [F]) {
        let rows = out.len() / PANEL;
        match &self.store {
            Store::Full(data) => {
                out.copy_from_slice(&data[(panel * self.k + start) * PANEL..(panel * self.k + start + rows) * PANEL]);
            }
            Store::Bf16(data) => decode_pairs(&data[panel * self.k.div_ceil(2) * PANEL..], start, out),
            Store::Int8 { codes, scales } => {
                let codes = &codes[(panel * self.k + start) * PANEL..(panel * self.k + start + rows) * PANEL];
                decode_int8(codes, self.scales(scales, panel), start, self.direction, out);
            }
            Store::Nf4 { codes, scales } => {
                let codes = &codes[(panel * self.k + start) * PANEL / 2..(panel * self.k + start + rows) * PANEL / 2];
                decode_nf4(codes, self.scales(scales, panel), start, self.direction, out);
            }
        }
        if self.precision == Precision::Bf16 && matches!(self.store, Store::Int8 { .. } | Store::Nf4 { .. }) {
            bf16::round(out);
        }
    }

    /// As [`Panels::decode`], in pairs, for [`Operand::DecodedPairs`]: rows `start..start + rows` of panel `panel`, `start`
    /// even.
    pub fn decode_pairs(&self, panel: usize, start: usize, rows: usize, out: &mut [u32]) {
        #[cfg(target_arch = "x86_64")]
        if bf16_pairs() {
            let range = (panel * self.k + start) * PANEL..(panel * self.k + start + rows) * PANEL;
            let scales = |scales| Scales { values: self.scales(scales, panel), start, direction: self.direction };
            match &self.store {
                // SAFETY: the CPU has AVX-512 BF16.
                Store::Int8 { codes, scales: s } => {
                    return unsafe { x86::pairs_of_int8(&codes[range], &scales(s), out) };
                }
                // SAFETY: as above.
                Store::Nf4 { codes, scales: s } => {
                    return unsafe { x86::pairs_of_nf4(&codes[range.start / 2..range.end / 2], &scales(s), out) };
                }
                Store::Full(_) | Store::Bf16(_) => {}
            }
        }
        unreachable!(
            "only int8 and NF4 are decoded to pairs, with AVX-512 BF16: {panel}, {start}, {rows}, {}",
            out.len()
        );
    }

    fn scales<'a>(&self, scales: &'a [f32], panel: usize) -> &'a [f32] {
        let count = scale_count(self.k, self.direction);
        &scales[panel * count..(panel + 1) * count]
    }

    /// Row `index` of the weight, `[in]`; for panels of the forward.
    pub fn row(&self, index: usize, out: &mut [F]) {
        debug_assert_eq!(self.direction, Direction::Forward);
        let (panel, column) = (index / PANEL, index % PANEL);
        if let Store::Bf16(data) = &self.store {
            let panel = &data[panel * self.k.div_ceil(2) * PANEL..];
            for (p, out) in out.iter_mut().enumerate() {
                *out = F::from_bf16(panel[p / 2 * PANEL + column] >> (p % 2 * 16) & 0xFFFF);
            }
            return;
        }
        self.unpack(index..index + 1, out);
    }

    /// Rows `rows` of the weight, `[rows, in]`; for panels of the forward.
    pub fn unpack(&self, rows: std::ops::Range<usize>, out: &mut [F]) {
        debug_assert_eq!(self.direction, Direction::Forward);
        let mut piece = [F::ZERO; SCALED * PANEL];
        for panel in rows.start / PANEL..rows.end.div_ceil(PANEL) {
            let wanted = rows.start.max(panel * PANEL)..rows.end.min((panel + 1) * PANEL);
            for start in (0..self.k).step_by(SCALED) {
                let count = SCALED.min(self.k - start);
                self.decode(panel, start, &mut piece[..count * PANEL]);
                for row in wanted.clone() {
                    let to = &mut out[(row - rows.start) * self.k + start..][..count];
                    for (to, from) in to.iter_mut().zip(piece.chunks_exact(PANEL)) {
                        *to = from[row - panel * PANEL];
                    }
                }
            }
        }
    }

    /// Memory in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        match &self.store {
            Store::Full(data) => size_of_val(&data[..]),
            Store::Bf16(data) => 4 * data.len(),
            Store::Int8 { codes, scales } => codes.len() + 4 * scales.len(),
            Store::Nf4 { codes, scales } => codes.len() + 4 * scales.len(),
        }
    }
}

/// Scales of a panel's rows from `start` on.
#[cfg(target_arch = "x86_64")]
struct Scales<'a> {
    values: &'a [f32],
    start: usize,
    direction: Direction,
}

/// Decoding to pairs with the CPU's own rounding to bf16, which is that of [`Real::to_bf16`].
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::{Direction, NF4, PANEL, SCALED, Scales};

    impl Scales<'_> {
        /// Of columns `16 half..` of the `row`-th row.
        #[inline]
        #[target_feature(enable = "avx512f")]
        fn of(&self, row: usize, half: usize) -> __m512 {
            let p = self.start + row;
            match self.direction {
                Direction::Forward => {
                    let from = &self.values[p / SCALED * PANEL + 16 * half..][..16];
                    // SAFETY: 16 numbers.
                    unsafe { _mm512_loadu_ps(from.as_ptr()) }
                }
                Direction::Backward => _mm512_set1_ps(self.values[p]),
            }
        }
    }

    /// Writes the halves of rows `2 i` and `2 i + 1` (zeros after the last one) as pairs.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn pairs(rows: usize, out: &mut [u32], row: impl Fn(usize) -> [__m512; 2]) {
        for (i, out) in out.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            let even = row(2 * i);
            let odd = if 2 * i + 1 < rows { row(2 * i + 1) } else { [_mm512_setzero_ps(); 2] };
            for half in 0..2 {
                // SAFETY: 16 words to write; the types are 256 bits of anything.
                unsafe {
                    let low = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(even[half]));
                    let high = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(odd[half]));
                    let high = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(high));
                    let pair = _mm512_or_si512(_mm512_cvtepu16_epi32(low), high);
                    _mm512_storeu_epi32(out.as_mut_ptr().add(16 * half).cast(), pair);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn pairs_of_int8(codes: &[i8], scales: &Scales, out: &mut [u32]) {
        let rows = codes.as_chunks::<PANEL>().0;
        pairs(rows.len(), out, |row| {
            [0, 1].map(|half| {
                // SAFETY: 16 codes.
                let codes = unsafe { _mm_loadu_si128(rows[row][16 * half..].as_ptr().cast()) };
                _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), scales.of(row, half))
            })
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub fn pairs_of_nf4(codes: &[u8], scales: &Scales, out: &mut [u32]) {
        let rows = codes.as_chunks::<16>().0;
        // SAFETY: 16 numbers.
        let values = unsafe { _mm512_loadu_ps(NF4.as_ptr()) };
        pairs(rows.len(), out, |row| {
            // SAFETY: 16 codes.
            let codes = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(rows[row].as_ptr().cast()) });
            // The look-up takes the lower four bits.
            let halves = [codes, _mm512_srli_epi32::<4>(codes)];
            let scaled = |half: usize| _mm512_mul_ps(_mm512_permutexvar_ps(halves[half], values), scales.of(row, half));
            [scaled(0), scaled(1)]
        });
    }
}

/// Columns of panel `index`.
fn columns(index: usize, n: usize) -> std::ops::Range<usize> {
    index * PANEL..((index + 1) * PANEL).min(n)
}

/// Scales of one panel.
fn scale_count(k: usize, direction: Direction) -> usize {
    match direction {
        Direction::Forward => k.div_ceil(SCALED) * PANEL,
        Direction::Backward => k,
    }
}

/// Index in [`NF4`] of the value that is nearest to `x`.
fn nearest(x: f32) -> u8 {
    NF4.windows(2).filter(|pair| x > (pair[0] + pair[1]) / 2.0).count() as u8
}

/// Computes the scales of a panel (the largest magnitude of each block over `most`) and hands every element over that scale
/// to `store(p, column, value)`. Blocks lie along a row of `w`, so both directions see the same values.
fn quantise<F: Real>(
    direction: Direction,
    columns: std::ops::Range<usize>,
    (k, n): (usize, usize),
    w: &[F],
    scales: &mut [f32],
    most: f32,
    mut store: impl FnMut(usize, usize, f32),
) {
    let scale = |block: &[F]| block.iter().fold(0.0f32, |a, x| a.max((x.to_f64() as f32).abs())) / most;
    let over = |x: F, scale: f32| if scale > 0.0 { x.to_f64() as f32 / scale } else { 0.0 };
    match direction {
        Direction::Forward => {
            for (c, row) in w[columns.start * k..columns.end * k].chunks_exact(k).enumerate() {
                for (b, block) in row.chunks(SCALED).enumerate() {
                    let scale = scale(block);
                    scales[b * PANEL + c] = scale;
                    for (i, x) in block.iter().enumerate() {
                        store(b * SCALED + i, c, over(*x, scale));
                    }
                }
            }
        }
        Direction::Backward => {
            let first = columns.start / SCALED * SCALED;
            let block = first..(first + SCALED).min(n);
            for (p, row) in w.chunks_exact(n).enumerate() {
                let scale = scale(&row[block.clone()]);
                scales[p] = scale;
                for (c, x) in row[columns.clone()].iter().enumerate() {
                    store(p, c, over(*x, scale));
                }
            }
        }
    }
}

simd! {
    /// Rows `columns` of `w`, which is `[n, k]`, become columns of the panel.
    fn transpose(panel: &mut [F], columns: std::ops::Range<usize>, k: usize, w: &[F]) {
        for p0 in (0..k).step_by(16) {
            for (lane, j) in columns.clone().enumerate() {
                for p in p0..(p0 + 16).min(k) {
                    panel[p * PANEL + lane] = w[j * k + p];
                }
            }
        }
    }

    /// Columns `columns` of `w`, which is `[k, n]`.
    fn copy(panel: &mut [F], columns: std::ops::Range<usize>, n: usize, w: &[F]) {
        for (to, row) in panel.chunks_exact_mut(PANEL).zip(w.chunks_exact(n)) {
            to[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
    }

    /// Rows from `start` on of a panel of pairs.
    fn decode_pairs(panel: &[u32], start: usize, out: &mut [F]) {
        for (row, out) in out.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            let p = start + row;
            let pairs = &panel[p / 2 * PANEL..(p / 2 + 1) * PANEL];
            let shift = (p % 2 * 16) as u32;
            for (out, pair) in out.iter_mut().zip(pairs) {
                *out = F::from_bf16(*pair >> shift & 0xFFFF);
            }
        }
    }

    fn decode_int8(codes: &[i8], scales: &[f32], start: usize, direction: Direction, out: &mut [F]) {
        let rows = out.as_chunks_mut::<PANEL>().0.iter_mut().zip(codes.as_chunks::<PANEL>().0).enumerate();
        for (row, (out, codes)) in rows {
            let scale = row_scales(scales, start + row, direction);
            for i in 0..PANEL {
                out[i] = F::from_f64(f64::from(f32::from(codes[i]) * scale[i]));
            }
        }
    }

    fn decode_nf4(codes: &[u8], scales: &[f32], start: usize, direction: Direction, out: &mut [F]) {
        let rows = out.as_chunks_mut::<PANEL>().0.iter_mut().zip(codes.as_chunks::<16>().0).enumerate();
        for (row, (out, codes)) in rows {
            let scale = row_scales(scales, start + row, direction);
            for i in 0..16 {
                out[i] = F::from_f64(f64::from(NF4[usize::from(codes[i] & 15)] * scale[i]));
                out[16 + i] = F::from_f64(f64::from(NF4[usize::from(codes[i] >> 4)] * scale[16 + i]));
            }
        }
    }
}

#[inline(always)]
fn row_scales(scales: &[f32], p: usize, direction: Direction) -> [f32; PANEL] {
    match direction {
        Direction::Forward => {
            let mut row = [0.0; PANEL];
            row.copy_from_slice(&scales[p / SCALED * PANEL..(p / SCALED + 1) * PANEL]);
            row
        }
        Direction::Backward => [scales[p]; PANEL],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels as the paper prints them, all digits.
    #[test]
    fn levels_are_those_of_the_paper_to_the_bit() {
        let levels = [
            -1.0,
            -0.6961928009986877,
            -0.5250730514526367,
            -0.39491748809814453,
            -0.28444138169288635,
            -0.18477343022823334,
            -0.09105003625154495,
            0.0,
            0.07958029955625534,
            0.16093020141124725,
            0.24611230194568634,
            0.33791524171829224,
            0.44070982933044434,
            0.5626170039176941,
            0.7229568362236023,
            1.0,
        ];
        assert_eq!(NF4.map(f64::from), levels);
    }
}
