//! Linear layers `y = x W^T + b` with weights as Hugging Face stores them, `[out, in]`.

use super::lora::{self, Part, PartColumns, PartWriter};
use crate::Precision;
use crate::kernels::columns::{Columns, Side, Writer, add_product};
use crate::kernels::panels::Panels;
use crate::kernels::product::packed;
use crate::par::{self, Shared};
use crate::real::Real;
use crate::simd::simd;

/// Groups of output rows whose gradient one thread computes at a time.
const GROUPS: usize = 8;

/// `y = (residual or 0) + x W^T + adapters + b` for all rows of `x`; `w` holds `W^T`.
pub fn forward<F: Real>(
    x: &[F],
    w: &Panels<F>,
    adapters: &[Part<F>],
    bias: Option<&[F]>,
    residual: Option<&[F]>,
    y: &mut [F],
) {
    let rows = y.len() / w.n;
    let mut load = false;
    if let Some(residual) = residual {
        y.copy_from_slice(residual);
        load = true;
    }
    packed(rows, x, w.k, w, y, w.n, load);
    lora::forward(adapters, x, y, w.n);
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(w.n) {
            add(bias, row);
        }
    }
}

/// Copies of a block of rows for the gradients of one weight, or of its adapters.
#[derive(Debug, Default)]
pub struct Operands<F> {
    dy: Columns<F>,
    x: Columns<F>,
    parts: Vec<PartColumns<F>>,
}

/// Fills [`Operands`], different rows from different threads.
pub struct OperandsWriter<'a, F> {
    /// Without adapters: the gradient of the output.
    dy: Option<Writer<'a, F>>,
    x: Option<Writer<'a, F>>,
    parts: Vec<PartWriter<'a, F>>,
    adapters: &'a [Part<F>],
}

impl<F: Real> Operands<F> {
    /// Makes room for `rows` rows of a weight `[out, in]`. With `base` the weight is trained, else its adapters are.
    pub fn prepare<'a>(
        &'a mut self,
        (out, inputs): (usize, usize),
        rows: usize,
        base: Option<Precision>,
        adapters: &'a [Part<F>],
    ) -> OperandsWriter<'a, F> {
        if let Some(precision) = base {
            return OperandsWriter {
                dy: Some(self.dy.prepare(Side::Left, out, rows, precision)),
                x: Some(self.x.prepare(Side::Right, inputs, rows, precision)),
                parts: Vec::new(),
                adapters: &[],
            };
        }
        self.parts.resize_with(adapters.len(), PartColumns::default);
        let x = &mut self.x;
        OperandsWriter {
            dy: None,
            x: (!adapters.is_empty()).then(|| x.prepare(Side::Right, inputs, rows, Precision::F32)),
            parts: self.parts.iter_mut().zip(adapters).map(|(columns, part)| columns.prepare(part, rows)).collect(),
            adapters,
        }
    }

    /// The weight's gradients, to be added to `dw` and `db`.
    pub fn grad<'a>(&'a self, dw: Shared<'a, F>, db: Option<Shared<'a, F>>) -> WeightGrad<'a, F> {
        WeightGrad { dy: &self.dy, x: &self.x, dw, db }
    }

    /// The adapters' gradients, to be added at their places in the arena `grads`.
    pub fn adapter_grads<'a>(&'a self, adapters: &[Part<F>], grads: Shared<'a, F>, jobs: &mut Vec<WeightGrad<'a, F>>) {
        for (columns, part) in self.parts.iter().zip(adapters) {
            // SAFETY: places of different tensors are disjoint.
            let at = |range: &std::ops::Range<usize>| Shared::new(unsafe { grads.range(range.clone()) });
            jobs.extend(columns.grads(&self.x, at(&part.place_a), at(&part.place_b)));
        }
    }
}

impl<F: Real> OperandsWriter<'_, F> {
    /// `dx = dy W + adapters` for the rows from `first` on, `w` holding `W`; keeps what the gradients need of `dy`.
    ///
    /// # Safety
    /// Nobody else reads or writes these rows of the operands meanwhile.
    pub unsafe fn backward(&self, first: usize, dy: &[F], w: &Panels<F>, dx: &mut [F]) {
        packed(dx.len() / w.n, dy, w.k, w, dx, w.n, false);
        // SAFETY: the caller's.
        unsafe {
            if let Some(writer) = &self.dy {
                writer.write(first, dy);
            }
            for (writer, part) in self.parts.iter().zip(self.adapters) {
                writer.backward(part, first, dy, w.k, dx);
            }
        }
    }

    /// Keeps what the gradients need of the inputs `x`, the rows from `first` on.
    ///
    /// # Safety
    /// As for [`OperandsWriter::backward`].
    pub unsafe fn inputs(&self, first: usize, x: &[F]) {
        // SAFETY: the caller's.
        unsafe {
            if let Some(writer) = &self.x {
                writer.write(first, x);
            }
            for (writer, part) in self.parts.iter().zip(self.adapters) {
                writer.inputs(part, first, x);
            }
        }
    }
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
            forward(x, &transposed, &[], Some(b), Some(residual), &mut y);
            y
        };
        let plain = panels(out, inputs, Direction::Backward, &w);
        let mut dx = vec![0.0; tokens * inputs];
        let (mut dw, mut db) = (vec![0.0; out * inputs], vec![0.0; out]);
        let mut operands = Operands::default();
        let writer = operands.prepare((out, inputs), tokens, Some(Precision::F32), &[]);
        // SAFETY: one thread.
        unsafe {
            writer.backward(0, &a, &plain, &mut dx);
            writer.inputs(0, &x);
        }
        add_weight_grads(&[operands.grad(Shared::new(&mut dw), Some(Shared::new(&mut db)))]);
        check("dx", &x, &dx, |x| dot(&run(x, &w, &b, &residual), &a));
        check("dw", &w, &dw, |w| dot(&run(&x, w, &b, &residual), &a));
        check("db", &b, &db, |b| dot(&run(&x, &w, b, &residual), &a));
        check("dresidual", &residual, &a, |residual| dot(&run(&x, &w, &b, residual), &a));
    }
}
