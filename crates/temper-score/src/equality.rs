//! Whether two final answers are the same: numbers as exact fractions, lists element by element, the rest as text.

use std::sync::LazyLock;

use regex::Regex;

use crate::rational::Rational;

/// Whether a predicted final answer equals the reference; `None` where only algebra could tell.
///
/// Numbers are compared as exact fractions: 1,000 = 1000, 3.0 = 3, 1/2 = 0.5 = `\frac{1}{2}`, `1 1/2` = 1.5; currency signs,
/// dollar signs of LaTeX and units are dropped; 10 % equals both 10 and 0.1. A reference that is a number asks for a number:
/// anything else is wrong. Lists are compared element by element, in order. Other answers are compared as text without regard
/// to case, white space, enclosing quotes, `\text{…}` and a final stop.
pub fn equal(reference: &str, predicted: &str) -> Option<bool> {
    let (gold, given) = (clean(reference), clean(predicted));
    if gold == given {
        return Some(true);
    }
    if let Some(gold) = number(&gold) {
        return Some(number(&given).is_some_and(|given| gold.same(given)));
    }
    if let (Some(gold), Some(given)) = (list(&gold), list(&given)) {
        if gold.len() != given.len() {
            return Some(false);
        }
        let each: Vec<Option<bool>> = gold.iter().zip(&given).map(|(a, b)| equal(a, b)).collect();
        return if each.contains(&Some(false)) {
            Some(false)
        } else {
            each.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
        };
    }
    if plain(&gold) == plain(&given) {
        return Some(true);
    }
    let undecided = formula(&gold) && (formula(&given) || number(&given).is_some());
    if undecided { None } else { Some(false) }
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: Rational,
    percent: bool,
}

impl Number {
    fn same(self, other: Self) -> bool {
        let hundredth = |number: Number| Rational::ten_to(-2).and_then(|h| number.value.times(h));
        self.value.same(other.value)
            || self.percent != other.percent && {
                let (percent, plain) = if self.percent { (self, other) } else { (other, self) };
                hundredth(percent).is_some_and(|value| value.same(plain.value))
            }
    }
}

fn pattern(source: &str) -> Regex {
    #[allow(clippy::expect_used, reason = "the patterns are constants of this file and covered by its tests")]
    Regex::new(source).expect("a constant pattern")
}

/// Brings spellings of the same answer together without changing what it says.
fn clean(text: &str) -> String {
    let mut text: String = text
        .chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '\u{2212}' => '-',
            '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{3000}' => ' ',
            '\u{2019}' => '\'',
            _ => c,
        })
        .collect();
    for (from, to) in [
        ("{,}", ","),
        ("\\!", ""),
        ("\\,", " "),
        ("\\;", " "),
        ("\\:", " "),
        ("\\ ", " "),
        ("~", " "),
        ("\\%", "%"),
        ("\\$", "$"),
        ("\\left", ""),
        ("\\right", ""),
        ("\\dfrac", "\\frac"),
        ("\\tfrac", "\\frac"),
        ("^{\\circ}", ""),
        ("^\\circ", ""),
        ("°", ""),
        ("**", ""),
    ] {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    let mut text = text.trim();
    loop {
        let before = text;
        text = text.trim_end_matches(['.', ',', ';', '。', '、']).trim();
        for (open, close) in
            [("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$"), ("\"", "\""), ("'", "'"), ("“", "”"), ("`", "`")]
        {
            if text.len() > open.len() + close.len()
                && let Some(inner) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close))
            {
                text = inner.trim();
            }
        }
        for command in ["\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\boxed{", "{"] {
            if let Some(inner) = text.strip_prefix(command).and_then(|rest| rest.strip_suffix('}'))
                && !inner.contains(['{', '}'])
            {
                text = inner.trim();
            }
        }
        if text == before {
            break;
        }
    }
    static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z](?:_\{?\w+\}?)?\s*=\s*([^=]+)$"));
    match ASSIGNED.captures(text) {
        Some(parts) => parts[1].trim().to_owned(),
        None => text.to_owned(),
    }
}

/// A cleaned text as a number, if it is one with at most a currency sign, a percent sign, a word of magnitude and a unit.
fn number(text: &str) -> Option<Number> {
    static START: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([+-]?)\s*[$€£¥]?\s*([+-]?)\s*"));
    let start = START.captures(text)?;
    if !start[1].is_empty() && !start[2].is_empty() {
        return None;
    }
    let negative = &start[1] == "-" || &start[2] == "-";
    let (value, rest) = magnitude(&text[start[0].len()..])?;
    let (value, rest) = power(value, rest)?;
    let (value, rest) = named_power(value, rest)?;
    let rest = rest.trim();
    static PERCENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^(%|per ?cent)$"));
    let percent = PERCENT.is_match(rest);
    if !percent && !unit(rest) {
        return None;
    }
    let value = if negative { value.negated()? } else { value };
    Some(Number { value, percent })
}

/// The unsigned number a text starts with, and what follows: a decimal, a fraction, or a mixed number.
fn magnitude(text: &str) -> Option<(Rational, &str)> {
    const DECIMAL: &str = r"(?:\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)";
    static MIXED: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^(\d+)(?:\s*\\frac\{?(\d+)\}?\{?(\d+)\}?|\s+(\d+)\s*/\s*(\d+))"));
    static LATEX: LazyLock<Regex> =
        LazyLock::new(|| pattern(&format!(r"^\\frac(?:\{{\s*(-?{DECIMAL})\s*\}}\{{\s*({DECIMAL})\s*\}}|(\d)(\d))")));
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| pattern(&format!(r"^({DECIMAL})(?:\s*/\s*({DECIMAL}))?")));
    let read = |part: &str| {
        let digits: String = part.chars().filter(|c| !matches!(c, ',' | ' ' | '-')).collect();
        let value = Rational::decimal(&digits)?;
        if part.starts_with('-') { value.negated() } else { Some(value) }
    };
    if let Some(parts) = MIXED.captures(text) {
        let part = |at: usize, other: usize| parts.get(at).or(parts.get(other)).and_then(|m| read(m.as_str()));
        let value = part(1, 1)?.plus(part(2, 4)?.over(part(3, 5)?)?)?;
        return Some((value, &text[parts[0].len()..]));
    }
    if let Some(parts) = LATEX.captures(text) {
        let part = |at: usize, other: usize| parts.get(at).or(parts.get(other)).and_then(|m| read(m.as_str()));
        return Some((part(1, 3)?.over(part(2, 4)?)?, &text[parts[0].len()..]));
    }
    let parts = PLAIN.captures(text)?;
    let value = read(&parts[1])?;
    let value = match parts.get(2) {
        Some(below) => value.over(read(below.as_str())?)?,
        None => value,
    };
    // A digit or a point straight after the number means that the whole is something else, such as a date or 1,23.
    let rest = &text[parts[0].len()..];
    if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',') { None } else { Some((value, rest)) }
}

/// `1.5e3`, `1.5 × 10^3`, `1.5 \times 10^{3}`.
fn power(value: Rational, rest: &str) -> Option<(Rational, &str)> {
    static POWER: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^(?:[eE]([+-]?\d{1,3})|\s*(?:\\times|\\cdot|×|\*)\s*10\^(?:\{([+-]?\d{1,3})\}|(\d)))")
    });
    match POWER.captures(rest) {
        None => Some((value, rest)),
        Some(parts) => {
            let exponent = parts.get(1).or(parts.get(2)).or(parts.get(3))?.as_str();
            let value = value.times(Rational::ten_to(exponent.parse().ok()?)?)?;
            Some((value, &rest[parts[0].len()..]))
        }
    }
}

/// `5 million`, `3万`.
fn named_power(value: Rational, rest: &str) -> Option<(Rational, &str)> {
    static NAMED: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)^\s*(?:(dozen|hundred|thousand|million|billion|trillion)s?\b|(百|千|万|亿))"));
    let Some(parts) = NAMED.captures(rest) else {
        return Some((value, rest));
    };
    let factor = match parts.get(1).or(parts.get(2))?.as_str().to_ascii_lowercase().as_str() {
        "dozen" => Rational::new(12, 1)?,
        "hundred" | "百" => Rational::ten_to(2)?,
        "thousand" | "千" => Rational::ten_to(3)?,
        "万" => Rational::ten_to(4)?,
        "million" => Rational::ten_to(6)?,
        "亿" => Rational::ten_to(8)?,
        "billion" => Rational::ten_to(9)?,
        _ => Rational::ten_to(12)?,
    };
    Some((value.times(factor)?, &rest[parts[0].len()..]))
}

/// Whether what follows a number is nothing or a unit: up to four words without digits that do not change the number.
fn unit(rest: &str) -> bool {
    static WRAPPED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\\(?:text|mathrm)\{([^{}]*)\}"));
    static UNIT: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^[\p{L}µΩ€£¥$'/.\s-]*(?:\^\{?[23]\}?|[²³])?[\p{L}/.\s]*$"));
    const NOT_UNITS: [&str; 14] =
        ["or", "and", "to", "plus", "minus", "times", "over", "pi", "π", "i", "sqrt", "remainder", "x", "e"];
    const LETTERS: &str = "mgshlLtWVNJKCFA";
    let rest = WRAPPED.replace_all(rest, "$1");
    let rest = rest.trim();
    if rest.is_empty() {
        return true;
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    rest.contains(|c: char| c.is_alphabetic() || "€£¥$'".contains(c))
        && UNIT.is_match(rest)
        && words.len() <= 4
        && !words.iter().any(|word| NOT_UNITS.contains(&word.to_lowercase().as_str()))
        && !words
            .iter()
            .any(|word| word.len() == 1 && word.chars().all(|c| c.is_ascii_alphabetic() && !LETTERS.contains(c)))
}

/// The elements of a list such as `1, 2`, `(1, 2)` or `{甲、乙}`, at least two of them.
fn list(text: &str) -> Option<Vec<String>> {
    let inner = [("(", ")"), ("[", "]"), ("\\{", "\\}"), ("{", "}")]
        .iter()
        .find_map(|(open, close)| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)))
        .unwrap_or(text);
    if inner.contains(['(', '[', '{']) && !inner.contains("\\frac") {
        return None;
    }
    let elements: Vec<String> = inner.split([',', ';', '、']).map(|element| element.trim().to_owned()).collect();
    (elements.len() >= 2 && elements.iter().all(|element| !element.is_empty())).then_some(elements)
}

/// A text answer without what does not matter: case, white space, enclosing brackets.
fn plain(text: &str) -> String {
    let text = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a text looks like mathematics that equality of text cannot settle.
fn formula(text: &str) -> bool {
    static FORMULA: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\\^=+*<>√π∞≤≥]|\d[A-Za-z(]|[A-Za-z)]\d|\d\s*/|\d-"));
    FORMULA.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(gold: &str, predicted: &str) {
        assert_eq!(equal(gold, predicted), Some(true), "{gold} and {predicted}");
    }

    fn different(gold: &str, predicted: &str) {
        assert_eq!(equal(gold, predicted), Some(false), "{gold} and {predicted}");
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for (gold, predicted) in [
            ("1000", "1,000"),
            ("1000", "1{,}000"),
            ("1000", "1\\,000"),
            ("1000", "1 000.0"),
            ("3", "3.0"),
            ("3", "3."),
            ("3", "+3"),
            ("-3", "−3"),
            ("0.5", "1/2"),
            ("1/2", ".5"),
            ("0.5", "\\frac{1}{2}"),
            ("0.5", "\\dfrac12"),
            ("-0.5", "-\\frac{1}{2}"),
            ("1.5", "1 1/2"),
            ("1.5", "1\\frac{1}{2}"),
            ("1/3", "0.333333"),
            ("18", "$18"),
            ("18", "\\$18.00"),
            ("18", "$18$"),
            ("-18", "-$18"),
            ("18", "18 dollars"),
            ("18", "€18"),
            ("18", "18元"),
            ("18", "18 \\text{ cm}"),
            ("18", "18\\text{cm}^2"),
            ("18", "18 km/h"),
            ("18", "18 m"),
            ("90", "90^\\circ"),
            ("10", "10%"),
            ("0.1", "10\\%"),
            ("10%", "0.1"),
            ("10%", "10 percent"),
            ("5000000", "5 million"),
            ("50000", "5万"),
            ("1500", "1.5 \\times 10^3"),
            ("1500", "1.5e3"),
            ("5", "x = 5"),
            ("5", "**5**"),
            ("5", "\\text{5}"),
            ("5", "５"),
            ("123456789012345678901234567890123456789012345", "123456789012345678901234567890123456789012345"),
        ] {
            same(gold, predicted);
        }
    }

    #[test]
    fn other_numbers_differ() {
        for (gold, predicted) in [
            ("1000", "1,00"),
            ("3", "3.01"),
            ("0.5", "1/3"),
            ("0.333", "1/3"),
            ("3", "-3"),
            ("3", "3 or 4"),
            ("3", "3 and 1/2"),
            ("2", "2x"),
            ("2", "2 x"),
            ("2", "2\\pi"),
            ("2", "2 pi"),
            ("5", "5 million"),
            ("10%", "0.2"),
            ("10%", "1000%"),
            ("12", "12/"),
            ("12", "1.2.3"),
            ("12", "12:30"),
            ("1", "1/0"),
            ("4", ""),
            ("4", "four"),
            ("4", "--4"),
            ("4", "3, 4"),
            ("0", "no"),
        ] {
            different(gold, predicted);
        }
    }

    #[test]
    fn texts_lists_and_formulas() {
        same("Monday", " monday. ");
        same("Monday", "\\text{Monday}");
        same("yes", "\"Yes\"");
        same("星期一", "星期一。");
        same("B", "(B)");
        same("New York", "new  york");
        different("Monday", "Tuesday");
        different("yes", "1");
        same("(1, 2)", "(1.0,2)");
        same("1, 1/2", "1, 0.5");
        same("Anna, Ben", "anna,Ben");
        different("(1, 2)", "(2, 1)");
        different("(1, 2)", "(1, 2, 3)");
        same("x^2+1", "x^2+1");
        same("\\sqrt{2}", "$\\sqrt{2}$");
        assert_eq!(equal("x^2+1", "1+x^2"), None);
        assert_eq!(equal("\\sqrt{4}", "2"), None);
        assert_eq!(equal("(1, x^2)", "(1, x*x)"), None);
        different("(1, x^2)", "(2, x*x)");
        different("\\sqrt{4}", "no idea");
    }
}
