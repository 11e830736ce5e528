//! The tokenizer of the fixtures with the chat template of a family.

#![allow(dead_code, clippy::unwrap_used)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use temper_text::Tokenizer;

/// Folder of the fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// What `transformers` gave.
pub fn fixtures() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("chat_templates.json")).unwrap()).unwrap()
}

/// The files of a model directory: the fixtures' tokenizer, a template, and that family's special tokens.
pub fn files(template: &str) -> BTreeMap<String, Vec<u8>> {
    let tokens = fixtures()["tokens"][template].clone();
    let config = json!({"bos_token": tokens[0], "eos_token": {"content": tokens[1]}});
    let read = |name: &str| std::fs::read(folder().join(name)).unwrap();
    BTreeMap::from([
        ("tokenizer.json".to_owned(), read("tokenizer.json")),
        ("tokenizer_config.json".to_owned(), serde_json::to_vec(&config).unwrap()),
        ("chat_template.jinja".to_owned(), read(&format!("templates/{template}.jinja"))),
    ])
}

/// A tokenizer with a family's template.
pub fn tokenizer(template: &str) -> Tokenizer {
    Tokenizer::from_bytes(files(template), Path::new("model")).unwrap()
}
