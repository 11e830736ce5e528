//! In which number format products are computed and frozen weights are held.

use std::fmt;
use std::str::FromStr;

/// Number format of the operands of matrix products. Sums, the residual stream, norms, the softmax and the optimiser's
/// weights are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// f32 operands.
    #[default]
    F32,
    /// bf16 operands (8 bits of mantissa), f32 sums; weights that are trained keep an f32 copy.
    Bf16,
}

/// How the matrices of a base that is not trained are held. Embedding and head are held in bf16 in each case, norms and
/// biases in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// bf16: 2 bytes per weight.
    Bf16,
    /// 8-bit integers with one scale for each 64 weights of a row.
    Int8,
    /// The 16 values of NormalFloat (arXiv 2305.14314, appendix E) with one scale for each 64 weights of a row.
    Nf4,
}

/// A name that is not one of the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not supported; use {choices}")]
pub struct UnknownName {
    found: String,
    choices: &'static str,
}

impl UnknownName {
    /// `found` is not one of `choices`.
    pub(crate) fn new(found: &str, choices: &'static str) -> Self {
        UnknownName { found: found.to_owned(), choices }
    }
}

impl FromStr for Precision {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "f32" => Ok(Precision::F32),
            "bf16" => Ok(Precision::Bf16),
            _ => Err(UnknownName::new(name, "f32 or bf16")),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        })
    }
}

impl FromStr for Frozen {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "bf16" => Ok(Frozen::Bf16),
            "int8" => Ok(Frozen::Int8),
            "nf4" => Ok(Frozen::Nf4),
            _ => Err(UnknownName::new(name, "bf16, int8 or nf4")),
        }
    }
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Frozen::Bf16 => "bf16",
            Frozen::Int8 => "int8",
            Frozen::Nf4 => "nf4",
        })
    }
}
