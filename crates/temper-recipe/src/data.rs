//! Data sources: where rows come from and how they become prompts and completions.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::suggest::unknown;
use crate::{Check, Clean, HubPath, Mix, Part, RecipeError, Shape, Transform};

/// Rows from the lab, a file, a folder, the hub, or a mixture of other sources. One of `path` and `mix` is needed.
///
/// The steps are taken in this order: `filter`, `skip`, `rows`, `part`, `clean`, `transform`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataSource {
    /// `lab:NAME`, a file (JSONL, JSON, CSV or TSV), a folder or a glob, or `hf://datasets/ORG/NAME[@REVISION][/PATH]`;
    /// `${VAR}` is replaced by the environment variable.
    pub path: String,
    /// What the rows are, where their publisher has them and under which licence; shown where the file is missing.
    pub about: Option<String>,
    /// Subset of an `hf://` data set (`config_name` in its README.md); `null` for the default one.
    pub subset: Option<String>,
    /// Split of an `hf://` data set; `null` for `train`, or the only one where there is no `train`.
    pub split: Option<String>,
    /// How a row's fields make up prompt and completion; `null`: by the columns that are named, else by the row's fields.
    pub shape: Option<Shape>,
    /// Instead of a path: other entries of `data`, mixed.
    pub mix: Option<Mix>,
    /// How many rows to take, after `filter` and `skip`; `null` for all.
    #[schemars(range(min = 1))]
    pub rows: Option<usize>,
    /// Rows to pass over first, after `filter`.
    pub skip: usize,
    /// Which column holds what, where the file's names differ from the usual ones.
    pub columns: Columns,
    /// Pattern of the files' names, such as `mgsm_{language}.tsv`: the text in place of `{language}` becomes the row's field
    /// `language`, and the row's line its field `line`.
    pub file_pattern: Option<String>,
    /// Keep rows whose fields have these values; a list means one of them.
    pub filter: IndexMap<String, Value>,
    /// Text of the prompt with `{field}` placeholders, instead of the prompt column as it is.
    pub template: Option<String>,
    /// System message put before a chat prompt.
    pub system: Option<String>,
    /// Whether plain prompts become chat messages; `null`: when the model has a chat template.
    pub chat: Option<bool>,
    /// Variables of the chat template for every row, such as `enable_thinking: false`; a row's own win.
    pub chat_template_kwargs: IndexMap<String, Value>,
    /// Rows to leave out, each counted.
    pub clean: Clean,
    /// One side of a split of the rows, made before `clean`.
    pub part: Option<Part>,
    /// The rows in other guises, made after `clean`.
    pub transform: Option<Transform>,
    /// Checks of the tokenised rows that warn instead of stopping the run.
    pub allow: Vec<Check>,
}

impl Default for DataSource {
    fn default() -> Self {
        DataSource {
            path: String::new(),
            about: None,
            subset: None,
            split: None,
            shape: None,
            mix: None,
            rows: None,
            skip: 0,
            columns: Columns::default(),
            file_pattern: None,
            filter: IndexMap::new(),
            template: None,
            system: None,
            chat: None,
            chat_template_kwargs: IndexMap::new(),
            clean: Clean::default(),
            part: None,
            transform: None,
            allow: Vec::new(),
        }
    }
}

/// Names of the columns that hold a row's parts; `null` means the usual name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Column of the prompt (usual name `prompt`).
    pub prompt: Option<String>,
    /// Column of the completion (usual name `completion`).
    pub completion: Option<String>,
    /// Column of a whole dialogue as a list of `{role, content}` (usual name `messages`).
    pub messages: Option<String>,
    /// Column of a preference's better completion (usual name `chosen`).
    pub chosen: Option<String>,
    /// Column of a preference's other completion (usual name `rejected`).
    pub rejected: Option<String>,
    /// Column that says whether a completion is good (usual name `label`).
    pub label: Option<String>,
    /// Column of a completion's steps (usual name `completions`).
    pub completions: Option<String>,
    /// Column that says which steps are right (usual name `labels`).
    pub labels: Option<String>,
    /// Column of a system message (usual name `system`, in the shapes that have one).
    pub system: Option<String>,
    /// Column of the tools that a dialogue may call (usual name `tools`).
    pub tools: Option<String>,
    /// Column of variables of the chat template (usual name `chat_template_kwargs`).
    pub chat_template_kwargs: Option<String>,
    /// Column of a plain text without a prompt (usual name `text`).
    pub text: Option<String>,
    /// Column of the reference answer that scorers compare with (usual name `answer`).
    pub answer: Option<String>,
    /// Column of the row's identity (usual name `id`); without one it is the file and the line.
    pub id: Option<String>,
}

impl Columns {
    /// Columns from `PART=COLUMN` pairs, as the command line takes them; one text may hold several, with commas between.
    ///
    /// # Errors
    /// A pair without `=`, or a part that rows do not have; the message lists those that they have.
    pub fn parse<T: AsRef<str>>(pairs: &[T]) -> Result<Self, RecipeError> {
        let mut columns = Columns::default().to_map();
        for pair in pairs.iter().flat_map(|pairs| pairs.as_ref().split(',')) {
            let wrong = |message: String| RecipeError::Columns { pair: pair.to_owned(), message };
            let (part, column) = pair
                .split_once('=')
                .ok_or_else(|| wrong("expected PART=COLUMN, such as prompt=question".to_owned()))?;
            match columns.get_mut(part.trim()) {
                Some(place) => *place = Value::from(column.trim()),
                None => return Err(wrong(unknown("part of a row", part.trim(), columns.keys().map(String::as_str)))),
            }
        }
        Ok(serde_json::from_value(Value::Object(columns)).expect("the keys are those of the type"))
    }

    /// The columns that are named.
    pub fn named(&self) -> Vec<String> {
        self.to_map().into_iter().filter_map(|(_, column)| Some(column.as_str()?.to_owned())).collect()
    }

    fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("a struct of texts is an object"),
        }
    }
}

/// What a data source's path means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Rows that the lab generates, by name (without `lab:`).
    Lab(String),
    /// A file, folder or glob, with environment variables replaced.
    File(PathBuf),
    /// A data set on the Hugging Face Hub.
    Hub(HubPath),
}

impl DataSource {
    /// Where the rows are. Errors when the path names an environment variable that is not set, or is a malformed `hf://` one.
    pub fn location(&self) -> Result<Location, RecipeError> {
        if let Some(name) = self.path.strip_prefix("lab:") {
            return Ok(Location::Lab(name.to_string()));
        }
        let path = expand_env(&self.path)?;
        if HubPath::is(&path) {
            return HubPath::parse(&path).map(Location::Hub);
        }
        Ok(Location::File(PathBuf::from(path)))
    }
}

/// Replaces each `${NAME}` by the environment variable of that name.
///
/// Errors when a variable is not set or a `${` is not closed.
pub fn expand_env(text: &str) -> Result<String, RecipeError> {
    expand_with(text, |name| std::env::var(name).ok())
}

fn expand_with(text: &str, get: impl Fn(&str) -> Option<String>) -> Result<String, RecipeError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find('}').ok_or_else(|| RecipeError::Unclosed { text: text.to_string() })?;
        let name = &after[..end];
        match get(name) {
            Some(value) => out.push_str(&value),
            None => return Err(RecipeError::Environment { text: text.to_string(), name: name.to_string() }),
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(name: &str) -> Option<String> {
        (name == "HERE").then(|| "/data".to_string())
    }

    #[test]
    fn environment_variables_are_replaced() {
        assert_eq!(expand_with("${HERE}/a/${HERE}.csv", get).unwrap(), "/data/a//data.csv");
        assert_eq!(expand_with("plain $x", get).unwrap(), "plain $x");
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(
            expand_with("${GONE}/a", get).unwrap_err().to_string(),
            "`${GONE}/a` needs the environment variable GONE, which is not set; set it (GONE=… temper …) or write the path out"
        );
        assert_eq!(
            expand_with("a${HERE", get).unwrap_err().to_string(),
            "`a${HERE` has a `${` without `}`; write `${NAME}`"
        );
    }
}
