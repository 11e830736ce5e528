//! Sampling completions with a key-value cache.
//!
//! Completions are spread over the threads of rayon's pool. Each thread decodes a few sequences side by side; a finished
//! one leaves at once and the next takes its place. The completions of one prompt share its prefill. A token is chosen
//! with the random number of its completion's key and its position, so a completion is a function of model, prompt, key
//! and parameters alone, whatever else is sampled with it.

pub(crate) mod draw;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::{EngineError, Key, KvCache, Model, ModelConfig};
use worker::{Done, Prefixes, Queue};

/// How to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Logits are divided by it; 0: greedy.
    pub temperature: f32,
    /// Smallest set of tokens with at least this probability; 1: all.
    pub top_p: f32,
    /// The most probable so many tokens; 0: all. Applied before `top_p`.
    pub top_k: usize,
    /// Longest completion. A completion also ends where the model's context does.
    pub max_new_tokens: usize,
    /// Tokens that end a completion.
    pub stop_ids: Vec<u32>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams { temperature: 1.0, top_p: 1.0, top_k: 0, max_new_tokens: 256, stop_ids: Vec::new() }
    }
}

/// A prompt and one key for each completion wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Token ids; not empty and shorter than the model's context.
    pub prompt: Vec<u32>,
    /// One completion per key. Token `i` of a completion is drawn with `key.fold(i).uniform()`.
    pub keys: Vec<Key>,
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop token was sampled.
    Stop,
    /// The length limit was reached.
    Length,
}

/// One sampled completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Token ids, the stop token included.
    pub ids: Vec<u32>,
    /// Log-probabilities under the full softmax at the sampling temperature (at 1 if greedy).
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Samples completions: for each request, one per key, in order. `progress` is called on the calling thread with the
/// number of new tokens so far and returns whether to go on.
///
/// # Errors
/// [`EngineError::Sampling`] for parameters out of range, an empty prompt, a prompt that fills the context or a model
/// whose logits are not finite; [`EngineError::Token`] for an id outside the vocabulary; [`EngineError::Interrupted`] if
/// `progress` returned false.
pub fn generate(
    model: &Model,
    requests: &[Request],
    params: &SamplingParams,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Vec<Completion>>, EngineError> {
    validate(model, requests, params)?;
    // Packed by all threads, now: the workers below each keep a thread, and one that waited for the packing would not help.
    model.forward_panels();
    let total: usize = requests.iter().map(|r| r.keys.len()).sum();
    let workers = rayon::current_num_threads().min(total).max(1);
    let job = Job {
        model,
        requests,
        params,
        queue: Queue::new(requests),
        prefixes: Prefixes::new(requests),
        slots: slots(model, requests, params, total, workers),
        tokens: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        results: Mutex::new(Vec::with_capacity(total)),
        failure: Mutex::new(None),
        running: Mutex::new(workers - 1),
        finished: Condvar::new(),
    };
    let mut go_on = || {
        if !progress(job.tokens.load(Ordering::Relaxed)) {
            job.stop.store(true, Ordering::Relaxed);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|_| {
                worker::run(&job, &mut || ());
                *lock(&job.running) -= 1;
                job.finished.notify_all();
            });
        }
        worker::run(&job, &mut go_on);
        // On a thread of the pool the scope's end runs what is left; waiting here could keep it from running.
        if rayon::current_thread_index().is_none() {
            let mut running = lock(&job.running);
            while *running > 0 {
                let waited = job.finished.wait_timeout(running, Duration::from_millis(50));
                running = waited.unwrap_or_else(PoisonError::into_inner).0;
                go_on();
            }
        }
    });
    go_on();
    collect(requests, job)
}

/// Everything that the workers of one call share.
struct Job<'a> {
    model: &'a Model,
    requests: &'a [Request],
    params: &'a SamplingParams,
    queue: Queue<'a>,
    prefixes: Prefixes,
    /// Sequences that one worker decodes side by side.
    slots: usize,
    tokens: AtomicUsize,
    stop: AtomicBool,
    results: Mutex<Vec<Done>>,
    /// The failure of the earliest request.
    failure: Mutex<Option<(usize, EngineError)>>,
    running: Mutex<usize>,
    finished: Condvar,
}

/// A panic in another worker is passed on by rayon; the data behind the lock stays usable until then.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn collect(requests: &[Request], job: Job) -> Result<Vec<Vec<Completion>>, EngineError> {
    if let Some((_, error)) = job.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = job.results.into_inner().unwrap_or_else(PoisonError::into_inner);
    if done.len() < requests.iter().map(|r| r.keys.len()).sum() {
        return Err(EngineError::Interrupted);
    }
    done.sort_unstable_by_key(|d| (d.request, d.sample));
    let mut completions: Vec<Vec<Completion>> = requests.iter().map(|r| Vec::with_capacity(r.keys.len())).collect();
    for Done { request, completion, .. } in done {
        completions[request].push(completion);
    }
    Ok(completions)
}

/// Sequences decoded side by side by one worker.
fn slots(model: &Model, requests: &[Request], params: &SamplingParams, total: usize, workers: usize) -> usize {
    let longest = requests.iter().map(|r| r.prompt.len()).max().unwrap_or(0);
    width(model.config(), model.pairs(), longest, params.max_new_tokens, total, workers).0
}

/// Sequences that one worker decodes side by side, and workers: enough to use the weights well each time they pass through
/// the CPU's caches, no more than 1 GiB of key-value caches in all.
pub(crate) fn width(
    config: &ModelConfig,
    pairs: bool,
    longest: usize,
    new: usize,
    total: usize,
    threads: usize,
) -> (usize, usize) {
    let workers = threads.min(total).max(1);
    const MOST: usize = 32;
    const CACHE_BYTES: usize = 1 << 30;
    let length = longest.saturating_add(new).min(config.max_position_embeddings);
    let per_token = KvCache::<f32>::bytes_per_position(config, pairs);
    let by_memory = CACHE_BYTES / per_token.saturating_mul(length).max(1) / workers;
    (total.div_ceil(workers).min(by_memory).clamp(1, MOST), workers)
}

fn validate(model: &Model, requests: &[Request], params: &SamplingParams) -> Result<(), EngineError> {
    let wrong = |problem: String| Err(EngineError::Sampling { problem });
    let SamplingParams { temperature, top_p, .. } = *params;
    if !(temperature.is_finite() && temperature >= 0.0) {
        return wrong(format!("temperature is {temperature}; use 0 for greedy decoding or a number above 0"));
    }
    if !(top_p > 0.0 && top_p <= 1.0) {
        return wrong(format!("top_p is {top_p}; use a number above 0 and at most 1 (1 keeps every token)"));
    }
    let config = model.config();
    if config.num_labels.is_some() {
        return wrong(
            "a reward model (sequence classifier) has no head for tokens; sample from a causal language model".into(),
        );
    }
    for (number, request) in requests.iter().enumerate() {
        let (len, most) = (request.prompt.len(), config.max_position_embeddings);
        if len == 0 {
            return wrong(format!("prompt {number} (counted from 0) has no tokens; give it at least one, such as BOS"));
        }
        if len >= most {
            return wrong(format!(
                "prompt {number} (counted from 0) has {len} tokens and leaves no room in the model's context of {most} \
                 (max_position_embeddings); shorten the prompt"
            ));
        }
        if let Some(&id) = request.prompt.iter().find(|&&id| id as usize >= config.vocab_size) {
            return Err(EngineError::Token { id, vocab_size: config.vocab_size });
        }
    }
    Ok(())
}
