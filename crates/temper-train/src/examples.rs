//! Rows as training examples, cut to a length, with nothing lost in silence.

use temper_data::Row;
use temper_text::{Example, Tokenizer};

use crate::TrainError;

/// Encoded rows and what happened to them.
#[derive(Debug)]
pub(crate) struct Examples {
    /// Index of the row, ids and targets.
    pub items: Vec<(usize, Example)>,
    /// Rows longer than the limit that were cut at it.
    pub cut: usize,
    /// Rows left without a target after cutting, and dropped.
    pub dropped: usize,
    /// The first dropped row.
    first_dropped: Option<String>,
    max_length: usize,
}

/// Encodes prompt and completion of every row; keeps the first `max_length` tokens.
///
/// # Errors
/// A row without completion, one that cannot be encoded, ids outside the vocabulary, or no row with a target left.
pub(crate) fn encode(
    tokenizer: &Tokenizer,
    rows: &[Row],
    max_length: usize,
    vocab_size: usize,
) -> Result<Examples, TrainError> {
    if rows.is_empty() {
        return Err(TrainError::setting(
            "there are no rows to train on",
            "Check `path`, `rows` and `filter` of the data source",
        ));
    }
    let mut out =
        Examples { items: Vec::with_capacity(rows.len()), cut: 0, dropped: 0, first_dropped: None, max_length };
    for (index, row) in rows.iter().enumerate() {
        let completion = row.completion.as_ref().ok_or_else(|| TrainError::Row {
            place: row.place(),
            what: "the row has no completion to learn".into(),
            remedy: "Give a `completion` field or a dialogue that ends in an assistant turn, or map one with `columns`"
                .into(),
        })?;
        let mut example = tokenizer
            .encode_example(&row.prompt, &completion.text())
            .map_err(|source| TrainError::Encode { place: row.place(), source })?;
        check_ids(&example.ids, vocab_size, row)?;
        if example.ids.len() > max_length {
            out.cut += 1;
            example.ids.truncate(max_length);
            example.trainable.truncate(max_length);
        }
        if example.trainable.iter().skip(1).any(|t| *t) {
            out.items.push((index, example));
        } else {
            out.dropped += 1;
            out.first_dropped.get_or_insert_with(|| row.place());
        }
    }
    if out.items.is_empty() {
        return Err(TrainError::setting(
            format!(
                "none of the {} rows has a token to learn: the limit of {max_length} tokens cuts every completion away",
                rows.len()
            ),
            "Raise max_length above the length of the prompts (the model's context is the upper bound)",
        ));
    }
    Ok(out)
}

impl Examples {
    /// Tokens and targets of each example.
    pub fn lengths(&self) -> Vec<(usize, usize)> {
        let targets = |example: &Example| example.trainable.iter().skip(1).filter(|t| **t).count();
        self.items.iter().map(|(_, example)| (example.ids.len(), targets(example))).collect()
    }

    /// What a reader of the report should know.
    pub fn notes(&self) -> Vec<String> {
        let (total, mut notes) = (self.items.len() + self.dropped, Vec::new());
        if self.cut > 0 {
            notes.push(format!("{} of {total} rows are longer than {} tokens and were cut", self.cut, self.max_length));
        }
        if let Some(first) = &self.first_dropped {
            notes.push(format!(
                "{} of {total} rows have no token to learn after cutting and were dropped, the first at {first}",
                self.dropped
            ));
        }
        notes
    }
}

/// Refuses ids that the embedding has no row for.
pub(crate) fn check_ids(ids: &[u32], vocab_size: usize, row: &Row) -> Result<(), TrainError> {
    match ids.iter().find(|id| **id as usize >= vocab_size) {
        None => Ok(()),
        Some(id) => Err(TrainError::Row {
            place: row.place(),
            what: format!("the tokenizer gives id {id}, but the model has {vocab_size} embeddings"),
            remedy: "Use the tokenizer that belongs to the model".into(),
        }),
    }
}
