//! The files of a tokenizer directory, kept byte for byte.

use crate::TextError;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The fast tokenizer; the only file that must be there.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Special tokens and, in older directories, the chat template.
pub(crate) const CONFIG: &str = "tokenizer_config.json";
/// The chat template; wins over the one in the configuration.
pub(crate) const TEMPLATE: &str = "chat_template.jinja";
/// Folder of further chat templates by name.
pub(crate) const MORE_TEMPLATES: &str = "additional_chat_templates/";
/// Special tokens by name.
pub(crate) const SPECIAL: &str = "special_tokens_map.json";
/// Stop tokens of generation.
pub(crate) const GENERATION: &str = "generation_config.json";

/// What is read and written beside [`TOKENIZER`]: the files above, and those that only the slow tokenizers of
/// `transformers` read.
const OTHERS: [&str; 8] =
    [CONFIG, TEMPLATE, SPECIAL, GENERATION, "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model"];

/// File names and their bytes, in the order of the names.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub dir: PathBuf,
    pub bytes: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// Reads the tokenizer files of a directory.
    pub fn read(dir: &Path) -> Result<Self, TextError> {
        let mut bytes = BTreeMap::new();
        for name in std::iter::once(TOKENIZER).chain(OTHERS) {
            let file = dir.join(name);
            match std::fs::read(&file) {
                Ok(content) => {
                    bytes.insert(name.to_owned(), content);
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && name != TOKENIZER => {}
                Err(source) => {
                    return Err(TextError::Io { file, action: "read", remedy: missing(dir), source });
                }
            }
        }
        let folder = dir.join(MORE_TEMPLATES);
        let unlisted = |source| TextError::Io {
            file: folder.clone(),
            action: "list",
            remedy: "Check that the folder can be read".into(),
            source,
        };
        let entries = match folder.is_dir() {
            true => std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unlisted)?,
            false => Vec::new(),
        };
        for entry in entries {
            let file = entry.path();
            if let (Some(name), Some("jinja")) = (entry.file_name().to_str(), file.extension().and_then(|e| e.to_str()))
            {
                let failed = |source| TextError::Io {
                    file: file.clone(),
                    action: "read",
                    remedy: "Check that the file can be read".into(),
                    source,
                };
                bytes.insert(format!("{MORE_TEMPLATES}{name}"), std::fs::read(&file).map_err(failed)?);
            }
        }
        Ok(Self { dir: dir.to_owned(), bytes })
    }

    /// Writes every file into `dir`, which is created if need be.
    pub fn write(&self, dir: &Path) -> Result<(), TextError> {
        let failed = |file: PathBuf| {
            move |source| TextError::Io {
                file,
                action: "write",
                source,
                remedy: "Check that the directory can be written and that the disk has room".into(),
            }
        };
        std::fs::create_dir_all(dir).map_err(failed(dir.to_owned()))?;
        for (name, content) in &self.bytes {
            let file = dir.join(name);
            let folder = file.parent().unwrap_or(dir);
            std::fs::create_dir_all(folder).map_err(failed(folder.to_owned()))?;
            std::fs::write(&file, content).map_err(failed(file.clone()))?;
        }
        Ok(())
    }

    /// SHA-256 in hexadecimal over names, lengths and bytes.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, content) in &self.bytes {
            hash.update(format!("{name}\0{}\0", content.len()));
            hash.update(content);
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The object in a JSON file; empty when there is no such file.
    pub fn object(&self, name: &str) -> Result<Map<String, Value>, TextError> {
        let Some(content) = self.bytes.get(name) else {
            return Ok(Map::new());
        };
        serde_json::from_slice(content).map_err(|e| self.malformed(name, format!("not a JSON object: {e}")))
    }

    /// A file that is there and is not what it should be.
    pub fn malformed(&self, name: &str, what: String) -> TextError {
        TextError::Format {
            file: self.dir.join(name),
            what,
            remedy: "Correct the file, or download the model directory again".into(),
        }
    }
}

/// What to do when there is no `tokenizer.json`.
fn missing(dir: &Path) -> String {
    if !dir.is_dir() {
        return "The directory does not exist; give the directory of a Hugging Face model".into();
    }
    if dir.join("tokenizer.model").exists() || dir.join("vocab.json").exists() {
        return "The directory has only a slow tokenizer; write a fast one with Python: \
                `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`"
            .into();
    }
    "A model directory holds tokenizer.json; complete the download, or give the right directory".into()
}
