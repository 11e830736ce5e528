//! Rotary position embedding (arXiv 2104.09864) in Hugging Face's layout: dimension `i` is rotated with `i + head_dim / 2`.
//!
//! Frequencies and their scaling follow `transformers/modeling_rope_utils.py`.

use std::f64::consts::PI;

use crate::real::Real;
use crate::simd::simd;
use crate::{ModelConfig, Rope, RopeScaling};

/// Inverse frequencies, `[head_dim / 2]`, and the factor on cosines and sines.
pub fn frequencies(rope: &Rope, head_dim: usize) -> (Vec<f64>, f64) {
    let half = head_dim / 2;
    let plain = |i: usize| rope.theta.powf(-2.0 * i as f64 / head_dim as f64);
    let plain: Vec<f64> = (0..half).map(plain).collect();
    match rope.scaling {
        RopeScaling::None => (plain, 1.0),
        RopeScaling::Linear { factor } => (plain.iter().map(|f| f / factor).collect(), 1.0),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
            let context = original_max_position_embeddings as f64;
            let scale = |&f: &f64| {
                let wavelength = 2.0 * PI / f;
                if wavelength < context / high_freq_factor {
                    f
                } else if wavelength > context / low_freq_factor {
                    f / factor
                } else {
                    let keep = (context / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - keep) * f / factor + keep * f
                }
            };
            (plain.iter().map(scale).collect(), 1.0)
        }
        RopeScaling::Yarn {
            factor,
            original_max_position_embeddings,
            beta_fast,
            beta_slow,
            attention_factor,
            mscale,
            mscale_all_dim,
            truncate,
        } => {
            let context = original_max_position_embeddings as f64;
            let dim = head_dim as f64;
            // The dimension that makes this number of rotations within the original context.
            let dimension = |rotations: f64| dim * (context / (rotations * 2.0 * PI)).ln() / (2.0 * rope.theta.ln());
            let (mut low, mut high) = (dimension(beta_fast), dimension(beta_slow));
            if truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
            if low == high {
                high += 0.001;
            }
            let blend = |(i, f): (usize, &f64)| {
                let stretched = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                stretched * f / factor + (1.0 - stretched) * f
            };
            let magnitude = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
            let attention = attention_factor.unwrap_or(match (mscale, mscale_all_dim) {
                (Some(m), Some(all)) if m != 0.0 && all != 0.0 => magnitude(m) / magnitude(all),
                _ => magnitude(1.0),
            });
            (plain.iter().enumerate().map(blend).collect(), attention)
        }
    }
}

/// Cosines and sines for positions `0..len`.
#[derive(Debug, Default)]
pub struct Table<F> {
    half: usize,
    len: usize,
    values: Vec<F>,
}

impl<F: Real> Table<F> {
    /// For positions `0..len`. Frequencies and angles are rounded to `f32`, as `transformers` does.
    pub fn new(config: &ModelConfig, len: usize) -> Self {
        let (frequencies, factor) = frequencies(&config.rope, config.head_dim);
        let half = frequencies.len();
        let mut values = Vec::with_capacity(len * 2 * half);
        for position in 0..len {
            let angle = |f: &f64| f64::from(*f as f32 * position as f32);
            values.extend(frequencies.iter().map(|f| F::from_f64(angle(f).cos() * factor)));
            values.extend(frequencies.iter().map(|f| F::from_f64(angle(f).sin() * factor)));
        }
        Table { half, len, values }
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Cosines and, after them, sines at `position`: `[2][head_dim / 2]`.
    pub fn at(&self, position: usize) -> &[F] {
        let width = 2 * self.half;
        &self.values[position * width..(position + 1) * width]
    }
}

simd! {
    /// Rotates each head of `heads` (a row of heads of `angles.len()`) in place.
    pub fn forward(heads: &mut [F], angles: &[F]) {
        let half = angles.len() / 2;
        let (cos, sin) = angles.split_at(half);
        for head in heads.chunks_exact_mut(2 * half) {
            let (x, y) = head.split_at_mut(half);
            for (((x, y), c), s) in x.iter_mut().zip(y).zip(cos).zip(sin) {
                let (a, b) = (*x, *y);
                *x = a.fma::<FMA>(*c, -(b * *s));
                *y = b.fma::<FMA>(*c, a * *s);
            }
        }
    }

    /// The gradient before [`forward`], given the one after it: the rotation transposed.
    pub fn backward(heads: &mut [F], angles: &[F]) {
        let half = angles.len() / 2;
        let (cos, sin) = angles.split_at(half);
        for head in heads.chunks_exact_mut(2 * half) {
            let (x, y) = head.split_at_mut(half);
            for (((x, y), c), s) in x.iter_mut().zip(y).zip(cos).zip(sin) {
                let (a, b) = (*x, *y);
                *x = a.fma::<FMA>(*c, b * *s);
                *y = b.fma::<FMA>(*c, -(a * *s));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::finite::{check, dot, random};

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1e-9), "{a} is not {b}");
    }

    #[test]
    fn gradient() {
        let (dim, heads) = (10, 3);
        let (x, a, angles) = (random(heads * dim, 1), random(heads * dim, 2), random(dim, 3));
        let run = |x: &[f64]| {
            let mut y = x.to_vec();
            forward(&mut y, &angles);
            y
        };
        let mut dx = a.clone();
        backward(&mut dx, &angles);
        check("dx", &x, &dx, |x| dot(&run(x), &a));
    }

    #[test]
    fn a_half_is_rotated_with_the_other() {
        let mut x = [1.0f64, 2.0, 3.0, 4.0];
        forward(&mut x, &[0.0, 1.0, 1.0, 0.0]);
        assert_eq!(x, [-3.0, 2.0, 1.0, 4.0]);
    }

    #[test]
    fn linear_divides_all_frequencies() {
        let rope = Rope { theta: 100.0, scaling: RopeScaling::Linear { factor: 4.0 } };
        let (frequencies, factor) = frequencies(&rope, 4);
        close(frequencies[0], 0.25);
        close(frequencies[1], 0.025);
        assert_eq!(factor, 1.0);
    }

    /// Wavelengths 2 pi, 2 pi sqrt(theta): the first is kept, the second stretched, a middle one blended.
    #[test]
    fn llama3_keeps_high_and_stretches_low_frequencies() {
        let scaling = |original| RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: original,
        };
        let at = |original| frequencies(&Rope { theta: 1e4, scaling: scaling(original) }, 4).0;
        assert_eq!(at(100)[0], 1.0);
        close(at(100)[1], 0.01 / 8.0);
        let keep = (1000.0 / (200.0 * PI) - 1.0) / 3.0;
        close(at(1000)[1], (1.0 - keep) * 0.01 / 8.0 + keep * 0.01);
    }

    #[test]
    fn yarn_blends_between_whole_dimensions() {
        let scaling = |attention_factor, mscale, mscale_all_dim| RopeScaling::Yarn {
            factor: 4.0,
            original_max_position_embeddings: 64,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor,
            mscale,
            mscale_all_dim,
            truncate: true,
        };
        let rope = |scaling| Rope { theta: 100.0, scaling };
        let (frequencies_found, factor) = frequencies(&rope(scaling(None, None, None)), 8);
        // Dimensions of 32 and 1 rotations: 8 ln(64 / (2 pi 32)) / (2 ln 100) < 0 and 8 ln(64 / 2 pi) / (2 ln 100) = 2.016.
        for (i, f) in frequencies_found.iter().enumerate() {
            let plain = 100f64.powf(-(i as f64) / 4.0);
            let stretched = (i as f64 / 3.0).min(1.0);
            close(*f, plain * (stretched / 4.0 + 1.0 - stretched));
        }
        close(factor, 0.1 * 4f64.ln() + 1.0);
        assert_eq!(frequencies(&rope(scaling(Some(0.7), None, None)), 8).1, 0.7);
        let ratio = (0.2 * 4f64.ln() + 1.0) / (0.1 * 4f64.ln() + 1.0);
        close(frequencies(&rope(scaling(None, Some(2.0), Some(1.0))), 8).1, ratio);
    }
}
