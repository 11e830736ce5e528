//! One row of data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use temper_recipe::Shape;
use temper_text::{Completion, Prompt};

/// One row: a prompt, what is to be learned if there is something, and every field of the row for the scorers.
///
/// Serialised, a row is one object with these members, and reads back as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The file that the row was read from (`lab:NAME` for the lab's data).
    pub file: Arc<str>,
    /// Line of the row, from 1 (for `.json` and `.parquet` files its position).
    pub line: usize,
    /// The id column's value, else the file's name and the line; unique within a data source.
    pub id: String,
    /// How the row was understood.
    #[serde(default)]
    pub shape: Shape,
    /// What is asked. Empty plain text for rows that are only a text to learn.
    pub prompt: Prompt,
    /// What is learned, where the row has it: the completion, of a preference the chosen one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<Completion>,
    /// Token ids of the completion as they were sampled, stop token included, where the row brings them: they are learned
    /// instead of the completion's text tokenised anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_ids: Option<Vec<u32>>,
    /// Of a preference, the completion that was not chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Completion>,
    /// Of an unpaired preference, whether the completion is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<bool>,
    /// Of a stepwise row, the steps that make up the completion and whether each is right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Every column of the row under its own name, and the answer column under `answer`.
    pub fields: Map<String, Value>,
}

/// One step of a completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The text.
    pub text: String,
    /// Whether it is right.
    pub label: bool,
}

impl Row {
    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// What the completion says; empty where there is none.
    pub fn said(&self) -> String {
        self.completion.as_ref().map_or(String::new(), |completion| completion.text().into_owned())
    }

    /// The row as a flat object of TRL's type for its shape, which [`read`](crate::read) recognises: `id`, the parts, and the
    /// fields, without those that held the row's text.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("id".into(), Value::from(self.id.as_str()));
        let chat = matches!(self.prompt, Prompt::Chat(_));
        let said = |completion: &Completion| match completion {
            Completion::Text(text) if chat => json!([{"role": "assistant", "content": text}]),
            Completion::Text(text) => Value::from(text.as_str()),
            Completion::Turns(turns) => json!(turns),
        };
        match (&self.prompt, &self.completion) {
            (Prompt::Text(prompt), Some(text)) if prompt.is_empty() => {
                out.insert("text".into(), Value::from(text.text()));
            }
            (prompt, completion) => {
                match prompt {
                    Prompt::Text(text) => {
                        out.insert("prompt".into(), Value::from(text.as_str()));
                    }
                    Prompt::Chat(dialogue) => {
                        out.insert("prompt".into(), json!(dialogue.messages));
                        let mut variables = dialogue.variables.clone();
                        if let Some(tools) = variables.shift_remove("tools") {
                            out.insert("tools".into(), tools);
                        }
                        if !variables.is_empty() {
                            out.insert("chat_template_kwargs".into(), Value::Object(variables));
                        }
                    }
                }
                if !self.steps.is_empty() {
                    out.insert("completions".into(), self.steps.iter().map(|s| s.text.as_str()).collect());
                    out.insert("labels".into(), self.steps.iter().map(|s| s.label).collect());
                } else if let Some(completion) = completion {
                    let name = if self.rejected.is_some() { "chosen" } else { "completion" };
                    out.insert(name.into(), said(completion));
                }
            }
        }
        if let Some(rejected) = &self.rejected {
            out.insert("rejected".into(), said(rejected));
        }
        if let Some(label) = self.label {
            out.insert("label".into(), Value::from(label));
        }
        if let Some(ids) = &self.completion_ids {
            out.insert("completion_ids".into(), json!(ids));
        }
        for (name, value) in &self.fields {
            if !self.shape.holds(name) && !out.contains_key(name) {
                out.insert(name.clone(), value.clone());
            }
        }
        out
    }
}
