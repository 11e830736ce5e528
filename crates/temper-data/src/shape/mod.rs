//! The shapes of rows: which fields hold the prompt and what is learned.

mod preference;
mod turns;

use crate::error::{Place, kind, list};
use crate::{DataError, Step};
use serde_json::{Map, Value};
use temper_recipe::{Columns, Shape};
use temper_text::{Completion, Dialogue, Message, Prompt};
pub(crate) use turns::turns;

const COLUMNS: &str =
    "name the columns in the data source, such as `columns: {prompt: question, completion: solution}`";

/// What a row asks and what is to be learned of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parts {
    pub shape: Shape,
    pub prompt: Prompt,
    pub completion: Option<Completion>,
    pub rejected: Option<Completion>,
    pub label: Option<bool>,
    pub steps: Vec<Step>,
    /// The reference answer, where the shape has a place of its own for it.
    pub answer: Option<Value>,
}

/// A row with the names under which its parts are found.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub fields: &'a Map<String, Value>,
    pub columns: &'a Columns,
    pub place: Place<'a>,
}

/// The parts of a row. `shape` is what the data source says; where it says nothing, the columns that are named tell the
/// shape, and where none is, the row's fields do.
pub(crate) fn parts(row: Fields, shape: Option<Shape>) -> Result<Parts, DataError> {
    let shape = match shape {
        Some(shape) => shape,
        None => match named(row)? {
            Some(shape) => shape,
            None => recognise(row.fields).ok_or_else(|| unknown(row))?,
        },
    };
    let mut parts = match shape {
        Shape::Text => row.learned_text()?,
        Shape::Messages => dialogue(row.name(&row.columns.messages, "messages"), row)?,
        Shape::PromptOnly => Parts { prompt: row.asked()?, ..Parts::default() },
        Shape::PromptCompletion => {
            Parts { prompt: row.asked()?, completion: row.completion(true)?, ..Parts::default() }
        }
        Shape::Preference => preference::preference(row)?,
        Shape::UnpairedPreference => preference::unpaired(row)?,
        Shape::Stepwise => preference::stepwise(row)?,
        Shape::Sharegpt => sharegpt(row)?,
        Shape::Alpaca => alpaca(row)?,
        Shape::Verl => verl(row)?,
        Shape::HhRlhf => preference::hh_rlhf(row)?,
        Shape::PkuSaferlhf => preference::pku_saferlhf(row)?,
    };
    parts.shape = shape;
    variables(&mut parts.prompt, row)?;
    Ok(parts)
}

/// The shape that the named columns make; `None` where they name no part of a row.
fn named(row: Fields) -> Result<Option<Shape>, DataError> {
    let Fields { fields, columns, place } = row;
    let given = [
        ("messages", columns.messages.is_some(), Shape::Messages),
        ("text", columns.text.is_some(), Shape::Text),
        ("chosen", columns.chosen.is_some() || columns.rejected.is_some(), Shape::Preference),
        ("completions", columns.completions.is_some() || columns.labels.is_some(), Shape::Stepwise),
        ("label", columns.label.is_some(), Shape::UnpairedPreference),
    ];
    let mut shapes = given.iter().filter(|(_, given, _)| *given);
    let first = shapes.next();
    if let (Some((a, _, _)), Some((b, _, _))) = (first, shapes.next()) {
        return Err(place.error(
            format!("`columns` names `{a}` and `{b}`, which belong to rows of different shapes"),
            "Keep the columns of one shape",
        ));
    }
    if let (Some((name @ ("messages" | "text"), _, _)), true) = (first, columns.prompt.is_some()) {
        return Err(place.error(
            format!("`columns` names `prompt` and `{name}`, which belong to rows of different shapes"),
            "Keep the one of them that holds what is asked",
        ));
    }
    if let Some((_, _, shape)) = first {
        return Ok(Some(*shape));
    }
    if columns.prompt.is_none() && columns.completion.is_none() {
        return Ok(None);
    }
    // The other parts may be there under their usual names.
    let mut usual = fields.clone();
    usual.insert("prompt".into(), Value::from(""));
    if columns.completion.is_some() {
        usual.insert("completion".into(), Value::from(""));
    }
    usual.retain(|name, _| !matches!(name.as_str(), "conversations" | "messages" | "data_source"));
    Ok(recognise(&usual))
}

/// The shape of a row by its fields; `None` where no known shape has them.
pub(crate) fn recognise(fields: &Map<String, Value>) -> Option<Shape> {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let is_text = |name: &str| fields.get(name).is_some_and(Value::is_string);
    let marked = |name: &str| fields.get(name).and_then(Value::as_str).is_some_and(turns::is_marked);
    Some(match () {
        _ if has("conversations") => Shape::Sharegpt,
        _ if marked("chosen") && marked("rejected") && !has("prompt") => Shape::HhRlhf,
        _ if has("chosen") && has("rejected") => Shape::Preference,
        _ if has("messages") => Shape::Messages,
        _ if has("prompt") && has("completions") && has("labels") => Shape::Stepwise,
        _ if has("prompt") && has("completion") && fields.get("label").is_some_and(Value::is_boolean) => {
            Shape::UnpairedPreference
        }
        _ if has("prompt") && has("response_0") && has("response_1") => Shape::PkuSaferlhf,
        _ if has("prompt") && has("data_source") && fields.get("reward_model").is_some_and(Value::is_object) => {
            Shape::Verl
        }
        _ if fields.contains_key("prompt") && has("completion") => Shape::PromptCompletion,
        _ if fields.contains_key("prompt") => Shape::PromptOnly,
        _ if is_text("instruction") && is_text("output") => Shape::Alpaca,
        _ if fields.contains_key("text") => Shape::Text,
        _ => return None,
    })
}

fn unknown(row: Fields) -> DataError {
    let shapes: Vec<String> =
        Shape::ALL.iter().map(|shape| format!("{} {{{}}}", shape.name(), shape.fields().join(", "))).collect();
    row.place.error(
        format!(
            "the row's shape is not known; it has {}, expected one of: {}",
            list(row.fields.keys().map(String::as_str)),
            shapes.join("; ")
        ),
        format!("If the parts are there under other names, {COLUMNS}"),
    )
}

impl<'a> Fields<'a> {
    /// A column's name: the one that is given, or the usual one.
    pub fn name(self, given: &'a Option<String>, usual: &'a str) -> &'a str {
        given.as_deref().unwrap_or(usual)
    }

    pub fn required(self, name: &str) -> Result<&'a Value, DataError> {
        self.fields.get(name).ok_or_else(|| {
            self.place.missing(name, self.fields, "Correct the row, or the data source's `columns` or `shape`")
        })
    }

    pub fn text(self, name: &str) -> Result<&'a str, DataError> {
        match self.required(name)? {
            Value::String(text) => Ok(text),
            other => Err(self.place.wrong_type(name, other, "a text", "Correct the row")),
        }
    }

    /// The prompt column: a text, or a list of turns.
    pub fn asked(self) -> Result<Prompt, DataError> {
        let name = self.name(&self.columns.prompt, "prompt");
        match self.required(name)? {
            Value::String(text) if text.trim().is_empty() => {
                Err(self.place.field(name, "the prompt is empty", "Fill it in, or leave the row out"))
            }
            Value::String(text) => Ok(Prompt::Text(text.clone())),
            value @ Value::Array(_) => Ok(Prompt::chat(turns(name, value, self.place)?)),
            value => {
                Err(self.place.wrong_type(name, value, "a text or a list of turns {role, content}", "Correct the row"))
            }
        }
    }

    /// The completion column: required when it is named or `needed`, else `completion` if there is one.
    pub fn completion(self, needed: bool) -> Result<Option<Completion>, DataError> {
        let name = self.name(&self.columns.completion, "completion");
        let value = match needed || self.columns.completion.is_some() {
            true => self.required(name)?,
            false => self.fields.get(name).unwrap_or(&Value::Null),
        };
        match value {
            Value::Null => Ok(None),
            value => self.said(name, value).map(Some),
        }
    }

    /// What is said in answer: a text, or a list of turns that ends with the assistant's.
    pub fn said(self, name: &str, value: &Value) -> Result<Completion, DataError> {
        match value {
            Value::String(text) => Ok(Completion::Text(text.clone())),
            Value::Object(_) => self.answer(name, vec![turns::turn(name, value, self.place)?]),
            Value::Array(_) => self.answer(name, turns(name, value, self.place)?),
            value => {
                Err(self.place.wrong_type(name, value, "a text or a list of turns {role, content}", "Correct the row"))
            }
        }
    }

    pub fn answer(self, name: &str, turns: Vec<Message>) -> Result<Completion, DataError> {
        match turns.last() {
            Some(last) if last.is_assistant() => Ok(Completion::of_turns(turns)),
            _ => {
                let roles = list(turns.iter().map(|m| m.role.as_str()));
                let what = format!("found turns of {roles}, expected the assistant's last");
                Err(self.place.field(name, what, "Move the turns that are asked into the prompt"))
            }
        }
    }

    fn learned_text(self) -> Result<Parts, DataError> {
        let name = self.name(&self.columns.text, "text");
        let text = self.text(name)?;
        if text.trim().is_empty() {
            return Err(self.place.field(name, "the text is empty", "Fill it in, or leave the row out"));
        }
        Ok(Parts { completion: Some(text.into()), ..Parts::default() })
    }
}

/// A whole dialogue: what the assistant says last is the completion, what comes before is the prompt.
fn dialogue(name: &str, row: Fields) -> Result<Parts, DataError> {
    split(name, turns(name, row.required(name)?, row.place)?, row)
}

fn split(name: &str, mut messages: Vec<Message>, row: Fields) -> Result<Parts, DataError> {
    let completion = messages.pop_if(|last| last.is_assistant()).map(|last| Completion::of_turns(vec![last]));
    if messages.is_empty() {
        return Err(row.place.field(
            name,
            "nothing comes before the assistant's turn",
            "Add the user's turn before it",
        ));
    }
    Ok(Parts { prompt: Prompt::chat(messages), completion, ..Parts::default() })
}

fn sharegpt(row: Fields) -> Result<Parts, DataError> {
    let name = row.name(&row.columns.messages, "conversations");
    let messages = with_system(row, turns(name, row.required(name)?, row.place)?)?;
    let side = |given: &'_ Option<String>, usual: &'static str| {
        let name = given.clone().unwrap_or_else(|| usual.to_owned());
        row.fields.get(&name).filter(|value| !value.is_null()).map(|value| row.said(&name, value)).transpose()
    };
    let (chosen, rejected) = (side(&row.columns.chosen, "chosen")?, side(&row.columns.rejected, "rejected")?);
    match rejected {
        Some(_) if chosen.is_some() => {
            Ok(Parts { prompt: Prompt::chat(messages), completion: chosen, rejected, ..Parts::default() })
        }
        _ => split(name, messages, row),
    }
}

/// The turns after the row's `system` column, where it has one that says something.
fn with_system(row: Fields, mut messages: Vec<Message>) -> Result<Vec<Message>, DataError> {
    let name = row.name(&row.columns.system, "system");
    match row.fields.get(name) {
        None | Some(Value::Null) => {}
        Some(Value::String(system)) if system.is_empty() => {}
        Some(Value::String(system)) if messages.first().is_none_or(|first| first.role != "system") => {
            messages.insert(0, Message::system(system.as_str()));
        }
        Some(Value::String(_)) => {
            let what = "the row has a system message here and one among its turns";
            return Err(row.place.field(name, what, "Remove one of the two"));
        }
        Some(other) => return Err(row.place.wrong_type(name, other, "a text", "Correct the row")),
    }
    Ok(messages)
}

fn alpaca(row: Fields) -> Result<Parts, DataError> {
    let name = row.name(&row.columns.prompt, "instruction");
    let mut prompt = row.text(name)?.to_owned();
    match row.fields.get("input") {
        None | Some(Value::Null) => {}
        Some(_) => {
            let input = row.text("input")?;
            if !input.is_empty() {
                prompt = format!("{prompt}\n{input}");
            }
        }
    }
    if prompt.trim().is_empty() {
        return Err(row.place.field(name, "the prompt is empty", "Fill it in, or leave the row out"));
    }
    let completion = Some(row.text(row.name(&row.columns.completion, "output"))?.into());
    let mut messages = Vec::new();
    match row.fields.get("history") {
        None | Some(Value::Null) => {}
        Some(Value::Array(rounds)) => {
            for (i, round) in rounds.iter().enumerate() {
                let [Value::String(user), Value::String(assistant)] = round.as_array().map_or(&[][..], Vec::as_slice)
                else {
                    let what = format!("round {} is {}, expected [request, answer]", i + 1, kind(round));
                    return Err(row.place.field("history", what, "Correct the row"));
                };
                messages.extend([Message::user(user.as_str()), Message::assistant(assistant.as_str())]);
            }
        }
        Some(other) => {
            return Err(row.place.wrong_type("history", other, "a list of [request, answer]", "Correct the row"));
        }
    }
    let earlier = !messages.is_empty();
    messages.push(Message::user(prompt.as_str()));
    let messages = with_system(row, messages)?;
    let prompt = if earlier || messages.len() > 1 { Prompt::chat(messages) } else { Prompt::Text(prompt) };
    Ok(Parts { prompt, completion, ..Parts::default() })
}

fn verl(row: Fields) -> Result<Parts, DataError> {
    let answer = row.fields.get("reward_model").and_then(|model| model.get("ground_truth")).cloned();
    if answer.as_ref().is_none_or(Value::is_null) {
        return Err(row.place.field(
            "reward_model",
            "there is no `ground_truth` in it",
            "Correct the row, or name another `shape`",
        ));
    }
    Ok(Parts { prompt: row.asked()?, answer, ..Parts::default() })
}

/// The template variables that a row brings: `tools` and `chat_template_kwargs`, as values or as JSON text.
pub(crate) fn variables(prompt: &mut Prompt, row: Fields) -> Result<(), DataError> {
    let Prompt::Chat(Dialogue { variables, .. }) = prompt else { return Ok(()) };
    let parsed = |name: &str| -> Result<Option<Value>, DataError> {
        match row.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map(Some)
                .map_err(|e| row.place.field(name, format!("not JSON: {e}"), "Correct the row")),
            Some(value) => Ok(Some(value.clone())),
        }
    };
    let kwargs = row.name(&row.columns.chat_template_kwargs, "chat_template_kwargs");
    match parsed(kwargs)? {
        None => {}
        Some(Value::Object(map)) => variables.extend(map.into_iter().filter(|(_, value)| !value.is_null())),
        Some(other) => return Err(row.place.wrong_type(kwargs, &other, "an object", "Correct the row")),
    }
    let tools = row.name(&row.columns.tools, "tools");
    match parsed(tools)? {
        None => {}
        Some(Value::Array(list)) if list.is_empty() => {}
        Some(list @ Value::Array(_)) => {
            variables.insert("tools".into(), list);
        }
        Some(other) => {
            return Err(row.place.wrong_type(tools, &other, "a list of tool descriptions", "Correct the row"));
        }
    }
    Ok(())
}
