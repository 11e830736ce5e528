//! Models whose matrices are not trained: held packed, in bf16, int8 or NF4, without an f32 copy.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::kernels::panels::{Direction, Format, Panels};
use crate::memory::give_back;
use crate::model::{TensorInfo, layout};
use crate::weights::{Formats, ModelPanels, PackedWeights};
use crate::{Frozen, Model, ModelConfig, Precision, Projection, Real};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// Names, shapes and places of a frozen model's tensors: only norms, biases and a reward model's head are in the arena.
fn frozen_layout(config: &ModelConfig) -> Vec<TensorInfo> {
    let mut tensors = layout(config);
    let mut end = 0;
    for tensor in &mut tensors {
        let start = end;
        if tensor.shape.len() == 1 || tensor.name == "score.weight" {
            end += tensor.elements();
            tensor.range = start..end;
        } else {
            tensor.range = 0..0;
        }
    }
    tensors
}

/// Matrices that are packed together, by projection.
const FUSED: [&[Projection]; 4] = [
    &[Projection::Q, Projection::K, Projection::V],
    &[Projection::O],
    &[Projection::Gate, Projection::Up],
    &[Projection::Down],
];

impl<F: Real> Model<F> {
    /// A frozen model. `fetch` fills in one tensor after the other, so that no more than one matrix exists unpacked.
    pub(crate) fn frozen_from<E>(
        config: ModelConfig,
        frozen: Frozen,
        precision: Precision,
        mut fetch: impl FnMut(&TensorInfo, &mut [F]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let tensors = frozen_layout(&config);
        let values = tensors.iter().map(|t| t.range.len()).sum();
        let mut params = vec![F::ZERO; values];
        for tensor in tensors.iter().filter(|tensor| !tensor.range.is_empty()) {
            fetch(tensor, &mut params[tensor.range.clone()])?;
        }
        let formats = Formats::new(Some(frozen), precision);
        let mut forward = ModelPanels::new(&config, Direction::Forward, formats);
        let mut backward = ModelPanels::new(&config, Direction::Backward, formats);
        let find = |name: &str| tensors.iter().find(|t| t.name == name);
        let mut buffer = Vec::new();
        let mut fetch_all = |names: &[String], buffer: &mut Vec<F>| -> Result<(), E> {
            buffer.clear();
            for tensor in names.iter().filter_map(|name| find(name)) {
                let start = buffer.len();
                buffer.resize(start + tensor.elements(), F::ZERO);
                fetch(tensor, &mut buffer[start..])?;
            }
            Ok(())
        };
        for (index, (f, b)) in forward.layers.iter_mut().zip(&mut backward.layers).enumerate() {
            let targets = [
                (&mut f.qkv, &mut b.qkv),
                (&mut f.o, &mut b.o),
                (&mut f.gate_up, &mut b.gate_up),
                (&mut f.down, &mut b.down),
            ];
            for (projections, (f, b)) in FUSED.iter().zip(targets) {
                let names: Vec<String> = projections.iter().map(|p| format!("{}.weight", p.module(index))).collect();
                fetch_all(&names, &mut buffer)?;
                f.fill(&buffer);
                b.fill(&buffer);
            }
        }
        let (d, vocab) = (config.hidden_size, config.vocab_size);
        let has_head = forward.head.n > 0;
        let mut embedding = None;
        fetch_all(&[EMBEDDING.to_owned()], &mut buffer)?;
        if config.tie_word_embeddings && has_head {
            forward.head.fill(&buffer);
            backward.head.fill(&buffer);
        } else {
            let mut table = Panels::new(d, vocab, Direction::Forward, Format::Bf16, Precision::F32);
            table.fill(&buffer);
            embedding = Some(table);
            if has_head {
                fetch_all(&[HEAD.to_owned()], &mut buffer)?;
                forward.head.fill(&buffer);
                backward.head.fill(&buffer);
            }
        }
        let mut model = Model::with_params(config, tensors, params);
        model.frozen = Some(frozen);
        model.precision = precision;
        model.embedding = embedding;
        model.forward_panels = PackedWeights::made_of(forward);
        model.backward_panels = PackedWeights::made_of(backward);
        Ok(model)
    }

    /// Holds the matrices in `frozen` from now on and drops their f32 copy: then only an adapter can be trained. The copy's
    /// memory goes back to the system matrix by matrix.
    pub fn freeze(&mut self, frozen: Frozen) {
        let (config, precision) = (self.config.clone(), self.precision);
        let place = |model: &Self, tensor: &TensorInfo| {
            let from = model.tensors.iter().find(|t| t.name == tensor.name);
            from.unwrap_or_else(|| unreachable!("layouts have the same names")).clone()
        };
        let made: Result<Self, Infallible> = if self.frozen.is_some() {
            Self::frozen_from(config, frozen, precision, |tensor, out| {
                out.copy_from_slice(&self.tensor(&place(self, tensor)));
                Ok(())
            })
        } else {
            let mut params = std::mem::take(&mut self.params);
            Self::frozen_from(config, frozen, precision, |tensor, out| {
                let from = &mut params[place(self, tensor).range];
                out.copy_from_slice(from);
                give_back(from);
                Ok(())
            })
        };
        let Ok(mut model) = made;
        model.set_adapter(self.take_adapter());
        model.set_checkpointing(self.checkpointing());
        *self = model;
    }

    /// Values of one of [`Model::tensors`], also of a frozen model.
    pub fn tensor(&self, tensor: &TensorInfo) -> Cow<'_, [F]> {
        if self.frozen.is_none() || !tensor.range.is_empty() {
            return Cow::Borrowed(&self.params[tensor.range.clone()]);
        }
        let head = &self.forward_panels().head;
        let (panels, first) = match tensor.name.as_str() {
            EMBEDDING => (self.embedding.as_ref().unwrap_or(head), 0),
            HEAD => (head, 0),
            name => self.projection(name).unwrap_or_else(|| unreachable!("a matrix of the layout: {name}")),
        };
        let mut values = vec![F::ZERO; tensor.elements()];
        panels.unpack(first..first + tensor.shape[0], &mut values);
        Cow::Owned(values)
    }

    /// The packed matrix that holds the projection `name`, and its first row in it.
    fn projection(&self, name: &str) -> Option<(&Panels<F>, usize)> {
        let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
        let projection = Projection::from_name(rest.split('.').nth(1)?)?;
        let layer = &self.forward_panels().layers[layer.parse::<usize>().ok()?];
        let (q, kv) = (self.config.q_size(), self.config.kv_size());
        Some(match projection {
            Projection::Q => (&layer.qkv, 0),
            Projection::K => (&layer.qkv, q),
            Projection::V => (&layer.qkv, q + kv),
            Projection::O => (&layer.o, 0),
            Projection::Gate => (&layer.gate_up, 0),
            Projection::Up => (&layer.gate_up, self.config.intermediate_size),
            Projection::Down => (&layer.down, 0),
        })
    }

    /// Adds the adapter to the weights, `W += scale B A`, and takes it off. A frozen model becomes one in f32 again.
    pub fn merge_adapter(&mut self) {
        if self.frozen.is_some() {
            self.backward_panels.clear();
            let mut model = Model::zeros(self.config.clone());
            for (to, from) in layout(&self.config).iter().zip(&self.tensors) {
                model.params[to.range.clone()].copy_from_slice(&self.tensor(from));
            }
            model.precision = self.precision;
            model.set_adapter(self.take_adapter());
            model.set_checkpointing(self.checkpointing());
            *self = model;
        }
        let Some(adapter) = self.take_adapter() else { return };
        let (scale, r) = (F::from_f64(adapter.config.scale()), adapter.config.r);
        let tensors = self.tensors.clone();
        let params = self.params_mut();
        let place = |name: &str| tensors.iter().find(|t| t.name == name).map(|t| t.range.clone());
        for (layer, places) in adapter.places.iter().enumerate() {
            for (target, (a, b)) in adapter.config.targets.iter().zip(places) {
                let Some(range) = place(&format!("{}.weight", target.module(layer))) else { continue };
                let (a, b) = (&adapter.params[a.clone()], &adapter.params[b.clone()]);
                let inputs = a.len() / r;
                for (row, b) in params[range].chunks_exact_mut(inputs).zip(b.chunks_exact(r)) {
                    for (b, a) in b.iter().zip(a.chunks_exact(inputs)) {
                        let factor = scale * *b;
                        for (w, a) in row.iter_mut().zip(a) {
                            *w += factor * *a;
                        }
                    }
                }
            }
        }
        if let (Some(from), Some(to)) = (&adapter.score, place("score.weight")) {
            params[to].copy_from_slice(&adapter.params[from.clone()]);
        }
    }
}
