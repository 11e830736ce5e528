//! Errors of reading data.

use serde_json::{Map, Value};

/// What is wrong with a data source, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}. {remedy}", place(file, *line, field.as_deref()))]
pub struct DataError {
    /// The file.
    pub file: String,
    /// Line of the row, from 1.
    pub line: Option<usize>,
    /// The field.
    pub field: Option<String>,
    /// What was found, and what was expected.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

fn place(file: &str, line: Option<usize>, field: Option<&str>) -> String {
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    let field = field.map_or(String::new(), |field| format!(": field `{field}`"));
    format!("{file}{line}{field}")
}

/// Where in the data something is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub file: &'a str,
    pub line: Option<usize>,
}

impl<'a> Place<'a> {
    pub fn file(file: &'a str) -> Self {
        Self { file, line: None }
    }

    pub fn line(file: &'a str, line: usize) -> Self {
        Self { file, line: Some(line) }
    }

    pub fn error(self, what: impl Into<String>, remedy: impl Into<String>) -> DataError {
        DataError { file: self.file.to_owned(), line: self.line, field: None, what: what.into(), remedy: remedy.into() }
    }

    /// An error about one field.
    pub fn field(self, field: &str, what: impl Into<String>, remedy: impl Into<String>) -> DataError {
        DataError { field: Some(field.to_owned()), ..self.error(what, remedy) }
    }

    /// A field that the row does not have.
    pub fn missing(self, field: &str, fields: &Map<String, Value>, remedy: &str) -> DataError {
        let names = fields.keys().map(String::as_str);
        let hint = match nearest(field, names.clone()) {
            Some(near) => format!("Did you mean `{near}`? "),
            None => String::new(),
        };
        self.field(field, format!("the row has no such field; it has {}", list(names)), format!("{hint}{remedy}"))
    }

    /// A field of the wrong type.
    pub fn wrong_type(self, field: &str, found: &Value, expected: &str, remedy: &str) -> DataError {
        self.field(field, format!("found {}, expected {expected}", kind(found)), remedy)
    }
}

/// A value in words, shortened.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the text {:?}", excerpt(s)),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(map) => format!("an object with {}", list(map.keys().map(String::as_str))),
    }
}

/// The first characters of a text.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS: usize = 60;
    match text.char_indices().nth(CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// `a`, `b`, `c`.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The known name that `word` most likely stands for.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.6;
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|name| (name, strsim::normalized_damerau_levenshtein(&word, &name.to_lowercase())))
        .filter(|(_, near)| *near >= NEAR)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, _)| name)
}
