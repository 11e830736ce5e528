//! A canonical form of expressions that can prove two of them equal: quotients of polynomials with exact coefficients in
//! variables, roots of primes, π, e, i, and functions of such quotients.

use std::collections::BTreeMap;

use super::expr::Expr;
use super::rational::Rational;

/// What a monomial is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    /// A prime, or a number without small prime factors, under a root or with a large exponent.
    Prime(i128),
    Pi,
    Euler,
    Imaginary,
    Variable(String),
    /// An atom to the power of a monomial without coefficient.
    Raised(Box<Atom>, Monomial),
    /// A root of a polynomial.
    Root(u32, Poly),
    /// A function of a quotient.
    Function(&'static str, Poly, Poly),
}

/// Atoms with their exponents, none of them zero.
pub(crate) type Monomial = BTreeMap<Atom, Rational>;

/// Monomials with their coefficients, none of them zero.
pub(crate) type Poly = BTreeMap<Monomial, Rational>;

/// A quotient of polynomials.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quotient {
    pub(crate) above: Poly,
    pub(crate) below: Poly,
}

/// The most terms that a polynomial may have, and the largest exponent that is multiplied out.
const MOST_TERMS: usize = 300;
const LARGEST_POWER: i128 = 40;

/// How many products of terms one comparison may take.
pub(crate) struct Budget(pub(crate) usize);

impl Budget {
    fn take(&mut self, work: usize) -> Option<()> {
        self.0 = self.0.checked_sub(work)?;
        Some(())
    }
}

fn constant(value: Rational) -> Poly {
    if value.is_zero() { Poly::new() } else { [(Monomial::new(), value)].into() }
}

fn atom(atom: Atom) -> Poly {
    [([(atom, Rational::ONE)].into(), Rational::ONE)].into()
}

fn scaled(poly: &Poly, factor: Rational) -> Option<Poly> {
    if factor.is_zero() {
        return Some(Poly::new());
    }
    poly.iter().map(|(monomial, coefficient)| Some((monomial.clone(), coefficient.times(factor)?))).collect()
}

fn add_term(poly: &mut Poly, monomial: Monomial, coefficient: Rational) -> Option<()> {
    let sum = poly.get(&monomial).copied().unwrap_or(Rational::ZERO).plus(coefficient)?;
    if sum.is_zero() {
        poly.remove(&monomial);
    } else {
        poly.insert(monomial, sum);
    }
    Some(())
}

pub(crate) fn add(a: &Poly, b: &Poly) -> Option<Poly> {
    let mut sum = a.clone();
    for (monomial, coefficient) in b {
        add_term(&mut sum, monomial.clone(), *coefficient)?;
    }
    (sum.len() <= MOST_TERMS).then_some(sum)
}

fn subtract(a: &Poly, b: &Poly) -> Option<Poly> {
    add(a, &scaled(b, Rational::integer(-1))?)
}

pub(crate) fn multiply(a: &Poly, b: &Poly, budget: &mut Budget) -> Option<Poly> {
    budget.take(a.len() * b.len() + 1)?;
    let mut product = Poly::new();
    for (left, x) in a {
        for (right, y) in b {
            let mut monomial = left.clone();
            for (atom, exponent) in right {
                let sum = monomial.get(atom).copied().unwrap_or(Rational::ZERO).plus(*exponent)?;
                if sum.is_zero() {
                    monomial.remove(atom);
                } else {
                    monomial.insert(atom.clone(), sum);
                }
            }
            for (monomial, coefficient) in reduced(monomial, x.times(*y)?, budget)? {
                add_term(&mut product, monomial, coefficient)?;
            }
        }
        if product.len() > MOST_TERMS {
            return None;
        }
    }
    Some(product)
}

/// A term with its atoms' relations applied: i² = −1, whole powers of primes into the coefficient, powers of a root beyond
/// its degree into the polynomial under it, sin² = 1 − cos².
fn reduced(mut monomial: Monomial, mut coefficient: Rational, budget: &mut Budget) -> Option<Poly> {
    let mut factors: Vec<(Poly, i128)> = Vec::new();
    for (atom, exponent) in monomial.clone() {
        match &atom {
            Atom::Imaginary => {
                let rest = exponent.whole()?.rem_euclid(4);
                monomial.remove(&atom);
                if rest % 2 == 1 {
                    monomial.insert(atom, Rational::ONE);
                }
                if rest >= 2 {
                    coefficient = coefficient.negated()?;
                }
            }
            Atom::Prime(prime) => {
                let whole = exponent.floor();
                let power = i32::try_from(whole).ok().filter(|power| power.abs() < 127);
                let folded = power
                    .and_then(|power| Rational::integer(*prime).power(power))
                    .and_then(|factor| coefficient.times(factor));
                if let Some(folded) = folded {
                    coefficient = folded;
                    monomial.remove(&atom);
                    let rest = exponent.minus(Rational::integer(whole))?;
                    if !rest.is_zero() {
                        monomial.insert(atom, rest);
                    }
                } else {
                    // Too large to be a coefficient: then all of its factors stand here.
                    let mut exponent = exponent;
                    loop {
                        let divided = coefficient.over(Rational::integer(*prime))?;
                        if divided.denominator() < coefficient.denominator()
                            || divided.denominator() == coefficient.denominator()
                        {
                            coefficient = divided;
                            exponent = exponent.plus(Rational::ONE)?;
                        } else {
                            break;
                        }
                    }
                    while coefficient.denominator() % prime == 0 {
                        coefficient = coefficient.times(Rational::integer(*prime))?;
                        exponent = exponent.minus(Rational::ONE)?;
                    }
                    monomial.insert(atom, exponent);
                }
            }
            Atom::Root(degree, inner) => {
                let degree = i128::from(*degree);
                let times = exponent.floor().div_euclid(degree);
                if times > 0 {
                    let rest = exponent.minus(Rational::integer(times.checked_mul(degree)?))?;
                    factors.push((inner.clone(), times));
                    monomial.remove(&atom);
                    if !rest.is_zero() {
                        monomial.insert(atom, rest);
                    }
                }
            }
            Atom::Function("sin", above, below) => {
                let times = exponent.floor().div_euclid(2);
                if times > 0 {
                    let rest = exponent.minus(Rational::integer(times * 2))?;
                    let cosine = Atom::Function("cos", above.clone(), below.clone());
                    let mut square = constant(Rational::ONE);
                    square.insert([(cosine, Rational::integer(2))].into(), Rational::integer(-1));
                    factors.push((square, times));
                    monomial.remove(&atom);
                    if !rest.is_zero() {
                        monomial.insert(atom, rest);
                    }
                }
            }
            _ => {}
        }
    }
    let mut poly: Poly = [(monomial, coefficient)].into();
    for (factor, times) in factors {
        if times > LARGEST_POWER {
            return None;
        }
        for _ in 0..times {
            poly = multiply(&poly, &factor, budget)?;
        }
    }
    Some(poly)
}

impl Quotient {
    fn of(above: Poly) -> Self {
        Quotient { above, below: constant(Rational::ONE) }
    }

    /// The value, if it is a plain number.
    fn number(&self) -> Option<Rational> {
        let below = number(&self.below)?;
        number(&self.above)?.over(below)
    }

    fn plus(&self, other: &Self, budget: &mut Budget) -> Option<Self> {
        if self.below == other.below {
            return Some(Quotient { above: add(&self.above, &other.above)?, below: self.below.clone() });
        }
        let left = multiply(&self.above, &other.below, budget)?;
        let right = multiply(&other.above, &self.below, budget)?;
        Some(Quotient { above: add(&left, &right)?, below: multiply(&self.below, &other.below, budget)? })
    }

    pub(crate) fn times(&self, other: &Self, budget: &mut Budget) -> Option<Self> {
        Some(Quotient {
            above: multiply(&self.above, &other.above, budget)?,
            below: multiply(&self.below, &other.below, budget)?,
        })
    }

    /// One over it; `None` for zero.
    pub(crate) fn inverse(&self) -> Option<Self> {
        if self.above.is_empty() {
            return None;
        }
        Quotient { above: self.below.clone(), below: self.above.clone() }.simple()
    }

    /// The same with a denominator of a single term moved to the numerator, where its atoms allow it.
    fn simple(self) -> Option<Self> {
        let single = self.below.len() == 1;
        let Some((monomial, coefficient)) = self.below.iter().next().filter(|_| single) else { return Some(self) };
        let plain = monomial.keys().all(|atom| !matches!(atom, Atom::Root(..) | Atom::Function("sin", ..)));
        if !plain || monomial.is_empty() && *coefficient == Rational::ONE {
            return Some(self);
        }
        let inverse = monomial
            .iter()
            .map(|(atom, exponent)| Some((atom.clone(), exponent.negated()?)))
            .collect::<Option<Monomial>>()?;
        let mut budget = Budget(MOST_TERMS * 2);
        let inverse = reduced(inverse, Rational::ONE.over(*coefficient)?, &mut budget)?;
        Some(Quotient::of(multiply(&self.above, &inverse, &mut budget)?))
    }

    fn whole_power(&self, exponent: i128, budget: &mut Budget) -> Option<Self> {
        if exponent < 0 {
            return self.inverse()?.whole_power(exponent.checked_neg()?, budget);
        }
        Some(Quotient {
            above: poly_power(&self.above, exponent, budget)?,
            below: poly_power(&self.below, exponent, budget)?,
        })
    }

    fn root(&self, degree: u32, budget: &mut Budget) -> Option<Self> {
        // √(a/b) = √(a·b)/b for b > 0; only a number is known to be positive.
        match number(&self.below) {
            Some(below) => {
                Some(Quotient::of(poly_root(&scaled(&self.above, Rational::ONE.over(below)?)?, degree, budget)?))
            }
            None => {
                let above = poly_root(&self.above, degree, budget)?;
                Quotient { above, below: poly_root(&self.below, degree, budget)? }.simple()
            }
        }
    }

    fn power(&self, exponent: &Self, budget: &mut Budget) -> Option<Self> {
        if let Some(exponent) = exponent.number() {
            let degree = u32::try_from(exponent.denominator()).ok().filter(|degree| *degree <= 32)?;
            if degree == 1 {
                return self.whole_power(exponent.numerator(), budget);
            }
            // An odd root of a negative number has two meanings as a power.
            if self.number().is_some_and(Rational::is_negative) && degree > 2 {
                return None;
            }
            return self.root(degree, budget)?.whole_power(exponent.numerator(), budget);
        }
        // a^(c·m + …) = Π (a^m)^c for every atom a of a base of one term.
        let below = number(&exponent.below)?;
        let base = number(&self.below).and_then(|below| scaled(&self.above, Rational::ONE.over(below)?))?;
        let single = base.len() == 1;
        let (monomial, coefficient) = base.iter().next().filter(|_| single)?;
        if coefficient.is_negative() || monomial.values().any(|exponent| *exponent != Rational::ONE) {
            return None;
        }
        let mut factors = factored(*coefficient)?;
        factors.extend(monomial.iter().map(|(atom, exponent)| (atom.clone(), *exponent)));
        let mut product = constant(Rational::ONE);
        for (atom, multiplicity) in factors {
            if matches!(atom, Atom::Imaginary | Atom::Raised(..)) {
                return None;
            }
            for (term, factor) in &exponent.above {
                let power = factor.over(below)?.times(multiplicity)?;
                if let (Atom::Euler, Some(inner)) = (&atom, logarithm(term)) {
                    let factor = reduced([(inner.clone(), power)].into(), Rational::ONE, budget)?;
                    product = multiply(&product, &factor, budget)?;
                    continue;
                }
                let raised =
                    if term.is_empty() { atom.clone() } else { Atom::Raised(Box::new(atom.clone()), term.clone()) };
                let factor = reduced([(raised, power)].into(), Rational::ONE, budget)?;
                product = multiply(&product, &factor, budget)?;
            }
        }
        Some(Quotient::of(product))
    }
}

/// The atom of which a term is the natural logarithm.
fn logarithm(term: &Monomial) -> Option<&Atom> {
    let (Atom::Function("ln", above, below), exponent) = term.first_key_value().filter(|_| term.len() == 1)? else {
        return None;
    };
    let (monomial, coefficient) = above.first_key_value().filter(|_| above.len() == 1)?;
    let (inner, power) = monomial.first_key_value().filter(|_| monomial.len() == 1)?;
    let ones = [*exponent, *coefficient, *power, number(below)?];
    ones.iter().all(|one| *one == Rational::ONE).then_some(inner)
}

fn number(poly: &Poly) -> Option<Rational> {
    match poly.iter().next() {
        None => Some(Rational::ZERO),
        Some((monomial, coefficient)) => (poly.len() == 1 && monomial.is_empty()).then_some(*coefficient),
    }
}

fn poly_power(poly: &Poly, exponent: i128, budget: &mut Budget) -> Option<Poly> {
    if exponent == 0 {
        return if poly.is_empty() { None } else { Some(constant(Rational::ONE)) };
    }
    if poly.len() == 1
        && let Some((monomial, coefficient)) = poly.iter().next()
    {
        let power = Rational::integer(exponent);
        let raised =
            monomial.iter().map(|(atom, e)| Some((atom.clone(), e.times(power)?))).collect::<Option<Monomial>>()?;
        let exact = i32::try_from(exponent).ok().filter(|e| *e < 127).and_then(|e| coefficient.power(e));
        if let Some(coefficient) = exact {
            return reduced(raised, coefficient, budget);
        }
        // A power too large to be written out, such as 2^2024, by its prime factors.
        let mut product = reduced(raised, Rational::ONE, budget)?;
        let negative = coefficient.is_negative() && exponent % 2 == 1;
        let size = if coefficient.is_negative() { coefficient.negated()? } else { *coefficient };
        for (atom, multiplicity) in factored(size)? {
            let factor = reduced([(atom, multiplicity.times(power)?)].into(), Rational::ONE, budget)?;
            product = multiply(&product, &factor, budget)?;
        }
        return if negative { scaled(&product, Rational::integer(-1)) } else { Some(product) };
    }
    if exponent > LARGEST_POWER {
        return None;
    }
    let mut product = poly.clone();
    for _ in 1..exponent {
        product = multiply(&product, poly, budget)?;
    }
    Some(product)
}

/// A positive number as powers of primes; a factor without small primes stands for itself.
fn factored(value: Rational) -> Option<Vec<(Atom, Rational)>> {
    let mut powers = Vec::new();
    for (number, sign) in [(value.numerator(), 1), (value.denominator(), -1)] {
        let mut rest = number;
        let mut divisor = 2i128;
        while divisor * divisor <= rest && divisor < 3000 {
            let mut times = 0i128;
            while rest % divisor == 0 {
                rest /= divisor;
                times += 1;
            }
            if times > 0 {
                powers.push((Atom::Prime(divisor), Rational::integer(sign * times)));
            }
            divisor += if divisor == 2 { 1 } else { 2 };
        }
        if rest <= 0 {
            return None;
        }
        if rest > 1 {
            let root = (rest as f64).sqrt().round() as i128;
            match root.checked_mul(root) {
                Some(square) if square == rest => powers.push((Atom::Prime(root), Rational::integer(2 * sign))),
                _ => powers.push((Atom::Prime(rest), Rational::integer(sign))),
            }
        }
    }
    Some(powers)
}

fn poly_root(poly: &Poly, degree: u32, budget: &mut Budget) -> Option<Poly> {
    let share = Rational::new(1, i128::from(degree))?;
    if poly.is_empty() {
        return Some(Poly::new());
    }
    if poly.len() == 1
        && let Some((monomial, coefficient)) = poly.iter().next()
    {
        let mut sign = constant(Rational::ONE);
        let mut size = *coefficient;
        if size.is_negative() {
            size = size.negated()?;
            sign = match degree {
                2 => atom(Atom::Imaginary),
                odd if odd % 2 == 1 => constant(Rational::integer(-1)),
                _ => return None,
            };
        }
        let mut result = sign;
        for (atom, multiplicity) in factored(size)? {
            let factor = reduced([(atom, multiplicity.times(share)?)].into(), Rational::ONE, budget)?;
            result = multiply(&result, &factor, budget)?;
        }
        let mut under = Monomial::new();
        for (atom, exponent) in monomial {
            let positive = match atom {
                Atom::Prime(_) | Atom::Pi | Atom::Euler => true,
                Atom::Raised(inner, _) => matches!(**inner, Atom::Prime(_) | Atom::Pi | Atom::Euler),
                _ => false,
            };
            if positive {
                let factor = reduced([(atom.clone(), exponent.times(share)?)].into(), Rational::ONE, budget)?;
                result = multiply(&result, &factor, budget)?;
            } else {
                under.insert(atom.clone(), *exponent);
            }
        }
        if !under.is_empty() {
            if coefficient.is_negative() {
                return None;
            }
            let plain = under.len() == 1 && under.values().all(|exponent| *exponent == Rational::ONE);
            let kept: Monomial = match under.keys().next() {
                Some(atom @ Atom::Variable(_)) if plain => [(atom.clone(), share)].into(),
                _ => [(Atom::Root(degree, [(under, Rational::ONE)].into()), Rational::ONE)].into(),
            };
            result = multiply(&result, &[(kept, Rational::ONE)].into(), budget)?;
        }
        return Some(result);
    }
    // A positive number that divides all coefficients comes out of the root.
    let mut content = poly.values().next().copied()?;
    content = if content.is_negative() { content.negated()? } else { content };
    for coefficient in poly.values() {
        let above = gcd(content.numerator(), coefficient.numerator());
        let below = lcm(content.denominator(), coefficient.denominator())?;
        content = Rational::new(above, below)?;
    }
    let primitive = scaled(poly, Rational::ONE.over(content)?)?;
    let root = atom(Atom::Root(degree, primitive));
    multiply(&poly_root(&constant(content), degree, budget)?, &root, budget)
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1)
}

fn lcm(a: i128, b: i128) -> Option<i128> {
    (a / gcd(a, b)).checked_mul(b)
}

/// The canonical form; `None` for what it does not cover or what takes too much work.
pub(crate) fn canonical(expr: &Expr, budget: &mut Budget) -> Option<Quotient> {
    budget.take(1)?;
    let one = |poly: Poly| Some(Quotient::of(poly));
    match expr {
        Expr::Number(value, _) => one(constant(*value)),
        Expr::Huge(_) | Expr::Infinity => None,
        Expr::Pi => one(atom(Atom::Pi)),
        Expr::Euler => one(atom(Atom::Euler)),
        Expr::Imaginary => one(atom(Atom::Imaginary)),
        Expr::Variable(name) => one(atom(Atom::Variable(name.clone()))),
        Expr::Sum(parts) => {
            let mut sum = Quotient::of(Poly::new());
            for part in parts {
                sum = sum.plus(&canonical(part, budget)?, budget)?;
            }
            Some(sum)
        }
        Expr::Product(parts) => {
            let mut product = Quotient::of(constant(Rational::ONE));
            for part in parts {
                product = product.times(&canonical(part, budget)?, budget)?;
            }
            Some(product)
        }
        Expr::Negative(part) => {
            let part = canonical(part, budget)?;
            Some(Quotient { above: scaled(&part.above, Rational::integer(-1))?, below: part.below })
        }
        Expr::Quotient(above, below) => {
            let below = canonical(below, budget)?.inverse()?;
            canonical(above, budget)?.times(&below, budget)
        }
        Expr::Power(base, exponent) => {
            let exponent = canonical(exponent, budget)?;
            canonical(base, budget)?.power(&exponent, budget)
        }
        Expr::Root(degree, part) => canonical(part, budget)?.root(*degree, budget),
        Expr::Factorial(part) => {
            let n = canonical(part, budget)?.number()?.whole().filter(|n| (0..=33).contains(n))?;
            one(constant(Rational::integer((1..=n).product())))
        }
        Expr::Binomial(above, below) => {
            let n = canonical(above, budget)?.number()?.whole().filter(|n| (0..=1000).contains(n))?;
            let k = canonical(below, budget)?.number()?.whole().filter(|k| (0..=n).contains(k))?;
            let mut value = 1i128;
            for i in 1..=k.min(n - k) {
                value = value.checked_mul(n - k.min(n - k) + i)? / i;
            }
            one(constant(Rational::integer(value)))
        }
        Expr::Function(name, part) => function(name, canonical(part, budget)?, budget),
    }
}

fn function(name: &'static str, of: Quotient, budget: &mut Budget) -> Option<Quotient> {
    let opaque = |name| Some(Quotient::of(atom(Atom::Function(name, of.above.clone(), of.below.clone()))));
    match name {
        "ln" => {
            let single = number(&of.below) == Some(Rational::ONE) && of.above.len() == 1;
            match of.above.iter().next().filter(|_| single) {
                Some((monomial, coefficient)) if !coefficient.is_negative() => {
                    let positive = monomial.keys().all(|atom| matches!(atom, Atom::Prime(_) | Atom::Euler | Atom::Pi));
                    if !positive {
                        return opaque("ln");
                    }
                    let mut powers = factored(*coefficient)?;
                    powers.extend(monomial.iter().map(|(atom, exponent)| (atom.clone(), *exponent)));
                    let mut sum = Poly::new();
                    for (base, power) in powers {
                        let term = match base {
                            Atom::Euler => Monomial::new(),
                            base => {
                                let logarithm = Atom::Function("ln", atom(base), constant(Rational::ONE));
                                [(logarithm, Rational::ONE)].into()
                            }
                        };
                        add_term(&mut sum, term, power)?;
                    }
                    Some(Quotient::of(sum))
                }
                Some(_) | None => opaque("ln"),
            }
        }
        "abs" => match of.number() {
            Some(value) if value.is_negative() => Some(Quotient::of(constant(value.negated()?))),
            Some(value) => Some(Quotient::of(constant(value))),
            None => opaque("abs"),
        },
        "floor" => Some(Quotient::of(constant(Rational::integer(of.number()?.floor())))),
        "ceil" => Some(Quotient::of(constant(Rational::integer(-of.number()?.negated()?.floor())))),
        "sin" => trigonometric("sin", &of, budget),
        "cos" => trigonometric("cos", &of, budget),
        "tan" => trigonometric("sin", &of, budget)?.times(&trigonometric("cos", &of, budget)?.inverse()?, budget),
        "cot" => trigonometric("cos", &of, budget)?.times(&trigonometric("sin", &of, budget)?.inverse()?, budget),
        "sec" => trigonometric("cos", &of, budget)?.inverse(),
        "csc" => trigonometric("sin", &of, budget)?.inverse(),
        "asin" | "acos" | "atan" => arc(name, &of, budget).map_or_else(|| opaque(name), Some),
        _ => opaque(name),
    }
}

/// An angle whose sine, cosine or tangent is exact, as a multiple of π.
fn arc(name: &'static str, of: &Quotient, budget: &mut Budget) -> Option<Quotient> {
    let (direct, angles) = match name {
        "asin" => ("sin", -6..=6),
        "acos" => ("cos", 0..=12),
        _ => ("tan", -5..=5),
    };
    for twelfths in angles {
        let pi: Monomial = [(Atom::Pi, Rational::ONE)].into();
        let mut above = Poly::new();
        add_term(&mut above, pi, Rational::new(twelfths, 12)?)?;
        let angle = Quotient::of(above);
        if [1, 5].contains(&(twelfths.rem_euclid(6))) {
            continue;
        }
        let there = function(direct, angle.clone(), budget)?;
        if difference(&there, of, budget)?.is_empty() {
            return Some(angle);
        }
    }
    None
}

/// How many terms of an angle, and how many multiples of one, are written out.
const ANGLES: usize = 4;

/// Sine and cosine of sums and whole multiples by those of their parts, so that identities between them show; of a negative
/// angle by those of the positive one.
fn parts_of_angle(name: &'static str, of: &Quotient, budget: &mut Budget) -> Option<Quotient> {
    let below = number(&of.below)?;
    let (monomial, coefficient) = of.above.iter().next_back()?;
    let coefficient = coefficient.over(below)?;
    let one: Poly = [(monomial.clone(), coefficient)].into();
    let (first, rest) = if of.above.len() > 1 {
        let mut rest = scaled(&of.above, Rational::ONE.over(below)?)?;
        rest.remove(monomial);
        (one, rest)
    } else if coefficient.is_negative() {
        let positive = trigonometric(name, &Quotient::of(scaled(&one, Rational::integer(-1))?), budget)?;
        let sign = if name == "sin" { -1 } else { 1 };
        return positive.times(&Quotient::of(constant(Rational::integer(sign))), budget);
    } else if (2..=ANGLES as i128).contains(&coefficient.numerator()) {
        let part = Rational::new(1, coefficient.denominator())?;
        let rest = coefficient.minus(part)?;
        ([(monomial.clone(), part)].into(), [(monomial.clone(), rest)].into())
    } else {
        return None;
    };
    let (first, rest) = (Quotient::of(first), Quotient::of(rest));
    let (sin, cos) = (trigonometric("sin", &first, budget)?, trigonometric("cos", &first, budget)?);
    let (other_sin, other_cos) = (trigonometric("sin", &rest, budget)?, trigonometric("cos", &rest, budget)?);
    if name == "sin" {
        sin.times(&other_cos, budget)?.plus(&cos.times(&other_sin, budget)?, budget)
    } else {
        let product = sin.times(&other_sin, budget)?;
        let negative = product.times(&Quotient::of(constant(Rational::integer(-1))), budget)?;
        cos.times(&other_cos, budget)?.plus(&negative, budget)
    }
}

/// Sine and cosine: exact at multiples of π/6 and π/4, of sums and multiples by their parts, else a name.
fn trigonometric(name: &'static str, of: &Quotient, budget: &mut Budget) -> Option<Quotient> {
    budget.take(1)?;
    let opaque = || Some(Quotient::of(atom(Atom::Function(name, of.above.clone(), of.below.clone()))));
    let below = number(&of.below);
    let turning = |poly: &Poly| poly.keys().all(|monomial| *monomial == [(Atom::Pi, Rational::ONE)].into());
    if of.above.len() <= ANGLES
        && !turning(&of.above)
        && let Some(whole) = parts_of_angle(name, of, budget)
    {
        return Some(whole);
    }
    let turns = match (of.above.iter().next(), of.above.len(), below) {
        (None, ..) => Rational::ZERO,
        (Some((monomial, coefficient)), 1, Some(below)) if *monomial == [(Atom::Pi, Rational::ONE)].into() => {
            coefficient.over(below)?
        }
        _ => return opaque(),
    };
    // In twelfths of π, and the cosine as the sine of a quarter turn more.
    let Some(twelfths) = turns.times(Rational::integer(12))?.whole() else { return opaque() };
    let twelfths = (twelfths + if name == "cos" { 6 } else { 0 }).rem_euclid(24);
    let (sign, twelfths) = if twelfths >= 12 { (-1, twelfths - 12) } else { (1, twelfths) };
    let square = match twelfths.min(12 - twelfths) {
        0 => Rational::ZERO,
        2 => Rational::new(1, 4)?,
        3 => Rational::new(1, 2)?,
        4 => Rational::new(3, 4)?,
        6 => Rational::ONE,
        _ => return opaque(),
    };
    let root = poly_root(&constant(square), 2, budget)?;
    Some(Quotient::of(scaled(&root, Rational::integer(sign))?))
}

/// `a − b`, as a polynomial that is zero where the two are equal.
pub(crate) fn difference(a: &Quotient, b: &Quotient, budget: &mut Budget) -> Option<Poly> {
    subtract(&multiply(&a.above, &b.below, budget)?, &multiply(&b.above, &a.below, budget)?)
}
