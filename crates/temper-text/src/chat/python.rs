//! What templates expect of Python beyond what the template engine has.

use crate::json;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// Adds methods, filters and tests.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(method);
    environment.add_filter("tojson", tojson);
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

/// Python's methods of strings and dictionaries: those of the template engine's compatibility layer, and a few more.
fn method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = |v: Option<&Value>| v.and_then(|v| v.as_str().map(str::to_owned));
    if value.kind() == ValueKind::String
        && let (Some(s), Some(arg), 1) = (value.as_str(), text(args.first()), args.len())
    {
        match method {
            "removeprefix" => return Ok(Value::from(s.strip_prefix(arg.as_str()).unwrap_or(s))),
            "removesuffix" => return Ok(Value::from(s.strip_suffix(arg.as_str()).unwrap_or(s))),
            "rsplit" if !arg.is_empty() => return Ok(s.split(arg.as_str()).map(Value::from).collect()),
            _ => {}
        }
    }
    pycompat::unknown_method_callback(state, value, method, args)
}
