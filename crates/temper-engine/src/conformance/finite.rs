//! Central finite differences of the references' forward.

use super::approx::Approx;
use crate::Key;

/// Random inputs without error.
pub fn random(n: usize, seed: u64) -> Vec<Approx> {
    (0..n as u64).map(|i| Approx { value: Key::new(seed).fold(i).normal(), error: 0.0 }).collect()
}

/// `sum_i x_i y_i`.
pub fn dot(x: &[Approx], y: &[Approx]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x.value * y.value).sum()
}

/// Asserts that `analytic` is the gradient of `f` at `x`.
pub fn check(name: &str, x: &[Approx], analytic: &[Approx], f: impl Fn(&[Approx]) -> f64) {
    assert_eq!(x.len(), analytic.len());
    let mut x = x.to_vec();
    for i in 0..x.len() {
        let (at, h) = (x[i].value, 1e-5);
        x[i].value = at + h;
        let above = f(&x);
        x[i].value = at - h;
        let below = f(&x);
        x[i].value = at;
        let numeric = (above - below) / (2.0 * h);
        let error = (numeric - analytic[i].value).abs() / (1.0 + numeric.abs());
        assert!(error < 1e-7, "{name}[{i}]: {} is not {numeric}", analytic[i].value);
    }
}
