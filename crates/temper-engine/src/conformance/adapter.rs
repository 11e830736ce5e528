//! Low-rank adapters.

use super::approx::{Approx, dot, exact};
use super::case::Case;
use crate::device::{Device, LowRank};

/// Sizes of a case, and where the adapter sits in a wider result.
#[derive(Clone, Copy, Debug)]
struct Shape {
    t: usize,
    inputs: usize,
    out: usize,
    r: usize,
    width: usize,
    first: usize,
}

/// `scale (x A^T)`, `[T, r]`.
fn down(shape: Shape, x: &[Approx], a: &[Approx], scale: Approx) -> Vec<Approx> {
    let Shape { t, inputs, r, .. } = shape;
    let mut u = Vec::new();
    for row in 0..t {
        for k in 0..r {
            u.push(dot((0..inputs).map(|i| (x[row * inputs + i], a[k * inputs + i]))) * scale);
        }
    }
    u
}

fn reference(shape: Shape, x: &[Approx], a: &[Approx], b: &[Approx], scale: Approx, y: &[Approx]) -> Vec<Approx> {
    let Shape { t, out, r, width, first, .. } = shape;
    let u = down(shape, x, a, scale);
    let mut y = y.to_vec();
    for row in 0..t {
        for o in 0..out {
            let products = (0..r).map(|k| (u[row * r + k], b[o * r + k]));
            let before = (y[row * width + first + o], Approx { value: 1.0, error: 0.0 });
            y[row * width + first + o] = dot(products.chain([before]));
        }
    }
    y
}

/// With `u = scale x A^T` and `du = scale dy B`: `dx = du A`, `dA = du^T x`, `dB = dy^T u`.
fn reference_backward(
    shape: Shape,
    x: &[Approx],
    a: &[Approx],
    b: &[Approx],
    scale: Approx,
    dy: &[Approx],
) -> [Vec<Approx>; 3] {
    let Shape { t, inputs, out, r, width, first } = shape;
    let u = down(shape, x, a, scale);
    let dy = |row: usize, o: usize| dy[row * width + first + o];
    let mut du = Vec::new();
    for row in 0..t {
        du.extend((0..r).map(|k| dot((0..out).map(|o| (dy(row, o), b[o * r + k]))) * scale));
    }
    let [mut dx, mut da, mut db] = [const { Vec::new() }; 3];
    for row in 0..t {
        dx.extend((0..inputs).map(|i| dot((0..r).map(|k| (du[row * r + k], a[k * inputs + i])))));
    }
    for k in 0..r {
        da.extend((0..inputs).map(|i| dot((0..t).map(|row| (du[row * r + k], x[row * inputs + i])))));
    }
    for o in 0..out {
        db.extend((0..r).map(|k| dot((0..t).map(|row| (dy(row, o), u[row * r + k])))));
    }
    [dx, da, db]
}

/// What a case owns.
struct Drawn {
    shape: Shape,
    scale: f32,
    x: Vec<f32>,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Drawn {
    fn new(case: &mut Case) -> Self {
        let long = case.index % 16 == 15;
        let (t, inputs, out) = (case.rows(if long { 700 } else { 130 }), case.size(97), case.size(97));
        let r = case.choose(&[1, 2, 3, 4, 8, 15, 16, 17, 33]);
        let (first, after) = if case.once_in(2) { (0, 0) } else { (case.below(50), case.below(50)) };
        let shape = Shape { t, inputs, out, r, width: first + out + after, first };
        let scale = case.choose(&[1.0, 2.0, 0.3]);
        case.describe(format!("T={t} in={inputs} out={out} r={r} scale={scale} columns {first}.. of {}", shape.width));
        Drawn { shape, scale, x: case.values(t * inputs), a: case.values(r * inputs), b: case.values(out * r) }
    }

    fn adapter(&self) -> LowRank<'_> {
        let Shape { inputs, out, r, width, first, .. } = self.shape;
        LowRank { r, inputs, out, a: &self.a, b: &self.b, scale: self.scale, width, first }
    }
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    let drawn = Drawn::new(case);
    let (shape, scale) = (drawn.shape, Approx::exact(drawn.scale));
    let y = case.values(shape.t * shape.width);
    let expected = reference(shape, &exact(&drawn.x), &exact(&drawn.a), &exact(&drawn.b), scale, &exact(&y));
    case.check("y", &[shape.t, shape.width], &device.adapter(&drawn.x, &drawn.adapter(), &y), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    let drawn = Drawn::new(case);
    let (shape, scale) = (drawn.shape, Approx::exact(drawn.scale));
    let dy = case.values(shape.t * shape.width);
    let [dx, da, db] =
        reference_backward(shape, &exact(&drawn.x), &exact(&drawn.a), &exact(&drawn.b), scale, &exact(&dy));
    let found = device.adapter_backward(&drawn.x, &drawn.adapter(), &dy);
    case.check("dx", &[shape.t, shape.inputs], &found.dx, &dx);
    case.check("da", &[shape.r, shape.inputs], &found.da, &da);
    case.check("db", &[shape.out, shape.r], &found.db, &db);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let shape = Shape { t: 3, inputs: 4, out: 5, r: 2, width: 8, first: 1 };
        let scale = Approx { value: 0.7, error: 0.0 };
        let (x, a, b, y, dy) = (random(12, 1), random(8, 2), random(10, 3), random(24, 4), random(24, 5));
        let run = |x: &[Approx], a: &[Approx], b: &[Approx]| dot(&reference(shape, x, a, b, scale, &y), &dy);
        let [dx, da, db] = reference_backward(shape, &x, &a, &b, scale, &dy);
        check("dx", &x, &dx, |x| run(x, &a, &b));
        check("da", &a, &da, |a| run(&x, a, &b));
        check("db", &b, &db, |b| run(&x, &a, b));
    }
}
