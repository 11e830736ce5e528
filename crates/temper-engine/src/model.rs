//! The model: one flat arena of parameters with named views.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use crate::forward::{self, LayerView};
use crate::kernels::panels::{Direction, Panels};
use crate::memory::huge_pages;
use crate::ops::embedding;
use crate::ops::head::{Head, Rows};
use crate::ops::rope::Table;
use crate::rng::Key;
use crate::simd::{bf16_pairs, simd};
use crate::weights::{Formats, LayerParts, ModelPanels, PackedWeights, Places};
use crate::workspace::{Workspace, fit};
use crate::{Adapter, Frozen, LoraConfig, ModelConfig, Packed, Precision, Real, backward, par};

/// Name, shape and place of a tensor in the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Hugging Face name.
    pub name: String,
    /// `[out, in]` for a projection, `[n]` for a norm or bias.
    pub shape: Vec<usize>,
    /// Elements in the arena; empty for a matrix of a frozen model.
    pub range: Range<usize>,
}

impl TensorInfo {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether weight decay applies: matrices yes, norms and biases no.
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// Names, shapes and places of all tensors of a model, in the order of the arena.
///
/// Tensors that are multiplied together lie side by side: query, key and value weights (and biases); gate and up
/// weights (and biases).
pub(crate) fn layout(config: &ModelConfig) -> Vec<TensorInfo> {
    let (d, f, hd) = (config.hidden_size, config.intermediate_size, config.head_dim);
    let (q, kv) = (config.q_size(), config.kv_size());
    let mut tensors: Vec<TensorInfo> = Vec::new();
    let mut add = |name: String, shape: &[usize]| {
        let start = tensors.last().map_or(0, |t| t.range.end);
        let end = start + shape.iter().product::<usize>();
        tensors.push(TensorInfo { name, shape: shape.to_vec(), range: start..end });
    };
    add("model.embed_tokens.weight".into(), &[config.vocab_size, d]);
    for layer in 0..config.num_layers {
        let name = |suffix: &str| format!("model.layers.{layer}.{suffix}");
        add(name("input_layernorm.weight"), &[d]);
        add(name("self_attn.q_proj.weight"), &[q, d]);
        add(name("self_attn.k_proj.weight"), &[kv, d]);
        add(name("self_attn.v_proj.weight"), &[kv, d]);
        if config.attention_bias.qkv {
            add(name("self_attn.q_proj.bias"), &[q]);
            add(name("self_attn.k_proj.bias"), &[kv]);
            add(name("self_attn.v_proj.bias"), &[kv]);
        }
        if config.qk_norm {
            add(name("self_attn.q_norm.weight"), &[hd]);
            add(name("self_attn.k_norm.weight"), &[hd]);
        }
        add(name("self_attn.o_proj.weight"), &[d, q]);
        if config.attention_bias.o {
            add(name("self_attn.o_proj.bias"), &[d]);
        }
        add(name("post_attention_layernorm.weight"), &[d]);
        add(name("mlp.gate_proj.weight"), &[f, d]);
        add(name("mlp.up_proj.weight"), &[f, d]);
        if config.mlp_bias {
            add(name("mlp.gate_proj.bias"), &[f]);
            add(name("mlp.up_proj.bias"), &[f]);
        }
        add(name("mlp.down_proj.weight"), &[d, f]);
        if config.mlp_bias {
            add(name("mlp.down_proj.bias"), &[d]);
        }
    }
    add("model.norm.weight".into(), &[d]);
    if let Some(labels) = config.num_labels {
        add("score.weight".into(), &[labels, d]);
    } else if !config.tie_word_embeddings {
        add("lm_head.weight".into(), &[config.vocab_size, d]);
    }
    tensors
}

/// A decoder-only transformer: parameters and how to run them.
#[derive(Debug)]
pub struct Model<F = f32> {
    pub(crate) config: ModelConfig,
    pub(crate) tensors: Vec<TensorInfo>,
    pub(crate) params: Vec<F>,
    pub(crate) precision: Precision,
    checkpointing: bool,
    adapter: Option<Adapter<F>>,
    parts: OnceLock<Vec<LayerParts<F>>>,
    no_parts: LayerParts<F>,
    pub(crate) frozen: Option<Frozen>,
    /// The embedding of a frozen model, where the head is not it.
    pub(crate) embedding: Option<Panels<F>>,
    pub(crate) places: Places,
    pub(crate) forward_panels: PackedWeights<F>,
    pub(crate) backward_panels: PackedWeights<F>,
    angles: Mutex<Arc<Table<F>>>,
    workspaces: Mutex<Vec<Workspace<F>>>,
}

impl<F: Real> Clone for Model<F> {
    fn clone(&self) -> Self {
        let mut model = Model::with_params(self.config.clone(), self.tensors.clone(), self.params.clone());
        model.precision = self.precision;
        model.checkpointing = self.checkpointing;
        model.adapter = self.adapter.clone();
        model.frozen = self.frozen;
        if self.frozen.is_some() {
            model.embedding = self.embedding.clone();
            model.forward_panels = PackedWeights::made_of(self.forward_panels().clone());
            model.backward_panels = PackedWeights::made_of(self.backward_panels().clone());
        }
        model
    }
}

impl<F: Real> Model<F> {
    /// A model with all parameters zero, to be filled through [`Model::params_mut`].
    pub fn zeros(config: ModelConfig) -> Self {
        let tensors = layout(&config);
        let n = tensors.last().map_or(0, |t| t.range.end);
        let params = vec![F::ZERO; n];
        huge_pages(&params);
        Self::with_params(config, tensors, params)
    }

    pub(crate) fn with_params(config: ModelConfig, tensors: Vec<TensorInfo>, params: Vec<F>) -> Self {
        let places = Places::new(&config, &tensors);
        Model {
            config,
            tensors,
            params,
            precision: Precision::F32,
            checkpointing: false,
            adapter: None,
            parts: OnceLock::new(),
            no_parts: LayerParts::default(),
            frozen: None,
            embedding: None,
            places,
            forward_panels: PackedWeights::default(),
            backward_panels: PackedWeights::default(),
            angles: Mutex::default(),
            workspaces: Mutex::default(),
        }
    }

    /// A model with random parameters: normal(0, 0.02), norms 1, biases 0. A function of `config` and `seed`.
    pub fn random(config: ModelConfig, seed: u64) -> Self {
        let mut model = Self::zeros(config);
        let key = Key::new(seed).fold_str("init");
        for tensor in &model.tensors {
            let values = &mut model.params[tensor.range.clone()];
            if tensor.shape.len() > 1 {
                let key = key.fold_str(&tensor.name);
                for (i, value) in values.iter_mut().enumerate() {
                    *value = F::from_f64(0.02 * key.fold(i as u64).normal());
                }
            } else if tensor.name.ends_with("norm.weight") {
                values.fill(F::from_f64(1.0));
            }
        }
        model
    }

    /// The same model in another number type.
    pub fn cast<G: Real>(&self) -> Model<G> {
        let mut model = Model::zeros(self.config.clone());
        for (to, from) in model.params.iter_mut().zip(&self.params) {
            *to = G::from_f64(from.to_f64());
        }
        model
    }

    /// Shape and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of parameters, without the adapter's.
    pub fn num_params(&self) -> usize {
        self.tensors.iter().map(TensorInfo::elements).sum()
    }

    /// All parameters, in the order of [`Model::tensors`]; of a frozen model, those of its norms and biases.
    pub fn params(&self) -> &[F] {
        &self.params
    }

    /// All parameters, to be changed. Packed copies of weights are renewed before their next use.
    pub fn params_mut(&mut self) -> &mut [F] {
        if self.frozen.is_none() {
            self.forward_panels.invalidate();
            self.backward_panels.invalidate();
        }
        &mut self.params
    }

    /// Whether the backward computes each layer's forward again instead of keeping it: less memory for activations, the
    /// same bits.
    pub fn set_checkpointing(&mut self, on: bool) {
        self.checkpointing = on;
    }

    /// Whether the backward computes each layer's forward again.
    pub fn checkpointing(&self) -> bool {
        self.checkpointing
    }

    /// Takes the adapter off.
    pub(crate) fn take_adapter(&mut self) -> Option<Adapter<F>> {
        self.parts = OnceLock::new();
        self.adapter.take()
    }

    /// How the base is held if it is not trained.
    pub fn frozen(&self) -> Option<Frozen> {
        self.frozen
    }

    /// Number format of matrix products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether attention multiplies pairs of bf16.
    pub(crate) fn pairs(&self) -> bool {
        self.precision == Precision::Bf16 && bf16_pairs()
    }

    /// Puts a new adapter on the model: from then on only it is trained (and the head of a reward model). At first it
    /// changes nothing, since its `B` is zero.
    pub fn add_adapter(&mut self, lora: LoraConfig, seed: u64) {
        let mut adapter = Adapter::random(&self.config, lora, seed);
        if let (Some(labels), Some(place)) = (self.config.num_labels, &self.places.score) {
            let values = &self.params[place.clone()];
            let shape = vec![labels, self.config.hidden_size];
            adapter.score = Some(adapter.add("score.weight".into(), shape, |i| values[i as usize].to_f64()));
        }
        self.set_adapter(Some(adapter));
    }

    /// Puts an adapter of this model's shape on it, in place of the one that is there, or takes it off.
    pub(crate) fn set_adapter(&mut self, adapter: Option<Adapter<F>>) {
        self.adapter = adapter;
        self.parts = OnceLock::new();
    }

    /// The adapter.
    pub fn adapter(&self) -> Option<&Adapter<F>> {
        self.adapter.as_ref()
    }

    /// The parameters that are trained: the adapter's if there is one, else all (of a frozen model none).
    pub fn trainable(&self) -> &[F] {
        match &self.adapter {
            Some(adapter) => &adapter.params,
            None if self.frozen.is_some() => &[],
            None => &self.params,
        }
    }

    /// The parameters that are trained, to be changed. Packed copies of weights are renewed before their next use.
    pub fn trainable_mut(&mut self) -> &mut [F] {
        self.parts = OnceLock::new();
        if self.adapter.is_none() {
            return if self.frozen.is_some() { &mut [] } else { self.params_mut() };
        }
        self.adapter.as_mut().map_or(&mut [], |adapter| &mut adapter.params)
    }

    /// Names, shapes and places of what [`Model::trainable`] holds.
    pub fn trainable_tensors(&self) -> &[TensorInfo] {
        match &self.adapter {
            Some(adapter) => &adapter.tensors,
            None if self.frozen.is_some() => &[],
            None => &self.tensors,
        }
    }

    /// Names, shapes and places of the tensors.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Weights packed for the forward.
    pub(crate) fn forward_panels(&self) -> &ModelPanels<F> {
        self.forward_panels.get(&self.places, &self.params, || self.new_panels(Direction::Forward))
    }

    /// Weights packed for the backward.
    pub(crate) fn backward_panels(&self) -> &ModelPanels<F> {
        self.backward_panels.get(&self.places, &self.params, || self.new_panels(Direction::Backward))
    }

    fn new_panels(&self, direction: Direction) -> ModelPanels<F> {
        ModelPanels::new(&self.config, direction, Formats::new(self.frozen, self.precision))
    }

    /// Writes the embeddings of `ids`, `[T, hidden]`.
    pub(crate) fn embed(&self, ids: &[u32], x: &mut [F]) {
        let d = self.config.hidden_size;
        if self.frozen.is_none() {
            return embedding::forward(&self.params[self.places.embedding.clone()], ids, d, x);
        }
        let table = self.embedding.as_ref().unwrap_or_else(|| &self.forward_panels().head);
        for (id, x) in ids.iter().zip(x.chunks_exact_mut(d)) {
            table.row(*id as usize, x);
        }
    }

    /// Packed adapters of layer `index`. As for [`PackedWeights::get`], nothing is locked while they are made.
    pub(crate) fn parts(&self, index: usize) -> &LayerParts<F> {
        let Some(adapter) = &self.adapter else { return &self.no_parts };
        if self.parts.get().is_none() {
            let parts = (0..self.config.num_layers).map(|i| LayerParts::new(&self.config, adapter, i)).collect();
            // If another thread was faster, its result is the same.
            let _ = self.parts.set(parts);
        }
        self.parts.get().map_or(&self.no_parts, |parts| &parts[index])
    }

    /// The weights of layer `index` for the forward, with its adapters or without.
    pub(crate) fn layer(&self, index: usize, adapter: bool) -> LayerView<'_, F> {
        LayerView {
            config: &self.config,
            params: &self.params,
            places: &self.places.layers[index],
            panels: &self.forward_panels().layers[index],
            parts: if adapter { self.parts(index) } else { &self.no_parts },
        }
    }

    /// Rotary angles of at least the positions `0..len`.
    pub(crate) fn angles(&self, len: usize) -> Arc<Table<F>> {
        let mut table = self.angles.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() < len {
            *table = Arc::new(Table::new(&self.config, len.next_power_of_two().max(256)));
        }
        table.clone()
    }

    pub(crate) fn with_workspace<R>(&self, f: impl FnOnce(&mut Workspace<F>) -> R) -> R {
        let pool = || self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = pool().pop().unwrap_or_default();
        let result = f(&mut work);
        pool().push(work);
        result
    }

    /// Takes the buffers that a batch of this shape needs, of which the log-probabilities of `rows` tokens are wanted, and
    /// packs the weights: afterwards a call of [`Model::backprop`] (or, without `backward`, of [`Model::score`]) takes little
    /// more memory.
    pub fn reserve(&self, batch: &Packed, rows: usize, backward: bool) {
        self.with_workspace(|work| {
            work.prepare(&self.config, batch, backward, self.checkpointing);
            let rows_of = rows * self.config.hidden_size;
            fit(&mut work.head.x, rows_of);
            fit(&mut work.head.hidden, rows_of);
            if backward {
                fit(&mut work.backward.dhidden, rows_of);
                if self.config.num_labels.is_none() {
                    work.backward.head.kept(rows, self.config.vocab_size);
                }
            }
        });
        par::in_pool(|| {
            self.forward_panels();
            if backward {
                self.backward_panels();
            }
        });
    }

    /// Frees buffers, and packed copies of weights, that are otherwise kept for the next call of [`Model::score`] or
    /// [`Model::backprop`].
    pub fn release_buffers(&mut self) {
        if self.frozen.is_none() {
            self.forward_panels.clear();
            self.backward_panels.clear();
        }
        self.workspaces.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Log-probabilities without gradient. `select[t]`: whether the log-probability of token `t` given the tokens
    /// before it in its sequence is wanted; at other positions, and at the first token of a sequence, the results are 0.
    /// Logits are divided by `temperature`.
    ///
    /// # Panics
    /// If a token id is not below `vocab_size`, `select` is not as long as the batch, or `temperature` is not positive.
    pub fn score(&self, batch: &Packed, temperature: F, select: &[bool]) -> TokenStats<F> {
        let pass = Pass { adapter: true, keep: false };
        self.with_workspace(|work| par::in_pool(|| self.run(batch, temperature, select, work, pass)))
    }

    /// As [`Model::score`], with the adapter off: the reference policy of a LoRA run.
    ///
    /// # Panics
    /// As for [`Model::score`].
    pub fn score_base(&self, batch: &Packed, temperature: F, select: &[bool]) -> TokenStats<F> {
        let pass = Pass { adapter: false, keep: false };
        self.with_workspace(|work| par::in_pool(|| self.run(batch, temperature, select, work, pass)))
    }

    /// The forward; leaves the head's rows and, if `keep`, what the backward needs in `work`.
    fn run(
        &self,
        batch: &Packed,
        temperature: F,
        select: &[bool],
        work: &mut Workspace<F>,
        pass: Pass,
    ) -> TokenStats<F> {
        forward::check(&self.config, batch, temperature, select);
        work.prepare(&self.config, batch, pass.keep, self.checkpointing);
        let last = forward::layers(self, batch, pass.adapter, work);
        forward::head_rows(self, batch, select, &work.x[last], &mut work.head);
        let rows = if pass.keep { work.head.targets.len() } else { 0 };
        let kept = work.backward.head.kept(rows, self.config.vocab_size);
        let results = self.head(temperature).stats(&work.head.hidden, &work.head.targets, kept);
        let mut stats = TokenStats::zeros(batch.len());
        for (t, result) in work.head.tokens.iter().zip(&results) {
            stats.logprobs[*t] = result.logprob;
            stats.entropy[*t] = result.entropy;
            stats.correct[*t] = result.correct;
        }
        stats
    }

    fn head(&self, temperature: F) -> Head<'_, F> {
        Head { weights: &self.forward_panels().head, inv_temperature: F::ONE / temperature, precision: self.precision }
    }

    /// Forward, loss and backward; adds the gradient to `grads`. `loss` maps the statistics of the selected tokens to
    /// the loss's derivative with respect to each log-probability (and entropy).
    ///
    /// # Panics
    /// As for [`Model::score`], or if `loss` returns derivatives of another length.
    pub fn backprop<L: FnOnce(&TokenStats<F>) -> TokenGrads<F>>(
        &self,
        batch: &Packed,
        temperature: F,
        select: &[bool],
        grads: &mut Grads<F>,
        loss: L,
    ) -> TokenStats<F> {
        self.with_workspace(|work| {
            let stats = par::in_pool(|| self.run(batch, temperature, select, work, Pass { adapter: true, keep: true }));
            let d = loss(&stats);
            let rows = &work.head;
            let pick = |values: &[F]| {
                assert_eq!(values.len(), batch.len(), "a derivative has one entry per token");
                rows.tokens.iter().map(|t| values[*t]).collect::<Vec<F>>()
            };
            let (dlogprobs, dentropy) = (pick(&d.logprobs), d.entropy.as_deref().map(pick));
            fit(&mut work.backward.dhidden, rows.hidden.len());
            let rows = Rows {
                hidden: &rows.hidden,
                targets: &rows.targets,
                dlogprob: &dlogprobs,
                dentropy: dentropy.as_deref(),
            };
            let b = &mut work.backward;
            par::in_pool(|| {
                let trained = self.adapter.is_none();
                let dweights = trained.then(|| &mut grads.values[self.places.head.clone()]);
                let transposed = &self.backward_panels().head;
                self.head(temperature).backward(transposed, &rows, &mut b.dhidden, dweights, &mut b.head);
            });
            par::in_pool(|| backward::layers(self, batch, work, &mut grads.values));
            stats
        })
    }
}

/// Which forward.
#[derive(Clone, Copy)]
struct Pass {
    /// Whether the adapter is on.
    adapter: bool,
    /// Whether a backward follows.
    keep: bool,
}

/// Per-token results, each of length `T`, 0 where not selected.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenStats<F> {
    /// Log-probability of the token given the tokens before it.
    pub logprobs: Vec<F>,
    /// Entropy in nats of the distribution that the token was drawn from.
    pub entropy: Vec<F>,
    /// Whether the token is the most probable one.
    pub correct: Vec<bool>,
}

impl<F: Real> TokenStats<F> {
    /// All zero.
    pub fn zeros(len: usize) -> Self {
        TokenStats { logprobs: vec![F::default(); len], entropy: vec![F::default(); len], correct: vec![false; len] }
    }
}

/// Derivatives of a loss, each of length `T`; values at unselected positions are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenGrads<F> {
    /// With respect to each log-probability.
    pub logprobs: Vec<F>,
    /// With respect to each entropy.
    pub entropy: Option<Vec<F>>,
}

/// Gradients whose squares one thread adds at a time.
const NORM_CHUNK: usize = 1 << 15;

simd! {
    fn sum_of_squares(values: &[F]) -> f64 {
        let mut lanes = [0.0; 16];
        let (blocks, rest) = values.as_chunks::<16>();
        for block in blocks {
            for i in 0..16 {
                let x = block[i].to_f64();
                lanes[i] += x * x;
            }
        }
        for (i, x) in rest.iter().enumerate() {
            lanes[i] += x.to_f64() * x.to_f64();
        }
        lanes.iter().sum()
    }
}

/// Euclidean norm, computed in `f64` in a fixed order.
pub(crate) fn norm<F: Real>(values: &[F]) -> f64 {
    let mut sums = vec![0.0; values.len().div_ceil(NORM_CHUNK)];
    values.par_chunks(NORM_CHUNK).map(sum_of_squares).collect_into_vec(&mut sums);
    sums.iter().sum::<f64>().sqrt()
}

/// Gradients of the parameters that are trained, in the layout of [`Model::trainable`].
#[derive(Clone, Debug)]
pub struct Grads<F = f32> {
    pub(crate) values: Vec<F>,
}

impl<F: Real> Grads<F> {
    /// Zero gradients for what `model` trains.
    pub fn zeros(model: &Model<F>) -> Self {
        let values = vec![F::default(); model.trainable().len()];
        huge_pages(&values);
        Grads { values }
    }

    /// Sets all to zero.
    pub fn zero(&mut self) {
        self.values.fill(F::default());
    }

    /// Euclidean norm over all parameters, computed in `f64` in a fixed order.
    pub fn norm(&self) -> f64 {
        norm(&self.values)
    }

    /// All gradients, in the order of [`Model::trainable_tensors`].
    pub fn as_slice(&self) -> &[F] {
        &self.values
    }

    /// All gradients, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [F] {
        &mut self.values
    }
}

impl Model<f32> {
    /// Chooses the number format of matrix products.
    pub fn set_precision(&mut self, precision: Precision) {
        if self.precision != precision {
            self.precision = precision;
            let panels = [&mut self.forward_panels, &mut self.backward_panels];
            if self.frozen.is_some() {
                panels.into_iter().for_each(|panels| panels.set_precision(precision));
            } else {
                panels.into_iter().for_each(PackedWeights::clear);
            }
        }
    }
}
