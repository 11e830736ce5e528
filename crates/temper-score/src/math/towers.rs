//! Proofs of zero for sums with nested square roots, such as √(3 + 2√2) − 1 − √2.

use super::complex::Complex;
use super::numeric::{apply, coordinate};
use super::rational::Rational;
use super::symbolic::{Atom, Budget, Monomial, Poly, add, multiply};

/// Whether a polynomial is provably zero.
///
/// With an outermost root r = √P the polynomial is A + B·r. Its product with A − B·r is A² − B²·P, which has one root less. If
/// that is zero and A − B·r is not, as its value at a point shows, A + B·r is zero.
pub(crate) fn zero(poly: &Poly, budget: &mut Budget) -> bool {
    // Of √(x²) − x only the numbers decide, so roots of variables are left alone.
    poly.is_empty() || !open(poly) && prove(poly, budget, 0).unwrap_or(false)
}

/// Whether a variable stands in a polynomial.
fn open(poly: &Poly) -> bool {
    poly.keys().flat_map(Monomial::iter).any(|(atom, _)| variable(atom))
}

fn variable(atom: &Atom) -> bool {
    match atom {
        Atom::Variable(_) => true,
        Atom::Raised(base, exponent) => variable(base) || exponent.keys().any(variable),
        Atom::Root(_, inner) => open(inner),
        Atom::Function(_, above, below) => open(above) || open(below),
        Atom::Prime(_) | Atom::Pi | Atom::Euler | Atom::Imaginary => false,
    }
}

fn prove(poly: &Poly, budget: &mut Budget, depth: usize) -> Option<bool> {
    if poly.is_empty() {
        return Some(true);
    }
    if depth > 6 {
        return None;
    }
    let root = poly
        .keys()
        .flat_map(Monomial::keys)
        .filter_map(|atom| match atom {
            Atom::Root(2, inner) => Some((height(inner), atom, inner)),
            _ => None,
        })
        .max_by_key(|(height, ..)| *height);
    let Some((_, root, inner)) = root else { return Some(false) };
    let (mut plain, mut with) = (Poly::new(), Poly::new());
    for (monomial, coefficient) in poly {
        match monomial.get(root) {
            None => plain.insert(monomial.clone(), *coefficient),
            Some(exponent) if *exponent == Rational::ONE => {
                let mut rest = monomial.clone();
                rest.remove(root);
                with.insert(rest, *coefficient)
            }
            Some(_) => return None,
        };
    }
    let point = |name: &str| coordinate(name, 1);
    let (a, b) = (size(&plain, &point), size(&with, &point));
    let r = atom_value(root, &point);
    let other = a.minus(b.times(r));
    if !other.finite() || other.size() < 1e-6 * (a.size() + b.times(r).size()) {
        return None;
    }
    let square = multiply(&plain, &plain, budget)?;
    let product = multiply(&multiply(&with, &with, budget)?, inner, budget)?;
    let negative: Poly = product.into_iter().map(|(m, c)| Some((m, c.negated()?))).collect::<Option<Poly>>()?;
    prove(&add(&square, &negative)?, budget, depth + 1)
}

/// How deep roots are nested in a polynomial.
fn height(poly: &Poly) -> usize {
    let roots = poly.keys().flat_map(Monomial::keys);
    let under = |atom: &Atom| if let Atom::Root(_, inner) = atom { 1 + height(inner) } else { 0 };
    roots.map(under).max().unwrap_or(0)
}

/// The value of a polynomial at a point.
pub(crate) fn size(poly: &Poly, point: &impl Fn(&str) -> f64) -> Complex {
    poly.iter().fold(Complex::real(0.0), |sum, (monomial, coefficient)| {
        sum.plus(Complex::real(coefficient.to_f64()).times(monomial_value(monomial, point)))
    })
}

fn monomial_value(monomial: &Monomial, point: &impl Fn(&str) -> f64) -> Complex {
    monomial.iter().fold(Complex::real(1.0), |product, (atom, exponent)| {
        product.times(atom_value(atom, point).power(Complex::real(exponent.to_f64())))
    })
}

fn atom_value(atom: &Atom, point: &impl Fn(&str) -> f64) -> Complex {
    match atom {
        Atom::Prime(prime) => Complex::real(*prime as f64),
        Atom::Pi => Complex::real(std::f64::consts::PI),
        Atom::Euler => Complex::real(std::f64::consts::E),
        Atom::Imaginary => Complex { re: 0.0, im: 1.0 },
        Atom::Variable(name) => Complex::real(point(name)),
        Atom::Raised(base, exponent) => atom_value(base, point).power(monomial_value(exponent, point)),
        Atom::Root(degree, inner) => size(inner, point).root(*degree),
        Atom::Function(name, above, below) => apply(name, size(above, point).over(size(below, point))),
    }
}
