//! Lists of turns: `{role, content}`, ShareGPT's `{from, value}`, and texts with `Human:` and `Assistant:`.

use crate::DataError;
use crate::error::{Place, kind};
use serde_json::{Map, Value, json};
use temper_text::Message;

/// A list of turns, or JSON text of one (as CSV files and older datasets hold it).
pub(crate) fn turns(name: &str, value: &Value, place: Place) -> Result<Vec<Message>, DataError> {
    let Value::Array(items) = value else {
        return Err(place.wrong_type(name, value, "a list of turns {role, content}", "Correct the row"));
    };
    if items.is_empty() {
        return Err(place.field(name, "the list of turns is empty", "Fill it in, or leave the row out"));
    }
    items.iter().enumerate().map(|(i, item)| turn(&format!("{name}[{i}]"), item, place)).collect()
}

/// One turn. What it has beside role and content (`tool_calls`, `reasoning_content`, `name`, …) stays with it for the chat
/// template; members that are null, as columnar files fill them in, are left out.
pub(crate) fn turn(name: &str, item: &Value, place: Place) -> Result<Message, DataError> {
    let Value::Object(map) = item else {
        return Err(place.wrong_type(name, item, "a turn {role, content}", "Correct the row"));
    };
    let sharegpt = !map.contains_key("role") && map.contains_key("from");
    let (role_name, content_name) = if sharegpt { ("from", "value") } else { ("role", "content") };
    let role = match map.get(role_name) {
        Some(Value::String(role)) => role.as_str(),
        Some(other) => {
            return Err(place.wrong_type(&format!("{name}.{role_name}"), other, "a text", "Correct the row"));
        }
        None => return Err(place.missing(&format!("{name}.{role_name}"), map, "A turn is {role, content}")),
    };
    let field = format!("{name}.{content_name}");
    let mut members: Map<String, Value> = Map::new();
    match map.get(content_name) {
        Some(Value::Null) | None if calls(map) => {
            members.insert("content".into(), Value::Null);
        }
        Some(value) => {
            members.insert("content".into(), Value::from(content(&field, value, place)?));
        }
        None => return Err(place.missing(&field, map, "A turn is {role, content}")),
    }
    let role = match role {
        "function_call" if sharegpt => {
            let call = function_call(&field, map.get(content_name), place)?;
            members.insert("content".into(), Value::Null);
            members.insert("tool_calls".into(), call);
            "assistant"
        }
        "human" if sharegpt => "user",
        "gpt" if sharegpt => "assistant",
        "observation" if sharegpt => "tool",
        other => other,
    };
    members.insert("role".into(), Value::from(role));
    let rest = map.iter().filter(|(key, value)| {
        *key != role_name && *key != content_name && !value.is_null() && value.as_array().is_none_or(|a| !a.is_empty())
    });
    members.extend(rest.map(|(key, value)| (key.clone(), value.clone())));
    Message::try_from(members).map_err(|e| place.field(name, e, "A turn is {role, content}"))
}

fn calls(map: &Map<String, Value>) -> bool {
    map.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty())
}

/// ShareGPT's `function_call`: JSON text of `{name, arguments}` or a list of them, as `tool_calls`.
fn function_call(field: &str, value: Option<&Value>, place: Place) -> Result<Value, DataError> {
    let parsed = match value {
        Some(Value::String(text)) => serde_json::from_str::<Value>(text).ok(),
        other => other.cloned(),
    };
    let list = match parsed {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    if list.is_empty() || !list.iter().all(|call| call.get("name").is_some_and(Value::is_string)) {
        return Err(place.field(
            field,
            "a `function_call` turn is not JSON of {name, arguments}",
            "Correct the row, or give it the role `gpt` to keep its text",
        ));
    }
    Ok(list.into_iter().map(|call| json!({"type": "function", "function": call})).collect())
}

/// The content of a turn: a text, null (nothing), or a list of `{type: "text", text}`.
pub(crate) fn content(field: &str, value: &Value, place: Place) -> Result<String, DataError> {
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

/// The beginning of a turn in hh-rlhf's texts, and its role.
const MARKS: [(&str, &str); 2] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")];

/// Whether a text is a dialogue in hh-rlhf's manner.
pub(crate) fn is_marked(text: &str) -> bool {
    text.starts_with(MARKS[0].0)
}

/// The turns of a text in hh-rlhf's manner, without the white space around each.
pub(crate) fn marked_turns(name: &str, text: &str, place: Place) -> Result<Vec<Message>, DataError> {
    let next = |from: usize| {
        MARKS.iter().filter_map(|(mark, role)| Some((from + text[from..].find(mark)?, *mark, *role))).min()
    };
    if !is_marked(text) {
        return Err(place.field(
            name,
            "the text does not begin with a blank line and `Human:`",
            "Name the right `shape`, or correct the row",
        ));
    }
    let mut out = Vec::new();
    let mut at = next(0);
    while let Some((start, mark, role)) = at {
        let from = start + mark.len();
        at = next(from);
        let until = at.map_or(text.len(), |(start, _, _)| start);
        out.push(Message::new(role, text[from..until].trim()));
    }
    Ok(out)
}
