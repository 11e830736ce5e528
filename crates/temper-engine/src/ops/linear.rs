//! Linear layers `y = x W^T + b` with weights as Hugging Face stores them, `[out, in]`.

use std::ops::Range;

use crate::kernels::product::{Panels, Transposed, packed, transposed_product};
use crate::par::Shared;
use crate::real::Real;
use crate::simd::simd;

/// Rows of a weight's gradient that one thread computes at a time.
pub const OUT_ROWS: usize = 192;

/// `y = (residual or 0) + x W^T + b` for all rows of `x`; `w` holds `W^T`.
pub fn forward<F: Real>(x: &[F], w: &Panels<F>, bias: Option<&[F]>, residual: Option<&[F]>, y: &mut [F]) {
    let rows = y.len() / w.n;
    let mut load = false;
    if let Some(residual) = residual {
        y.copy_from_slice(residual);
        load = true;
    }
    packed(rows, x, w.k, w, y, w.n, load);
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(w.n) {
            add(bias, row);
        }
    }
}

/// `dx = dy W`; `w` holds `W`.
pub fn backward_input<F: Real>(dy: &[F], w: &Panels<F>, dx: &mut [F]) {
    packed(dx.len() / w.n, dy, w.k, w, dx, w.n, false);
}

/// The gradient of one weight (and bias), to be computed in pieces of output rows.
pub struct WeightGrad<'a, F> {
    /// Gradient of the output, `[T, out]`.
    pub dy: &'a [F],
    /// Input, `[T, in]`.
    pub x: &'a [F],
    /// Number of output rows.
    pub out: usize,
    /// Width of the input.
    pub inputs: usize,
    /// Where the weight's gradient is added, `[out, in]`.
    pub dw: Shared<'a, F>,
    /// Where the bias's gradient is added, `[out]`.
    pub db: Option<Shared<'a, F>>,
}

impl<F: Real> WeightGrad<'_, F> {
    /// Number of pieces.
    pub fn pieces(&self) -> usize {
        self.out.div_ceil(OUT_ROWS)
    }

    /// Adds one piece: `dw[o, i] += sum_t dy[t, o] x[t, i]` for its rows `o`, over `t` in order.
    ///
    /// # Safety
    /// Nobody else reads or writes `dw` and `db` at these rows meanwhile.
    pub unsafe fn piece(&self, index: usize) {
        let rows = index * OUT_ROWS..((index + 1) * OUT_ROWS).min(self.out);
        let tokens = self.dy.len() / self.out;
        assert!(self.dy.len() == tokens * self.out && self.x.len() == tokens * self.inputs);
        assert!(self.dw.len() == self.out * self.inputs);
        // SAFETY: inside the slices; rows of `dw` by the caller's promise.
        unsafe {
            transposed_product(&Transposed {
                m: rows.len(),
                n: self.inputs,
                k: tokens,
                a: self.dy.as_ptr().add(rows.start),
                a_k: self.out,
                b: self.x.as_ptr(),
                b_k: self.inputs,
                c: self.dw.at(rows.start * self.inputs),
                c_row: self.inputs,
            });
        }
        if let Some(db) = self.db {
            // SAFETY: by the caller's promise.
            add_columns(self.dy, self.out, rows.clone(), unsafe { db.range(rows) });
        }
    }
}

simd! {
    /// `y += x`.
    pub fn add(x: &[F], y: &mut [F]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += *x;
        }
    }

    /// Adds the columns `columns` of a matrix with rows of `width` to `sum`, row after row.
    pub fn add_columns(matrix: &[F], width: usize, columns: Range<usize>, sum: &mut [F]) {
        for row in matrix.chunks_exact(width) {
            for (sum, x) in sum.iter_mut().zip(&row[columns.clone()]) {
                *sum += *x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::finite::{check, dot, random};

    fn panels(k: usize, n: usize, fill: impl Fn(&mut [f64], usize)) -> Panels<f64> {
        let mut panels = Panels::new(k, n);
        panels.panels_mut().enumerate().for_each(|(i, panel)| fill(panel, i));
        panels
    }

    #[test]
    fn gradient() {
        let (tokens, inputs, out) = (5, 7, 34);
        let (x, w, b) = (random(tokens * inputs, 1), random(out * inputs, 2), random(out, 3));
        let (residual, a) = (random(tokens * out, 4), random(tokens * out, 5));
        let run = |x: &[f64], w: &[f64], b: &[f64], residual: &[f64]| {
            let transposed = panels(inputs, out, |panel, i| Panels::fill_transposed(panel, i, inputs, out, w));
            let mut y = vec![0.0; tokens * out];
            forward(x, &transposed, Some(b), Some(residual), &mut y);
            y
        };
        let plain = panels(out, inputs, |panel, i| Panels::fill(panel, i, out, inputs, &w));
        let mut dx = vec![0.0; tokens * inputs];
        backward_input(&a, &plain, &mut dx);
        let (mut dw, mut db) = (vec![0.0; out * inputs], vec![0.0; out]);
        let grad = WeightGrad { dy: &a, x: &x, out, inputs, dw: Shared::new(&mut dw), db: Some(Shared::new(&mut db)) };
        // SAFETY: one thread.
        (0..grad.pieces()).for_each(|i| unsafe { grad.piece(i) });
        check("dx", &x, &dx, |x| dot(&run(x, &w, &b, &residual), &a));
        check("dw", &w, &dw, |w| dot(&run(&x, w, &b, &residual), &a));
        check("db", &b, &db, |b| dot(&run(&x, &w, b, &residual), &a));
        check("dresidual", &residual, &a, |residual| dot(&run(&x, &w, &b, residual), &a));
    }
}
