//! One row of data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use temper_text::Prompt;

/// One row: a prompt, the completion to learn if there is one, and every field of the row for the scorers.
///
/// Serialised, a row is one object with these members, and reads back as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The file that the row was read from (`lab:NAME` for the lab's data).
    pub file: Arc<str>,
    /// Line of the row, from 1 (for `.json` files the position in the array).
    pub line: usize,
    /// The id column's value, else the file's name and the line; unique within a data source.
    pub id: String,
    /// What is asked. Empty plain text for rows that are only a text to learn.
    pub prompt: Prompt,
    /// What is learned, where the row has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// Every column of the row under its own name, and the answer column under `answer`.
    pub fields: Map<String, Value>,
}

impl Row {
    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The row as a flat object that [`read`](crate::read) recognises: `id`, `prompt` (text or list of turns),
    /// `completion`, and the fields, without those that held the row's text.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("id".into(), Value::from(self.id.as_str()));
        match (&self.prompt, &self.completion) {
            (Prompt::Text(prompt), Some(text)) if prompt.is_empty() => {
                out.insert("text".into(), Value::from(text.as_str()));
            }
            (prompt, completion) => {
                let prompt = match prompt {
                    Prompt::Text(text) => Value::from(text.as_str()),
                    Prompt::Chat(dialogue) => serde_json::json!(dialogue.messages),
                };
                out.insert("prompt".into(), prompt);
                if let Some(completion) = completion {
                    out.insert("completion".into(), Value::from(completion.as_str()));
                }
            }
        }
        let text = ["id", "prompt", "completion", "messages", "text", "conversations"];
        for (name, value) in self.fields.iter().filter(|(name, _)| !text.contains(&name.as_str())) {
            out.insert(name.clone(), value.clone());
        }
        Value::Object(out)
    }
}
