//! Operations on rows, each with its backward beside it.

pub mod attention;
pub mod attention_backward;
pub mod embedding;
pub mod head;
pub mod linear;
pub mod lora;
pub mod reduce;
pub mod rmsnorm;
pub mod rope;
pub mod rows;
pub mod swiglu;

#[cfg(test)]
pub(crate) mod finite {
    //! Central finite differences in f64.

    use crate::rng::Key;

    /// Random numbers.
    pub fn random(n: usize, seed: u64) -> Vec<f64> {
        (0..n).map(|i| Key::new(seed).fold(i as u64).normal()).collect()
    }

    /// `sum_i a_i b_i`.
    pub fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// Asserts that `analytic` is the gradient of `f` at `x`.
    pub fn check(name: &str, x: &[f64], analytic: &[f64], f: impl Fn(&[f64]) -> f64) {
        assert_eq!(x.len(), analytic.len());
        let mut x = x.to_vec();
        for i in 0..x.len() {
            let (at, h) = (x[i], 1e-5);
            x[i] = at + h;
            let above = f(&x);
            x[i] = at - h;
            let below = f(&x);
            x[i] = at;
            let numeric = (above - below) / (2.0 * h);
            let error = (numeric - analytic[i]).abs() / (1.0 + numeric.abs());
            assert!(error < 1e-7, "{name}[{i}]: {} is not {numeric}", analytic[i]);
        }
    }
}
