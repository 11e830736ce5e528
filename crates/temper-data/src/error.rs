//! Errors of reading data.

/// What is wrong with a data source, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}{}: {what}. {remedy}", line.map(|l| format!(":{l}")).unwrap_or_default(), field.as_ref().map(|f| format!(": field `{f}`")).unwrap_or_default())]
pub struct DataError {
    /// The file as the recipe names it.
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
