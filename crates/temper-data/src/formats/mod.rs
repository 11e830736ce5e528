//! File formats. Each turns a file into records: a line number and an object of fields.

mod delimited;
mod json;
mod lines;

use crate::DataError;
use crate::error::Place;
use serde_json::{Map, Value};
use std::ops::ControlFlow;
use std::path::Path;

/// One record of a file.
pub(crate) struct Record {
    /// Line on which the record begins, from 1; in a JSON array its position, from 1.
    pub line: usize,
    pub fields: Map<String, Value>,
}

/// Gets each record in turn; breaks when no more are wanted.
pub(crate) type Visit<'a> = dyn FnMut(Record) -> Result<ControlFlow<()>, DataError> + 'a;

/// shim
pub(crate) type Records = std::vec::IntoIter<Result<Record, DataError>>;

/// A known file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object per line.
    Lines,
    /// An array of JSON objects; or one object per line, as some tools write under this name.
    Json,
    /// Comma-separated, RFC 4180, with a header.
    Csv,
    /// Tab-separated with a header, without quoting.
    Tsv,
}

impl Format {
    /// The extensions, for messages.
    pub const NAMES: &str = ".jsonl, .ndjson, .json, .csv, .tsv";

    /// The format of a file by its extension.
    pub fn of_extension(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Lines),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }

    /// As [`of_extension`](Self::of_extension), with an error that says what to do.
    pub fn of(path: &Path, shown: &str) -> Result<Self, DataError> {
        Self::of_extension(path).ok_or_else(|| {
            let extension = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
            let what = match extension.as_str() {
                "" => "the file's name has no extension".to_owned(),
                other => format!("`{other}` is not a known format"),
            };
            let remedy = match extension.as_str() {
                ".parquet" | ".arrow" => {
                    "Convert it with Python: `datasets.load_dataset(\"parquet\", data_files=FILE)[\"train\"].to_json(\"data.jsonl\")`"
                }
                ".gz" | ".zst" | ".zip" | ".xz" => "Unpack it first",
                _ => "Rename or convert it",
            };
            Place::file(shown).error(format!("{what}; known are {}", Self::NAMES), remedy)
        })
    }

    /// shim
    pub fn records(self, path: &Path, headerless: bool) -> Result<Records, DataError> {
        let mut all = Vec::new();
        let end = self.read(path, headerless, &mut |record| {
            all.push(Ok(record));
            Ok(ControlFlow::Continue(()))
        });
        all.extend(end.err().map(Err));
        Ok(all.into_iter())
    }

    /// Visits the records of a file. `headerless`: the first line of a CSV or TSV file is a row, and the columns are called
    /// `1`, `2`, ….
    pub fn read(self, path: &Path, headerless: bool, visit: &mut Visit) -> Result<(), DataError> {
        let shown = path.display().to_string();
        let file = std::fs::File::open(path)
            .map_err(|e| Place::file(&shown).error(format!("cannot open the file: {e}"), "Check its rights"))?;
        let mut reader = std::io::BufReader::with_capacity(1 << 16, file);
        match self {
            Self::Lines => lines::read(&mut reader, &shown, visit),
            Self::Json => json::read(&mut reader, &shown, visit),
            Self::Csv => delimited::read(&mut reader, &shown, delimited::Dialect::Csv, headerless, visit),
            Self::Tsv => delimited::read(&mut reader, &shown, delimited::Dialect::Tsv, headerless, visit),
        }
    }
}

/// What to do about an error of the operating system while reading.
pub(crate) fn unreadable(place: Place, error: &std::io::Error) -> DataError {
    place.error(format!("cannot read the file: {error}"), "Check the disk, or copy the file anew")
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Without a UTF-8 byte-order mark; a mark of UTF-16 is an error.
pub(crate) fn without_bom<'a>(bytes: &'a [u8], shown: &str) -> Result<&'a [u8], DataError> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(Place::line(shown, 1)
            .error("the file is in UTF-16, expected UTF-8", "Convert it: `iconv -f UTF-16 -t UTF-8 FILE > NEW`"));
    }
    Ok(bytes.strip_prefix(BOM).unwrap_or(bytes))
}

/// The text of bytes that should be UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], place: Place) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes).map_err(|e| {
        let what = format!("byte {} of the line is not UTF-8", e.valid_up_to() + 1);
        place.error(what, "Convert the file to UTF-8, e.g. `iconv -f ISO-8859-1 -t UTF-8 FILE > NEW`")
    })
}
