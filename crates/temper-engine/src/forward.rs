//! The forward pass: row-wise phases, which training and decoding share, and the layers of a packed batch.

use std::ops::Range;

use crate::model::Model;
use crate::ops::attention::{self, Heads, Inputs, Keys, Operand};
use crate::ops::rows::{View, ViewMut};
use crate::ops::{linear, rmsnorm, rope, swiglu};
use crate::par::{self, ROWS, Shared};
use crate::real::{Real, with_scratch};
use crate::weights::{LayerPanels, LayerParts, LayerPlaces};
use crate::workspace::{HeadRows, Layer, Workspace, fit};
use crate::{ModelConfig, Packed};

/// Rows of queries of one attention task.
const QUERY_ROWS: usize = 192;

/// One layer's weights, as the row-wise phases need them.
pub struct LayerView<'a, F> {
    pub config: &'a ModelConfig,
    pub params: &'a [F],
    pub places: &'a LayerPlaces,
    pub panels: &'a LayerPanels<F>,
    pub parts: &'a LayerParts<F>,
}

impl<F: Real> LayerView<'_, F> {
    fn vector(&self, place: &Option<Range<usize>>) -> Option<&[F]> {
        place.as_ref().map(|range| &self.params[range.clone()])
    }

    fn eps(&self) -> F {
        F::from_f64(self.config.rms_norm_eps)
    }

    /// From the residual stream `x` to rotated queries and keys, and values, for some rows. `angles(r)` are the cosines and
    /// sines of row `r`. With QK-norm, `raw` gets the projections before it and `inverse_qk` the inverse norms of the
    /// heads; else both are empty.
    pub fn attention_inputs<'t>(
        &self,
        x: &[F],
        angles: impl Fn(usize) -> &'t [F],
        inverse: &mut [F],
        raw: &mut [F],
        inverse_qk: &mut [F],
        qkv: &mut [F],
    ) where
        F: 't,
    {
        let config = self.config;
        let (d, q, kv) = (config.hidden_size, config.q_size(), config.kv_size());
        let bias = self.vector(&self.places.qkv_bias);
        with_scratch(x.len(), |normed| {
            rmsnorm::forward(x, &self.params[self.places.norm1.clone()], self.eps(), normed, inverse);
            let to = if config.qk_norm { &mut *raw } else { &mut *qkv };
            linear::forward(normed, &self.panels.qkv, &self.parts.qkv, bias, None, to);
        });
        let heads = config.num_heads + config.num_kv_heads;
        let width = q + 2 * kv;
        for r in 0..x.len() / d {
            let row = &mut qkv[r * width..(r + 1) * width];
            if let (Some(q_norm), Some(k_norm)) = (self.vector(&self.places.q_norm), self.vector(&self.places.k_norm)) {
                let raw = &raw[r * width..(r + 1) * width];
                let (q_inverse, k_inverse) = inverse_qk[r * heads..(r + 1) * heads].split_at_mut(config.num_heads);
                rmsnorm::forward(&raw[..q], q_norm, self.eps(), &mut row[..q], q_inverse);
                rmsnorm::forward(&raw[q..q + kv], k_norm, self.eps(), &mut row[q..q + kv], k_inverse);
                row[q + kv..].copy_from_slice(&raw[q + kv..]);
            }
            rope::forward(&mut row[..q + kv], angles(r));
        }
    }

    /// From attention's result and the layer's input `x` to the layer's output, for some rows. `middle` gets the residual
    /// stream between attention and feed-forward. An empty `out` is not computed.
    pub fn outputs(
        &self,
        attended: &[F],
        x: &[F],
        middle: &mut [F],
        inverse: &mut [F],
        gate_up: &mut [F],
        out: &mut [F],
    ) {
        let places = self.places;
        linear::forward(attended, &self.panels.o, &self.parts.o, self.vector(&places.o_bias), Some(x), middle);
        with_scratch(x.len() + gate_up.len() / 2, |scratch| {
            let (normed, activated) = scratch.split_at_mut(x.len());
            rmsnorm::forward(middle, &self.params[places.norm2.clone()], self.eps(), normed, inverse);
            linear::forward(
                normed,
                &self.panels.gate_up,
                &self.parts.gate_up,
                self.vector(&places.gate_up_bias),
                None,
                gate_up,
            );
            if out.is_empty() {
                return;
            }
            swiglu::forward(gate_up, self.config.intermediate_size, activated);
            linear::forward(
                activated,
                &self.panels.down,
                &self.parts.down,
                self.vector(&places.down_bias),
                Some(middle),
                out,
            );
        });
    }
}

/// Widths that attention of `layer` needs.
pub fn heads<F: Real>(config: &ModelConfig, layer: usize) -> Heads<F> {
    Heads {
        dim: config.head_dim,
        group: config.num_heads / config.num_kv_heads,
        scale: F::from_f64(1.0 / (config.head_dim as f64).sqrt()),
        window: config.sliding_window.get(layer).copied().flatten(),
    }
}

/// One piece of attention's work: rows of a segment for one key-value head.
struct Piece {
    /// What the segment continues.
    prefix: Range<usize>,
    segment: Range<usize>,
    rows: Range<usize>,
    kv_head: usize,
}

/// Runs all layers over the batch. Afterwards `work.x[l]` is the input of layer `l` (of the last layers only, if the
/// workspace has fewer buffers), and the result is the index of the buffer with the output of the last layer.
pub fn layers<F: Real>(model: &Model<F>, batch: &Packed, adapter: bool, work: &mut Workspace<F>) -> usize {
    let config = model.config();
    let (d, t) = (config.hidden_size, batch.len());
    let table = model.angles(batch.longest());
    let count = work.streams;
    let positions = &work.positions;
    {
        let x = Shared::new(&mut work.x[0]);
        par::chunks(t, ROWS, |rows| {
            // SAFETY: each row belongs to one task.
            model.embed(&batch.ids[rows.clone()], unsafe { x.rows(&rows, d) });
        });
    }
    for index in 0..config.num_layers {
        let view = model.layer(index, adapter);
        let slot = index % work.slots;
        let layer = &mut work.layers[slot];
        inputs_phase(&view, &work.x[index % count], positions, |p| table.at(p), layer);
        attention_phase(model, index, batch, layer);
        let (from, to) = (index % count, (index + 1) % count);
        let [x, out] = work.x.get_disjoint_mut([from, to]).unwrap_or_else(|_| unreachable!("at least two buffers"));
        outputs_phase(&view, x, layer, out);
    }
    config.num_layers % count
}

/// Computes again what the backward of layer `index` needs from its forward, from the layer's input, into the workspace's
/// only slot: the same bits as in [`layers`].
pub fn again<F: Real>(model: &Model<F>, batch: &Packed, index: usize, work: &mut Workspace<F>) {
    let view = model.layer(index, true);
    let table = model.angles(batch.longest());
    let (x, layer) = (&work.x[index], &mut work.layers[0]);
    inputs_phase(&view, x, &work.positions, |p| table.at(p), layer);
    attention_phase(model, index, batch, layer);
    outputs_phase(&view, x, layer, &mut []);
}

fn inputs_phase<'t, F: Real>(
    view: &LayerView<F>,
    x: &[F],
    positions: &[usize],
    angles: impl Fn(usize) -> &'t [F] + Sync,
    layer: &mut Layer<F>,
) {
    let config = view.config;
    let (d, width) = (config.hidden_size, config.q_size() + 2 * config.kv_size());
    let heads = config.num_heads + config.num_kv_heads;
    let [inverse1, raw, inverse_qk, qkv] =
        [&mut layer.inverse1, &mut layer.raw, &mut layer.inverse_qk, &mut layer.qkv].map(|b| Shared::new(b));
    let norm = usize::from(config.qk_norm);
    par::chunks(positions.len(), ROWS, |rows| {
        // SAFETY: each row belongs to one task.
        unsafe {
            view.attention_inputs(
                par::rows(x, &rows, d),
                |r| angles(positions[rows.start + r]),
                inverse1.range(rows.clone()),
                raw.rows(&rows, width * norm),
                inverse_qk.rows(&rows, heads * norm),
                qkv.rows(&rows, width),
            );
        }
    });
}

fn attention_phase<F: Real>(model: &Model<F>, index: usize, batch: &Packed, layer: &mut Layer<F>) {
    if model.pairs() {
        attend::<F, u32>(model.config(), index, batch, layer);
    } else {
        attend::<F, F>(model.config(), index, batch, layer);
    }
}

/// Attention of layer `index`: from `layer.qkv` to `layer.attended` and `layer.log_sums`.
pub fn attend<F: Real, E: Operand<F>>(config: &ModelConfig, index: usize, batch: &Packed, layer: &mut Layer<F>) {
    let heads = heads::<F>(config, index);
    let (dim, group, padded) = (heads.dim, heads.group, heads.padded());
    let (q, kv) = (config.q_size(), config.kv_size());
    let width = q + 2 * kv;
    let mut pieces = Vec::new();
    for (prefix, segment) in (0..batch.segments()).map(|i| (batch.prefix(i), batch.range(i))) {
        for start in (0..segment.len()).step_by(QUERY_ROWS) {
            let rows = start..(start + QUERY_ROWS).min(segment.len());
            pieces.extend((0..config.num_kv_heads).map(|kv_head| Piece {
                prefix: prefix.clone(),
                segment: segment.clone(),
                rows: rows.clone(),
                kv_head,
            }));
        }
    }
    let (out, sums) = (Shared::new(&mut layer.attended), Shared::new(&mut layer.log_sums));
    let qkv = &layer.qkv;
    par::tasks(pieces.len(), |i| {
        let Piece { prefix, segment, rows, kv_head } = &pieces[i];
        let position = prefix.len() + rows.start;
        let (first, end) = (heads.first(position) / attention::BLOCK * attention::BLOCK, prefix.len() + rows.end);
        let (key_at, value_at) = (q + kv_head * dim, q + kv + kv_head * dim);
        let keys = E::keys_size(end, dim);
        E::with(keys + E::values_size(end, padded), |scratch| {
            let (keys, values) = scratch.split_at_mut(keys);
            let block = E::keys_size(1, dim);
            let tail = keys.len() - block;
            keys[tail..].fill(E::default());
            if padded > dim {
                values.fill(E::default());
            }
            let rows_at = |row: usize, column: usize| View { data: qkv, start: row * width + column, row: width };
            // The prefix's positions, then the segment's own.
            let split = prefix.len().max(first);
            let own = segment.start + split - prefix.len();
            for (position, count, row) in [(first, split - first, prefix.start + first), (split, end - split, own)] {
                if count > 0 {
                    E::pack_keys(keys, position, count, dim, rows_at(row, key_at));
                    E::pack_values(values, position, count, dim, padded, rows_at(row, value_at));
                }
            }
            let start = segment.start + rows.start;
            let queries = rows_at(start, kv_head * group * dim);
            let shared = Keys { keys: &[][..], values: &[] };
            let inputs = Inputs { heads, queries, position, split: 0, shared, own: Keys { keys, values } };
            // SAFETY: each head of each row belongs to one task.
            let (out, sums) = unsafe {
                (
                    ViewMut::new(out, start * q + kv_head * group * dim, q),
                    ViewMut::new(sums, start * config.num_heads + kv_head * group, config.num_heads),
                )
            };
            attention::forward(&inputs, rows.len(), out, Some(sums));
        });
    });
}

fn outputs_phase<F: Real>(view: &LayerView<F>, x: &[F], layer: &mut Layer<F>, out: &mut [F]) {
    let config = view.config;
    let (d, q, f) = (config.hidden_size, config.q_size(), config.intermediate_size);
    let attended = &layer.attended;
    let [middle, inverse2, gate_up] =
        [&mut layer.middle, &mut layer.inverse2, &mut layer.gate_up].map(|b| Shared::new(b));
    let wanted = usize::from(!out.is_empty());
    let out = Shared::new(out);
    par::chunks(x.len() / d, ROWS, |rows| {
        // SAFETY: each row belongs to one task.
        unsafe {
            view.outputs(
                par::rows(attended, &rows, q),
                par::rows(x, &rows, d),
                middle.rows(&rows, d),
                inverse2.range(rows.clone()),
                gate_up.rows(&rows, 2 * f),
                out.rows(&rows, d * wanted),
            );
        }
    });
}

/// Collects the rows of `x`, the output of the last layer, that precede the selected tokens, and normalises them. The
/// first tokens of segments that continue one segment all follow its last row.
pub fn head_rows<F: Real>(model: &Model<F>, batch: &Packed, select: &[bool], x: &[F], rows: &mut HeadRows<F>) {
    rows.clear();
    for segment in 0..batch.segments() {
        let (range, prefix) = (batch.range(segment), batch.prefix(segment));
        for t in range.clone().filter(|t| select[*t]) {
            if t > range.start {
                rows.push(t, batch.ids[t], t - 1);
            } else if !prefix.is_empty() {
                rows.shared.push(rows.tokens.len());
                rows.push(t, batch.ids[t], prefix.end - 1);
            }
        }
    }
    normalise(model, x, rows);
}

/// Collects the last row of each segment that has one, for a reward model's head; `tokens` holds the segments.
pub fn last_rows<F: Real>(model: &Model<F>, batch: &Packed, x: &[F], rows: &mut HeadRows<F>) {
    rows.clear();
    for segment in 0..batch.segments() {
        let range = batch.range(segment);
        if !range.is_empty() {
            rows.push(segment, 0, range.end - 1);
        }
    }
    normalise(model, x, rows);
}

fn normalise<F: Real>(model: &Model<F>, x: &[F], rows: &mut HeadRows<F>) {
    let d = model.config().hidden_size;
    let count = rows.tokens.len();
    fit(&mut rows.inverse, count);
    fit(&mut rows.x, count * d);
    fit(&mut rows.hidden, count * d);
    let eps = F::from_f64(model.config().rms_norm_eps);
    let weight = &model.params()[model.places.norm.clone()];
    let sources = &rows.sources;
    let [to, inverse, hidden] = [&mut rows.x, &mut rows.inverse, &mut rows.hidden].map(|b| Shared::new(b));
    par::chunks(count, ROWS, |range| {
        // SAFETY: each row belongs to one task.
        let (to, inverse, hidden) =
            unsafe { (to.rows(&range, d), inverse.range(range.clone()), hidden.rows(&range, d)) };
        for (to, source) in to.chunks_exact_mut(d).zip(&sources[range]) {
            to.copy_from_slice(&x[source * d..(source + 1) * d]);
        }
        rmsnorm::forward(to, weight, eps, hidden, inverse);
    });
}

/// Checks what the entry points are given.
pub fn check<F: Real>(config: &ModelConfig, batch: &Packed, temperature: F, select: &[bool]) {
    assert_eq!(select.len(), batch.len(), "`select` has one entry per token");
    assert!(temperature > F::ZERO, "the temperature is positive");
    assert!(config.num_labels.is_none(), "a reward model has no head for tokens");
    check_batch(config, batch);
}

/// Checks that a batch is whole and fits the model.
pub fn check_batch(config: &ModelConfig, batch: &Packed) {
    assert_eq!(batch.offsets.last().copied().unwrap_or(0), batch.len(), "the last offset is the number of tokens");
    let children = batch.parents.iter().enumerate().filter_map(|(i, parent)| Some((i, (*parent)?)));
    for (i, parent) in children {
        assert!(parent < i && batch.parent(parent).is_none(), "segment {i} cannot continue segment {parent}");
    }
    assert!(batch.parents.len() <= batch.segments(), "a parent for each segment at most");
    check_ids(config, &batch.ids);
}

/// Checks that every id is a row of the embedding.
pub fn check_ids(config: &ModelConfig, ids: &[u32]) {
    if let Some(id) = ids.iter().find(|id| **id as usize >= config.vocab_size) {
        panic!("token id {id} is outside the model's vocabulary of {}", config.vocab_size);
    }
}
