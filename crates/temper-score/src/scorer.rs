//! The contract of a scorer and the sample that it judges.

use serde_json::Value;
use temper_data::Row;
use temper_text::thinking;

use crate::score::{Better, Judged, Nature, Part, Score};

/// One completion of one row, as scorers see it.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The row that was asked, with the fields a scorer may need.
    pub row: &'a Row,
    /// Prefill and completion: everything the model is taken to have said.
    pub text: &'a str,
    /// What stands inside the thinking tags, where there is a tag.
    pub thinking: Option<&'a str>,
    /// What follows the last `</think>`; the whole text without any tag, empty while the thinking is still open.
    pub answer: &'a str,
    /// Tokens of the completion, the stop token included.
    pub tokens: usize,
    /// Whether the completion ended because it reached its limit of tokens.
    pub truncated: bool,
    /// Ids of the completion's tokens, stop token included; empty where they are not known (a foreign server, a log).
    pub ids: &'a [u32],
    /// Log-probability of each of `ids` under the model that sampled them; empty where they are not known.
    pub logprobs: &'a [f32],
}

impl<'a> Sample<'a> {
    /// A sample from its text (prefill included), split into thinking and answer.
    pub fn new(row: &'a Row, text: &'a str, tokens: usize, truncated: bool) -> Self {
        let split = thinking::split(text);
        let (thinking, answer) = (split.thinking, split.answer);
        Sample { row, text, thinking, answer, tokens, truncated, ids: &[], logprobs: &[] }
    }

    /// The same with the tokens that were sampled and their log-probabilities.
    pub fn with_tokens(self, ids: &'a [u32], logprobs: &'a [f32]) -> Self {
        Sample { ids, logprobs, ..self }
    }

    /// The text of one part; `None` for the thinking of a completion without thinking.
    pub fn part(&self, part: Part) -> Option<&'a str> {
        match part {
            Part::Thinking => self.thinking,
            Part::Answer => Some(self.answer),
            Part::Whole => Some(self.text),
        }
    }

    /// Tokens of the completion; `None` where the server that made it did not say, which a text without tokens shows.
    pub fn length(&self) -> Option<usize> {
        (self.tokens > 0 || self.text.is_empty()).then_some(self.tokens)
    }

    /// Whether the completion has a closing `</think>`.
    pub fn closed(&self) -> bool {
        self.text.contains(thinking::CLOSE)
    }
}

/// Judges samples. One implementation serves as a reward in training, a metric at a gate and a monitor in production.
///
/// A scorer is a pure function: the same samples give the same scores, and a sample's score does not depend on the other
/// samples of the call.
pub trait Scorer: Send + Sync {
    /// The name under which the recipe knows it; also the metric's name.
    fn name(&self) -> &str;
    /// A few words for tables.
    fn title(&self) -> String {
        self.name().to_owned()
    }
    /// SHA-256 (hexadecimal) of the scorer's type, version and parameters, defaults written out. Two scorers with the
    /// same digest give the same scores whatever they are called.
    fn digest(&self) -> String;
    /// What the digest is made of, beside type and version: parameters with their defaults. `null` where it does not say.
    fn identity(&self) -> Value {
        Value::Null
    }
    /// The part of the completion that it reads.
    fn part(&self) -> Part;
    /// The good direction.
    fn better(&self) -> Better;
    /// The smallest and the largest possible score, where there are such.
    fn range(&self) -> Option<(f64, f64)> {
        None
    }
    /// Whether its scores are right by definition or estimates whose errors are to be measured.
    fn nature(&self) -> Nature {
        Nature::Exact
    }
    /// Whether a score costs so much (a model, a server, a process) that it is worth keeping in a cache.
    fn costly(&self) -> bool {
        false
    }
    /// The guard, classifier or reward model that it asks, whatever is asked and however the reply is read: two scorers of one
    /// such model err alike. `None` for a scorer that asks none, or one that goes by a rubric.
    fn asks(&self) -> Option<String> {
        None
    }
    /// One judgement per sample, in the order of the samples.
    fn judge(&self, samples: &[Sample]) -> Vec<Judged>;
    /// The scores alone.
    fn score(&self, samples: &[Sample]) -> Vec<Score> {
        self.judge(samples).into_iter().map(|judged| judged.score).collect()
    }
    /// What is worth counting about a sample beside its score, such as `no_box` for an answer without a box.
    fn tags(&self, _sample: &Sample) -> Vec<&'static str> {
        Vec::new()
    }
}
