//! Units of measurement: what they measure, and how many of the base unit they are.

use std::collections::BTreeMap;

use super::lex::{Piece, Token};
use super::rational::Rational;

/// What is measured: powers of base dimensions, and the factor to their base units.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measure {
    pub(crate) dimensions: BTreeMap<&'static str, i32>,
    pub(crate) factor: Rational,
}

/// The measure that the unit at the end of an answer names, all of it; `None` for words that are no unit known here, such as
/// `apples`, and for units that stand for themselves alone.
pub(crate) fn measure(tokens: &[Token]) -> Option<Measure> {
    let mut text = String::new();
    for token in tokens {
        match &token.piece {
            Piece::Letters(word) | Piece::Text(word) => {
                text.push(' ');
                text.push_str(word);
            }
            Piece::Number(value, _) => text.push_str(&value.whole()?.to_string()),
            Piece::Symbol(c @ ('^' | '*' | '/' | '-')) => text.push(*c),
            Piece::Symbol('{' | '}' | '(' | ')' | '.') => {}
            Piece::Command(name) if name == "cdot" || name == "times" => text.push('*'),
            _ => return None,
        }
    }
    let mut found = Measure { dimensions: BTreeMap::new(), factor: Rational::ONE };
    let (mut sign, mut power) = (1, 1);
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        if c == '/' || c == '*' || c == '·' {
            sign = if c == '/' { -1 } else { sign };
            rest = rest[c.len_utf8()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        match word {
            "" => return None,
            "per" => {
                sign = -1;
                continue;
            }
            "square" | "sq" => {
                power = 2;
                continue;
            }
            "cubic" | "cu" => {
                power = 3;
                continue;
            }
            "squared" | "cubed" => return None,
            _ => {}
        }
        if let Some(raised) = rest.strip_prefix('^').or_else(|| rest.starts_with(['2', '3']).then_some(rest)) {
            let end =
                raised.char_indices().skip(1).find(|(_, c)| !c.is_ascii_digit()).map_or(raised.len(), |(at, _)| at);
            power *= raised[..end].parse::<i32>().ok().filter(|power| (-4..=4).contains(power))?;
            rest = raised[end..].trim_start();
        }
        for (dimension, exponent, (above, below)) in unit(word)? {
            let exponent = exponent * power * sign;
            *found.dimensions.entry(dimension).or_default() += exponent;
            let factor = Rational::new(above, below)?;
            for _ in 0..exponent.unsigned_abs() {
                found.factor = if exponent > 0 { found.factor.times(factor)? } else { found.factor.over(factor)? };
            }
        }
        power = 1;
    }
    found.dimensions.retain(|_, exponent| *exponent != 0);
    (!found.dimensions.is_empty()).then_some(found)
}

type Factor = (&'static str, i32, (i128, i128));

/// A unit as powers of base units: metres, grams, seconds, months, US cents. The factor is that of the dimension to the power of one.
fn unit(word: &str) -> Option<Vec<Factor>> {
    const METRE: &str = "length";
    let length = |above, below| Some(vec![(METRE, 1, (above, below))]);
    let mass = |above, below| Some(vec![("mass", 1, (above, below))]);
    let time = |above, below| Some(vec![("time", 1, (above, below))]);
    let months = |count| Some(vec![("months", 1, (count, 1))]);
    let money = |cents| Some(vec![("money", 1, (cents, 1))]);
    match word {
        "nm" => length(1, 1_000_000_000),
        "mm" | "millimeter" | "millimeters" | "millimetre" | "millimetres" => length(1, 1000),
        "cm" | "centimeter" | "centimeters" | "centimetre" | "centimetres" => length(1, 100),
        "dm" => length(1, 10),
        "m" | "meter" | "meters" | "metre" | "metres" => length(1, 1),
        "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => length(1000, 1),
        "inch" | "inches" => length(254, 10_000),
        "ft" | "foot" | "feet" => length(3048, 10_000),
        "yd" | "yard" | "yards" => length(9144, 10_000),
        "mi" | "mile" | "miles" => length(1_609_344, 1000),
        "mg" | "milligram" | "milligrams" => mass(1, 1000),
        "g" | "gram" | "grams" => mass(1, 1),
        "kg" | "kilogram" | "kilograms" | "kilos" => mass(1000, 1),
        "tonne" | "tonnes" => mass(1_000_000, 1),
        "oz" | "ounce" | "ounces" => mass(45_359_237, 1_600_000),
        "lb" | "lbs" | "pound" | "pounds" => mass(45_359_237, 100_000),
        "ms" | "millisecond" | "milliseconds" => time(1, 1000),
        "s" | "sec" | "second" | "seconds" => time(1, 1),
        "min" | "mins" | "minute" | "minutes" => time(60, 1),
        "h" | "hr" | "hrs" | "hour" | "hours" => time(3600, 1),
        "day" | "days" => time(86_400, 1),
        "week" | "weeks" => time(604_800, 1),
        "month" | "months" => months(1),
        "year" | "years" => months(12),
        "cent" | "cents" => money(1),
        "dollar" | "dollars" => money(100),
        // Litres are cubes of a tenth of a metre; the factor is that of the cube's edge, so that only whole ones are listed.
        "l" | "L" | "liter" | "liters" | "litre" | "litres" => Some(vec![(METRE, 3, (1, 10))]),
        "ml" | "mL" | "milliliter" | "milliliters" | "millilitre" | "millilitres" => Some(vec![(METRE, 3, (1, 100))]),
        "mph" => Some(vec![(METRE, 1, (1_609_344, 1000)), ("time", -1, (3600, 1))]),
        "kmh" | "kph" => Some(vec![(METRE, 1, (1000, 1)), ("time", -1, (3600, 1))]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::super::lex::{Commas, lex};
    use super::*;

    #[test]
    fn factors() {
        let of = |text: &str| measure(&lex(&fold(text), Commas::Groups).unwrap());
        for (one, count, other) in [
            ("cm", 100.0, "m"),
            ("\\text{cm}^2", 10_000.0, "m^2"),
            ("square centimeters", 1.0, "cm²"),
            ("mL", 1.0, "\\text{cm}^{3}"),
            ("\\text{km/h}", 3.6, "m/s"),
            ("minutes", 60.0, "hours"),
            ("miles per hour", 1.0, "mph"),
            ("days", 7.0, "week"),
            ("inches", 12.0, "feet"),
        ] {
            let (small, large) = (of(one).unwrap(), of(other).unwrap());
            assert_eq!(small.dimensions, large.dimensions, "{one} and {other}");
            let ratio = large.factor.over(small.factor).unwrap().to_f64();
            assert!((ratio - count).abs() < 1e-12, "{one} and {other}: {ratio}");
        }
        for text in ["apples", "x", "m^9", "", "m +", "cm/cm"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
