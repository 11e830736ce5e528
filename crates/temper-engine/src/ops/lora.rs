//! Low-rank adapters: `y += scale (x A^T) B^T` on some of a projection's outputs, and its gradients.

use std::ops::Range;

use super::linear::WeightGrad;
use crate::Precision;
use crate::kernels::columns::{Columns, Side, Writer};
use crate::kernels::panels::{Direction, Format, Panels};
use crate::kernels::product::packed;
use crate::par::Shared;
use crate::real::{Real, with_scratch};
use crate::simd::simd;

/// The adapter of one projection inside a matrix that may hold several, packed. Its products are in the model's number type.
#[derive(Debug)]
pub struct Part<F> {
    /// Outputs of the matrix that it adds to.
    pub outputs: Range<usize>,
    /// Place of `A` among the trained parameters.
    pub place_a: Range<usize>,
    /// Place of `B`.
    pub place_b: Range<usize>,
    scale: F,
    a: Panels<F>,
    b: Panels<F>,
    a_transposed: Panels<F>,
    b_transposed: Panels<F>,
}

impl<F: Real> Part<F> {
    /// Packs `A`, `[r, in]`, and `B`, `[out, r]`, from their places in `params`.
    pub fn new(
        outputs: Range<usize>,
        scale: F,
        r: usize,
        (place_a, place_b): (Range<usize>, Range<usize>),
        params: &[F],
    ) -> Self {
        let (a, b) = (&params[place_a.clone()], &params[place_b.clone()]);
        let (inputs, out) = (a.len() / r, outputs.len());
        let pack = |k: usize, n: usize, direction: Direction, w: &[F]| {
            let mut panels = Panels::new(k, n, direction, Format::Full, Precision::F32);
            panels.fill(w);
            panels
        };
        Part {
            outputs,
            place_a,
            place_b,
            scale,
            a: pack(inputs, r, Direction::Forward, a),
            b: pack(r, out, Direction::Forward, b),
            a_transposed: pack(r, inputs, Direction::Backward, a),
            b_transposed: pack(out, r, Direction::Backward, b),
        }
    }

    /// Memory in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.a.bytes() + self.b.bytes() + self.a_transposed.bytes() + self.b_transposed.bytes()
    }

    /// Rank.
    pub fn r(&self) -> usize {
        self.a.n
    }

    /// `u = scale x A^T` for rows of `x`.
    fn down(&self, x: &[F], u: &mut [F]) {
        packed(u.len() / self.r(), x, self.a.k, &self.a, u, self.r(), false);
        scale(u, self.scale);
    }
}

/// Adds the adapters' outputs to `y`, rows of `width`, given rows of `x`.
pub fn forward<F: Real>(parts: &[Part<F>], x: &[F], y: &mut [F], width: usize) {
    let rows = y.len() / width;
    for part in parts.iter().filter(|_| rows > 0) {
        with_scratch(rows * part.r(), |u| {
            part.down(x, u);
            packed(rows, u, part.r(), &part.b, &mut y[part.outputs.start..], width, true);
        });
    }
}

/// Copies of a block of rows for the gradients of one projection's adapter.
#[derive(Debug, Default)]
pub struct PartColumns<F> {
    dy: Columns<F>,
    u: Columns<F>,
    du: Columns<F>,
}

/// Fills [`PartColumns`], different rows from different threads.
pub struct PartWriter<'a, F> {
    dy: Writer<'a, F>,
    u: Writer<'a, F>,
    du: Writer<'a, F>,
}

impl<F: Real> PartColumns<F> {
    /// Makes room for `rows` rows.
    pub fn prepare(&mut self, part: &Part<F>, rows: usize) -> PartWriter<'_, F> {
        let f32 = Precision::F32;
        PartWriter {
            dy: self.dy.prepare(Side::Left, part.outputs.len(), rows, f32),
            u: self.u.prepare(Side::Right, part.r(), rows, f32),
            du: self.du.prepare(Side::Left, part.r(), rows, f32),
        }
    }

    /// The gradients of `A` and `B`, given the rows of `x`.
    pub fn grads<'a>(&'a self, x: &'a Columns<F>, da: Shared<'a, F>, db: Shared<'a, F>) -> [WeightGrad<'a, F>; 2] {
        [WeightGrad { dy: &self.du, x, dw: da, db: None }, WeightGrad { dy: &self.dy, x: &self.u, dw: db, db: None }]
    }
}

impl<F: Real> PartWriter<'_, F> {
    /// Adds to `dx` what comes through the adapter from `dy`, rows of `width`, and keeps the rows from `first` on.
    ///
    /// # Safety
    /// Nobody else reads or writes these rows of the columns meanwhile.
    pub unsafe fn backward(&self, part: &Part<F>, first: usize, dy: &[F], width: usize, dx: &mut [F]) {
        let rows = dy.len() / width;
        let dy = &dy[part.outputs.start..];
        with_scratch(rows * part.r(), |du| {
            packed(rows, dy, width, &part.b_transposed, du, part.r(), false);
            scale(du, part.scale);
            packed(rows, du, part.r(), &part.a_transposed, dx, part.a_transposed.n, true);
            // SAFETY: the caller's.
            unsafe {
                self.dy.write_strided(first, rows, dy, width);
                self.du.write(first, du);
            }
        });
    }

    /// Keeps what the gradients need of the rows `x` from `first` on.
    ///
    /// # Safety
    /// As for [`PartWriter::backward`].
    pub unsafe fn inputs(&self, part: &Part<F>, first: usize, x: &[F]) {
        with_scratch(x.len() / part.a.k * part.r(), |u| {
            part.down(x, u);
            // SAFETY: the caller's.
            unsafe { self.u.write(first, u) };
        });
    }
}

simd! {
    fn scale(x: &mut [F], factor: F) {
        for x in x {
            *x = *x * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::finite::{check, dot, random};
    use crate::ops::linear::add_weight_grads;

    #[test]
    fn gradient() {
        let (rows, inputs, out, r, width, first, scale) = (5, 7, 34, 3, 40, 4, 0.7);
        let (x, a, b) = (random(rows * inputs, 1), random(r * inputs, 2), random(out * r, 3));
        let dy = random(rows * width, 4);
        let part = |a: &[f64], b: &[f64]| {
            let places = (0..a.len(), a.len()..a.len() + b.len());
            [Part::new(first..first + out, scale, r, places, &[a, b].concat())]
        };
        let run = |x: &[f64], a: &[f64], b: &[f64]| {
            let mut y = vec![0.0; rows * width];
            forward(&part(a, b), x, &mut y, width);
            y
        };
        let [part] = part(&a, &b);
        let (mut columns, mut x_columns) = (PartColumns::default(), Columns::default());
        let mut dx = vec![0.0; x.len()];
        let writer = columns.prepare(&part, rows);
        // SAFETY: one thread.
        unsafe {
            writer.backward(&part, 0, &dy, width, &mut dx);
            writer.inputs(&part, 0, &x);
            x_columns.prepare(Side::Right, inputs, rows, Precision::F32).write(0, &x);
        }
        let (mut da, mut db) = (vec![0.0; a.len()], vec![0.0; b.len()]);
        add_weight_grads(&columns.grads(&x_columns, Shared::new(&mut da), Shared::new(&mut db)));
        check("dx", &x, &dx, |x| dot(&run(x, &a, &b), &dy));
        check("da", &a, &da, |a| dot(&run(&x, a, &b), &dy));
        check("db", &b, &db, |b| dot(&run(&x, &a, b), &dy));
    }

    #[test]
    fn no_rows() {
        let part = Part::new(4..6, 1.0, 1, (0..3, 3..5), &[1.0; 5]);
        forward(&[part], &[], &mut [], 6);
    }
}
