//! Products of matrices, cut into register tiles. All run on the calling thread.

use std::ops::Range;

use super::tile::{LANES, PANEL, Tile, max_rows};
use crate::real::Real;
use crate::simd::{Level, level};

/// Steps of the inner dimension taken at a time, so that a panel's piece stays in the first-level cache.
const INNER: usize = 256;

/// Strided operands of `C[m, n] = (C or 0) + A[m, k] B[k, n]`, elements at `a[i a_row + p a_k]`, `b[p b_k + j]` and
/// `c[i c_row + j]`.
///
/// # Safety
/// All these addresses must be valid, and those of `C` be written by nobody else meanwhile.
#[derive(Clone, Copy)]
pub struct Strided<F> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const F,
    pub a_row: usize,
    pub a_k: usize,
    pub b: *const F,
    pub b_k: usize,
    pub c: *mut F,
    pub c_row: usize,
    /// Whether to add to `C`.
    pub load: bool,
}

/// Cuts `0..n` into equal parts of at most `most`.
fn even_parts(n: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = n.div_ceil(most).max(1);
    let (size, longer) = (n / count, n % count);
    (0..count).map(move |i| {
        let start = i * size + i.min(longer);
        start..start + size + usize::from(i < longer)
    })
}

/// Whether there are tiles of several vectors.
pub fn fast<F>(level: Level) -> bool {
    level == Level::Avx512 && std::mem::size_of::<F>() == 4
}

/// Most rows of a tile.
pub fn most_rows<F>(level: Level, vectors: usize) -> usize {
    if std::mem::size_of::<F>() == 4 { max_rows(level, vectors) } else { max_rows(Level::Portable, 1) }
}

/// Vectors of a tile for `m` rows: few rows leave registers for many columns.
fn vectors<F>(level: Level, m: usize) -> usize {
    match m {
        _ if !fast::<F>(level) => 1,
        0..=3 => 8,
        4..=6 => 4,
        _ => 2,
    }
}

/// # Safety
/// As for [`Strided`].
pub unsafe fn strided<F: Real>(s: &Strided<F>) {
    let level = level();
    let fast = fast::<F>(level);
    let mut j = 0;
    while j + LANES <= s.n {
        let vectors = if !fast {
            1
        } else if s.m <= 6 && j + 4 * LANES <= s.n {
            4
        } else if j + 2 * LANES <= s.n {
            2
        } else {
            1
        };
        let most = most_rows::<F>(level, vectors);
        for rows in even_parts(s.m, most) {
            if rows.is_empty() {
                continue;
            }
            // SAFETY: inside the operands.
            unsafe {
                let tile = Tile {
                    k: s.k,
                    a: s.a.add(rows.start * s.a_row),
                    a_row: s.a_row,
                    a_k: s.a_k,
                    b: s.b.add(j),
                    b_k: s.b_k,
                    b_vector: LANES,
                    b_panel: PANEL,
                    c: s.c.add(rows.start * s.c_row + j),
                    c_row: s.c_row,
                    load: s.load,
                };
                F::tile(level, rows.len(), vectors, &tile);
            }
        }
        j += vectors * LANES;
    }
    for j in j..s.n {
        for i in 0..s.m {
            // SAFETY: inside the operands.
            unsafe {
                let c = s.c.add(i * s.c_row + j);
                let mut sum = if s.load { *c } else { F::ZERO };
                for p in 0..s.k {
                    sum = (*s.a.add(i * s.a_row + p * s.a_k)).fma::<false>(*s.b.add(p * s.b_k + j), sum);
                }
                *c = sum;
            }
        }
    }
}

/// Products of `m` queries (rows of `padded`, of which `dim` count) with keys in blocks of 16, `[block][dim][16]`. Row `i`
/// of the result, with one column for each key of `blocks`, is at `scores[i * blocks.len() * 16..]`.
pub fn key_scores<F: Real>(
    queries: &[F],
    m: usize,
    padded: usize,
    dim: usize,
    keys: &[F],
    blocks: &Range<usize>,
    scores: &mut [F],
) {
    let width = blocks.len() * LANES;
    let block = LANES * dim;
    assert!(queries.len() >= m * padded && scores.len() >= m * width && keys.len() >= blocks.end * block);
    let level = level();
    let most = vectors::<F>(level, m);
    let mut start = blocks.start;
    while start < blocks.end {
        let mut vectors = most;
        while start + vectors > blocks.end {
            vectors /= 2;
        }
        for rows in even_parts(m, most_rows::<F>(level, vectors)) {
            // SAFETY: inside the operands, whose sizes were checked above.
            unsafe {
                let tile = Tile {
                    k: dim,
                    a: queries.as_ptr().add(rows.start * padded),
                    a_row: padded,
                    a_k: 1,
                    b: keys.as_ptr().add(start * block),
                    b_k: LANES,
                    b_vector: block,
                    b_panel: 2 * block,
                    c: scores.as_mut_ptr().add(rows.start * width + (start - blocks.start) * LANES),
                    c_row: width,
                    load: false,
                };
                F::tile(level, rows.len(), vectors, &tile);
            }
        }
        start += vectors;
    }
}

/// A matrix `B[k, n]` in panels of 32 columns, `[n / 32][k][32]`, the last one filled up with zeros.
#[derive(Clone, Debug, Default)]
pub struct Panels<F> {
    pub k: usize,
    pub n: usize,
    data: Vec<F>,
}

impl<F: Real> Panels<F> {
    /// Room for `B[k, n]`.
    pub fn new(k: usize, n: usize) -> Self {
        Panels { k, n, data: vec![F::ZERO; n.div_ceil(PANEL) * PANEL * k] }
    }

    /// The panels, each of `k * 32` elements.
    pub fn panels_mut(&mut self) -> std::slice::ChunksExactMut<'_, F> {
        let size = (self.k * PANEL).max(1);
        self.data.chunks_exact_mut(size)
    }

    /// Fills panel `index` of the transpose of `w`, which is `[n, k]`.
    pub fn fill_transposed(panel: &mut [F], index: usize, k: usize, n: usize, w: &[F]) {
        let columns = index * PANEL..((index + 1) * PANEL).min(n);
        for p0 in (0..k).step_by(16) {
            for (lane, j) in columns.clone().enumerate() {
                for p in p0..(p0 + 16).min(k) {
                    panel[p * PANEL + lane] = w[j * k + p];
                }
            }
        }
    }

    /// Fills panel `index` of `w`, which is `[k, n]`.
    pub fn fill(panel: &mut [F], index: usize, k: usize, n: usize, w: &[F]) {
        let columns = index * PANEL..((index + 1) * PANEL).min(n);
        for p in 0..k {
            panel[p * PANEL..p * PANEL + columns.len()].copy_from_slice(&w[p * n + columns.start..p * n + columns.end]);
        }
    }
}

/// `C[m, n] = (C or 0) + A[m, k] B`, rows of `A` and `C` at distances `a_row` and `c_row`.
pub fn packed<F: Real>(m: usize, a: &[F], a_row: usize, b: &Panels<F>, c: &mut [F], c_row: usize, load: bool) {
    if m == 0 || b.n == 0 {
        return;
    }
    assert!(a.len() >= (m - 1) * a_row + b.k && c.len() >= (m - 1) * c_row + b.n);
    let level = level();
    let vectors = vectors::<F>(level, m);
    let whole = b.n / LANES * LANES;
    for start in (0..b.k.max(1)).step_by(INNER) {
        let inner = INNER.min(b.k - start);
        let load = load || start > 0;
        let mut j = 0;
        while j < whole {
            let mut vectors = vectors;
            while j + vectors * LANES > whole || (vectors > 1 && !j.is_multiple_of(PANEL)) {
                vectors /= 2;
            }
            let most = most_rows::<F>(level, vectors);
            for rows in even_parts(m, most) {
                // SAFETY: inside the operands, whose sizes were checked above.
                unsafe {
                    let tile = Tile {
                        k: inner,
                        a: a.as_ptr().add(rows.start * a_row + start),
                        a_row,
                        a_k: 1,
                        b: b.data.as_ptr().add(j / PANEL * PANEL * b.k + start * PANEL + j % PANEL),
                        b_k: PANEL,
                        b_vector: LANES,
                        b_panel: b.k * PANEL,
                        c: c.as_mut_ptr().add(rows.start * c_row + j),
                        c_row,
                        load,
                    };
                    F::tile(level, rows.len(), vectors, &tile);
                }
            }
            j += vectors * LANES;
        }
        if whole < b.n {
            edge(m, a, a_row, b, c, c_row, load, start..start + inner);
        }
    }
}

/// The columns of [`packed`] after the last whole vector.
#[allow(clippy::too_many_arguments)]
fn edge<F: Real>(
    m: usize,
    a: &[F],
    a_row: usize,
    b: &Panels<F>,
    c: &mut [F],
    c_row: usize,
    load: bool,
    inner: Range<usize>,
) {
    let first = b.n / LANES * LANES;
    let level = level();
    for i in 0..m {
        let row = &mut c[i * c_row + first..i * c_row + b.n];
        let mut vector = [F::ZERO; LANES];
        vector[..row.len()].copy_from_slice(row);
        // SAFETY: one row of `A`, a whole vector of a zero-filled panel, a local vector.
        unsafe {
            let tile = Tile {
                k: inner.len(),
                a: a.as_ptr().add(i * a_row + inner.start),
                a_row,
                a_k: 1,
                b: b.data.as_ptr().add(first / PANEL * PANEL * b.k + inner.start * PANEL + first % PANEL),
                b_k: PANEL,
                b_vector: LANES,
                b_panel: PANEL,
                c: vector.as_mut_ptr(),
                c_row: LANES,
                load,
            };
            F::tile(level, 1, 1, &tile);
        }
        row.copy_from_slice(&vector[..row.len()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::columns::{Columns, Side, add_product};
    use crate::rng::Key;

    fn random<F: Real>(n: usize, seed: u64) -> Vec<F> {
        (0..n).map(|i| F::from_f64(Key::new(seed).fold(i as u64).normal())).collect()
    }

    /// `c[i, j] + sum_p a(i, p) b(p, j)` in f64, and in the order and rounding that every tile has.
    fn naive<F: Real>(k: usize, c: F, a: impl Fn(usize) -> F, b: impl Fn(usize) -> F) -> (f64, F) {
        let fused = level() != Level::Portable && std::mem::size_of::<F>() == 4;
        (0..k).fold((c.to_f64(), c), |(exact, sum), p| {
            let next = if fused { a(p).fma::<true>(b(p), sum) } else { a(p).fma::<false>(b(p), sum) };
            (exact + a(p).to_f64() * b(p).to_f64(), next)
        })
    }

    /// All kinds of products of one shape against [`naive`]: to the bit, and close to the exact value.
    fn check<F: Real>(m: usize, k: usize, n: usize, load: bool) {
        let (a, b, c) = (random::<F>(m * k, 1), random::<F>(k * n, 2), random::<F>(m * n, 3));
        let start = |i: usize, j: usize| if load { c[i * n + j] } else { F::ZERO };
        let tolerance = if std::mem::size_of::<F>() == 4 { 1e-6 } else { 1e-14 } * (k as f64 + 1.0);
        let compare = |name: &str, result: &[F], start: &dyn Fn(usize, usize) -> F| {
            for i in 0..m {
                for j in 0..n {
                    let (exact, expected) = naive(k, start(i, j), |p| a[i * k + p], |p| b[p * n + j]);
                    let found = result[i * n + j];
                    assert!((found.to_f64() - exact).abs() <= tolerance, "{name} [{i}, {j}]: {found:?}, not {exact}");
                    if n - j > n % LANES {
                        assert!(found == expected, "{name} [{i}, {j}]: {found:?}, not {expected:?}");
                    }
                }
            }
        };
        let b_transposed: Vec<F> = (0..n * k).map(|x| b[x % k * n + x / k]).collect();
        for transposed in [false, true] {
            let mut panels = Panels::new(k, n);
            for (index, panel) in panels.panels_mut().enumerate() {
                if transposed {
                    Panels::fill_transposed(panel, index, k, n, &b_transposed);
                } else {
                    Panels::fill(panel, index, k, n, &b);
                }
            }
            let mut result = c.clone();
            packed(m, &a, k, &panels, &mut result, n, load);
            compare("packed", &result, &start);
        }
        let mut result = c.clone();
        let operands = Strided {
            m,
            n,
            k,
            a: a.as_ptr(),
            a_row: k,
            a_k: 1,
            b: b.as_ptr(),
            b_k: n,
            c: result.as_mut_ptr(),
            c_row: n,
            load,
        };
        // SAFETY: matrices of these sizes.
        unsafe { strided(&operands) };
        compare("strided", &result, &start);
        let a_transposed: Vec<F> = (0..k * m).map(|x| a[x % m * k + x / m]).collect();
        let mut result = c.clone();
        let (mut left, mut right) = (Columns::default(), Columns::default());
        let (to_left, to_right) = (left.prepare(Side::Left, m, k), right.prepare(Side::Right, n, k));
        for first in (0..k).step_by(7) {
            let end = (first + 7).min(k);
            // SAFETY: one thread.
            unsafe {
                to_left.write(first, &a_transposed[first * m..end * m]);
                to_right.write(first, &b[first * n..end * n]);
            }
        }
        let middle = left.groups() / 2;
        // SAFETY: matrices of these sizes.
        unsafe {
            add_product(&left, &right, 0..middle, result.as_mut_ptr());
            add_product(&left, &right, middle..left.groups(), result.as_mut_ptr());
        }
        compare("transposed", &result, &|i, j| c[i * n + j]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn products_have_the_bits_of_the_plain_loop(m in 1usize..30, k in 1usize..40, n in 1usize..140, load: bool) {
            check::<f32>(m, k, n, load);
            check::<f64>(m, k, n, load);
        }
    }

    #[test]
    fn long_inner_dimensions_are_cut_without_a_trace() {
        check::<f32>(13, 2 * INNER + 7, 67, true);
        check::<f32>(1, INNER + 1, 300, false);
        check::<f64>(3, INNER + 1, 20, true);
    }

    #[test]
    fn parts_are_even() {
        assert_eq!(even_parts(25, 12).collect::<Vec<_>>(), [0..9, 9..17, 17..25]);
        assert_eq!(even_parts(0, 12).map(|part| part.len()).collect::<Vec<_>>(), [0]);
    }
}
