//! Whether two final answers are the same. The first one is the reference, and it decides what is asked for.

use super::expr::{Answer, Expr, Sign};
use super::lex::{Commas, Piece, lex};
use super::measures::Measure;
use super::numeric::{coordinate, differ, value};
use super::rational::Rational;
use super::read::{Reading, readings};
use super::sets::{reals, same as same_reals};
use super::symbolic::{Budget, Quotient, canonical, difference};
use super::{fold, towers, units, words};

/// How much work one comparison of two expressions may take.
const WORK: usize = 60_000;

/// The longest set of solutions that is matched element by element.
const LONGEST: usize = 64;

/// Whether a predicted final answer equals the reference; `None` where neither a proof nor a refutation is found.
///
/// Numbers are exact in whatever notation; a decimal equals what rounds to it at six places; 10 % is 10 and 0.1; units and
/// currencies are dropped. Expressions are equal if their difference is zero in a canonical form, and differ if it is not at
/// points that are tried. Sets are compared without order, tuples in order, intervals and relations as what they describe,
/// matrices by their entries, words without regard to case and markup. A reference that is a number accepts `x = 5` and a
/// chain that ends in it; a reference that is an inequality accepts the interval; neither holds the other way round.
pub fn equal(reference: &str, predicted: &str) -> Option<bool> {
    let (gold_words, given_words) = (words::plain(reference), words::plain(predicted));
    if given_words.is_empty() && words::plain(reference) != given_words {
        return if predicted.contains(['(', '[', '{', '*']) && gold_words.is_empty() { None } else { Some(false) };
    }
    if exact(reference) == exact(predicted) {
        return Some(true);
    }
    let wordy = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count() > 2;
    if gold_words == given_words && wordy(&gold_words) && !words::formula(reference) && !words::formula(predicted) {
        return Some(true);
    }
    let letter = gold_words.len() == 1 && gold_words.chars().all(|c| c.is_ascii_alphabetic());
    if letter
        && reference.chars().any(|c| c.is_ascii_uppercase())
        && let Some(choice) = words::choice(predicted)
    {
        return Some(choice.eq_ignore_ascii_case(&char::from(gold_words.as_bytes()[0])));
    }
    let (gold, given) = (answers(reference, &gold_words), answers(predicted, &given_words));
    if gold.is_empty() {
        return as_words(reference, predicted, &gold_words, &given_words);
    }
    if given.is_empty() {
        if gold_words == given_words {
            return Some(true);
        }
        return unread(&gold, predicted);
    }
    let mut all = Some(false);
    for gold in &gold {
        for given in &given {
            if matches!((gold.unit, given.unit), (Some(a), Some(b)) if a != b) {
                continue;
            }
            let result = match (&gold.measure, &given.measure) {
                (Some(a), Some(b)) if a != b => converted(gold, given, (a, b)),
                _ => same(&gold.answer, &given.answer, 0),
            };
            match result {
                Some(true) => return Some(true),
                Some(false) => {}
                None => all = None,
            }
        }
    }
    all
}

/// Whether a text can be a reference at all: it is read as mathematics, or it is words and no formula.
pub fn readable(reference: &str) -> bool {
    let plain = words::plain(reference);
    !plain.is_empty() && (!answers(reference, &plain).is_empty() || !words::formula(reference))
}

/// Whether a text is read as mathematics, as opposed to words.
pub fn mathematical(text: &str) -> bool {
    !answers(text, &words::plain(text)).is_empty()
}

fn answers(text: &str, plain: &str) -> Vec<Reading> {
    let named = if words::nothing(plain) {
        Some(Answer::Set(Vec::new()))
    } else if words::everything(plain) {
        let low = Expr::Negative(Box::new(Expr::Infinity));
        Some(Answer::Interval(low, false, Expr::Infinity, false))
    } else {
        counted(plain)
    };
    match named {
        Some(answer) => vec![Reading { answer, unit: None, measure: None }],
        None => readings(text),
    }
}

/// A number in words, alone or with one word of what is counted.
fn counted(plain: &str) -> Option<Answer> {
    let number = |text: &str| units::english(text).map(|value| Answer::Scalar(Expr::integer(value)));
    number(plain).or_else(|| {
        let (head, last) = plain.rsplit_once(' ')?;
        (last.len() > 2 && units::unit(last) && units::magnitude(last).is_none()).then(|| number(head))?
    })
}

/// Two readings with units of measurement that differ: of one kind they are converted; of two kinds only the numbers refute.
fn converted(gold: &Reading, given: &Reading, units: (&Measure, &Measure)) -> Option<bool> {
    let (a, b) = units;
    if let (Answer::Scalar(x), Answer::Scalar(y)) = (&gold.answer, &given.answer)
        && a.dimensions == b.dimensions
    {
        let scaled = |expr: &Expr, factor: Rational| Expr::Product(vec![expr.clone(), Expr::Number(factor, false)]);
        return scalars(&scaled(x, a.factor), &scaled(y, b.factor));
    }
    if same(&gold.answer, &given.answer, 0) == Some(false) { Some(false) } else { None }
}

/// The text without white space around it.
fn exact(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

fn as_words(reference: &str, predicted: &str, gold: &str, given: &str) -> Option<bool> {
    if gold == given {
        return Some(true);
    }
    if words::formula(reference) || gold.is_empty() {
        return None;
    }
    let parts = |text: &str| -> Vec<String> {
        text.split([',', ';']).map(|part| words::plain(part.trim().trim_start_matches("and "))).collect()
    };
    let (mut a, mut b) = (parts(gold), parts(given));
    if a.len() > 1 && a.len() == b.len() {
        if a == b {
            return Some(true);
        }
        a.sort();
        b.sort();
        // Whether the order matters only the question says.
        return if a == b { None } else { Some(false) };
    }
    if words::within(gold, given) || words::within(given, gold) && !given.is_empty() {
        return None;
    }
    // A formula where words were asked for might still name them.
    if predicted.contains('\\') && words::formula(predicted) && !mathematical(predicted) { None } else { Some(false) }
}

/// A prediction that is no mathematics, for a reference that is.
fn unread(gold: &[Reading], predicted: &str) -> Option<bool> {
    let folded = fold::fold(predicted);
    let short = folded.len() <= super::read::LONGEST;
    let tokens = lex(&folded, Commas::Groups).filter(|_| short)?;
    let single = gold.iter().any(|reading| matches!(reading.answer, Answer::Scalar(_) | Answer::Percent(_)));
    let numbers: Vec<Expr> = tokens
        .iter()
        .filter_map(|token| match token.piece {
            Piece::Number(value, decimal) => Some(Expr::Number(value, decimal)),
            _ => None,
        })
        .collect();
    let formula = tokens.iter().any(|token| match &token.piece {
        Piece::Command(_) | Piece::Begin(_) => true,
        Piece::Text(text) => text.chars().any(|c| c.is_ascii_digit() || c == '\\'),
        Piece::Symbol(c) => "^_=<>|+*/".contains(*c),
        _ => false,
    });
    if numbers.is_empty() && !formula {
        return Some(false);
    }
    let last =
        tokens.last().is_some_and(|token| matches!(token.piece, Piece::Symbol('+' | '-' | '*' | '/' | '^' | '=')));
    if single
        && (last
            || tokens.len() <= 3
                && tokens
                    .iter()
                    .all(|token| matches!(token.piece, Piece::Number(..) | Piece::Symbol('+' | '-' | '.' | ':'))))
    {
        return Some(false);
    }
    if !single || formula {
        return None;
    }
    // Words around numbers: the only number is the answer; of several none may be.
    let mut matched = false;
    for number in &numbers {
        for reading in gold {
            matched |= same(&reading.answer, &Answer::Scalar(number.clone()), 0) != Some(false);
        }
    }
    match (matched, numbers.len()) {
        (false, _) => Some(false),
        (true, 1) if !folded.contains('-') => Some(true),
        (true, _) => None,
    }
}

/// Three-valued and: false wins, then unknown.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn all(results: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut whole = Some(true);
    for result in results {
        whole = both(whole, result);
    }
    whole
}

fn any(results: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(false);
    for result in results {
        match result {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all = None,
        }
    }
    all
}

fn equations(signs: &[Sign]) -> bool {
    signs.iter().all(|sign| *sign == Sign::Equal)
}

fn same(gold: &Answer, given: &Answer, depth: usize) -> Option<bool> {
    if depth > 12 {
        return None;
    }
    let deeper = depth + 1;
    let hundredth = |expr: &Expr| Expr::Quotient(Box::new(expr.clone()), Box::new(Expr::integer(100)));
    match (gold, given) {
        (Answer::Relation(sides, signs), Answer::Relation(other_sides, other_signs)) => {
            relations(sides, signs, other_sides, other_signs)
        }
        (_, Answer::Relation(sides, signs)) if equations(signs) => {
            same(gold, &Answer::Scalar(sides.last()?.clone()), deeper)
        }
        (Answer::Relation(sides, signs), _) if equations(signs) && matches!(sides.first(), Some(Expr::Variable(_))) => {
            same(&Answer::Scalar(sides.last()?.clone()), given, deeper)
        }
        (Answer::Relation(_, signs), _) if !equations(signs) => match (reals(gold), reals(given)) {
            (Some(gold), Some(given)) => same_reals(&gold, &given),
            (None, Some(_)) => None,
            _ => Some(false),
        },
        (Answer::Scalar(a), Answer::Scalar(b)) => scalars(a, b),
        (Answer::Percent(a), Answer::Percent(b)) => scalars(a, b),
        (Answer::Percent(a), Answer::Scalar(b)) => any([scalars(a, b), scalars(&hundredth(a), b)]),
        (Answer::Scalar(a), Answer::Percent(b)) => any([scalars(a, b), scalars(a, &hundredth(b))]),
        (Answer::Matrix(a), Answer::Matrix(b)) => {
            if a.len() != b.len() || a.iter().zip(b).any(|(a, b)| a.len() != b.len()) {
                return Some(false);
            }
            let pairs = a.iter().flatten().zip(b.iter().flatten());
            all(pairs.map(|(a, b)| scalars(a, b)))
        }
        (Answer::Matrix(rows), Answer::Tuple(parts) | Answer::List(parts))
        | (Answer::Tuple(parts) | Answer::List(parts), Answer::Matrix(rows)) => {
            // A column may be meant as a tuple.
            let flat: Vec<Answer> = rows.iter().flatten().cloned().map(Answer::Scalar).collect();
            match ordered(&flat, parts, deeper) {
                Some(false) => Some(false),
                _ => None,
            }
        }
        (Answer::Set(a) | Answer::List(a), b) if a.len() == 1 && single(b) => same(&a[0], b, deeper),
        (a, Answer::Set(b) | Answer::List(b)) if b.len() == 1 && single(a) => same(a, &b[0], deeper),
        (Answer::Set(a) | Answer::List(a), Answer::Set(b) | Answer::List(b)) => {
            let unordered = match (assigned(a), assigned(b)) {
                // Of `x = 1, y = 2` and bare numbers the order of the names is the order of the numbers, if any.
                (Some(values), None) | (None, Some(values)) => {
                    let bare = if assigned(a).is_some() { b } else { a };
                    match (ordered(&values, bare, deeper), unordered(&values, bare, deeper)) {
                        (Some(true), _) => Some(true),
                        (_, Some(false)) => Some(false),
                        _ => None,
                    }
                }
                _ => unordered(a, b, deeper),
            };
            if [a, b].iter().any(|parts| parts.iter().any(ranges)) {
                any([unordered, unions(gold, given)])
            } else {
                unordered
            }
        }
        (Answer::Tuple(a), Answer::List(b)) if assigned(b).is_some() => ordered(a, &assigned(b)?, deeper),
        (Answer::List(a), Answer::Tuple(b)) if assigned(a).is_some() => ordered(&assigned(a)?, b, deeper),
        (Answer::Tuple(a), Answer::Tuple(b) | Answer::List(b)) | (Answer::List(a), Answer::Tuple(b)) => {
            ordered(a, b, deeper)
        }
        (Answer::Tuple(a), Answer::Set(b)) | (Answer::Set(a), Answer::Tuple(b)) => match unordered(a, b, deeper) {
            Some(false) => Some(false),
            _ => None,
        },
        (Answer::Interval(a, .., b, _), Answer::List(parts)) | (Answer::List(parts), Answer::Interval(a, .., b, _)) => {
            if unions(gold, given) == Some(true) {
                return Some(true);
            }
            // `[1, 2]` may be a list in brackets.
            let ends = [Answer::Scalar(a.clone()), Answer::Scalar(b.clone())];
            match ordered(&ends, parts, deeper) {
                Some(false) => Some(false),
                _ => None,
            }
        }
        (Answer::Interval(..) | Answer::Union(_), Answer::Relation(..)) => Some(false),
        (Answer::Interval(a, closed, b, also), Answer::Interval(c, other, d, too)) => {
            if !a.open() && !b.open() && !c.open() && !d.open() {
                return unions(gold, given);
            }
            if (closed, also) != (other, too) {
                return Some(false);
            }
            both(scalars(a, c), scalars(b, d))
        }
        (
            Answer::Interval(..) | Answer::Union(_) | Answer::Set(_) | Answer::Tuple(_) | Answer::List(_),
            Answer::Interval(..) | Answer::Union(_) | Answer::Set(_) | Answer::Tuple(_),
        ) => unions(gold, given),
        _ => Some(false),
    }
}

/// Whether an answer may be a set of reals that is no single point.
fn ranges(answer: &Answer) -> bool {
    match answer {
        Answer::Interval(..) | Answer::Union(_) => true,
        Answer::Relation(_, signs) => !equations(signs),
        Answer::Set(parts) | Answer::List(parts) => parts.iter().any(ranges),
        _ => false,
    }
}

/// The values of a list that assigns one to each of several names, in the order of the names.
fn assigned(parts: &[Answer]) -> Option<Vec<Answer>> {
    let mut values: Vec<(&str, Answer)> = parts
        .iter()
        .map(|part| match part {
            Answer::Relation(sides, signs) if equations(signs) => match (sides.first()?, sides.last()?) {
                (Expr::Variable(name), value) => Some((name.as_str(), Answer::Scalar(value.clone()))),
                _ => None,
            },
            _ => None,
        })
        .collect::<Option<_>>()?;
    values.sort_by_key(|(name, _)| *name);
    let distinct = values.windows(2).all(|pair| pair[0].0 != pair[1].0);
    (distinct && values.len() > 1).then(|| values.into_iter().map(|(_, value)| value).collect())
}

fn single(answer: &Answer) -> bool {
    matches!(answer, Answer::Scalar(_) | Answer::Percent(_) | Answer::Tuple(_) | Answer::Relation(..))
}

fn unions(gold: &Answer, given: &Answer) -> Option<bool> {
    match (reals(gold), reals(given)) {
        (Some(gold), Some(given)) => same_reals(&gold, &given),
        (None, None) => None,
        _ => Some(false),
    }
}

fn ordered(a: &[Answer], b: &[Answer], depth: usize) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    all(a.iter().zip(b).map(|(a, b)| same(a, b, depth)))
}

/// Whether two lists hold the same elements, an element written twice counted once.
fn unordered(a: &[Answer], b: &[Answer], depth: usize) -> Option<bool> {
    if a.len() > LONGEST || b.len() > LONGEST {
        return None;
    }
    let table: Vec<Vec<Option<bool>>> = a.iter().map(|x| b.iter().map(|y| same(x, y, depth)).collect()).collect();
    let rows = table.iter().map(|row| any(row.iter().copied()));
    let columns = (0..b.len()).map(|at| any(table.iter().map(|row| row[at])));
    all(rows.chain(columns))
}

/// Relations: the same sides up to a factor, in either direction.
fn relations(gold: &[Expr], signs: &[Sign], given: &[Expr], other: &[Sign]) -> Option<bool> {
    let named = |sides: &[Expr]| matches!(sides.first(), Some(Expr::Variable(_)));
    if equations(signs) && equations(other) && named(gold) && named(given) {
        let result = both(scalars(&gold[0], &given[0]), scalars(gold.last()?, given.last()?));
        if result == Some(true) {
            return result;
        }
    }
    let pairs = |sides: &[Expr], signs: &[Sign]| -> Vec<(Expr, Sign)> {
        let ends: Vec<(&Expr, &Expr, Sign)> = if equations(signs) && named(sides) && sides.len() > 2 {
            vec![(&sides[0], &sides[sides.len() - 1], Sign::Equal)]
        } else {
            sides.windows(2).zip(signs).map(|(pair, sign)| (&pair[0], &pair[1], *sign)).collect()
        };
        ends.into_iter()
            .map(|(left, right, sign)| {
                let (a, b, sign) = match sign {
                    Sign::Greater | Sign::GreaterEqual => (right, left, sign.flipped()),
                    sign => (left, right, sign),
                };
                (Expr::Sum(vec![a.clone(), Expr::Negative(Box::new(b.clone()))]), sign)
            })
            .collect()
    };
    let (a, b) = (pairs(gold, signs), pairs(given, other));
    let both_sets = || {
        let gold = reals(&Answer::Relation(gold.to_vec(), signs.to_vec()));
        let given = reals(&Answer::Relation(given.to_vec(), other.to_vec()));
        match (gold, given) {
            (Some(gold), Some(given)) => same_reals(&gold, &given),
            _ => None,
        }
    };
    let variables = |sides: &[Expr]| {
        let mut names: Vec<String> = sides.iter().flat_map(Expr::variables).collect();
        names.sort();
        names.dedup();
        names
    };
    if variables(gold) != variables(given) {
        // `x < 3` and `y < 3` speak of different things.
        return Some(false);
    }
    if a.len() == b.len() {
        let direct = all(a.iter().zip(&b).map(|((a, s), (b, t))| proportional(a, *s, b, *t)));
        let reversed = all(a.iter().zip(b.iter().rev()).map(|((a, s), (b, t))| proportional(a, *s, b, *t)));
        match any([direct, reversed]) {
            Some(true) => return Some(true),
            Some(false) => return both_sets().or(Some(false)),
            None => {}
        }
    }
    both_sets()
}

/// Whether `a sign 0` and `b sign 0` say the same because one side is a multiple of the other.
fn proportional(a: &Expr, sign: Sign, b: &Expr, other: Sign) -> Option<bool> {
    if sign != other {
        return Some(false);
    }
    let mut budget = Budget(WORK);
    let (x, y) = (canonical(a, &mut budget)?, canonical(b, &mut budget)?);
    let constant = |expr: &Quotient| !expr.above.is_empty();
    if !constant(&x) || !constant(&y) {
        return if constant(&x) == constant(&y) { Some(true) } else { None };
    }
    // The ratio at one point, as an exact number if it is one there.
    let point = |name: &str| coordinate(name, 3);
    let ratio = value(a, &point).over(value(b, &point));
    if !ratio.finite() || ratio.im != 0.0 {
        return None;
    }
    let ordered = matches!(sign, Sign::Less | Sign::LessEqual);
    let holds = (0..6u32).all(|round| {
        let point = |name: &str| coordinate(name, round + 10);
        let (a, b) = (value(a, &point), value(b, &point));
        let scaled = b.times(ratio);
        !a.finite() || !scaled.finite() || a.minus(scaled).size() <= 1e-9 * a.size().max(scaled.size()).max(1e-9)
    });
    if holds {
        // Terms of the same quotient: proven by dividing through by the leading coefficients.
        let (leading, other) = (x.above.values().next_back()?, y.above.values().next_back()?);
        let scale = |quotient: &Quotient, factor: Rational| -> Option<Quotient> {
            let above =
                quotient.above.iter().map(|(m, c)| Some((m.clone(), c.over(factor)?))).collect::<Option<_>>()?;
            Some(Quotient { above, below: quotient.below.clone() })
        };
        let difference = difference(&scale(&x, *leading)?, &scale(&y, *other)?, &mut budget)?;
        if !difference.is_empty() {
            return None;
        }
        return if ordered && ratio.re < 0.0 { Some(false) } else { Some(true) };
    }
    // Two lines, or two half-planes, that are no multiples of each other are different; of other curves this is not enough.
    let linear = |quotient: &Quotient| {
        quotient.below.len() == 1
            && quotient.below.keys().all(std::collections::BTreeMap::is_empty)
            && quotient
                .above
                .keys()
                .all(|monomial| monomial.len() <= 1 && monomial.values().all(|exponent| *exponent == Rational::ONE))
    };
    if linear(&x) && linear(&y) || sign == Sign::Equal && (apart(a, b) || apart(b, a)) { Some(false) } else { None }
}

/// Whether a point is found at which `a` is zero and `b` is clearly not, so that the equations `a = 0` and `b = 0` differ.
fn apart(a: &Expr, b: &Expr) -> bool {
    let Some(free) = a.variables().into_iter().next() else { return false };
    (0..4u32).any(|round| {
        let at =
            |expr: &Expr, x: f64| value(expr, &|name: &str| if name == free { x } else { coordinate(name, round) });
        let real = |x: f64| Some(at(a, x)).filter(|value| value.finite() && value.im == 0.0).map(|value| value.re);
        // Steps that hit no round number, so that a zero lies between two of them.
        let steps = (-60..60).map(|step| (f64::from(step) * 0.317, f64::from(step + 1) * 0.317));
        steps.into_iter().any(|(mut low, mut high)| {
            let (Some(start), Some(end)) = (real(low), real(high)) else { return false };
            if start * end >= 0.0 {
                return false;
            }
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                match real(middle) {
                    Some(value) if value * start > 0.0 => low = middle,
                    Some(_) => high = middle,
                    None => return false,
                }
            }
            // A pole changes its sign too, but is no zero.
            let zero = real(low).is_some_and(|value| value.abs() < 1e-9 * start.abs().max(end.abs()));
            let (there, beside) = (at(b, low), at(b, low + 0.317));
            zero && there.finite() && there.size() > 1e-6 * beside.size().max(1.0)
        })
    })
}

/// Whether two scalar expressions are equal: proven by the canonical form, refuted by their values.
pub(crate) fn scalars(a: &Expr, b: &Expr) -> Option<bool> {
    let none = |_: &str| f64::NAN;
    let closed = !a.open() && !b.open();
    if closed {
        let (x, y) = (value(a, &none), value(b, &none));
        let infinite = |value: super::complex::Complex| value.re.is_infinite();
        if infinite(x)
            && infinite(y)
            && a.any(&|part| *part == Expr::Infinity)
            && b.any(&|part| *part == Expr::Infinity)
        {
            return Some(x.re == y.re);
        }
        let broken = |expr: &Expr, value: super::complex::Complex| {
            !value.finite()
                && !expr.any(&|part| {
                    matches!(part, Expr::Function(..) | Expr::Factorial(_) | Expr::Power(..) | Expr::Huge(_))
                })
        };
        if x.finite() && broken(b, y) || y.finite() && broken(a, x) {
            return Some(false);
        }
    }
    let mut budget = Budget(WORK);
    let (x, y) = (canonical(a, &mut budget), canonical(b, &mut budget));
    let rounded = a.decimal() || b.decimal();
    if let (Some(x), Some(y)) = (&x, &y) {
        if let (Some(x), Some(y)) = (plain(x), plain(y)) {
            return Some(if rounded { x.near(y) } else { x == y });
        }
        if let Some(zero) = difference(x, y, &mut budget)
            && towers::zero(&zero, &mut budget)
            && !differ(a, b)
            && sound(a)
            && sound(b)
        {
            return Some(true);
        }
    }
    if closed && rounded {
        let (x, y) = (value(a, &none), value(b, &none));
        if x.finite() && y.finite() && x.im == 0.0 && y.im == 0.0 && x.re.abs() < 1e9 {
            let places = |value: f64| (value * 1e6).round();
            return Some(places(x.re) == places(y.re) && places(x.re).abs() >= 100.0);
        }
    }
    if differ(a, b) { Some(false) } else { None }
}

fn plain(quotient: &Quotient) -> Option<Rational> {
    let number = |poly: &super::symbolic::Poly| match poly.iter().next() {
        None => Some(Rational::ZERO),
        Some((monomial, coefficient)) => (poly.len() == 1 && monomial.is_empty()).then_some(*coefficient),
    };
    number(&quotient.above)?.over(number(&quotient.below)?)
}

/// Whether an expression has a value at most points: an expression without one equals nothing.
fn sound(expr: &Expr) -> bool {
    if expr.any(&|part| matches!(part, Expr::Function("log", _))) {
        return true;
    }
    // A power too large for a double is a value too, as nothing is divided by zero in it.
    let divides = expr.any(&|part| matches!(part, Expr::Quotient(..) | Expr::Infinity | Expr::Function(..)));
    (0..6).any(|round| {
        let at = value(expr, &|name: &str| coordinate(name, round));
        at.finite() || !divides && !at.re.is_nan() && at.im == 0.0
    })
}
