//! The rows of a source with the fields that its files have.

use std::path::PathBuf;

use serde_json::{Map, Value};
use temper_data::{CardFile, DataCard, DataError, RowAndFields, licence_beside};

use super::source::{Source, Stream};
use crate::error::CliError;

impl Stream {
    /// The fields of the next row as the file has them; of the lab, in TRL's columns.
    pub fn next_fields(&mut self) -> Option<Result<Map<String, Value>, DataError>> {
        match self {
            Self::Lab(rows) => rows.next().map(|row| Ok(row.to_json())),
            Self::Files(rows) => rows.next_record().map(|record| record.map(|record| record.fields)),
        }
    }

    /// The next row, and its fields as the file has them; of the lab, in TRL's columns.
    pub fn next_with_fields(&mut self) -> Option<Result<RowAndFields, DataError>> {
        match self {
            Self::Lab(rows) => rows.next().map(|row| {
                let fields = row.to_json();
                Ok((row, fields))
            }),
            Self::Files(rows) => rows.next_with_fields(),
        }
    }

    /// The files that are not read yet; none of the lab.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Lab(_) => Vec::new(),
            Self::Files(rows) => rows.files(),
        }
    }
}

/// The size in bytes of the files that a source reads to their end; `None` where it takes only some of the rows.
pub fn size(source: &Source, files: &[PathBuf]) -> Option<u64> {
    let whole = source.source.rows.is_none() && !files.is_empty();
    whole.then(|| files.iter().filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum())
}

/// The data card of a source before its rows are counted: its files with digests, and the licence.
pub fn card(source: &Source, files: &[PathBuf]) -> Result<DataCard, CliError> {
    let files_with_digests = files.iter().map(|file| CardFile::of(file)).collect::<Result<_, _>>()?;
    Ok(DataCard {
        name: source.name.clone(),
        source: source.source.clone(),
        files: files_with_digests,
        licence: files.iter().find_map(|file| licence_beside(file)),
        ..DataCard::default()
    })
}
