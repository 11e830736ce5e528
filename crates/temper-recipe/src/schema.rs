//! The JSON Schema of recipes, and how its parts are read.

use std::sync::LazyLock;

use serde_json::Value;

use crate::Recipe;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(Recipe).to_value();
    tidy(&mut schema);
    schema
});

/// The schema, made once.
pub(crate) fn schema() -> &'static Value {
    &SCHEMA
}

impl Recipe {
    /// The JSON Schema (draft 2020-12) of recipes, for editors and for checking. Keys, types, defaults and ranges come
    /// from the types of this crate.
    pub fn json_schema() -> Value {
        schema().clone()
    }
}

/// A key that is needed has no default.
pub(crate) fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let required: Vec<String> = map
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|key| key.as_str().map(String::from))
                .collect();
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                for key in required {
                    if let Some(Value::Object(property)) = properties.get_mut(&key) {
                        property.shift_remove("default");
                    }
                }
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Follows `$ref`.
pub(crate) fn deref<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    while let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        match root.pointer(pointer.trim_start_matches('#')) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The kinds of schema that recipes are made of.
pub(crate) enum Shape<'a> {
    /// Anything.
    Any,
    /// One of several schemas.
    Either(Vec<&'a Value>),
    /// One of several words.
    Words(Vec<&'a str>),
    /// A mapping with one key that says what its value is.
    Tagged(Vec<(&'a str, &'a Value)>),
    /// A mapping.
    Object,
    /// A list.
    List,
    /// Scalars of these types.
    Simple(Vec<&'a str>),
}

/// What kind of schema this is.
pub(crate) fn shape<'a>(root: &'a Value, schema: &'a Value) -> Shape<'a> {
    let schema = deref(root, schema);
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        return Shape::Either(options.iter().collect());
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Shape::Words(words.iter().filter_map(Value::as_str).collect());
    }
    if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
        if options.iter().all(|option| option.get("const").is_some()) {
            return Shape::Words(options.iter().filter_map(|option| option.get("const")?.as_str()).collect());
        }
        let kinds = options.iter().filter_map(|option| {
            let (name, schema) = option.get("properties")?.as_object()?.iter().next()?;
            Some((name.as_str(), schema))
        });
        return Shape::Tagged(kinds.collect());
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "object" => Shape::Object,
        Some(Value::String(name)) if name == "array" => Shape::List,
        Some(Value::String(name)) => Shape::Simple(vec![name]),
        // A list or mapping that may also be null.
        Some(Value::Array(names)) if names.iter().any(|name| name == "array") => Shape::List,
        Some(Value::Array(names)) if names.iter().any(|name| name == "object") => Shape::Object,
        Some(Value::Array(names)) => Shape::Simple(names.iter().filter_map(Value::as_str).collect()),
        _ => Shape::Any,
    }
}
