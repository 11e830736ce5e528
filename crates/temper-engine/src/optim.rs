//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) with clipping of the global gradient norm, as in PyTorch.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::simd::simd;
use crate::{EngineError, Grads, Model};

/// Parameters that one thread updates at a time.
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
}

impl Default for AdamWConfig {
    fn default() -> Self {
        AdamWConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// The optimiser's state for one model.
#[derive(Clone, Debug)]
pub struct AdamW {
    config: AdamWConfig,
    step: u64,
    m: Vec<f32>,
    v: Vec<f32>,
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
        let n = model.trainable().len();
        AdamW { config, step: 0, m: vec![0.0; n], v: vec![0.0; n] }
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
            let bad = |t: &&crate::TensorInfo| grads.as_slice()[t.range.clone()].iter().any(|x| !x.is_finite());
            let tensor =
                model.trainable_tensors().iter().find(bad).map_or_else(|| "all of them".into(), |t| t.name.clone());
            return Err(EngineError::NotFinite { tensor });
        }
        self.step += 1;
        let AdamWConfig { beta1, beta2, eps, weight_decay } = self.config;
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
        let tensors: Vec<_> = model.trainable_tensors().iter().map(|t| (t.range.clone(), t.decays())).collect();
        let (mut params, mut m, mut v) = (model.trainable_mut(), &mut self.m[..], &mut self.v[..]);
        let mut jobs = Vec::new();
        for (range, decays) in tensors {
            for start in range.clone().step_by(CHUNK) {
                let count = CHUNK.min(range.end - start);
                jobs.push((
                    params.split_off_mut(..count).unwrap_or_default(),
                    m.split_off_mut(..count).unwrap_or_default(),
                    v.split_off_mut(..count).unwrap_or_default(),
                    &grads.as_slice()[start..start + count],
                    if decays { decayed } else { update },
                ));
            }
        }
        jobs.into_par_iter().for_each(|(params, m, v, grads, update)| adamw(params, m, v, grads, update));
        Ok(norm)
    }

    /// Writes moments and step count as safetensors, beside `file` first and then renamed into place.
    ///
    /// # Errors
    /// [`EngineError::Io`] if the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), EngineError> {
        let (m, v, step) = (bytes(&self.m), bytes(&self.v), self.step.to_le_bytes());
        let failed = |error: safetensors::SafeTensorError| EngineError::Weights {
            path: file.into(),
            problem: format!("cannot be written: {error}"),
        };
        let tensors = [
            ("m", TensorView::new(Dtype::F32, vec![self.m.len()], &m).map_err(failed)?),
            ("v", TensorView::new(Dtype::F32, vec![self.v.len()], &v).map_err(failed)?),
            ("step", TensorView::new(Dtype::U64, vec![1], &step).map_err(failed)?),
        ];
        let mut beside = file.as_os_str().to_owned();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let data = safetensors::serialize(tensors, None).map_err(failed)?;
        fs::write(&beside, data).map_err(|error| EngineError::io(&beside, error))?;
        fs::rename(&beside, file).map_err(|error| EngineError::io(file, error))
    }

    /// Reads what [`AdamW::save`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Io`] or [`EngineError::Weights`] if the file cannot be read or belongs to another model; then
    /// nothing is changed.
    pub fn load(&mut self, file: &Path) -> Result<(), EngineError> {
        let wrong = |problem: String| EngineError::Weights { path: file.into(), problem };
        let data = fs::read(file).map_err(|error| EngineError::io(file, error))?;
        let tensors = SafeTensors::deserialize(&data)
            .map_err(|error| wrong(format!("not a safetensors file ({error}); remove it and start the stage again")))?;
        let read = |name: &str, dtype: Dtype, size: usize| {
            let tensor = tensors
                .tensor(name)
                .map_err(|_| wrong(format!("tensor `{name}` is missing; this is not an optimiser's state")))?;
            if tensor.dtype() != dtype || tensor.data().len() != size {
                let held = tensor.data().len();
                return Err(wrong(format!(
                    "tensor `{name}` holds {held} bytes, but the model needs {size}; the state belongs to another model"
                )));
            }
            Ok(tensor.data().to_vec())
        };
        let m = read("m", Dtype::F32, 4 * self.m.len())?;
        let v = read("v", Dtype::F32, 4 * self.v.len())?;
        let step = read("step", Dtype::U64, 8)?;
        self.m = floats(&m);
        self.v = floats(&v);
        self.step = step.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
        Ok(())
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
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
mod tests {
    use super::*;
    use crate::{ModelConfig, Packed, TokenGrads};

    fn setup() -> (Model, Grads) {
        let model = Model::random(ModelConfig::small(40, 16, 1, 2, 1, 24), 0);
        let mut grads = Grads::zeros(&model);
        let batch = Packed::new(&[vec![1, 2, 3, 4, 5, 6, 7]]);
        model.backprop(&batch, 1.0, &[true; 7], &mut grads, |_| TokenGrads { logprobs: vec![-1.0; 7], entropy: None });
        (model, grads)
    }

    /// The update as PyTorch's documentation states it, in f64.
    #[test]
    fn agrees_with_the_formula() {
        let (mut model, grads) = setup();
        let config = AdamWConfig { beta1: 0.8, beta2: 0.95, eps: 1e-6, weight_decay: 0.1 };
        let mut optimiser = AdamW::new(&model, config);
        let decays: Vec<bool> =
            model.tensors().iter().flat_map(|t| std::iter::repeat_n(t.decays(), t.range.len())).collect();
        let mut expected: Vec<f64> = model.params().iter().map(|x| f64::from(*x)).collect();
        let (mut m, mut v) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
        let norm = grads.norm();
        for t in 1..=3 {
            let lr = 0.01 / f64::from(t);
            let clip = 0.5 * norm;
            assert_eq!(optimiser.step(&mut model, &grads, lr, Some(clip)).unwrap(), norm);
            for i in 0..expected.len() {
                let g = f64::from(grads.as_slice()[i]) * clip / (norm + 1e-6);
                m[i] = 0.8 * m[i] + 0.2 * g;
                v[i] = 0.95 * v[i] + 0.05 * g * g;
                let decay = if decays[i] { 0.1 } else { 0.0 };
                expected[i] -= lr * decay * expected[i];
                let (m, v) = (m[i] / (1.0 - 0.8f64.powi(t)), v[i] / (1.0 - 0.95f64.powi(t)));
                expected[i] -= lr * m / (v.sqrt() + 1e-6);
            }
        }
        for (x, y) in model.params().iter().zip(&expected) {
            assert!((f64::from(*x) - y).abs() < 1e-6, "{x} is not {y}");
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_named_and_changes_nothing() {
        let (mut model, mut grads) = setup();
        let before = model.params().to_vec();
        let tensor = model.tensors()[3].clone();
        grads.as_mut_slice()[tensor.range.start + 1] = f32::NAN;
        let error = AdamW::new(&model, AdamWConfig::default()).step(&mut model, &grads, 0.1, None).unwrap_err();
        assert!(error.to_string().contains(&tensor.name), "{error}");
        assert_eq!(before, model.params());
    }

    #[test]
    fn saved_and_loaded_state_continues_to_the_bit() {
        let (mut model, grads) = setup();
        let mut optimiser = AdamW::new(&model, AdamWConfig::default());
        optimiser.step(&mut model, &grads, 0.01, None).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("optimizer.safetensors");
        optimiser.save(&file).unwrap();
        let mut other_model = model.clone();
        let mut other = AdamW::new(&other_model, AdamWConfig::default());
        other.load(&file).unwrap();
        assert_eq!(other.steps(), 1);
        optimiser.step(&mut model, &grads, 0.01, Some(1.0)).unwrap();
        other.step(&mut other_model, &grads, 0.01, Some(1.0)).unwrap();
        assert_eq!(model.params(), other_model.params());
        let smaller = Model::random(ModelConfig::small(40, 8, 1, 2, 1, 24), 0);
        let error = AdamW::new(&smaller, AdamWConfig::default()).load(&file).unwrap_err();
        assert!(error.to_string().contains("another model"), "{error}");
    }
}
