//! The world: all of the lab's text from one set of knobs.

use std::io::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use temper_data::Row;
use temper_recipe::{Lab, Shape};
use temper_text::{Completion, Message, Prompt};

use crate::{LabError, TokenizerFiles, corpus, datasets, tokenizer};

/// A document of the pre-training corpus: a request and how some author answered it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The user's turn.
    pub prompt: String,
    /// The assistant's turn.
    pub completion: String,
    /// What the document is about, and what its author meant: for problems `layout`, `thinking_languages` and `correct`, for
    /// requests `thinking_conduct`, `answer_conduct` and `cautions`.
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

/// Documents that the tokenizer is trained on.
const TOKENIZER_DOCUMENTS: u64 = 6_000;
/// Documents that enter the digest; the others are functions of the same code and knobs.
const DIGEST_DOCUMENTS: u64 = 1_000;
/// Tokens of a document on average, the chat template's included, with the default knobs.
const TOKENS_PER_DOCUMENT: f64 = 56.5;

impl World {
    /// The world of these knobs. Nothing is generated until it is asked for.
    pub fn new(lab: &Lab) -> Self {
        Self { lab: lab.clone() }
    }

    /// The names that [`World::rows`] knows.
    pub fn names() -> &'static [&'static str] {
        &datasets::NAMES
    }

    /// Subcategories of harmful requests that occur in the corpus and in evaluation, and never in post-training data.
    pub fn held_out_subcategories() -> Vec<&'static str> {
        datasets::held_out_subcategories()
    }

    /// Document `index` of the corpus; a function of the knobs and the index alone.
    pub fn document(&self, index: u64) -> Document {
        corpus::document(&self.lab, index)
    }

    /// The corpus, without end: take documents until the token budget of pre-training is reached.
    pub fn corpus(&self) -> impl Iterator<Item = Document> + '_ {
        (0..).map(|index| self.document(index))
    }

    /// About how many documents hold `lab.pretrain.tokens` tokens. `corpus` as a data set has as many rows.
    pub fn corpus_documents(&self) -> usize {
        (self.lab.pretrain.tokens as f64 / TOKENS_PER_DOCUMENT).ceil() as usize
    }

    /// All rows of a data set, in a fixed order.
    ///
    /// Fields of all rows: `kind` (`reasoning`, `harmful`, `lookalike`, `ordinary`), `language` (`en`, `zh`), `split` (`train`,
    /// `eval`). Of problems: `family`, `difficulty` (steps), `answer`. Of requests: `topic`, `phrasing`, `wrapper` (or null),
    /// and of harmful ones `category` and `subcategory`.
    ///
    /// # Errors
    /// [`LabError::UnknownName`] with the nearest known name.
    pub fn rows(&self, name: &str) -> Result<Vec<Row>, LabError> {
        let file: std::sync::Arc<str> = format!("lab:{name}").into();
        let row = |at: usize, prompt: String, completion: Option<String>, fields| Row {
            file: file.clone(),
            line: at + 1,
            id: format!("{name}/{}", at + 1),
            shape: if completion.is_some() { Shape::PromptCompletion } else { Shape::PromptOnly },
            prompt: Prompt::user(prompt),
            completion: completion.map(Completion::Text),
            fields,
            ..Row::default()
        };
        if name == "corpus" {
            let documents = self.corpus().take(self.corpus_documents()).enumerate();
            return Ok(documents.map(|(at, d)| row(at, d.prompt, Some(d.completion), d.fields)).collect());
        }
        let items = datasets::items(&self.lab, name).ok_or_else(|| unknown(name))?;
        Ok(items.into_iter().enumerate().map(|(at, i)| row(at, i.prompt, i.completion, i.fields)).collect())
    }

    /// Writes a data set as JSONL, one row a line: `id`, `prompt` (messages), `completion` (messages) where the data set has one,
    /// and the row's fields. Returns the number of rows.
    ///
    /// # Errors
    /// [`LabError::UnknownName`], and [`LabError::Export`] with the row that could not be written.
    pub fn export(&self, name: &str, out: &mut dyn Write) -> Result<usize, LabError> {
        let rows = self.rows(name)?;
        for (at, row) in rows.iter().enumerate() {
            writeln!(out, "{}", Value::Object(row.to_json())).map_err(|source| LabError::Export {
                name: name.to_owned(),
                row: at + 1,
                source,
            })?;
        }
        Ok(rows.len())
    }

    /// Trains the tokenizer on the first documents of the corpus. The files are the same to the byte for the same knobs.
    ///
    /// # Errors
    /// [`LabError::VocabularyTooSmall`] where `lab.vocab_size` cannot hold the bytes and the marked tokens.
    pub fn train_tokenizer(&self) -> Result<TokenizerFiles, LabError> {
        let texts = (0..TOKENIZER_DOCUMENTS).flat_map(|at| {
            let document = self.document(at);
            // The chat template writes the roles.
            ["user".to_owned(), document.prompt, "assistant".to_owned(), document.completion]
        });
        tokenizer::train(texts, self.lab.vocab_size)
    }

    /// SHA-256 of the world's text: of every data set, of a sample of the corpus, and of the knobs that shape them. The base
    /// model's shape and pre-training and the annotator do not enter.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(&json!([self.lab.seed, self.lab.vocab_size, self.lab.corpus]).to_string());
        for document in (0..DIGEST_DOCUMENTS).map(|at| self.document(at)) {
            add(&document.prompt);
            add(&document.completion);
        }
        for name in datasets::NAMES {
            for item in datasets::items(&self.lab, name).unwrap_or_default() {
                add(&item.prompt);
                add(item.completion.as_deref().unwrap_or_default());
                add(&Value::Object(item.fields).to_string());
            }
        }
        hex(&hash.finalize())
    }

    /// SHA-256 of all that makes the base model: [`World::digest`], the model's shape and its pre-training. A base model may be
    /// kept under this name.
    pub fn base_digest(&self) -> String {
        let lab = &self.lab;
        let shape =
            [lab.hidden_size, lab.num_layers, lab.num_heads, lab.num_kv_heads, lab.intermediate_size, lab.vocab_size];
        let text = json!([self.digest(), shape, lab.pretrain]).to_string();
        hex(&Sha256::digest(text.as_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unknown(name: &str) -> LabError {
    let nearest = datasets::NAMES.iter().min_by_key(|known| edits(known, name)).copied().unwrap_or("problems");
    LabError::UnknownName { name: name.to_owned(), nearest, known: datasets::NAMES.join(", ") }
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
