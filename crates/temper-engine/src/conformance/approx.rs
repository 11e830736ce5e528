//! A number with a bound on the error that `f32` arithmetic may make in it (running error analysis: Higham, "Accuracy and
//! Stability of Numerical Algorithms", 2002, section 3.3).
//!
//! A reference computes with [`Approx`] instead of `f64`. The value is what `f64` gives. The bound grows with each operation
//! by what the errors of the operands do to the result and by the rounding of the result itself, so that a device which
//! evaluates the same formula in `f32`, in any order of summation, with or without fused multiply-adds, stays inside it.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Relative error of one rounding to `f32`: half a unit in the last place.
const ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;
/// Relative error of one rounding to bf16.
const BF16_ROUNDING: f64 = 1.0 / 256.0;
/// Absolute error of a result that may be flushed to zero instead of becoming a denormal number.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;
/// Roundings allowed to one sum or product: correctly rounded.
const BASIC: f64 = 1.0;
/// Roundings allowed to a quotient or square root: 2 units in the last place.
const QUOTIENT: f64 = 4.0;
/// Roundings allowed to an exponential or logarithm: 4 units in the last place.
const TRANSCENDENTAL: f64 = 8.0;

/// A value in `f64` and how far a device's `f32` may be from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approx {
    /// As `f64` arithmetic gives it.
    pub value: f64,
    /// Bound on the absolute error.
    pub error: f64,
}

/// 0, without error.
pub const ZERO: Approx = Approx { value: 0.0, error: 0.0 };
/// 1, without error.
pub const ONE: Approx = Approx { value: 1.0, error: 0.0 };

impl Approx {
    /// An input of the device. A denormal one may be read as zero.
    pub fn exact(x: f32) -> Self {
        let value = f64::from(x);
        Approx { value, error: if value.abs() < UNDERFLOW { value.abs() } else { 0.0 } }
    }

    /// A constant that the device rounds to `f32`.
    pub fn constant(value: f64) -> Self {
        Approx { value, error: 0.0 }.rounded(BASIC)
    }

    /// The nearest bf16, ties to even, of any number inside the bound. A denormal result may be flushed to zero.
    pub fn to_bf16(self) -> Self {
        let between = Self::between(bf16(self.value - self.error), bf16(self.value + self.error));
        let flushed = if between.value.abs() < UNDERFLOW { between.value.abs() } else { 0.0 };
        Approx { error: between.error + flushed, ..between }
    }

    /// This number, or the one that it becomes when it is rounded to bf16 at some scale.
    pub fn perhaps_bf16(self) -> Self {
        Approx { error: self.error + BF16_ROUNDING * (self.value.abs() + self.error) + UNDERFLOW, ..self }
    }

    /// All numbers between two.
    pub fn between(a: f64, b: f64) -> Self {
        Approx { value: (a + b) / 2.0, error: (a - b).abs() / 2.0 }
    }

    /// All numbers that either allows, and those between.
    pub fn hull(a: Self, b: Self) -> Self {
        let least = (a.value - a.error).min(b.value - b.error);
        Self::between(least, (a.value + a.error).max(b.value + b.error))
    }

    /// After `count` roundings.
    fn rounded(self, count: f64) -> Self {
        Approx { error: self.error + count * (ROUNDING * (self.value.abs() + self.error) + UNDERFLOW), ..self }
    }

    /// `e` to this power.
    pub fn exp(self) -> Self {
        let (value, most) = (self.value.exp(), (self.value + self.error).exp());
        Approx { value, error: most - value }.rounded(TRANSCENDENTAL)
    }

    /// Natural logarithm.
    pub fn ln(self) -> Self {
        let (value, least) = (self.value.ln(), (self.value - self.error).max(0.0).ln());
        Approx { value, error: value - least }.rounded(TRANSCENDENTAL)
    }

    /// A value that cannot be outside 0 to 1.
    fn share(self) -> Self {
        let farthest = self.value.max(1.0 - self.value) + TRANSCENDENTAL * ROUNDING;
        Approx { error: self.error.min(farthest), ..self }
    }

    /// Square root.
    pub fn sqrt(self) -> Self {
        let (value, least) = (self.value.sqrt(), (self.value - self.error).max(0.0).sqrt());
        let most = (self.value + self.error).sqrt();
        Approx { value, error: (value - least).max(most - value) }.rounded(QUOTIENT)
    }

    /// Whether `found` is inside the bound. NaN and infinities never are.
    pub fn allows(self, found: f32) -> bool {
        (f64::from(found) - self.value).abs() <= self.error
    }
}

/// The nearest number with 8 bits of mantissa (and bf16's least exponent), ties to even.
fn bf16(x: f64) -> f64 {
    let exponent = x.abs().log2().floor().max(-126.0);
    let unit = (exponent - 7.0).exp2();
    if x == 0.0 { x } else { (x / unit).round_ties_even() * unit }
}

impl Add for Approx {
    type Output = Approx;

    fn add(self, other: Approx) -> Approx {
        Approx { value: self.value + other.value, error: self.error + other.error }.rounded(BASIC)
    }
}

impl Sub for Approx {
    type Output = Approx;

    fn sub(self, other: Approx) -> Approx {
        self + -other
    }
}

impl Neg for Approx {
    type Output = Approx;

    fn neg(self) -> Approx {
        Approx { value: -self.value, ..self }
    }
}

impl Mul for Approx {
    type Output = Approx;

    fn mul(self, other: Approx) -> Approx {
        let error = self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        Approx { value: self.value * other.value, error }.rounded(BASIC)
    }
}

impl Div for Approx {
    type Output = Approx;

    fn div(self, other: Approx) -> Approx {
        let value = self.value / other.value;
        let error = (self.error + value.abs() * other.error) / (other.value.abs() - other.error);
        Approx { value, error: if error >= 0.0 { error } else { f64::INFINITY } }.rounded(QUOTIENT)
    }
}

/// A sum in whatever order: of `n` terms its error is at most that of the terms and `n` roundings of the sum of their
/// magnitudes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    value: f64,
    error: f64,
    magnitude: f64,
    terms: f64,
}

impl Sum {
    /// Adds a term.
    pub fn add(&mut self, term: Approx) {
        self.value += term.value;
        self.error += term.error;
        self.magnitude += term.value.abs() + term.error;
        self.terms += 1.0;
    }

    /// The sum.
    pub fn total(&self) -> Approx {
        let relative = self.terms * ROUNDING;
        let error = self.error + relative / (1.0 - relative) * self.magnitude + self.terms * UNDERFLOW;
        Approx { value: self.value, error }
    }
}

impl FromIterator<Approx> for Sum {
    fn from_iter<I: IntoIterator<Item = Approx>>(terms: I) -> Self {
        let mut sum = Sum::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

/// `sum_i x_i y_i`.
pub fn dot(pairs: impl Iterator<Item = (Approx, Approx)>) -> Approx {
    pairs.map(|(x, y)| x * y).collect::<Sum>().total()
}

/// `log sum_j exp(z_j)`, by way of the largest. It grows with each `z_j`, so that all errors upwards or all downwards change
/// it most.
fn log_sum_exp(z: &[Approx]) -> Approx {
    let most = z.iter().map(|z| z.value).fold(f64::NEG_INFINITY, f64::max);
    let exactly = |shift: f64| {
        let shifted = |z: &Approx| z.value + shift * z.error;
        let most = z.iter().map(shifted).fold(f64::NEG_INFINITY, f64::max);
        most + z.iter().map(|z| (shifted(z) - most).exp()).sum::<f64>().ln()
    };
    let (value, error) = (exactly(0.0), (exactly(1.0) - exactly(0.0)).max(exactly(0.0) - exactly(-1.0)));
    let term = |z: &Approx| Approx { value: z.value - most, error: 0.0 }.rounded(BASIC).exp();
    let roundings = Approx { value: most, error: 0.0 } + z.iter().map(term).collect::<Sum>().total().ln();
    Approx { value, error: error + roundings.error }
}

/// `z - log sum exp z`.
pub fn log_softmax(z: &[Approx]) -> Vec<Approx> {
    let log_sum = log_sum_exp(z);
    z.iter().map(|z| *z - log_sum).collect()
}

/// `e` to the power of each logarithm of a probability.
pub fn probabilities(log_p: &[Approx]) -> Vec<Approx> {
    log_p.iter().map(|l| l.exp().share()).collect()
}

/// Inputs, element by element.
pub fn exact(values: &[f32]) -> Vec<Approx> {
    values.iter().map(|x| Approx::exact(*x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    /// `f32` arithmetic stays inside the bound, and the bound is not much wider than its worst case.
    #[test]
    fn bounds_hold_and_are_tight() {
        let value = |i: u64| (Key::new(1).fold(i).normal() * 8.0) as f32;
        for i in 0..2000 {
            let (x, y, z) = (value(3 * i), value(3 * i + 1), value(3 * i + 2));
            let [a, b, c] = [x, y, z].map(Approx::exact);
            let cases = [
                ((x * y + z) / (x - y), (a * b + c) / (a - b)),
                (x.mul_add(y, z), a * b + c),
                ((x * 0.1).exp() - y, (a * Approx::constant(0.1)).exp() - b),
                ((x * x + y * y).sqrt(), (a * a + b * b).sqrt()),
                ((x.abs() + 1.0).ln() * z, (Approx { value: a.value.abs(), ..a } + ONE).ln() * c),
            ];
            for (found, expected) in cases {
                assert!(expected.allows(found), "{found} is not {expected:?}");
                let terms = expected.value.abs() + x.abs().max(y.abs()).max(z.abs()) as f64;
                assert!(expected.error < 1e-4 * terms.max(1.0) * terms.max(1.0), "{expected:?}");
            }
            assert!(!(a * b).allows((x * y).next_up().next_up()));
        }
    }

    #[test]
    fn sums_hold_in_any_order() {
        let values: Vec<f32> = (0..3000).map(|i| Key::new(2).fold(i).normal() as f32).collect();
        let expected = exact(&values).into_iter().collect::<Sum>().total();
        let forwards: f32 = values.iter().sum();
        let backwards: f32 = values.iter().rev().sum();
        assert!(expected.allows(forwards) && expected.allows(backwards));
        assert!(!expected.allows(forwards + 1.0));
        assert!(expected.error < 3000.0 * 3000.0 * 1e-7);
    }

    #[test]
    fn bf16_is_the_upper_half_of_f32() {
        for i in 0..2000 {
            let x = (Key::new(3).fold(i).normal() * 8.0) as f32;
            let [below, above] = [0, 0x1_0000].map(|step| f32::from_bits((x.to_bits() & 0xFFFF_0000) + step));
            let nearest = if (x - below).abs() < (above - x).abs() { below } else { above };
            assert_eq!(bf16(f64::from(x)), f64::from(nearest));
        }
        assert_eq!([1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 0.0].map(bf16), [1.0, 1.0 + 4.0 / 256.0, 0.0]);
        let unsure = Approx { value: 1.0 + 1.0 / 256.0, error: 1e-6 }.to_bf16();
        assert_eq!((unsure.value, unsure.error), (1.0 + 1.0 / 256.0, 1.0 / 256.0));
    }

    #[test]
    fn what_is_not_finite_is_never_allowed() {
        let wide = Approx { value: 0.0, error: 1e300 };
        assert!(wide.allows(1e30) && !wide.allows(f32::NAN) && !wide.allows(f32::INFINITY));
        assert!((ONE / ZERO).error.is_nan() || (ONE / ZERO).value.is_infinite());
    }
}
