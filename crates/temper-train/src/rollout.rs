//! Rollouts: sampled completions with everything that training on them needs.

use temper_data::Row;
use temper_engine::{Completion, Finish, Key, Model, ModelConfig, Request, SamplingParams, generate};
use temper_text::{EncodedPrompt, Tokenizer};

use crate::TrainError;
use crate::trainer::digest;

/// A prompt that is ready to be sampled from.
#[derive(Clone, Debug)]
pub struct PreparedPrompt {
    /// Index of the row.
    pub row: usize,
    /// Ids, text and prefill.
    pub encoded: EncodedPrompt,
}

/// Prompts of rows, and how many rows were too long.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    /// The prompts that fit.
    pub items: Vec<PreparedPrompt>,
    /// Rows whose prompt is too long.
    pub skipped: usize,
    /// Longest prompt allowed.
    pub limit: usize,
}

impl Prompts {
    /// Encodes the prompts of `rows`. Skips those of more than `max_prompt_length` tokens, and those that leave less than
    /// `max_new_tokens` of the model's context.
    ///
    /// # Errors
    /// A prompt that cannot be encoded, ids outside the vocabulary, or no prompt left.
    pub fn prepare(
        config: &ModelConfig,
        tokenizer: &Tokenizer,
        rows: &[Row],
        max_prompt_length: Option<usize>,
        max_new_tokens: usize,
    ) -> Result<Self, TrainError> {
        let context = config.max_position_embeddings.saturating_sub(max_new_tokens);
        let limit = max_prompt_length.map_or(context, |max| max.min(context));
        let mut out = Self { limit, ..Self::default() };
        for (row, source) in rows.iter().enumerate() {
            let encoded = tokenizer
                .encode_prompt(&source.prompt)
                .map_err(|error| TrainError::Encode { place: source.place(), source: error })?;
            check_ids(&encoded.ids, config.vocab_size, source)?;
            if encoded.ids.len() > limit {
                out.skipped += 1;
            } else {
                out.items.push(PreparedPrompt { row, encoded });
            }
        }
        if out.items.is_empty() {
            return Err(TrainError::setting(
                match rows.len() {
                    0 => "there are no prompts to sample from".to_owned(),
                    n => format!("each of the {n} prompts is longer than {limit} tokens"),
                },
                "Check `path`, `rows` and `filter` of the data source, max_prompt_length, and max_completion_length against the model's context",
            ));
        }
        Ok(out)
    }

    /// Tokens of the longest prompt.
    pub fn longest(&self) -> usize {
        self.items.iter().map(|prompt| prompt.encoded.ids.len()).max().unwrap_or(0)
    }

    /// What a reader of the report should know.
    pub fn notes(&self) -> Vec<String> {
        let total = self.items.len() + self.skipped;
        match self.skipped {
            0 => Vec::new(),
            n => vec![format!("{n} of {total} prompts are longer than {} tokens and were skipped", self.limit)],
        }
    }
}

/// One sampled completion.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Index of the row.
    pub row: usize,
    /// Number of the completion in its group.
    pub sample: usize,
    /// Tokens of the prompt at the front of `ids`.
    pub prompt_len: usize,
    /// Prompt and completion, the stop token included.
    pub ids: Vec<u32>,
    /// Log-probability of each completion token when it was sampled, at the sampling temperature.
    pub logprobs: Vec<f32>,
    /// What the prompt already wrote of the completion, then the completion without its stop token.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
}

impl Rollout {
    /// Completion tokens, the stop token included.
    pub fn tokens(&self) -> usize {
        self.ids.len() - self.prompt_len
    }

    /// Whether it ended at the length limit.
    pub fn truncated(&self) -> bool {
        self.finish == Finish::Length
    }
}

/// The completions of some prompts, group after group.
#[derive(Clone, Debug, Default)]
pub struct RolloutBatch {
    /// `prompts × samples` completions.
    pub rollouts: Vec<Rollout>,
    /// Digest of the weights that sampled them; of the adapter, if they have one.
    pub weights: String,
    /// Completion tokens.
    pub tokens: u64,
    /// Operations: each prompt once, then each completion.
    pub flops: f64,
}

/// Everything that sampling needs and that stays the same over a stage, the weights excepted.
#[derive(Clone, Debug)]
pub struct Sampler<'a> {
    /// The rows that the prompts are of.
    pub rows: &'a [Row],
    /// How to sample.
    pub params: SamplingParams,
    /// Completions per prompt.
    pub samples: usize,
    /// Where the randomness comes from.
    pub key: Key,
}

impl Sampler<'_> {
    /// Samples completions of some prompts. `first` is the number of the first of them in the stage.
    ///
    /// Each completion has its own stream of randomness, keyed by `key`, the prompt's number, the row's id and the
    /// completion's number, so that it does not depend on what else is sampled. `progress` is given the tokens so far.
    ///
    /// # Errors
    /// What the engine cannot run.
    pub fn sample(
        &self,
        model: &Model,
        tokenizer: &Tokenizer,
        prompts: &[&PreparedPrompt],
        first: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<RolloutBatch, TrainError> {
        let requests: Vec<Request> = prompts
            .iter()
            .enumerate()
            .map(|(i, prompt)| {
                let key = self.key.fold(first + i as u64).fold_str(&self.rows[prompt.row].id);
                Request {
                    prompt: prompt.encoded.ids.clone(),
                    keys: (0..self.samples as u64).map(|s| key.fold(s)).collect(),
                }
            })
            .collect();
        let groups = generate(model, &requests, &self.params, &mut |tokens| {
            progress(tokens);
            true
        })?;
        let mut batch = RolloutBatch { weights: policy_digest(model), ..RolloutBatch::default() };
        for (prompt, group) in prompts.iter().zip(groups) {
            let length = prompt.encoded.ids.len() as u64;
            let (mut tokens, mut attended) = (length, length * (length + 1) / 2);
            for (sample, completion) in group.into_iter().enumerate() {
                let new = completion.ids.len() as u64;
                batch.tokens += new;
                tokens += new;
                attended += new * length + new * (new + 1) / 2;
                batch.rollouts.push(rollout(tokenizer, prompt, sample, completion));
            }
            batch.flops += model.config().forward_flops(tokens as usize, attended);
        }
        Ok(batch)
    }
}

/// Digest of what is trained: the weights, or the adapter.
fn policy_digest(model: &Model) -> String {
    match model.adapter() {
        None => model.digest(),
        Some(_) => digest([model.trainable().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()]),
    }
}

fn rollout(tokenizer: &Tokenizer, prompt: &PreparedPrompt, sample: usize, completion: Completion) -> Rollout {
    let written = match completion.finish {
        Finish::Stop => &completion.ids[..completion.ids.len().saturating_sub(1)],
        Finish::Length => &completion.ids[..],
    };
    let text = format!("{}{}", prompt.encoded.prefill, tokenizer.decode(written, true));
    let prompt_len = prompt.encoded.ids.len();
    let mut ids = prompt.encoded.ids.clone();
    ids.extend_from_slice(&completion.ids);
    Rollout { row: prompt.row, sample, prompt_len, ids, logprobs: completion.logprobs, text, finish: completion.finish }
}

/// Refuses ids that the embedding has no row for.
fn check_ids(ids: &[u32], vocab_size: usize, row: &Row) -> Result<(), TrainError> {
    match ids.iter().find(|id| **id as usize >= vocab_size) {
        None => Ok(()),
        Some(id) => Err(TrainError::Row {
            place: row.place(),
            what: format!("the tokenizer gives id {id}, but the model has {vocab_size} embeddings"),
            remedy: "Use the tokenizer that belongs to the model".into(),
        }),
    }
}
