//! The tokenizer of a Hugging Face directory.

use crate::{Message, Prompt, TextError};
use std::path::Path;

/// A prompt as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPrompt {
    /// Token ids of `text`.
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
    /// Token ids of prompt, completion and turn end.
    pub ids: Vec<u32>,
    /// Whether a token is a target, for each of `ids`.
    pub trainable: Vec<bool>,
}

/// Text to token ids and back, and dialogues to text.
pub struct Tokenizer {}

impl Tokenizer {
    /// Reads `tokenizer.json` and the files beside it.
    pub fn load(_dir: &Path) -> Result<Self, TextError> {
        Err(unfinished())
    }
    /// Writes all tokenizer files into `dir`, byte for byte as they were read.
    pub fn save(&self, _dir: &Path) -> Result<(), TextError> {
        Err(unfinished())
    }
    /// Largest token id plus one, added tokens included.
    pub fn vocab_size(&self) -> usize {
        0
    }
    /// Token ids of `text`.
    pub fn encode(&self, _text: &str, _add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        Err(unfinished())
    }
    /// The text of token ids.
    pub fn decode(&self, _ids: &[u32], _skip_special: bool) -> String {
        String::new()
    }
    /// The token of one id as it stands in the vocabulary.
    pub fn token(&self, _id: u32) -> String {
        String::new()
    }
    /// Beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        None
    }
    /// End-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        None
    }
    /// Padding token.
    pub fn pad(&self) -> Option<u32> {
        None
    }
    /// Tokens that end a completion.
    pub fn stop_ids(&self) -> Vec<u32> {
        Vec::new()
    }
    /// Whether dialogues can be rendered.
    pub fn has_chat_template(&self) -> bool {
        false
    }
    /// A dialogue as text.
    pub fn render(
        &self,
        _messages: &[Message],
        _add_generation_prompt: bool,
    ) -> Result<String, TextError> {
        Err(unfinished())
    }
    /// A prompt as ids, ready to be continued.
    pub fn encode_prompt(&self, _prompt: &Prompt) -> Result<EncodedPrompt, TextError> {
        Err(unfinished())
    }
    /// Prompt, completion and turn end, with the mask of what is learned.
    pub fn encode_example(
        &self,
        _prompt: &Prompt,
        _completion: &str,
    ) -> Result<Example, TextError> {
        Err(unfinished())
    }
    /// A whole dialogue as ids.
    pub fn encode_messages(&self, _messages: &[Message]) -> Result<Vec<u32>, TextError> {
        Err(unfinished())
    }
    /// SHA-256 of the tokenizer's files.
    pub fn digest(&self) -> String {
        String::new()
    }
}

fn unfinished() -> TextError {
    TextError::Encode {
        what: "the tokenizer is unfinished".into(),
        remedy: "finish it".into(),
    }
}
