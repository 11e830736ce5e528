//! Buffers of a forward (and backward) pass, kept between calls.

use crate::memory::huge_pages;
use crate::ops::head;
use crate::ops::linear::Operands;
use crate::real::Real;
use crate::{ModelConfig, Packed};

/// What one layer's backward needs from its forward.
#[derive(Debug, Default)]
pub struct Layer<F> {
    /// Inverse norms of the layer's input, `[T]`.
    pub inverse1: Vec<F>,
    /// Projections before QK-norm, `[T, q + 2 kv]`; empty without QK-norm.
    pub raw: Vec<F>,
    /// Inverse norms of query and key heads, `[T, heads + kv heads]`; empty without QK-norm.
    pub inverse_qk: Vec<F>,
    /// Rotated queries and keys, and values, `[T, q + 2 kv]`.
    pub qkv: Vec<F>,
    /// Attention's result, `[T, q]`.
    pub attended: Vec<F>,
    /// Logarithms of the softmax's denominators, `[T, heads]`.
    pub log_sums: Vec<F>,
    /// Residual stream between attention and feed-forward, `[T, hidden]`.
    pub middle: Vec<F>,
    /// Its inverse norms, `[T]`.
    pub inverse2: Vec<F>,
    /// Gate and up projections, `[T, 2 ffn]`.
    pub gate_up: Vec<F>,
}

/// Buffers that the backward of every layer shares.
#[derive(Debug, Default)]
pub struct Backward<F> {
    /// Gradient of a layer's output, then of its input, `[T, hidden]`.
    pub dx: Vec<F>,
    /// Gradient between attention and feed-forward, `[T, hidden]`.
    pub dmiddle: Vec<F>,
    /// Gradient of attention's result, `[T, q]`.
    pub dattended: Vec<F>,
    /// Gradient of queries, keys and values, `[T, q + 2 kv]`.
    pub dqkv: Vec<F>,
    /// Copies of a block of rows for the gradients of weights.
    pub operands: LayerOperands<F>,
    /// Gradients of norms, one row for each chunk of a block.
    pub partial: Vec<F>,
    /// Gradient of the head's rows, `[R, hidden]`.
    pub dhidden: Vec<F>,
    /// Buffers of the head.
    pub head: head::Work<F>,
}

/// Operands of the gradients of a layer's weights.
#[derive(Debug, Default)]
pub struct LayerOperands<F> {
    pub qkv: Operands<F>,
    pub o: Operands<F>,
    pub gate_up: Operands<F>,
    pub down: Operands<F>,
}

/// The rows of the residual stream whose next token is selected, normalised for the head.
#[derive(Debug, Default)]
pub struct HeadRows<F> {
    /// For each selected token `t`, in order: `t`.
    pub tokens: Vec<usize>,
    /// Their ids.
    pub targets: Vec<u32>,
    /// Row of the residual stream that predicts each.
    pub sources: Vec<usize>,
    /// Which of them have a source that others may have too.
    pub shared: Vec<usize>,
    /// These rows of the residual stream, `[R, hidden]`.
    pub x: Vec<F>,
    /// Inverse norms.
    pub inverse: Vec<F>,
    /// Normalised rows, `[R, hidden]`.
    pub hidden: Vec<F>,
}

impl<F> HeadRows<F> {
    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.targets.clear();
        self.sources.clear();
        self.shared.clear();
    }

    /// Adds token `t` with id `target`, predicted by row `source`.
    pub fn push(&mut self, t: usize, target: u32, source: usize) {
        self.tokens.push(t);
        self.targets.push(target);
        self.sources.push(source);
    }
}

/// All buffers.
#[derive(Debug, Default)]
pub struct Workspace<F> {
    /// Position of each token in its sequence, `[T]`.
    pub positions: Vec<usize>,
    /// Buffers of `x` in use: one more than layers; without backward two in turn.
    pub streams: usize,
    /// Buffers of `layers` in use: one per layer; without backward, or if the backward computes them again, one.
    pub slots: usize,
    /// Residual stream before each layer and after the last, `[T, hidden]` each.
    pub x: Vec<Vec<F>>,
    /// What each layer saves.
    pub layers: Vec<Layer<F>>,
    /// The rows that go to the head.
    pub head: HeadRows<F>,
    /// Buffers of the backward.
    pub backward: Backward<F>,
}

/// Makes `buffer` exactly `len` long; what it holds is unspecified.
pub fn fit<F: Real>(buffer: &mut Vec<F>, len: usize) {
    if buffer.capacity() < len {
        *buffer = vec![F::ZERO; len];
        return huge_pages(buffer);
    }
    buffer.resize(len, F::ZERO);
}

impl<F: Real> Workspace<F> {
    /// Fits all buffers to a batch.
    pub fn prepare(&mut self, config: &ModelConfig, batch: &Packed, backward: bool, checkpointing: bool) {
        let t = batch.len();
        let (d, q, f) = (config.hidden_size, config.q_size(), config.intermediate_size);
        let width = q + 2 * config.kv_size();
        let norm = usize::from(config.qk_norm);
        self.positions.clear();
        let positions = |i: usize| (batch.prefix(i).len()..).take(batch.range(i).len());
        self.positions.extend((0..batch.segments()).flat_map(positions));
        let streams = if backward { config.num_layers + 1 } else { 2 };
        let layers = if backward && !checkpointing { config.num_layers } else { 1 };
        self.streams = streams;
        self.slots = layers;
        self.x.resize_with(streams.max(self.x.len()), Vec::new);
        self.x[..streams].iter_mut().for_each(|x| fit(x, t * d));
        self.layers.resize_with(layers.max(self.layers.len()), Layer::default);
        for layer in &mut self.layers[..layers] {
            fit(&mut layer.inverse1, t);
            fit(&mut layer.raw, t * width * norm);
            fit(&mut layer.inverse_qk, t * (config.num_heads + config.num_kv_heads) * norm);
            fit(&mut layer.qkv, t * width);
            fit(&mut layer.attended, t * q);
            fit(&mut layer.log_sums, t * config.num_heads);
            fit(&mut layer.middle, t * d);
            fit(&mut layer.inverse2, t);
            fit(&mut layer.gate_up, t * 2 * f);
        }
        if backward {
            let b = &mut self.backward;
            fit(&mut b.dx, t * d);
            fit(&mut b.dmiddle, t * d);
            fit(&mut b.dattended, t * q);
            fit(&mut b.dqkv, t * width);
        }
    }
}
