//! SwiGLU.

use super::approx::{Approx, ONE, exact};
use super::case::Case;
use crate::device::Device;

/// `1 / (1 + exp(-x))`.
fn sigmoid(x: Approx) -> Approx {
    if x.value > 0.0 {
        ONE / (ONE + (-x).exp())
    } else {
        let e = x.exp();
        e / (ONE + e)
    }
}

fn reference(gate_up: &[Approx], width: usize) -> Vec<Approx> {
    let mut y = Vec::new();
    for row in gate_up.chunks_exact(2 * width) {
        y.extend((0..width).map(|i| row[i] * sigmoid(row[i]) * row[width + i]));
    }
    y
}

/// With `s` the sigmoid of `gate`: `dgate = dy up s (1 + gate (1 - s))` and `dup = dy gate s`.
fn reference_backward(gate_up: &[Approx], width: usize, dy: &[Approx]) -> Vec<Approx> {
    let mut dgate_up = Vec::new();
    for (row, dy) in gate_up.chunks_exact(2 * width).zip(dy.chunks_exact(width)) {
        let (gate, up) = row.split_at(width);
        dgate_up.extend((0..width).map(|i| {
            let s = sigmoid(gate[i]);
            dy[i] * up[i] * s * (ONE + gate[i] * (ONE - s))
        }));
        dgate_up.extend((0..width).map(|i| dy[i] * (gate[i] * sigmoid(gate[i]))));
    }
    dgate_up
}

fn inputs(case: &mut Case) -> (usize, usize, Vec<f32>) {
    let (t, width) = (case.rows(50), case.size(if case.index % 16 == 15 { 900 } else { 97 }));
    case.describe(format!("T={t} width={width}"));
    (t, width, case.values(t * 2 * width))
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    let (t, width, gate_up) = inputs(case);
    let expected = reference(&exact(&gate_up), width);
    case.check("y", &[t, width], &device.swiglu(&gate_up, width), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    let (t, width, gate_up) = inputs(case);
    let dy = case.values(t * width);
    let expected = reference_backward(&exact(&gate_up), width, &exact(&dy));
    case.check("dgate_up", &[t, 2 * width], &device.swiglu_backward(&gate_up, width, &dy), &expected);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let (x, dy) = (random(20, 1), random(10, 2));
        check("dgate_up", &x, &reference_backward(&x, 5, &dy), |x| dot(&reference(x, 5), &dy));
    }

    #[test]
    fn saturates() {
        let inputs = exact(&[-900.0, 900.0, 1.0, 1.0]);
        let y = reference(&inputs, 2);
        assert!(y[0].value == 0.0 && y[0].error < 1e-30 && (y[1].value - 900.0).abs() < 1e-9);
    }
}
