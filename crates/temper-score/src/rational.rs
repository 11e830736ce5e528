//! Exact fractions, so that `0.1 + 0.2`-like noise never decides whether an answer is right.

/// A fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    /// `numerator / denominator`; `None` for a zero denominator or numbers too large for exact arithmetic.
    pub(crate) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor.max(1)).ok()?;
        let sign = if denominator < 0 { -1 } else { 1 };
        Some(Rational {
            numerator: (numerator / divisor).checked_mul(sign)?,
            denominator: (denominator / divisor).checked_mul(sign)?,
        })
    }

    /// A decimal such as `12`, `3.50` or `.5`: digits with at most one point, no sign.
    pub(crate) fn decimal(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() && !text.contains('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let numerator = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        Self::new(numerator, power_of_ten(u32::try_from(fraction.len()).ok()?)?)
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.numerator)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(crate) fn over(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.denominator)?, self.denominator.checked_mul(other.numerator)?)
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(crate) fn negated(self) -> Option<Self> {
        Some(Rational { numerator: self.numerator.checked_neg()?, ..self })
    }

    /// Ten to the given power.
    pub(crate) fn ten_to(exponent: i32) -> Option<Self> {
        let power = power_of_ten(exponent.unsigned_abs())?;
        if exponent < 0 { Self::new(1, power) } else { Self::new(power, 1) }
    }

    /// Whether the two are the same number. A fraction whose decimals never end is compared after rounding both to six
    /// decimal places (half away from zero), so that 1/3 equals 0.333333; numbers with finite decimals are compared exactly.
    pub(crate) fn same(self, other: Self) -> bool {
        if self == other {
            return true;
        }
        if self.ends() && other.ends() || (self.numerator == 0) != (other.numerator == 0) {
            return false;
        }
        match (self.millionths(), other.millionths()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }

    /// Whether the decimal expansion ends.
    fn ends(self) -> bool {
        let mut rest = self.denominator;
        for factor in [2, 5] {
            while rest % factor == 0 {
                rest /= factor;
            }
        }
        rest == 1
    }

    fn millionths(self) -> Option<i128> {
        let doubled = self.numerator.checked_mul(2_000_000)?;
        let half_up = doubled.abs().checked_add(self.denominator)? / self.denominator.checked_mul(2)?;
        Some(half_up * doubled.signum())
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(n: i128, d: i128) -> Rational {
        Rational::new(n, d).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(Rational::decimal("3.50"), Some(r(7, 2)));
        assert_eq!(Rational::decimal(".5"), Some(r(1, 2)));
        assert_eq!(Rational::decimal("5."), Some(r(5, 1)));
        assert_eq!(Rational::decimal("0"), Some(r(0, 1)));
        assert_eq!(Rational::decimal(".0"), Some(r(0, 1)));
        assert_eq!(Rational::decimal("007"), Some(r(7, 1)));
        for bad in ["", ".", "1.2.3", "x", "-1", "99999999999999999999999999999999999999999"] {
            assert_eq!(Rational::decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic() {
        assert_eq!(r(1, 2).plus(r(1, 3)), Some(r(5, 6)));
        assert_eq!(r(2, 3).times(r(3, 4)), Some(r(1, 2)));
        assert_eq!(r(1, 2).over(r(0, 1)), None);
        assert_eq!(r(1, -2), r(-1, 2));
        assert_eq!(Rational::ten_to(-3), Some(r(1, 1000)));
        assert_eq!(Rational::ten_to(99), None);
    }

    #[test]
    fn endless_fractions_round_to_six_places() {
        assert!(r(1, 3).same(r(333_333, 1_000_000)));
        assert!(r(-2, 3).same(r(-666_667, 1_000_000)));
        assert!(!r(1, 3).same(r(3333, 10_000)));
        assert!(!r(1, 10_000_000).same(r(2, 10_000_000)));
        assert!(!r(1, 3_000_000_000).same(r(0, 1)));
    }
}
