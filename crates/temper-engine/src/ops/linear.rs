//! Linear layers `y = x W^T + b` with weights as Hugging Face stores them, `[out, in]`.

use crate::kernels::columns::{Columns, add_product};
use crate::kernels::panels::Panels;
use crate::kernels::product::packed;
use crate::par::{self, Shared};
use crate::real::Real;
use crate::simd::simd;

/// Groups of output rows whose gradient one thread computes at a time.
const GROUPS: usize = 8;

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
    /// Gradient of the output, `[N, out]`.
    pub dy: &'a Columns<F>,
    /// Input, `[N, in]`.
    pub x: &'a Columns<F>,
    /// Where the weight's gradient is added, `[out, in]`.
    pub dw: Shared<'a, F>,
    /// Where the bias's gradient is added, `[out]`.
    pub db: Option<Shared<'a, F>>,
}

impl<F: Real> WeightGrad<'_, F> {
    /// Number of pieces.
    pub fn pieces(&self) -> usize {
        self.dy.groups().div_ceil(GROUPS)
    }

    /// Adds one piece: `dw[o, i] += sum_t dy[t, o] x[t, i]` for its rows `o`, over `t` in order.
    ///
    /// # Safety
    /// Nobody else reads or writes `dw` and `db` at these rows meanwhile.
    pub unsafe fn piece(&self, index: usize) {
        let groups = index * GROUPS..((index + 1) * GROUPS).min(self.dy.groups());
        assert_eq!(self.dw.len(), self.dy.columns() * self.x.columns());
        // SAFETY: `dw` has the right size; its rows are ours by the caller's promise.
        unsafe { add_product(self.dy, self.x, groups.clone(), self.dw.at(0)) };
        if let Some(db) = self.db {
            let rows = groups.start * self.dy.width()..(groups.end * self.dy.width()).min(self.dy.columns());
            // SAFETY: by the caller's promise.
            self.dy.add_sums(groups, unsafe { db.range(rows) });
        }
    }
}

/// Adds the gradients of several weights, in parallel.
pub fn add_weight_grads<F: Real>(grads: &[WeightGrad<F>]) {
    let pieces: Vec<(usize, usize)> =
        grads.iter().enumerate().flat_map(|(i, grad)| (0..grad.pieces()).map(move |piece| (i, piece))).collect();
    // SAFETY: each piece has its own rows.
    par::tasks(pieces.len(), |i| unsafe { grads[pieces[i].0].piece(pieces[i].1) });
}

simd! {
    /// `y += x`.
    pub fn add(x: &[F], y: &mut [F]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += *x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::columns::Side;
    use crate::kernels::panels::{Direction, Format};
    use crate::ops::finite::{check, dot, random};

    fn panels(k: usize, n: usize, direction: Direction, w: &[f64]) -> Panels<f64> {
        let mut panels = Panels::new(k, n, direction, Format::Full, Precision::F32);
        panels.fill(w);
        panels
    }

    #[test]
    fn gradient() {
        let (tokens, inputs, out) = (5, 7, 34);
        let (x, w, b) = (random(tokens * inputs, 1), random(out * inputs, 2), random(out, 3));
        let (residual, a) = (random(tokens * out, 4), random(tokens * out, 5));
        let run = |x: &[f64], w: &[f64], b: &[f64], residual: &[f64]| {
            let transposed = panels(inputs, out, Direction::Forward, w);
            let mut y = vec![0.0; tokens * out];
            forward(x, &transposed, Some(b), Some(residual), &mut y);
            y
        };
        let plain = panels(out, inputs, Direction::Backward, &w);
        let mut dx = vec![0.0; tokens * inputs];
        backward_input(&a, &plain, &mut dx);
        let (mut dw, mut db) = (vec![0.0; out * inputs], vec![0.0; out]);
        let (mut dy, mut input) = (Columns::default(), Columns::default());
        // SAFETY: one thread.
        unsafe {
            dy.prepare(Side::Left, out, tokens, Precision::F32).write(0, &a);
            input.prepare(Side::Right, inputs, tokens, Precision::F32).write(0, &x);
        }
        let (to_w, to_b) = (Shared::new(&mut dw), Shared::new(&mut db));
        add_weight_grads(&[WeightGrad { dy: &dy, x: &input, dw: to_w, db: Some(to_b) }]);
        check("dx", &x, &dx, |x| dot(&run(x, &w, &b, &residual), &a));
        check("dw", &w, &dw, |w| dot(&run(&x, w, &b, &residual), &a));
        check("db", &b, &db, |b| dot(&run(&x, &w, b, &residual), &a));
        check("dresidual", &residual, &a, |residual| dot(&run(&x, &w, &b, residual), &a));
    }
}
