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
