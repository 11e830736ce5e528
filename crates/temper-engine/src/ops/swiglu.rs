//! SwiGLU (arXiv 2002.05202): `y = silu(gate) up` with `silu(x) = x / (1 + exp(-x))`.

use crate::simd::simd;

simd! {
    /// Rows of `gate_up` are `[gate, up]`, each of `width`; rows of `y` are of `width`.
    pub fn forward(gate_up: &[F], width: usize, y: &mut [F]) {
        for (row, y) in gate_up.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
                *y = *g / (F::ONE + (-*g).exp::<FMA>()) * *u;
            }
        }
    }

    /// `dgate_up` gets the gradients of gate and up, given that of `y`, and `y` itself is computed again.
    pub fn backward(gate_up: &[F], width: usize, dy: &[F], dgate_up: &mut [F], y: &mut [F]) {
        let rows = gate_up.chunks_exact(2 * width).zip(dgate_up.chunks_exact_mut(2 * width));
        for (((row, drow), dy), y) in rows.zip(dy.chunks_exact(width)).zip(y.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            let (dgate, dup) = drow.split_at_mut(width);
            let (up, dy, dgate, dup, y) = (&up[..width], &dy[..width], &mut dgate[..width], &mut dup[..width], &mut y[..width]);
            for (i, g) in gate.iter().enumerate() {
                let g = *g;
                let sigmoid = F::ONE / (F::ONE + (-g).exp::<FMA>());
                let silu = g * sigmoid;
                y[i] = silu * up[i];
                dup[i] = dy[i] * silu;
                dgate[i] = dy[i] * up[i] * sigmoid * g.fma::<FMA>(F::ONE - sigmoid, F::ONE);
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
        let (rows, width) = (2, 19);
        let (x, a) = (random(rows * 2 * width, 1), random(rows * width, 2));
        let run = |x: &[f64]| {
            let mut y = vec![0.0; rows * width];
            forward(x, width, &mut y);
            y
        };
        let (mut dx, mut y) = (vec![0.0; x.len()], vec![0.0; rows * width]);
        backward(&x, width, &a, &mut dx, &mut y);
        check("dgate_up", &x, &dx, |x| dot(&run(x), &a));
        for (y, again) in run(&x).iter().zip(&y) {
            assert!((y - again).abs() < 1e-14);
        }
    }

    #[test]
    fn large_gates_saturate() {
        let mut y = [0.0f32; 3];
        forward(&[-200.0, 200.0, 0.0, 2.0, 2.0, 2.0], 3, &mut y);
        assert!(y[0] == 0.0 || y[0].abs() < 1e-30);
        assert_eq!((y[1], y[2]), (400.0, 0.0));
    }
}
