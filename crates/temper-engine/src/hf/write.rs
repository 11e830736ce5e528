//! From a model to files.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, View};
use serde_json::Value;

use super::error::HfError;
use super::shards::SINGLE;
use super::{CONFIG, GENERATION, le_bytes};
use crate::Model;

/// Room for headers and the small files.
const OVERHEAD: u64 = 1 << 20;

/// Writes the model. See [`Model::save`].
pub(super) fn save(model: &Model, dir: &Path) -> Result<(), HfError> {
    let needed = 4 * model.num_params() as u64 + OVERHEAD;
    if dir.is_dir() {
        check_space(dir, needed)?;
        return save_into(model, dir);
    }
    let name = dir.file_name().ok_or_else(|| {
        HfError::write(dir, std::io::Error::new(std::io::ErrorKind::InvalidInput, "not the name of a directory"))
    })?;
    let parent = parent(dir);
    fs::create_dir_all(parent).map_err(|e| HfError::write(parent, e))?;
    check_space(parent, needed)?;
    let beside = parent.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let done = replace_dir(&beside, dir, |tmp| write_files(model, tmp, |file| tmp.join(file)));
    if done.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&beside);
    }
    done
}

fn replace_dir(beside: &Path, dir: &Path, write: impl FnOnce(&Path) -> Result<(), HfError>) -> Result<(), HfError> {
    if beside.exists() {
        fs::remove_dir_all(beside).map_err(|e| HfError::write(beside, e))?;
    }
    fs::create_dir(beside).map_err(|e| HfError::write(beside, e))?;
    write(beside)?;
    fs::rename(beside, dir).map_err(|e| HfError::write(dir, e))?;
    sync_dir(parent(dir));
    Ok(())
}

/// Into a directory that is there and may hold a tokenizer or an older save: every file is written beside its place
/// before the first is renamed, the weights last.
fn save_into(model: &Model, dir: &Path) -> Result<(), HfError> {
    let beside = |file: &str| dir.join(format!(".{file}.{}.tmp", std::process::id()));
    let names = [CONFIG, GENERATION, SINGLE];
    let done = write_files(model, dir, beside).and_then(|()| {
        for name in names {
            fs::rename(beside(name), dir.join(name)).map_err(|e| HfError::write(&dir.join(name), e))?;
        }
        sync_dir(dir);
        Ok(())
    });
    if done.is_err() {
        for name in names {
            let _ = fs::remove_file(beside(name));
        }
    }
    done
}

fn write_files(model: &Model, dir: &Path, place: impl Fn(&str) -> PathBuf) -> Result<(), HfError> {
    write_json(&place(CONFIG), &model.config().to_json())?;
    write_json(&place(GENERATION), &model.config().generation_json())?;
    let tensors = model.tensors().iter().map(|t| {
        let values = &model.params()[t.range.clone()];
        (t.name.as_str(), Tensor { shape: &t.shape, values })
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    write_safetensors(&place(SINGLE), tensors, metadata)?;
    sync_dir(dir);
    Ok(())
}

fn write_json(file: &Path, value: &Value) -> Result<(), HfError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| HfError::write(file, e.into()))?;
    text.push('\n');
    let write = || {
        let mut handle = File::create(file)?;
        handle.write_all(text.as_bytes())?;
        handle.sync_all()
    };
    write().map_err(|e| HfError::write(file, e))
}

/// One f32 tensor to be written.
struct Tensor<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(le_bytes(self.values))
    }
    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

fn write_safetensors<'a>(
    file: &Path,
    tensors: impl Iterator<Item = (&'a str, Tensor<'a>)>,
    metadata: HashMap<String, String>,
) -> Result<(), HfError> {
    safetensors::serialize_to_file(tensors, Some(metadata), file).map_err(|error| match error {
        SafeTensorError::IoError(source) => HfError::write(file, source),
        other => HfError::write(file, std::io::Error::other(other)),
    })?;
    File::open(file).and_then(|handle| handle.sync_all()).map_err(|e| HfError::write(file, e))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes renames durable, where the system can.
fn sync_dir(dir: &Path) {
    if let Ok(handle) = File::open(dir) {
        // Some file systems refuse to sync a directory; the data itself is synced.
        let _ = handle.sync_all();
    }
}

pub(super) fn check_space(dir: &Path, needed: u64) -> Result<(), HfError> {
    match free_bytes(dir) {
        Some(available) if available < needed => Err(HfError::NoSpace { path: dir.to_path_buf(), needed, available }),
        _ => Ok(()),
    }
}

/// Bytes that this user may still write on the file system of `dir`; `None` if unknown.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes()).ok()?;
    // SAFETY: `path` is a C string and `statvfs` fills the zeroed struct that it is given.
    let stat = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &mut stat) != 0 {
            return None;
        }
        stat
    };
    // The fields are narrower on some systems.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    Some((stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64))
}

#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}
