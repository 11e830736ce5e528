//! Parquet and Arrow: formats of columns, read a batch of rows at a time.

use super::arrow_values::{Unreadable, rows};
use super::open::{file, kind_of};
use super::{Notes, Record, Rows, unreadable};
use crate::DataError;
use crate::error::Place;
use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, String>> + Send>;

/// Opens a Parquet file.
pub(crate) fn parquet(path: &Path, shown: String, notes: Notes) -> Result<Rows, DataError> {
    let place = Place::file(&shown);
    let (file, head) = begin(path, place)?;
    if !head.starts_with(b"PAR1") {
        let encrypted = head.starts_with(b"PARE").then_some(("an encrypted Parquet file", "Decrypt it first"));
        return Err(other(&head, encrypted, "a Parquet file", place));
    }
    let reader = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(|e| damaged(place, &e))?;
    distinct(reader.schema(), place)?;
    let rows_each = batch_size(reader.metadata().row_groups().iter().map(|g| (g.total_byte_size(), g.num_rows())));
    let mut reader = guarded(|| reader.with_batch_size(rows_each).build()).map_err(|e| damaged(place, &e))?;
    let batches = std::iter::from_fn(move || guarded(|| reader.next().transpose()).transpose());
    Ok(Box::new(Columns::new(Box::new(batches), shown, notes)))
}

/// Opens an Arrow file, or a stream as `datasets.save_to_disk` writes it. Buffers that are compressed inside are an error: the
/// library reserves whatever memory a damaged one asks for, and the process would end.
pub(crate) fn ipc(path: &Path, shown: String, notes: Notes) -> Result<Rows, DataError> {
    const STREAM: [u8; 4] = [0xff; 4];
    const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let place = Place::file(&shown);
    let (mut file, head) = begin(path, place)?;
    let batches: Batches = if head.starts_with(b"ARROW1") {
        let mut reader = guarded(|| FileReader::try_new_buffered(file, None)).map_err(|e| damaged(place, &e))?;
        distinct(&reader.schema(), place)?;
        Box::new(std::iter::from_fn(move || guarded(|| reader.next().transpose()).transpose()))
    } else if head.starts_with(&STREAM) {
        let mut last = [0; END.len()];
        let ends = file.seek(SeekFrom::End(-(END.len() as i64))).and_then(|_| file.read_exact(&mut last));
        file.rewind().map_err(|e| unreadable(place, &e))?;
        if ends.is_err() || last != END {
            // The format allows it, and a copy that was cut between two batches looks the same.
            notes.say(format!("{shown}: the stream has no end mark; if it was cut off, rows are missing"));
        }
        let reader = || StreamReader::try_new(BufReader::with_capacity(1 << 17, file), None);
        let mut reader = guarded(reader).map_err(|e| damaged(place, &e))?;
        distinct(&reader.schema(), place)?;
        Box::new(std::iter::from_fn(move || guarded(|| reader.next().transpose()).transpose()))
    } else {
        return Err(other(&head, None, "an Arrow file or stream", place));
    };
    Ok(Box::new(Columns::new(batches, shown, notes)))
}

/// Opens a file and looks at its first bytes.
fn begin(path: &Path, place: Place) -> Result<(File, Vec<u8>), DataError> {
    const LOOK: u64 = 16;
    let mut file = file(path, place.file)?;
    let mut head = Vec::new();
    let read = file.by_ref().take(LOOK).read_to_end(&mut head).and_then(|_| file.rewind());
    read.map_err(|e| unreadable(place, &e))?;
    Ok((file, head))
}

/// The error for a file of another format than its name says.
fn other(head: &[u8], known: Option<(&str, &str)>, expected: &str, place: Place) -> DataError {
    let (found, remedy) = match known.or_else(|| kind_of(head)) {
        Some(found) => found,
        None if head.is_empty() => ("empty", "Write the file anew"),
        None => ("something else", "Give it the extension of its format; or it is damaged, then copy it anew"),
    };
    place.error(format!("expected {expected}, but this is {found}"), remedy)
}

fn damaged(place: Place, why: &str) -> DataError {
    let remedy = if why.contains("Disabled feature") {
        "Write the file with zstd, snappy, gzip or LZ4 compression"
    } else if why.contains("decompression requires") {
        "Write the file without compression, or as Parquet"
    } else {
        "The file is damaged or cut off; copy or write it anew"
    };
    place.error(format!("cannot read the file: {why}"), remedy)
}

/// Runs a step of a reader. The libraries check what they read, but not everything: damage that they panic at is an error.
fn guarded<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("what it says of its own content is contradictory".to_owned()),
    }
}

/// Rows of a batch, so that a batch holds a few MiB: long texts in few rows, short ones in many.
fn batch_size(groups: impl Iterator<Item = (i64, i64)>) -> usize {
    const BYTES: i64 = 4 << 20;
    let (bytes, rows) = groups.fold((0_i64, 0_i64), |a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)));
    let each = (bytes / rows.max(1)).max(1);
    (BYTES / each).clamp(8, 1024) as usize
}

fn distinct(schema: &Schema, place: Place) -> Result<(), DataError> {
    let mut names = BTreeSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            return Err(place.field(field.name(), "two columns have this name", "Rename one"));
        }
    }
    match names.is_empty() {
        true => Err(place.error("the file has no columns", "Write it anew, with the rows' fields as columns")),
        false => Ok(()),
    }
}

/// Rows out of batches.
struct Columns {
    /// `None` after an error.
    batches: Option<Batches>,
    rows: std::vec::IntoIter<Map<String, Value>>,
    /// Rows given.
    given: usize,
    shown: String,
    notes: Notes,
}

impl Columns {
    fn new(batches: Batches, shown: String, notes: Notes) -> Self {
        Self { batches: Some(batches), rows: Vec::new().into_iter(), given: 0, shown, notes }
    }

    /// The rows of the next batch; `None` at the end.
    fn batch(&mut self) -> Option<Result<Vec<Map<String, Value>>, DataError>> {
        let place = Place::line(&self.shown, self.given + 1);
        let batch = match self.batches.as_mut()?.next()? {
            Ok(batch) => batch,
            Err(e) => return Some(Err(damaged(place, &e))),
        };
        let mut not_numbers = 0;
        let rows = match catch_unwind(AssertUnwindSafe(|| rows(&batch, &mut not_numbers))) {
            Ok(rows) => rows.map_err(|Unreadable { column, what, remedy }| place.field(&column, what, remedy)),
            Err(_) => Err(damaged(place, "what it says of its own content is contradictory")),
        };
        self.notes.not_numbers(not_numbers);
        Some(rows)
    }
}

impl Iterator for Columns {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(fields) = self.rows.next() {
                self.given += 1;
                return Some(Ok(Record { line: self.given, fields }));
            }
            match self.batch() {
                Some(Ok(rows)) => self.rows = rows.into_iter(),
                Some(Err(e)) => {
                    self.batches = None;
                    return Some(Err(e));
                }
                None => {
                    self.batches = None;
                    return None;
                }
            }
        }
    }
}
