//! What is asked and what is answered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the model is to continue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A dialogue, as `{role, content, …}` objects: `/chat/completions`.
    Messages(Vec<Value>),
    /// A text as it is, without a chat template: `/completions`.
    Prompt(String),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What to continue.
    pub input: Input,
    /// Softmax temperature; 0 is greedy.
    pub temperature: f64,
    /// Smallest set of tokens whose probabilities add up to this much; 1 for all, which is not sent.
    pub top_p: f64,
    /// Number of most probable tokens to choose among; 0 for all, which is not sent.
    pub top_k: usize,
    /// Longest completion in tokens.
    pub max_tokens: usize,
    /// Texts that end the completion.
    pub stop: Vec<String>,
    /// Seed of the sampling, for servers that take one.
    pub seed: Option<u64>,
    /// How many alternatives to report per token; `None` for no log-probabilities.
    pub top_logprobs: Option<usize>,
    /// Other fields of the request's body, such as `chat_template_kwargs`; they win.
    pub extra: Map<String, Value>,
    /// Which of several answers to the same request this is. Not sent; part of the cache's key.
    pub repeat: usize,
}

impl Request {
    /// A greedy request.
    pub fn greedy(input: Input, max_tokens: usize) -> Self {
        Request {
            input,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            max_tokens,
            stop: Vec::new(),
            seed: None,
            top_logprobs: None,
            extra: Map::new(),
            repeat: 0,
        }
    }
}

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it, or one of the stop texts.
    Stop,
    /// The limit of tokens.
    Length,
    /// A filter of the server.
    ContentFilter,
    /// Anything else that the server said.
    Other,
}

/// A token with its log-probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Its log-probability.
    pub logprob: f64,
    /// The most probable tokens at this place.
    pub top: Vec<(String, f64)>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The text, without the reasoning where the server reports it apart.
    pub text: String,
    /// The reasoning, where the server reports it apart (`reasoning_content` or `reasoning`).
    pub reasoning: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt, where the server says.
    pub prompt_tokens: Option<usize>,
    /// Tokens of the completion, where the server says.
    pub completion_tokens: Option<usize>,
    /// Log-probabilities per token, where they were asked for and given.
    pub logprobs: Vec<TokenLogprob>,
    /// What the server calls its weights (`system_fingerprint`), where it says.
    pub fingerprint: Option<String>,
}
