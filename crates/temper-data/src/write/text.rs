//! The formats of text.

use super::unwritable;
use crate::DataError;
use crate::error::{Place, list};
use crate::formats::{Compression, Format};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// A file of text, compressed or not.
enum Out {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        let buffer = match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish()?,
            Self::Zstd(out) => out.finish()?,
        };
        buffer.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Rows as text.
pub(super) struct Text {
    out: Out,
    format: Format,
    /// The columns of CSV and TSV.
    header: Option<Vec<String>>,
    begun: bool,
    /// The bytes of one row.
    bytes: Vec<u8>,
}

impl Text {
    pub fn new(file: File, format: Format, compression: Option<Compression>) -> io::Result<Self> {
        const BUFFER: usize = 1 << 17;
        let buffer = BufWriter::with_capacity(BUFFER, file);
        let out = match compression {
            None => Out::Plain(buffer),
            Some(Compression::Gzip) => Out::Gzip(flate2::write::GzEncoder::new(buffer, flate2::Compression::default())),
            Some(Compression::Zstd) => {
                let mut out = zstd::stream::write::Encoder::new(buffer, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                out.include_checksum(true)?;
                Out::Zstd(out)
            }
        };
        Ok(Self { out, format, header: None, begun: false, bytes: Vec::new() })
    }

    pub fn write(&mut self, row: &Map<String, Value>, place: Place) -> Result<(), DataError> {
        self.bytes.clear();
        match self.format {
            Format::Csv | Format::Tsv => {
                let header = match &self.header {
                    Some(header) => header,
                    None => {
                        if row.is_empty() {
                            return Err(place.error("the first row has no fields", "Name the columns in it"));
                        }
                        let names: Vec<String> = row.keys().cloned().collect();
                        line(self.format, &names, &names, place, &mut self.bytes)?;
                        self.header.insert(names)
                    }
                };
                line(self.format, &cells(row, header, place)?, header, place, &mut self.bytes)?;
            }
            format => {
                if format == Format::Json {
                    self.bytes.extend_from_slice(if self.begun { b",\n" } else { b"[\n" });
                }
                serde_json::to_writer(&mut self.bytes, row).map_err(|e| unwritable(place, &e.into()))?;
                if format == Format::Lines {
                    self.bytes.push(b'\n');
                }
            }
        }
        self.begun = true;
        self.out.write(&self.bytes).map_err(|e| unwritable(place, &e))
    }

    pub fn finish(mut self, place: Place) -> Result<File, DataError> {
        let end: &[u8] = match (self.format, self.begun) {
            (Format::Json, true) => b"\n]\n",
            (Format::Json, false) => b"[]\n",
            _ => b"",
        };
        self.out.write(end).and_then(|()| self.out.finish()).map_err(|e| unwritable(place, &e))
    }
}

/// A row's values in the order of the columns.
fn cells(row: &Map<String, Value>, header: &[String], place: Place) -> Result<Vec<String>, DataError> {
    if let Some(name) = row.keys().find(|name| !header.contains(name)) {
        let columns = list(header.iter().map(String::as_str));
        return Err(place.field(
            name,
            format!("the row has a field that is no column; the first row has {columns}"),
            "Give every row the fields of the first, or write `.jsonl`",
        ));
    }
    let cell = |name: &String| match row.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Ok(header.iter().map(cell).collect())
}

/// Writes a line of values.
fn line(format: Format, cells: &[String], header: &[String], place: Place, out: &mut Vec<u8>) -> Result<(), DataError> {
    for (cell, name) in cells.iter().zip(header) {
        if cell.contains('\0') {
            return Err(place.field(
                name,
                "the text has a NUL, which tables cannot hold",
                "Remove it, or write `.jsonl`",
            ));
        }
        if format == Format::Tsv && cell.contains(['\t', '\n', '\r']) {
            let what = "the text has a tab or a line break, which TSV cannot hold";
            return Err(place.field(name, what, "Write `.csv` or `.jsonl`"));
        }
    }
    if format == Format::Tsv {
        if let ([cell], [name]) = (cells, header)
            && cell.is_empty()
        {
            let what = "the only value is empty, and TSV cannot tell that from no row";
            return Err(place.field(name, what, "Write `.csv` or `.jsonl`"));
        }
        out.extend_from_slice(cells.join("\t").as_bytes());
        out.push(b'\n');
        return Ok(());
    }
    let mut csv = csv::Writer::from_writer(out);
    let wrote = csv.write_record(cells).map_err(|e| e.to_string());
    wrote.and_then(|()| csv.flush().map_err(|e| e.to_string())).map_err(|e| place.error(e, "Write `.jsonl`"))
}
