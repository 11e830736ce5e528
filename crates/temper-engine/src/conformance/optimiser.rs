//! AdamW and the norm of the gradients.

use super::approx::{Approx, exact};
use super::case::Case;
use super::failure::Problem;
use crate::device::{AdamWState, AdamWStep, Device};
use crate::{AdamWConfig, Moments};

/// Euclidean norm.
fn norm(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// Parameters and moments after a step. Factors that do not depend on the element are computed in `f64` and rounded once.
fn reference(step: &AdamWStep, grads: &[f32], before: &AdamWState) -> [Vec<Approx>; 3] {
    let AdamWConfig { beta1, beta2, eps, weight_decay, .. } = step.config;
    let clip = step.max_grad_norm.map_or(1.0, |most| (most / (norm(grads) + 1e-6)).min(1.0));
    let decays = step.tensors.iter().flat_map(|(len, decays)| std::iter::repeat_n(*decays, *len));
    let c = Approx::constant;
    let size = c(step.lr / (1.0 - beta1.powf(step.step as f64)));
    let correction = c(1.0 / (1.0 - beta2.powf(step.step as f64)).sqrt());
    let elements = exact(grads).into_iter().zip(exact(&before.params)).zip(exact(&before.m)).zip(exact(&before.v));
    let [mut params, mut first, mut second] = [const { Vec::new() }; 3];
    for ((((g, p), m), v), decays) in elements.zip(decays) {
        let g = g * c(clip);
        let m = c(beta1) * m + c(1.0 - beta1) * g;
        let v = c(beta2) * v + c(1.0 - beta2) * (g * g);
        let keep = c(if decays { 1.0 - step.lr * weight_decay } else { 1.0 });
        params.push(p * keep - size * m / (v.sqrt() * correction + c(eps)));
        first.push(m);
        second.push(v);
    }
    [params, first, second]
}

pub fn adamw(device: &dyn Device, case: &mut Case) {
    let count = case.below(7);
    let mut most = if case.index % 16 == 15 { 80_000 } else { 400 };
    let mut tensors = Vec::new();
    for _ in 0..count {
        tensors.push((case.rows(most), case.once_in(2)));
        most = 400;
    }
    let n = tensors.iter().map(|(len, _)| len).sum();
    let config = AdamWConfig {
        beta1: case.choose(&[0.9, 0.8, 0.0]),
        beta2: case.choose(&[0.999, 0.95]),
        eps: case.choose(&[1e-8, 1e-6]),
        weight_decay: case.choose(&[0.0, 0.1, 0.1]),
        moments: Moments::F32,
    };
    let step = case.choose(&[1, 2, 10, 100_000]);
    let lr = case.choose(&[1e-5, 0.01, 0.01, 0.1, 0.0]);
    let (grads, params) = (case.values(n), case.values(n));
    let (m, v) = match step {
        1 => (vec![0.0; n], vec![0.0; n]),
        _ => (case.values(n), case.values(n).iter().map(|x| x * x).collect()),
    };
    let max_grad_norm = match case.below(3) {
        0 => None,
        1 => Some(0.5 * norm(&grads) + 1e-3),
        _ => Some(2.0 * norm(&grads) + 1e-3),
    };
    case.describe(format!("tensors={tensors:?} step={step} lr={lr} max_grad_norm={max_grad_norm:?} {config:?}"));
    let step = AdamWStep { config, step, lr, max_grad_norm, tensors: &tensors };
    let before = AdamWState { params, m, v };
    let [params, m, v] = reference(&step, &grads, &before);
    let found = device.adamw(&step, &grads, &before);
    case.check("params", &[n], &found.params, &params);
    case.check("m", &[n], &found.m, &m);
    case.check("v", &[n], &found.v, &v);
}

/// The sum of squares may be off by `n` roundings in `f64` on each side, and denormal inputs may be read as zero.
pub fn grad_norm(device: &dyn Device, case: &mut Case) {
    let n = case.rows(if case.index % 16 == 15 { 100_000 } else { 300 });
    let mut grads = case.values(n);
    let bad = (n > 0 && case.once_in(8)).then(|| (case.below(n), case.choose(&[f32::NAN, f32::INFINITY])));
    case.describe(format!("n={n} not finite={bad:?}"));
    if let Some((at, value)) = bad {
        grads[at] = value;
    }
    let (found, expected) = (device.grad_norm(&grads), norm(&grads));
    let tolerance = 2.0 * (n + 2) as f64 * f64::EPSILON * expected + (n as f64).sqrt() * f64::from(f32::MIN_POSITIVE);
    let right = if bad.is_some() { !found.is_finite() } else { (found - expected).abs() <= tolerance };
    case.elements += 1;
    if !right {
        case.fail("norm", Problem::Value { element: vec![], found, expected, tolerance, outside: 1 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A first step from zero moments moves each parameter by `lr` against its gradient's sign, whatever the betas.
    #[test]
    fn first_step() {
        let config = AdamWConfig { beta1: 0.8, beta2: 0.95, eps: 0.0, weight_decay: 0.5, moments: Moments::F32 };
        let step = AdamWStep { config, step: 1, lr: 0.1, max_grad_norm: Some(1.0), tensors: &[(1, true), (1, false)] };
        let before = AdamWState { params: vec![2.0, 3.0], m: vec![0.0; 2], v: vec![0.0; 2] };
        let [params, m, v] = reference(&step, &[3.0, -4.0], &before);
        let close = |a: Approx, b: f64| assert!((a.value - b).abs() < 1e-6, "{a:?} is not {b}");
        close(params[0], 2.0 * 0.95 - 0.1);
        close(params[1], 3.0 + 0.1);
        close(m[1], -0.2 * 0.8);
        close(v[0], 0.05 * 0.36);
    }
}
