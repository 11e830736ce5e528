//! Prompts and training examples as token ids.
//!
//! Prompt and completion are tokenised separately and joined as ids, so that the ids that were sampled and those that are
//! trained on agree at the boundary.

use crate::error::excerpt;
use crate::turn::TurnEnd;
use crate::{Dialogue, Prompt, TextError, Tokenizer, thinking};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids of prompt, completion and stop token.
    pub ids: Vec<u32>,
    /// Whether a token is a target, for each of `ids`: the completion and the stop token after it.
    pub trainable: Vec<bool>,
    /// Number of leading ids that are the prompt; the rest is the completion.
    pub prompt_len: usize,
    /// The prompt opened the thinking and the completion has none: the thinking was closed, empty, between the two. The
    /// tokens that close it are not targets.
    pub closed_thinking: bool,
}

impl Example {
    /// Number of targets.
    pub fn targets(&self) -> usize {
        self.trainable.iter().filter(|t| **t).count()
    }
}

impl Tokenizer {
    /// A prompt as ids, ready to be continued: plain text with the tokenizer's BOS if it has one, a dialogue rendered with
    /// the generation prompt.
    ///
    /// # Errors
    /// A dialogue without a chat template or that the template refuses; double BOS; an empty prompt.
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<EncodedPrompt, TextError> {
        let encoded = self.context(prompt)?;
        if encoded.ids.is_empty() {
            return Err(TextError::EmptyPrompt);
        }
        Ok(encoded)
    }

    /// As [`encode_prompt`](Self::encode_prompt), where no token at all is a prompt too.
    fn context(&self, prompt: &Prompt) -> Result<EncodedPrompt, TextError> {
        let (ids, text) = match prompt {
            Prompt::Text(text) => {
                let mut ids = self.encode(text, true)?;
                // Some tokenizers close every text with an EOS; a prompt goes on.
                if self.eos().is_some()
                    && ids.last().copied() == self.eos()
                    && self.ids(text, false)?.last() != ids.last()
                {
                    ids.pop();
                }
                (ids, text.clone())
            }
            Prompt::Chat(dialogue) => {
                let text = self.render(&dialogue.messages, &dialogue.variables, true)?;
                let ids = self.ids(&text, false)?;
                self.check_bos(&ids, "prompt", &text)?;
                (ids, text)
            }
        };
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

    /// Prompt, completion and stop token, with the mask of what is learned.
    ///
    /// Where the prompt has opened the thinking (see [`EncodedPrompt::prefill`]), a `<think>` that begins the completion is
    /// not repeated; a completion without thinking follows an empty thinking that is closed but not learned. A completion
    /// that already ends in a stop token gets no second one.
    ///
    /// # Errors
    /// As [`encode_prompt`](Self::encode_prompt); no stop token is known; the completion is empty or has a stop token before
    /// its end; it begins with BOS.
    pub fn encode_example(&self, prompt: &Prompt, completion: &str) -> Result<Example, TextError> {
        let (stop, separator) = self.stop_of(prompt)?;
        let EncodedPrompt { mut ids, prefill, text } = self.context(prompt)?;
        if completion.trim().is_empty() {
            return Err(TextError::Completion {
                what: format!("the completion of {:?} is empty: nothing to learn but the stop token", excerpt(&text)),
                remedy: "Fill in the completion, or leave the row out".into(),
            });
        }
        let Continuation { close, target } = continuation(&prefill, separator, completion);
        if let Some(close) = close {
            ids.extend(self.ids(close, false)?);
        }
        let prompt_len = ids.len();
        let mut target_ids = self.ids(&target, false)?;
        self.check_target(&target_ids, completion)?;
        if target_ids.last().is_none_or(|last| !self.stop_ids().contains(last)) {
            target_ids.push(stop);
        }
        ids.extend(&target_ids);
        let mut trainable = vec![false; prompt_len];
        trainable.resize(ids.len(), true);
        // Nothing predicts the first token of a sequence.
        trainable[0] = false;
        let example = Example { ids, trainable, prompt_len, closed_thinking: close.is_some() };
        if example.targets() == 0 {
            return Err(TextError::Completion {
                what: format!(
                    "no token of the completion {:?} can be learned: nothing stands before it",
                    excerpt(completion)
                ),
                remedy: "Give a prompt".into(),
            });
        }
        Ok(example)
    }

    /// The token that ends the completion of a prompt, and what the template writes before the completion.
    fn stop_of(&self, prompt: &Prompt) -> Result<(u32, &str), TextError> {
        let no_stop = |what: &str, remedy: &str| TextError::NoStop {
            dir: self.dir().to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        };
        match (prompt, self.turn_end()) {
            (Prompt::Text(_), _) => match self.configured_stops().first() {
                Some(eos) => Ok((*eos, "")),
                None => Err(no_stop(
                    "neither tokenizer_config.json nor generation_config.json names an end-of-sequence token",
                    "Set `eos_token` in tokenizer_config.json",
                )),
            },
            (Prompt::Chat(_), _) if !self.has_chat_template() => {
                Err(TextError::NoChatTemplate { dir: self.dir().to_owned() })
            }
            (Prompt::Chat(_), TurnEnd::Known { separator, stop }) => Ok((*stop, separator)),
            (Prompt::Chat(_), TurnEnd::Unknown { what, remedy }) => Err(no_stop(what, remedy)),
        }
    }

    fn check_target(&self, target: &[u32], completion: &str) -> Result<(), TextError> {
        let stops = self.stop_ids();
        let inside = target.iter().take(target.len().saturating_sub(1)).find(|id| stops.contains(id));
        if let Some(id) = inside {
            return Err(TextError::Completion {
                what: format!(
                    "the completion {:?} has the stop token {} before its end",
                    excerpt(completion),
                    self.token(*id)
                ),
                remedy: "Remove it from the text; the stop token is added after the completion".into(),
            });
        }
        match (self.bos(), target.first()) {
            (Some(bos), Some(first)) if bos == *first && !stops.contains(&bos) => Err(TextError::Completion {
                what: format!("the completion {:?} begins with {}", excerpt(completion), self.token(bos)),
                remedy: "Remove it from the text".into(),
            }),
            _ => Ok(()),
        }
    }
}

/// What follows a prompt.
struct Continuation {
    /// Closes a thinking that the prompt opened and the completion does not use; not learned.
    close: Option<&'static str>,
    /// The text that is learned.
    target: String,
}

fn continuation(prefill: &str, separator: &str, completion: &str) -> Continuation {
    let learn = |target: String| Continuation { close: None, target };
    if prefill.is_empty() {
        return learn(format!("{separator}{completion}"));
    }
    let opened_space = &prefill[thinking::OPEN.len()..];
    if let Some(rest) = completion.trim_start().strip_prefix(thinking::OPEN) {
        return learn(rest.strip_prefix(opened_space).unwrap_or(rest).to_owned());
    }
    if completion.contains(thinking::CLOSE) {
        return learn(completion.to_owned());
    }
    let close = if opened_space.ends_with('\n') { "\n</think>\n\n" } else { "</think>\n\n" };
    Continuation { close: Some(close), target: completion.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinking_that_the_prompt_opened_is_not_opened_twice() {
        let learned = |prefill, completion| {
            let c = continuation(prefill, " ", completion);
            (c.close, c.target)
        };
        assert_eq!(learned("", "a"), (None, " a".into()));
        assert_eq!(learned("<think>\n", "<think>\nt</think>a"), (None, "t</think>a".into()));
        assert_eq!(learned("<think>\n", "<think>t</think>a"), (None, "t</think>a".into()));
        assert_eq!(learned("<think>", "\n<think>\nt</think>a"), (None, "\nt</think>a".into()));
        assert_eq!(learned("<think>\n", "t</think>a"), (None, "t</think>a".into()));
        assert_eq!(learned("<think>\n", "a"), (Some("\n</think>\n\n"), "a".into()));
    }
}
