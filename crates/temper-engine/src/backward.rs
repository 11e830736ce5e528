//! The backward pass over the layers of a packed batch.

use std::ops::Range;

use crate::forward::{self, heads};
use crate::model::Model;
use crate::ops::attention::Operand;
use crate::ops::attention_backward::{self, Keys, Segment};
use crate::ops::linear::{self, Operands, WeightGrad};
use crate::ops::lora::Part;
use crate::ops::rows::{View, ViewMut};
use crate::ops::{embedding, rmsnorm, rope, swiglu};
use crate::par::{self, ROWS, Shared, block_rows};
use crate::real::{Real, with_scratch};
use crate::weights::{LayerPanels, LayerParts};
use crate::workspace::{Backward, HeadRows, Layer, Workspace};
use crate::{ModelConfig, Packed, Precision};

/// A layer's index, packed weights and saved values.
struct Saved<'a, F> {
    model: &'a Model<F>,
    index: usize,
    panels: &'a LayerPanels<F>,
    parts: &'a LayerParts<F>,
    /// Number format of the weights' gradients; `None`: only adapters are trained.
    base: Option<Precision>,
    layer: &'a Layer<F>,
    /// The layer's input.
    x: &'a [F],
}

impl<'a, F: Real> Saved<'a, F> {
    fn config(&self) -> &'a ModelConfig {
        self.model.config()
    }

    fn params(&self, range: &Range<usize>) -> &'a [F] {
        &self.model.params()[range.clone()]
    }
}

/// Given the gradient of the head's rows in `work`, adds the gradients of everything before the head to `grads`.
pub fn layers<F: Real>(model: &Model<F>, batch: &Packed, work: &mut Workspace<F>, grads: &mut [F]) {
    let config = model.config();
    let d = config.hidden_size;
    let base = model.adapter().is_none().then_some(model.precision());
    let norm = final_norm(model, &work.head, &mut work.backward);
    if base.is_some() {
        rmsnorm::add_rows(&norm, &mut grads[model.places.norm.clone()]);
    }
    let panels = model.backward_panels();
    for index in (0..config.num_layers).rev() {
        if work.slots < config.num_layers {
            forward::again(model, batch, index, work);
        }
        let (layer, x) = (&work.layers[index % work.slots], &work.x[index]);
        let view = Saved { model, index, panels: &panels.layers[index], parts: model.parts(index), base, layer, x };
        let (positions, b) = (&work.positions, &mut work.backward);
        feed_forward(&view, b, grads);
        let run = if model.pairs() { attention::<F, u32> } else { attention::<F, F> };
        run(config, index, batch, layer, &b.dattended, &mut b.dqkv);
        attention_inputs(&view, positions, b, grads);
    }
    if base.is_some() {
        embedding::backward(&work.backward.dx, &batch.ids, d, &mut grads[model.places.embedding.clone()]);
    }
}

/// From the gradient of the head's rows to that of the last layer's output. Gives the gradient of the norm's weight.
fn final_norm<F: Real>(model: &Model<F>, rows: &HeadRows<F>, b: &mut Backward<F>) -> Vec<F> {
    let d = model.config().hidden_size;
    let weight = &model.params()[model.places.norm.clone()];
    b.dx.fill(F::ZERO);
    let (dx, dhidden) = (Shared::new(&mut b.dx), &b.dhidden);
    let back = |i: usize, dweight: &mut [F]| {
        let row = i * d..(i + 1) * d;
        // SAFETY: a source belongs to one token, hence to one task, but for shared ones, which one thread does.
        let dx = unsafe { dx.range(rows.sources[i] * d..(rows.sources[i] + 1) * d) };
        rmsnorm::backward(&rows.x[row.clone()], weight, &rows.inverse[i..=i], &dhidden[row], dx, dweight);
    };
    with_partials(0..rows.tokens.len(), d, &mut b.partial, |range, dweight| {
        range.filter(|i| rows.shared.binary_search(i).is_err()).for_each(|i| back(i, dweight));
    });
    let mut sum = vec![F::ZERO; d];
    rows.shared.iter().for_each(|i| back(*i, &mut sum));
    rmsnorm::add_rows(&b.partial, &mut sum);
    sum
}

/// Runs `f` on chunks of `rows` with a zeroed row of `width` for each chunk; afterwards `partial` holds these.
fn with_partials<F: Real>(
    rows: Range<usize>,
    width: usize,
    partial: &mut Vec<F>,
    f: impl Fn(Range<usize>, &mut [F]) + Sync,
) {
    partial.clear();
    partial.resize(rows.len().div_ceil(ROWS) * width, F::ZERO);
    let shared = Shared::new(partial);
    par::chunks(rows.len(), ROWS, |chunk| {
        let index = chunk.start / ROWS;
        // SAFETY: each chunk has its own row.
        f(rows.start + chunk.start..rows.start + chunk.end, unsafe {
            shared.range(index * width..(index + 1) * width)
        });
    });
}

/// Feed-forward block: from `dx` (gradient of the layer's output) to `dmiddle` and `dattended`, and the gradients of its
/// weights and of the output projection. Block by block, so that the weights' gradients find their operands in the cache.
fn feed_forward<F: Real>(view: &Saved<F>, b: &mut Backward<F>, grads: &mut [F]) {
    let config = view.config();
    let places = &view.model.places.layers[view.index];
    let (d, q, f) = (config.hidden_size, config.q_size(), config.intermediate_size);
    let (layer, panels, parts) = (view.layer, view.panels, view.parts);
    let norm = view.params(&places.norm2);
    let tokens = b.dx.len() / d;
    for start in (0..tokens).step_by(block_rows()) {
        let block = start..(start + block_rows()).min(tokens);
        let (n, dx) = (block.len(), &b.dx);
        let [dmiddle, dattended] = [&mut b.dmiddle, &mut b.dattended].map(|buffer| Shared::new(buffer));
        let operands = &mut b.operands;
        let down = operands.down.prepare((d, f), n, view.base, &parts.down);
        let gate_up_operands = operands.gate_up.prepare((2 * f, d), n, view.base, &parts.gate_up);
        let o = operands.o.prepare((d, q), n, view.base, &parts.o);
        with_partials(block, d, &mut b.partial, |rows, dnorm| {
            let first = rows.start - start;
            // SAFETY: each row belongs to one task.
            let (dmiddle, dattended) = unsafe { (dmiddle.rows(&rows, d), dattended.rows(&rows, q)) };
            let dx = par::rows(dx, &rows, d);
            let middle = par::rows(&layer.middle, &rows, d);
            let inverse = &layer.inverse2[rows.clone()];
            let (wide, narrow) = (rows.len() * f, rows.len() * d);
            with_scratch(4 * wide + narrow, |scratch| {
                let (dactivated, rest) = scratch.split_at_mut(wide);
                let (activated, rest) = rest.split_at_mut(wide);
                let (dgate_up, dnormed) = rest.split_at_mut(2 * wide);
                let gate_up = par::rows(&layer.gate_up, &rows, 2 * f);
                // SAFETY: as above, for the rows of the operands.
                unsafe {
                    down.backward(first, dx, &panels.down, dactivated);
                    swiglu::backward(gate_up, f, dactivated, dgate_up, activated);
                    down.inputs(first, activated);
                    gate_up_operands.backward(first, dgate_up, &panels.gate_up, dnormed);
                    dmiddle.copy_from_slice(dx);
                    rmsnorm::backward(middle, norm, inverse, dnormed, dmiddle, dnorm);
                    o.backward(first, dmiddle, &panels.o, dattended);
                    o.inputs(first, par::rows(&layer.attended, &rows, q));
                    let normed = dnormed;
                    rmsnorm::again(middle, norm, inverse, normed);
                    gate_up_operands.inputs(first, normed);
                }
            });
        });
        if view.base.is_some() {
            rmsnorm::add_rows(&b.partial, &mut grads[places.norm2.clone()]);
        }
        let c = &b.operands;
        weight_grads(
            view.base,
            grads,
            &[
                (&c.down, &places.down, &places.down_bias, &parts.down),
                (&c.gate_up, &places.gate_up, &places.gate_up_bias, &parts.gate_up),
                (&c.o, &places.o, &places.o_bias, &parts.o),
            ],
        );
    }
}

type WeightPart<'a, F> = (&'a Operands<F>, &'a Range<usize>, &'a Option<Range<usize>>, &'a [Part<F>]);

/// Adds the gradients of weights and biases, or of their adapters.
fn weight_grads<F: Real>(base: Option<Precision>, grads: &mut [F], weights: &[WeightPart<F>]) {
    let grads = Shared::new(grads);
    let mut jobs: Vec<WeightGrad<F>> = Vec::new();
    for &(operands, place, bias, adapters) in weights {
        if base.is_some() {
            // SAFETY: places of different tensors are disjoint.
            let at = |range: &Range<usize>| Shared::new(unsafe { grads.range(range.clone()) });
            jobs.push(operands.grad(at(place), bias.as_ref().map(at)));
        } else {
            operands.adapter_grads(adapters, grads, &mut jobs);
        }
    }
    linear::add_weight_grads(&jobs);
}

/// Attention of layer `index`: from `dattended` to `dqkv`, the gradients of rotated queries and keys, and of values.
pub fn attention<F: Real, E: Operand<F>>(
    config: &ModelConfig,
    index: usize,
    batch: &Packed,
    layer: &Layer<F>,
    dattended: &[F],
    dqkv: &mut [F],
) {
    let heads = heads::<F>(config, index);
    let (dim, group) = (heads.dim, heads.group);
    let (q, kv) = (config.q_size(), config.kv_size());
    let width = q + 2 * kv;
    let dqkv = Shared::new(dqkv);
    // The segments of one prompt follow each other, since they add to the same gradients.
    let mut families: Vec<Vec<usize>> = vec![Vec::new(); batch.segments()];
    for segment in 0..batch.segments() {
        families[batch.parent(segment).unwrap_or(segment)].push(segment);
    }
    families.retain(|family| !family.is_empty());
    par::tasks(families.len() * config.num_kv_heads, |task| {
        let kv_head = task % config.num_kv_heads;
        let first = kv_head * group * dim;
        let view = |row: usize, column: usize| View { data: &layer.qkv, start: row * width + column, row: width };
        // SAFETY: each head of each row belongs to one task.
        let target = |row: usize, column: usize| unsafe { ViewMut::new(dqkv, row * width + column, width) };
        let keys = |rows: Range<usize>| {
            let (key, value) = (q + kv_head * dim, q + kv + kv_head * dim);
            Keys {
                len: rows.len(),
                key: view(rows.start, key),
                value: view(rows.start, value),
                dkey: target(rows.start, key),
                dvalue: target(rows.start, value),
            }
        };
        for segment in &families[task / config.num_kv_heads] {
            let (rows, prefix) = (batch.range(*segment), batch.prefix(*segment));
            let heads_view = |data| View { data, start: rows.start * q + first, row: q };
            let inputs = Segment {
                query: view(rows.start, first),
                prefix: (!prefix.is_empty()).then(|| keys(prefix)),
                keys: keys(rows.clone()),
                out: heads_view(&layer.attended),
                log_sums: View {
                    data: &layer.log_sums,
                    start: rows.start * config.num_heads + kv_head * group,
                    row: config.num_heads,
                },
                dout: heads_view(dattended),
                dquery: target(rows.start, first),
            };
            attention_backward::backward::<F, E>(heads, &inputs);
        }
    });
}

/// From `dqkv` through rotation, QK-norm, projections and the first norm to `dx`, the gradient of the layer's input, and the
/// gradients of these weights.
fn attention_inputs<F: Real>(view: &Saved<F>, positions: &[usize], b: &mut Backward<F>, grads: &mut [F]) {
    let config = view.config();
    let places = &view.model.places.layers[view.index];
    let (d, q, kv, dim) = (config.hidden_size, config.q_size(), config.kv_size(), config.head_dim);
    let (width, heads) = (q + 2 * kv, config.num_heads + config.num_kv_heads);
    let (layer, panels, parts, x) = (view.layer, view.panels, view.parts, view.x);
    let norm = view.params(&places.norm1);
    let qk_norm = match (&places.q_norm, &places.k_norm) {
        (Some(q_norm), Some(k_norm)) => Some((view.params(q_norm), view.params(k_norm))),
        _ => None,
    };
    let table = view.model.angles(positions.iter().max().map_or(0, |p| p + 1));
    let partial_width = d + 2 * dim;
    for start in (0..positions.len()).step_by(block_rows()) {
        let block = start..(start + block_rows()).min(positions.len());
        let dmiddle = &b.dmiddle;
        let [dx, dqkv] = [&mut b.dx, &mut b.dqkv].map(|buffer| Shared::new(buffer));
        let operands = b.operands.qkv.prepare((width, d), block.len(), view.base, &parts.qkv);
        with_partials(block, partial_width, &mut b.partial, |rows, partial| {
            let (dnorm, dqk_norm) = partial.split_at_mut(d);
            let (dq_norm, dk_norm) = dqk_norm.split_at_mut(dim);
            // SAFETY: each row belongs to one task.
            let (dx, dqkv) = unsafe { (dx.rows(&rows, d), dqkv.rows(&rows, width)) };
            with_scratch(q + kv + rows.len() * d, |scratch| {
                let (dhead, dnormed) = scratch.split_at_mut(q + kv);
                for (row, dqkv) in rows.clone().zip(dqkv.chunks_exact_mut(width)) {
                    rope::backward(&mut dqkv[..q + kv], table.at(positions[row]));
                    if let Some((q_norm, k_norm)) = qk_norm {
                        let raw = &layer.raw[row * width..row * width + q + kv];
                        let inverse = &layer.inverse_qk[row * heads..(row + 1) * heads];
                        let (q_inverse, k_inverse) = inverse.split_at(config.num_heads);
                        dhead.copy_from_slice(&dqkv[..q + kv]);
                        dqkv[..q + kv].fill(F::ZERO);
                        rmsnorm::backward(&raw[..q], q_norm, q_inverse, &dhead[..q], &mut dqkv[..q], dq_norm);
                        rmsnorm::backward(&raw[q..], k_norm, k_inverse, &dhead[q..], &mut dqkv[q..q + kv], dk_norm);
                    }
                }
                let (x, inverse) = (par::rows(x, &rows, d), &layer.inverse1[rows.clone()]);
                // SAFETY: as above, for the rows of the operands.
                unsafe {
                    operands.backward(rows.start - start, dqkv, &panels.qkv, dnormed);
                    dx.copy_from_slice(par::rows(dmiddle, &rows, d));
                    rmsnorm::backward(x, norm, inverse, dnormed, dx, dnorm);
                    let normed = dnormed;
                    rmsnorm::again(x, norm, inverse, normed);
                    operands.inputs(rows.start - start, normed);
                }
            });
        });
        weight_grads(view.base, grads, &[(&b.operands.qkv, &places.qkv, &places.qkv_bias, &parts.qkv)]);
        if view.base.is_none() {
            continue;
        }
        for partial in b.partial.chunks_exact(partial_width) {
            linear::add(&partial[..d], &mut grads[places.norm1.clone()]);
            if let (Some(q_norm), Some(k_norm)) = (&places.q_norm, &places.k_norm) {
                linear::add(&partial[d..d + dim], &mut grads[q_norm.clone()]);
                linear::add(&partial[d + dim..], &mut grads[k_norm.clone()]);
            }
        }
    }
}
