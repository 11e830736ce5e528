//! Work split over rayon's threads. Which element is computed how never depends on the number of threads.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

/// Rows of a chunk: tokens that one thread takes through a row-wise phase at a time.
pub const ROWS: usize = 96;

/// Threads that the engine uses here.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Rows whose row-wise phase comes before the gradients of their weights: few enough for the cache, enough for all
/// threads.
pub fn block_rows() -> usize {
    block_rows_of(rayon::current_num_threads())
}

/// As [`block_rows`], for a number of threads.
pub fn block_rows_of(threads: usize) -> usize {
    ROWS * (4 * threads).max(4)
}

/// Calls `f` with ranges of at most `size` that cover `0..n`, in parallel.
pub fn chunks(n: usize, size: usize, f: impl Fn(Range<usize>) + Sync) {
    let count = n.div_ceil(size);
    let run = |i: usize| f(i * size..((i + 1) * size).min(n));
    if count <= 1 {
        (0..count).for_each(run);
    } else {
        (0..count).into_par_iter().with_max_len(1).for_each(run);
    }
}

/// Runs `f` on a thread of rayon's pool, so that the parallel loops in it do not each have to wake one up.
pub fn in_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}

/// Calls `f` with each number below `n`, in parallel.
pub fn tasks(n: usize, f: impl Fn(usize) + Sync) {
    chunks(n, 1, |range| f(range.start));
}

/// A mutable slice of which threads write disjoint parts.
pub struct Shared<'a, F> {
    pointer: *mut F,
    len: usize,
    _marker: PhantomData<&'a mut [F]>,
}

impl<F> Clone for Shared<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Shared<'_, F> {}

// SAFETY: parts are only reached through unsafe functions whose callers promise that they are disjoint.
unsafe impl<F: Send> Send for Shared<'_, F> {}
// SAFETY: as above.
unsafe impl<F: Send> Sync for Shared<'_, F> {}

impl<'a, F> Shared<'a, F> {
    pub fn new(slice: &'a mut [F]) -> Self {
        Shared { pointer: slice.as_mut_ptr(), len: slice.len(), _marker: PhantomData }
    }

    /// Elements `range`.
    ///
    /// # Safety
    /// While the result lives nobody else reads or writes these elements.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, range: Range<usize>) -> &'a mut [F] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice; not aliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(range.start), range.len()) }
    }

    /// Rows `rows` of a matrix with rows of `width`.
    ///
    /// # Safety
    /// As for [`Shared::range`].
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn rows(&self, rows: &Range<usize>, width: usize) -> &'a mut [F] {
        // SAFETY: the caller's.
        unsafe { self.range(rows.start * width..rows.end * width) }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Pointer to element `index`.
    pub fn at(&self, index: usize) -> *mut F {
        assert!(index <= self.len);
        // SAFETY: inside the slice.
        unsafe { self.pointer.add(index) }
    }
}

/// The rows `rows` of a matrix with rows of `width`.
pub fn rows<'a, F>(matrix: &'a [F], rows: &Range<usize>, width: usize) -> &'a [F] {
    &matrix[rows.start * width..rows.end * width]
}
