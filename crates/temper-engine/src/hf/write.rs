//! From a model to files.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::HfError;
use super::shards::{INDEX, SINGLE};
use super::{CONFIG, GENERATION, le_bytes};
use crate::{Model, TensorInfo};

/// Room for headers and the small files.
const OVERHEAD: u64 = 1 << 20;
/// Elements written at a time.
const WRITE: usize = 1 << 18;

/// Writes the model. See [`Model::save`].
pub(super) fn save(model: &Model, dir: &Path) -> Result<(), HfError> {
    let config = model.config();
    let bytes = 4 * config.num_params() as u64;
    save_files(dir, bytes, &[CONFIG, GENERATION, SINGLE], |place| {
        write_json(&place(CONFIG), &config.to_json())?;
        write_json(&place(GENERATION), &config.generation_json())?;
        write_safetensors(model.tensors(), "", |tensor| model.tensor(tensor), &place(SINGLE))
    })?;
    remove_old_shards(dir)
}

/// Saves the files `names` of about `bytes` in sum to `dir`. `write` writes each to the path that the function it is given
/// returns for the name. A new directory is written beside and renamed into place.
pub(super) fn save_files(
    dir: &Path,
    bytes: u64,
    names: &[&str],
    write: impl Fn(&dyn Fn(&str) -> PathBuf) -> Result<(), HfError>,
) -> Result<(), HfError> {
    let needed = bytes + OVERHEAD;
    if dir.is_dir() {
        check_space(dir, needed)?;
        return save_into(dir, names, write);
    }
    let name = dir.file_name().ok_or_else(|| {
        HfError::write(dir, std::io::Error::new(std::io::ErrorKind::InvalidInput, "not the name of a directory"))
    })?;
    let parent = parent(dir);
    fs::create_dir_all(parent).map_err(|e| HfError::write(parent, e))?;
    check_space(parent, needed)?;
    let beside = parent.join(format!(".{}.tmp", name.to_string_lossy()));
    let done = replace_dir(&beside, dir, |tmp| {
        write(&|file| tmp.join(file))?;
        sync_dir(tmp);
        Ok(())
    });
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
/// before the first is renamed, the weights, which are named last, last.
fn save_into(
    dir: &Path,
    names: &[&str],
    write: impl Fn(&dyn Fn(&str) -> PathBuf) -> Result<(), HfError>,
) -> Result<(), HfError> {
    let beside = |file: &str| dir.join(format!(".{file}.tmp"));
    let done = write(&beside).and_then(|()| {
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

/// Removes the index and the shards of a model that was in `dir` before: some readers prefer them to the single file.
fn remove_old_shards(dir: &Path) -> Result<(), HfError> {
    let index = dir.join(INDEX);
    if !index.is_file() {
        return Ok(());
    }
    // An index that does not parse lists nothing.
    let listed = super::read_json(&index).unwrap_or_default();
    let listed = listed.get("weight_map").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let remove = |file: &Path| fs::remove_file(file).map_err(|e| HfError::write(file, e));
    remove(&index)?;
    for name in listed.filter_map(Value::as_str).collect::<BTreeSet<_>>() {
        let shard = name.starts_with("model-") && name.ends_with(".safetensors") && !name.contains(['/', '\\']);
        let file = dir.join(name);
        if shard && file.is_file() {
            remove(&file)?;
        }
    }
    Ok(())
}

pub(super) fn write_json(file: &Path, value: &Value) -> Result<(), HfError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| HfError::write(file, e.into()))?;
    text.push('\n');
    let write = || {
        let mut handle = File::create(file)?;
        handle.write_all(text.as_bytes())?;
        handle.sync_all()
    };
    write().map_err(|e| HfError::write(file, e))
}

/// Writes `tensors`, whose values `values` gives, each name after `prefix`. The file is the length of the header (u64), the header (JSON, padded
/// with spaces to a multiple of 8 bytes) and the values, all little-endian.
pub(super) fn write_safetensors<'a>(
    tensors: &'a [TensorInfo],
    prefix: &str,
    values: impl Fn(&'a TensorInfo) -> Cow<'a, [f32]>,
    file: &Path,
) -> Result<(), HfError> {
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({"format": "pt"}))]);
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += 4 * tensor.shape.iter().product::<usize>();
        let offsets = [start, end];
        let entry = json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": offsets});
        header.insert(format!("{prefix}{}", tensor.name), entry);
    }
    let mut header = Value::Object(header).to_string();
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let write = || {
        let mut handle = File::create(file)?;
        handle.write_all(&(header.len() as u64).to_le_bytes())?;
        handle.write_all(header.as_bytes())?;
        for tensor in tensors {
            for part in values(tensor).chunks(WRITE) {
                handle.write_all(&le_bytes(part))?;
            }
        }
        handle.sync_all()
    };
    write().map_err(|e| HfError::write(file, e))
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
