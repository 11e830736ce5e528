//! Linear layers.

use super::approx::{Approx, Sum, dot, exact};
use super::case::Case;
use crate::device::{Device, Matrix};

/// Products of a case.
const MOST: usize = 1 << 19;

/// Rows, inputs and outputs of a linear layer.
#[derive(Clone, Copy, Debug)]
struct Shape {
    t: usize,
    inputs: usize,
    out: usize,
}

impl Shape {
    fn draw(case: &mut Case) -> Self {
        // A long inner dimension, in turn that of the forward, of the input's and of the weight's gradient.
        let mut shape = Shape { t: case.rows(130), inputs: case.size(130), out: case.size(200) };
        match (case.index % 16, case.below(3)) {
            (15, 0) => shape.inputs = 520 + case.below(600),
            (15, 1) => shape.out = 520 + case.below(600),
            (15, _) => shape.t = 520 + case.below(600),
            _ => {}
        }
        while shape.t * shape.inputs * shape.out > MOST {
            let longest = shape.t.max(shape.inputs).max(shape.out);
            let middle = shape.t + shape.inputs + shape.out - longest - shape.t.min(shape.inputs).min(shape.out);
            for side in [&mut shape.t, &mut shape.inputs, &mut shape.out] {
                if *side == middle {
                    *side = 1 + *side / 2;
                }
            }
        }
        shape
    }
}

/// `y = residual + x W^T + bias`.
fn reference(
    shape: Shape,
    x: &[Approx],
    w: &[Approx],
    bias: Option<&[Approx]>,
    residual: Option<&[Approx]>,
) -> Vec<Approx> {
    let Shape { t, inputs, out } = shape;
    let mut y = Vec::new();
    for row in 0..t {
        for column in 0..out {
            let mut sum: Sum = (0..inputs).map(|i| x[row * inputs + i] * w[column * inputs + i]).collect();
            if let Some(bias) = bias {
                sum.add(bias[column]);
            }
            if let Some(residual) = residual {
                sum.add(residual[row * out + column]);
            }
            y.push(sum.total());
        }
    }
    y
}

/// `dx = dy W`, `dW = dy^T x`, `dbias = sum_t dy`.
fn reference_backward(shape: Shape, x: &[Approx], w: &[Approx], dy: &[Approx]) -> [Vec<Approx>; 3] {
    let Shape { t, inputs, out } = shape;
    let [mut dx, mut dw, mut db] = [const { Vec::new() }; 3];
    for row in 0..t {
        for i in 0..inputs {
            dx.push(dot((0..out).map(|o| (dy[row * out + o], w[o * inputs + i]))));
        }
    }
    for o in 0..out {
        for i in 0..inputs {
            dw.push(dot((0..t).map(|row| (dy[row * out + o], x[row * inputs + i]))));
        }
        db.push((0..t).map(|row| dy[row * out + o]).collect::<Sum>().total());
    }
    [dx, dw, db]
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    let shape = Shape::draw(case);
    let Shape { t, inputs, out } = shape;
    let (x, w) = (case.values(t * inputs), case.values(out * inputs));
    let bias = case.once_in(2).then(|| case.values(out));
    let residual = case.once_in(2).then(|| case.values(t * out));
    let [with_bias, with_residual] = [bias.is_some(), residual.is_some()];
    case.describe(format!("T={t} in={inputs} out={out} bias={with_bias} residual={with_residual}"));
    let expected = reference(
        shape,
        &exact(&x),
        &exact(&w),
        bias.as_deref().map(exact).as_deref(),
        residual.as_deref().map(exact).as_deref(),
    );
    let weight = Matrix { out, inputs, values: &w };
    case.check("y", &[t, out], &device.linear(&x, &weight, bias.as_deref(), residual.as_deref()), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    let shape = Shape::draw(case);
    let Shape { t, inputs, out } = shape;
    let (x, w, dy) = (case.values(t * inputs), case.values(out * inputs), case.values(t * out));
    case.describe(format!("T={t} in={inputs} out={out}"));
    let [dx, dw, db] = reference_backward(shape, &exact(&x), &exact(&w), &exact(&dy));
    let found = device.linear_backward(&x, &Matrix { out, inputs, values: &w }, &dy);
    case.check("dx", &[t, inputs], &found.dx, &dx);
    case.check("dweight", &[out, inputs], &found.dweight, &dw);
    case.check("dbias", &[out], &found.dbias, &db);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let shape = Shape { t: 3, inputs: 4, out: 5 };
        let (x, w, b, dy) = (random(12, 1), random(20, 2), random(5, 3), random(15, 4));
        let run = |x: &[Approx], w: &[Approx], b: &[Approx]| dot(&reference(shape, x, w, Some(b), None), &dy);
        let [dx, dw, db] = reference_backward(shape, &x, &w, &dy);
        check("dx", &x, &dx, |x| run(x, &w, &b));
        check("dw", &w, &dw, |w| run(&x, w, &b));
        check("db", &b, &db, |b| run(&x, &w, b));
    }
}
