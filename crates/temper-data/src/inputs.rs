//! Rows of the command line: texts to score, prompts to continue.

use crate::error::Place;
use crate::{DataError, shape, source};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use temper_text::Prompt;

/// Which field a row of the command line had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// `text`: plain text, as it stands.
    Text,
    /// `messages`: a dialogue, whole.
    Messages,
    /// `prompt`: a text or a list of turns to answer.
    Prompt,
}

/// A row of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The file.
    pub file: Arc<str>,
    /// Line of the row, from 1.
    pub line: usize,
    /// Which field it had.
    pub kind: InputKind,
    /// The text or dialogue; every turn of `messages` is in it.
    pub prompt: Prompt,
    /// Every field of the row.
    pub fields: Map<String, Value>,
}

impl Input {
    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// Reads rows `{"text"}`, `{"messages"}` or `{"prompt"}` from a file of any known format. A text under `prompt` becomes a
/// `user` turn when `chat`; under `text` it stays plain.
///
/// # Errors
/// As [`read`](crate::read); a row that has none of the three fields, or more than one.
pub fn read_inputs(path: &Path, chat: bool) -> Result<Vec<Input>, DataError> {
    let mut inputs = Vec::new();
    let mut seen = String::new();
    for file in source::files(&path.to_string_lossy())? {
        let shown: Arc<str> = file.path.display().to_string().into();
        for record in file.format.records(&file.path, false)? {
            let record = record?;
            let place = Place::line(&shown, record.line);
            let (kind, prompt) = input(&record.fields, chat, place)?;
            inputs.push(Input { file: shown.clone(), line: record.line, kind, prompt, fields: record.fields });
        }
        seen = shown.to_string();
    }
    if inputs.is_empty() {
        return Err(Place::file(&seen).error("the file has no rows", "Give at least one row"));
    }
    Ok(inputs)
}

fn input(fields: &Map<String, Value>, chat: bool, place: Place) -> Result<(InputKind, Prompt), DataError> {
    let named = [("text", InputKind::Text), ("messages", InputKind::Messages), ("prompt", InputKind::Prompt)];
    let mut present = named.into_iter().filter_map(|(name, kind)| Some((name, kind, fields.get(name)?)));
    let Some((name, kind, value)) = present.next() else {
        let names = crate::error::list(fields.keys().map(String::as_str));
        return Err(place.error(
            format!("found the fields {names}, expected `text`, `messages` or `prompt`"),
            "Write {\"text\": …}, {\"messages\": […]} or {\"prompt\": …}",
        ));
    };
    if let Some((other, _, _)) = present.next() {
        return Err(place.error(format!("the row has both `{name}` and `{other}`"), "Keep one of the two"));
    }
    let prompt = match (kind, value) {
        (_, Value::String(text)) if text.is_empty() => {
            return Err(place.field(name, "the text is empty", "Fill it in"));
        }
        (InputKind::Text, Value::String(text)) => Prompt::Text(text.clone()),
        (InputKind::Prompt, Value::String(text)) if chat => Prompt::user(text.as_str()),
        (InputKind::Prompt, Value::String(text)) => Prompt::Text(text.clone()),
        (InputKind::Messages | InputKind::Prompt, value) => Prompt::chat(shape::turns(name, value, place)?),
        (InputKind::Text, value) => return Err(place.wrong_type(name, value, "a text", "Correct the row")),
    };
    Ok((kind, prompt))
}
