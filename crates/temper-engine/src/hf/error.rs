//! Errors of reading and writing a Hugging Face directory.

use std::path::PathBuf;

use crate::EngineError;

/// Why a model directory could not be read or written. Every message names the file and ends in what to do.
#[derive(Debug, thiserror::Error)]
pub enum HfError {
    /// The directory is not there.
    #[error(
        "{}: no such model directory; pass the path of a Hugging Face directory (config.json and model.safetensors)",
        dir.display()
    )]
    NoDirectory {
        /// The path as given.
        dir: PathBuf,
    },
    /// A file that a model directory must have is not there.
    #[error("{}: file not found; {hint}", file.display())]
    NoFile {
        /// The missing file.
        file: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// The operating system refused to read a file.
    #[error("{}: could not be read: {source}; check the path and its permissions", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A JSON file does not parse.
    #[error("{}: not valid JSON ({source}); the file may be half-written: download or save it again", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Line and column.
        source: serde_json::Error,
    },
    /// `config.json` is not one that this engine runs.
    #[error("{}: {source}", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// The offending key.
        source: Box<EngineError>,
    },
    /// The file ends before its header says.
    #[error(
        "{}: truncated: its header asks for {expected} bytes, the file has {found}; download or save it again",
        file.display()
    )]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Bytes that a whole file has.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file is not in the safetensors format.
    #[error("{}: not a safetensors file ({reason}); download or save it again", file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// What is wrong with the header.
        reason: String,
    },
    /// `model.safetensors.index.json` has no usable `weight_map`.
    #[error(
        "{}: expected an object `weight_map` from tensor names to file names, found {found}; download the index again",
        file.display()
    )]
    Index {
        /// The index file.
        file: PathBuf,
        /// What stands there.
        found: String,
    },
    /// The index names a shard that is not in the directory.
    #[error(
        "{}: tensor `{tensor}` is in `{shard}`, which is not in the directory; download the missing file",
        index.display()
    )]
    NoShard {
        /// The index file.
        index: PathBuf,
        /// The missing shard.
        shard: String,
        /// A tensor that it holds.
        tensor: String,
    },
    /// The index says that a shard holds a tensor, and it does not.
    #[error(
        "{}: has no tensor `{tensor}`, which `model.safetensors.index.json` says it holds; \
         index and shards are of different saves: download both again",
        file.display()
    )]
    NotInShard {
        /// The shard.
        file: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A parameter of the model is in no file.
    #[error("{}: no tensor `{tensor}` (expected shape {expected:?}); {hint}", file.display())]
    MissingTensor {
        /// The weights file or the index.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape by `config.json`.
        expected: Vec<usize>,
        /// What to do.
        hint: String,
    },
    /// A tensor of the file is no parameter of the model.
    #[error(
        "{}: tensor `{tensor}` is no part of a {architecture} with this config.json ({count} such tensors); \
         check num_hidden_layers, attention_bias and tie_word_embeddings, or save the model from transformers unquantised \
         and with adapters merged",
        file.display()
    )]
    UnexpectedTensor {
        /// The file.
        file: PathBuf,
        /// The first such tensor by name.
        tensor: String,
        /// How many there are.
        count: usize,
        /// The architecture of config.json.
        architecture: &'static str,
    },
    /// A tensor has another shape than `config.json` implies.
    #[error("{}: tensor `{tensor}`: expected shape {expected:?} by config.json, found {found:?}; {hint}", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape by config.json.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
        /// What to do.
        hint: &'static str,
    },
    /// A tensor is stored in a type that is not read.
    #[error(
        "{}: tensor `{tensor}` is stored as {found}; supported are F32, BF16 and F16: save the model unquantised",
        file.display()
    )]
    Dtype {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{}: tensor `{tensor}` holds {value} at element {element}: the checkpoint is broken; \
         go back to an earlier one or download it again",
        file.display()
    )]
    NotFinite {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Position in row-major order.
        element: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// The head and the embedding are said to be one tensor, and are not.
    #[error(
        "{}: config.json says tie_word_embeddings, but `lm_head.weight` differs from `model.embed_tokens.weight` at \
         element {element}; set tie_word_embeddings to false to use both, or remove `lm_head.weight`",
        file.display()
    )]
    Untied {
        /// The file that holds `lm_head.weight`.
        file: PathBuf,
        /// First position that differs.
        element: usize,
    },
    /// A setting of `adapter_config.json` is wrong or not supported.
    #[error("{}: key `{key}`: {problem}", file.display())]
    AdapterKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A tensor of an adapter is missing, has another shape or does not belong to the model.
    #[error("{}: tensor `{tensor}`: {problem}", file.display())]
    AdapterTensor {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An adapter is to be saved and there is none.
    #[error("{}: the model has no adapter to save; save the whole model, or add an adapter first", dir.display())]
    NoAdapter {
        /// Where it was to be written.
        dir: PathBuf,
    },
    /// The disk is too small for what is to be written.
    #[error(
        "{}: no disk space: {needed} bytes are needed and {available} are free; \
         free some space or choose another output directory; nothing was overwritten",
        path.display()
    )]
    NoSpace {
        /// Where it was to be written.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// A file could not be written.
    #[error("{}: could not be written: {source}; {hint}; nothing was overwritten", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
}

impl HfError {
    /// A failed write; a full disk is told apart from the rest.
    pub(crate) fn write(path: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let hint = match source.kind() {
            StorageFull | QuotaExceeded => "the disk is full: free some space or choose another output directory",
            ReadOnlyFilesystem => "the file system is read-only: choose another output directory",
            _ => "check that the directory exists and is writable",
        };
        Self::Write { path: path.to_path_buf(), source, hint }
    }
}
