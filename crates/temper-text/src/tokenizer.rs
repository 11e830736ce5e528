//! The tokenizer of a Hugging Face directory.

use crate::chat::{ChatTemplate, Turns};
use crate::error::excerpt;
use crate::files::{self, Files};
use crate::templates::Templates;
use crate::turn::TurnEnd;
use crate::words::Words;
use crate::{Message, TextError};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tokenizers::AddedToken;

/// The special tokens that a chat template may print, by the name of their variable.
const NAMED: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Text to token ids and back, and dialogues to text.
///
/// Text is encoded by `tokenizer.json`, whose truncation and padding settings are ignored: nothing is cut or filled
/// silently.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    words: Option<Words>,
    pub(crate) files: Files,
    pub(crate) templates: Templates,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
    special: BTreeSet<u32>,
    isolated: BTreeSet<u32>,
    control: BTreeSet<u32>,
    configured_stops: Vec<u32>,
    stop_texts: Vec<String>,
    special_texts: Vec<String>,
    vocab_size: usize,
    turn_end: TurnEnd,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("dir", &self.files.dir)
            .field("vocab_size", &self.vocab_size)
            .field("stop_ids", &self.stop_ids())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where present, `tokenizer_config.json`, `chat_template.jinja` (which wins over the
    /// template in the configuration), `special_tokens_map.json` and `generation_config.json`.
    ///
    /// # Errors
    /// A file is missing, cannot be read or is malformed; the chat template does not compile; a named special token is
    /// not in the vocabulary.
    pub fn load(dir: &Path) -> Result<Self, TextError> {
        Self::from_files(Files::read(dir)?)
    }

    /// As [`load`](Self::load), from the bytes of the files by name. `origin` stands for the directory in messages.
    pub fn from_bytes(files: BTreeMap<String, Vec<u8>>, origin: &Path) -> Result<Self, TextError> {
        Self::from_files(Files { dir: origin.to_owned(), bytes: files })
    }

    fn from_files(files: Files) -> Result<Self, TextError> {
        let json = files.bytes.get(files::TOKENIZER).map_or(&[][..], Vec::as_slice);
        let mut inner = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|e| files.malformed(files::TOKENIZER, format!("not a tokenizer: {e}")))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| files.malformed(files::TOKENIZER, e.to_string()))?;
        let config = files.object(files::CONFIG)?;
        add_configured_tokens(&mut inner, &config, &files)?;

        let map = files.object(files::SPECIAL)?;
        let named: Vec<(String, String)> = NAMED
            .iter()
            .filter_map(|name| {
                let text = token_text(config.get(*name)).or_else(|| token_text(map.get(*name)))?;
                Some(((*name).to_owned(), text))
            })
            .collect();
        let id_of = |name: &str| match named.iter().find(|(n, _)| n == name) {
            None => Ok(None),
            Some((_, text)) => inner.token_to_id(text).map(Some).ok_or_else(|| {
                let file = if config.contains_key(name) { files::CONFIG } else { files::SPECIAL };
                files.malformed(file, format!("`{name}` is {text:?}, which is not in the vocabulary"))
            }),
        };
        let (bos, eos, pad) = (id_of("bos_token")?, id_of("eos_token")?, id_of("pad_token")?);
        let generation = files.object(files::GENERATION)?;
        let mut configured_stops: Vec<u32> = eos.into_iter().collect();
        configured_stops.extend(generation_stops(&generation, &files)?);

        let vocab = inner.get_vocab(true);
        let vocab_size = vocab.values().max().map_or(0, |id| *id as usize + 1);
        let special =
            inner.get_added_tokens_decoder().iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let apart = |token: &AddedToken| !(token.lstrip || token.rstrip || token.single_word || token.normalized);
        let isolated =
            inner.get_added_tokens_decoder().iter().filter(|(_, token)| apart(token)).map(|(id, _)| *id).collect();
        let templates = Templates::find(&files, &config, named)?;
        let mut tokenizer = Self {
            words: Words::of(&inner),
            inner,
            files,
            templates,
            bos,
            eos,
            pad,
            special,
            isolated,
            control: BTreeSet::new(),
            configured_stops,
            stop_texts: Vec::new(),
            special_texts: Vec::new(),
            vocab_size,
            turn_end: TurnEnd::default(),
        };
        tokenizer.find_turn_end();
        Ok(tokenizer)
    }

    pub(crate) fn find_turn_end(&mut self) {
        self.turn_end = TurnEnd::find(self);
        let added = self.inner.get_added_tokens_decoder();
        let printed = |text: &str| !text.trim().is_empty() && self.templates.print(text);
        let control = added.iter().filter(|(_, token)| token.special || printed(&token.content));
        self.control = control.map(|(id, _)| *id).collect();
        self.special_texts = self.special.iter().map(|id| self.token(*id)).collect();
        self.stop_texts = self.stop_ids().into_iter().map(|id| self.token(id)).collect();
    }

    /// Writes all tokenizer files into `dir`, byte for byte as they were read.
    ///
    /// # Errors
    /// The directory or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), TextError> {
        self.files.write(dir)
    }

    /// Largest token id plus one, added tokens included: the least number of rows that an embedding must have.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Token ids of `text`. With `add_special_tokens` the tokens that `tokenizer.json` puts around a text (a BOS, of most
    /// Llama models) are added. Special tokens written out in the text are recognised.
    ///
    /// # Errors
    /// With `add_special_tokens`: the ids begin with BOS twice, because the text begins with one already.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        let ids = self.ids(text, add_special_tokens)?;
        if add_special_tokens {
            self.check_bos(&ids, "text", text)?;
        }
        Ok(ids)
    }

    pub(crate) fn ids(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        if !add_special_tokens && let Some(ids) = self.words.as_ref().and_then(|words| words.ids(&self.inner, text)) {
            return Ok(ids);
        }
        match self.inner.encode_fast(text, add_special_tokens) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(e) => Err(TextError::Encode { excerpt: excerpt(text), what: e.to_string() }),
        }
    }

    /// Fails when `ids` begin with BOS twice.
    pub(crate) fn check_bos(&self, ids: &[u32], what: &'static str, text: &str) -> Result<(), TextError> {
        match (self.bos, ids) {
            (Some(bos), [first, second, ..]) if *first == bos && *second == bos => {
                Err(TextError::DoubleBos { what, bos: self.token(bos), excerpt: excerpt(text) })
            }
            _ => Ok(()),
        }
    }

    /// The text of token ids. Bytes that are not UTF-8 (a character cut in two) become U+FFFD. No spaces are cleaned up.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        self.inner.decode(ids, skip_special).unwrap_or_default()
    }

    /// The token of one id as it stands in the vocabulary; `<id N>` when there is none.
    pub fn token(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<id {id}>"))
    }

    /// The id of a token as it stands in the vocabulary.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// End-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Padding token.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// Whether `id` is a special token of `tokenizer.json`.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// Tokens that end a completion: the end-of-sequence token, those of `generation_config.json`, and the token with
    /// which the chat template ends an assistant turn. Each once, in this order.
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        for id in self.configured_stops.iter().copied().chain(self.turn_end.stop()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The stop tokens that configuration names, before the chat template is asked.
    pub(crate) fn configured_stops(&self) -> &[u32] {
        &self.configured_stops
    }

    pub(crate) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }

    /// Whether a token steers the model: a special token, or an added one that the chat template prints.
    pub(crate) fn is_control(&self, id: u32) -> bool {
        self.control.contains(&id)
    }

    /// The texts of the stop tokens.
    pub(crate) fn stop_texts(&self) -> &[String] {
        &self.stop_texts
    }

    /// The texts of the special tokens.
    pub(crate) fn special_texts(&self) -> &[String] {
        &self.special_texts
    }

    /// Whether a completion ends with this token.
    pub(crate) fn is_stop(&self, id: u32) -> bool {
        self.configured_stops.contains(&id) || self.turn_end.stop() == Some(id)
    }

    /// Whether the token is one that is cut out of a text before the rest is tokenised, with no white space around it.
    pub(crate) fn is_added(&self, id: u32) -> bool {
        self.isolated.contains(&id)
    }

    /// The template for a dialogue with these variables.
    pub(crate) fn template_for(&self, variables: &Map<String, Value>) -> Result<&ChatTemplate, TextError> {
        let tools = variables.get("tools").is_some_and(|tools| !tools.is_null());
        self.templates.of(tools).ok_or_else(|| TextError::NoChatTemplate { dir: self.files.dir.clone() })
    }

    pub(crate) fn turn_end(&self) -> &TurnEnd {
        &self.turn_end
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.files.dir
    }

    /// Whether dialogues can be rendered.
    pub fn has_chat_template(&self) -> bool {
        self.chat_template().is_some()
    }

    /// The chat template of dialogues without tools.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.templates.of(false)
    }

    /// A dialogue as the text that the model sees, as `apply_chat_template(…, tokenize=False)` of `transformers` gives it.
    /// `variables` are those of [`Dialogue`](crate::Dialogue).
    ///
    /// # Errors
    /// There is no chat template, or it refuses the dialogue.
    pub fn render(
        &self,
        messages: &[Message],
        variables: &Map<String, Value>,
        add_generation_prompt: bool,
    ) -> Result<String, TextError> {
        let turns = Turns::of_messages(self.template_for(variables)?, messages, variables);
        turns.render(turns.len(), add_generation_prompt)
    }

    /// As [`render`](Self::render), up to the end of the last turn's text, for the model to go on with:
    /// `apply_chat_template(…, continue_final_message=True)`.
    ///
    /// # Errors
    /// As [`render`](Self::render); the last turn has no text, or the template does not print it.
    pub fn render_continued(&self, messages: &[Message], variables: &Map<String, Value>) -> Result<String, TextError> {
        let template = self.template_for(variables)?;
        let given = |message: &Message| match template.reads_reasoning() {
            true => message.to_template(),
            false => message.folded().to_template(),
        };
        template.render_continued(&messages.iter().map(given).collect(), variables)
    }

    /// SHA-256 in hexadecimal of the tokenizer's files: their names, lengths and bytes.
    pub fn digest(&self) -> String {
        self.files.digest()
    }
}

/// A special token in a configuration: a string, or an object with `content`.
fn token_text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => map.get("content")?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// Adds the tokens of `added_tokens_decoder` that `tokenizer.json` lacks.
fn add_configured_tokens(
    inner: &mut tokenizers::Tokenizer,
    config: &Map<String, Value>,
    files: &Files,
) -> Result<(), TextError> {
    let Some(Value::Object(decoder)) = config.get("added_tokens_decoder") else {
        return Ok(());
    };
    let mut missing: Vec<(u32, AddedToken)> = Vec::new();
    for (key, value) in decoder {
        let (Ok(id), Some(content)) = (key.parse::<u32>(), token_text(Some(value))) else {
            let what = format!("`added_tokens_decoder` has the entry {key:?}: {value}, not an id with an object");
            return Err(files.malformed(files::CONFIG, what));
        };
        if inner.token_to_id(&content).is_none() {
            let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
            let token = AddedToken::from(content, flag("special"))
                .single_word(flag("single_word"))
                .lstrip(flag("lstrip"))
                .rstrip(flag("rstrip"))
                .normalized(flag("normalized"));
            missing.push((id, token));
        }
    }
    missing.sort_by_key(|(id, _)| *id);
    for (id, token) in missing {
        let content = token.content.clone();
        inner.add_tokens(std::slice::from_ref(&token));
        let got = inner.token_to_id(&content);
        if got != Some(id) {
            let what = format!(
                "`added_tokens_decoder` gives {content:?} the id {id}, which tokenizer.json would number {}",
                got.map_or("not at all".into(), |got| got.to_string())
            );
            return Err(files.malformed(files::CONFIG, what));
        }
    }
    Ok(())
}

/// `eos_token_id` of a generation configuration: an id or a list of ids.
fn generation_stops(config: &Map<String, Value>, files: &Files) -> Result<Vec<u32>, TextError> {
    let id = |value: &Value| {
        value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
            let what = format!("`eos_token_id` has {value}, not a token id");
            files.malformed(files::GENERATION, what)
        })
    };
    match config.get("eos_token_id") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(ids)) => ids.iter().map(id).collect(),
        Some(value) => Ok(vec![id(value)?]),
    }
}
