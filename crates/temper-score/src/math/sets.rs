//! Sets of real numbers made of intervals, and relations as such sets.

use super::compare::scalars;
use super::expr::{Answer, Expr, Sign};
use super::numeric::value;

/// An end of an interval: its expression, its value, and whether it belongs to the set.
#[derive(Debug, Clone)]
struct End {
    expr: Expr,
    value: f64,
    closed: bool,
}

/// Disjoint intervals in ascending order.
pub(crate) struct Reals(Vec<(End, End)>);

fn end(expr: &Expr, closed: bool) -> Option<End> {
    if expr.open() {
        return None;
    }
    let at = value(expr, &|_| f64::NAN);
    (at.im == 0.0 && !at.re.is_nan()).then(|| End {
        expr: expr.clone(),
        value: at.re,
        closed: closed && at.re.is_finite(),
    })
}

/// The set of reals that an answer describes; `None` if it describes none or has ends with variables.
pub(crate) fn reals(answer: &Answer) -> Option<Reals> {
    let mut pieces = pieces(answer)?;
    pieces.retain(|(low, high)| low.value < high.value || low.value == high.value && low.closed && high.closed);
    pieces.sort_by(|a, b| a.0.value.total_cmp(&b.0.value).then(b.0.closed.cmp(&a.0.closed)));
    let mut joined: Vec<(End, End)> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some((_, high))
                if piece.0.value < high.value || near(piece.0.value, high.value) && (piece.0.closed || high.closed) =>
            {
                if piece.1.value > high.value || near(piece.1.value, high.value) && piece.1.closed {
                    *high = piece.1;
                }
            }
            _ => joined.push(piece),
        }
    }
    Some(Reals(joined))
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < 1e-12 * a.abs().max(b.abs())
}

fn pieces(answer: &Answer) -> Option<Vec<(End, End)>> {
    let infinite = || (Expr::Negative(Box::new(Expr::Infinity)), Expr::Infinity);
    match answer {
        Answer::Interval(low, low_closed, high, high_closed) => {
            Some(vec![(end(low, *low_closed)?, end(high, *high_closed)?)])
        }
        Answer::Tuple(parts) => match &parts[..] {
            [Answer::Scalar(low), Answer::Scalar(high)] => Some(vec![(end(low, false)?, end(high, false)?)]),
            _ => None,
        },
        Answer::Set(parts) => parts
            .iter()
            .map(|part| match part {
                Answer::Scalar(point) => Some((end(point, true)?, end(point, true)?)),
                _ => None,
            })
            .collect(),
        Answer::Union(parts) | Answer::List(parts) => {
            let mut all = Vec::new();
            for part in parts {
                if matches!((answer, part), (Answer::List(_), Answer::Scalar(_) | Answer::Tuple(_))) {
                    return None;
                }
                all.extend(pieces(part)?);
            }
            Some(all)
        }
        Answer::Relation(sides, signs) => {
            let variable = |expr: &Expr| matches!(expr, Expr::Variable(_));
            let (lowest, highest) = infinite();
            match (&sides[..], &signs[..]) {
                ([x, bound], [sign]) if variable(x) && !bound.open() => bounded(bound, *sign, lowest, highest),
                ([bound, x], [sign]) if variable(x) && !bound.open() => bounded(bound, sign.flipped(), lowest, highest),
                ([a, x, b], [first, second]) if variable(x) && !a.open() && !b.open() => {
                    let (low, high, first, second) = match (first, second) {
                        (Sign::Less | Sign::LessEqual, Sign::Less | Sign::LessEqual) => (a, b, first, second),
                        (Sign::Greater | Sign::GreaterEqual, Sign::Greater | Sign::GreaterEqual) => {
                            (b, a, second, first)
                        }
                        _ => return None,
                    };
                    let closed = |sign: &Sign| matches!(sign, Sign::LessEqual | Sign::GreaterEqual);
                    Some(vec![(end(low, closed(first))?, end(high, closed(second))?)])
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// `x sign bound`
fn bounded(bound: &Expr, sign: Sign, lowest: Expr, highest: Expr) -> Option<Vec<(End, End)>> {
    let low = end(&lowest, false)?;
    let high = end(&highest, false)?;
    Some(match sign {
        Sign::Less | Sign::LessEqual => vec![(low, end(bound, sign == Sign::LessEqual)?)],
        Sign::Greater | Sign::GreaterEqual => vec![(end(bound, sign == Sign::GreaterEqual)?, high)],
        Sign::Unequal => vec![(low, end(bound, false)?), (end(bound, false)?, high)],
        Sign::Equal => vec![(end(bound, true)?, end(bound, true)?)],
    })
}

/// Whether two sets are the same; `None` where an end cannot be decided.
pub(crate) fn same(a: &Reals, b: &Reals) -> Option<bool> {
    if a.0.len() != b.0.len() {
        return Some(false);
    }
    let mut all = Some(true);
    for ((low, high), (other_low, other_high)) in a.0.iter().zip(&b.0) {
        for (a, b) in [(low, other_low), (high, other_high)] {
            if a.closed != b.closed {
                return Some(false);
            }
            match scalars(&a.expr, &b.expr) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
    }
    all
}
