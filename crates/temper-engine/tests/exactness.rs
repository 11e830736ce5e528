//! One engine samples and trains: a token's log-probability has the same bits however it is computed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use temper_engine::{
    Arch, AttentionBias, Frozen, Grads, Key, KvCache, LogSoftmax, LoraConfig, Model, ModelConfig, Packed, Positions,
    Precision, Projection, TokenGrads,
};

fn sequences(vocab: usize) -> Vec<Vec<u32>> {
    let key = Key::new(4);
    let lengths = [1, 2, 15, 16, 17, 33, 64, 100, 131, 250, 7];
    let sequence = |(i, n): (usize, &usize)| {
        (0..*n).map(|t| (key.fold(i as u64).fold(t as u64).bits() % vocab as u64) as u32).collect()
    };
    lengths.iter().enumerate().map(sequence).collect()
}

fn families() -> Vec<Model> {
    let mut qwen3 = ModelConfig::small(300, 64, 2, 4, 2, 96);
    qwen3.head_dim = 24;
    let mut qwen2 = ModelConfig::small(300, 64, 2, 4, 1, 80);
    qwen2.arch = Arch::Qwen2;
    qwen2.qk_norm = false;
    qwen2.attention_bias = AttentionBias { qkv: true, o: false };
    qwen2.tie_word_embeddings = false;
    let mut mistral = ModelConfig::small(259, 48, 2, 3, 3, 64);
    mistral.arch = Arch::Mistral;
    mistral.qk_norm = false;
    mistral.sliding_window = vec![Some(19), None];
    let long_inner = ModelConfig::small(64, 32, 1, 2, 2, 600);
    let plain: Vec<Model> = [qwen3, qwen2, mistral, long_inner].into_iter().map(random).collect();
    let bf16 = plain.iter().map(|model| {
        let mut model = model.clone();
        model.set_precision(Precision::Bf16);
        model
    });
    let mut models: Vec<Model> = bf16.collect();
    for (model, frozen) in plain.iter().zip([Frozen::Nf4, Frozen::Int8, Frozen::Bf16, Frozen::Nf4]) {
        for precision in [Precision::F32, Precision::Bf16] {
            let mut model = model.clone();
            model.set_precision(precision);
            model.freeze(frozen);
            let lora = LoraConfig { r: 5, alpha: 8.0, rslora: false, targets: Projection::ALL.to_vec() };
            model.add_adapter(lora, 3);
            shake(model.trainable_mut());
            models.push(model);
        }
    }
    plain.into_iter().chain(models).collect()
}

fn random(config: ModelConfig) -> Model {
    let mut model = Model::<f32>::random(config, 1);
    shake(model.params_mut());
    model
}

fn shake(params: &mut [f32]) {
    let key = Key::new(8);
    for (i, x) in params.iter_mut().enumerate() {
        *x += 0.1 * key.fold(i as u64).normal() as f32;
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(f)
}

#[test]
fn score_depends_on_neither_batch_nor_threads() {
    for model in families() {
        let sequences = sequences(model.config().vocab_size);
        let all = Packed::new(&sequences);
        let expected = model.score(&all, 0.7, &vec![true; all.len()]);
        for threads in [1, 2, 5] {
            let again = with_threads(threads, || model.score(&all, 0.7, &vec![true; all.len()]));
            assert_eq!(expected, again);
        }
        for (i, sequence) in sequences.iter().enumerate() {
            let alone = Packed::new(&[sequence]);
            let stats = model.score(&alone, 0.7, &vec![true; alone.len()]);
            assert_eq!(bits(&expected.logprobs[all.range(i)]), bits(&stats.logprobs));
            assert_eq!(bits(&expected.entropy[all.range(i)]), bits(&stats.entropy));
        }
        let some: Vec<bool> = (0..all.len()).map(|t| t % 3 == 1).collect();
        let stats = model.score(&all, 0.7, &some);
        for t in (0..all.len()).filter(|t| some[*t]) {
            assert_eq!(expected.logprobs[t].to_bits(), stats.logprobs[t].to_bits());
        }
    }
}

/// Sequences that share a prompt, with the prompt once or in each.
#[test]
fn shared_prefixes_give_the_bits_of_whole_sequences() {
    for model in families() {
        let sequences = sequences(model.config().vocab_size);
        let (mut shared, mut whole) = (Packed::default(), Packed::default());
        let mut pairs = Vec::new();
        for (prompt, completions) in [(4, vec![1, 7, 9]), (8, vec![2, 3]), (0, vec![5]), (3, vec![0])] {
            let parent = shared.push(&sequences[prompt], None);
            for completion in completions {
                let child = shared.push(&sequences[completion], Some(parent));
                let sequence = [&sequences[prompt][..], &sequences[completion][..]].concat();
                pairs.push((parent, child, whole.push(&sequence, None)));
            }
        }
        let select = |batch: &Packed| vec![true; batch.len()];
        let (a, b) = (model.score(&shared, 0.7, &select(&shared)), model.score(&whole, 0.7, &select(&whole)));
        for (parent, child, sequence) in pairs {
            let expected = &b.logprobs[whole.range(sequence)];
            let found = [&a.logprobs[shared.range(parent)], &a.logprobs[shared.range(child)]].concat();
            assert_eq!(bits(expected), bits(&found));
        }
    }
}

#[test]
fn checkpointing_keeps_the_bits() {
    for mut model in families() {
        let batch = Packed::new(&sequences(model.config().vocab_size));
        let select = vec![true; batch.len()];
        let run = |model: &Model| {
            let mut grads = Grads::zeros(model);
            let d =
                |stats: &temper_engine::TokenStats<f32>| TokenGrads { logprobs: stats.logprobs.clone(), entropy: None };
            (model.backprop(&batch, 1.0, &select, &mut grads, d), bits(grads.as_slice()))
        };
        let kept = run(&model);
        model.set_checkpointing(true);
        assert!(kept == run(&model));
    }
}

/// Training goes on from a packed base as the adapter's gradient in f32 says.
#[test]
fn a_frozen_base_is_close_to_the_one_it_was_made_from() {
    let model = families().remove(0);
    let batch = Packed::new(&sequences(model.config().vocab_size));
    let select = vec![true; batch.len()];
    let exact = model.score(&batch, 1.0, &select);
    for (frozen, limit) in [(Frozen::Bf16, 0.02), (Frozen::Int8, 0.04), (Frozen::Nf4, 0.4)] {
        let mut packed = model.clone();
        packed.freeze(frozen);
        let found = packed.score(&batch, 1.0, &select);
        let errors = exact.logprobs.iter().zip(&found.logprobs).map(|(x, y)| f64::from(x - y).powi(2));
        let error = (errors.sum::<f64>() / batch.len() as f64).sqrt();
        assert!(error > 0.0 && error < limit, "{frozen}: {error}");
        assert!(packed.trainable().is_empty());
        let mut restored = packed.clone();
        restored.merge_adapter();
        assert_eq!(restored.score(&batch, 1.0, &select), found, "{frozen}: unpacking changes nothing");
    }
}

#[test]
fn gradients_do_not_depend_on_threads() {
    for model in families() {
        let sequences = sequences(model.config().vocab_size);
        let batch = Packed::new(&sequences);
        let select = vec![true; batch.len()];
        let run = || {
            let mut grads = Grads::zeros(&model);
            let stats = model.backprop(&batch, 0.7, &select, &mut grads, |stats| TokenGrads {
                logprobs: stats.logprobs.iter().map(|x| 0.1 - x).collect(),
                entropy: Some(stats.entropy.clone()),
            });
            (stats, bits(grads.as_slice()))
        };
        let expected = with_threads(1, run);
        assert_eq!(expected.0, model.score(&batch, 0.7, &select));
        for threads in [2, 3, 6] {
            assert!(expected == with_threads(threads, run));
        }
    }
}

/// Prefill, then one token at a time, for several sequences side by side.
#[test]
fn decoding_gives_the_bits_of_score() {
    for model in families() {
        let vocab = model.config().vocab_size;
        let sequences = sequences(vocab);
        let batch = Packed::new(&sequences);
        let expected = model.score(&batch, 0.7, &vec![true; batch.len()]);
        for (group, prefill) in [(1, 1), (2, 5), (11, 16), (11, 40), (4, 1000)] {
            for start in (0..sequences.len()).step_by(group) {
                let end = (start + group).min(sequences.len());
                let decoded = decode(&model, &sequences[start..end], prefill);
                for (i, logprobs) in (start..end).zip(decoded) {
                    assert_eq!(bits(&expected.logprobs[batch.range(i)][1..]), bits(&logprobs), "sequence {i}");
                }
            }
        }
    }
}

/// Log-probabilities of each sequence's tokens but the first.
fn decode(model: &Model, sequences: &[Vec<u32>], prefill: usize) -> Vec<Vec<f32>> {
    let (vocab, width) = (model.config().vocab_size, model.config().hidden_size);
    let mut caches: Vec<KvCache> = sequences.iter().map(|_| KvCache::new(model, 0)).collect();
    let mut result = vec![Vec::new(); sequences.len()];
    let (mut hidden, mut logits) = (Vec::new(), Vec::new());
    loop {
        let mut new = Vec::new();
        let mut active = Vec::new();
        let mut held = Vec::new();
        for (i, cache) in caches.iter_mut().enumerate() {
            let rest = &sequences[i][cache.len()..];
            let take = if cache.is_empty() { prefill.min(rest.len()) } else { rest.len().min(1) };
            if take > 0 {
                active.push(i);
                new.push(rest[..take].to_vec());
                held.push(cache);
            }
        }
        if active.is_empty() {
            return result;
        }
        let new = Packed::new(&new);
        let before: Vec<usize> = held.iter().map(|cache| cache.len()).collect();
        model.extend(&mut held, &new, Positions::All, &mut hidden);
        assert_eq!(hidden.len(), new.len() * width);
        model.logits(&hidden, &mut logits);
        for (n, i) in active.iter().enumerate() {
            for (p, row) in new.range(n).enumerate() {
                if let Some(next) = sequences[*i].get(before[n] + p + 1) {
                    let row = &logits[row * vocab..(row + 1) * vocab];
                    result[*i].push(LogSoftmax::new(row, 0.7).logprob(row[*next as usize]));
                }
            }
        }
    }
}

/// Sequences that go on from a shared prompt, of lengths around the blocks that are shared.
#[test]
fn branches_give_the_bits_of_score() {
    for model in families() {
        let (vocab, width) = (model.config().vocab_size, model.config().hidden_size);
        let sequences = sequences(vocab);
        for prompt in [1, 2, 15, 16, 17, 31, 32, 50] {
            let mut whole = KvCache::new(&model, prompt);
            let (mut hidden, mut logits) = (Vec::new(), Vec::new());
            let ids = &sequences[9][..prompt];
            model.extend(&mut [&mut whole], &Packed::new(&[ids]), Positions::Last, &mut hidden);
            let whole = std::sync::Arc::new(whole);
            let rest = [&sequences[6][..20], &sequences[7][..33]];
            let mut caches = [whole.branch(20), whole.branch(5)];
            for t in 0..33 {
                for (cache, rest) in caches.iter_mut().zip(rest).filter(|(_, rest)| t < rest.len()) {
                    model.extend(&mut [cache], &Packed::new(&[&rest[t..t + 1]]), Positions::Last, &mut hidden);
                    assert_eq!(hidden.len(), width);
                    model.logits(&hidden, &mut logits);
                    if let Some(next) = rest.get(t + 1) {
                        let sequence = [ids, &rest[..t + 2]].concat();
                        let batch = Packed::new(&[&sequence]);
                        let mut select = vec![false; batch.len()];
                        select[sequence.len() - 1] = true;
                        let expected = model.score(&batch, 1.0, &select).logprobs[sequence.len() - 1];
                        let found = LogSoftmax::new(&logits, 1.0).logprob(logits[*next as usize]);
                        assert_eq!(expected.to_bits(), found.to_bits(), "{prompt} {t}");
                    }
                }
            }
        }
    }
}

#[test]
fn last_positions_are_those_of_all() {
    let model = &families()[0];
    let batch = Packed::new(&[vec![1, 2, 3], vec![4], vec![5, 6]]);
    let (mut all, mut last) = (Vec::new(), Vec::new());
    let run = |positions, out: &mut Vec<f32>| {
        let mut caches: Vec<KvCache> = (0..3).map(|_| KvCache::new(model, 4)).collect();
        model.extend(&mut caches.iter_mut().collect::<Vec<_>>(), &batch, positions, out);
        assert_eq!(caches.iter().map(KvCache::len).collect::<Vec<_>>(), [3, 1, 2]);
    };
    run(Positions::All, &mut all);
    run(Positions::Last, &mut last);
    let width = model.config().hidden_size;
    let rows: Vec<f32> = [2, 3, 5].iter().flat_map(|r| all[r * width..(r + 1) * width].to_vec()).collect();
    assert_eq!(bits(&rows), bits(&last));
}

#[test]
fn changed_parameters_are_used() {
    let mut model = families().remove(0);
    let batch = Packed::new(&[vec![1, 2, 3]]);
    let before = model.score(&batch, 1.0, &[true; 3]);
    let kept = model.clone();
    model.params_mut().iter_mut().for_each(|x| *x *= 0.9);
    assert_ne!(before, model.score(&batch, 1.0, &[true; 3]));
    assert_eq!(before, kept.score(&batch, 1.0, &[true; 3]));
}

#[test]
fn first_tokens_and_empty_batches_give_zero() {
    let model = &families()[0];
    let batch = Packed::new(&[vec![1], vec![2, 3]]);
    let stats = model.score(&batch, 1.0, &[true; 3]);
    assert_eq!((stats.logprobs[0], stats.logprobs[1], stats.entropy[1]), (0.0, 0.0, 0.0));
    assert!(stats.logprobs[2] < 0.0 && stats.entropy[2] > 0.0);
    let empty = Packed::new::<Vec<u32>>(&[]);
    assert_eq!(model.score(&empty, 1.0, &[]).logprobs, Vec::<f32>::new());
    let mut grads = Grads::zeros(model);
    let d = |len: usize| TokenGrads { logprobs: vec![1.0; len], entropy: None };
    model.backprop(&empty, 1.0, &[], &mut grads, |_| d(0));
    model.backprop(&batch, 1.0, &[false; 3], &mut grads, |_| d(3));
    assert_eq!(grads.norm(), 0.0);
}

/// Threads that meet a model whose weights are not packed yet must neither wait for each other nor disagree.
#[test]
fn many_threads_may_score_a_fresh_model() {
    let mut families = families();
    let [plain, adapted] = [families.pop(), Some(families.remove(0))].map(Option::unwrap);
    many_threads(&plain);
    many_threads(&adapted);
}

fn many_threads(model: &Model) {
    let batch = Packed::new(&sequences(model.config().vocab_size));
    let select = vec![true; batch.len()];
    let expected = model.score(&batch, 1.0, &select);
    for _ in 0..5 {
        let fresh = model.clone();
        let mut results = vec![None; 16];
        with_threads(4, || {
            rayon::scope(|scope| {
                for result in &mut results {
                    scope.spawn(|_| *result = Some(fresh.score(&batch, 1.0, &select)));
                }
            });
        });
        assert!(results.iter().all(|result| result.as_ref() == Some(&expected)));
    }
}
