//! Sampling: the same bits as scoring, whatever the batch, the order and the number of threads.

#![allow(clippy::unwrap_used)]

mod common;

use common::{MODELS, load};
use temper_engine::{Completion, EngineError, Finish, Key, Model, Packed, Request, SamplingParams, generate};

/// Prompts of different lengths, each with a few keys.
fn requests(model: &Model, prompts: usize, keys: usize) -> Vec<Request> {
    let vocab = model.config().vocab_size as u64;
    let request = |p: usize| {
        let key = Key::new(5).fold(p as u64);
        let len = [1, 19, 7, 32, 16][p % 5];
        Request {
            prompt: (0..len).map(|i| (key.fold_str("prompt").fold(i).bits() % vocab) as u32).collect(),
            keys: (0..keys as u64).map(|k| key.fold(k)).collect(),
        }
    };
    (0..prompts).map(request).collect()
}

fn params(temperature: f32, max_new_tokens: usize) -> SamplingParams {
    SamplingParams { temperature, max_new_tokens, ..SamplingParams::default() }
}

fn sample(model: &Model, requests: &[Request], params: &SamplingParams) -> Vec<Vec<Completion>> {
    generate(model, requests, params, &mut |_| true).unwrap()
}

fn with_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

#[test]
fn logprobs_are_those_of_scoring_to_the_bit() {
    for name in MODELS {
        let (model, _) = load(name);
        let requests = requests(&model, 5, 3);
        for (temperature, top_p, top_k) in [(1.0, 1.0, 0), (0.7, 0.9, 0), (1.3, 1.0, 10), (0.0, 1.0, 0)] {
            let params = SamplingParams { temperature, top_p, top_k, max_new_tokens: 21, stop_ids: vec![2, 5] };
            let found = sample(&model, &requests, &params);
            let mut tokens = 0;
            for (request, completions) in requests.iter().zip(&found) {
                assert_eq!(completions.len(), 3);
                for completion in completions {
                    let whole = [request.prompt.as_slice(), &completion.ids].concat();
                    let mut select = vec![true; whole.len()];
                    select[..request.prompt.len()].fill(false);
                    let scored = model.score(
                        &Packed::new(&[&whole]),
                        if temperature == 0.0 { 1.0 } else { temperature },
                        &select,
                    );
                    assert_eq!(completion.logprobs, scored.logprobs[request.prompt.len()..], "{name}");
                    if temperature == 0.0 {
                        assert!(scored.correct[request.prompt.len()..].iter().all(|c| *c), "{name}");
                    }
                    tokens += completion.ids.len();
                }
            }
            assert!(tokens > 100);
        }
    }
}

#[test]
fn results_do_not_depend_on_threads_batch_or_order() {
    for name in ["qwen3", "mistral", "qwen2"] {
        let (model, _) = load(name);
        let all = requests(&model, 20, 4);
        let params = SamplingParams { stop_ids: vec![2, 9, 11, 30], ..params(1.0, 24) };
        let expected = with_threads(1, || sample(&model, &all, &params));
        for threads in [2, 3] {
            assert_eq!(with_threads(threads, || sample(&model, &all, &params)), expected, "{name}, {threads}");
        }
        assert_eq!(sample(&model, &all, &params), expected);
        let reversed: Vec<Request> = all.iter().rev().cloned().collect();
        let mut found = sample(&model, &reversed, &params);
        found.reverse();
        assert_eq!(found, expected);
        for (request, expected) in all.iter().zip(&expected) {
            for (key, expected) in request.keys.iter().zip(expected) {
                let one = Request { prompt: request.prompt.clone(), keys: vec![*key] };
                assert_eq!(sample(&model, &[one], &params), [[expected.clone()]]);
            }
        }
        let lengths: Vec<usize> = expected.iter().flatten().map(|c| c.ids.len()).collect();
        assert!(lengths.iter().max() > lengths.iter().min());
    }
}

#[test]
fn many_completions_share_a_few_slots() {
    let (model, _) = load("qwen2");
    let mut all = requests(&model, 3, 90);
    all.insert(1, Request { prompt: vec![3], keys: Vec::new() });
    let params = SamplingParams { stop_ids: (0..20).collect(), ..params(1.0, 12) };
    let mut seen = Vec::new();
    let found = generate(&model, &all, &params, &mut |n| {
        seen.push(n);
        true
    });
    let found = found.unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [90, 0, 90, 90]);
    assert!(seen.is_sorted());
    assert_eq!(seen.last(), Some(&found.iter().flatten().map(|c| c.ids.len()).sum()));
    // Different keys give different completions.
    let mut first: Vec<&Vec<u32>> = found[0].iter().map(|c| &c.ids).collect();
    first.sort();
    first.dedup();
    assert!(first.len() > 30, "{}", first.len());
}

#[test]
fn stop_tokens_and_limits_end_a_completion() {
    let (model, _) = load("qwen3");
    let all = requests(&model, 5, 8);
    let params = SamplingParams { stop_ids: vec![2, 17, 40, 41, 42, 43], ..params(1.0, 15) };
    let mut stopped = 0;
    for completion in sample(&model, &all, &params).iter().flatten() {
        let stops = |id: &u32| params.stop_ids.contains(id);
        match completion.finish {
            Finish::Stop => {
                assert!(completion.ids.last().is_some_and(stops));
                stopped += 1;
            }
            Finish::Length => {
                assert_eq!(completion.ids.len(), 15);
                assert!(!completion.ids.iter().any(stops));
            }
        }
        assert!(!completion.ids[..completion.ids.len() - 1].iter().any(stops));
        assert_eq!(completion.ids.len(), completion.logprobs.len());
    }
    assert!(stopped > 0);
    let none = sample(&model, &all, &SamplingParams { max_new_tokens: 0, ..params });
    assert!(none.iter().flatten().all(|c| c.ids.is_empty() && c.finish == Finish::Length));
}

#[test]
fn the_context_is_a_limit() {
    let (model, _) = load("mistral");
    assert_eq!(model.config().max_position_embeddings, 64);
    let request = |len: usize| Request { prompt: vec![3; len], keys: vec![Key::new(1)] };
    let found = sample(&model, &[request(60), request(63)], &params(1.0, 100));
    assert_eq!((found[0][0].ids.len(), found[1][0].ids.len()), (4, 1));
    assert_eq!(found[0][0].finish, Finish::Length);
    for (len, words) in [(64, "64 tokens"), (70, "max_position_embeddings"), (0, "no tokens")] {
        let error = generate(&model, &[request(2), request(len)], &params(1.0, 4), &mut |_| true).unwrap_err();
        assert!(matches!(error, EngineError::Sampling { .. }));
        let text = error.to_string();
        assert!(text.contains("prompt 1") && text.contains(words), "{text}");
    }
}

#[test]
fn bad_parameters_are_refused() {
    let (model, _) = load("mistral");
    let all = requests(&model, 1, 1);
    let good = params(1.0, 4);
    for (bad, word) in [
        (SamplingParams { temperature: -1.0, ..good.clone() }, "temperature is -1"),
        (SamplingParams { temperature: f32::NAN, ..good.clone() }, "temperature"),
        (SamplingParams { top_p: 0.0, ..good.clone() }, "top_p is 0"),
        (SamplingParams { top_p: 1.5, ..good.clone() }, "top_p"),
    ] {
        let text = generate(&model, &all, &bad, &mut |_| true).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
    let outside = Request { prompt: vec![1, 112], keys: vec![Key::new(0)] };
    let error = generate(&model, &[outside], &good, &mut |_| true).unwrap_err();
    assert!(matches!(error, EngineError::Token { id: 112, vocab_size: 112 }));
}

#[test]
fn progress_can_stop_it() {
    let (model, _) = load("mistral");
    let all = requests(&model, 5, 20);
    let error = generate(&model, &all, &params(1.0, 20), &mut |n| n < 50).unwrap_err();
    assert!(matches!(error, EngineError::Interrupted));
    assert_eq!(generate(&model, &[], &params(1.0, 20), &mut |_| true).unwrap(), Vec::<Vec<Completion>>::new());
}

#[test]
fn broken_weights_are_an_error() {
    let (mut model, _) = load("mistral");
    let norm = model.tensors().iter().find(|t| t.name == "model.norm.weight").unwrap().range.start;
    model.params_mut()[norm] = f32::NAN;
    let error = generate(&model, &requests(&model, 2, 2), &params(1.0, 4), &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("not finite") && error.contains("checkpoint"), "{error}");
}

/// Frequencies of the first token against the probabilities that scoring gives.
#[test]
fn tokens_are_drawn_with_their_probabilities() {
    let (model, _) = load("qwen2-window");
    let prompt = vec![7, 3, 20];
    let keys: Vec<Key> = (0..4000).map(|i| Key::new(9).fold(i)).collect();
    let vocab = model.config().vocab_size;
    let sequences: Vec<Vec<u32>> = (0..vocab as u32).map(|id| [prompt.as_slice(), &[id]].concat()).collect();
    let batch = Packed::new(&sequences);
    let select: Vec<bool> = (0..batch.len()).map(|t| t % 4 == 3).collect();
    let scored = model.score(&batch, 0.8, &select);
    let found = sample(&model, &[Request { prompt, keys }], &params(0.8, 1));
    let mut counts = vec![0.0; vocab];
    for completion in &found[0] {
        counts[completion.ids[0] as usize] += 1.0;
    }
    for (id, count) in counts.iter().enumerate() {
        let p = f64::from(scored.logprobs[4 * id + 3]).exp();
        let deviation = (p * (1.0 - p) / 4000.0).sqrt();
        assert!((count / 4000.0 - p).abs() < 4.5 * deviation + 1e-3, "token {id}: {count} against {p}");
    }
}
