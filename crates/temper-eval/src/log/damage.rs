//! Errors of archives, in words.

use std::path::Path;

use zip::result::ZipError;

use crate::EvalError;

/// An error at an entry of a log.
pub(super) fn at(file: &Path, entry: &str, what: impl Into<String>, remedy: &str) -> EvalError {
    EvalError::LogEntry { file: file.to_owned(), entry: entry.to_owned(), what: what.into(), remedy: remedy.to_owned() }
}

/// An entry that is not what it should be.
pub(super) fn broken(file: &Path, entry: &str, what: impl Into<String>) -> EvalError {
    at(file, entry, what, "the log is damaged or not Inspect's; copy it again, or evaluate again")
}

/// What the archive's reader says.
pub(super) fn archive(file: &Path, entry: &str, error: &ZipError) -> EvalError {
    match error {
        ZipError::CompressionMethodNotSupported(method) => at(
            file,
            entry,
            format!("compressed by method {method}"),
            "deflate (8), zstd (93) and stored (0) entries can be read; write the log again with one of them",
        ),
        ZipError::InvalidPassword => at(file, entry, "encrypted", "give the log without encryption"),
        ZipError::UnsupportedArchive(what) => at(file, entry, *what, "write the log again with Inspect or Temper"),
        other => broken(file, entry, format!("not a whole ZIP archive: {other}")),
    }
}
