//! Valid JSON, and JSON that a schema allows.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Score, ScoreError};

pub(crate) const JSON: Family = Family {
    info: ScorerInfo {
        r#type: "json",
        title: "Valid JSON",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the answer is one JSON value; `fence: false` refuses one inside a ``` fence",
    },
    version: 1,
    make: valid,
};

pub(crate) const JSON_SCHEMA: Family = Family {
    info: ScorerInfo {
        r#type: "json_schema",
        title: "JSON of the schema",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the answer is one JSON value that the JSON Schema allows (`schema`: written out, or a file)",
    },
    version: 1,
    make: schema,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsonParameters {
    /// Whether the value may stand in a code fence.
    fence: bool,
}

impl Default for JsonParameters {
    fn default() -> Self {
        JsonParameters { fence: true }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaParameters {
    #[serde(default = "yes")]
    fence: bool,
    /// The schema, or the path of a file with it.
    schema: Value,
}

fn yes() -> bool {
    true
}

fn valid(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: JsonParameters = given.read()?;
    let fence = parameters.fence;
    Ok(Made::new(&JSON, given.write(&parameters)?, move |sample| match read(sample.answer, fence) {
        Ok(_) => Judged::from(Score::Value(1.0)),
        Err(reason) => Judged::from(Score::Value(0.0)).because(reason),
    }))
}

fn schema(given: &Parameters) -> Result<Made, ScoreError> {
    let mut parameters: SchemaParameters = given.read()?;
    if let Value::String(file) = &parameters.schema {
        let file = temper_recipe::expand_env(file)
            .map_err(|error| given.error(error.to_string(), "set the variable, or write the path out".into()))?;
        parameters.schema = of_file(Path::new(&file))
            .map_err(|what| given.error(what, "name a file with a JSON Schema, or write the schema itself".into()))?;
    }
    // The text, not the path, is what the scores depend on.
    let identity = json!({"schema": parameters.schema, "fence": parameters.fence});
    let validator = jsonschema::validator_for(&parameters.schema).map_err(|error| {
        given.error(
            format!("`schema` is no JSON Schema: {error}"),
            "correct it; references to other files are not followed".into(),
        )
    })?;
    let fence = parameters.fence;
    Ok(Made::new(&JSON_SCHEMA, identity, move |sample| match read(sample.answer, fence) {
        Err(reason) => Judged::from(Score::Value(0.0)).because(reason),
        Ok(value) => match validator.iter_errors(&value).next() {
            None => Judged::from(Score::Value(1.0)),
            Some(error) => {
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { "the whole" } else { &place };
                Judged::from(Score::Value(0.0)).because(format!("{place}: {error}"))
            }
        },
    }))
}

fn of_file(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// The one JSON value of an answer, or why there is none.
fn read(answer: &str, fence: bool) -> Result<Value, String> {
    let text = answer.trim();
    let text = if fence { unfenced(text) } else { text };
    if text.is_empty() {
        return Err("the answer is empty".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// What stands in a fence that is all of the text; else the text.
fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    match inner.and_then(|inner| inner.split_once('\n')) {
        Some((language, inner)) if language.trim().chars().all(char::is_alphanumeric) => inner.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score, scorer};

    #[test]
    fn one_value_and_nothing_else() {
        let (plain, strict) = (scorer("json", json!({})), scorer("json", json!({"fence": false})));
        let r = row(json!({}));
        for good in [r#"{"a": [1, 2]}"#, "3", "<think>{</think> null ", "```json\n{\"a\": 1}\n```", "```\n[]\n```"] {
            assert_eq!(score(&plain, &r, good), Score::Value(1.0), "{good}");
        }
        for bad in ["", "{a: 1}", "{} {}", "Here: {}", "```json\n{}", "{\"a\": 1,}", "NaN"] {
            assert_eq!(score(&plain, &r, bad), Score::Value(0.0), "{bad}");
        }
        assert_eq!(score(&strict, &r, "```json\n{}\n```"), Score::Value(0.0));
        // Nesting deeper than the parser goes is an error of the text, not a crash.
        assert_eq!(score(&plain, &r, &"[".repeat(100_000)), Score::Value(0.0));
    }

    #[test]
    fn a_schema_decides() {
        let wanted = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}});
        let written = scorer("json_schema", json!({"schema": wanted}));
        let r = row(json!({}));
        assert_eq!(score(&written, &r, r#"{"name": "x"}"#), Score::Value(1.0));
        assert_eq!(score(&written, &r, r#"{"name": 1}"#), Score::Value(0.0));
        assert_eq!(score(&written, &r, "{}"), Score::Value(0.0));
        let judged = written.judge(&[crate::Sample::new(&r, r#"{"name": 1}"#, 1, false)]).pop().unwrap();
        assert!(judged.explanation.unwrap().starts_with("/name: "));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schema.json");
        std::fs::write(&file, wanted.to_string()).unwrap();
        let read = scorer("json_schema", json!({"schema": file.to_str().unwrap()}));
        assert_eq!(read.digest(), written.digest(), "the schema counts, not where it lies");
    }
}
