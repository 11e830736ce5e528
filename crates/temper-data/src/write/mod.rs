//! Writing rows to a file, in the formats that are read.

pub(crate) mod packed;
mod parquet;
mod schema;
mod text;

use crate::DataError;
use crate::error::Place;
use crate::formats::{Compression, Format};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// What a [`Writer`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// Writes rows to a file, one after another, in the format that the file's name says.
///
/// | name | rows |
/// |---|---|
/// | `.jsonl`, `.ndjson` | an object per line |
/// | `.json` | an array of objects |
/// | `.csv`, `.tsv` | the first row's fields are the columns; text as it stands, null as nothing, lists and objects as JSON |
/// | `.parquet` | columns with Zstandard; their types follow from all rows; a field that a row lacks is null |
///
/// The formats of text are compressed where the name ends in `.gz` or `.zst`. The file is written beside and renamed by
/// [`finish`](Self::finish), so that it is whole or not there; a writer that is dropped before leaves nothing.
///
/// In CSV and TSV a later row has the same columns or fewer; TSV has no quotes, so tabs and line breaks are errors. In Parquet
/// a field has one type: numbers of both kinds become floats where that keeps each exactly, and objects get the members of
/// all rows; anything else that is mixed is an error, and so are objects that are empty in every row.
pub struct Writer {
    path: PathBuf,
    shown: String,
    /// Where the file is until it is finished; removed with this.
    beside: TempPath,
    sink: Sink,
    rows: usize,
    /// The error after which nothing more can be written.
    failed: Option<DataError>,
}

enum Sink {
    Text(text::Text),
    Parquet(Box<parquet::Parquet>),
}

impl Writer {
    /// Begins a file. An old one of this name stays until [`finish`](Self::finish).
    ///
    /// # Errors
    /// A name that says no format, or one that is not written (`.arrow`); a folder that is not there or not writable.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let shown = path.display().to_string();
        let format = Format::of(path, &shown)?;
        let place = Place::file(&shown);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if format == Format::Arrow {
            return Err(place.error("Arrow files are read, not written", "Write `.parquet`"));
        }
        if path.is_dir() {
            return Err(place.error("this is a folder", "Name a file"));
        }
        let begun = (|| {
            let (file, beside) = beside(path, folder)?.into_parts();
            let sink = match format {
                Format::Parquet => Sink::Parquet(Box::new(parquet::Parquet::new(file, self::beside(path, folder)?))),
                format => Sink::Text(text::Text::new(file, format, Compression::of(path))?),
            };
            io::Result::Ok((beside, sink))
        })();
        let (beside, sink) = begun.map_err(|e| unwritable(place, &e))?;
        Ok(Self { path: path.to_owned(), shown, beside, sink, rows: 0, failed: None })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// A row that does not fit the format (see [`Writer`]), by its number from 1; an error of the operating system. After
    /// either, nothing more is written, and the file will not be there.
    pub fn write(&mut self, row: &Map<String, Value>) -> Result<(), DataError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let place = Place::line(&self.shown, self.rows + 1);
        let wrote = match &mut self.sink {
            Sink::Text(text) => text.write(row, place),
            Sink::Parquet(parquet) => parquet.write(row, place),
        };
        match wrote {
            Ok(()) => self.rows += 1,
            Err(ref error) => self.failed = Some(error.clone()),
        }
        wrote
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// The one of an earlier row; those of the operating system; in Parquet a column without a type. Then there is no new
    /// file, and an old one stays as it was.
    pub fn finish(self) -> Result<Written, DataError> {
        let Self { path, shown, beside, sink, rows, failed } = self;
        if let Some(failed) = failed {
            return Err(failed);
        }
        let place = Place::file(&shown);
        let file = match sink {
            Sink::Text(text) => text.finish(place)?,
            Sink::Parquet(parquet) => parquet.finish(rows, place)?,
        };
        let named = file.sync_all().and_then(|()| file.metadata()).and_then(|about| {
            beside.persist(&path)?;
            Ok(Written { rows, bytes: about.len() })
        });
        named.map_err(|e| unwritable(place, &e))
    }
}

/// A hidden file in the folder of another, which is removed when it is dropped.
fn beside(path: &Path, folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // As any new file: what the user's mask leaves of it.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.prefix(&format!(".{name}.")).suffix(".tmp").tempfile_in(folder)
}

/// The error for what the operating system says while a file is written.
fn unwritable(place: Place, error: &io::Error) -> DataError {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "Free space on the disk, or write elsewhere"
        }
        io::ErrorKind::NotFound => "Make the folder first",
        _ => "Check the folder and its rights, or write elsewhere",
    };
    Place::file(place.file).error(format!("cannot write the file: {error}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn row() -> Map<String, Value> {
        [("text".to_owned(), Value::from("x".repeat(1000)))].into_iter().collect()
    }

    /// A writer whose file is on a full disk.
    fn on_full_disk(folder: &Path, name: &str) -> Writer {
        let mut writer = Writer::create(&folder.join(name)).unwrap();
        let full = || File::options().write(true).open("/dev/full").unwrap();
        match &mut writer.sink {
            Sink::Text(text) => {
                *text = text::Text::new(
                    full(),
                    Format::of_extension(Path::new(name)).unwrap(),
                    Compression::of(Path::new(name)),
                )
                .unwrap();
            }
            Sink::Parquet(parquet) => parquet.replace_file(full()),
        }
        writer
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error_that_leaves_nothing() {
        for name in ["d.jsonl", "d.jsonl.gz", "d.jsonl.zst", "d.json", "d.csv", "d.tsv", "d.parquet"] {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = on_full_disk(folder.path(), name);
            let failed = (0..2000).find_map(|_| writer.write(&row()).err());
            if let Some(e) = &failed {
                assert_eq!(writer.write(&row()).unwrap_err(), *e);
            }
            let e = writer.finish().unwrap_err();
            assert!(failed.is_none_or(|failed| failed == e));
            let e = e.to_string();
            assert!(e.contains("No space left") && e.ends_with("Free space on the disk, or write elsewhere"), "{e}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
        }
    }
}
