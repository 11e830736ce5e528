//! Dialogue turns, prompts and completions.

use crate::thinking;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Members of a turn that hold its reasoning apart from its content.
pub(crate) const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One turn of a dialogue.
///
/// Serialised, a turn is one object: `role`, `content` and the members of `more`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, …; what is allowed is up to the chat template.
    pub role: String,
    /// The text of the turn; empty for a turn that has none.
    pub content: String,
    /// What else the turn has, for the chat template: `tool_calls`, `reasoning_content`, `name`, `tool_call_id`, …. A turn
    /// whose content is `null` in the data has a `content` of null here.
    pub more: Map<String, Value>,
    /// Whether the data says that this turn is to be learned (`train`, `loss` or `weight` of the turn); `None` where it says
    /// nothing.
    pub train: Option<bool>,
}

impl Message {
    /// A turn of the given role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), more: Map::new(), train: None }
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

    /// Whether the assistant says it.
    pub fn is_assistant(&self) -> bool {
        self.role == "assistant"
    }

    /// The reasoning that the turn holds apart from its content, if it has one that is not blank.
    pub fn reasoning(&self) -> Option<&str> {
        REASONING.iter().find_map(|name| self.more.get(*name)?.as_str()).filter(|text| !text.trim().is_empty())
    }

    /// What was said, with a reasoning that is held apart in think tags before the content. Of a content in parts, the texts
    /// one after the other.
    pub fn text(&self) -> Cow<'_, str> {
        let content = match self.more.get("content") {
            Some(Value::Array(parts)) => {
                Cow::Owned(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<String>())
            }
            _ => Cow::Borrowed(self.content.as_str()),
        };
        match self.reasoning() {
            None => content,
            Some(reasoning) => Cow::Owned(thinking::join(reasoning, &content)),
        }
    }

    /// The names of the functions that the turn calls.
    pub fn calls(&self) -> Vec<&str> {
        let calls = self.more.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
        calls.map(|call| call.get("function").unwrap_or(call)["name"].as_str().unwrap_or_default()).collect()
    }

    /// The turn as a chat template gets it: without the mark of whether it is learned.
    pub fn to_template(&self) -> Value {
        Value::Object(self.members())
    }

    fn members(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("role".into(), Value::from(self.role.as_str()));
        out.insert("content".into(), Value::from(self.content.as_str()));
        out.extend(self.more.iter().map(|(name, value)| (name.clone(), value.clone())));
        out
    }
}

impl From<Message> for Map<String, Value> {
    fn from(message: Message) -> Self {
        let mut out = message.members();
        if let Some(train) = message.train {
            out.insert("train".into(), Value::from(train));
        }
        out
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = &'static str;

    /// The members `train`, `loss` (booleans) and `weight` (0 or not) are the mark of whether the turn is learned.
    fn try_from(mut more: Map<String, Value>) -> Result<Self, Self::Error> {
        let Some(Value::String(role)) = more.shift_remove("role") else {
            return Err("a turn has no `role` that is a text");
        };
        let content = match more.get("content") {
            Some(Value::String(text)) => {
                let text = text.clone();
                more.shift_remove("content");
                text
            }
            Some(_) => String::new(),
            None => {
                more.insert("content".into(), Value::Null);
                String::new()
            }
        };
        let mut train = None;
        for name in ["train", "loss", "weight"] {
            let mark = match more.get(name) {
                Some(Value::Bool(mark)) => Some(*mark),
                Some(Value::Number(weight)) => weight.as_f64().map(|weight| weight != 0.0),
                _ => None,
            };
            if mark.is_some() {
                train = mark;
                more.shift_remove(name);
            }
        }
        Ok(Self { role, content, more, train })
    }
}

/// The turns before a completion, and what else the chat template is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dialogue {
    /// The turns.
    pub messages: Vec<Message>,
    /// Further variables of the template: `tools`, `documents`, `enable_thinking`, ….
    pub variables: Map<String, Value>,
}

impl From<Vec<Message>> for Dialogue {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages, variables: Map::new() }
    }
}

/// A dialogue on disk: the list of its turns, or an object where there are variables.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Turns(Cow<'a, [Message]>),
    Whole { messages: Cow<'a, [Message]>, variables: Cow<'a, Map<String, Value>> },
}

impl Serialize for Dialogue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let messages = Cow::Borrowed(self.messages.as_slice());
        match self.variables.is_empty() {
            true => Written::Turns(messages),
            false => Written::Whole { messages, variables: Cow::Borrowed(&self.variables) },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Dialogue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Turns(messages) => messages.into_owned().into(),
            Written::Whole { messages, variables } => {
                Self { messages: messages.into_owned(), variables: variables.into_owned() }
            }
        })
    }
}

/// What a completion answers: plain text, or a dialogue that is rendered by the model's chat template.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Plain text, continued as it stands.
    Text(String),
    /// The turns before the completion.
    Chat(Dialogue),
}

impl Default for Prompt {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Prompt {
    /// A dialogue of these turns.
    pub fn chat(messages: Vec<Message>) -> Self {
        Self::Chat(messages.into())
    }

    /// A dialogue of one `user` turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::chat(vec![Message::user(content)])
    }

    /// The text a reader would see: plain text as it is, a dialogue as its turns joined by blank lines, with the role
    /// before each turn unless it is the only one.
    pub fn display(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Chat(dialogue) => match dialogue.messages.as_slice() {
                [only] => only.content.clone(),
                many => many.iter().map(|m| format!("{}: {}", m.role, m.text())).collect::<Vec<_>>().join("\n\n"),
            },
        }
    }

    /// The text of the request itself: plain text as it is, of a dialogue the last `user` turn (or the last turn).
    pub fn request(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Chat(Dialogue { messages, .. }) => {
                messages.iter().rev().find(|m| m.role == "user").or(messages.last()).map_or("", |m| m.content.as_str())
            }
        }
    }

    /// The turns of a dialogue; none of a plain text.
    pub fn messages(&self) -> &[Message] {
        match self {
            Self::Text(_) => &[],
            Self::Chat(dialogue) => &dialogue.messages,
        }
    }
}

/// What is learned of a row: a text, or turns where one text does not hold it (tool calls, several turns).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Completion {
    /// The completion of a plain prompt; of a dialogue the content of one assistant turn.
    Text(String),
    /// Turns after the prompt; the last is the assistant's.
    Turns(Vec<Message>),
}

impl Completion {
    /// One assistant turn as a text where it is nothing else, else the turns.
    pub fn of_turns(turns: Vec<Message>) -> Self {
        match turns.as_slice() {
            [only] if only.is_assistant() && only.more.is_empty() && only.train.is_none() => {
                Self::Text(only.content.clone())
            }
            _ => Self::Turns(turns),
        }
    }

    /// What was said: a text as it is, turns joined by blank lines.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Turns(turns) => match turns.as_slice() {
                [only] => only.text(),
                many => Cow::Owned(many.iter().map(Message::text).collect::<Vec<_>>().join("\n\n")),
            },
        }
    }
}

impl From<&str> for Completion {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Completion {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_turn_is_written_as_it_was_read() {
        let read = |value: Value| serde_json::from_value::<Message>(value).unwrap();
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{"type": "function"}]});
        let message = read(call.clone());
        assert_eq!((message.content.as_str(), message.to_template()), ("", call.clone()));
        assert_eq!(serde_json::to_value(&message).unwrap(), call);
        let marked = read(json!({"role": "assistant", "content": "a", "weight": 0}));
        assert_eq!((marked.train, marked.more.is_empty()), (Some(false), true));
        assert_eq!(marked.to_template(), json!({"role": "assistant", "content": "a"}));
        assert_eq!(read(serde_json::to_value(&marked).unwrap()), marked);
    }

    #[test]
    fn a_reasoning_held_apart_is_part_of_what_was_said() {
        let message: Message =
            serde_json::from_value(json!({"role": "assistant", "content": "ten", "reasoning_content": "7+3"})).unwrap();
        assert_eq!(message.text(), "<think>\n7+3\n</think>\n\nten");
        assert_eq!(Completion::of_turns(vec![message]).text(), "<think>\n7+3\n</think>\n\nten");
        assert_eq!(Completion::of_turns(vec![Message::assistant("a")]), Completion::from("a"));
    }

    #[test]
    fn prompts_are_texts_lists_or_objects() {
        for value in [
            json!("text"),
            json!([{"role": "user", "content": "a"}]),
            json!({"messages": [{"role": "user", "content": "a"}], "variables": {"tools": [1]}}),
        ] {
            let prompt: Prompt = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&prompt).unwrap(), value);
        }
    }
}
