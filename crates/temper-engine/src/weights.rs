//! Where each tensor lies in the arena, and the weights packed for products.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::ModelConfig;
use crate::kernels::product::Panels;
use crate::kernels::tile::PANEL;
use crate::model::TensorInfo;
use crate::par::{self, Shared};
use crate::real::Real;

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
    /// The embedding's place if the head is tied.
    pub head: Range<usize>,
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
            head: find("lm_head.weight").unwrap_or_else(|| embedding.clone()),
            embedding,
        }
    }
}

/// Packed weights of one layer.
#[derive(Debug)]
pub struct LayerPanels<F> {
    pub qkv: Panels<F>,
    pub o: Panels<F>,
    pub gate_up: Panels<F>,
    pub down: Panels<F>,
}

/// All matrices, packed for one direction: `W^T` for the forward, `W` for the backward.
#[derive(Debug)]
pub struct ModelPanels<F> {
    pub layers: Vec<LayerPanels<F>>,
    pub head: Panels<F>,
}

/// Which way a weight is multiplied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// One panel to be filled.
struct PanelJob<'a, F> {
    index: usize,
    k: usize,
    n: usize,
    weights: &'a [F],
    panel: Shared<'a, F>,
}

impl<F: Real> ModelPanels<F> {
    fn new(config: &ModelConfig, direction: Direction) -> Self {
        let panels = |out: usize, inputs: usize| match direction {
            Direction::Forward => Panels::new(inputs, out),
            Direction::Backward => Panels::new(out, inputs),
        };
        let (d, f) = (config.hidden_size, config.intermediate_size);
        let layer = |_| LayerPanels {
            qkv: panels(config.q_size() + 2 * config.kv_size(), d),
            o: panels(d, config.q_size()),
            gate_up: panels(2 * f, d),
            down: panels(d, f),
        };
        ModelPanels { layers: (0..config.num_layers).map(layer).collect(), head: panels(config.vocab_size, d) }
    }

    fn fill(&mut self, places: &Places, params: &[F], direction: Direction) {
        let mut jobs: Vec<PanelJob<F>> = Vec::new();
        let matrices = self.layers.iter_mut().zip(&places.layers).flat_map(|(layer, place)| {
            let LayerPanels { qkv, o, gate_up, down } = layer;
            [(qkv, &place.qkv), (o, &place.o), (gate_up, &place.gate_up), (down, &place.down)]
        });
        for (panels, place) in matrices.chain([(&mut self.head, &places.head)]) {
            let (k, n) = (panels.k, panels.n);
            for (index, panel) in panels.panels_mut().enumerate() {
                jobs.push(PanelJob { index, k, n, weights: &params[place.clone()], panel: Shared::new(panel) });
            }
        }
        par::chunks(jobs.len(), 16, |range| {
            for job in &jobs[range] {
                // SAFETY: each panel is filled by one task.
                let panel = unsafe { job.panel.range(0..job.k * PANEL) };
                match direction {
                    Direction::Forward => Panels::fill_transposed(panel, job.index, job.k, job.n, job.weights),
                    Direction::Backward => Panels::fill(panel, job.index, job.k, job.n, job.weights),
                }
            }
        });
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
    pub fn get(&self, config: &ModelConfig, places: &Places, params: &[F], direction: Direction) -> &ModelPanels<F> {
        if self.current.get().is_none() {
            let mut panels = self.spare().take().unwrap_or_else(|| ModelPanels::new(config, direction));
            panels.fill(places, params, direction);
            if let Err(second) = self.current.set(panels) {
                *self.spare() = Some(second);
            }
        }
        self.current.get().unwrap_or_else(|| unreachable!("set above"))
    }

    fn spare(&self) -> MutexGuard<'_, Option<ModelPanels<F>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
