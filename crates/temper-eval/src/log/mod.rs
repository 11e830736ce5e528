//! Item logs: what was asked, what was answered, what every scorer said of it.
//!
//! The format follows the file: `.eval` is Inspect's ([`inspect`]), anything else holds one JSON object per line ([`jsonl`]).
//! Logs of Inspect and of lm-eval ([`lm_eval`]) are read as if Temper had written them, as far as they say what it needs.

mod damage;
mod head;
mod inspect;
mod jsonl;
mod lm_eval;
mod place;
mod tolerant;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::{EvalError, ItemRecord};

pub use head::{LogHead, LogStatus, Recorded};
pub use jsonl::append_log;
pub use lm_eval::{LmEvalFiles, write_lm_eval};
pub(crate) use place::write_whole;

/// A log as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// What the log says of itself.
    pub head: LogHead,
    /// One record per item and repeat.
    pub records: Vec<ItemRecord>,
}

/// The formats that a log is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inspect,
    Lines,
    LmEval,
}

/// Writes a whole log beside its place and renames it, so that a reader never sees half of it. The head is made from the
/// records; [`write_log_with`] takes one.
///
/// # Errors
/// The file cannot be written, or two records are of the same suite, item and repeat.
pub fn write_log(file: &Path, records: &[ItemRecord]) -> Result<(), EvalError> {
    write_log_with(file, &LogHead::of_records(file, records), records)
}

/// The same with a head, which a `.jsonl` log has no place for.
///
/// # Errors
/// As [`write_log`].
pub fn write_log_with(file: &Path, head: &LogHead, records: &[ItemRecord]) -> Result<(), EvalError> {
    if is_eval(file) { inspect::write(file, head, records) } else { jsonl::write(file, records) }
}

/// Reads the records of a log.
///
/// # Errors
/// The file cannot be read, is damaged, or holds an item and repeat twice; the message names the line or the entry.
pub fn read_log(file: &Path) -> Result<Vec<ItemRecord>, EvalError> {
    Ok(open_log(file)?.records)
}

/// Reads a log with its head. A log without one has a head made from its records.
///
/// # Errors
/// As [`read_log`].
pub fn open_log(file: &Path) -> Result<Log, EvalError> {
    match kind(file)? {
        Kind::Inspect => inspect::read(file),
        Kind::LmEval => lm_eval::read(file),
        Kind::Lines => {
            let records = jsonl::read(file)?;
            Ok(Log { head: LogHead::of_records(file, &records), records })
        }
    }
}

/// Whether the name says that a file is a log of Inspect's kind.
fn is_eval(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eval"))
}

fn kind(file: &Path) -> Result<Kind, EvalError> {
    let open = File::open(file).map_err(|source| place::read_error(file, source))?;
    let mut reader = BufReader::new(open).take(1 << 20);
    let mut first = Vec::new();
    reader.read_until(b'\n', &mut first).map_err(|source| place::read_error(file, source))?;
    if first.starts_with(b"PK") || is_eval(file) {
        return Ok(Kind::Inspect);
    }
    Ok(if lm_eval::is_one(file, &first) { Kind::LmEval } else { Kind::Lines })
}
