//! Checking a tree against the schema: unknown and missing keys, types, alternatives and ranges.
//!
//! The schema is the single source of what a recipe may hold; it is generated from the types, so every key and bound is
//! written once.

use serde_json::{Map, Number, Value};

use crate::schema::{Shape, deref, shape};
use crate::suggest::{did_you_mean, list, nearest};
use crate::tree::{Content, Entry, Node, Place};

/// What to do where no model is given.
pub(crate) const NO_MODEL: &str =
    "missing; give the base model with `--set model.path=DIR` (a Hugging Face model directory, or lab:base)";

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub place: Place,
    pub path: String,
    pub message: String,
}

/// Checks `node` against `schema` (a part of `root`) and returns it as JSON, with whole floating-point numbers turned
/// into integers where those are wanted.
pub(crate) fn check(root: &Value, schema: &Value, node: &Node, path: &str) -> Result<Value, Problem> {
    let schema = deref(root, schema);
    let wrong = |expected: String| {
        Err(Problem {
            place: node.place.clone(),
            path: path.to_string(),
            message: format!("expected {expected}, found {}", describe(node)),
        })
    };
    if matches!(node.value, Content::Null) && may_be_null(schema) {
        return Ok(Value::Null);
    }
    match shape(root, schema) {
        Shape::Any => Ok(node.to_json()),
        Shape::Either(options) => match options.iter().find(|option| fits(root, option, node)) {
            Some(option) => check(root, option, node, path),
            None => {
                let options = options.iter().map(|option| expected(root, option));
                wrong(options.collect::<Vec<_>>().join(" or "))
            }
        },
        Shape::Words(words) => match &node.value {
            Content::Text(text) if words.contains(&text.as_str()) => Ok(Value::String(text.clone())),
            // To YAML 1.1 the words `on` and `off` are flags.
            Content::Bool(flag) if words.contains(&switch(*flag)) => Ok(Value::String(switch(*flag).to_string())),
            Content::Text(text) => Err(Problem {
                place: node.place.clone(),
                path: path.to_string(),
                message: format!(
                    "`{text}` is not one of {}{}",
                    list(words.iter().copied()),
                    did_you_mean(text, words.iter().copied())
                ),
            }),
            _ => wrong(format!("one of {}", list(words.iter().copied()))),
        },
        Shape::Tagged(kinds) => tagged(root, &kinds, node, path),
        Shape::Object => match &node.value {
            Content::Map(map) => object(root, schema, map, node, path),
            _ => wrong(expected(root, schema)),
        },
        Shape::List => match &node.value {
            Content::List(items) => {
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
                if (items.len() as u64) < least {
                    return Err(Problem {
                        place: node.place.clone(),
                        path: path.to_string(),
                        message: "the list is empty; at least one entry is needed".to_string(),
                    });
                }
                let inner = schema.get("items").unwrap_or(&Value::Bool(true));
                let items = items.iter().enumerate();
                items.map(|(i, item)| check(root, inner, item, &format!("{path}[{i}]"))).collect()
            }
            _ => wrong(expected(root, schema)),
        },
        Shape::Simple(types) => simple(schema, &types, node, path).unwrap_or_else(|| wrong(expected(root, schema))),
    }
}

/// The word that YAML 1.1 takes for this flag.
fn switch(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

/// A mapping: its keys known, the needed ones there, its values checked.
fn object(
    root: &Value,
    schema: &Value,
    map: &indexmap::IndexMap<String, Entry>,
    node: &Node,
    path: &str,
) -> Result<Value, Problem> {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let others = schema.get("additionalProperties");
    let mut out = Map::new();
    for (key, entry) in map {
        let inner = join(path, key);
        if matches!(entry.node.value, Content::Null)
            && required(schema).any(|needed| needed == key)
            && properties.get(key).is_some_and(|property| !fits(root, property, &entry.node))
        {
            return Err(missing(root, properties, key, &entry.key, path));
        }
        let value = match (properties.get(key), others) {
            (Some(property), _) => check(root, property, &entry.node, &inner)?,
            (None, Some(Value::Bool(false))) => {
                return Err(Problem {
                    place: entry.key.clone(),
                    path: inner,
                    message: unknown_key(root, key, properties),
                });
            }
            (None, Some(values @ Value::Object(_))) => check(root, values, &entry.node, &inner)?,
            (None, _) => entry.node.to_json(),
        };
        out.insert(key.clone(), value);
    }
    for key in required(schema) {
        if !map.contains_key(key) {
            return Err(missing(root, properties, key, &node.place, path));
        }
    }
    Ok(Value::Object(out))
}

/// One of several kinds, written as a mapping with the kind as its only key.
fn tagged(root: &Value, kinds: &[(&str, &Value)], node: &Node, path: &str) -> Result<Value, Problem> {
    let names = || kinds.iter().map(|(name, _)| *name);
    let problem = |place: &Place, path: String, message: String| Problem { place: place.clone(), path, message };
    let Content::Map(map) = &node.value else {
        let message = format!("expected a mapping with one of the keys {}, found {}", list(names()), describe(node));
        return Err(problem(&node.place, path.to_string(), message));
    };
    for (key, entry) in map {
        if !names().any(|name| name == key) {
            let hint = did_you_mean(key, names());
            let stop = if hint.is_empty() { "." } else { "" };
            let message = format!("unknown kind `{key}`{hint}{stop} Known kinds: {}", list(names()));
            return Err(problem(&entry.key, join(path, key), message));
        }
    }
    let mut entries = map.iter();
    let (Some((key, entry)), None) = (entries.next(), entries.next()) else {
        let message =
            format!("expected exactly one of {}, found {}; write one list entry for each", list(names()), map.len());
        return Err(problem(&node.place, path.to_string(), message));
    };
    let schema = kinds.iter().find(|(name, _)| name == key).map_or(&Value::Null, |(_, schema)| schema);
    let value = check(root, schema, &entry.node, &join(path, key))?;
    Ok(Value::Object(Map::from_iter([(key.clone(), value)])))
}

/// A number, text, flag or nothing; `None` where the type is wrong.
fn simple(schema: &Value, types: &[&str], node: &Node, path: &str) -> Option<Result<Value, Problem>> {
    let has = |name: &str| types.contains(&name);
    let value = match &node.value {
        Content::Null if has("null") => Value::Null,
        Content::Bool(flag) if has("boolean") => Value::Bool(*flag),
        Content::Text(text) if has("string") => Value::String(text.clone()),
        Content::Bool(_) | Content::Number(_) if has("string") => Value::String(node.raw.clone()?),
        Content::Number(number) if has("integer") => Value::Number(whole(number)?),
        Content::Number(number) if has("number") => Value::Number(number.clone()),
        _ => return None,
    };
    if let Value::Number(number) = &value
        && let Some(message) = out_of_range(schema, number)
    {
        return Some(Err(Problem { place: node.place.clone(), path: path.to_string(), message }));
    }
    Some(Ok(value))
}

/// The number as an integer, if it is one: `5e6` is.
fn whole(number: &Number) -> Option<Number> {
    if number.is_u64() || number.is_i64() {
        return Some(number.clone());
    }
    let value = number.as_f64()?;
    (value.fract() == 0.0 && value.abs() < 9e15).then(|| Number::from(value as i64))
}

fn out_of_range(schema: &Value, number: &Number) -> Option<String> {
    let value = number.as_f64()?;
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let mut wanted = Vec::new();
    let mut outside = false;
    if let Some(least) = bound("exclusiveMinimum") {
        outside |= value <= least;
        wanted.push(format!("above {least}"));
    }
    if let Some(least) = bound("minimum") {
        outside |= value < least;
        wanted.push(format!("at least {least}"));
    }
    if let Some(most) = bound("exclusiveMaximum") {
        outside |= value >= most;
        wanted.push(format!("below {most}"));
    }
    if let Some(most) = bound("maximum") {
        outside |= value > most;
        wanted.push(format!("at most {most}"));
    }
    outside.then(|| format!("{number} is out of range; it must be {}", wanted.join(" and ")))
}

/// Whether the schema's own list of types has `null`.
fn may_be_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_array).is_some_and(|types| types.iter().any(|name| name == "null"))
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn missing(root: &Value, properties: &Map<String, Value>, key: &str, place: &Place, path: &str) -> Problem {
    let path = join(path, key);
    if path == "model" || path == "model.path" {
        return Problem { place: place.clone(), path: "model.path".to_string(), message: NO_MODEL.to_string() };
    }
    let property = properties.get(key).unwrap_or(&Value::Null);
    let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let about = about.split_inclusive('.').next().unwrap_or_default().trim_end_matches('.').replace('\n', " ");
    let message = format!("missing; expected {} ({about})", expected(root, deref(root, property)));
    Problem { place: place.clone(), path, message }
}

fn unknown_key(root: &Value, key: &str, properties: &Map<String, Value>) -> String {
    let known = || properties.keys().map(String::as_str);
    let hint = match nearest(key, known()) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => owner(root, key, properties).map_or(".".to_string(), |name| format!("; did you mean `{name}.{key}`?")),
    };
    format!("unknown key{hint} Known keys: {}", list(known()))
}

/// The property that is a mapping with this key.
fn owner<'a>(root: &Value, key: &str, properties: &'a Map<String, Value>) -> Option<&'a str> {
    let holds = |schema: &Value| {
        let inner = deref(root, schema);
        let options =
            inner.get("anyOf").and_then(Value::as_array).into_iter().flatten().map(|option| deref(root, option));
        std::iter::once(inner)
            .chain(options)
            .any(|schema| schema.pointer("/properties").is_some_and(|all| all.get(key).is_some()))
    };
    properties.iter().find(|(_, schema)| holds(schema)).map(|(name, _)| name.as_str())
}

/// Whether the node's type is one that the schema is about; its content may still be wrong.
fn fits(root: &Value, schema: &Value, node: &Node) -> bool {
    let schema = deref(root, schema);
    match (shape(root, schema), &node.value) {
        (Shape::Any, _) => true,
        (Shape::Either(options), _) => options.iter().any(|option| fits(root, option, node)),
        (Shape::Words(_), Content::Text(_)) => true,
        (Shape::Tagged(_) | Shape::Object, Content::Map(_)) => true,
        (Shape::List, Content::List(_)) => true,
        (Shape::Simple(types), value) => match value {
            Content::Null => types.contains(&"null"),
            Content::Bool(_) => types.contains(&"boolean"),
            Content::Number(_) => types.contains(&"number") || types.contains(&"integer"),
            Content::Text(_) => types.contains(&"string"),
            _ => false,
        },
        _ => false,
    }
}

/// What the schema wants, in words.
pub(crate) fn expected(root: &Value, schema: &Value) -> String {
    let schema = deref(root, schema);
    match shape(root, schema) {
        Shape::Any => "a value".to_string(),
        Shape::Either(options) => options.iter().map(|option| expected(root, option)).collect::<Vec<_>>().join(" or "),
        Shape::Words(words) => format!("one of {}", list(words)),
        Shape::Tagged(kinds) => format!("a mapping with one of the keys {}", list(kinds.iter().map(|(name, _)| *name))),
        Shape::Object => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => format!("a mapping with the keys {}", list(properties.keys().map(String::as_str))),
            None => "a mapping".to_string(),
        },
        Shape::List => {
            let inner = schema.get("items").map(|items| deref(root, items));
            let short = inner.is_some_and(|items| matches!(shape(root, items), Shape::Simple(_)));
            match inner {
                Some(items) if short => format!("a list, each entry {}", expected(root, items)),
                _ => "a list".to_string(),
            }
        }
        Shape::Simple(types) => {
            let word = |name: &str| match name {
                "integer" => "a whole number",
                "number" => "a number",
                "string" => "a text",
                "boolean" => "true or false",
                "null" => "null",
                _ => "a value",
            };
            types.iter().map(|name| word(name)).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// What was found, in words.
fn describe(node: &Node) -> String {
    match &node.value {
        Content::Null => "nothing".to_string(),
        Content::Bool(flag) => format!("`{flag}`"),
        Content::Number(number) => format!("the number {number}"),
        Content::Text(text) if text.chars().count() > 60 => {
            format!("the text `{}…`", text.chars().take(60).collect::<String>())
        }
        Content::Text(text) => format!("the text `{text}`"),
        Content::List(items) => format!("a list of {}", items.len()),
        Content::Map(map) => format!("a mapping with the keys {}", list(map.keys().map(String::as_str))),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
