//! Shared by the tests of this crate.

#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::Value;
use std::path::PathBuf;
use temper_data::{DataError, Row, read};
use temper_recipe::DataSource;

/// A folder for one test's files.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Reads a file with further keys of the data source.
    pub fn read(&self, name: &str, bytes: impl AsRef<[u8]>, keys: Value) -> Result<Vec<Row>, DataError> {
        let mut source = keys;
        source["path"] = self.write(name, bytes).to_str().unwrap().into();
        let source: DataSource = serde_json::from_value(source).unwrap();
        read(&source, true)
    }
}

/// The rows of one file.
pub fn rows(name: &str, bytes: impl AsRef<[u8]>, keys: Value) -> Vec<Row> {
    Folder::new().read(name, bytes, keys).unwrap()
}

/// The error's text after the folder.
pub fn error(name: &str, bytes: impl AsRef<[u8]>, keys: Value) -> String {
    let text = Folder::new().read(name, bytes, keys).unwrap_err().to_string();
    text[text.find(name).unwrap()..].to_owned()
}
