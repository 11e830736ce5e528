//! Prompt templates: text with `{field}` placeholders.

use crate::DataError;
use crate::error::Place;
use serde_json::{Map, Value};

/// A parsed template. `{name}` is a field's value; `{name&text}` is that value and then the text, and nothing where the value is
/// empty; `{{` and `}}` are braces; `{}` stays as it is, so that `\boxed{}` can be
/// written plainly.
#[derive(Debug)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Field(String),
    /// A value and what follows it, where there is one.
    Optional(String, String),
}

impl Template {
    /// Parses `source`; a brace that is never closed or closes nothing is literal text.
    pub fn parse(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            let literal = if rest.starts_with("{{") || rest.starts_with("}}") {
                text.push_str(&rest[..1]);
                2
            } else if rest.starts_with("{}") {
                text.push_str("{}");
                2
            } else if let Some(name) = placeholder(rest) {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(match name.split_once('&') {
                    None => Part::Field(name.trim().to_owned()),
                    Some((field, then)) => Part::Optional(field.trim().to_owned(), then.to_owned()),
                });
                name.len() + 2
            } else {
                text.push_str(&rest[..1]);
                1
            };
            rest = &rest[literal..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self { parts }
    }

    /// The fields that the template names.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) | Part::Optional(name, _) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The prompt of one row. Text goes in as it is, numbers and lists as JSON, null as nothing.
    pub fn fill(&self, fields: &Map<String, Value>, place: Place) -> Result<String, DataError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field(name) | Part::Optional(name, _) => match fields.get(name) {
                    None => {
                        let remedy =
                            "Correct the placeholder in the data source's `template`, or write `{{` for a brace";
                        return Err(place.missing(name, fields, remedy));
                    }
                    Some(Value::Null) => {}
                    Some(Value::String(text)) if text.trim().is_empty() && matches!(part, Part::Optional(..)) => {}
                    Some(value) => {
                        match value {
                            Value::String(text) => out.push_str(text),
                            value => out.push_str(&value.to_string()),
                        }
                        if let Part::Optional(_, then) = part {
                            out.push_str(then);
                        }
                    }
                },
            }
        }
        Ok(out)
    }
}

/// The name in a `{name}` that begins `text`.
fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?;
    let name = &name[..name.find(['{', '}'])?];
    let field = name.split('&').next().unwrap_or_default();
    let is_one = !field.trim().is_empty() && !field.contains('\n');
    text[1 + name.len()..].starts_with('}').then_some(name).filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill(template: &str) -> Result<String, DataError> {
        let fields = json!({"question": "1 + 1 {x}?", "n": 3, "none": null, "with space": "s"});
        Template::parse(template).fill(fields.as_object().unwrap(), Place::line("f.jsonl", 4))
    }

    #[test]
    fn placeholders_are_replaced_and_braces_can_be_written() {
        assert_eq!(fill("Q: {question}\nA:").unwrap(), "Q: 1 + 1 {x}?\nA:");
        assert_eq!(fill("{n}{none}{with space}").unwrap(), "3s");
        assert_eq!(fill("answer in \\boxed{} or {{n}}").unwrap(), "answer in \\boxed{} or {n}");
        assert_eq!(fill("an open { and a } closed").unwrap_err().field.as_deref(), Some("and a"));
        assert_eq!(fill("} closed, { open").unwrap(), "} closed, { open");
    }

    #[test]
    fn what_follows_an_empty_value_is_left_out() {
        assert_eq!(fill("{question&\n---\n}A").unwrap(), "1 + 1 {x}?\n---\nA");
        assert_eq!(fill("{none&\n---\n}A").unwrap(), "A");
        assert_eq!(fill("{gone&x}").unwrap_err().field.as_deref(), Some("gone"));
        assert_eq!(fill("{&x} {a\nb}").unwrap(), "{&x} {a\nb}");
    }

    #[test]
    fn an_unknown_placeholder_names_the_fields() {
        let e = fill("{questoin}").unwrap_err().to_string();
        assert!(e.starts_with("f.jsonl:4: field `questoin`: the row has no such field; it has `question`, `n`"), "{e}");
        assert!(e.contains("Did you mean `question`?"), "{e}");
    }
}
