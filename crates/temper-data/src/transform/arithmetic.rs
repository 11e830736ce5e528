//! Exact arithmetic on the numbers of word problems.

use std::ops::Range;

/// A fraction in lowest terms with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Exact {
    above: i128,
    below: i128,
}

impl Exact {
    pub fn whole(value: i128) -> Self {
        Self { above: value, below: 1 }
    }

    fn new(above: i128, below: i128) -> Option<Self> {
        if below == 0 {
            return None;
        }
        let divisor = gcd(above.unsigned_abs(), below.unsigned_abs()).max(1) as i128 * below.signum();
        Some(Self { above: above.checked_div(divisor)?, below: below.checked_div(divisor)? })
    }

    /// A number as it is written: digits, commas between thousands, a decimal point.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.replace(',', "");
        let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
        let scale = 10i128.checked_pow(u32::try_from(part.len()).ok()?)?;
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        Self::new(number(whole)?.checked_mul(scale)?.checked_add(number(part)?)?, scale)
    }

    pub fn as_whole(self) -> Option<i128> {
        (self.below == 1).then_some(self.above)
    }

    pub fn is_positive(self) -> bool {
        self.above > 0
    }

    pub fn is_zero(self) -> bool {
        self.above == 0
    }

    pub fn plus(self, other: Self) -> Option<Self> {
        let above = self.above.checked_mul(other.below)?.checked_add(other.above.checked_mul(self.below)?)?;
        Self::new(above, self.below.checked_mul(other.below)?)
    }

    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { above: other.above.checked_neg()?, below: other.below })
    }

    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(self.above.checked_mul(other.above)?, self.below.checked_mul(other.below)?)
    }

    pub fn over(self, other: Self) -> Option<Self> {
        Self::new(self.above.checked_mul(other.below)?, self.below.checked_mul(other.above)?)
    }

    /// The number with at most two decimals; `None` where that is not exact.
    pub fn write(self) -> Option<String> {
        let hundredths = self.times(Self::whole(100))?.as_whole()?;
        let (sign, size) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
        Some(match (size / 100, size % 100) {
            (whole, 0) => format!("{sign}{whole}"),
            (whole, part) if part % 10 == 0 => format!("{sign}{whole}.{}", part / 10),
            (whole, part) => format!("{sign}{whole}.{part:02}"),
        })
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A number in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub at: Range<usize>,
    pub value: Exact,
}

/// The unsigned numbers of a text: `1,234`, `2.50`, `.5`. A full stop or comma that no digit follows is punctuation.
pub(super) fn numbers(text: &str) -> Vec<Number> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let leading_point = bytes[at] == b'.' && digit(at + 1) && !(at > 0 && digit(at - 1));
        if !digit(at) && !leading_point {
            at += 1;
            continue;
        }
        let start = at;
        let mut point = false;
        while at < bytes.len() {
            let thousands = bytes[at] == b',' && !point && (1..=3).all(|i| digit(at + i)) && !digit(at + 4);
            if digit(at) || thousands {
                at += 1;
            } else if bytes[at] == b'.' && !point && digit(at + 1) {
                point = true;
                at += 1;
            } else {
                break;
            }
        }
        if let Some(value) = Exact::parse(&text[start..at]) {
            out.push(Number { at: start..at, value });
        }
    }
    out
}

/// The value of an expression of numbers, `+ - * / ( )`; `None` for anything else, and for a division by zero.
pub(super) fn evaluate(text: &str) -> Option<Exact> {
    let mut tokens = Vec::new();
    let numbers = numbers(text);
    let mut at = 0;
    for number in &numbers {
        tokens.extend(text[at..number.at.start].chars().filter(|c| !c.is_whitespace()).map(Token::Sign));
        tokens.push(Token::Number(number.value));
        at = number.at.end;
    }
    tokens.extend(text[at..].chars().filter(|c| !c.is_whitespace()).map(Token::Sign));
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let value = parser.sum()?;
    (parser.at == tokens.len()).then_some(value)
}

enum Token {
    Number(Exact),
    Sign(char),
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn sign(&mut self, wanted: &[char]) -> Option<char> {
        match self.tokens.get(self.at) {
            Some(Token::Sign(c)) if wanted.contains(c) => {
                self.at += 1;
                Some(*c)
            }
            _ => None,
        }
    }

    fn sum(&mut self) -> Option<Exact> {
        let mut value = self.product()?;
        while let Some(sign) = self.sign(&['+', '-']) {
            let next = self.product()?;
            value = if sign == '+' { value.plus(next)? } else { value.minus(next)? };
        }
        Some(value)
    }

    fn product(&mut self) -> Option<Exact> {
        let mut value = self.factor()?;
        while let Some(sign) = self.sign(&['*', '/']) {
            let next = self.factor()?;
            value = if sign == '*' { value.times(next)? } else { value.over(next)? };
        }
        Some(value)
    }

    fn factor(&mut self) -> Option<Exact> {
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        let value = if self.sign(&['(']).is_some() {
            let value = self.sum()?;
            self.sign(&[')'])?;
            value
        } else if self.sign(&['-']).is_some() {
            Exact::whole(0).minus(self.factor()?)?
        } else {
            let Some(Token::Number(value)) = self.tokens.get(self.at) else { return None };
            self.at += 1;
            *value
        };
        self.depth -= 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_exact() {
        let value = |text: &str| evaluate(text).and_then(Exact::write);
        assert_eq!(value("16-3-4").as_deref(), Some("9"));
        assert_eq!(value("2*(3+4)/7").as_deref(), Some("2"));
        assert_eq!(value("1/3*6").as_deref(), Some("2"));
        assert_eq!(value(".5 * 1,250.50").as_deref(), Some("625.25"));
        assert_eq!(value("3-5").as_deref(), Some("-2"));
        assert_eq!((value("1/3"), value("1/0"), value("2x3"), value("2+"), value("")), (None, None, None, None, None));
        assert_eq!(evaluate(&"(".repeat(5000)), None);
        assert_eq!(evaluate(&format!("{}*{0}", "9".repeat(38))), None);
    }

    #[test]
    fn numbers_are_found_as_they_are_written() {
        let found =
            |text: &str| numbers(text).iter().map(|n| &text[n.at.clone()]).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found("On 3, 4 and $1,234.50. Then .5 of 7."), ["3", "4", "1,234.50", ".5", "7"]);
        assert_eq!(found("1,23 1,2345"), ["1", "23", "1", "2345"]);
        assert!(found("none").is_empty());
    }
}
