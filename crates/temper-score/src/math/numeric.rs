//! The value of an expression at a point, in double precision: it can refute an equality, never prove one.

use super::complex::Complex;
use super::expr::Expr;

/// The value at a point; not finite where the expression has none.
pub(crate) fn value(expr: &Expr, point: &impl Fn(&str) -> f64) -> Complex {
    let at = |part: &Expr| value(part, point);
    let none = Complex::real(f64::NAN);
    match expr {
        Expr::Number(number, _) => Complex::real(number.to_f64()),
        Expr::Huge(number) => Complex::real(*number),
        Expr::Pi => Complex::real(std::f64::consts::PI),
        Expr::Euler => Complex::real(std::f64::consts::E),
        Expr::Imaginary => Complex { re: 0.0, im: 1.0 },
        Expr::Infinity => Complex::real(f64::INFINITY),
        Expr::Variable(name) => Complex::real(point(name)),
        Expr::Sum(parts) => parts.iter().fold(Complex::real(0.0), |sum, part| sum.plus(at(part))),
        Expr::Product(parts) => parts.iter().fold(Complex::real(1.0), |product, part| product.times(at(part))),
        Expr::Negative(part) => Complex::real(0.0).minus(at(part)),
        Expr::Quotient(above, below) => at(above).over(at(below)),
        Expr::Power(base, exponent) => at(base).power(at(exponent)),
        Expr::Root(degree, part) => at(part).root(*degree),
        Expr::Factorial(part) => match at(part) {
            Complex { re, im: 0.0 } if re >= 0.0 && re.fract() == 0.0 && re <= 170.0 => {
                Complex::real((1..=re as u32).map(f64::from).product())
            }
            _ => none,
        },
        Expr::Binomial(above, below) => match (at(above), at(below)) {
            (Complex { re: n, im: 0.0 }, Complex { re: k, im: 0.0 })
                if n >= k && k >= 0.0 && n.fract() == 0.0 && k.fract() == 0.0 && n <= 1000.0 =>
            {
                let steps = k.min(n - k) as u32;
                Complex::real((1..=steps).fold(1.0, |product, i| product * (n - f64::from(steps - i)) / f64::from(i)))
            }
            _ => none,
        },
        Expr::Function(name, part) => apply(name, at(part)),
    }
}

/// A known function's value; not a number where it has none.
pub(crate) fn apply(name: &str, x: Complex) -> Complex {
    let none = Complex::real(f64::NAN);
    let real = |apply: fn(f64) -> f64| if x.im == 0.0 { Complex::real(apply(x.re)) } else { none };
    match name {
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.sin().over(x.cos()),
        "cot" => x.cos().over(x.sin()),
        "sec" => Complex::real(1.0).over(x.cos()),
        "csc" => Complex::real(1.0).over(x.sin()),
        "asin" => real(f64::asin),
        "acos" => real(f64::acos),
        "atan" => real(f64::atan),
        "ln" if x.size() > 0.0 => x.ln(),
        "abs" => Complex::real(x.size()),
        "floor" => real(|x| (x + 1e-9).floor()),
        "ceil" => real(|x| (x - 1e-9).ceil()),
        _ => none,
    }
}

/// A number between 0.4 and 2.6 for a variable at one of the probing points: positive, so that roots and logarithms exist, and
/// of no simple ratio to another variable's.
pub(crate) fn coordinate(name: &str, round: u32) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ u64::from(round).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 31;
    hash = hash.wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 29;
    0.4 + 2.2 * (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether two expressions have clearly different values somewhere.
pub(crate) fn differ(a: &Expr, b: &Expr) -> bool {
    let closed = !a.open() && !b.open();
    let points = if closed { 1 } else { 6 };
    let different = (0..points)
        .filter(|round| {
            let point = |name: &str| coordinate(name, *round);
            let (a, b) = (value(a, &point), value(b, &point));
            a.finite() && b.finite() && a.minus(b).size() > 1e-7 * a.size().max(b.size()).max(1e-9)
        })
        .count();
    different >= if closed { 1 } else { 2 }
}
