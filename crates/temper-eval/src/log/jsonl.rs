//! Logs of one JSON object per line, one line per item and repeat.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use super::is_eval;
use super::place::{beside, create_folder, read_error, write_error};
use crate::{EvalError, ItemRecord};

/// Adds records to the end of a `.jsonl` log, which is created where there is none, with its folder.
///
/// # Errors
/// The file cannot be written, or is an `.eval` log, which is written as a whole.
pub fn append_log(file: &Path, records: &[ItemRecord]) -> Result<(), EvalError> {
    if is_eval(file) {
        let remedy = "an .eval log is written as a whole; append to a .jsonl log and convert it";
        let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
        return Err(EvalError::Io { file: file.to_owned(), action: "append to", source, remedy });
    }
    append(file, records)
}

fn append(file: &Path, records: &[ItemRecord]) -> Result<(), EvalError> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record).map_err(std::io::Error::from).map_err(write_error(file))?;
        text.push(b'\n');
    }
    create_folder(file)?;
    let mut out = OpenOptions::new().create(true).append(true).open(file).map_err(write_error(file))?;
    out.write_all(&text).map_err(write_error(file))
}

pub(super) fn write(file: &Path, records: &[ItemRecord]) -> Result<(), EvalError> {
    let beside = beside(file);
    match fs::remove_file(&beside) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(write_error(&beside)(source)),
        _ => {}
    }
    append(&beside, records)?;
    fs::rename(&beside, file).map_err(write_error(file))
}

/// Reads a log.
///
/// # Errors
/// The file cannot be read; a line is not a record, or repeats the suite, item and repeat of an earlier line (with the line's
/// number).
pub(super) fn read(file: &Path) -> Result<Vec<ItemRecord>, EvalError> {
    let read_error = |source| read_error(file, source);
    let reader = BufReader::new(File::open(file).map_err(read_error)?);
    let mut records: Vec<ItemRecord> = Vec::new();
    let mut seen: BTreeMap<(String, String, usize), usize> = BTreeMap::new();
    for (at, line) in reader.lines().enumerate() {
        let number = at + 1;
        let line = line.map_err(read_error)?;
        if line.trim().is_empty() {
            continue;
        }
        let record: ItemRecord = serde_json::from_str(&line).map_err(|error| EvalError::Log {
            file: file.to_owned(),
            line: number,
            what: format!("not an item record: {error}"),
            remedy: "remove the line if the evaluation was cut off there, or evaluate again".to_owned(),
        })?;
        let key = (record.suite.clone(), record.id.clone(), record.repeat);
        if let Some(first) = seen.insert(key, number) {
            return Err(EvalError::Log {
                file: file.to_owned(),
                line: number,
                what: format!(
                    "item `{}` of suite `{}`, repeat {}, stands in line {first} already",
                    record.id, record.suite, record.repeat
                ),
                remedy: "a log holds every item and repeat once; remove one of the two lines".to_owned(),
            });
        }
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{read_log, write_log};
    use crate::testing::record;
    use temper_score::Score;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("suite/base.jsonl");
        let mut a = record("s", "a", 0, &[("m", Score::Value(0.1)), ("k", Score::Unscored("because".into()))]);
        a.thinking = Some("line\nbreak".to_owned());
        a.tags = vec!["no_close_tag".to_owned()];
        let b = record("s", "b", 1, &[("m", Score::NotApplicable)]);
        write_log(&file, std::slice::from_ref(&a)).unwrap();
        append_log(&file, std::slice::from_ref(&b)).unwrap();
        assert_eq!(read_log(&file).unwrap(), [a.clone(), b]);
        write_log(&file, std::slice::from_ref(&a)).unwrap();
        assert_eq!(read_log(&file).unwrap(), [a]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.jsonl");
        let good = serde_json::to_string(&record("s", "a", 0, &[])).unwrap();
        fs::write(&file, format!("{good}\n\n{}", &good[..20])).unwrap();
        let message = read_log(&file).unwrap_err().to_string();
        assert!(message.contains("log.jsonl:3: not an item record"), "{message}");
        fs::write(&file, format!("{good}\n{good}\n")).unwrap();
        let message = read_log(&file).unwrap_err().to_string();
        assert!(
            message.contains("log.jsonl:2: item `a` of suite `s`, repeat 0, stands in line 1 already"),
            "{message}"
        );
        let message = read_log(&folder.path().join("none")).unwrap_err().to_string();
        assert!(message.contains("none: cannot read"), "{message}");
    }
}
