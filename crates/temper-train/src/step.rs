//! The inner step, blind to the algorithm: log-probabilities out, their gradients in, micro-batch by micro-batch.

use temper_engine::{Grads, Model, ModelConfig, Packed, TokenGrads};

use crate::algorithms::TokenLoss;

/// Most tokens of a micro-batch.
const MOST_TOKENS: usize = 8192;
/// Fewest tokens a micro-batch is allowed, however large the model.
const FEWEST_TOKENS: usize = 512;
/// Memory that the activations of a micro-batch may take, in bytes.
const ACTIVATION_BYTES: usize = 1 << 30;

/// Tokens that a micro-batch of a model of this shape may hold, so that its activations stay within about 1 GiB.
pub fn micro_batch_tokens(config: &ModelConfig) -> usize {
    let (q, kv) = (config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim);
    let per_layer = 8 * config.hidden_size + 4 * config.intermediate_size + 3 * q + 4 * kv;
    let per_token = 4 * (config.num_layers * per_layer + 4 * config.hidden_size);
    (ACTIVATION_BYTES / per_token.max(1)).clamp(FEWEST_TOKENS, MOST_TOKENS)
}

/// A sequence with the tokens whose log-probabilities the loss is a function of.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Token ids.
    pub ids: &'a [u32],
    /// Whether a token is selected, for each of `ids`. The first token has no log-probability and is never selected.
    pub selected: &'a [bool],
}

impl Sequence<'_> {
    /// Positions of the selected tokens.
    fn positions(&self) -> impl Iterator<Item = usize> {
        self.selected.iter().enumerate().skip(1).filter_map(|(t, s)| s.then_some(t))
    }

    /// Number of selected tokens.
    pub fn selected_tokens(&self) -> usize {
        self.positions().count()
    }
}

/// What the sequences of a step added up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepStats {
    /// Sum of the losses.
    pub loss: f64,
    /// Selected tokens.
    pub selected: usize,
    /// Tokens that went through the model.
    pub tokens: usize,
    /// Operations of the passes.
    pub flops: f64,
    /// Sum over the selected tokens of the entropy in nats.
    pub entropy_sum: f64,
    /// Selected tokens that are the most probable ones.
    pub correct: usize,
    /// Sequences with a loss or gradient that is not finite.
    pub not_finite: Vec<usize>,
}

impl StepStats {
    /// Mean entropy per selected token.
    pub fn entropy(&self) -> Option<f64> {
        (self.selected > 0).then(|| self.entropy_sum / self.selected as f64)
    }

    /// Share of selected tokens that are the most probable ones.
    pub fn accuracy(&self) -> Option<f64> {
        (self.selected > 0).then(|| self.correct as f64 / self.selected as f64)
    }
}

/// Splits sequences of the given lengths, in order, into runs of at most `limit` tokens (at least one sequence each).
fn micro_batches(lengths: &[usize], limit: usize) -> Vec<std::ops::Range<usize>> {
    let (mut out, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (i, length) in lengths.iter().enumerate() {
        if i > start && tokens + length > limit {
            out.push(start..i);
            (start, tokens) = (i, 0);
        }
        tokens += length;
    }
    if start < lengths.len() {
        out.push(start..lengths.len());
    }
    out
}

fn pack(part: &[Sequence]) -> (Packed, Vec<bool>) {
    let ids: Vec<&[u32]> = part.iter().map(|s| s.ids).collect();
    let mut selected: Vec<bool> = part.iter().flat_map(|s| s.selected.iter().copied()).collect();
    let batch = Packed::new(&ids);
    for &start in &batch.offsets[..batch.segments()] {
        if let Some(first) = selected.get_mut(start) {
            *first = false;
        }
    }
    (batch, selected)
}

/// Adds the gradient of the summed losses to `grads`, in micro-batches of at most `limit` tokens.
///
/// `loss` maps the index of a sequence and the log-probabilities of its selected tokens to its share of the step's loss
/// and the gradient, one value per selected token. Normalisers are the caller's and global, so that the split changes
/// nothing but rounding.
pub fn accumulate(
    model: &Model,
    sequences: &[Sequence],
    temperature: f32,
    limit: usize,
    grads: &mut Grads,
    loss: &mut dyn FnMut(usize, &[f64]) -> TokenLoss,
) -> StepStats {
    let mut stats = StepStats::default();
    let lengths: Vec<usize> = sequences.iter().map(|s| s.ids.len()).collect();
    for range in micro_batches(&lengths, limit) {
        let part = &sequences[range.clone()];
        let (batch, selected) = pack(part);
        let tokens = model.backprop(&batch, temperature, &selected, grads, |tokens| {
            let mut out = vec![0.0f32; batch.len()];
            for (i, sequence) in part.iter().enumerate() {
                let start = batch.offsets[i];
                let logprobs: Vec<f64> = sequence.positions().map(|t| f64::from(tokens.logprobs[start + t])).collect();
                let token_loss = loss(range.start + i, &logprobs);
                if !token_loss.loss.is_finite() || token_loss.grad.iter().any(|g| !g.is_finite()) {
                    stats.not_finite.push(range.start + i);
                }
                stats.loss += token_loss.loss;
                for (t, grad) in sequence.positions().zip(&token_loss.grad) {
                    out[start + t] = *grad as f32;
                }
            }
            TokenGrads { logprobs: out, entropy: None }
        });
        for (t, _) in selected.iter().enumerate().filter(|(_, s)| **s) {
            stats.selected += 1;
            stats.entropy_sum += f64::from(tokens.entropy[t]);
            stats.correct += usize::from(tokens.correct[t]);
        }
        stats.tokens += batch.len();
        stats.flops += model.config().train_flops(batch.len(), batch.attended());
    }
    stats
}

/// Log-probabilities of the selected tokens of each sequence, without gradient, and the operations it took.
pub fn score(model: &Model, sequences: &[Sequence], temperature: f32, limit: usize) -> (Vec<Vec<f64>>, f64) {
    let (mut out, mut flops) = (Vec::with_capacity(sequences.len()), 0.0);
    let lengths: Vec<usize> = sequences.iter().map(|s| s.ids.len()).collect();
    for range in micro_batches(&lengths, limit) {
        let part = &sequences[range];
        let (batch, selected) = pack(part);
        let tokens = model.score(&batch, temperature, &selected);
        for (i, sequence) in part.iter().enumerate() {
            let start = batch.offsets[i];
            out.push(sequence.positions().map(|t| f64::from(tokens.logprobs[start + t])).collect());
        }
        flops += model.config().forward_flops(batch.len(), batch.attended());
    }
    (out, flops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::{sft, testing::close};

    #[test]
    fn micro_batches_keep_order_and_limit() {
        assert_eq!(micro_batches(&[3, 3, 3, 9, 1], 6), vec![0..2, 2..3, 3..4, 4..5]);
        assert_eq!(micro_batches(&[], 6), Vec::<std::ops::Range<usize>>::new());
    }

    fn step(model: &Model, rows: &[(Vec<u32>, Vec<bool>)], limit: usize) -> (StepStats, Grads) {
        let sequences: Vec<Sequence> = rows.iter().map(|(ids, selected)| Sequence { ids, selected }).collect();
        let n: usize = sequences.iter().map(Sequence::selected_tokens).sum();
        let mut grads = Grads::zeros(model);
        let stats = accumulate(model, &sequences, 1.0, limit, &mut grads, &mut |_, logprobs| {
            sft::nll(logprobs, &vec![1.0; logprobs.len()], n as f64)
        });
        (stats, grads)
    }

    #[test]
    fn accumulation_in_micro_batches_gives_the_same_gradient() {
        let model = Model::random(ModelConfig::small(40, 16, 2, 2, 1, 32), 3);
        let rows: Vec<(Vec<u32>, Vec<bool>)> = (0..8u32)
            .map(|i| {
                let ids: Vec<u32> = (0..4 + i).map(|t| (7 * t + 3 * i) % 40).collect();
                let selected = (0..ids.len()).map(|t| t > i as usize % 3).collect();
                (ids, selected)
            })
            .collect();
        let (whole, grads) = step(&model, &rows, 10_000);
        assert!(whole.loss > 3.0 && whole.loss < 4.5, "{}", whole.loss);
        for limit in [1, 12, 25] {
            let (parts, other) = step(&model, &rows, limit);
            close(parts.loss, whole.loss, 1e-12);
            assert_eq!((parts.selected, parts.tokens, parts.correct), (whole.selected, whole.tokens, whole.correct));
            for (a, b) in grads.as_slice().iter().zip(other.as_slice()) {
                close(f64::from(*a), f64::from(*b), 1e-6);
            }
        }
        let (scores, _) = score(&model, &[Sequence { ids: &rows[2].0, selected: &rows[2].1 }], 1.0, 8);
        assert_eq!(scores[0].len(), rows[2].1.iter().filter(|s| **s).count());
    }

    #[test]
    fn large_models_get_small_micro_batches() {
        assert_eq!(micro_batch_tokens(&ModelConfig::small(1024, 128, 4, 4, 2, 384)), MOST_TOKENS);
        assert_eq!(micro_batch_tokens(&ModelConfig::small(32_000, 4096, 32, 32, 8, 11_008)), FEWEST_TOKENS);
    }
}
