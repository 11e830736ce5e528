//! Filters, tests and printing as Jinja in Python has them, where the template engine differs.

use super::methods;
use crate::json;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, escape_formatter, filters};
use minijinja_contrib::globals::{cycler, joiner};

/// Adds methods, filters, tests and functions.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(|out, state, value| match float(value) {
        Some(text) => out.write_str(&text).map_err(Error::from),
        None => escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", tojson);
    environment.add_filter("int", int);
    environment.add_filter("float", to_float);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("title", |text: String| methods::title(&text));
    environment.add_filter("wordcount", |text: String| {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
    });
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Map)
    });
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("callable", |value: &Value| {
        !value.is_undefined() && value.kind() == ValueKind::Plain && value.as_object().is_some()
    });
    environment.add_function("joiner", joiner);
    environment.add_function("cycler", cycler);
}

/// What Python prints of a float; nothing for another value.
fn float(value: &Value) -> Option<String> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    is_float.then(|| f64::try_from(value.clone()).ok()).flatten().map(json::repr)
}

fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let separators = match options.get::<Option<Vec<String>>>("separators")?.as_deref() {
        None => None,
        Some([item, key]) => Some((item.clone(), key.clone())),
        Some(_) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators are two strings"));
        }
    };
    let style = json::Style {
        ensure_ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        indent: options.get::<Option<usize>>("indent")?,
        separators,
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    json::dumps(value, &style).map(Value::from)
}

/// A text that is no number gives the default, 0 if none is given.
fn int(
    state: &State,
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    options: Kwargs,
) -> Result<Value, Error> {
    let default = default.or(options.get::<Option<Value>>("default")?).unwrap_or(Value::from(0));
    filters::int(state, value, Some(default), base, options)
}

fn to_float(state: &State, value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default.or(options.get::<Option<Value>>("default")?).unwrap_or(Value::from(0.0));
    filters::float(state, value, Some(default), options)
}

fn default(value: &Value, other: Option<Value>, boolean: Option<bool>, options: Kwargs) -> Result<Value, Error> {
    let other = other.or(options.get::<Option<Value>>("default_value")?).unwrap_or(Value::from(""));
    let falsy = boolean.or(options.get::<Option<bool>>("boolean")?).unwrap_or(false) && !value.is_true();
    options.assert_all_used()?;
    Ok(if value.is_undefined() || falsy { other } else { value.clone() })
}

fn replace(text: String, old: String, new: String, count: Option<usize>) -> String {
    match count {
        Some(count) => text.replacen(&old, &new, count),
        None => text.replace(&old, &new),
    }
}

/// `width` is a number of spaces or the text itself; the first line and blank lines are indented when asked for.
fn indent(
    text: String,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = width.or(options.get::<Option<Value>>("width")?).unwrap_or(Value::from(4));
    let first = first.or(options.get::<Option<bool>>("first")?).unwrap_or(false);
    let blank = blank.or(options.get::<Option<bool>>("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let by = match width.as_str() {
        Some(by) => by.to_owned(),
        None => " ".repeat(usize::try_from(width.clone())?),
    };
    let lines = text.split('\n').enumerate();
    let lines: Vec<String> = lines
        .map(|(i, line)| match (i, line.is_empty()) {
            (0, _) if !first => line.to_owned(),
            (1.., true) if !blank => String::new(),
            _ => format!("{by}{line}"),
        })
        .collect();
    Ok(lines.join("\n"))
}

/// What is not defined has no members.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() { Ok(0) } else { filters::length(value) }
}
