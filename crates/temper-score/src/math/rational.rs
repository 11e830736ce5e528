//! Exact fractions, so that `0.1 + 0.2`-like noise never decides whether an answer is right.

/// A fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// The integer.
    pub(crate) fn integer(value: i128) -> Self {
        Rational { numerator: value, denominator: 1 }
    }

    pub(crate) const ZERO: Rational = Rational { numerator: 0, denominator: 1 };
    pub(crate) const ONE: Rational = Rational { numerator: 1, denominator: 1 };

    pub(crate) fn numerator(self) -> i128 {
        self.numerator
    }

    pub(crate) fn denominator(self) -> i128 {
        self.denominator
    }

    /// The value as an integer, if it is one.
    pub(crate) fn whole(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated()?)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.numerator == 0
    }

    pub(crate) fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// The largest integer that is not larger.
    pub(crate) fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The integer power; `None` where it is too large or divides by zero.
    pub(crate) fn power(self, exponent: i32) -> Option<Self> {
        let size = exponent.unsigned_abs();
        let raised = Self::new(self.numerator.checked_pow(size)?, self.denominator.checked_pow(size)?)?;
        if exponent < 0 { Self::ONE.over(raised) } else { Some(raised) }
    }

    /// The nearest double.
    pub(crate) fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Whether the two are equal once both are rounded to six decimal places (half away from zero). Numbers below a
    /// ten-thousandth keep too few digits for that; they are equal only if they are the same.
    pub(crate) fn near(self, other: Self) -> bool {
        if self == other {
            return true;
        }
        match (self.millionths(), other.millionths()) {
            (Some(a), Some(b)) => a == b && a.abs() >= 100,
            _ => false,
        }
    }

    fn millionths(self) -> Option<i128> {
        let doubled = self.numerator.checked_mul(2_000_000)?;
        let half_up = doubled.checked_abs()?.checked_add(self.denominator)? / self.denominator.checked_mul(2)?;
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
    fn six_decimal_places() {
        assert!(r(1, 3).near(r(333_333, 1_000_000)));
        assert!(r(-2, 3).near(r(-666_667, 1_000_000)));
        assert!(!r(1, 3).near(r(3333, 10_000)));
        assert!(!r(1, 10_000_000).near(r(2, 10_000_000)));
        assert!(!r(1, 3_000_000_000).near(r(0, 1)));
    }

    #[test]
    fn powers_and_floors() {
        assert_eq!(r(2, 3).power(-2), Some(r(9, 4)));
        assert_eq!(r(0, 1).power(-1), None);
        assert_eq!(r(10, 1).power(40), None);
        assert_eq!((r(7, 2).floor(), r(-7, 2).floor()), (3, -4));
    }
}
