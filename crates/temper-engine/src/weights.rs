//! Where each tensor lies in the arena, and the weights packed for products.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::kernels::panels::{Direction, Format, Panels};
use crate::model::TensorInfo;
use crate::ops::lora::Part;
use crate::real::Real;
use crate::{Adapter, Frozen, ModelConfig, Precision, Projection};

/// Places of one layer's tensors. `qkv` holds the query, key and value weights one after the other, `gate_up` the gate and
/// up weights.
#[derive(Clone, Debug)]
pub struct LayerPlaces {
    pub norm1: Range<usize>,
    pub qkv: Range<usize>,
    pub qkv_bias: Option<Range<usize>>,
    pub q_norm: Option<Range<usize>>,
    pub k_norm: Option<Range<usize>>,
    pub o: Range<usize>,
    pub o_bias: Option<Range<usize>>,
    pub norm2: Range<usize>,
    pub gate_up: Range<usize>,
    pub gate_up_bias: Option<Range<usize>>,
    pub down: Range<usize>,
    pub down_bias: Option<Range<usize>>,
}

/// Places of all tensors.
#[derive(Clone, Debug)]
pub struct Places {
    pub embedding: Range<usize>,
    pub layers: Vec<LayerPlaces>,
    pub norm: Range<usize>,
    /// The embedding's place if the head is tied; of no use for a reward model.
    pub head: Range<usize>,
    /// Head of a reward model.
    pub score: Option<Range<usize>>,
}

impl Places {
    pub fn new(config: &ModelConfig, tensors: &[TensorInfo]) -> Self {
        let find = |name: &str| tensors.iter().find(|t| t.name == name).map(|t| t.range.clone());
        let get = |name: &str| find(name).unwrap_or_else(|| unreachable!("the layout has `{name}`"));
        let layers = (0..config.num_layers).map(|layer| {
            let get = |suffix: &str| get(&format!("model.layers.{layer}.{suffix}"));
            let find = |suffix: &str| find(&format!("model.layers.{layer}.{suffix}"));
            let span = |first: &str, last: &str| Some(find(first)?.start..find(last)?.end);
            LayerPlaces {
                norm1: get("input_layernorm.weight"),
                qkv: get("self_attn.q_proj.weight").start..get("self_attn.v_proj.weight").end,
                qkv_bias: span("self_attn.q_proj.bias", "self_attn.v_proj.bias"),
                q_norm: find("self_attn.q_norm.weight"),
                k_norm: find("self_attn.k_norm.weight"),
                o: get("self_attn.o_proj.weight"),
                o_bias: find("self_attn.o_proj.bias"),
                norm2: get("post_attention_layernorm.weight"),
                gate_up: get("mlp.gate_proj.weight").start..get("mlp.up_proj.weight").end,
                gate_up_bias: span("mlp.gate_proj.bias", "mlp.up_proj.bias"),
                down: get("mlp.down_proj.weight"),
                down_bias: find("mlp.down_proj.bias"),
            }
        });
        let embedding = get("model.embed_tokens.weight");
        Places {
            layers: layers.collect(),
            norm: get("model.norm.weight"),
            score: find("score.weight"),
            head: find("lm_head.weight").unwrap_or_else(|| embedding.clone()),
            embedding,
        }
    }
}

/// Packed weights of one layer.
#[derive(Clone, Debug)]
pub struct LayerPanels<F> {
    pub qkv: Panels<F>,
    pub o: Panels<F>,
    pub gate_up: Panels<F>,
    pub down: Panels<F>,
}

/// All matrices, packed for one direction: `W^T` for the forward, `W` for the backward.
#[derive(Clone, Debug)]
pub struct ModelPanels<F> {
    pub layers: Vec<LayerPanels<F>>,
    pub head: Panels<F>,
}

/// The adapters of one layer's matrices.
#[derive(Debug, Default)]
pub struct LayerParts<F> {
    pub qkv: Vec<Part<F>>,
    pub o: Vec<Part<F>>,
    pub gate_up: Vec<Part<F>>,
    pub down: Vec<Part<F>>,
}

impl<F: Real> LayerParts<F> {
    /// Packs the adapters of layer `layer`.
    pub fn new(config: &ModelConfig, adapter: &Adapter<F>, layer: usize) -> Self {
        let mut parts = LayerParts { qkv: Vec::new(), o: Vec::new(), gate_up: Vec::new(), down: Vec::new() };
        let (q, kv, f) = (config.q_size(), config.kv_size(), config.intermediate_size);
        for (target, places) in adapter.config.targets.iter().zip(&adapter.places[layer]) {
            let (list, first) = match target {
                Projection::Q => (&mut parts.qkv, 0),
                Projection::K => (&mut parts.qkv, q),
                Projection::V => (&mut parts.qkv, q + kv),
                Projection::O => (&mut parts.o, 0),
                Projection::Gate => (&mut parts.gate_up, 0),
                Projection::Up => (&mut parts.gate_up, f),
                Projection::Down => (&mut parts.down, 0),
            };
            let (out, _) = target.shape(config);
            let scale = F::from_f64(adapter.config.scale());
            list.push(Part::new(first..first + out, scale, adapter.config.r, places.clone(), &adapter.params));
        }
        parts
    }
}

impl<F: Real> LayerParts<F> {
    /// Memory in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        [&self.qkv, &self.o, &self.gate_up, &self.down].into_iter().flatten().map(Part::bytes).sum()
    }
}

/// In which formats the matrices of layers, and the head, are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    pub layers: Format,
    pub head: Format,
    pub precision: Precision,
}

impl Formats {
    /// Of a model that is trained (`None`) or frozen.
    pub fn new(frozen: Option<Frozen>, precision: Precision) -> Self {
        let format = match (frozen, precision) {
            (None, Precision::F32) => Format::Full,
            (None, Precision::Bf16) | (Some(Frozen::Bf16), _) => Format::Bf16,
            (Some(Frozen::Int8), _) => Format::Int8,
            (Some(Frozen::Nf4), _) => Format::Nf4,
        };
        let head = if frozen.is_some() { Format::Bf16 } else { format };
        Formats { layers: format, head, precision }
    }
}

impl<F: Real> ModelPanels<F> {
    pub fn new(config: &ModelConfig, direction: Direction, formats: Formats) -> Self {
        let panels = |out: usize, inputs: usize, format: Format| match direction {
            Direction::Forward => Panels::new(inputs, out, direction, format, formats.precision),
            Direction::Backward => Panels::new(out, inputs, direction, format, formats.precision),
        };
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let layer = |_| LayerPanels {
            qkv: panels(config.q_size() + 2 * config.kv_size(), d, formats.layers),
            o: panels(d, config.q_size(), formats.layers),
            gate_up: panels(2 * f, d, formats.layers),
            down: panels(d, f, formats.layers),
        };
        ModelPanels {
            layers: (0..config.num_layers).map(layer).collect(),
            head: panels(if config.num_labels.is_some() { 0 } else { config.vocab_size }, d, formats.head),
        }
    }

    /// Packs all matrices from the arena.
    fn fill(&mut self, places: &Places, params: &[F]) {
        for (layer, place) in self.layers.iter_mut().zip(&places.layers) {
            layer.qkv.fill(&params[place.qkv.clone()]);
            layer.o.fill(&params[place.o.clone()]);
            layer.gate_up.fill(&params[place.gate_up.clone()]);
            layer.down.fill(&params[place.down.clone()]);
        }
        if self.head.n * self.head.k > 0 {
            self.head.fill(&params[places.head.clone()]);
        }
    }

    /// Memory in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let layer = |l: &LayerPanels<F>| l.qkv.bytes() + l.o.bytes() + l.gate_up.bytes() + l.down.bytes();
        self.layers.iter().map(layer).sum::<usize>() + self.head.bytes()
    }
}

/// Packed weights, made at first use and again after the parameters have changed.
#[derive(Debug)]
pub struct PackedWeights<F> {
    current: OnceLock<ModelPanels<F>>,
    spare: Mutex<Option<ModelPanels<F>>>,
}

impl<F> Default for PackedWeights<F> {
    fn default() -> Self {
        PackedWeights { current: OnceLock::new(), spare: Mutex::new(None) }
    }
}

impl<F: Real> PackedWeights<F> {
    /// Marks the copy as stale; its memory is used again.
    pub fn invalidate(&mut self) {
        if let Some(old) = self.current.take() {
            *self.spare.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(old);
        }
    }

    /// The packed weights.
    ///
    /// Packing runs in parallel, so no lock is held meanwhile: a thread that waits for its part may take up a task that
    /// asks for the same weights. If two threads pack at once, one of the equal results is kept.
    pub fn get(&self, places: &Places, params: &[F], new: impl FnOnce() -> ModelPanels<F>) -> &ModelPanels<F> {
        if self.current.get().is_none() {
            let mut panels = self.spare().take().unwrap_or_else(new);
            panels.fill(places, params);
            if let Err(second) = self.current.set(panels) {
                *self.spare() = Some(second);
            }
        }
        self.current.get().unwrap_or_else(|| unreachable!("set above"))
    }

    /// Packed weights that are never made again.
    pub fn made_of(panels: ModelPanels<F>) -> Self {
        PackedWeights { current: OnceLock::from(panels), spare: Mutex::new(None) }
    }

    /// Changes the number format of the products, for weights whose format does not depend on it.
    pub fn set_precision(&mut self, precision: Precision) {
        let Some(panels) = self.current.get_mut() else { return };
        for layer in &mut panels.layers {
            for panels in [&mut layer.qkv, &mut layer.o, &mut layer.gate_up, &mut layer.down] {
                panels.precision = precision;
            }
        }
        panels.head.precision = precision;
    }

    /// Drops the copy and its memory.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn spare(&self) -> MutexGuard<'_, Option<ModelPanels<F>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
