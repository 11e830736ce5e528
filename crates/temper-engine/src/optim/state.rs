//! AdamW's moments in memory.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::dynamic::{BLOCK, SIGNED, UNSIGNED};
use crate::{TensorInfo, UnknownName};

/// Elements from which on a matrix may have 8-bit moments, as in bitsandbytes.
const LARGE: usize = 4096;

/// How the two moments of a parameter are held between steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moments {
    /// f32: 8 bytes per parameter.
    #[default]
    F32,
    /// Codes of one byte and one f32 scale for each 256 of them (dynamic blockwise quantisation, arXiv 2110.02861): 2.03
    /// bytes per parameter. Norms, biases and matrices of fewer than 4,096 elements keep f32.
    ///
    /// The formats are those of bitsandbytes. It differs in one point: a second moment that is not 0 is never stored as 0,
    /// since the step after that would divide the first moment by next to nothing.
    EightBit,
}

impl Moments {
    /// Bytes that the moments of `tensors` take, in memory and on disk.
    pub fn bytes(self, tensors: &[TensorInfo]) -> usize {
        let bytes = |t: &TensorInfo| match (self.quantises(t), t.range.len()) {
            (true, n) => 2 * (n + 4 * n.div_ceil(BLOCK)),
            (false, n) => 8 * n,
        };
        tensors.iter().map(bytes).sum()
    }

    /// Whether the moments of `tensor` are 8-bit.
    pub(super) fn quantises(self, tensor: &TensorInfo) -> bool {
        self == Moments::EightBit && tensor.decays() && tensor.range.len() >= LARGE
    }
}

impl FromStr for Moments {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "f32" => Ok(Moments::F32),
            "8bit" => Ok(Moments::EightBit),
            _ => Err(UnknownName::new(name, "f32 or 8bit")),
        }
    }
}

impl fmt::Display for Moments {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Moments::F32 => "f32",
            Moments::EightBit => "8bit",
        })
    }
}

/// One moment of all parameters: those of the f32 tensors and those of the 8-bit tensors, each in the order of the
/// tensors. Blocks do not cross the border of a tensor.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    pub values: Vec<f32>,
    pub codes: Vec<u8>,
    pub scales: Vec<f32>,
}

impl Moment {
    /// Zero.
    pub fn zero(tensors: &[TensorInfo], moments: Moments) -> Self {
        let (mut values, mut codes, mut scales) = (0, 0, 0);
        for tensor in tensors {
            let n = tensor.range.len();
            if moments.quantises(tensor) {
                codes += n;
                scales += n.div_ceil(BLOCK);
            } else {
                values += n;
            }
        }
        // A scale of 0 makes every code 0.
        Moment { values: vec![0.0; values], codes: vec![0; codes], scales: vec![0.0; scales] }
    }

    /// What has not been given out yet.
    pub fn parts(&mut self) -> Parts<'_> {
        Parts { values: &mut self.values, codes: &mut self.codes, scales: &mut self.scales }
    }
}

/// The rest of a [`Moment`], of which parts are split off in the order of the tensors.
pub(super) struct Parts<'a> {
    values: &'a mut [f32],
    codes: &'a mut [u8],
    scales: &'a mut [f32],
}

impl<'a> Parts<'a> {
    /// The next `count` elements of an f32 tensor.
    pub fn next_values(&mut self, count: usize) -> &'a mut [f32] {
        self.values.split_off_mut(..count).unwrap_or_default()
    }

    /// The next `count` elements of an 8-bit tensor: codes and scales. `count` is a multiple of [`BLOCK`] or ends the tensor.
    pub fn next_codes(&mut self, count: usize) -> Codes<'a> {
        Codes {
            codes: self.codes.split_off_mut(..count).unwrap_or_default(),
            scales: self.scales.split_off_mut(..count.div_ceil(BLOCK)).unwrap_or_default(),
        }
    }
}

/// Whole blocks of an 8-bit moment.
pub(super) struct Codes<'a> {
    codes: &'a mut [u8],
    scales: &'a mut [f32],
}

/// Calls `update(range, m, v)` for each block of `first` and `second` with their values, which it changes.
pub(super) fn for_each_block(
    first: Codes,
    second: Codes,
    mut update: impl FnMut(Range<usize>, &mut [f32], &mut [f32]),
) {
    let (mut m, mut v) = ([0.0; BLOCK], [0.0; BLOCK]);
    let firsts = first.codes.chunks_mut(BLOCK).zip(first.scales);
    let seconds = second.codes.chunks_mut(BLOCK).zip(second.scales);
    for (block, ((m_codes, m_scale), (v_codes, v_scale))) in firsts.zip(seconds).enumerate() {
        let (start, n) = (block * BLOCK, m_codes.len());
        with_block(m_codes, |codes| SIGNED.decode(codes, *m_scale, &mut m));
        with_block(v_codes, |codes| UNSIGNED.decode(codes, *v_scale, &mut v));
        update(start..start + n, &mut m[..n], &mut v[..n]);
        m[n..].fill(0.0);
        v[n..].fill(0.0);
        with_block(m_codes, |codes| *m_scale = SIGNED.encode(&m, codes));
        with_block(v_codes, |codes| *v_scale = UNSIGNED.encode(&v, codes));
        for (code, v) in v_codes.iter_mut().zip(&v) {
            *code = (*code).max(u8::from(*v != 0.0));
        }
    }
}

/// Calls `f` with a whole block of codes, padded if `codes` are fewer.
fn with_block(codes: &mut [u8], f: impl FnOnce(&mut [u8; BLOCK])) {
    if let Some(block) = codes.as_mut_array() {
        return f(block);
    }
    let mut block = [0; BLOCK];
    block[..codes.len()].copy_from_slice(codes);
    f(&mut block);
    codes.copy_from_slice(&block[..codes.len()]);
}
