//! Complex numbers, as far as probing an expression needs them.

/// `re + im·i` in double precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) fn real(re: f64) -> Self {
        Complex { re, im: 0.0 }
    }

    pub(crate) fn finite(self) -> bool {
        self.re.is_finite() && self.im.is_finite()
    }

    pub(crate) fn size(self) -> f64 {
        self.re.hypot(self.im)
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Complex { re: self.re + other.re, im: self.im + other.im }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Complex { re: self.re - other.re, im: self.im - other.im }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        Complex { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    pub(crate) fn over(self, other: Self) -> Self {
        if other.im == 0.0 {
            return Complex { re: self.re / other.re, im: self.im / other.re };
        }
        let square = other.re * other.re + other.im * other.im;
        let top = self.times(Complex { re: other.re, im: -other.im });
        Complex { re: top.re / square, im: top.im / square }
    }

    pub(crate) fn ln(self) -> Self {
        Complex { re: self.size().ln(), im: self.im.atan2(self.re) }
    }

    pub(crate) fn exp(self) -> Self {
        let size = self.re.exp();
        if self.im == 0.0 {
            return Complex::real(size);
        }
        Complex { re: size * self.im.cos(), im: size * self.im.sin() }
    }

    /// The principal power; real where base and exponent allow it.
    pub(crate) fn power(self, exponent: Self) -> Self {
        if exponent.im == 0.0 {
            if self.im == 0.0 && (self.re >= 0.0 || exponent.re.fract() == 0.0) {
                return Complex::real(self.re.powf(exponent.re));
            }
            if exponent.re.fract() == 0.0 && exponent.re.abs() <= 64.0 {
                let mut value = Complex::real(1.0);
                for _ in 0..exponent.re.abs() as u32 {
                    value = value.times(self);
                }
                return if exponent.re < 0.0 { Complex::real(1.0).over(value) } else { value };
            }
        }
        if self.size() == 0.0 {
            return Complex::real(f64::NAN);
        }
        self.ln().times(exponent).exp()
    }

    /// The real root of a real number; the principal one otherwise.
    pub(crate) fn root(self, degree: u32) -> Self {
        if self.im == 0.0 && self.re < 0.0 && degree % 2 == 1 {
            return Complex::real(-(-self.re).powf(1.0 / f64::from(degree)));
        }
        if self.im == 0.0 && self.re >= 0.0 && degree == 2 {
            return Complex::real(self.re.sqrt());
        }
        if self.size() == 0.0 {
            return Complex::real(0.0);
        }
        self.power(Complex::real(1.0 / f64::from(degree)))
    }

    pub(crate) fn sin(self) -> Self {
        Complex { re: self.re.sin() * self.im.cosh(), im: self.re.cos() * self.im.sinh() }
    }

    pub(crate) fn cos(self) -> Self {
        Complex { re: self.re.cos() * self.im.cosh(), im: -(self.re.sin() * self.im.sinh()) }
    }
}
