//! The CPU: the operations that training and sampling run, with buffers around them.

use super::{
    AdamWState, AdamWStep, AdapterGrads, AttentionGrads, AttentionShape, Device, HeadGrads, HeadRows, HeadStats,
    LowRank, Matrix, NormGrads, RopeTable, WeightGrads,
};
use crate::kernels::columns::{Columns, Side};
use crate::kernels::panels::{Direction, Panels};
use crate::ops::head::{Head, Rows, Work};
use crate::ops::linear::{self, Operands, WeightGrad};
use crate::ops::lora::{self, Part, PartColumns};
use crate::ops::{embedding, rmsnorm, rope, swiglu};
use crate::par::Shared;
use crate::sample::draw::{Scratch, draw};
use crate::simd::bf16_pairs;
use crate::weights::Formats;
use crate::workspace::Layer;
use crate::{AdamW, ModelConfig, Packed, Precision, SamplingParams, TensorInfo, backward, forward, model};

/// The processor, with the vector instructions that it has (`TEMPER_SIMD` in the environment chooses fewer).
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

/// The weight packed for one direction.
fn panels(weight: &Matrix, direction: Direction, precision: Precision) -> Panels<f32> {
    let format = Formats::new(weight.frozen, precision).layers;
    let (k, n) = match direction {
        Direction::Forward => (weight.inputs, weight.out),
        Direction::Backward => (weight.out, weight.inputs),
    };
    let mut panels = Panels::new(k, n, direction, format, precision);
    panels.fill(weight.values);
    panels
}

/// A matrix in groups of columns, for the gradient of a weight.
fn columns(side: Side, matrix: &[f32], width: usize, precision: Precision) -> Columns<f32> {
    let mut columns = Columns::default();
    let writer = columns.prepare(side, width, matrix.len() / width, precision);
    if !matrix.is_empty() {
        // SAFETY: one thread.
        unsafe { writer.write(0, matrix) };
    }
    columns
}

/// An adapter, packed.
fn part(adapter: &LowRank) -> Part<f32> {
    let LowRank { r, a, b, scale, first, out, .. } = *adapter;
    let places = (0..a.len(), a.len()..a.len() + b.len());
    Part::new(first..first + out, scale, r, places, &[a, b].concat())
}

/// A layer's queries, keys and values, `[T, q + 2 kv]`, and a model's configuration with these heads.
fn attention_layer(
    shape: &AttentionShape,
    query: &[f32],
    key: &[f32],
    value: &[f32],
) -> (ModelConfig, Packed, Layer<f32>) {
    let AttentionShape { heads, kv_heads, head_dim, window, offsets, parents, .. } = shape;
    let mut config = ModelConfig::small(1, heads * head_dim, 1, *heads, *kv_heads, 1);
    config.sliding_window = vec![*window];
    let t = *offsets.last().unwrap_or(&0);
    let batch = Packed { ids: vec![0; t], offsets: offsets.to_vec(), parents: parents.to_vec() };
    let (q, kv) = (config.q_size(), config.kv_size());
    let rows = query.chunks_exact(q).zip(key.chunks_exact(kv)).zip(value.chunks_exact(kv));
    let qkv = rows.flat_map(|((q, k), v)| [q, k, v].concat()).collect();
    let layer = Layer { qkv, attended: vec![0.0; t * q], log_sums: vec![0.0; t * heads], ..Layer::default() };
    (config, batch, layer)
}

/// Whether attention multiplies pairs of bf16.
fn pairs(shape: &AttentionShape) -> bool {
    shape.precision == Precision::Bf16 && bf16_pairs()
}

fn attend(shape: &AttentionShape, config: &ModelConfig, batch: &Packed, layer: &mut Layer<f32>) {
    let run = if pairs(shape) { forward::attend::<f32, u32> } else { forward::attend::<f32, f32> };
    run(config, 0, batch, layer);
}

fn with_head<R>(head: &HeadRows, f: impl FnOnce(&Head<f32>) -> R) -> R {
    let weights = &panels(head.weight, Direction::Forward, head.precision);
    f(&Head { weights, inv_temperature: 1.0 / head.temperature, precision: head.precision })
}

impl Device for Cpu {
    fn name(&self) -> String {
        format!("CPU ({:?})", crate::simd::level())
    }

    fn embedding(&self, table: &[f32], width: usize, ids: &[u32]) -> Vec<f32> {
        let mut y = vec![0.0; ids.len() * width];
        embedding::forward(table, ids, width, &mut y);
        y
    }

    fn embedding_backward(&self, vocab: usize, width: usize, ids: &[u32], dy: &[f32]) -> Vec<f32> {
        let mut dtable = vec![0.0; vocab * width];
        embedding::backward(dy, ids, width, &mut dtable);
        dtable
    }

    fn rmsnorm(&self, x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
        let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; x.len() / weight.len()]);
        rmsnorm::forward(x, weight, eps, &mut y, &mut inverse);
        y
    }

    fn rmsnorm_backward(&self, x: &[f32], weight: &[f32], eps: f32, dy: &[f32]) -> NormGrads {
        let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; x.len() / weight.len()]);
        rmsnorm::forward(x, weight, eps, &mut y, &mut inverse);
        let mut grads = NormGrads { dx: vec![0.0; x.len()], dweight: vec![0.0; weight.len()] };
        rmsnorm::backward(x, weight, &inverse, dy, &mut grads.dx, &mut grads.dweight);
        grads
    }

    fn rope(&self, x: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32> {
        let mut y = x.to_vec();
        for (row, position) in y.chunks_exact_mut(heads * table.head_dim).zip(positions) {
            rope::forward(row, table.at(*position));
        }
        y
    }

    fn rope_backward(&self, dy: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32> {
        let mut dx = dy.to_vec();
        for (row, position) in dx.chunks_exact_mut(heads * table.head_dim).zip(positions) {
            rope::backward(row, table.at(*position));
        }
        dx
    }

    fn linear(
        &self,
        x: &[f32],
        weight: &Matrix,
        bias: Option<&[f32]>,
        residual: Option<&[f32]>,
        precision: Precision,
    ) -> Vec<f32> {
        let mut y = vec![0.0; x.len() / weight.inputs * weight.out];
        linear::forward(x, &panels(weight, Direction::Forward, precision), &[], bias, residual, &mut y);
        y
    }

    fn linear_backward_input(&self, dy: &[f32], weight: &Matrix, precision: Precision) -> Vec<f32> {
        let mut dx = vec![0.0; dy.len() / weight.out * weight.inputs];
        let weight = panels(weight, Direction::Backward, precision);
        let mut operands = Operands::default();
        let writer = operands.prepare((weight.k, weight.n), dy.len() / weight.k, None, &[]);
        // SAFETY: one thread.
        unsafe { writer.backward(0, dy, &weight, &mut dx) };
        dx
    }

    fn linear_backward_weight(
        &self,
        x: &[f32],
        inputs: usize,
        dy: &[f32],
        out: usize,
        precision: Precision,
    ) -> WeightGrads {
        let (mut dweight, mut dbias) = (vec![0.0; out * inputs], vec![0.0; out]);
        let (dy, x) = (columns(Side::Left, dy, out, precision), columns(Side::Right, x, inputs, precision));
        let (dw, db) = (Shared::new(&mut dweight), Shared::new(&mut dbias));
        linear::add_weight_grads(&[WeightGrad { dy: &dy, x: &x, dw, db: Some(db) }]);
        WeightGrads { dweight, dbias }
    }

    fn adapter(&self, x: &[f32], adapter: &LowRank, y: &[f32]) -> Vec<f32> {
        let mut y = y.to_vec();
        lora::forward(&[part(adapter)], x, &mut y, adapter.width);
        y
    }

    fn adapter_backward(&self, x: &[f32], adapter: &LowRank, dy: &[f32]) -> AdapterGrads {
        let LowRank { inputs, a, b, width, .. } = *adapter;
        let mut grads = AdapterGrads { dx: vec![0.0; x.len()], da: vec![0.0; a.len()], db: vec![0.0; b.len()] };
        if x.is_empty() {
            return grads;
        }
        let (part, mut columns) = (part(adapter), PartColumns::default());
        let writer = columns.prepare(&part, x.len() / inputs);
        // SAFETY: one thread.
        unsafe {
            writer.backward(&part, 0, dy, width, &mut grads.dx);
            writer.inputs(&part, 0, x);
        }
        let x = self::columns(Side::Right, x, inputs, Precision::F32);
        let (da, db) = (Shared::new(&mut grads.da), Shared::new(&mut grads.db));
        linear::add_weight_grads(&columns.grads(&x, da, db));
        grads
    }

    fn attention(&self, shape: &AttentionShape, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
        let (config, batch, mut layer) = attention_layer(shape, query, key, value);
        attend(shape, &config, &batch, &mut layer);
        layer.attended
    }

    fn attention_backward(
        &self,
        shape: &AttentionShape,
        query: &[f32],
        key: &[f32],
        value: &[f32],
        dy: &[f32],
    ) -> AttentionGrads {
        let (config, batch, mut layer) = attention_layer(shape, query, key, value);
        attend(shape, &config, &batch, &mut layer);
        let mut dqkv = vec![0.0; layer.qkv.len()];
        let run = if pairs(shape) { backward::attention::<f32, u32> } else { backward::attention::<f32, f32> };
        run(&config, 0, &batch, &layer, dy, &mut dqkv);
        let (q, kv) = (config.q_size(), config.kv_size());
        let mut grads = AttentionGrads::default();
        for row in dqkv.chunks_exact(q + 2 * kv) {
            grads.dquery.extend_from_slice(&row[..q]);
            grads.dkey.extend_from_slice(&row[q..q + kv]);
            grads.dvalue.extend_from_slice(&row[q + kv..]);
        }
        grads
    }

    fn swiglu(&self, gate_up: &[f32], width: usize) -> Vec<f32> {
        let mut y = vec![0.0; gate_up.len() / 2];
        swiglu::forward(gate_up, width, &mut y);
        y
    }

    fn swiglu_backward(&self, gate_up: &[f32], width: usize, dy: &[f32]) -> Vec<f32> {
        let (mut dgate_up, mut y) = (vec![0.0; gate_up.len()], vec![0.0; dy.len()]);
        swiglu::backward(gate_up, width, dy, &mut dgate_up, &mut y);
        dgate_up
    }

    fn head(&self, head: &HeadRows) -> HeadStats {
        let mut stats = HeadStats::default();
        for row in with_head(head, |h| h.stats(head.hidden, head.targets, &mut [])) {
            stats.logprobs.push(row.logprob);
            stats.entropy.push(row.entropy);
            stats.correct.push(row.correct);
        }
        stats
    }

    fn head_backward(&self, head: &HeadRows, dlogprobs: &[f32], dentropy: Option<&[f32]>) -> HeadGrads {
        let HeadRows { hidden, targets, .. } = *head;
        let mut grads = HeadGrads { dhidden: vec![0.0; hidden.len()], dweight: vec![0.0; head.weight.values.len()] };
        let rows = Rows { hidden, targets, dlogprob: dlogprobs, dentropy };
        let mut work = Work::default();
        let transposed = panels(head.weight, Direction::Backward, head.precision);
        with_head(head, |h| {
            h.stats(hidden, targets, work.kept(targets.len(), head.weight.out));
            h.backward(&transposed, &rows, &mut grads.dhidden, Some(&mut grads.dweight), &mut work);
        });
        grads
    }

    fn adamw(&self, step: &AdamWStep, grads: &[f32], before: &AdamWState) -> AdamWState {
        let AdamWState { mut params, m, v } = before.clone();
        let mut start = 0;
        let tensor = |&(len, decays): &(usize, bool)| {
            let range = start..start + len;
            start = range.end;
            TensorInfo { name: String::new(), shape: if decays { vec![len, 1] } else { vec![len] }, range }
        };
        let tensors: Vec<TensorInfo> = step.tensors.iter().map(tensor).collect();
        let mut optimiser = AdamW::with_moments(step.config, step.step - 1, m, v);
        optimiser.update(&tensors, &mut params, grads, self.grad_norm(grads), step.lr, step.max_grad_norm);
        let [m, v] = optimiser.into_moments();
        AdamWState { params, m, v }
    }

    fn grad_norm(&self, grads: &[f32]) -> f64 {
        model::norm(grads)
    }

    fn draw(&self, logits: &[f32], params: &SamplingParams, u: f64) -> (u32, f32) {
        draw(logits, params, u, &mut Scratch::default())
    }
}
