//! The world: all of the lab's text from one set of knobs.

use std::io::Write;

use serde_json::{Map, Value};
use temper_data::Row;
use temper_recipe::Lab;
use temper_text::{Message, Prompt};

use crate::{LabError, TokenizerFiles};

/// A document of the pre-training corpus: a request and how some author answered it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The user's turn.
    pub prompt: String,
    /// The assistant's turn.
    pub completion: String,
    /// What the document is about and how it was written.
    pub fields: Map<String, Value>,
}

impl Document {
    /// The dialogue: one user turn, one assistant turn.
    pub fn messages(&self) -> Vec<Message> {
        vec![Message::user(self.prompt.clone()), Message::assistant(self.completion.clone())]
    }

    /// The user's turn as a prompt.
    pub fn prompt(&self) -> Prompt {
        Prompt::user(self.prompt.clone())
    }
}

/// The miniature world of one set of knobs.
#[derive(Clone, Debug)]
pub struct World {
    lab: Lab,
}

impl World {
    /// The world of these knobs. Nothing is generated until it is asked for.
    pub fn new(lab: &Lab) -> Self {
        Self { lab: lab.clone() }
    }

    /// The names that [`World::rows`] knows.
    pub fn names() -> &'static [&'static str] {
        &[]
    }

    /// Document `index` of the corpus; a function of the seed and the index alone.
    pub fn document(&self, _index: u64) -> Document {
        Document { prompt: String::new(), completion: String::new(), fields: Map::new() }
    }

    /// The corpus, without end: take documents until the token budget of pre-training is reached.
    pub fn corpus(&self) -> impl Iterator<Item = Document> + '_ {
        (0..).map(|index| self.document(index))
    }

    /// About how many documents hold `lab.pretrain.tokens` tokens.
    pub fn corpus_documents(&self) -> usize {
        self.lab.pretrain.tokens / 75
    }

    /// All rows of a data set, in a fixed order.
    pub fn rows(&self, _name: &str) -> Result<Vec<Row>, LabError> {
        Ok(Vec::new())
    }

    /// Writes a data set as JSONL: `prompt`, `completion` where there is one, and the row's fields. Returns the number of rows.
    pub fn export(&self, _name: &str, _out: &mut dyn Write) -> Result<usize, LabError> {
        Ok(0)
    }

    /// Trains the tokenizer on the first documents of the corpus. The files are the same to the byte for the same knobs.
    pub fn train_tokenizer(&self) -> Result<TokenizerFiles, LabError> {
        Err(LabError::Tokenizer("not built".into()))
    }

    /// SHA-256 of the world's text: every data set, a sample of the corpus, and the knobs that shape them.
    pub fn digest(&self) -> String {
        String::new()
    }

    /// SHA-256 of all that makes the base model: the world's text, the model's shape and its pre-training.
    pub fn base_digest(&self) -> String {
        String::new()
    }
}
