//! One row of data.

use serde_json::{Map, Value};
use std::sync::Arc;
use temper_text::Prompt;

/// One row: a prompt, the completion to learn if there is one, and every field of the row for the scorers.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The file as named in the recipe (`lab:NAME` for the lab's data).
    pub file: Arc<str>,
    /// Line of the row, from 1 (for `.json` files the position in the array).
    pub line: usize,
    /// The id column's value, else `file:line`.
    pub id: String,
    /// What is asked.
    pub prompt: Prompt,
    /// What is learned, where the row has it.
    pub completion: Option<String>,
    /// The row's other fields.
    pub fields: Map<String, Value>,
}

impl Row {
    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}
