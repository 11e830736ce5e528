//! The inner step, blind to the algorithm: log-probabilities out, their gradients in, micro-batch by micro-batch.

use std::ops::Range;

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
    /// Tokens of the prompt that the sequences before and after may share: none of them is selected.
    pub prompt: usize,
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

/// Splits sequences, in order, into runs of at most `limit` tokens (at least one sequence each), a shared prompt counted
/// once. A group of one prompt that fits as a whole is not split.
fn micro_batches(sequences: &[Sequence], limit: usize) -> Vec<Range<usize>> {
    let (mut out, mut start, mut tokens) = (Vec::new(), 0, 0);
    for group in groups(sequences) {
        let prompt = sequences[group.start].prompt;
        let own = |i: usize| sequences[i].ids.len() - sequences[i].prompt;
        let whole = prompt + group.clone().map(own).sum::<usize>();
        if group.start > start && tokens + whole > limit {
            out.push(start..group.start);
            (start, tokens) = (group.start, 0);
        }
        tokens += prompt;
        for i in group {
            if i > start && tokens + own(i) > limit {
                out.push(start..i);
                (start, tokens) = (i, prompt);
            }
            tokens += own(i);
        }
    }
    if start < sequences.len() {
        out.push(start..sequences.len());
    }
    out
}

/// Runs of sequences that begin with the same prompt; a sequence without one is alone.
fn groups(sequences: &[Sequence]) -> Vec<Range<usize>> {
    let shares =
        |a: &Sequence, b: &Sequence| a.prompt > 0 && a.prompt == b.prompt && a.ids[..a.prompt] == b.ids[..b.prompt];
    let mut out: Vec<Range<usize>> = Vec::new();
    for i in 0..sequences.len() {
        match out.last_mut() {
            Some(group) if shares(&sequences[group.start], &sequences[i]) => group.end = i + 1,
            _ => out.push(i..i + 1),
        }
    }
    out
}

/// A micro-batch: each shared prompt once, and where each sequence's own tokens are.
struct MicroBatch {
    packed: Packed,
    selected: Vec<bool>,
    /// For each sequence: the position in the batch that its token 0 would have.
    starts: Vec<isize>,
}

impl MicroBatch {
    fn new(part: &[Sequence]) -> Self {
        let mut packed = Packed { offsets: vec![0], ..Packed::default() };
        let (mut selected, mut starts) = (Vec::new(), Vec::with_capacity(part.len()));
        for group in groups(part) {
            let prompt = if group.len() > 1 { part[group.start].prompt } else { 0 };
            let parent = (prompt > 0).then(|| packed.push(&part[group.start].ids[..prompt], None));
            selected.resize(packed.len(), false);
            for sequence in &part[group] {
                starts.push(packed.len() as isize - prompt as isize);
                packed.push(&sequence.ids[prompt..], parent);
                selected.extend_from_slice(&sequence.selected[prompt..]);
                if prompt == 0 && !sequence.ids.is_empty() {
                    let first = packed.len() - sequence.ids.len();
                    selected[first] = false;
                }
            }
        }
        MicroBatch { packed, selected, starts }
    }

    /// Positions in the batch of the selected tokens of sequence `index`.
    fn positions<'a>(&self, index: usize, sequence: &'a Sequence) -> impl Iterator<Item = usize> + use<'a> {
        let start = self.starts[index];
        sequence.positions().map(move |t| (start + t as isize) as usize)
    }
}

/// Operations of forward and backward over a batch. An adapter's step does without the gradients of the frozen weights: a
/// forward, the gradients of the layers' inputs, and the adapter itself.
fn train_flops(model: &Model, batch: &Packed) -> f64 {
    let (tokens, attended) = (batch.len(), batch.attended());
    let forward = model.config().forward_flops(tokens, attended);
    match model.adapter() {
        None => model.config().train_flops(tokens, attended),
        Some(_) => {
            let attention = model.config().forward_flops(0, attended);
            2.0 * forward + attention + 6.0 * model.trainable().len() as f64 * tokens as f64
        }
    }
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
    for range in micro_batches(sequences, limit) {
        let part = &sequences[range.clone()];
        let batch = MicroBatch::new(part);
        let tokens = model.backprop(&batch.packed, temperature, &batch.selected, grads, |tokens| {
            let mut out = vec![0.0f32; batch.packed.len()];
            for (i, sequence) in part.iter().enumerate() {
                let logprobs: Vec<f64> =
                    batch.positions(i, sequence).map(|at| f64::from(tokens.logprobs[at])).collect();
                let token_loss = loss(range.start + i, &logprobs);
                if !token_loss.loss.is_finite() || token_loss.grad.iter().any(|g| !g.is_finite()) {
                    stats.not_finite.push(range.start + i);
                }
                stats.loss += token_loss.loss;
                for (at, grad) in batch.positions(i, sequence).zip(&token_loss.grad) {
                    out[at] = *grad as f32;
                }
            }
            TokenGrads { logprobs: out, entropy: None }
        });
        for (t, _) in batch.selected.iter().enumerate().filter(|(_, s)| **s) {
            stats.selected += 1;
            stats.entropy_sum += f64::from(tokens.entropy[t]);
            stats.correct += usize::from(tokens.correct[t]);
        }
        stats.tokens += batch.packed.len();
        stats.flops += train_flops(model, &batch.packed);
    }
    stats
}

/// Which policy scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The model as it is.
    Current,
    /// The model with its adapter off.
    Base,
}

/// Log-probabilities of the selected tokens of each sequence, without gradient, and the operations it took.
pub fn score(
    model: &Model,
    policy: Policy,
    sequences: &[Sequence],
    temperature: f32,
    limit: usize,
) -> (Vec<Vec<f64>>, f64) {
    let (mut out, mut flops) = (Vec::with_capacity(sequences.len()), 0.0);
    for range in micro_batches(sequences, limit) {
        let part = &sequences[range];
        let batch = MicroBatch::new(part);
        let tokens = match policy {
            Policy::Current => model.score(&batch.packed, temperature, &batch.selected),
            Policy::Base => model.score_base(&batch.packed, temperature, &batch.selected),
        };
        for (i, sequence) in part.iter().enumerate() {
            out.push(batch.positions(i, sequence).map(|at| f64::from(tokens.logprobs[at])).collect());
        }
        flops += model.config().forward_flops(batch.packed.len(), batch.packed.attended());
    }
    (out, flops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::{sft, testing::close};

    #[test]
    fn micro_batches_keep_order_and_limit() {
        let (ids, selected) = (vec![1; 9], vec![false; 9]);
        let of = |lengths: &[(usize, usize)]| -> Vec<Range<usize>> {
            let sequence =
                |&(n, prompt): &(usize, usize)| Sequence { ids: &ids[..n], selected: &selected[..n], prompt };
            micro_batches(&lengths.iter().map(sequence).collect::<Vec<_>>(), 6)
        };
        assert_eq!(of(&[(3, 0), (3, 0), (3, 0), (9, 0), (1, 0)]), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(of(&[]), [] as [Range<usize>; 0]);
        // A prompt of 2 counts once: 2 + 3 × 1 fit; of two such groups each has its own batch.
        assert_eq!(of(&[(3, 2), (3, 2), (3, 2)]), std::iter::once(0..3).collect::<Vec<_>>());
        assert_eq!(of(&[(1, 0), (3, 2), (3, 2), (3, 2), (3, 2)]), [0..1, 1..5]);
        // A group that is too large is split, the prompt computed again.
        assert_eq!(of(&[(4, 2), (4, 2), (4, 2), (4, 2), (4, 2)]), [0..2, 2..4, 4..5]);
    }

    /// Completions of one prompt and of another, and a sequence without one.
    fn family() -> Vec<(Vec<u32>, Vec<bool>, usize)> {
        let completions = [(5, 4), (5, 1), (5, 7), (3, 2), (3, 6), (0, 5)];
        let row = |(i, (prompt, new)): (usize, (usize, usize))| {
            let prompt_ids = (0..prompt as u32).map(|t| (11 * t + prompt as u32) % 40);
            let ids: Vec<u32> = prompt_ids.chain((0..new as u32).map(|t| (7 * t + 3 * i as u32) % 40)).collect();
            let selected = (0..ids.len()).map(|t| t >= prompt.max(1)).collect();
            (ids, selected, prompt)
        };
        completions.into_iter().enumerate().map(row).collect()
    }

    #[test]
    fn a_shared_prompt_gives_the_same_bits_and_nearly_the_same_gradient() {
        let config = ModelConfig::small(40, 16, 2, 2, 1, 32);
        let rows = family();
        for precision in [temper_engine::Precision::F32, temper_engine::Precision::Bf16] {
            let mut model = Model::random(config.clone(), 3);
            model.set_precision(precision);
            let run = |share: bool, limit: usize| {
                let sequences: Vec<Sequence> = rows
                    .iter()
                    .map(|(ids, selected, prompt)| Sequence { ids, selected, prompt: if share { *prompt } else { 0 } })
                    .collect();
                let (mut grads, mut seen) = (Grads::zeros(&model), Vec::new());
                let stats = accumulate(&model, &sequences, 0.9, limit, &mut grads, &mut |i, logprobs| {
                    seen.push((i, logprobs.to_vec()));
                    sft::nll(logprobs, &vec![1.0; logprobs.len()], 25.0)
                });
                let (scores, _) = score(&model, Policy::Current, &sequences, 0.9, limit);
                assert!(seen.iter().all(|(i, logprobs)| scores[*i] == *logprobs));
                (stats, grads, scores)
            };
            let (plain, plain_grads, plain_scores) = run(false, 1000);
            assert_eq!(plain.tokens, 46);
            for (limit, tokens) in [(1000, 33), (13, 38)] {
                let (shared, grads, scores) = run(true, limit);
                assert!(scores == plain_scores, "the same bits");
                assert_eq!((shared.tokens, shared.selected), (tokens, plain.selected));
                assert!(shared.flops < plain.flops);
                close(shared.loss, plain.loss, 1e-12);
                let tolerance = if precision == temper_engine::Precision::F32 { 1e-6 } else { 2e-3 };
                for (a, b) in grads.as_slice().iter().zip(plain_grads.as_slice()) {
                    close(f64::from(*a), f64::from(*b), tolerance);
                }
            }
        }
    }

    #[test]
    fn an_adapter_does_without_the_gradients_of_frozen_weights() {
        let mut model = Model::random(ModelConfig::small(40, 16, 2, 2, 1, 32), 3);
        let batch = Packed::new(&[vec![1, 2, 3, 4]]);
        let full = train_flops(&model, &batch);
        let targets = vec![temper_engine::Projection::Q];
        model.add_adapter(temper_engine::LoraConfig { r: 2, alpha: 2.0, rslora: false, targets }, 1);
        let (some, forward) = (train_flops(&model, &batch), model.config().forward_flops(4, 10));
        assert!(some > 2.0 * forward && some < full, "{forward} {some} {full}");
    }

    fn step(model: &Model, rows: &[(Vec<u32>, Vec<bool>)], limit: usize) -> (StepStats, Grads) {
        let sequences: Vec<Sequence> =
            rows.iter().map(|(ids, selected)| Sequence { ids, selected, prompt: 0 }).collect();
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
        let (scores, _) =
            score(&model, Policy::Current, &[Sequence { ids: &rows[2].0, selected: &rows[2].1, prompt: 0 }], 1.0, 8);
        assert_eq!(scores[0].len(), rows[2].1.iter().filter(|s| **s).count());
    }

    #[test]
    fn large_models_get_small_micro_batches() {
        assert_eq!(micro_batch_tokens(&ModelConfig::small(1024, 128, 4, 4, 2, 384)), MOST_TOKENS);
        assert_eq!(micro_batch_tokens(&ModelConfig::small(32_000, 4096, 32, 32, 8, 11_008)), FEWEST_TOKENS);
    }
}
