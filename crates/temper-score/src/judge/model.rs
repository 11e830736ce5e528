//! The model that a judge asks: run by the engine, or behind a server.

use serde_json::{Map, Value};
use temper_text::Message;

use super::engine::EngineJudge;
use super::served::ServedJudge;

/// What the model is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// A dialogue, rendered by the model's chat template with the generation prompt.
    Chat(Vec<Message>),
    /// A text without chat template. The tokenizer's BOS stands before it where it has one, so the text has none.
    Raw(String),
}

/// How it is asked: greedily.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct How {
    /// Longest reply in tokens.
    pub(crate) max_tokens: usize,
    /// Further variables of the chat template, such as `enable_thinking`.
    pub(crate) chat_template_kwargs: Map<String, Value>,
    /// Words whose probabilities at the reply's first place that is not blank are wanted; none for no probabilities.
    pub(crate) words: &'static [&'static str],
}

/// What the model said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    /// The text, without stop token.
    pub(crate) text: String,
    /// Whether the limit of tokens ended it.
    pub(crate) cut: bool,
    /// Probability of each wanted word: that the first token which is not blank, after the blank ones that the model wrote,
    /// is the one that the word begins with. `None` where they were not asked for or the server gives none.
    pub(crate) words: Option<Vec<f64>>,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// The model cannot judge this sample.
    Unscored(String),
    /// The model or the server is broken.
    Error(String),
}

/// The model.
pub(crate) enum JudgeModel {
    Engine(EngineJudge),
    Served(Box<ServedJudge>),
}

impl JudgeModel {
    /// What determines its replies, beside what it is asked: digests of weights and tokenizer, or the name that the server
    /// knows it by. No address.
    pub(crate) fn identity(&self) -> Value {
        match self {
            JudgeModel::Engine(judge) => judge.identity(),
            JudgeModel::Served(judge) => judge.identity(),
        }
    }

    /// The model alone: the digest of its files, or the name that the server knows it by.
    pub(crate) fn name(&self) -> String {
        match self {
            JudgeModel::Engine(judge) => judge.name(),
            JudgeModel::Served(judge) => judge.name(),
        }
    }

    /// Texts that steer the model when they stand in what it reads: its special tokens, as far as they are known.
    pub(crate) fn special_texts(&self) -> &[String] {
        match self {
            JudgeModel::Engine(judge) => judge.special_texts(),
            JudgeModel::Served(_) => &[],
        }
    }

    /// One reply per input, in their order.
    pub(crate) fn ask(&self, inputs: &[Input], how: &How) -> Vec<Result<Reply, Failure>> {
        if inputs.is_empty() {
            return Vec::new();
        }
        match self {
            JudgeModel::Engine(judge) => judge.ask(inputs, how),
            JudgeModel::Served(judge) => judge.ask(inputs, how),
        }
    }
}
