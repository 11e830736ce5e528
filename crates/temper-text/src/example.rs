//! Prompts and plain texts as token ids.

use crate::error::excerpt;
use crate::mask::Target;
use crate::turn::TurnEnd;
use crate::{Completion, Dialogue, Prompt, TextError, Tokenizer, thinking};
use serde_json::Value;
use std::ops::Range;
use temper_recipe::LossOn;

/// The variable of a dialogue that makes [`Tokenizer::encode_prompt`] go on with the last turn.
pub(crate) const CONTINUE: &str = "continue_final_message";

/// A prompt as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPrompt {
    /// Token ids of `text`, and of a BOS that the tokenizer adds to plain text.
    pub ids: Vec<u32>,
    /// The rendered text.
    pub text: String,
    /// What the prompt already wrote of the completion, e.g. `"<think>\n"` when the chat template opens the thinking;
    /// empty otherwise. The text of a sample is `prefill + completion`.
    pub prefill: String,
}

/// A training example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Token ids up to and including the stop token of the last learned turn.
    pub ids: Vec<u32>,
    /// Whether a token is a target, for each of `ids`.
    pub trainable: Vec<bool>,
    /// Number of leading ids before the first turn that is learned; all where none is.
    pub prompt_len: usize,
    /// The assistant turns that are learned, in order.
    pub turns: Vec<LearnedTurn>,
    /// A thinking stands closed and empty before a turn that has none in the data: the template wrote it, or the prompt had
    /// opened it. Its tokens are not targets.
    pub closed_thinking: bool,
    /// The text of `ids`, tokenised at once, gives other ids: prompt and completion are tokenised apart, as they are in
    /// sampling. Judged by the text around each seam.
    pub drift: bool,
    /// The completion's sampled ids, which the example has, are not those that its text gives when it is tokenised.
    pub retokenised: bool,
}

/// An assistant turn of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedTurn {
    /// Its index among the turns of prompt and completion; 0 for a plain text.
    pub turn: usize,
    /// Its tokens among the example's ids: what the model writes, the stop token included. Those of them that `trainable`
    /// marks are targets.
    pub tokens: Range<usize>,
}

impl Example {
    /// Number of targets.
    pub fn targets(&self) -> usize {
        self.trainable.iter().filter(|t| **t).count()
    }
}

impl Tokenizer {
    /// A prompt as ids, ready to be continued: plain text with the tokenizer's BOS if it has one, a dialogue rendered with
    /// the generation prompt, or, where its variable `continue_final_message` is true, up to the end of its last turn's text.
    ///
    /// # Errors
    /// A dialogue without a chat template or that the template refuses; double BOS; an empty prompt.
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<EncodedPrompt, TextError> {
        let (ids, text) = match prompt {
            Prompt::Text(text) => (self.plain_context(text)?, text.clone()),
            Prompt::Chat(dialogue) => {
                let text = match dialogue.variables.get(CONTINUE) {
                    Some(Value::Bool(true)) => self.render_continued(&dialogue.messages, &dialogue.variables)?,
                    _ => self.render(&dialogue.messages, &dialogue.variables, true)?,
                };
                let ids = self.ids(&text, false)?;
                self.check_bos(&ids, "prompt", &text)?;
                (ids, text)
            }
        };
        if ids.is_empty() {
            return Err(TextError::EmptyPrompt);
        }
        let prefill = thinking::prefill(&text).to_owned();
        Ok(EncodedPrompt { ids, text, prefill })
    }

    /// A whole dialogue as ids, as `apply_chat_template(messages)` of `transformers` gives them: no generation prompt.
    ///
    /// # Errors
    /// There is no chat template or it refuses the dialogue; double BOS.
    pub fn encode_dialogue(&self, dialogue: &Dialogue) -> Result<Vec<u32>, TextError> {
        let text = self.render(&dialogue.messages, &dialogue.variables, false)?;
        let ids = self.ids(&text, false)?;
        self.check_bos(&ids, "dialogue", &text)?;
        Ok(ids)
    }

    /// Prompt, completion and stop token, with the mask of what is learned: [`encode_row`](Self::encode_row) of one text.
    ///
    /// # Errors
    /// As [`encode_row`](Self::encode_row).
    pub fn encode_example(&self, prompt: &Prompt, completion: &str) -> Result<Example, TextError> {
        let rows = self.encode_row(prompt, &Completion::from(completion), None, LossOn::Completion)?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// The ids of a plain text that is continued.
    fn plain_context(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut ids = self.encode(text, true)?;
        // Some tokenizers close every text with an EOS; a prompt goes on.
        if self.eos().is_some() && ids.last().copied() == self.eos() && self.ids(text, false)?.last() != ids.last() {
            ids.pop();
        }
        Ok(ids)
    }

    /// A plain prompt and its completion. A prompt that ends in `<think>` has opened the thinking, as a template may.
    pub(crate) fn encode_plain(
        &self,
        prompt: &str,
        completion: &Completion,
        sampled: Option<&[u32]>,
        loss_on: LossOn,
    ) -> Result<Example, TextError> {
        let (said, train) = match completion {
            Completion::Text(text) => (text.as_str().into(), None),
            Completion::Turns(turns) => match turns.as_slice() {
                [only] if only.is_assistant() && only.calls().is_empty() => (only.text(), only.train),
                _ => {
                    return Err(TextError::Completion {
                        what: "the completion of a plain text is turns, which need a chat template".into(),
                        remedy: "Give the prompt as a list of turns too, or the completion as a text".into(),
                    });
                }
            },
        };
        self.check_said(&said, prompt)?;
        let Some(stop) = self.configured_stops().first().copied() else {
            return Err(TextError::NoStop {
                dir: self.dir().to_owned(),
                what: "neither tokenizer_config.json nor generation_config.json names an end-of-sequence token".into(),
                remedy: "Set `eos_token` in tokenizer_config.json".into(),
            });
        };
        let learned = match loss_on {
            LossOn::Flagged => train == Some(true),
            _ => train != Some(false),
        };
        let mut target = Target::continuing(thinking::prefill(prompt), "", &said, stop);
        target.sampled = sampled;
        let mut example = Example { ids: self.plain_context(prompt)?, ..Example::default() };
        example.trainable = vec![false; example.ids.len()];
        self.push_target(&mut example, prompt, &target, 0, learned.then_some(loss_on))?;
        // Nothing predicts the first token of a sequence.
        if let Some(first) = example.trainable.first_mut() {
            *first = false;
        }
        if learned && loss_on == LossOn::Completion && example.targets() == 0 {
            return Err(TextError::Completion {
                what: format!(
                    "no token of the completion {:?} can be learned: nothing stands before it",
                    excerpt(&said)
                ),
                remedy: "Give a prompt".into(),
            });
        }
        Ok(example)
    }

    /// Refuses a completion without text.
    pub(crate) fn check_said(&self, said: &str, prompt: &str) -> Result<(), TextError> {
        match said.trim().is_empty() {
            false => Ok(()),
            true => Err(TextError::Completion {
                what: format!("the completion of {:?} is empty: nothing to learn but the stop token", excerpt(prompt)),
                remedy: "Fill in the completion, mark the turn with `train: false`, or leave the row out".into(),
            }),
        }
    }

    /// The token that ends an assistant turn, and the white space that the template writes before its text.
    pub(crate) fn turn_stop(&self) -> Result<(u32, &str), TextError> {
        match self.turn_end() {
            TurnEnd::Known { separator, stop, .. } => Ok((*stop, separator)),
            TurnEnd::Unknown { what, remedy } => {
                Err(TextError::NoStop { dir: self.dir().to_owned(), what: what.clone(), remedy: remedy.clone() })
            }
        }
    }
}
