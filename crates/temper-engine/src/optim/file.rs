//! The optimiser's state on disk: a safetensors file.
//!
//! `m` and `v` hold the f32 moments, `m_codes`, `v_codes`, `m_scales` and `v_scales` the 8-bit ones (only where there are
//! any), `step` the number of steps.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::SafeTensors;
use serde_json::{Map, Value, json};

use super::state::Moment;
use crate::EngineError;

/// Elements converted at a time.
const WRITE: usize = 1 << 16;

/// A tensor's data.
enum Data<'a> {
    F32(&'a [f32]),
    U8(&'a [u8]),
    U64([u64; 1]),
}

impl Data<'_> {
    /// Type, number of elements and bytes of one.
    fn kind(&self) -> (&'static str, usize, usize) {
        match self {
            Data::F32(values) => ("F32", values.len(), 4),
            Data::U8(values) => ("U8", values.len(), 1),
            Data::U64(values) => ("U64", values.len(), 8),
        }
    }

    fn write(&self, file: &mut impl Write) -> std::io::Result<()> {
        match self {
            Data::F32(values) => values.chunks(WRITE).try_for_each(|part| {
                let bytes: Vec<u8> = part.iter().flat_map(|x| x.to_le_bytes()).collect();
                file.write_all(&bytes)
            }),
            Data::U8(values) => file.write_all(values),
            Data::U64([value]) => file.write_all(&value.to_le_bytes()),
        }
    }
}

/// The tensors of a state, 8-byte elements first, so that each is aligned.
fn tensors<'a>(m: &'a Moment, v: &'a Moment, step: u64) -> Vec<(&'static str, Data<'a>)> {
    let mut tensors = vec![("step", Data::U64([step])), ("m", Data::F32(&m.values)), ("v", Data::F32(&v.values))];
    if !m.codes.is_empty() {
        tensors.extend([
            ("m_scales", Data::F32(&m.scales)),
            ("v_scales", Data::F32(&v.scales)),
            ("m_codes", Data::U8(&m.codes)),
            ("v_codes", Data::U8(&v.codes)),
        ]);
    }
    tensors
}

/// Writes beside `file` and renames into place, without a copy of the state in memory.
pub(super) fn save(file: &Path, m: &Moment, v: &Moment, step: u64) -> Result<(), EngineError> {
    let tensors = tensors(m, v, step);
    let (mut header, mut end) = (Map::new(), 0);
    for (name, data) in &tensors {
        let (dtype, len, width) = data.kind();
        let start = end;
        end += len * width;
        let entry = json!({"dtype": dtype, "shape": [len], "data_offsets": [start, end]});
        header.insert((*name).to_owned(), entry);
    }
    let mut header = Value::Object(header).to_string();
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut beside = file.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut out = BufWriter::new(File::create(&beside)?);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|(_, data)| data.write(&mut out))?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    };
    write().map_err(|error| EngineError::io(&beside, error))?;
    fs::rename(&beside, file).map_err(|error| EngineError::io(file, error))
}

/// Fills `m` and `v`, which have the sizes of the model, and returns the number of steps. Everything is checked before the
/// first value is changed.
pub(super) fn load(file: &Path, m: &mut Moment, v: &mut Moment) -> Result<u64, EngineError> {
    let wrong = |problem: String| EngineError::Weights { path: file.into(), problem };
    let handle = File::open(file).map_err(|error| EngineError::io(file, error))?;
    // SAFETY: the mapping is read-only; a file that another process truncates meanwhile would fault, as with every
    // memory-mapped reader.
    let data = unsafe { Mmap::map(&handle) }.map_err(|error| EngineError::io(file, error))?;
    let stored = SafeTensors::deserialize(&data)
        .map_err(|error| wrong(format!("not a safetensors file ({error}); remove it and start the stage again")))?;
    let (is_8bit, wants_8bit) = (stored.tensor("m_codes").is_ok(), !m.codes.is_empty());
    if stored.tensor("m").is_ok() && is_8bit != wants_8bit {
        let name = |is_8bit| if is_8bit { "8bit" } else { "f32" };
        return Err(wrong(format!(
            "holds moments as {}, but {} are asked for; continue with the setting that the stage was started with, or \
             remove the file and start the stage again",
            name(is_8bit),
            name(wants_8bit)
        )));
    }
    for (name, expected) in tensors(m, v, 0) {
        let tensor = stored
            .tensor(name)
            .map_err(|_| wrong(format!("tensor `{name}` is missing; this is not an optimiser's state")))?;
        let (dtype, len, width) = expected.kind();
        if format!("{:?}", tensor.dtype()) != dtype || tensor.data().len() != len * width {
            let (held, size) = (tensor.data().len(), len * width);
            return Err(wrong(format!(
                "tensor `{name}` holds {held} bytes of {:?}, but the model needs {size} of {dtype}; the state belongs to \
                 another model",
                tensor.dtype()
            )));
        }
    }
    let bytes = |name: &str| stored.tensor(name).map(|t| t.data()).unwrap_or_default();
    for (name, values) in
        [("m", &mut m.values), ("v", &mut v.values), ("m_scales", &mut m.scales), ("v_scales", &mut v.scales)]
    {
        for (value, bytes) in values.iter_mut().zip(bytes(name).as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    for (name, codes) in [("m_codes", &mut m.codes), ("v_codes", &mut v.codes)] {
        if !codes.is_empty() {
            codes.copy_from_slice(bytes(name));
        }
    }
    Ok(bytes("step").iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}
