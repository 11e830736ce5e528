//! Copies between rows of a matrix and the tiles that attention works on.

use crate::par::Shared;
use crate::simd::simd;

/// Vectors in the rows of a matrix: the one of row `r` starts at `start + r * row`.
#[derive(Clone, Copy)]
pub struct View<'a, F> {
    pub data: &'a [F],
    pub start: usize,
    pub row: usize,
}

impl<'a, F> View<'a, F> {
    /// The same rows, `columns` further right and `rows` further down.
    pub fn shifted(&self, rows: usize, columns: usize) -> Self {
        View { data: self.data, start: self.start + rows * self.row + columns, row: self.row }
    }

    /// What holds the vectors of row `r` and after.
    pub fn rows(&self, r: usize) -> &'a [F] {
        &self.data[self.start + r * self.row..]
    }

    /// The vector of row `r`.
    pub fn at(&self, r: usize, width: usize) -> &'a [F] {
        let start = self.start + r * self.row;
        &self.data[start..start + width]
    }
}

/// Vectors to be written; no other thread reads or writes them.
#[derive(Clone, Copy)]
pub struct ViewMut<'a, F> {
    data: Shared<'a, F>,
    start: usize,
    row: usize,
}

impl<'a, F> ViewMut<'a, F> {
    /// Vectors in the rows of `data`.
    ///
    /// # Safety
    /// While the result is used nobody else reads or writes the vectors that are written through it.
    pub unsafe fn new(data: Shared<'a, F>, start: usize, row: usize) -> Self {
        ViewMut { data, start, row }
    }

    /// The same rows, `columns` further right and `rows` further down.
    pub fn shifted(&self, rows: usize, columns: usize) -> Self {
        ViewMut { data: self.data, start: self.start + rows * self.row + columns, row: self.row }
    }
}

simd! {
    /// Copies the first `width` elements of `count` rows to rows of `to` at distance `to_row`.
    pub fn gather(from: View<F>, count: usize, width: usize, to: &mut [F], to_row: usize) {
        for r in 0..count {
            copy(from.at(r, width), &mut to[r * to_row..r * to_row + width]);
        }
    }

    /// Copies the first `width` elements of `count` rows of `from` at distance `from_row`.
    pub fn scatter(from: &[F], from_row: usize, count: usize, width: usize, to: ViewMut<F>) {
        for r in 0..count {
            let start = to.start + r * to.row;
            // SAFETY: by the promise given to `ViewMut::new`.
            copy(&from[r * from_row..r * from_row + width], unsafe { to.data.range(start..start + width) });
        }
    }

    /// As [`scatter`], adding to what is there.
    pub fn scatter_add(from: &[F], from_row: usize, count: usize, width: usize, to: ViewMut<F>) {
        for r in 0..count {
            let start = to.start + r * to.row;
            // SAFETY: by the promise given to `ViewMut::new`.
            let to = unsafe { to.data.range(start..start + width) };
            for (to, x) in to.iter_mut().zip(&from[r * from_row..r * from_row + width]) {
                *to += *x;
            }
        }
    }

    /// As [`scatter`], each row times its factor; factors are at distance `factor_row`.
    pub fn scatter_scaled(
        from: &[F],
        from_row: usize,
        count: usize,
        width: usize,
        factors: &[F],
        factor_row: usize,
        to: ViewMut<F>,
    ) {
        for r in 0..count {
            let start = to.start + r * to.row;
            let factor = factors[r * factor_row];
            // SAFETY: by the promise given to `ViewMut::new`.
            let to = unsafe { to.data.range(start..start + width) };
            for (to, x) in to.iter_mut().zip(&from[r * from_row..r * from_row + width]) {
                *to = *x * factor;
            }
        }
    }
}

/// Copies element by element, so that short rows cost no call.
#[inline(always)]
fn copy<F: Copy>(from: &[F], to: &mut [F]) {
    let (from, from_rest) = from.as_chunks::<16>();
    let (to, to_rest) = to.as_chunks_mut::<16>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
