//! Sampling completions.

use crate::{EngineError, Key, Model};

/// How to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// 0: greedy.
    pub temperature: f32,
    /// Smallest set of tokens with at least this probability; 1: all.
    pub top_p: f32,
    /// The most probable so many tokens; 0: all.
    pub top_k: usize,
    /// Longest completion.
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
    /// Token ids; not empty.
    pub prompt: Vec<u32>,
    /// One completion per key.
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

/// Samples completions: for each request, one per key. `progress` gets the number of new tokens so far and returns
/// whether to go on.
///
/// # Errors
/// [`EngineError::Token`] for an id outside the vocabulary.
pub fn generate(
    _model: &Model,
    _requests: &[Request],
    _params: &SamplingParams,
    _progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Vec<Completion>>, EngineError> {
    Ok(Vec::new())
}
