//! The shapes of rows: which fields hold prompt and completion.

use crate::DataError;
use crate::error::{Place, kind, list};
use serde_json::{Map, Value};
use temper_text::{Message, Prompt};

/// The shapes that are recognised, for messages.
const SHAPES: &str =
    "{prompt, completion}, {prompt}, {messages}, {text}, {conversations} and {instruction, input, output}";
const COLUMNS: &str =
    "name the columns in the data source, such as `columns: {prompt: question, completion: solution}`";

/// What a row asks and what is to be learned.
#[derive(Debug, PartialEq)]
pub(crate) struct Parts {
    pub prompt: Prompt,
    pub completion: Option<String>,
}

impl Parts {
    fn text(prompt: &str, completion: Option<String>) -> Self {
        Self { prompt: Prompt::Text(prompt.to_owned()), completion }
    }
}

/// Names of the columns; `None` is the usual name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Names<'a> {
    pub prompt: Option<&'a str>,
    pub completion: Option<&'a str>,
    pub messages: Option<&'a str>,
    pub text: Option<&'a str>,
}

/// Prompt and completion of a row. Columns that are named must be there; otherwise the shape is known by its fields.
pub(crate) fn parts(fields: &Map<String, Value>, names: Names, place: Place) -> Result<Parts, DataError> {
    let chosen = [names.prompt, names.messages, names.text].iter().flatten().count();
    if chosen > 1 {
        return Err(place.error(
            "`columns` names more than one of prompt, messages and text",
            "Keep the one that holds what is asked",
        ));
    }
    let has = |name: &str| fields.contains_key(name);
    if let Some(name) = names.messages {
        return dialogue(name, required(fields, name, place)?, place);
    }
    if let Some(name) = names.text {
        return learned_text(name, required(fields, name, place)?, place);
    }
    if names.prompt.is_none() && names.completion.is_none() {
        if has("messages") {
            return dialogue("messages", &fields["messages"], place);
        }
        if !has("prompt") {
            return other_shapes(fields, place);
        }
    }
    let name = names.prompt.unwrap_or("prompt");
    let prompt = asked(name, required(fields, name, place)?, place)?;
    let completion = completion(fields, names.completion, place)?;
    Ok(Parts { prompt, completion })
}

/// The completion column: required when it is named, else `completion` if there is one.
pub(crate) fn completion(
    fields: &Map<String, Value>,
    name: Option<&str>,
    place: Place,
) -> Result<Option<String>, DataError> {
    let value = match name {
        Some(name) => Some((name, required(fields, name, place)?)),
        None => fields.get("completion").map(|value| ("completion", value)),
    };
    match value {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(text.clone())),
        Some((name, value @ Value::Array(_))) => match turns(name, value, place)?.as_slice() {
            [only] if only.role == "assistant" => Ok(Some(only.content.clone())),
            other => {
                let roles: Vec<&str> = other.iter().map(|m| m.role.as_str()).collect();
                let what = format!("found turns of {}, expected one of the assistant", list(roles));
                Err(place.field(name, what, "Move the turns before the last into the prompt"))
            }
        },
        Some((name, value)) => {
            Err(place.wrong_type(name, value, "a text or a list of one assistant turn", "Correct the row"))
        }
    }
}

fn required<'a>(fields: &'a Map<String, Value>, name: &str, place: Place) -> Result<&'a Value, DataError> {
    fields.get(name).ok_or_else(|| place.missing(name, fields, "Correct the row, or the data source's `columns`"))
}

/// A prompt: a text, or a list of turns.
fn asked(name: &str, value: &Value, place: Place) -> Result<Prompt, DataError> {
    match value {
        Value::String(text) if text.trim().is_empty() => {
            Err(place.field(name, "the prompt is empty", "Fill it in, or leave the row out"))
        }
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        Value::Array(_) => Ok(Prompt::chat(turns(name, value, place)?)),
        _ => Err(place.wrong_type(name, value, "a text or a list of turns {role, content}", "Correct the row")),
    }
}

/// A whole dialogue: what the assistant says last is the completion, what comes before is the prompt.
fn dialogue(name: &str, value: &Value, place: Place) -> Result<Parts, DataError> {
    let mut messages = turns(name, value, place)?;
    let completion = match messages.last() {
        Some(last) if last.role == "assistant" => messages.pop().map(|last| last.content),
        _ => None,
    };
    if messages.is_empty() {
        return Err(place.field(name, "nothing comes before the assistant's turn", "Add the user's turn before it"));
    }
    Ok(Parts { prompt: Prompt::chat(messages), completion })
}

fn learned_text(name: &str, value: &Value, place: Place) -> Result<Parts, DataError> {
    match value {
        Value::String(text) if text.trim().is_empty() => {
            Err(place.field(name, "the text is empty", "Fill it in, or leave the row out"))
        }
        Value::String(text) => Ok(Parts::text("", Some(text.clone()))),
        _ => Err(place.wrong_type(name, value, "a text", "Correct the row")),
    }
}

/// Shapes without `prompt` and `messages`: text, ShareGPT, Alpaca.
fn other_shapes(fields: &Map<String, Value>, place: Place) -> Result<Parts, DataError> {
    if let Some(value) = fields.get("text") {
        return learned_text("text", value, place);
    }
    if let Some(value) = fields.get("conversations") {
        return dialogue("conversations", value, place);
    }
    if let (Some(instruction), Some(output)) = (fields.get("instruction"), fields.get("output")) {
        if fields.get("history").is_some_and(|h| h.as_array().is_none_or(|h| !h.is_empty())) {
            return Err(place.field(
                "history",
                "turns before the instruction are not read",
                "Convert the row to {messages}",
            ));
        }
        let text = |name: &str, value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(place.wrong_type(name, other, "a text", "Correct the row")),
        };
        let mut prompt = text("instruction", instruction)?;
        match fields.get("input") {
            None | Some(Value::Null) => {}
            Some(input) => {
                let input = text("input", input)?;
                if !input.is_empty() {
                    prompt = format!("{prompt}\n{input}");
                }
            }
        }
        if prompt.trim().is_empty() {
            return Err(place.field("instruction", "the prompt is empty", "Fill it in, or leave the row out"));
        }
        let completion = Some(text("output", output)?);
        return Ok(match fields.get("system") {
            Some(Value::String(system)) if !system.is_empty() => Parts {
                prompt: Prompt::chat(vec![Message::system(system.as_str()), Message::user(prompt)]),
                completion,
            },
            _ => Parts::text(&prompt, completion),
        });
    }
    let names = fields.keys().map(String::as_str);
    Err(place.error(
        format!("the row's shape is not known; it has {}, expected {SHAPES}", list(names)),
        format!("If the parts are there under other names, {COLUMNS}"),
    ))
}

/// A list of turns: `{role, content}`, or ShareGPT's `{from, value}`.
pub(crate) fn turns(name: &str, value: &Value, place: Place) -> Result<Vec<Message>, DataError> {
    let Value::Array(items) = value else {
        return Err(place.wrong_type(name, value, "a list of turns {role, content}", "Correct the row"));
    };
    if items.is_empty() {
        return Err(place.field(name, "the list of turns is empty", "Fill it in, or leave the row out"));
    }
    items.iter().enumerate().map(|(i, item)| turn(&format!("{name}[{i}]"), item, place)).collect()
}

fn turn(name: &str, item: &Value, place: Place) -> Result<Message, DataError> {
    let Value::Object(map) = item else {
        return Err(place.wrong_type(name, item, "a turn {role, content}", "Correct the row"));
    };
    let sharegpt = !map.contains_key("role") && map.contains_key("from");
    let (role_name, content_name) = if sharegpt { ("from", "value") } else { ("role", "content") };
    let role = match map.get(role_name) {
        Some(Value::String(role)) => match role.as_str() {
            "human" if sharegpt => "user",
            "gpt" if sharegpt => "assistant",
            "observation" if sharegpt => "tool",
            other => other,
        },
        Some(other) => {
            return Err(place.wrong_type(&format!("{name}.{role_name}"), other, "a text", "Correct the row"));
        }
        None => return Err(place.missing(&format!("{name}.{role_name}"), map, "A turn is {role, content}")),
    };
    if map.get("tool_calls").is_some_and(|calls| !calls.is_null() && calls.as_array().is_none_or(|c| !c.is_empty())) {
        let remedy = "Write the call into the turn's content, or leave the row out";
        return Err(place.field(&format!("{name}.tool_calls"), "tool calls are not read", remedy));
    }
    let field = format!("{name}.{content_name}");
    let mut content = match map.get(content_name) {
        Some(value) => content(&field, value, place)?,
        None => return Err(place.missing(&field, map, "A turn is {role, content}")),
    };
    // Datasets that keep the thinking apart mean it to stand before the answer.
    let thinking = ["reasoning_content", "thinking"].iter().find_map(|key| map.get(*key)?.as_str());
    if let Some(thinking) = thinking.filter(|t| !t.trim().is_empty()) {
        content = format!("<think>\n{}\n</think>\n\n{content}", thinking.trim_matches('\n'));
    }
    Ok(Message::new(role, content))
}

/// The content of a turn: a text, null (nothing), or a list of `{type: "text", text}`.
fn content(field: &str, value: &Value, place: Place) -> Result<String, DataError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| match (part.get("type").and_then(Value::as_str), part.get("text")) {
                (Some("text") | None, Some(Value::String(text))) => Ok(text.as_str()),
                _ => Err(place.field(
                    field,
                    format!("found {}, expected a part {{type: \"text\", text}}", kind(part)),
                    "Only text is read; leave the row out",
                )),
            })
            .collect(),
        _ => Err(place.wrong_type(field, value, "a text or a list of text parts", "Correct the row")),
    }
}
