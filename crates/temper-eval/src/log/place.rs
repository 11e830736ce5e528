//! Files written beside their place and renamed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::EvalError;

const WRITE: &str = "check the folder's permissions and the free space";

pub(super) fn write_error(file: &Path) -> impl FnOnce(std::io::Error) -> EvalError + '_ {
    move |source| EvalError::Io { file: file.to_owned(), action: "write", source, remedy: WRITE }
}

pub(super) fn read_error(file: &Path, source: std::io::Error) -> EvalError {
    let remedy = "an item log is an .eval or .jsonl file that an evaluation wrote";
    EvalError::Io { file: file.to_owned(), action: "read", source, remedy }
}

/// Writes a file beside its place and renames it.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), EvalError> {
    create_folder(file)?;
    let beside = beside(file);
    fs::write(&beside, bytes).map_err(write_error(&beside))?;
    fs::rename(&beside, file).map_err(write_error(file))
}

pub(super) fn create_folder(file: &Path) -> Result<(), EvalError> {
    match file.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(write_error(folder)),
        None => Ok(()),
    }
}

pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    file.with_file_name(name)
}
