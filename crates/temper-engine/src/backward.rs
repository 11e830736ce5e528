//! The backward pass over the layers of a packed batch.

use std::ops::Range;

use crate::forward::heads;
use crate::kernels::columns::{Columns, Side};
use crate::model::Model;
use crate::ops::attention_backward::{self, Segment};
use crate::ops::linear::{self, WeightGrad};
use crate::ops::rows::{View, ViewMut};
use crate::ops::{embedding, rmsnorm, rope, swiglu};
use crate::par::{self, ROWS, Shared, block_rows};
use crate::real::{Real, with_scratch};
use crate::weights::LayerPanels;
use crate::workspace::{Backward, HeadRows, Layer, Workspace};
use crate::{ModelConfig, Packed};

/// A layer's index, packed weights and saved values.
struct Saved<'a, F> {
    model: &'a Model<F>,
    index: usize,
    panels: &'a LayerPanels<F>,
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
    final_norm(model, &work.head, &mut work.backward, grads);
    let panels = model.backward_panels();
    for index in (0..config.num_layers).rev() {
        let view = Saved { model, index, panels: &panels.layers[index], layer: &work.layers[index], x: &work.x[index] };
        let (positions, b) = (&work.positions, &mut work.backward);
        feed_forward(&view, b, grads);
        attention(&view, batch, b);
        attention_inputs(&view, positions, b, grads);
    }
    embedding::backward(&work.backward.dx, &batch.ids, d, &mut grads[model.places.embedding.clone()]);
}

/// From the gradient of the head's rows to that of the last layer's output.
fn final_norm<F: Real>(model: &Model<F>, rows: &HeadRows<F>, b: &mut Backward<F>, grads: &mut [F]) {
    let d = model.config().hidden_size;
    let weight = &model.params()[model.places.norm.clone()];
    b.dx.fill(F::ZERO);
    let (dx, dhidden) = (Shared::new(&mut b.dx), &b.dhidden);
    with_partials(0..rows.tokens.len(), d, &mut b.partial, |range, dweight| {
        let dhidden = dhidden[range.start * d..range.end * d].chunks_exact(d);
        let x = rows.x[range.start * d..range.end * d].chunks_exact(d);
        for (i, (dhidden, x)) in range.zip(dhidden.zip(x)) {
            let t = rows.tokens[i];
            // SAFETY: each row precedes one selected token, which belongs to one task.
            let dx = unsafe { dx.range((t - 1) * d..t * d) };
            rmsnorm::backward(x, weight, &rows.inverse[i..=i], dhidden, dx, dweight);
        }
    });
    rmsnorm::add_rows(&b.partial, &mut grads[model.places.norm.clone()]);
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
    let (layer, panels) = (view.layer, view.panels);
    let norm = view.params(&places.norm2);
    let precision = view.model.precision();
    let tokens = b.dx.len() / d;
    for start in (0..tokens).step_by(block_rows()) {
        let block = start..(start + block_rows()).min(tokens);
        let (n, dx) = (block.len(), &b.dx);
        let [dmiddle, dattended] = [&mut b.dmiddle, &mut b.dattended].map(|buffer| Shared::new(buffer));
        let c = &mut b.columns;
        let dx_columns = c.dx.prepare(Side::Left, d, n, precision);
        let activated_columns = c.activated.prepare(Side::Right, f, n, precision);
        let dgate_up_columns = c.dgate_up.prepare(Side::Left, 2 * f, n, precision);
        let normed_columns = c.normed2.prepare(Side::Right, d, n, precision);
        let dmiddle_columns = c.dmiddle.prepare(Side::Left, d, n, precision);
        let attended_columns = c.attended.prepare(Side::Right, q, n, precision);
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
                linear::backward_input(dx, &panels.down, dactivated);
                let gate_up = par::rows(&layer.gate_up, &rows, 2 * f);
                swiglu::backward(gate_up, f, dactivated, dgate_up, activated);
                linear::backward_input(dgate_up, &panels.gate_up, dnormed);
                dmiddle.copy_from_slice(dx);
                rmsnorm::backward(middle, norm, inverse, dnormed, dmiddle, dnorm);
                linear::backward_input(dmiddle, &panels.o, dattended);
                let normed = dnormed;
                rmsnorm::again(middle, norm, inverse, normed);
                // SAFETY: as above.
                unsafe {
                    dx_columns.write(first, dx);
                    activated_columns.write(first, activated);
                    dgate_up_columns.write(first, dgate_up);
                    normed_columns.write(first, normed);
                    dmiddle_columns.write(first, dmiddle);
                    attended_columns.write(first, par::rows(&layer.attended, &rows, q));
                }
            });
        });
        rmsnorm::add_rows(&b.partial, &mut grads[places.norm2.clone()]);
        let c = &b.columns;
        weight_grads(
            grads,
            &[
                (&c.dx, &c.activated, &places.down, &places.down_bias),
                (&c.dgate_up, &c.normed2, &places.gate_up, &places.gate_up_bias),
                (&c.dmiddle, &c.attended, &places.o, &places.o_bias),
            ],
        );
    }
}

type WeightPart<'a, F> = (&'a Columns<F>, &'a Columns<F>, &'a Range<usize>, &'a Option<Range<usize>>);

/// Adds the gradients of weights (and biases), given the gradient of the output, the input and the place of each.
fn weight_grads<F: Real>(grads: &mut [F], parts: &[WeightPart<F>]) {
    let grads = Shared::new(grads);
    let mut jobs = Vec::new();
    for &(dy, x, place, bias) in parts {
        // SAFETY: places of different tensors are disjoint.
        let at = |range: &Range<usize>| Shared::new(unsafe { grads.range(range.clone()) });
        jobs.push(WeightGrad { dy, x, dw: at(place), db: bias.as_ref().map(at) });
    }
    linear::add_weight_grads(&jobs);
}

/// Attention: from `dattended` to `dqkv`, the gradients of rotated queries and keys, and of values.
fn attention<F: Real>(view: &Saved<F>, batch: &Packed, b: &mut Backward<F>) {
    let config = view.config();
    let heads = heads::<F>(config, view.index);
    let (dim, group) = (heads.dim, heads.group);
    let (q, kv) = (config.q_size(), config.kv_size());
    let width = q + 2 * kv;
    let layer = view.layer;
    let dattended = &b.dattended;
    let dqkv = Shared::new(&mut b.dqkv);
    par::tasks(batch.segments() * config.num_kv_heads, |task| {
        let segment = batch.range(task / config.num_kv_heads);
        let kv_head = task % config.num_kv_heads;
        let first = kv_head * group * dim;
        let columns = [first, q + kv_head * dim, q + kv + kv_head * dim];
        let [query, key, value] =
            columns.map(|column| View { data: &layer.qkv, start: segment.start * width + column, row: width });
        // SAFETY: each head of each row belongs to one task.
        let [dquery, dkey, dvalue] =
            columns.map(|column| unsafe { ViewMut::new(dqkv, segment.start * width + column, width) });
        let heads_view = |data| View { data, start: segment.start * q + first, row: q };
        let log_sums = View {
            data: &layer.log_sums,
            start: segment.start * config.num_heads + kv_head * group,
            row: config.num_heads,
        };
        let (out, dout) = (heads_view(&layer.attended), heads_view(dattended));
        let inputs = Segment { query, key, value, out, log_sums, dout, dquery, dkey, dvalue };
        attention_backward::backward(heads, segment.len(), &inputs);
    });
}

/// From `dqkv` through rotation, QK-norm, projections and the first norm to `dx`, the gradient of the layer's input, and the
/// gradients of these weights.
fn attention_inputs<F: Real>(view: &Saved<F>, positions: &[usize], b: &mut Backward<F>, grads: &mut [F]) {
    let config = view.config();
    let places = &view.model.places.layers[view.index];
    let (d, q, kv, dim) = (config.hidden_size, config.q_size(), config.kv_size(), config.head_dim);
    let (width, heads) = (q + 2 * kv, config.num_heads + config.num_kv_heads);
    let (layer, panels, x) = (view.layer, view.panels, view.x);
    let norm = view.params(&places.norm1);
    let qk_norm = match (&places.q_norm, &places.k_norm) {
        (Some(q_norm), Some(k_norm)) => Some((view.params(q_norm), view.params(k_norm))),
        _ => None,
    };
    let table = view.model.angles(positions.iter().max().map_or(0, |p| p + 1));
    let partial_width = d + 2 * dim;
    let precision = view.model.precision();
    for start in (0..positions.len()).step_by(block_rows()) {
        let block = start..(start + block_rows()).min(positions.len());
        let dmiddle = &b.dmiddle;
        let [dx, dqkv] = [&mut b.dx, &mut b.dqkv].map(|buffer| Shared::new(buffer));
        let dqkv_columns = b.columns.dqkv.prepare(Side::Left, width, block.len(), precision);
        let normed_columns = b.columns.normed1.prepare(Side::Right, d, block.len(), precision);
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
                linear::backward_input(dqkv, &panels.qkv, dnormed);
                dx.copy_from_slice(par::rows(dmiddle, &rows, d));
                rmsnorm::backward(x, norm, inverse, dnormed, dx, dnorm);
                let normed = dnormed;
                rmsnorm::again(x, norm, inverse, normed);
                // SAFETY: as above.
                unsafe {
                    dqkv_columns.write(rows.start - start, dqkv);
                    normed_columns.write(rows.start - start, normed);
                }
            });
        });
        for partial in b.partial.chunks_exact(partial_width) {
            linear::add(&partial[..d], &mut grads[places.norm1.clone()]);
            if let (Some(q_norm), Some(k_norm)) = (&places.q_norm, &places.k_norm) {
                linear::add(&partial[d..d + dim], &mut grads[q_norm.clone()]);
                linear::add(&partial[d + dim..], &mut grads[k_norm.clone()]);
            }
        }
        weight_grads(grads, &[(&b.columns.dqkv, &b.columns.normed1, &places.qkv, &places.qkv_bias)]);
    }
}
