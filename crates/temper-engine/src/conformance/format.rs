//! Number formats: what the operands of a product are.

use super::approx::{Approx, exact};
use super::case::Case;
use crate::device::Matrix;
use crate::{Frozen, Precision};

/// Inputs of a row of a weight that share a scale.
const BLOCK: usize = 64;

/// NormalFloat's levels (arXiv 2305.14314, appendix E).
const NORMAL_FLOAT: [f64; 16] = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
];

/// How a weight is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In f32, and products in this precision.
    Trained(Precision),
    /// Frozen; products in either precision.
    Frozen(Frozen),
}

impl Format {
    /// The precision of a case's products.
    pub fn precision(self, case: &mut Case) -> Precision {
        match self {
            Format::Trained(precision) => precision,
            Format::Frozen(_) => case.choose(&[Precision::F32, Precision::Bf16]),
        }
    }

    pub fn frozen(self) -> Option<Frozen> {
        match self {
            Format::Trained(_) => None,
            Format::Frozen(frozen) => Some(frozen),
        }
    }
}

/// Operands of products.
pub fn operands(values: &[Approx], precision: Precision) -> Vec<Approx> {
    match precision {
        Precision::F32 => values.to_vec(),
        Precision::Bf16 => values.iter().map(|x| x.to_bf16()).collect(),
    }
}

/// A weight as an operand of products.
pub fn weights(weight: &Matrix, precision: Precision) -> Vec<Approx> {
    let values = exact(weight.values);
    let in_blocks = |f: fn(&[Approx]) -> Vec<Approx>| -> Vec<Approx> {
        values.chunks_exact(weight.inputs).flat_map(|row| row.chunks(BLOCK).flat_map(f)).collect()
    };
    let held = match weight.frozen {
        None => values,
        Some(Frozen::Bf16) => operands(&values, Precision::Bf16),
        Some(Frozen::Int8) => in_blocks(int8),
        Some(Frozen::Nf4) => in_blocks(normal_float),
    };
    operands(&held, precision)
}

/// The largest magnitude; with its error, since it is read as the elements are.
fn largest(block: &[Approx]) -> Approx {
    let magnitude = |x: &Approx| Approx { value: x.value.abs(), ..*x };
    block.iter().map(magnitude).fold(Approx::exact(0.0), |a, b| if b.value > a.value { b } else { a })
}

/// `round(w / scale) scale` with `scale` the largest magnitude over 127. A quotient next to a border may go either way.
fn int8(block: &[Approx]) -> Vec<Approx> {
    let scale = largest(block) / Approx { value: 127.0, error: 0.0 };
    quantised(block, scale, |x| x.round_ties_even())
}

/// `level(w / scale) scale` with `scale` the largest magnitude.
fn normal_float(block: &[Approx]) -> Vec<Approx> {
    quantised(block, largest(block), |x| {
        let distance = |level: &f64| (level - x).abs();
        NORMAL_FLOAT.into_iter().fold(0.0, |best, level| if distance(&level) < distance(&best) { level } else { best })
    })
}

fn quantised(block: &[Approx], scale: Approx, code: impl Fn(f64) -> f64) -> Vec<Approx> {
    let value = |x: &Approx| {
        let magnitude = x.value.abs() + x.error;
        if scale.value - scale.error <= 0.0 {
            // A scale that may be flushed to zero: anything up to the value itself, rounded up.
            return Approx {
                value: 0.0,
                error: if magnitude == 0.0 { 0.0 } else { 2.0 * magnitude + 2.0 * scale.value },
            };
        }
        let quotient = *x / scale;
        Approx::between(code(quotient.value - quotient.error), code(quotient.value + quotient.error)) * scale
    };
    block.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        let block = exact(&[127.0, -3.4, 2.5, 0.0]);
        let held = int8(&block);
        for (found, expected) in held.iter().zip([127.0, -3.0, 2.0, 0.0]) {
            assert!((found.value - expected).abs() <= found.error, "{found:?} is not {expected}");
        }
        assert!(held[1].error < 1e-5 && held[2].error > 0.4, "2.5 is a border");
        let held = normal_float(&exact(&[-2.0, 0.3, 0.1]));
        for (found, expected) in held.iter().zip([-2.0, 2.0 * 0.16093020141124725, 2.0 * 0.07958029955625534]) {
            assert!((found.value - expected).abs() <= found.error, "{found:?} is not {expected}");
        }
        assert_eq!(normal_float(&exact(&[0.0, 0.0]))[1], Approx { value: 0.0, error: 0.0 });
    }
}
