//! Completions that exist already, as samples.

use serde_json::Value;
use temper_data::Row;
use temper_recipe::{Columns, DataSource, Lab};
use temper_run::Sources;
use temper_score::Sample;

use crate::args::CompletionArgs;
use crate::error::CliError;

/// Rows with a completion each.
pub struct Completions {
    /// The rows.
    pub rows: Vec<Row>,
    /// Text of each row's completion.
    pub texts: Vec<String>,
    /// Its number of tokens, or of words.
    pub tokens: Vec<usize>,
    /// Whether `tokens` are words.
    pub words: bool,
    /// Rows whose completion is `null` or missing; they are in none of the lists.
    pub empty: usize,
}

impl Completions {
    /// The completions that the arguments name. `None` where they name none.
    pub fn read(args: &CompletionArgs) -> Result<Option<Self>, CliError> {
        let (Some(data), completion) = (&args.data, args.completion.as_deref()) else { return Ok(None) };
        let column = completion.ok_or_else(|| {
            CliError::message(format!("--data {data}: name the column with the completion by --completion COLUMN"))
        })?;
        let mut source = DataSource::parse(data, &Columns::parse(&args.columns)?, &[])?;
        source.rows = args.rows.or(source.rows);
        let rows = Sources::new(&Lab::default()).given(&source, true)?;
        let mut found = Completions {
            rows: Vec::new(),
            texts: Vec::new(),
            tokens: Vec::new(),
            words: args.tokens.is_none(),
            empty: 0,
        };
        for row in rows {
            let Some(text) = text(&row, column)? else {
                found.empty += 1;
                continue;
            };
            found.tokens.push(match &args.tokens {
                None => text.split_whitespace().count(),
                Some(column) => row.fields.get(column).and_then(Value::as_u64).ok_or_else(|| {
                    CliError::message(format!(
                        "{}: --tokens {column}: expected a whole number; name the column that holds the number of tokens",
                        row.place()
                    ))
                })? as usize,
            });
            found.texts.push(text);
            found.rows.push(row);
        }
        if found.rows.is_empty() {
            return Err(CliError::message(format!(
                "{data}: no row has a completion in the column `{column}`; name another by --completion"
            )));
        }
        Ok(Some(found))
    }

    /// The samples in a range of the rows.
    pub fn samples(&self, range: std::ops::Range<usize>) -> Vec<Sample<'_>> {
        range.map(|at| Sample::new(&self.rows[at], &self.texts[at], self.tokens[at], false)).collect()
    }
}

/// The text of a row's completion; `None` for `null`. A column that no row has is an error.
fn text(row: &Row, column: &str) -> Result<Option<String>, CliError> {
    let wrong = |what: &str| {
        let columns: Vec<&str> = row.fields.keys().map(String::as_str).collect();
        CliError::message(format!(
            "{}: --completion {column}: {what}; the row's columns are {}",
            row.place(),
            columns.join(", ")
        ))
    };
    match row.fields.get(column) {
        None => Err(wrong("there is no such column")),
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(turns)) => match turns.last().and_then(|turn| turn.get("content")).and_then(Value::as_str) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(wrong("a list whose last element is no turn with a text as `content`")),
        },
        Some(_) => Err(wrong("neither a text nor a list of turns")),
    }
}
