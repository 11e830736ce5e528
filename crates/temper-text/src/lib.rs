//! Tokenizer, chat templates, trainable-token masks, thinking, boxed answers and the language of words.
//!
//! A [`Tokenizer`] is a Hugging Face tokenizer directory: text to ids and back, dialogues to the text the model was
//! trained on, and training examples to ids with a mask of the tokens to learn. The modules [`thinking`], [`boxed`] and
//! [`language`] read completions and need no tokenizer.

pub mod boxed;
mod chat;
mod error;
mod example;
mod facts;
mod files;
mod json;
pub mod language;
mod mask;
mod message;
mod pieces;
mod templates;
pub mod thinking;
mod tokenizer;
mod turn;
mod words;

pub use chat::ChatTemplate;
pub use error::TextError;
pub use example::{EncodedPrompt, Example, LearnedTurn};
pub use facts::TemplateFacts;
pub use message::{Completion, Dialogue, Message, Prompt};
pub use pieces::Pieces;
pub use tokenizer::Tokenizer;
