//! File formats. Each turns a file into records, one after another: a line number and an object of fields.

mod arrow;
mod arrow_values;
mod boundary;
mod delimited;
mod json;
mod lines;
mod open;

use crate::DataError;
use crate::error::Place;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Longest record that is read, in bytes of its text: 256 MiB. A longer one is an error, since a line that never ends (a
/// binary file under the wrong name, a quote that is not closed) would fill the memory.
pub(crate) const LONGEST_RECORD: usize = 256 << 20;

/// One record of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Line on which the record begins, from 1; in a JSON array and in the formats of columns (Parquet, Arrow) its position,
    /// from 1.
    pub line: usize,
    /// The fields, in the file's order.
    pub fields: Map<String, Value>,
}

/// The records of one file, in its order, read while they are asked for: the memory needed does not depend on the file's length.
///
/// An error in one line or element that leaves the next one readable is an item like any other, and the next record follows.
/// An error that does not (a damaged stream, an array that does not end) is the last item.
pub struct Records {
    rows: Rows,
    notes: Notes,
}

/// What a format gives.
type Rows = Box<dyn Iterator<Item = Result<Record, DataError>> + Send>;

impl Iterator for Records {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

impl Records {
    /// Opens a file of the format that its name says: `.jsonl`, `.ndjson`, `.json`, `.csv` or `.tsv`, each also with `.gz` or
    /// `.zst` after it, `.parquet` or `.arrow`. CSV and TSV files have a header.
    ///
    /// # Errors
    /// An unknown extension; a file that cannot be opened, or whose first bytes are of another format.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let shown = path.display().to_string();
        Format::of(path, &shown)?.records(path, false)
    }

    /// What was changed or left out up to now, in sentences to show: numbers without a JSON form that became null, members
    /// beside the rows of a JSON file.
    pub fn notes(&self) -> Vec<String> {
        self.notes.said()
    }
}

/// What reading changed or left out, shared between a reader and its [`Records`].
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    not_numbers: usize,
    said: Vec<String>,
}

impl Notes {
    fn with<T>(&self, f: impl FnOnce(&mut Noted) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Counts numbers that are NaN or infinite.
    pub fn not_numbers(&self, count: usize) {
        self.with(|noted| noted.not_numbers += count);
    }

    pub fn say(&self, what: String) {
        self.with(|noted| noted.said.push(what));
    }

    fn said(&self) -> Vec<String> {
        self.with(|noted| {
            let count = noted.not_numbers;
            let changed = (count > 0).then(|| format!("{count} numbers that are NaN or infinite were read as null"));
            noted.said.iter().cloned().chain(changed).collect()
        })
    }
}

/// A known file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object per line.
    Lines,
    /// An array of JSON objects, an object with such an array, or one object per line, as some tools write under this name.
    Json,
    /// Comma-separated, RFC 4180, with a header.
    Csv,
    /// Tab-separated with a header, without quoting.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// Arrow's file and stream formats, as `datasets.save_to_disk` writes them.
    Arrow,
}

impl Format {
    /// The extensions, for messages.
    pub const NAMES: &str = ".jsonl, .ndjson, .json, .csv, .tsv, each also with .gz or .zst, .parquet, .arrow";

    /// The format of a file by its extension.
    pub fn of_extension(path: &Path) -> Option<Self> {
        let inner = Compression::of(path).map(|_| path.with_extension(""));
        let format = match inner.as_deref().unwrap_or(path).extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Self::Lines,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "parquet" => Self::Parquet,
            "arrow" => Self::Arrow,
            _ => return None,
        };
        (inner.is_none() || format.is_text()).then_some(format)
    }

    /// Whether the file is text, which may be compressed as a whole.
    pub fn is_text(self) -> bool {
        !matches!(self, Self::Parquet | Self::Arrow)
    }

    /// As [`of_extension`](Self::of_extension), with an error that says what to do.
    pub fn of(path: &Path, shown: &str) -> Result<Self, DataError> {
        Self::of_extension(path).ok_or_else(|| {
            let extension = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
            let what = match extension.as_str() {
                "" => "the file's name has no extension".to_owned(),
                ".gz" | ".zst" => "the name does not say which format is compressed".to_owned(),
                other => format!("`{other}` is not a known format"),
            };
            let remedy = match extension.as_str() {
                ".gz" | ".zst" => {
                    "Name it after both, such as `data.jsonl.gz`; Parquet and Arrow files compress inside"
                }
                ".zip" | ".xz" | ".bz2" | ".7z" | ".tar" => "Unpack it first",
                ".feather" => "Write it as Parquet: `pandas.read_feather(FILE).to_parquet(NEW)`",
                _ => "Rename or convert it",
            };
            Place::file(shown).error(format!("{what}; known are {}", Self::NAMES), remedy)
        })
    }

    /// Opens a file. `headerless`: the first line of a CSV or TSV file is a row, and the columns are called `1`, `2`, ….
    ///
    /// # Errors
    /// A file that cannot be opened, or whose first bytes are of another format.
    pub fn records(self, path: &Path, headerless: bool) -> Result<Records, DataError> {
        let shown = path.display().to_string();
        let notes = Notes::default();
        let rows: Rows = match self {
            Self::Parquet => arrow::parquet(path, shown, notes.clone())?,
            Self::Arrow => arrow::ipc(path, shown, notes.clone())?,
            Self::Lines => Box::new(lines::Lines::new(open::text(path, &shown)?, shown)),
            Self::Json => json::records(path, shown, &notes)?,
            Self::Csv | Self::Tsv => {
                let dialect = if self == Self::Csv { delimited::Dialect::Csv } else { delimited::Dialect::Tsv };
                Box::new(delimited::Delimited::new(open::text(path, &shown)?, shown, dialect, headerless))
            }
        };
        Ok(Records { rows, notes })
    }
}

/// How a text file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
}

impl Compression {
    /// The compression that a file's name says.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }
}

/// What to do about an error while reading.
pub(crate) fn unreadable(place: Place, error: &std::io::Error) -> DataError {
    let remedy = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "The file is cut off; copy or write it anew",
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => "The file is damaged; copy it anew",
        _ => "Check the disk, or copy the file anew",
    };
    place.error(format!("cannot read the file: {error}"), remedy)
}

/// The error for a record above [`LONGEST_RECORD`].
pub(crate) fn too_long(place: Place, remedy: &str) -> DataError {
    place.error(format!("the record is longer than {} MiB", LONGEST_RECORD >> 20), remedy)
}

/// The text of bytes that should be UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], place: Place) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes).map_err(|e| not_utf8(place, e.valid_up_to() + 1))
}

/// The error for a byte that is not UTF-8, by its place in the line, from 1.
pub(crate) fn not_utf8(place: Place, byte: usize) -> DataError {
    let what = format!("byte {byte} of the line is not UTF-8");
    place.error(what, "Convert the file to UTF-8, e.g. `iconv -f ISO-8859-1 -t UTF-8 FILE > NEW`")
}
