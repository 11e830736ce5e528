//! RMSNorm (arXiv 1910.07467): `y = w x / sqrt(mean(x^2) + eps)`.

use super::reduce::{dot, dot3};
use crate::simd::simd;

simd! {
    /// Normalises each row of `x` (rows of `w.len()`) into `y`; `inverse` gets `1 / sqrt(mean(x^2) + eps)` of each row.
    pub fn forward(x: &[F], w: &[F], eps: F, y: &mut [F], inverse: &mut [F]) {
        let d = w.len();
        let scale = F::ONE / F::from_f64(d as f64);
        for ((x, y), inverse) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(inverse) {
            let inv = F::ONE / (dot::<F, FMA>(x, x).fma::<FMA>(scale, eps)).sqrt();
            *inverse = inv;
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = *x * inv * *w;
            }
        }
    }

    /// `y` again, from what [`forward`] returned.
    pub fn again(x: &[F], w: &[F], inverse: &[F], y: &mut [F]) {
        let d = w.len();
        for ((x, y), inv) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)).zip(inverse) {
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = *x * *inv * *w;
            }
        }
    }

    /// Adds to `dx` the gradient of `x` and to `dw` that of `w`, given that of `y`, for each row:
    /// `dx_i += inv w_i dy_i - x_i inv^3 / d sum_j w_j dy_j x_j` and `dw_i += dy_i x_i inv`.
    pub fn backward(x: &[F], w: &[F], inverse: &[F], dy: &[F], dx: &mut [F], dw: &mut [F]) {
        let d = w.len();
        let dw = &mut dw[..d];
        let scale = F::ONE / F::from_f64(d as f64);
        let rows = x.chunks_exact(d).zip(dy.chunks_exact(d)).zip(dx.chunks_exact_mut(d)).zip(inverse);
        for (((x, dy), dx), inv) in rows {
            let inv = *inv;
            let c = -(dot3::<F, FMA>(w, dy, x) * inv * inv * inv * scale);
            for i in 0..d {
                let g = dy[i] * inv;
                dx[i] = g.fma::<FMA>(w[i], c.fma::<FMA>(x[i], dx[i]));
                dw[i] = g.fma::<FMA>(x[i], dw[i]);
            }
        }
    }

    /// Adds the rows of `partial` (rows of `sum.len()`) to `sum`, in order.
    pub fn add_rows(partial: &[F], sum: &mut [F]) {
        for row in partial.chunks_exact(sum.len()) {
            for (sum, x) in sum.iter_mut().zip(row) {
                *sum += *x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let (rows, d, eps) = (3, 21, 0.01);
        let (x, w, a) = (random(rows * d, 1), random(d, 2), random(rows * d, 3));
        let run = |x: &[f64], w: &[f64]| {
            let (mut y, mut inverse) = (vec![0.0; rows * d], vec![0.0; rows]);
            forward(x, w, eps, &mut y, &mut inverse);
            (y, inverse)
        };
        let (y, inverse) = run(&x, &w);
        let mut copy = vec![0.0; rows * d];
        again(&x, &w, &inverse, &mut copy);
        assert_eq!(y, copy);
        let (mut dx, mut dw) = (vec![0.0; rows * d], vec![0.0; d]);
        backward(&x, &w, &inverse, &a, &mut dx, &mut dw);
        check("dx", &x, &dx, |x| dot(&run(x, &w).0, &a));
        check("dw", &w, &dw, |w| dot(&run(&x, w).0, &a));
    }

    #[test]
    fn hand_computed() {
        let (mut y, mut inverse) = ([0.0f32; 2], [0.0; 1]);
        forward(&[3.0, 4.0], &[1.0, 2.0], 12.5, &mut y, &mut inverse);
        assert_eq!((y, inverse), ([0.6, 1.6], [0.2]));
    }
}
