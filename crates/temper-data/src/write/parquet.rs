//! Parquet. A column's type follows from all rows, so they wait in a file of lines beside until the last is there.

use super::schema::{Members, Misfit, add, fields};
use super::unwritable;
use crate::DataError;
use crate::error::Place;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_schema::{ArrowError, Schema};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Rows for a Parquet file.
pub(super) struct Parquet {
    file: File,
    waiting: BufWriter<NamedTempFile>,
    members: Members,
    bytes: Vec<u8>,
    size: usize,
}

const REMEDY: &str = "Correct the row, or write `.jsonl`, which has no types";

impl Parquet {
    pub fn new(file: File, waiting: NamedTempFile) -> Self {
        let waiting = BufWriter::with_capacity(1 << 17, waiting);
        Self { file, waiting, members: Members::new(), bytes: Vec::new(), size: 0 }
    }

    #[cfg(test)]
    pub fn replace_file(&mut self, file: File) {
        self.file = file;
    }

    pub fn write(&mut self, row: &Map<String, Value>, place: Place) -> Result<(), DataError> {
        add(&mut self.members, row).map_err(|Misfit { field, what }| place.field(&field, what, REMEDY))?;
        self.bytes.clear();
        serde_json::to_writer(&mut self.bytes, row).map_err(|e| unwritable(place, &e.into()))?;
        self.bytes.push(b'\n');
        self.size += self.bytes.len();
        self.waiting.write_all(&self.bytes).map_err(|e| unwritable(place, &e))
    }

    /// Writes the rows that wait.
    pub fn finish(self, rows: usize, place: Place) -> Result<File, DataError> {
        /// Bytes of rows in memory at once, and of a row group, which readers take whole.
        const BATCH: usize = 4 << 20;
        const GROUP: usize = 64 << 20;
        if self.members.is_empty() {
            let what = "there is no row with a field, and a Parquet file has columns";
            return Err(place.error(what, "Write at least one row, or `.jsonl`"));
        }
        let columns = fields(&self.members, "");
        let columns = columns.map_err(|Misfit { field, what }| {
            place.field(&field, what, "Leave the field out, or write `.jsonl`, which has no types")
        })?;
        let io = |e: io::Error| unwritable(place, &e);
        let mut waiting = self.waiting.into_inner().map_err(|e| io(e.into_error()))?;
        waiting.rewind().map_err(io)?;
        let schema = Arc::new(Schema::new(columns));
        let level = ZstdLevel::try_new(3).unwrap_or_default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_bytes(Some(GROUP))
            .build();
        let failed = |e: &dyn std::fmt::Display| place.error(format!("cannot write the rows: {e}"), "Write `.jsonl`");
        let parquet = |e: ParquetError| match e {
            ParquetError::External(e) => match e.downcast::<io::Error>() {
                Ok(e) => io(*e),
                Err(e) => failed(&e),
            },
            other => failed(&other),
        };
        let json = |e: ArrowError| match e {
            ArrowError::IoError(_, e) => io(e),
            other => failed(&other),
        };
        let mut out = BufWriter::new(self.file);
        let mut writer = ArrowWriter::try_new(&mut out, schema.clone(), Some(properties)).map_err(parquet)?;
        let batch = (BATCH / (self.size / rows.max(1)).max(1)).clamp(8, 1024);
        let lines = BufReader::with_capacity(1 << 17, waiting);
        let batches = arrow_json::ReaderBuilder::new(schema).with_batch_size(batch).build(lines).map_err(json)?;
        for batch in batches {
            writer.write(&batch.map_err(json)?).map_err(parquet)?;
        }
        writer.close().map_err(parquet)?;
        out.into_inner().map_err(|e| io(e.into_error()))
    }
}
