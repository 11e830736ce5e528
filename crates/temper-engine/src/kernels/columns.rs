//! Gradients of weights, `C[m, n] += sum_t A[t, i] B[t, j]`, over blocks of rows `t`.
//!
//! Both operands are copied into groups of columns while they are still in the cache of the thread that computed them, so
//! that tiles later read them in sequence. For bf16 products they are rounded on the way, and two rows become one of pairs.

use super::bf16;
use super::product::{fast, most_rows};
use super::tile::{Element, LANES, PANEL, Tile};
use crate::Precision;
use crate::par::Shared;
use crate::real::Real;
use crate::simd::{bf16_pairs, level, simd};

/// Rows taken at a time, so that a group of each operand stays in the cache.
const INNER: usize = 384;

/// Which operand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `A`: groups as wide as a tile has rows.
    Left,
    /// `B`: groups as wide as a tile has columns.
    Right,
}

/// How the numbers of [`Columns`] are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rounding {
    #[default]
    None,
    /// To bf16, as numbers.
    Numbers,
    /// To bf16, two rows in one of pairs.
    Pairs,
}

/// A block of rows in groups of columns, `[group][row][width]`; the last group may be narrower than `width`.
#[derive(Debug, Default)]
pub struct Columns<F> {
    width: usize,
    columns: usize,
    /// Rows held: half as many as were written, rounded up, if they are pairs.
    rows: usize,
    rounding: Rounding,
    numbers: Vec<F>,
    pairs: Vec<u32>,
}

impl<F: Real> Columns<F> {
    /// Makes room for `rows` rows of `columns`, to be filled through the result.
    pub fn prepare(&mut self, side: Side, columns: usize, rows: usize, precision: Precision) -> Writer<'_, F> {
        let level = level();
        self.width = match side {
            Side::Left if fast::<F>(level) => 12,
            Side::Left => most_rows::<F>(level, 1),
            Side::Right if fast::<F>(level) => PANEL,
            Side::Right => LANES,
        };
        self.rounding = match precision {
            Precision::F32 => Rounding::None,
            Precision::Bf16 if bf16_pairs() => Rounding::Pairs,
            Precision::Bf16 => Rounding::Numbers,
        };
        let pairs = self.rounding == Rounding::Pairs;
        (self.columns, self.rows) = (columns, if pairs { rows.div_ceil(2) } else { rows });
        let size = columns.next_multiple_of(self.width) * self.rows;
        let (numbers, words) = if pairs { (0, size) } else { (size, 0) };
        if self.numbers.len() < numbers {
            self.numbers.resize(numbers, F::ZERO);
        }
        if self.pairs.len() < words {
            self.pairs.resize(words, 0);
        }
        Writer {
            width: self.width,
            columns,
            rows: self.rows,
            rounding: self.rounding,
            numbers: Shared::new(&mut self.numbers[..numbers]),
            pairs: Shared::new(&mut self.pairs[..words]),
        }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// Columns of all groups.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Columns of one group.
    pub fn width(&self) -> usize {
        self.width
    }

    fn at(&self, group: usize, row: usize) -> usize {
        (group * self.rows + row) * self.width
    }

    /// Adds each column of the groups `groups` to `sum`, which starts at the first of them.
    pub fn add_sums(&self, groups: std::ops::Range<usize>, sum: &mut [F]) {
        for (index, sum) in groups.zip(sum.chunks_mut(self.width)) {
            let rows = self.at(index, 0)..self.at(index, self.rows);
            if self.rounding == Rounding::Pairs {
                for row in self.pairs[rows].chunks_exact(self.width) {
                    for (sum, pair) in sum.iter_mut().zip(row) {
                        *sum += F::from_bf16(*pair & 0xFFFF);
                        *sum += F::from_bf16(*pair >> 16);
                    }
                }
            } else {
                for row in self.numbers[rows].chunks_exact(self.width) {
                    for (sum, x) in sum.iter_mut().zip(row) {
                        *sum += *x;
                    }
                }
            }
        }
    }
}

/// Fills [`Columns`], different rows from different threads.
#[derive(Clone, Copy)]
pub struct Writer<'a, F> {
    width: usize,
    columns: usize,
    rows: usize,
    rounding: Rounding,
    numbers: Shared<'a, F>,
    pairs: Shared<'a, u32>,
}

impl<F: Real> Writer<'_, F> {
    /// Copies `matrix` to the rows from `first`, an even number, on.
    ///
    /// # Safety
    /// Nobody else reads or writes these rows meanwhile.
    pub unsafe fn write(&self, first: usize, matrix: &[F]) {
        // SAFETY: the caller's.
        unsafe { self.write_strided(first, matrix.len() / self.columns, matrix, self.columns) };
    }

    /// As [`Writer::write`], for `count` rows of `matrix` at distance `stride`.
    ///
    /// # Safety
    /// As for [`Writer::write`].
    pub unsafe fn write_strided(&self, first: usize, count: usize, matrix: &[F], stride: usize) {
        let odd = count % 2 == 1;
        let (first, count) = if self.rounding == Rounding::Pairs {
            assert!(first.is_multiple_of(2));
            (first / 2, count.div_ceil(2))
        } else {
            (first, count)
        };
        assert!(first + count <= self.rows);
        for group in 0..self.columns.div_ceil(self.width) {
            let start = (group * self.rows + first) * self.width;
            let place = start..start + count * self.width;
            let from = &matrix[group * self.width..];
            let left = self.columns - group * self.width;
            // SAFETY: rows of the caller.
            unsafe {
                if self.rounding == Rounding::Pairs {
                    bf16::of_rows(from, stride, left.min(self.width), self.width, odd, self.pairs.range(place));
                } else {
                    copy_group(from, stride, left, self.width, self.numbers.range(place.clone()));
                    if self.rounding == Rounding::Numbers {
                        bf16::round(self.numbers.range(place));
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn copy_wide<F: Real, const WIDTH: usize>(from: &[F], stride: usize, to: &mut [F]) {
    for (row, to) in to.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        to.copy_from_slice(&from[row * stride..row * stride + WIDTH]);
    }
}

simd! {
    /// Copies up to `width` of the `left` columns from rows at distance `stride` to rows of `width`.
    fn copy_group(from: &[F], stride: usize, left: usize, width: usize, to: &mut [F]) {
        match width {
            12 if left >= 12 => copy_wide::<F, 12>(from, stride, to),
            32 if left >= 32 => copy_wide::<F, 32>(from, stride, to),
            _ => {
                let columns = width.min(left);
                for (row, to) in to.chunks_exact_mut(width).enumerate() {
                    for (i, to) in to[..columns].iter_mut().enumerate() {
                        *to = from[row * stride + i];
                    }
                }
            }
        }
    }
}

/// Adds the rows of `C` that belong to the groups `groups` of `a`: `c[i, j] += sum_t a[t, i] b[t, j]`, over `t` in order.
///
/// # Safety
/// `c` points to all of `C`, `[a.columns, b.columns]`, and nobody else reads or writes these rows meanwhile.
pub unsafe fn add_product<F: Real>(a: &Columns<F>, b: &Columns<F>, groups: std::ops::Range<usize>, c: *mut F) {
    assert!(a.rows == b.rows && a.rounding == b.rounding);
    // SAFETY: the caller's.
    unsafe {
        if a.rounding == Rounding::Pairs {
            add_elements(a, b, &a.pairs, &b.pairs, groups, c);
        } else {
            add_elements(a, b, &a.numbers, &b.numbers, groups, c);
        }
    }
}

/// # Safety
/// As for [`add_product`]; `left` and `right` are what `a` and `b` hold.
unsafe fn add_elements<F: Real, E: Element<F>>(
    a: &Columns<F>,
    b: &Columns<F>,
    left: &[E],
    right: &[E],
    groups: std::ops::Range<usize>,
    c: *mut F,
) {
    let level = level();
    for start in (0..a.rows).step_by(INNER) {
        let inner = INNER.min(a.rows - start);
        for panel in 0..b.groups() {
            let first = panel * b.width;
            let columns = b.width.min(b.columns - first);
            let from = &right[b.at(panel, start)..b.at(panel, start + inner)];
            for group in groups.clone() {
                let rows = a.width.min(a.columns - group * a.width);
                // SAFETY: the rows of `C` that belong to this group.
                let c = unsafe { c.add(group * a.width * b.columns + first) };
                let tile = |offset: usize, c: *mut F, c_row: usize| Tile {
                    k: inner,
                    a: left[a.at(group, start)..a.at(group, start + inner)].as_ptr(),
                    a_row: 1,
                    a_k: a.width,
                    b: from[offset..].as_ptr(),
                    b_k: b.width,
                    b_vector: LANES,
                    b_panel: 0,
                    c,
                    c_row,
                    load: true,
                };
                // SAFETY: groups hold `inner` more rows from `start` on; `C` by the caller's promise.
                unsafe {
                    if columns == b.width {
                        E::tile(level, rows, b.width / LANES, &tile(0, c, b.columns));
                        continue;
                    }
                    for offset in (0..columns).step_by(LANES) {
                        narrow(c.add(offset), rows, LANES.min(columns - offset), b.columns, |c| {
                            E::tile(level, rows, 1, &tile(offset, c, LANES));
                        });
                    }
                }
            }
        }
    }
}

/// Runs `f` on a copy of a tile of `C` with whole vectors.
///
/// # Safety
/// `c` points to `rows` rows of `columns` at distance `c_row`, which nobody else reads or writes meanwhile.
unsafe fn narrow<F: Real>(c: *mut F, rows: usize, columns: usize, c_row: usize, f: impl FnOnce(*mut F)) {
    let mut copy = [F::ZERO; 12 * LANES];
    // SAFETY: inside `C` by the caller's promise.
    unsafe {
        for r in 0..rows {
            for j in 0..columns {
                copy[r * LANES + j] = *c.add(r * c_row + j);
            }
        }
        f(copy.as_mut_ptr());
        for r in 0..rows {
            for j in 0..columns {
                *c.add(r * c_row + j) = copy[r * LANES + j];
            }
        }
    }
}
