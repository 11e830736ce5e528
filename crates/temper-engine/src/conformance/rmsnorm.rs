//! RMSNorm.

use super::approx::{Approx, ONE, Sum, dot, exact};
use super::case::Case;
use crate::device::Device;

/// `1 / sqrt(mean(x^2) + eps)` of a row.
fn inverse_norm(x: &[Approx], eps: Approx) -> Approx {
    let mean = dot(x.iter().map(|x| (*x, *x))) * (ONE / Approx::constant(x.len() as f64));
    ONE / (mean + eps).sqrt()
}

fn reference(x: &[Approx], w: &[Approx], eps: Approx) -> Vec<Approx> {
    let mut y = Vec::new();
    for row in x.chunks_exact(w.len()) {
        let inverse = inverse_norm(row, eps);
        y.extend(row.iter().zip(w).map(|(x, w)| *x * inverse * *w));
    }
    y
}

/// `dx_i = inv w_i dy_i - x_i inv^3 / D sum_j w_j dy_j x_j` and `dw_i = sum_t dy_i x_i inv`.
fn reference_backward(x: &[Approx], w: &[Approx], eps: Approx, dy: &[Approx]) -> (Vec<Approx>, Vec<Approx>) {
    let d = w.len();
    let (mut dx, mut dw) = (Vec::new(), vec![Sum::default(); d]);
    for (x, dy) in x.chunks_exact(d).zip(dy.chunks_exact(d)) {
        let inverse = inverse_norm(x, eps);
        let along = dot((0..d).map(|j| (w[j] * dy[j], x[j])));
        let factor = along * inverse * inverse * inverse * (ONE / Approx::constant(d as f64));
        for i in 0..d {
            dx.push(inverse * w[i] * dy[i] - x[i] * factor);
            dw[i].add(dy[i] * x[i] * inverse);
        }
    }
    (dx, dw.iter().map(Sum::total).collect())
}

fn inputs(case: &mut Case) -> (usize, usize, f32, Vec<f32>, Vec<f32>) {
    let (d, t) = (case.size(if case.index % 16 == 15 { 1500 } else { 130 }), case.rows(97));
    let eps = case.choose(&[1e-6, 1e-5, 0.1]);
    case.describe(format!("T={t} D={d} eps={eps}"));
    (t, d, eps, case.values(t * d), case.values(d))
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    let (t, d, eps, x, w) = inputs(case);
    let expected = reference(&exact(&x), &exact(&w), Approx::exact(eps));
    case.check("y", &[t, d], &device.rmsnorm(&x, &w, eps), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    let (t, d, eps, x, w) = inputs(case);
    let dy = case.values(t * d);
    let (dx, dw) = reference_backward(&exact(&x), &exact(&w), Approx::exact(eps), &exact(&dy));
    let found = device.rmsnorm_backward(&x, &w, eps, &dy);
    case.check("dx", &[t, d], &found.dx, &dx);
    case.check("dweight", &[d], &found.dweight, &dw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let (x, w, dy, eps) = (random(15, 1), random(5, 2), random(15, 3), Approx::exact(0.01));
        let (dx, dw) = reference_backward(&x, &w, eps, &dy);
        check("dx", &x, &dx, |x| dot(&reference(x, &w, eps), &dy));
        check("dw", &w, &dw, |w| dot(&reference(&x, w, eps), &dy));
    }
}
