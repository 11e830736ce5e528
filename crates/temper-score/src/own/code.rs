//! The content of the files that a scorer is made of, for its identity.

use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of each word that names a file, by word. Files that a program goes on to read by itself are not seen.
pub(crate) fn digests<'a>(words: impl Iterator<Item = &'a str>, folder: Option<&Path>) -> Map<String, Value> {
    words.filter_map(|word| Some((word.to_owned(), json!(digest(word, folder)?)))).collect()
}

fn digest(word: &str, folder: Option<&Path>) -> Option<String> {
    let path = folder.map_or_else(|| word.into(), |folder| folder.join(word));
    if !path.is_file() {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(std::fs::read(path).ok()?);
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
