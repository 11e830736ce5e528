//! Who answers a suite's prompts: a model of the engine, or one behind a server.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use temper_data::Row;
use temper_endpoint::ServerIdentity;
use temper_engine::{EngineError, Finish, Key, Model, Request, SamplingParams, generate};
use temper_recipe::Sampling;
use temper_text::{EncodedPrompt, Tokenizer};

use crate::EvalError;
use crate::records::{LENGTH, NOT_SAMPLED, STOP};

/// Completions that the engine samples together. Results do not depend on it.
const BATCH: usize = 128;

/// What completions follow from, on the side of the one who answers. What is sampled twice from one identity may be mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Identity {
    /// A model of the engine.
    Engine {
        /// Digest of the weights.
        weights: String,
        /// Digest of the tokenizer, chat template included.
        tokenizer: String,
        /// Number format of matrix products.
        precision: String,
    },
    /// A model behind a server.
    Server {
        /// The server, the model's name, and what the server says of it.
        server: ServerIdentity,
        /// Fields that every request has beside the sampling.
        extra: Map<String, Value>,
    },
}

/// An item and which of its samples are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<'a> {
    /// The item.
    pub row: &'a Row,
    /// The samples, by their number.
    pub repeats: Vec<usize>,
}

/// What a subject is to complete.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// Key of the suite in the recipe.
    pub suite: &'a str,
    /// How completions are sampled.
    pub sampling: &'a Sampling,
    /// Seed of the sampling.
    pub seed: u64,
    /// The items. None is without samples.
    pub items: &'a [Asked<'a>],
}

impl Work<'_> {
    /// The key of one completion's random numbers: the same for every subject.
    pub fn key(&self, item: &str, repeat: usize) -> Key {
        Key::new(self.seed).fold_str("eval").fold_str(self.suite).fold_str(item).fold(repeat as u64)
    }
}

/// One completion, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    /// Prefill and completion, the thinking in think tags.
    pub text: String,
    /// As in [`ItemRecord::finish`](crate::ItemRecord::finish).
    pub finish: String,
    /// Tokens of the completion, the stop token included; `None` where the server does not say.
    pub tokens: Option<usize>,
    /// Tokens of the prompt; `None` where the server does not say.
    pub prompt_tokens: Option<usize>,
    /// Why there is no completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the server calls its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Completed {
    /// No completion.
    pub fn none(finish: &str, prompt_tokens: Option<usize>, reason: String) -> Self {
        let finish = finish.to_owned();
        Completed { text: String::new(), finish, tokens: None, prompt_tokens, reason: Some(reason), fingerprint: None }
    }
}

/// Takes completions as they arrive.
pub trait Receive {
    /// Sample `repeat` of the item at `item` of the work. An error ends the work.
    fn take(&mut self, item: usize, repeat: usize, completed: Completed) -> Result<(), EvalError>;
    /// How it stands: how many completions' worth of work is under way beside those that were taken, and a short note.
    fn stands(&mut self, under_way: f64, note: &str);
}

/// Who is measured.
pub trait Subject {
    /// Who it is.
    fn identity(&self) -> Identity;
    /// Completes the items, in whatever order. False when `stop` was set meanwhile; what is under way then is lost.
    ///
    /// # Errors
    /// A prompt that cannot be encoded, a failure of the model or server that would meet every item, an error of `to`.
    fn complete(&self, work: &Work, to: &mut dyn Receive, stop: &AtomicBool) -> Result<bool, EvalError>;
    /// Floating-point operations of completing one prompt, by the lengths in tokens; 0 where they are not known.
    fn flops(&self, prompt: usize, completions: &[usize]) -> f64;
}

/// A model of the engine.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
}

impl Subject for Engine<'_> {
    fn identity(&self) -> Identity {
        Identity::Engine {
            weights: self.model.digest(),
            tokenizer: self.tokenizer.digest(),
            precision: self.model.precision().to_string(),
        }
    }

    fn complete(&self, work: &Work, to: &mut dyn Receive, stop: &AtomicBool) -> Result<bool, EvalError> {
        let params = SamplingParams {
            temperature: work.sampling.temperature as f32,
            top_p: work.sampling.top_p as f32,
            top_k: work.sampling.top_k,
            max_new_tokens: work.sampling.max_tokens,
            stop_ids: self.stop_ids(),
        };
        let (mut first, mut tokens) = (0, 0);
        while first < work.items.len() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let count = batch(&work.items[first..]);
            match self.batch(work, first..first + count, &params, to, stop, tokens)? {
                Some(sampled) => tokens += sampled,
                None => return Ok(false),
            }
            first += count;
        }
        Ok(true)
    }

    fn flops(&self, prompt: usize, completions: &[usize]) -> f64 {
        let length = prompt as u64;
        let (mut tokens, mut attended) = (length, length * (length + 1) / 2);
        for completion in completions {
            let new = *completion as u64;
            tokens += new;
            attended += new * length + new * (new + 1) / 2;
        }
        self.model.config().forward_flops(tokens as usize, attended)
    }
}

/// How many of the first items are sampled together: as many as stay within [`BATCH`] completions, at least one.
fn batch(items: &[Asked]) -> usize {
    let mut samples = 0;
    let within = |asked: &&Asked| {
        samples += asked.repeats.len();
        samples <= BATCH
    };
    items.iter().take_while(within).count().max(1)
}

impl Engine<'_> {
    /// Samples the items of a range; how many tokens, `None` when stopped. `before`: tokens of the ranges before.
    fn batch(
        &self,
        work: &Work,
        range: std::ops::Range<usize>,
        params: &SamplingParams,
        to: &mut dyn Receive,
        stop: &AtomicBool,
        before: u64,
    ) -> Result<Option<u64>, EvalError> {
        let items = &work.items[range.clone()];
        let prompts = items.iter().map(|asked| self.encode(work, asked.row)).collect::<Result<Vec<_>, _>>()?;
        let context = self.model.config().max_position_embeddings;
        let fits = |prompt: &EncodedPrompt| prompt.ids.len() < context;
        let requests: Vec<Request> = items
            .iter()
            .zip(&prompts)
            .filter(|(_, prompt)| fits(prompt))
            .map(|(asked, prompt)| Request {
                prompt: prompt.ids.clone(),
                keys: asked.repeats.iter().map(|repeat| work.key(&asked.row.id, *repeat)).collect(),
            })
            .collect();
        let samples: usize = items.iter().map(|asked| asked.repeats.len()).sum();
        let most = (requests.iter().map(|request| request.keys.len()).sum::<usize>() * params.max_new_tokens).max(1);
        let generated = generate(self.model, &requests, params, &mut |tokens| {
            let share = tokens as f64 / most as f64;
            to.stands(share * samples as f64, &format!("{} tokens", before + tokens as u64));
            !stop.load(Ordering::Relaxed)
        });
        let mut generated = match generated {
            Ok(generated) => generated.into_iter(),
            Err(EngineError::Interrupted) => return Ok(None),
            Err(source) => return Err(EvalError::Model { suite: work.suite.to_owned(), source: Box::new(source) }),
        };
        let mut sampled = 0;
        for ((at, asked), prompt) in range.zip(items).zip(&prompts) {
            let length = prompt.ids.len();
            if !fits(prompt) {
                let place = asked.row.place();
                let reason = format!("{place}: the prompt of {length} tokens leaves no room in the model's context");
                for repeat in &asked.repeats {
                    to.take(at, *repeat, Completed::none(NOT_SAMPLED, Some(length), reason.clone()))?;
                }
                continue;
            }
            for (repeat, completion) in asked.repeats.iter().zip(generated.next().unwrap_or_default()) {
                let (written, finish) = match completion.finish {
                    Finish::Stop => (&completion.ids[..completion.ids.len().saturating_sub(1)], STOP),
                    Finish::Length => (&completion.ids[..], LENGTH),
                };
                sampled += completion.ids.len() as u64;
                let completed = Completed {
                    text: format!("{}{}", prompt.prefill, self.tokenizer.decode(written, true)),
                    finish: finish.to_owned(),
                    tokens: Some(completion.ids.len()),
                    prompt_tokens: Some(length),
                    reason: None,
                    fingerprint: None,
                };
                to.take(at, *repeat, completed)?;
            }
        }
        to.stands(0.0, &format!("{} tokens", before + sampled));
        Ok(Some(sampled))
    }

    fn encode(&self, work: &Work, row: &Row) -> Result<EncodedPrompt, EvalError> {
        self.tokenizer.encode_prompt(&row.prompt).map_err(|source| EvalError::Prompt {
            suite: work.suite.to_owned(),
            place: row.place(),
            source: Box::new(source),
        })
    }

    /// Every token that ends a completion, by the tokenizer's files or by the model's configuration.
    fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.tokenizer.stop_ids();
        ids.extend(&self.model.config().eos_token_ids);
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
