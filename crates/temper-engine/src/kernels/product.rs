//! Products of matrices, cut into register tiles. All run on the calling thread.

use std::ops::Range;

use super::bf16;
use super::panels::{Operand, Panels};
use super::tile::{Element, LANES, PANEL, Tile, max_rows};
use crate::real::{Real, with_scratch, with_words};
use crate::simd::{Level, level};

/// Steps of the inner dimension taken at a time, so that a panel's piece stays in the first-level cache.
const INNER: usize = 256;

/// Strided operands of `C[m, n] = (C or 0) + A[m, k] B[k, n]`, elements at `a[i a_row + p a_k]`, `b[p b_k + j]` and
/// `c[i c_row + j]`; `n` is a multiple of [`LANES`].
///
/// # Safety
/// All these addresses must be valid, and those of `C` be written by nobody else meanwhile.
#[derive(Clone, Copy)]
pub struct Strided<F, E = F> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const E,
    pub a_row: usize,
    pub a_k: usize,
    pub b: *const E,
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
pub unsafe fn strided<F: Real, E: Element<F>>(s: &Strided<F, E>) {
    debug_assert!(s.n.is_multiple_of(LANES));
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
                E::tile(level, rows.len(), vectors, &tile);
            }
        }
        j += vectors * LANES;
    }
}

/// Products of `m` queries (rows of `k` elements at distance `row`) with `blocks` blocks of 16 keys, `[block][k][16]`. Row
/// `i` of the result, with one column for each key, is at `scores[i * width..]`.
#[allow(clippy::too_many_arguments)]
pub fn key_scores<F: Real, E: Element<F>>(
    queries: &[E],
    m: usize,
    row: usize,
    k: usize,
    keys: &[E],
    blocks: usize,
    scores: &mut [F],
    width: usize,
) {
    let block = LANES * k;
    if blocks == 0 {
        return;
    }
    assert!(queries.len() >= (m - 1) * row + k && keys.len() >= blocks * block);
    assert!(blocks * LANES <= width && scores.len() >= (m - 1) * width + blocks * LANES);
    let level = level();
    let most = vectors::<F>(level, m);
    let mut start = 0;
    while start < blocks {
        let mut vectors = most;
        while start + vectors > blocks {
            vectors /= 2;
        }
        for rows in even_parts(m, most_rows::<F>(level, vectors)) {
            // SAFETY: inside the operands, whose sizes were checked above.
            unsafe {
                let tile = Tile {
                    k,
                    a: queries.as_ptr().add(rows.start * row),
                    a_row: row,
                    a_k: 1,
                    b: keys.as_ptr().add(start * block),
                    b_k: LANES,
                    b_vector: block,
                    b_panel: 2 * block,
                    c: scores.as_mut_ptr().add(rows.start * width + start * LANES),
                    c_row: width,
                    load: false,
                };
                E::tile(level, rows.len(), vectors, &tile);
            }
        }
        start += vectors;
    }
}

/// `C[m, n] = (C or 0) + A[m, k] B`, rows of `A` and `C` at distances `a_row` and `c_row`. An element's sum runs over `k` in
/// order, number by number or pair by pair, whatever `m` is.
pub fn packed<F: Real>(m: usize, a: &[F], a_row: usize, b: &Panels<F>, c: &mut [F], c_row: usize, load: bool) {
    if m == 0 || b.n == 0 {
        return;
    }
    assert!(a.len() >= (m - 1) * a_row + b.k && c.len() >= (m - 1) * c_row + b.n);
    let pairs = b.k.div_ceil(2);
    match b.operand() {
        Operand::Numbers(data) => run(m, b.k, a, a_row, data, c, b.n, c_row, load),
        Operand::Pairs(data) => with_words::<F, _>(m * pairs, |words| {
            bf16::along_rows(a, a_row, b.k, words);
            run(m, pairs, words, pairs, data, c, b.n, c_row, load);
        }),
        Operand::Decoded { rounded: false } => {
            pieces(m, b, 1, a, a_row, c, c_row, load, |panel, start, piece| b.decode(panel, start, piece));
        }
        Operand::Decoded { rounded: true } => with_scratch(m * b.k, |numbers: &mut [F]| {
            for (to, from) in numbers.chunks_exact_mut(b.k).zip(a.chunks(a_row)) {
                to.copy_from_slice(&from[..b.k]);
            }
            bf16::round(numbers);
            pieces(m, b, 1, numbers, b.k, c, c_row, load, |panel, start, piece| b.decode(panel, start, piece));
        }),
        Operand::DecodedPairs => with_words::<F, _>(m * pairs, |words| {
            bf16::along_rows(a, a_row, b.k, words);
            pieces(m, b, 2, words, pairs, c, c_row, load, |panel, start, piece: &mut [u32]| {
                b.decode_pairs(panel, start, (2 * piece.len() / PANEL).min(b.k - start), piece);
            });
        }),
    }
}

/// [`packed`] for panels that are decoded piece by piece: `decode(panel, first row, piece)`. An element holds `numbers`
/// numbers.
#[allow(clippy::too_many_arguments)]
fn pieces<F: Real, E: Element<F>>(
    m: usize,
    b: &Panels<F>,
    numbers: usize,
    a: &[E],
    a_row: usize,
    c: &mut [F],
    c_row: usize,
    load: bool,
    mut decode: impl FnMut(usize, usize, &mut [E]),
) {
    let k = b.k.div_ceil(numbers);
    let mut piece = [E::default(); INNER * PANEL];
    for start in (0..k).step_by(INNER) {
        let inner = INNER.min(k - start);
        for panel in 0..b.n.div_ceil(PANEL) {
            let piece = &mut piece[..inner * PANEL];
            decode(panel, start * numbers, piece);
            let columns = PANEL.min(b.n - panel * PANEL);
            let c = &mut c[panel * PANEL..];
            run(m, inner, &a[start..], a_row, piece, c, columns, c_row, load || start > 0);
        }
    }
}

/// [`packed`] for panels `b` of `[n / 32][k][32]` elements.
#[allow(clippy::too_many_arguments)]
fn run<F: Real, E: Element<F>>(
    m: usize,
    k: usize,
    a: &[E],
    a_row: usize,
    b: &[E],
    c: &mut [F],
    n: usize,
    c_row: usize,
    load: bool,
) {
    assert!(
        a.len() >= (m - 1) * a_row + k && c.len() >= (m - 1) * c_row + n && b.len() >= n.div_ceil(PANEL) * PANEL * k
    );
    let level = level();
    let vectors = vectors::<F>(level, m);
    let whole = n / LANES * LANES;
    for start in (0..k.max(1)).step_by(INNER) {
        let inner = INNER.min(k - start);
        let load = load || start > 0;
        let tile = |row: usize, column: usize, c: *mut F, c_row: usize| Tile {
            k: inner,
            a: a[row * a_row + start..].as_ptr(),
            a_row,
            a_k: 1,
            b: b[column / PANEL * PANEL * k + start * PANEL + column % PANEL..].as_ptr(),
            b_k: PANEL,
            b_vector: LANES,
            b_panel: k * PANEL,
            c,
            c_row,
            load,
        };
        let mut j = 0;
        while j < whole {
            let mut vectors = vectors;
            while j + vectors * LANES > whole || (vectors > 1 && !j.is_multiple_of(PANEL)) {
                vectors /= 2;
            }
            for rows in even_parts(m, most_rows::<F>(level, vectors)) {
                // SAFETY: inside the operands, whose sizes were checked above.
                unsafe {
                    let c = c.as_mut_ptr().add(rows.start * c_row + j);
                    E::tile(level, rows.len(), vectors, &tile(rows.start, j, c, c_row));
                }
            }
            j += vectors * LANES;
        }
        if whole < n {
            for i in 0..m {
                let row = &mut c[i * c_row + whole..i * c_row + n];
                let mut vector = [F::ZERO; LANES];
                vector[..row.len()].copy_from_slice(row);
                // SAFETY: one row of `A`, a whole vector of a panel, a local vector.
                unsafe { E::tile(level, 1, 1, &tile(i, whole, vector.as_mut_ptr(), LANES)) };
                row.copy_from_slice(&vector[..row.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Precision;
    use crate::kernels::columns::{Columns, Side, add_product};
    use crate::kernels::panels::{Direction, Format};
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
        for (direction, weight) in [(Direction::Forward, &b_transposed), (Direction::Backward, &b)] {
            let mut panels = Panels::new(k, n, direction, Format::Full, Precision::F32);
            panels.fill(weight);
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
        if n.is_multiple_of(LANES) {
            // SAFETY: matrices of these sizes.
            unsafe { strided(&operands) };
            compare("strided", &result, &start);
        }
        let a_transposed: Vec<F> = (0..k * m).map(|x| a[x % m * k + x / m]).collect();
        let mut result = c.clone();
        let (mut left, mut right) = (Columns::default(), Columns::default());
        let (to_left, to_right) =
            (left.prepare(Side::Left, m, k, Precision::F32), right.prepare(Side::Right, n, k, Precision::F32));
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
        check::<f32>(7, 33, 96, true);
        check::<f64>(7, 33, 96, false);
        check::<f64>(3, INNER + 1, 20, true);
    }

    #[test]
    fn parts_are_even() {
        assert_eq!(even_parts(25, 12).collect::<Vec<_>>(), [0..9, 9..17, 17..25]);
        assert_eq!(even_parts(0, 12).map(|part| part.len()).collect::<Vec<_>>(), [0]);
    }
}
