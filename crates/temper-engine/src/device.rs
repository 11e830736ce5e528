//! What a device computes: one method for each operation of the transformer, forward and backward.
//!
//! Matrices are rows after rows, without padding. `T` is the number of tokens; it may be 0, all widths are at least 1.
//! Inputs are slices and results vectors on the host, so that implementations can be compared by
//! [`crate::conformance`]: how a device keeps its own buffers, fuses operations or saves values between forward and
//! backward is its own affair, as long as the results are those of the formulas here. A backward returns gradients and adds
//! to nothing; "gradient" is that of the loss `sum(y * dy)` where `y` is the forward's result.

mod cpu;

pub use cpu::Cpu;

use crate::{AdamWConfig, Frozen, Precision, SamplingParams};

/// The operations. A call that a device cannot carry out panics with the reason; the conformance suite reports it.
pub trait Device {
    /// Name in reports.
    fn name(&self) -> String;

    /// Rows of `table` `[V, width]`: `y[t] = table[ids[t]]`, `[T, width]`.
    fn embedding(&self, table: &[f32], width: usize, ids: &[u32]) -> Vec<f32>;

    /// Gradient of the table, `[vocab, width]`, given `dy` `[T, width]`: row `v` is the sum of `dy[t]` with `ids[t] = v`.
    fn embedding_backward(&self, vocab: usize, width: usize, ids: &[u32], dy: &[f32]) -> Vec<f32>;

    /// RMSNorm (arXiv 1910.07467) of rows of `weight.len() = D`: `y = w x / sqrt(mean(x^2) + eps)`, `[T, D]`.
    fn rmsnorm(&self, x: &[f32], weight: &[f32], eps: f32) -> Vec<f32>;

    /// Gradients of [`Device::rmsnorm`], given `dy` `[T, D]`.
    fn rmsnorm_backward(&self, x: &[f32], weight: &[f32], eps: f32, dy: &[f32]) -> NormGrads;

    /// Rotary position embedding (arXiv 2104.09864) of `x` `[T, heads, head_dim]`. With `(c, s)` from the table at
    /// `positions[t]`, element `i < head_dim / 2` of a head becomes `x_i c_i - x_j s_i` and element `j = i + head_dim / 2`
    /// becomes `x_j c_i + x_i s_i`.
    fn rope(&self, x: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32>;

    /// Gradient of `x`, given that of the result: the rotation transposed.
    fn rope_backward(&self, dy: &[f32], heads: usize, table: &RopeTable, positions: &[usize]) -> Vec<f32>;

    /// `y = (residual or 0) + x W^T + (bias or 0)`, `[T, out]`, of `x` `[T, in]`.
    ///
    /// With [`Precision::Bf16`] both operands of a product, here `x` and `W`, are rounded to the nearest bf16, ties to even,
    /// and sums are f32. That holds for every method with a precision.
    fn linear(
        &self,
        x: &[f32],
        weight: &Matrix,
        bias: Option<&[f32]>,
        residual: Option<&[f32]>,
        precision: Precision,
    ) -> Vec<f32>;

    /// Gradient of `x`, `dx = dy W`, `[T, in]`, given `dy` `[T, out]` (which is also the gradient of the residual). `W` has
    /// the same values as in the forward.
    fn linear_backward_input(&self, dy: &[f32], weight: &Matrix, precision: Precision) -> Vec<f32>;

    /// Gradients of a weight that is trained, `dW = dy^T x`, and of its bias, the sum of `dy` (with bf16, rounded or not).
    fn linear_backward_weight(
        &self,
        x: &[f32],
        inputs: usize,
        dy: &[f32],
        out: usize,
        precision: Precision,
    ) -> WeightGrads;

    /// Low-rank adapter (arXiv 2106.09685): `y` `[T, width]` with `scale (x A^T) B^T` added to its columns
    /// `first..first + out`, of `x` `[T, in]`. Products are in f32, whatever the precision of the others.
    fn adapter(&self, x: &[f32], adapter: &LowRank, y: &[f32]) -> Vec<f32>;

    /// Gradients of [`Device::adapter`], given `dy` `[T, width]` (which is also that of `y`).
    fn adapter_backward(&self, x: &[f32], adapter: &LowRank, dy: &[f32]) -> AdapterGrads;

    /// Causal grouped-query attention of each segment: `softmax(q k^T / sqrt(head_dim)) v`, `[T, heads * head_dim]`.
    /// `query` is `[T, heads, head_dim]`, `key` and `value` `[T, kv_heads, head_dim]`; query head `h` reads key-value head
    /// `h / (heads / kv_heads)`. A token sees its own key, those before it in its segment and, before these, all of the segment
    /// that this one continues; with a window the latest `window` of them, its own included.
    fn attention(&self, shape: &AttentionShape, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32>;

    /// Gradients of [`Device::attention`], given `dy` `[T, heads * head_dim]`.
    fn attention_backward(
        &self,
        shape: &AttentionShape,
        query: &[f32],
        key: &[f32],
        value: &[f32],
        dy: &[f32],
    ) -> AttentionGrads;

    /// SwiGLU (arXiv 2002.05202): of rows `[gate, up]`, each of `width`, `y = gate up / (1 + exp(-gate))`, `[T, width]`.
    fn swiglu(&self, gate_up: &[f32], width: usize) -> Vec<f32>;

    /// Gradient of `gate_up`, `[T, 2 width]`, given `dy` `[T, width]`.
    fn swiglu_backward(&self, gate_up: &[f32], width: usize, dy: &[f32]) -> Vec<f32>;

    /// Of each row of logits `z = hidden W^T / temperature`: `log softmax(z)` at the target, the entropy
    /// `-sum p log p` in nats, and whether the target is the largest logit (of equal ones, the first).
    fn head(&self, head: &HeadRows) -> HeadStats;

    /// Gradients of [`Device::head`], given those of the log-probabilities and of the entropies, `[R]` each.
    fn head_backward(&self, head: &HeadRows, dlogprobs: &[f32], dentropy: Option<&[f32]>) -> HeadGrads;

    /// One step of AdamW (arXiv 1711.05101) with PyTorch's clipping of the global norm. With `norm` that of all
    /// gradients, `g' = g min(1, max_grad_norm / (norm + 1e-6))`, `m' = beta1 m + (1 - beta1) g'`,
    /// `v' = beta2 v + (1 - beta2) g'^2`, and
    /// `p' = p (1 - lr weight_decay) - lr m' / (1 - beta1^step) / (sqrt(v' / (1 - beta2^step)) + eps)`, where
    /// `weight_decay` is 0 for tensors that do not decay.
    fn adamw(&self, step: &AdamWStep, grads: &[f32], before: &AdamWState) -> AdamWState;

    /// Euclidean norm of all gradients, to about `f64` precision. NaN or infinite if a gradient is.
    fn grad_norm(&self, grads: &[f32]) -> f64;

    /// Chooses a token from one row of logits `[V]` with the uniform number `u` in [0, 1), and gives its log-probability
    /// under the full softmax at the temperature. Of the tokens that `top_k`, then `top_p` leave, by falling probability
    /// (by id if none is cut off), the one is taken in whose share of [0, 1) `u` lies. At temperature 0 it is the first
    /// of the most probable ones, with its log-probability at temperature 1.
    fn draw(&self, logits: &[f32], params: &SamplingParams, u: f64) -> (u32, f32);
}

/// Cosines and sines for rotary position embedding.
#[derive(Clone, Copy, Debug)]
pub struct RopeTable<'a> {
    /// Width of a head; even.
    pub head_dim: usize,
    /// `[positions, 2, head_dim / 2]`: for each position the cosines, then the sines.
    pub values: &'a [f32],
}

impl<'a> RopeTable<'a> {
    /// Cosines and sines of a position, `[2, head_dim / 2]`.
    pub fn at(&self, position: usize) -> &'a [f32] {
        &self.values[position * self.head_dim..(position + 1) * self.head_dim]
    }
}

/// A weight as Hugging Face stores it, `[out, in]`, and how the device holds it.
///
/// A frozen weight's value is not the one given but the nearest that its format has. In [`Frozen::Bf16`] that is the nearest
/// bf16. The other two divide each row into blocks of 64 inputs (the last may be shorter) with `a` the largest magnitude of
/// a block; if `a` is 0 so are the values. [`Frozen::Int8`]: `code scale` with `scale = a / 127` and `code` the whole
/// number nearest to `w / scale`, ties to even. [`Frozen::Nf4`]: `level a` with `level` the one of the 16 of NormalFloat
/// (arXiv 2305.14314, appendix E) nearest to `w / a`. All this in f32; bf16 products round the value in turn.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Outputs.
    pub out: usize,
    /// Inputs.
    pub inputs: usize,
    /// `[out, in]`.
    pub values: &'a [f32],
    /// `None`: a weight that may be trained, in f32.
    pub frozen: Option<Frozen>,
}

/// An adapter on some columns of a result.
#[derive(Clone, Copy, Debug)]
pub struct LowRank<'a> {
    /// Rank.
    pub r: usize,
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub out: usize,
    /// `A`, `[r, in]`.
    pub a: &'a [f32],
    /// `B`, `[out, r]`.
    pub b: &'a [f32],
    /// Factor on the adapter's output.
    pub scale: f32,
    /// Width of the result.
    pub width: usize,
    /// First column of the result that the adapter adds to.
    pub first: usize,
}

/// Widths, segments and window of attention.
#[derive(Clone, Debug)]
pub struct AttentionShape<'a> {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Latest keys that a token sees, its own included; at least 1.
    pub window: Option<usize>,
    /// Start of each segment and, last, `T`. A segment may be empty.
    pub offsets: &'a [usize],
    /// For each segment the earlier one that it continues, which continues none itself. Empty: no segment does.
    pub parents: &'a [Option<usize>],
    /// With bf16 the operands of products (queries, keys, values, probabilities before or after division by their sum, `dy`,
    /// gradients of scores) may be rounded to bf16 or stay in f32; sums and the softmax are f32.
    pub precision: Precision,
}

/// Rows that go to the head.
#[derive(Clone, Copy, Debug)]
pub struct HeadRows<'a> {
    /// `[R, D]`.
    pub hidden: &'a [f32],
    /// `[V, D]`.
    pub weight: &'a Matrix<'a>,
    /// Target of each row, `[R]`.
    pub targets: &'a [u32],
    /// Logits are divided by it; positive.
    pub temperature: f32,
    /// Number format of the products: of logits, and of the two gradients given those of the logits.
    pub precision: Precision,
}

/// Gradients of [`Device::rmsnorm`].
#[derive(Clone, Debug, Default)]
pub struct NormGrads {
    /// `[T, D]`.
    pub dx: Vec<f32>,
    /// `[D]`.
    pub dweight: Vec<f32>,
}

/// Gradients of a weight and its bias.
#[derive(Clone, Debug, Default)]
pub struct WeightGrads {
    /// `[out, in]`.
    pub dweight: Vec<f32>,
    /// `[out]`.
    pub dbias: Vec<f32>,
}

/// Gradients of [`Device::adapter`].
#[derive(Clone, Debug, Default)]
pub struct AdapterGrads {
    /// What comes through the adapter, `[T, in]`.
    pub dx: Vec<f32>,
    /// `[r, in]`.
    pub da: Vec<f32>,
    /// `[out, r]`.
    pub db: Vec<f32>,
}

/// Gradients of [`Device::attention`].
#[derive(Clone, Debug, Default)]
pub struct AttentionGrads {
    /// `[T, heads, head_dim]`.
    pub dquery: Vec<f32>,
    /// `[T, kv_heads, head_dim]`.
    pub dkey: Vec<f32>,
    /// `[T, kv_heads, head_dim]`.
    pub dvalue: Vec<f32>,
}

/// Results of [`Device::head`], `[R]` each.
#[derive(Clone, Debug, Default)]
pub struct HeadStats {
    /// Log-probabilities of the targets.
    pub logprobs: Vec<f32>,
    /// Entropies in nats.
    pub entropy: Vec<f32>,
    /// Whether the target is the most probable token.
    pub correct: Vec<bool>,
}

/// Gradients of [`Device::head`].
#[derive(Clone, Debug, Default)]
pub struct HeadGrads {
    /// `[R, D]`.
    pub dhidden: Vec<f32>,
    /// `[V, D]`.
    pub dweight: Vec<f32>,
}

/// Constants of one step of AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep<'a> {
    /// Betas, epsilon, decay; moments in f32.
    pub config: AdamWConfig,
    /// Number of this step, from 1 on.
    pub step: u64,
    /// Learning rate.
    pub lr: f64,
    /// Norm that the gradients are scaled down to if theirs is larger.
    pub max_grad_norm: Option<f64>,
    /// For each tensor in order: number of elements, and whether weight decay applies.
    pub tensors: &'a [(usize, bool)],
}

/// Parameters and moments, of equal length.
#[derive(Clone, Debug, Default)]
pub struct AdamWState {
    /// Parameters.
    pub params: Vec<f32>,
    /// First moments.
    pub m: Vec<f32>,
    /// Second moments.
    pub v: Vec<f32>,
}
