//! Weights on disk: Hugging Face directories.
//!
//! A directory is `config.json`, `generation_config.json` (optional) and either `model.safetensors` or shards with
//! `model.safetensors.index.json`. Weights in f32, bf16 or f16 are read into f32; f32 is written. Adapters are PEFT
//! directories.

mod error;
mod peft;
mod read;
mod shards;
mod write;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::layout;
use crate::{EngineError, Frozen, Model, ModelConfig};
pub use error::HfError;
pub use peft::AdapterSource;

/// Name of the configuration file.
const CONFIG: &str = "config.json";
/// Name of the file of sampling defaults.
const GENERATION: &str = "generation_config.json";

impl ModelConfig {
    /// Reads `config.json` and, if it is there, `generation_config.json` of a Hugging Face directory.
    ///
    /// # Errors
    /// [`EngineError::Hf`] naming the file and the key.
    pub fn load(dir: &Path) -> Result<Self, EngineError> {
        if !dir.is_dir() {
            return Err(HfError::NoDirectory { dir: dir.to_path_buf() }.into());
        }
        let file = dir.join(CONFIG);
        if !file.is_file() {
            let hint = "expected a Hugging Face model directory: check the path, or download the directory again";
            return Err(HfError::NoFile { file, hint }.into());
        }
        let at = |file: &Path, source| HfError::Config { file: file.to_path_buf(), source: Box::new(source) };
        let config = Self::from_json(&read_json(&file)?).map_err(|e| at(&file, e))?;
        let generation = dir.join(GENERATION);
        if !generation.is_file() {
            return Ok(config);
        }
        let json = read_json(&generation)?;
        Ok(config.with_generation(&json).map_err(|e| at(&generation, e))?)
    }
}

/// SHA-256, in hexadecimal, over `config.json` and over names, types, shapes and bytes of all tensors of a Hugging Face
/// directory, read from its files without making a model. How the tensors are spread over shards has no bearing on it.
///
/// # Errors
/// [`EngineError::Hf`] as for [`Model::load`], but for values that are not finite.
pub fn files_digest(dir: &Path) -> Result<String, EngineError> {
    let config = ModelConfig::load(dir)?;
    let shards = shards::Shards::open(dir)?;
    read::check(&config, &layout(&config), &shards)?;
    let file = dir.join(CONFIG);
    let json = std::fs::read(&file).map_err(|source| HfError::Read { file, source })?;
    let mut hash = Sha256::new();
    hash.update((json.len() as u64).to_le_bytes());
    hash.update(json);
    for name in shards.names() {
        if let Some(entry) = shards.get(name) {
            hash.update(format!("{name} {:?} {:?}\n", entry.dtype, entry.shape));
            hash.update(shards.bytes(entry));
            shards.release(entry);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Model<f32> {
    /// Reads `config.json` and the safetensors files of a Hugging Face directory. Every tensor of the model must be
    /// there in the shape that `config.json` implies, finite, and every tensor in the files must belong to the model.
    ///
    /// # Errors
    /// [`EngineError::Hf`] naming the file, the tensor, what was expected and found, and what to do.
    pub fn load(dir: &Path) -> Result<Self, EngineError> {
        let config = ModelConfig::load(dir)?;
        let shards = shards::Shards::open(dir)?;
        Ok(read::read(config, &shards)?)
    }

    /// As [`Model::load`], with the matrices held in `frozen`; no more than one of them exists in f32 at a time. Such a model
    /// samples and scores, and trains with an adapter.
    ///
    /// # Errors
    /// As for [`Model::load`].
    pub fn load_frozen(dir: &Path, frozen: Frozen) -> Result<Self, EngineError> {
        let config = ModelConfig::load(dir)?;
        let shards = shards::Shards::open(dir)?;
        Ok(read::read_frozen(config, &shards, frozen)?)
    }

    /// Writes `config.json`, `generation_config.json` and `model.safetensors` (f32) so that transformers, before and
    /// since v5, reads them. A new directory is written beside and renamed into place; in an existing one each file is,
    /// the weights last, and shards of an earlier model are removed. Of a frozen model the values that its matrices stand for
    /// are written. An adapter is not: save it by [`Model::save_adapter`], or merge it first.
    ///
    /// # Errors
    /// [`EngineError::Hf`] if there is too little space or something cannot be written; then nothing is overwritten.
    pub fn save(&self, dir: &Path) -> Result<(), EngineError> {
        Ok(write::save(self, dir)?)
    }

    /// SHA-256, in hexadecimal, over names, shapes and bytes of all tensors, without an adapter's.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for tensor in self.tensors() {
            hash.update(format!("{} {:?} F32\n", tensor.name, tensor.shape));
            for part in self.tensor(tensor).chunks(1 << 14) {
                hash.update(le_bytes(part));
            }
        }
        let mut text = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// Little-endian bytes.
fn le_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    for (to, from) in bytes.chunks_exact_mut(4).zip(values) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    bytes
}

/// Reads and parses a JSON file.
fn read_json(file: &Path) -> Result<Value, HfError> {
    let text = std::fs::read(file).map_err(|source| HfError::Read { file: file.to_path_buf(), source })?;
    serde_json::from_slice(&text).map_err(|source| HfError::Json { file: file.to_path_buf(), source })
}

#[cfg(test)]
#[path = "hf/tests.rs"]
mod tests;
