//! Words that follow a number: units, which change nothing, and magnitudes, which multiply.

use super::rational::Rational;

/// Units of one and two letters; longer words count as units unless they are mathematics.
const SHORT: &[&str] = &[
    "m", "g", "s", "h", "l", "L", "t", "W", "V", "N", "J", "K", "C", "F", "A", "cm", "mm", "km", "dm", "nm", "um",
    "kg", "mg", "lb", "oz", "ms", "hr", "ml", "mL", "dl", "cl", "kJ", "kW", "Hz", "Pa", "ft", "in", "yd", "mi", "sq",
    "cu", "pm", "am", "th", "st", "nd", "rd", "cc", "ha", "pt", "GB", "MB", "kB", "TB", "Rs", "eV", "kN", "of", "an",
    "US", "gm", "Ω", "µm", "µ", "yr", "CM", "KM", "KG", "a", "at", "on", "he", "it", "by",
];

/// Words that are mathematics and no unit.
const NEVER: &[&str] = &[
    "and",
    "plus",
    "minus",
    "times",
    "over",
    "divided",
    "half",
    "remainder",
    "mod",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "log",
    "exp",
    "arcsin",
    "arccos",
    "arctan",
    "asin",
    "acos",
    "atan",
    "inf",
    "infty",
    "infinity",
    "alpha",
    "beta",
    "gamma",
    "delta",
    "theta",
    "lambda",
    "sigma",
    "omega",
    "phi",
    "rho",
    "tau",
    "abs",
    "floor",
    "ceil",
    "gcd",
    "lcm",
    "max",
    "min",
    "thirds",
    "quarters",
    "halves",
    "fifths",
    "quarter",
    "third",
    "not",
    "but",
    "more",
    "less",
    "than",
    "or",
    "pi",
    "if",
    "is",
    "squared",
    "cubed",
    "factorial",
    "choose",
];

/// Whether a word after a number may be a unit.
pub(crate) fn unit(word: &str) -> bool {
    SHORT.contains(&word)
        || !word.is_ascii()
        || word.len() >= 3 && !NEVER.contains(&word.to_lowercase().as_str())
        || word == "min"
}

/// The factor of a word of magnitude.
pub(crate) fn magnitude(word: &str) -> Option<Rational> {
    let power = match word.to_lowercase().as_str() {
        "dozen" | "dozens" => return Some(Rational::integer(12)),
        "hundred" | "hundreds" | "百" => 2,
        "thousand" | "thousands" | "千" => 3,
        "万" | "萬" => 4,
        "million" | "millions" | "mio" => 6,
        "亿" | "億" => 8,
        "billion" | "billions" => 9,
        "trillion" | "trillions" => 12,
        _ => return None,
    };
    Rational::ten_to(power)
}

/// A whole number below a hundred in English words: `four`, `twenty-one`.
pub(crate) fn english(text: &str) -> Option<i128> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let at = |words: &[&str], word: &str| words.iter().position(|known| *known == word).map(|at| at as i128);
    let (first, second) = match text.split_once(['-', ' ']) {
        Some((first, second)) => (first, Some(second)),
        None => (text, None),
    };
    match (at(&TENS, first), second) {
        (None, None) => at(&SMALL, first),
        (None, Some(_)) => None,
        (Some(tens), None) => Some(10 * (tens + 2)),
        (Some(tens), Some(second)) => {
            at(&SMALL, second).filter(|ones| (1..=9).contains(ones)).map(|ones| 10 * (tens + 2) + ones)
        }
    }
}

/// Whether a word means hundredths.
pub(crate) fn percent(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "percent" | "percentage" | "pct" | "prozent" | "百分点")
}

/// A number in Chinese numerals (`三百二十一`, `百分之五`, `三分之二`) with what follows it.
pub(crate) fn chinese(text: &str) -> Option<(Rational, bool, &str)> {
    let end = text.find(|c| !"零〇一二两三四五六七八九十百千万亿点分之负".contains(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let (word, negative) = match word.strip_prefix('负') {
        Some(word) => (word, true),
        None => (word, false),
    };
    let (value, percent) = match word.split_once("分之") {
        Some(("百", above)) => (decimal(above)?, true),
        Some((below, above)) => (decimal(above)?.over(decimal(below)?)?, false),
        None => (decimal(word)?, false),
    };
    Some((if negative { value.negated()? } else { value }, percent, rest))
}

fn decimal(word: &str) -> Option<Rational> {
    let (whole, fraction) = word.split_once('点').unwrap_or((word, ""));
    let digits = |text: &str| text.chars().map(numeral).collect::<Option<Vec<i128>>>();
    let mut value = if whole.is_empty() {
        return None;
    } else if let Some(digits) = digits(whole).filter(|digits| digits.len() > 1) {
        digits.iter().try_fold(0i128, |sum, digit| sum.checked_mul(10)?.checked_add(*digit)).map(Rational::integer)?
    } else {
        Rational::integer(count(whole)?)
    };
    for (place, digit) in (1..).zip(digits(fraction)?) {
        value = value.plus(Rational::integer(digit).times(Rational::ten_to(-place)?)?)?;
    }
    Some(value)
}

fn numeral(c: char) -> Option<i128> {
    "零一二三四五六七八九".chars().position(|digit| digit == c).map(|at| at as i128).or(match c {
        '〇' => Some(0),
        '两' => Some(2),
        _ => None,
    })
}

/// `三百二十一`: digits before ten, hundred, thousand, gathered before ten thousand and a hundred million.
fn count(word: &str) -> Option<i128> {
    let (mut total, mut section, mut digit) = (0i128, 0i128, None);
    for c in word.chars() {
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            '万' => {
                section = section.checked_add(digit.take().unwrap_or(0))?;
                total = total.checked_add(section.checked_mul(10_000)?)?;
                section = 0;
                continue;
            }
            '亿' => {
                section = section.checked_add(digit.take().unwrap_or(0))?;
                total = total.checked_add(section)?.checked_mul(100_000_000)?;
                section = 0;
                continue;
            }
            _ => {
                let value = numeral(c)?;
                if digit.is_some_and(|before| before != 0) {
                    return None;
                }
                digit = Some(value);
                continue;
            }
        };
        section = section.checked_add(unit * digit.take().filter(|d| *d != 0).unwrap_or(1))?;
    }
    total.checked_add(section)?.checked_add(digit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_numerals() {
        let value = |text| chinese(text).map(|(value, percent, rest)| (value.to_f64(), percent, rest));
        assert_eq!(value("三百二十一"), Some((321.0, false, "")));
        assert_eq!(value("十二个"), Some((12.0, false, "个")));
        assert_eq!(value("两万零五十"), Some((20050.0, false, "")));
        assert_eq!(value("一亿二千万"), Some((120_000_000.0, false, "")));
        assert_eq!(value("二〇二四"), Some((2024.0, false, "")));
        assert_eq!(value("三点二五"), Some((3.25, false, "")));
        assert_eq!(value("三分之二"), Some((2.0 / 3.0, false, "")));
        assert_eq!(value("百分之五"), Some((5.0, true, "")));
        assert_eq!(value("负七"), Some((-7.0, false, "")));
        assert_eq!(value("星期一"), None);
        assert_eq!((english("four"), english("twenty-one"), english("ninety")), (Some(4), Some(21), Some(90)));
        assert_eq!(
            (english("four score"), english("twenty ten"), english("for"), english("")),
            (None, None, None, None)
        );
        assert_eq!(value("分之"), None);
    }
}
