//! Low-rank adapters (LoRA, arXiv 2106.09685): `y = x W^T + scale (x A^T) B^T` with `A` `[r, in]` and `B` `[out, r]`.

use std::ops::Range;

use crate::model::TensorInfo;
use crate::{Key, ModelConfig, Real};

/// A projection that an adapter can sit on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Attention's output.
    O,
    /// The feed-forward layer's gate.
    Gate,
    /// Its other half.
    Up,
    /// Back to the residual stream.
    Down,
}

impl Projection {
    /// All, in the order of a layer.
    pub const ALL: [Projection; 7] = [
        Projection::Q,
        Projection::K,
        Projection::V,
        Projection::O,
        Projection::Gate,
        Projection::Up,
        Projection::Down,
    ];

    /// Name as in Hugging Face models and PEFT's `target_modules`.
    pub fn name(self) -> &'static str {
        match self {
            Projection::Q => "q_proj",
            Projection::K => "k_proj",
            Projection::V => "v_proj",
            Projection::O => "o_proj",
            Projection::Gate => "gate_proj",
            Projection::Up => "up_proj",
            Projection::Down => "down_proj",
        }
    }

    /// The projection of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// Name of the module in layer `layer`.
    pub fn module(self, layer: usize) -> String {
        let block = if self < Projection::Gate { "self_attn" } else { "mlp" };
        format!("model.layers.{layer}.{block}.{}", self.name())
    }

    /// Outputs and inputs.
    pub fn shape(self, config: &ModelConfig) -> (usize, usize) {
        let (d, f) = (config.hidden_size, config.intermediate_size);
        match self {
            Projection::Q => (config.q_size(), d),
            Projection::K | Projection::V => (config.kv_size(), d),
            Projection::O => (d, config.q_size()),
            Projection::Gate | Projection::Up => (f, d),
            Projection::Down => (d, f),
        }
    }
}

/// What an adapter looks like. Dropout is always 0.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// Rank.
    pub r: usize,
    /// Numerator of the scale.
    pub alpha: f64,
    /// Scale by `alpha / sqrt(r)` (rsLoRA, arXiv 2312.03732) rather than `alpha / r`.
    pub rslora: bool,
    /// Projections that get an adapter, in every layer; sorted, without repetition.
    pub targets: Vec<Projection>,
}

impl LoraConfig {
    /// Factor on the adapter's output.
    pub fn scale(&self) -> f64 {
        self.alpha / if self.rslora { (self.r as f64).sqrt() } else { self.r as f64 }
    }
}

/// The adapter of a model: the only parameters that are then trained, with the head of a reward model.
#[derive(Clone, Debug)]
pub struct Adapter<F = f32> {
    pub(crate) config: LoraConfig,
    pub(crate) tensors: Vec<TensorInfo>,
    pub(crate) params: Vec<F>,
    /// Places of `A` and `B` for each layer and target, `[layer][target]`.
    pub(crate) places: Vec<Vec<(Range<usize>, Range<usize>)>>,
    /// Place of a reward model's head.
    pub(crate) score: Option<Range<usize>>,
}

impl<F: Real> Adapter<F> {
    /// `A` uniform in `±1 / sqrt(in)` as PEFT initialises it, `B` zero: a function of `config`, `lora` and `seed`.
    /// Tensors are named `<module>.lora_A.weight` and `<module>.lora_B.weight`.
    pub(crate) fn random(config: &ModelConfig, lora: LoraConfig, seed: u64) -> Self {
        let mut adapter =
            Adapter { config: lora, tensors: Vec::new(), params: Vec::new(), places: Vec::new(), score: None };
        let key = Key::new(seed).fold_str("lora");
        for layer in 0..config.num_layers {
            let mut places = Vec::new();
            for target in adapter.config.targets.clone() {
                let (out, inputs) = target.shape(config);
                let (module, r) = (target.module(layer), adapter.config.r);
                let name = format!("{module}.lora_A.weight");
                let (key, bound) = (key.fold_str(&name), 1.0 / (inputs as f64).sqrt());
                let a = adapter.add(name, vec![r, inputs], |i| bound * (2.0 * key.fold(i).uniform() - 1.0));
                let b = adapter.add(format!("{module}.lora_B.weight"), vec![out, r], |_| 0.0);
                places.push((a, b));
            }
            adapter.places.push(places);
        }
        adapter
    }

    /// Appends a tensor.
    pub(crate) fn add(&mut self, name: String, shape: Vec<usize>, value: impl Fn(u64) -> f64) -> Range<usize> {
        let range = self.params.len()..self.params.len() + shape.iter().product::<usize>();
        self.params.extend((0..range.len() as u64).map(|i| F::from_f64(value(i))));
        self.tensors.push(TensorInfo { name, shape, range: range.clone() });
        range
    }

    /// Rank, scale and targets.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }
}
