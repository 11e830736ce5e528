//! Linear layers, with weights in each format.

use super::approx::{Approx, Sum, dot, exact};
use super::case::Case;
use super::format::{Format, operands, weights};
use crate::Precision;
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

/// `dx = dy W`.
fn reference_input(shape: Shape, dy: &[Approx], w: &[Approx]) -> Vec<Approx> {
    let Shape { t, inputs, out } = shape;
    let mut dx = Vec::new();
    for row in 0..t {
        for i in 0..inputs {
            dx.push(dot((0..out).map(|o| (dy[row * out + o], w[o * inputs + i]))));
        }
    }
    dx
}

/// `dW = dy^T x`.
fn reference_weight(shape: Shape, x: &[Approx], dy: &[Approx]) -> Vec<Approx> {
    let Shape { t, inputs, out } = shape;
    let mut dw = Vec::new();
    for o in 0..out {
        for i in 0..inputs {
            dw.push(dot((0..t).map(|row| (dy[row * out + o], x[row * inputs + i]))));
        }
    }
    dw
}

/// `dbias = sum_t dy`.
fn reference_bias(shape: Shape, dy: &[Approx]) -> Vec<Approx> {
    let Shape { t, out, .. } = shape;
    (0..out).map(|o| (0..t).map(|row| dy[row * out + o]).collect::<Sum>().total()).collect()
}

pub fn forward(device: &dyn Device, case: &mut Case, format: Format) {
    let (shape, precision) = (Shape::draw(case), format.precision(case));
    let Shape { t, inputs, out } = shape;
    let (x, w) = (case.values(t * inputs), case.values(out * inputs));
    let bias = case.once_in(2).then(|| case.values(out));
    let residual = case.once_in(2).then(|| case.values(t * out));
    let [with_bias, with_residual] = [bias.is_some(), residual.is_some()];
    case.describe(format!(
        "T={t} in={inputs} out={out} bias={with_bias} residual={with_residual} products={precision} weight={format:?}"
    ));
    let weight = Matrix { out, inputs, values: &w, frozen: format.frozen() };
    let values = [&bias, &residual].map(|values| values.as_deref().map(exact));
    let [bias_values, residual_values] = values.each_ref().map(Option::as_deref);
    let expected =
        reference(shape, &operands(&exact(&x), precision), &weights(&weight, precision), bias_values, residual_values);
    let found = device.linear(&x, &weight, bias.as_deref(), residual.as_deref(), precision);
    case.check("y", &[t, out], &found, &expected);
}

pub fn backward_input(device: &dyn Device, case: &mut Case, format: Format) {
    let (shape, precision) = (Shape::draw(case), format.precision(case));
    let Shape { t, inputs, out } = shape;
    let (w, dy) = (case.values(out * inputs), case.values(t * out));
    case.describe(format!("T={t} in={inputs} out={out} products={precision} weight={format:?}"));
    let weight = Matrix { out, inputs, values: &w, frozen: format.frozen() };
    let expected = reference_input(shape, &operands(&exact(&dy), precision), &weights(&weight, precision));
    case.check("dx", &[t, inputs], &device.linear_backward_input(&dy, &weight, precision), &expected);
}

pub fn backward_weight(device: &dyn Device, case: &mut Case, precision: Precision) {
    let shape = Shape::draw(case);
    let Shape { t, inputs, out } = shape;
    let (x, dy) = (case.values(t * inputs), case.values(t * out));
    case.describe(format!("T={t} in={inputs} out={out} products={precision}"));
    let exact_dy = exact(&dy);
    let rounded = operands(&exact_dy, precision);
    let dw = reference_weight(shape, &operands(&exact(&x), precision), &rounded);
    let rounded_or_not = exact_dy.iter().zip(&rounded).map(|(x, y)| Approx::hull(*x, *y));
    let db = reference_bias(shape, &rounded_or_not.collect::<Vec<_>>());
    let found = device.linear_backward_weight(&x, inputs, &dy, out, precision);
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
        check("dx", &x, &reference_input(shape, &dy, &w), |x| run(x, &w, &b));
        check("dw", &w, &reference_weight(shape, &x, &dy), |w| run(&x, w, &b));
        check("db", &b, &reference_bias(shape, &dy), |b| run(&x, &w, b));
    }
}
