//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) with clipping of the global gradient norm, as in PyTorch.

mod dynamic;
mod file;
mod state;

use std::path::Path;

use rayon::prelude::*;

use crate::simd::simd;
use crate::{EngineError, Grads, Model, TensorInfo};
pub use state::Moments;
use state::{Codes, Moment, for_each_block};

/// Parameters that one thread updates at a time; a multiple of a block of 8-bit moments.
const CHUNK: usize = 1 << 15;

/// Constants of AdamW. Weight decay is decoupled and not applied to norms and biases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// Weight decay per unit of learning rate.
    pub weight_decay: f64,
    /// How the moments are held.
    pub moments: Moments,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        AdamWConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, moments: Moments::F32 }
    }
}

/// The optimiser's state for one model: [`Moments::bytes`] for what the model trains, 8 bytes per trained parameter in f32
/// and about 2 in 8 bits. A step needs a few kilobytes per thread beside it.
#[derive(Clone, Debug)]
pub struct AdamW {
    config: AdamWConfig,
    step: u64,
    m: Moment,
    v: Moment,
}

/// The moments of a run of parameters.
enum Run<'a> {
    F32(&'a mut [f32], &'a mut [f32]),
    EightBit(Codes<'a>, Codes<'a>),
}

/// What one update needs.
#[derive(Clone, Copy)]
struct Update<F> {
    /// Factor on the gradient from clipping.
    clip: F,
    beta1: F,
    beta2: F,
    /// 1 - beta1, 1 - beta2.
    rest1: F,
    rest2: F,
    /// Learning rate over the first moment's bias correction.
    size: F,
    /// 1 / square root of the second moment's bias correction.
    correction: F,
    eps: F,
    /// 1 - learning rate times weight decay.
    keep: F,
}

impl AdamW {
    /// Zero moments for `model`.
    pub fn new(model: &Model, config: AdamWConfig) -> Self {
        let zero = || Moment::zero(model.trainable_tensors(), config.moments);
        AdamW { config, step: 0, m: zero(), v: zero() }
    }

    /// Number of steps made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// One step with learning rate `lr`. Gradients are scaled down to `max_grad_norm` if their norm is above it, by
    /// `max_grad_norm / (norm + 1e-6)` as `torch.nn.utils.clip_grad_norm_` does. Returns the norm before clipping.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] if a gradient is NaN or infinite; then nothing is changed.
    pub fn step(
        &mut self,
        model: &mut Model,
        grads: &Grads,
        lr: f64,
        max_grad_norm: Option<f64>,
    ) -> Result<f64, EngineError> {
        let norm = grads.norm();
        if !norm.is_finite() {
            let bad = |t: &&TensorInfo| grads.as_slice()[t.range.clone()].iter().any(|x| !x.is_finite());
            let tensor =
                model.trainable_tensors().iter().find(bad).map_or_else(|| "all of them".into(), |t| t.name.clone());
            return Err(EngineError::NotFinite { tensor });
        }
        let tensors = model.trainable_tensors().to_vec();
        self.update(&tensors, model.trainable_mut(), grads.as_slice(), norm, lr, max_grad_norm);
        Ok(norm)
    }

    /// The state after `step` steps, from f32 moments.
    pub(crate) fn with_moments(config: AdamWConfig, step: u64, m: Vec<f32>, v: Vec<f32>) -> Self {
        let moment = |values| Moment { values, ..Moment::default() };
        AdamW { config, step, m: moment(m), v: moment(v) }
    }

    /// The f32 moments.
    pub(crate) fn into_moments(self) -> [Vec<f32>; 2] {
        [self.m.values, self.v.values]
    }

    /// One step on parameters and finite gradients of this norm, both in the order of `tensors`.
    pub(crate) fn update(
        &mut self,
        tensors: &[TensorInfo],
        mut params: &mut [f32],
        grads: &[f32],
        norm: f64,
        lr: f64,
        max_grad_norm: Option<f64>,
    ) {
        self.step += 1;
        let AdamWConfig { beta1, beta2, eps, weight_decay, moments } = self.config;
        let steps = self.step.min(i32::MAX as u64) as i32;
        let update = Update {
            clip: max_grad_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0)) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            size: (lr / (1.0 - beta1.powi(steps))) as f32,
            correction: (1.0 / (1.0 - beta2.powi(steps)).sqrt()) as f32,
            eps: eps as f32,
            keep: 1.0,
        };
        let decayed = Update { keep: (1.0 - lr * weight_decay) as f32, ..update };
        let (mut m, mut v) = (self.m.parts(), self.v.parts());
        let mut jobs = Vec::new();
        for tensor in tensors {
            for start in tensor.range.clone().step_by(CHUNK) {
                let count = CHUNK.min(tensor.range.end - start);
                let run = if moments.quantises(tensor) {
                    Run::EightBit(m.next_codes(count), v.next_codes(count))
                } else {
                    Run::F32(m.next_values(count), v.next_values(count))
                };
                jobs.push((
                    params.split_off_mut(..count).unwrap_or_default(),
                    run,
                    &grads[start..start + count],
                    if tensor.decays() { decayed } else { update },
                ));
            }
        }
        jobs.into_par_iter().for_each(|(params, run, grads, update)| match run {
            Run::F32(m, v) => adamw(params, m, v, grads, update),
            Run::EightBit(m, v) => for_each_block(m, v, |block, m, v| {
                adamw(&mut params[block.clone()], m, v, &grads[block], update);
                // A scale must be finite.
                v.iter_mut().for_each(|v| *v = v.min(f32::MAX));
            }),
        });
    }

    /// Writes moments and step count as safetensors, beside `file` first and then renamed into place.
    ///
    /// # Errors
    /// [`EngineError::Io`] if the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), EngineError> {
        file::save(file, &self.m, &self.v, self.step)
    }

    /// Reads what [`AdamW::save`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Io`] or [`EngineError::Weights`] if the file cannot be read, belongs to another model or
    /// holds moments in the other format; then nothing is changed.
    pub fn load(&mut self, file: &Path) -> Result<(), EngineError> {
        self.step = file::load(file, &mut self.m, &mut self.v)?;
        Ok(())
    }
}

simd! {
    /// Updates parameters and moments in place.
    fn adamw(params: &mut [F], m: &mut [F], v: &mut [F], grads: &[F], u: Update<F>) {
        let n = params.len();
        let (m, v, grads) = (&mut m[..n], &mut v[..n], &grads[..n]);
        for (i, param) in params.iter_mut().enumerate() {
            let g = grads[i] * u.clip;
            let first = m[i] * u.beta1 + g * u.rest1;
            let second = v[i] * u.beta2 + g * g * u.rest2;
            m[i] = first;
            v[i] = second;
            let denominator = second.sqrt() * u.correction + u.eps;
            *param = *param * u.keep - u.size * first / denominator;
        }
    }
}

#[cfg(test)]
#[path = "optim/tests.rs"]
mod tests;
