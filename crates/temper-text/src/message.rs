//! Dialogue turns and prompts.

use serde::{Deserialize, Serialize};

/// One turn of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`; what else is allowed is up to the chat template.
    pub role: String,
    /// The text of the turn.
    pub content: String,
}

impl Message {
    /// A turn of the given role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }

    /// A `system` turn.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }

    /// A `user` turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// An `assistant` turn.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }
}

/// What a completion answers: plain text, or a dialogue that is rendered by the model's chat template.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Plain text, continued as it stands.
    Text(String),
    /// The turns before the completion.
    Chat(Vec<Message>),
}

impl Prompt {
    /// A dialogue of one `user` turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::Chat(vec![Message::user(content)])
    }

    /// The text a reader would see: plain text as it is, a dialogue as its turns joined by blank lines, with the role
    /// before each turn unless it is the only one.
    pub fn display(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Chat(messages) => match messages.as_slice() {
                [only] => only.content.clone(),
                many => many.iter().map(|m| format!("{}: {}", m.role, m.content)).collect::<Vec<_>>().join("\n\n"),
            },
        }
    }

    /// The text of the request itself: plain text as it is, of a dialogue the last `user` turn (or the last turn).
    pub fn request(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Chat(messages) => {
                messages.iter().rev().find(|m| m.role == "user").or(messages.last()).map_or("", |m| m.content.as_str())
            }
        }
    }
}
