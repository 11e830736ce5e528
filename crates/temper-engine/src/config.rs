//! What a model looks like: the fields of a Hugging Face `config.json` that the engine needs.

use serde_json::{Map, Value};

/// A supported model family; each as a causal language model and, with [`ModelConfig::num_labels`], as a sequence
/// classifier (a reward model).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// `LlamaForCausalLM`.
    Llama,
    /// `Qwen2ForCausalLM`: biases on the query, key and value projections.
    Qwen2,
    /// `Qwen3ForCausalLM`: RMSNorm on each query and key head.
    Qwen3,
    /// `MistralForCausalLM`: optional sliding window.
    Mistral,
}

/// Which attention projections have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttentionBias {
    /// Query, key and value projections.
    pub qkv: bool,
    /// Output projection.
    pub o: bool,
}

/// How rotary frequencies are stretched beyond the context of pre-training.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Every frequency divided by `factor`.
    Linear {
        /// Stretch of the context.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a smooth band between.
    Llama3 {
        /// Stretch of the context.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are stretched in full.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of pre-training.
        original_max_position_embeddings: usize,
    },
    /// YaRN (arXiv 2309.00071).
    Yarn {
        /// Stretch of the context.
        factor: f64,
        /// Context length of pre-training.
        original_max_position_embeddings: usize,
        /// Rotations in the original context above which a dimension is kept (32).
        beta_fast: f64,
        /// Rotations in the original context below which a dimension is stretched in full (1).
        beta_slow: f64,
        /// Factor on cosines and sines; `None`: `0.1 ln(factor) + 1`, or from `mscale` and `mscale_all_dim`.
        attention_factor: Option<f64>,
        /// Numerator's coefficient of the attention factor.
        mscale: Option<f64>,
        /// Denominator's coefficient of the attention factor.
        mscale_all_dim: Option<f64>,
        /// Whether the band's ends are rounded to whole dimensions (true).
        truncate: bool,
    },
}

/// Rotary position embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f64,
    /// Stretching.
    pub scaling: RopeScaling,
}

/// Shape and constants of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Family.
    pub arch: Arch,
    /// Rows of the embedding (padded rows included).
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Width of the gated feed-forward layer.
    pub intermediate_size: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding.
    pub rope: Rope,
    /// Longest context the model is meant for.
    pub max_position_embeddings: usize,
    /// Whether the head is the embedding.
    pub tie_word_embeddings: bool,
    /// Biases of the attention projections.
    pub attention_bias: AttentionBias,
    /// Biases of the feed-forward projections.
    pub mlp_bias: bool,
    /// RMSNorm on each query and key head.
    pub qk_norm: bool,
    /// For each layer, the number of latest keys (its own included) that a token sees; `None`: all.
    pub sliding_window: Vec<Option<usize>>,
    /// Outputs of the head of a sequence classifier, `score.weight` `[labels, hidden]`, which then stands in place of the
    /// language model's head; a reward model has 1. `None`: a language model.
    pub num_labels: Option<usize>,
    /// Token at the start of a text.
    pub bos_token_id: Option<u32>,
    /// Tokens that end a text.
    pub eos_token_ids: Vec<u32>,
    /// Token of padding.
    pub pad_token_id: Option<u32>,
    /// `config.json` as read; keys that the engine does not know are written back on save.
    pub raw: Map<String, Value>,
    /// `generation_config.json` as read, written back on save.
    pub generation: Map<String, Value>,
}

impl ModelConfig {
    /// A small Qwen3-style model (QK-norm, tied head) with `head_dim = hidden / heads`.
    pub fn small(vocab: usize, hidden: usize, layers: usize, heads: usize, kv_heads: usize, ffn: usize) -> Self {
        ModelConfig {
            arch: Arch::Qwen3,
            vocab_size: vocab,
            hidden_size: hidden,
            num_layers: layers,
            num_heads: heads,
            num_kv_heads: kv_heads,
            head_dim: hidden / heads,
            intermediate_size: ffn,
            rms_norm_eps: 1e-6,
            rope: Rope { theta: 10_000.0, scaling: RopeScaling::None },
            max_position_embeddings: 2048,
            tie_word_embeddings: true,
            attention_bias: AttentionBias::default(),
            mlp_bias: false,
            qk_norm: true,
            sliding_window: vec![None; layers],
            num_labels: None,
            bos_token_id: None,
            eos_token_ids: Vec::new(),
            pad_token_id: None,
            raw: Map::new(),
            generation: Map::new(),
        }
    }

    /// Width of the concatenated query heads.
    pub fn q_size(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Width of the concatenated key heads (and of the value heads).
    pub fn kv_size(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }

    /// Number of parameters; a tied head counts once.
    pub fn num_params(&self) -> usize {
        crate::model::layout(self).iter().map(|t| t.range.len()).sum()
    }

    /// Parameters that multiply every token: all projections and the head, without embedding look-up, norms and biases. The
    /// head of a sequence classifier, which sees one token of each sequence, does not count.
    fn matmul_params(&self) -> usize {
        let (d, q, kv) = (self.hidden_size, self.q_size(), self.kv_size());
        let layer = d * (q + 2 * kv) + q * d + 3 * d * self.intermediate_size;
        let head = if self.num_labels.is_none() { self.vocab_size * d } else { 0 };
        self.num_layers * layer + head
    }

    /// Floating point operations of a forward pass over `tokens` tokens that see `attended` keys in sum:
    /// `2 P T` for the products and `4 L H head_dim attended` for attention (causal, windows ignored).
    pub fn forward_flops(&self, tokens: usize, attended: u64) -> f64 {
        let products = 2.0 * self.matmul_params() as f64 * tokens as f64;
        products + 4.0 * (self.num_layers * self.q_size()) as f64 * attended as f64
    }

    /// Floating point operations of forward and backward: three times [`ModelConfig::forward_flops`].
    pub fn train_flops(&self, tokens: usize, attended: u64) -> f64 {
        3.0 * self.forward_flops(tokens, attended)
    }
}
