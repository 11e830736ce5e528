//! Products of matrices, cut into register tiles. All run on the calling thread.

use std::ops::Range;

use super::tile::{LANES, PANEL, Tile, max_rows};
use crate::real::{Real, with_scratch};
use crate::simd::{Level, level, simd};

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
fn fast<F>(level: Level) -> bool {
    level == Level::Avx512 && std::mem::size_of::<F>() == 4
}

fn most_rows<F>(level: Level, vectors: usize) -> usize {
    if std::mem::size_of::<F>() == 4 { max_rows(level, vectors) } else { max_rows(Level::Portable, 1) }
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
    let fast = fast::<F>(level);
    let vectors = match m {
        _ if !fast => 1,
        ..=3 => 8,
        ..=6 => 4,
        _ => 2,
    };
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

/// Operands of `C[m, n] += sum_p A[p, i] B[p, j]`, elements at `a[p a_k + i]`, `b[p b_k + j]` and `c[i c_row + j]`.
///
/// # Safety
/// All these addresses must be valid, and those of `C` be written by nobody else meanwhile.
pub struct Transposed<F> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const F,
    pub a_k: usize,
    pub b: *const F,
    pub b_k: usize,
    pub c: *mut F,
    pub c_row: usize,
}

simd! {
    /// Copies the columns of each part of rows at distance `stride` to `[part][row][column]`.
    fn gather_parts(from: &[F], stride: usize, parts: &[Range<usize>], rows: usize, to: &mut [F]) {
        for row in 0..rows {
            let from = &from[row * stride..];
            for part in parts {
                let at = part.start * rows + row * part.len();
                if part.len() == 12 {
                    let (to, from) = (&mut to[at..at + 12], &from[part.start..part.start + 12]);
                    for i in 0..12 {
                        to[i] = from[i];
                    }
                } else {
                    for (i, column) in part.clone().enumerate() {
                        to[at + i] = from[column];
                    }
                }
            }
        }
    }

    /// Copies the first `width` elements of rows at distance `stride` to rows of `width`.
    fn gather_columns(from: &[F], stride: usize, width: usize, to: &mut [F]) {
        match width {
            32 => gather::<F, 32>(from, stride, to),
            _ => {
                for (row, to) in to.chunks_exact_mut(width).enumerate() {
                    for (i, to) in to.iter_mut().enumerate() {
                        *to = from[row * stride + i];
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn gather<F: Real, const WIDTH: usize>(from: &[F], stride: usize, to: &mut [F]) {
    for (row, to) in to.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        let from = &from[row * stride..row * stride + WIDTH];
        for i in 0..WIDTH {
            to[i] = from[i];
        }
    }
}

/// A product with a long inner dimension: pieces of both operands are first copied so that tiles read them in sequence.
///
/// # Safety
/// As for [`Transposed`].
pub unsafe fn transposed_product<F: Real>(t: &Transposed<F>) {
    let level = level();
    let (vectors, most) = if fast::<F>(level) { (2, 12) } else { (1, most_rows::<F>(level, 1)) };
    let width = vectors * LANES;
    let parts: Vec<Range<usize>> = even_parts(t.m, most).collect();
    let whole = t.n / width * width;
    with_scratch(INNER * (t.m + width), |scratch| {
        let (a, b) = scratch.split_at_mut(INNER * t.m);
        for start in (0..t.k).step_by(INNER) {
            let inner = INNER.min(t.k - start);
            // SAFETY: inside the operands by the caller's promise.
            unsafe {
                let from = std::slice::from_raw_parts(t.a.add(start * t.a_k), (inner - 1) * t.a_k + t.m);
                gather_parts(from, t.a_k, &parts, inner, a);
                let from = std::slice::from_raw_parts(t.b.add(start * t.b_k), (inner - 1) * t.b_k + t.n);
                for j in (0..whole).step_by(width) {
                    gather_columns(&from[j..], t.b_k, width, &mut b[..inner * width]);
                    for part in &parts {
                        let tile = Tile {
                            k: inner,
                            a: a.as_ptr().add(part.start * inner),
                            a_row: 1,
                            a_k: part.len(),
                            b: b.as_ptr(),
                            b_k: width,
                            b_panel: 0,
                            c: t.c.add(part.start * t.c_row + j),
                            c_row: t.c_row,
                            load: true,
                        };
                        F::tile(level, part.len(), vectors, &tile);
                    }
                }
                strided(&Strided {
                    m: t.m,
                    n: t.n - whole,
                    k: inner,
                    a: t.a.add(start * t.a_k),
                    a_row: 1,
                    a_k: t.a_k,
                    b: t.b.add(start * t.b_k + whole),
                    b_k: t.b_k,
                    c: t.c.add(whole),
                    c_row: t.c_row,
                    load: true,
                });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Key;

    fn random(n: usize, seed: u64) -> Vec<f32> {
        (0..n).map(|i| Key::new(seed).fold(i as u64).normal() as f32).collect()
    }

    fn cpu() -> f64 {
        unsafe {
            let mut t: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t);
            t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
        }
    }

    /// `cargo test --release -p temper-engine --lib speed -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn speed() {
        for (m, k, n) in [
            (96, 128, 256),
            (96, 128, 768),
            (96, 384, 128),
            (96, 256, 1536),
            (96, 768, 256),
            (96, 256, 4096),
            (16, 256, 1536),
            (8, 256, 1536),
            (1, 256, 1536),
        ] {
            let (a, w) = (random(m * k, 1), random(k * n, 2));
            let mut panels = Panels::<f32>::new(k, n);
            for (i, panel) in panels.panels_mut().enumerate() {
                Panels::fill(panel, i, k, n, &w);
            }
            let mut c = vec![0.0; m * n];
            let mut best = f64::MAX;
            let repeats = (200_000_000 / (m * k * n)).max(1);
            for _ in 0..10 {
                let start = cpu();
                for _ in 0..repeats {
                    packed(m, &a, k, &panels, &mut c, n, false);
                }
                best = best.min((cpu() - start) / repeats as f64);
            }
            println!("packed {m} x {k} x {n}: {:.1} GFLOP/s", 2e-9 * (m * k * n) as f64 / best);
        }
        for (t, out, inputs) in
            [(4096, 256, 128), (4096, 768, 128), (4096, 128, 384), (4096, 1536, 256), (4096, 256, 768)]
        {
            let (dy, x) = (random(t * out, 1), random(t * inputs, 2));
            let mut dw = vec![0.0f32; out * inputs];
            let mut best = f64::MAX;
            for _ in 0..10 {
                let start = cpu();
                let shared = crate::par::Shared::new(&mut dw);
                let grad = crate::ops::linear::WeightGrad { dy: &dy, x: &x, out, inputs, dw: shared, db: None };
                for i in 0..grad.pieces() {
                    unsafe { grad.piece(i) };
                }
                best = best.min(cpu() - start);
            }
            println!("weight gradient {t} x {out} x {inputs}: {:.1} GFLOP/s", 2e-9 * (t * out * inputs) as f64 / best);
        }
    }
}
