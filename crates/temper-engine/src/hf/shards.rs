//! The safetensors files of a directory, mapped into memory: one file, or shards with an index.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};
use serde_json::Value;

use super::error::HfError;

/// Name of the weights file of a model in one piece.
pub(crate) const SINGLE: &str = "model.safetensors";
/// Name of the index of a sharded model.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// One tensor of a file: where its bytes are.
pub(crate) struct Entry {
    /// Type on disk.
    pub dtype: Dtype,
    /// Dimensions.
    pub shape: Vec<usize>,
    file: usize,
    start: usize,
    end: usize,
}

/// All tensors of a model directory, or of one file.
pub(crate) struct Shards {
    files: Vec<(PathBuf, Mmap)>,
    entries: BTreeMap<String, Entry>,
    /// The single file or the index: named when a tensor is missing.
    pub source: PathBuf,
}

impl Shards {
    /// Maps the weights of `dir`. `model.safetensors` wins over an index, as in transformers.
    pub fn open(dir: &Path) -> Result<Self, HfError> {
        let single = dir.join(SINGLE);
        if single.is_file() {
            return Self::open_file(&single);
        }
        let index = dir.join(INDEX);
        if index.is_file() { Self::open_sharded(dir, &index) } else { Err(no_weights(dir, single)) }
    }

    /// Maps one file.
    pub fn open_file(file: &Path) -> Result<Self, HfError> {
        let mut shards = Self { files: Vec::new(), entries: BTreeMap::new(), source: file.to_path_buf() };
        shards.add(file)?;
        Ok(shards)
    }

    fn open_sharded(dir: &Path, index: &Path) -> Result<Self, HfError> {
        let value = super::read_json(index)?;
        let map = match value.get("weight_map") {
            Some(Value::Object(map)) => map,
            Some(other) => return Err(bad_index(index, other.to_string())),
            None => return Err(bad_index(index, "no such key".to_owned())),
        };
        let mut by_shard: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, shard) in map {
            let name = shard.as_str().ok_or_else(|| bad_index(index, format!("{tensor}: {shard}")))?;
            if Path::new(name).components().count() != 1 || name.starts_with('.') {
                return Err(bad_index(index, format!("{tensor}: {name:?}, not a file name")));
            }
            by_shard.entry(name).or_default().push(tensor);
        }
        let mut shards = Self { files: Vec::new(), entries: BTreeMap::new(), source: index.to_path_buf() };
        for (shard, tensors) in &by_shard {
            let file = dir.join(shard);
            if !file.is_file() {
                return Err(HfError::NoShard {
                    index: index.to_path_buf(),
                    shard: (*shard).to_owned(),
                    tensor: tensors[0].to_owned(),
                });
            }
            let number = shards.files.len();
            shards.add(&file)?;
            for tensor in tensors {
                if shards.entries.get(*tensor).is_none_or(|e| e.file != number) {
                    return Err(HfError::NotInShard { file, tensor: (*tensor).to_owned() });
                }
            }
        }
        // What the index does not list does not exist for its readers.
        shards.entries.retain(|name, _| map.contains_key(name));
        Ok(shards)
    }

    fn add(&mut self, file: &Path) -> Result<(), HfError> {
        let map = map_file(file)?;
        let (n, metadata) = SafeTensors::read_metadata(&map).map_err(|e| bad_file(file, &map, e))?;
        let base = 8 + n;
        let number = self.files.len();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let entry = Entry {
                dtype: info.dtype,
                shape: info.shape.clone(),
                file: number,
                start: base + start,
                end: base + end,
            };
            self.entries.insert(name, entry);
        }
        self.files.push((file.to_path_buf(), map));
        Ok(())
    }

    /// The tensor `name`, if a file has it.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The file that holds an entry.
    pub fn file(&self, entry: &Entry) -> &Path {
        &self.files[entry.file].0
    }

    /// Lets go of the memory of an entry that has been read, where the system can; its bytes are read again if asked for.
    pub fn release(&self, entry: &Entry) {
        #[cfg(unix)]
        {
            let (map, len) = (&self.files[entry.file].1, entry.end - entry.start);
            // SAFETY: the mapping is of a file and read-only, so that its pages come back from the file. Whether the system
            // follows the advice has no bearing on the result.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, entry.start, len) };
        }
        #[cfg(not(unix))]
        let _ = entry;
    }

    /// The bytes of an entry, little-endian, row-major.
    pub fn bytes(&self, entry: &Entry) -> &[u8] {
        &self.files[entry.file].1[entry.start..entry.end]
    }
}

fn map_file(file: &Path) -> Result<Mmap, HfError> {
    let read = |source| HfError::Read { file: file.to_path_buf(), source };
    let handle = File::open(file).map_err(read)?;
    let found = handle.metadata().map_err(read)?.len();
    if found < 8 {
        return Err(HfError::Truncated { file: file.to_path_buf(), expected: 8, found });
    }
    // SAFETY: the mapping is read-only and private to this process; a file that another process truncates while it is
    // read would fault, as with every memory-mapped reader of weights.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&handle) }.map_err(read)?;
    Ok(map)
}

/// Tells a truncated file from one that never was safetensors.
fn bad_file(file: &Path, map: &[u8], error: SafeTensorError) -> HfError {
    let found = map.len() as u64;
    let header = map.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
    let truncated = |expected| HfError::Truncated { file: file.to_path_buf(), expected, found };
    match error {
        SafeTensorError::InvalidHeaderLength => truncated(header.saturating_add(8)),
        SafeTensorError::MetadataIncompleteBuffer => {
            let end = map
                .get(8..8 + header as usize)
                .and_then(|json| serde_json::from_slice::<serde_json::Map<String, Value>>(json).ok())
                .and_then(|m| m.values().filter_map(|t| t.get("data_offsets")?.get(1)?.as_u64()).max());
            match end {
                Some(end) if 8 + header + end > found => truncated(8 + header + end),
                _ => HfError::Header { file: file.to_path_buf(), reason: format!("{error}") },
            }
        }
        other => HfError::Header { file: file.to_path_buf(), reason: other.to_string() },
    }
}

fn bad_index(index: &Path, found: String) -> HfError {
    HfError::Index { file: index.to_path_buf(), found }
}

/// What to do about a directory without weights depends on what it holds instead.
fn no_weights(dir: &Path, file: PathBuf) -> HfError {
    let has = |name: &str| dir.join(name).exists();
    let hint = if has("adapter_config.json") {
        "the directory holds a PEFT adapter: give its base model, or merge the two with `temper merge`"
    } else if has("pytorch_model.bin") || has("pytorch_model.bin.index.json") {
        "the directory holds pickled weights, which are not read: save the model with save_pretrained to get safetensors"
    } else {
        "expected it or model.safetensors.index.json with its shards: download or save the weights again"
    };
    HfError::NoFile { file, hint }
}
