//! Gradients of weights, `C[m, n] += sum_t A[t, i] B[t, j]`, over blocks of rows `t`.
//!
//! Both operands are copied into groups of columns while they are still in the cache of the thread that computed them, so
//! that tiles later read them in sequence.

use super::product::{fast, most_rows};
use super::tile::{LANES, PANEL, Tile};
use crate::par::Shared;
use crate::real::Real;
use crate::simd::{level, simd};

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

/// A block of rows in groups of columns, `[group][row][width]`; the last group may be narrower than `width`.
#[derive(Debug, Default)]
pub struct Columns<F> {
    width: usize,
    columns: usize,
    rows: usize,
    data: Vec<F>,
}

impl<F: Real> Columns<F> {
    /// Makes room for `rows` rows of `columns`, to be filled through the result.
    pub fn prepare(&mut self, side: Side, columns: usize, rows: usize) -> Writer<'_, F> {
        let level = level();
        self.width = match side {
            Side::Left if fast::<F>(level) => 12,
            Side::Left => most_rows::<F>(level, 1),
            Side::Right if fast::<F>(level) => PANEL,
            Side::Right => LANES,
        };
        (self.columns, self.rows) = (columns, rows);
        let size = columns.next_multiple_of(self.width) * rows;
        if self.data.len() < size {
            self.data.resize(size, F::ZERO);
        }
        Writer { width: self.width, columns, rows, data: Shared::new(&mut self.data[..size]) }
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

    fn group(&self, index: usize) -> &[F] {
        &self.data[index * self.rows * self.width..(index + 1) * self.rows * self.width]
    }

    /// Adds each column of the groups `groups` to `sum`, which starts at the first of them.
    pub fn add_sums(&self, groups: std::ops::Range<usize>, sum: &mut [F]) {
        for (index, sum) in groups.zip(sum.chunks_mut(self.width)) {
            for row in self.group(index).chunks_exact(self.width) {
                for (sum, x) in sum.iter_mut().zip(row) {
                    *sum += *x;
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
    data: Shared<'a, F>,
}

impl<F: Real> Writer<'_, F> {
    /// Copies `matrix` to the rows from `first` on.
    ///
    /// # Safety
    /// Nobody else reads or writes these rows meanwhile.
    pub unsafe fn write(&self, first: usize, matrix: &[F]) {
        let count = matrix.len() / self.columns;
        assert!(first + count <= self.rows);
        for group in 0..self.columns.div_ceil(self.width) {
            let start = (group * self.rows + first) * self.width;
            // SAFETY: rows of the caller.
            let to = unsafe { self.data.range(start..start + count * self.width) };
            copy_group(&matrix[group * self.width..], self.columns, self.columns - group * self.width, self.width, to);
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
    assert_eq!(a.rows, b.rows);
    let level = level();
    for start in (0..a.rows).step_by(INNER) {
        let inner = INNER.min(a.rows - start);
        for panel in 0..b.groups() {
            let first = panel * b.width;
            let columns = b.width.min(b.columns - first);
            let from = &b.group(panel)[start * b.width..];
            for group in groups.clone() {
                let rows = a.width.min(a.columns - group * a.width);
                // SAFETY: the rows of `C` that belong to this group.
                let c = unsafe { c.add(group * a.width * b.columns + first) };
                let tile = |offset: usize, c: *mut F, c_row: usize| Tile {
                    k: inner,
                    a: a.group(group)[start * a.width..].as_ptr(),
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
                        F::tile(level, rows, b.width / LANES, &tile(0, c, b.columns));
                        continue;
                    }
                    for offset in (0..columns).step_by(LANES) {
                        narrow(c.add(offset), rows, LANES.min(columns - offset), b.columns, |c| {
                            F::tile(level, rows, 1, &tile(offset, c, LANES));
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
