//! How a run computes: number format, activation checkpointing, memory.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number format of the operands of matrix products. Sums, norms, the softmax and the weights that an optimiser changes are
/// f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16; about twice as fast where the CPU multiplies pairs of it (AVX-512 BF16).
    Bf16,
}

/// Whether the backward computes each layer's activations again instead of keeping them: less memory, more time, the same
/// bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checkpointing {
    /// Where the stage would not fit into the memory otherwise.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How the optimiser holds its two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdamState {
    /// 8 bytes per trained parameter.
    #[default]
    #[serde(rename = "f32")]
    F32,
    /// Codes of one byte in blocks of 256 with a scale each: 2 bytes per trained parameter (norms, biases and small matrices
    /// keep f32).
    #[serde(rename = "8bit")]
    EightBit,
}

/// Units of a size, the longest first.
const UNITS: [(&str, f64); 9] = [
    ("TiB", 1024.0 * 1024.0 * 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("KiB", 1024.0),
    ("TB", 1e12),
    ("GB", 1e9),
    ("MB", 1e6),
    ("kB", 1e3),
    ("B", 1.0),
];

/// A size in bytes, read from a text such as `4GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A text that is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of memory; write a number with a unit, such as `4GiB`, `512MiB` or `8GB`")]
pub struct NotBytes(String);

impl FromStr for Bytes {
    type Err = NotBytes;

    fn from_str(text: &str) -> Result<Self, NotBytes> {
        let wrong = || NotBytes(text.to_owned());
        let trimmed = text.trim();
        let ends = |unit: &str| {
            let at = trimmed.len().checked_sub(unit.len())?;
            let (number, end) = trimmed.split_at_checked(at)?;
            end.eq_ignore_ascii_case(unit).then_some(number)
        };
        let found = UNITS.iter().find_map(|(unit, size)| Some((ends(unit)?, size)));
        let (number, size) = found.ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let bytes = number * size;
        if !bytes.is_finite() || bytes < 1.0 || bytes >= u64::MAX as f64 {
            return Err(wrong());
        }
        Ok(Bytes(bytes as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let bytes = self.0 as f64;
        match UNITS[..4].iter().find(|(_, size)| bytes >= *size) {
            Some((unit, size)) if bytes / size >= 100.0 => write!(f, "{:.0} {unit}", bytes / size),
            Some((unit, size)) => write!(f, "{:.1} {unit}", bytes / size),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("4GiB", 4 << 30),
            ("512 MiB", 512 << 20),
            ("1.5gib", 3 << 29),
            ("8GB", 8_000_000_000),
            ("2TiB", 2 << 40),
            ("7B", 7),
        ] {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes), "{text}");
        }
        for text in ["", "4", "GiB", "4 GiBs", "-1GiB", "nanGiB", "0B", "infGiB", "ü"] {
            let error = text.parse::<Bytes>().unwrap_err().to_string();
            assert!(error.contains("`4GiB`"), "{text}: {error}");
        }
        assert_eq!(Bytes(4 << 30).to_string(), "4.0 GiB");
        assert_eq!(Bytes(700 << 20).to_string(), "700 MiB");
        assert_eq!(Bytes(12).to_string(), "12 B");
    }
}
