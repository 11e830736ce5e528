//! From the text of a final answer to what it says: a number, a set, a relation, a matrix, or words.

use super::expr::{Answer, Expr, Sign};
use super::fold::fold;
use super::lex::{Commas, Piece, Token, lex};
use super::measures::{Measure, measure};
use super::parse::expression;
use super::rational::Rational;
use super::units;

/// The longest text, in bytes, that is read as mathematics.
pub(crate) const LONGEST: usize = 2000;

/// One way to read an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) answer: Answer,
    /// A single letter straight after a number that was taken as its unit: `5m`.
    pub(crate) unit: Option<char>,
    /// The unit of measurement after the last number.
    pub(crate) measure: Option<Measure>,
}

/// All ways in which the text of a final answer can be read as mathematics, at most six; empty if it is none.
pub(crate) fn readings(text: &str) -> Vec<Reading> {
    if text.len() > LONGEST {
        return Vec::new();
    }
    let folded = fold(text);
    let mut found: Vec<Reading> = Vec::new();
    for commas in notations(&folded) {
        let Some(tokens) = lex(&folded, commas) else { continue };
        for keep in [false, true] {
            let mut reader = Reader { keep, unit: None, measure: None };
            if let Some(answer) = reader.answer(&tokens, 0) {
                let reading = Reading { answer, unit: reader.unit, measure: reader.measure };
                if found.iter().all(|known| known.answer != reading.answer) {
                    found.push(reading);
                }
            }
        }
    }
    found
}

/// The meanings that the commas of a text may have.
fn notations(text: &str) -> Vec<Commas> {
    let bytes = text.as_bytes();
    let between = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        before && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
    };
    let commas: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b',' && between(*at)).collect();
    let Some(first) = commas.first() else { return vec![Commas::Groups] };
    let mut notations = vec![Commas::Groups, Commas::Elements];
    let digits = bytes[first + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let bracketed = text.contains(['(', '[', '{']);
    if commas.len() == 1 && !bracketed && (digits != 3 || bytes[..*first].contains(&b'.') || text.starts_with("0,")) {
        notations.push(Commas::Decimals);
    }
    notations
}

/// Nested answers, such as sets of tuples, go no deeper.
const DEEPEST: usize = 8;

struct Reader {
    /// Whether letters after a number are kept as factors instead of units.
    keep: bool,
    unit: Option<char>,
    measure: Option<Measure>,
}

impl Reader {
    fn answer(&mut self, tokens: &[Token], depth: usize) -> Option<Answer> {
        let tokens = trim(tokens);
        if tokens.is_empty() || depth > DEEPEST {
            return None;
        }
        if let Some(answer) = constant(tokens) {
            return Some(answer);
        }
        let parts = split(tokens, |token| token.command() == Some("cup"));
        if parts.len() > 1 {
            return self.each(&parts, depth).map(Answer::Union);
        }
        let parts: Vec<&[Token]> = split(tokens, separates).into_iter().filter(|part| !part.is_empty()).collect();
        if parts.len() > 1 {
            return self.each(&parts, depth).map(Answer::List);
        }
        if parts.first().is_some_and(|part| part.len() < tokens.len()) {
            return self.answer(parts[0], depth + 1);
        }
        let parts = split(tokens, |token| token.command() == Some("in"));
        if let [left, right] = parts[..]
            && left.len() <= 4
        {
            return self.answer(right, depth + 1);
        }
        if let Some(answer) = self.signs(tokens, depth) {
            return answer;
        }
        let relations = split(tokens, |token| sign(token).is_some());
        if relations.len() > 1 {
            let signs = tokens_signs(tokens);
            // Of `(x, y) = (1, 2)` the right side is the answer.
            if let ([left, right], [Sign::Equal]) = (&relations[..], &signs[..])
                && names_in_order(left)
            {
                return self.answer(right, depth + 1);
            }
            return self.relation(&relations, signs);
        }
        if let Some(answer) = self.bracketed(tokens, depth) {
            return Some(answer);
        }
        if let Some(Piece::Begin(name)) = tokens.first().map(|token| &token.piece) {
            return self.matrix(name, tokens, depth);
        }
        if tokens.len() > 1
            && tokens.iter().all(|token| matches!(token.piece, Piece::Letters(_) | Piece::Text(_)))
            && tokens
                .iter()
                .any(|token| matches!(&token.piece, Piece::Letters(word) | Piece::Text(word) if word.len() > 1))
        {
            // Words alone are no mathematics.
            return None;
        }
        if let [Token { piece: Piece::Letters(word), .. }] = tokens
            && word.len() > 1
            && !matches!(word.as_str(), "pi" | "inf" | "infinity")
            && units::chinese(word).is_none()
        {
            // A word, and no product of its letters.
            return None;
        }
        self.scalar(tokens)
    }

    fn each(&mut self, parts: &[&[Token]], depth: usize) -> Option<Vec<Answer>> {
        if parts.len() > 100 {
            return None;
        }
        parts.iter().map(|part| self.answer(part, depth + 1)).collect()
    }

    /// `a ± b` as the two values.
    fn signs(&mut self, tokens: &[Token], depth: usize) -> Option<Option<Answer>> {
        let count = tokens.iter().filter(|token| matches!(token.command(), Some("pm" | "mp"))).count();
        if count == 0 || count > 4 {
            return None;
        }
        let with = |upper: bool| -> Vec<Token> {
            tokens
                .iter()
                .map(|token| {
                    let symbol = match token.command() {
                        Some("pm") if upper => '+',
                        Some("pm") => '-',
                        Some("mp") if upper => '-',
                        Some("mp") => '+',
                        _ => return token.clone(),
                    };
                    Token { piece: Piece::Symbol(symbol), spaced: token.spaced }
                })
                .collect()
        };
        let both = [with(true), with(false)];
        Some(
            both.iter().map(|tokens| self.answer(tokens, depth + 1)).collect::<Option<Vec<Answer>>>().map(Answer::List),
        )
    }

    fn relation(&mut self, sides: &[&[Token]], signs: Vec<Sign>) -> Option<Answer> {
        if sides.len() > 12 || signs.len() + 1 != sides.len() {
            return None;
        }
        let equations = signs.iter().all(|sign| *sign == Sign::Equal);
        let mut exprs = Vec::new();
        for (at, side) in sides.iter().enumerate() {
            let side = trim(side);
            let expr = match name(side) {
                Some(name) if at == 0 && equations => Expr::Variable(name),
                _ => match self.scalar(side) {
                    Some(Answer::Scalar(expr)) => expr,
                    Some(Answer::Percent(expr)) => Expr::Quotient(Box::new(expr), Box::new(Expr::integer(100))),
                    // Of `A = {1, 2}` or `x = (1, 2)` what stands on the right is the answer.
                    _ if at + 1 == sides.len() && at > 0 && equations => return self.answer(side, 1),
                    _ if equations && at > 0 => Expr::Variable("?".to_owned()),
                    _ => return None,
                },
            };
            exprs.push(expr);
        }
        Some(Answer::Relation(exprs, signs))
    }

    fn bracketed(&mut self, tokens: &[Token], depth: usize) -> Option<Answer> {
        let (first, last) = (tokens.first()?, tokens.last()?);
        if tokens.len() < 2 {
            return None;
        }
        let inner = &tokens[1..tokens.len() - 1];
        let curly = |token: &Token, name: &str, symbol| token.command() == Some(name) || token.is(symbol);
        let french = (first.is(']') && (last.is('[') || last.is(']'))) || first.is('[') && last.is('[');
        if !french && matching(tokens) != Some(tokens.len() - 1) {
            return None;
        }
        if curly(first, "{", '{') && curly(last, "}", '}') {
            if inner.is_empty() {
                return Some(Answer::Set(Vec::new()));
            }
            let bar = split(inner, |token| {
                token.is('|') || token.command() == Some("vert") || token.is(':') || token.command() == Some(":")
            });
            if bar.len() == 2 && tokens_signs(bar[1]).iter().any(|sign| *sign != Sign::Equal) {
                return self.answer(bar[1], depth + 1);
            }
            let parts = split(inner, separates);
            if parts.len() == 1 && first.is('{') {
                return self.answer(inner, depth + 1);
            }
            return self.each(&parts, depth).map(Answer::Set);
        }
        let parts = split(inner, |token| token.is(',') || token.is(';'));
        let open = first.is('(') || first.is(']') || first.command() == Some("langle");
        let close = last.is(')') || last.is('[') || last.command() == Some("rangle");
        if parts.len() == 1 {
            if first.is('(') && last.is(')') && tokens_signs(inner).is_empty() {
                let whole = self.answer(inner, depth + 1)?;
                return if matches!(whole, Answer::List(_)) { None } else { Some(whole) };
            }
            return None;
        }
        let parts = self.each(&parts, depth)?;
        if open && close || parts.len() > 2 {
            if french {
                return interval(parts, false, false);
            }
            return Some(Answer::Tuple(parts));
        }
        interval(parts, !open, !close)
    }

    fn matrix(&mut self, name: &str, tokens: &[Token], depth: usize) -> Option<Answer> {
        let last = tokens.last()?;
        let (Piece::End(end), true) = (&last.piece, tokens.len() > 2) else { return None };
        if end != name {
            return None;
        }
        let mut inner = &tokens[1..tokens.len() - 1];
        let kind = name.trim_end_matches('*');
        match kind {
            "matrix" | "pmatrix" | "bmatrix" | "Bmatrix" | "smallmatrix" => {}
            "array" => {
                // The columns' alignment.
                if inner.first()?.is('{') {
                    inner = &inner[inner.iter().position(|token| token.is('}'))? + 1..];
                }
            }
            "cases" | "aligned" | "align" | "gathered" | "equation" | "split" => {
                let rows = split(inner, |token| token.piece == Piece::NewRow);
                let rows: Vec<Vec<Token>> = rows
                    .into_iter()
                    .map(|row| row.iter().filter(|token| !token.is('&')).cloned().collect())
                    .filter(|row: &Vec<Token>| !row.is_empty())
                    .collect();
                let rows: Vec<&[Token]> = rows.iter().map(Vec::as_slice).collect();
                return match &rows[..] {
                    [row] => self.answer(row, depth + 1),
                    rows => self.each(rows, depth).map(Answer::List),
                };
            }
            _ => return None,
        }
        let mut rows = Vec::new();
        for row in split(inner, |token| token.piece == Piece::NewRow) {
            if row.is_empty() {
                continue;
            }
            let entries =
                split(row, |token| token.is('&')).into_iter().map(|entry| match self.scalar(trim(entry))? {
                    Answer::Scalar(expr) => Some(expr),
                    _ => None,
                });
            rows.push(entries.collect::<Option<Vec<Expr>>>()?);
        }
        (!rows.is_empty()).then_some(Answer::Matrix(rows))
    }

    /// A number or an expression with its units.
    fn scalar(&mut self, tokens: &[Token]) -> Option<Answer> {
        let tokens = trim(tokens);
        if let [Token { piece: Piece::Letters(word) | Piece::Text(word), .. }, rest @ ..] = tokens
            && let Some((value, percent, after)) = units::chinese(word)
            && rest.len() <= 1
            && (after.is_empty() || after.chars().count() <= 3)
        {
            let value = Expr::Number(value.times(units::magnitude(after).unwrap_or(Rational::ONE))?, false);
            return Some(if percent { Answer::Percent(value) } else { Answer::Scalar(value) });
        }
        let tokens = match tokens {
            [Token { piece: Piece::Letters(word) | Piece::Text(word), .. }, rest @ ..]
                if matches!(
                    word.as_str(),
                    "US" | "USD" | "EUR" | "Rs" | "RMB" | "INR" | "GBP" | "CAD" | "approximately" | "about"
                ) =>
            {
                trim(rest)
            }
            other => other,
        };
        let whole = || expression(tokens).map(Answer::Scalar);
        let Some(tail) = Tail::of(tokens) else { return whole() };
        if tail.letter.is_some() && self.keep {
            return whole();
        }
        // `3 dollars and 5 cents` and the like are no single number.
        let Some(value) = expression(&tokens[..tail.from]) else { return whole() };
        if tail.letter.is_some() {
            self.unit = tail.letter;
        }
        self.measure = measure(&tokens[tail.from..]);
        let value = match tail.factor {
            None => value,
            Some(factor) => match value {
                Expr::Number(value, decimal) => Expr::Number(value.times(factor)?, decimal),
                other => Expr::Product(vec![other, Expr::Number(factor, false)]),
            },
        };
        Some(if tail.percent { Answer::Percent(value) } else { Answer::Scalar(value) })
    }
}

fn interval(parts: Vec<Answer>, low: bool, high: bool) -> Option<Answer> {
    match <[Answer; 2]>::try_from(parts).ok()? {
        [Answer::Scalar(a), Answer::Scalar(b)] => Some(Answer::Interval(a, low, b, high)),
        _ => None,
    }
}

/// What stands after a number without being part of it.
struct Tail {
    /// Where it begins.
    from: usize,
    percent: bool,
    factor: Option<Rational>,
    /// The single letter straight after the number, if that is all.
    letter: Option<char>,
}

impl Tail {
    /// The units at the end of the tokens; `None` if there are none or nothing else.
    fn of(tokens: &[Token]) -> Option<Tail> {
        let mut tail = Tail { from: tokens.len(), percent: false, factor: None, letter: None };
        let mut words = 0;
        while tail.from > 1 && words < 8 {
            let at = tail.from - 1;
            let token = &tokens[at];
            let before = &tokens[at - 1];
            match &token.piece {
                Piece::Text(word) | Piece::Letters(word) => {
                    let text = matches!(token.piece, Piece::Text(_));
                    let numbered = matches!(before.piece, Piece::Number(..) | Piece::Huge(_));
                    if let Some(factor) = units::magnitude(word) {
                        tail.factor = Some(tail.factor.unwrap_or(Rational::ONE).times(factor)?);
                    } else if let Some(factor) =
                        word.chars().next().filter(|c| !c.is_ascii()).and_then(|c| units::magnitude(&c.to_string()))
                    {
                        tail.factor = Some(tail.factor.unwrap_or(Rational::ONE).times(factor)?);
                    } else if units::percent(word) {
                        tail.percent = true;
                    } else if word == "cent" && matches!(&before.piece, Piece::Letters(per) if per == "per") {
                        tail.percent = true;
                        tail.from -= 1;
                    } else if !(text && units::magnitude(word).is_none() && !is_separator(word) || units::unit(word)) {
                        break;
                    } else if word.chars().count() == 1
                        && !text
                        && numbered
                        && !token.spaced
                        && tail.from == tokens.len()
                    {
                        tail.letter = word.chars().next();
                    } else if word.chars().count() == 1
                        && !text
                        && !numbered
                        && !before.is('/')
                        && !matches!(before.piece, Piece::Text(_))
                        && !unit_before(before)
                    {
                        break;
                    }
                    words += 1;
                    tail.from -= 1;
                }
                Piece::Symbol('%') => {
                    tail.percent = true;
                    tail.from -= 1;
                }
                Piece::Symbol('\'' | '.' | '€' | '¢') if tail.from == tokens.len() || !token.is('.') => {
                    tail.from -= 1
                }
                Piece::Symbol('.') => tail.from -= 1,
                Piece::Symbol('/') | Piece::Symbol('*')
                    if tail.from < tokens.len()
                        && (unit_before(before) || token.is('/') && matches!(tokens[at + 1].piece, Piece::Text(_))) =>
                {
                    tail.from -= 1
                }
                Piece::Command(name) if name == "cdot" && tail.from < tokens.len() && unit_before(before) => {
                    tail.from -= 1
                }
                Piece::Command(name) if name == "circ" => tail.from -= usize::from(before.is('^')) + 1,
                Piece::Symbol(')') => {
                    // A unit in brackets.
                    let unit = unit_before(before) && at >= 2 && tokens[at - 2].is('(');
                    if !unit || at < 3 {
                        break;
                    }
                    tail.from = at - 2;
                }
                Piece::Symbol('}') => {
                    let start = tokens[..at].iter().rposition(|token| token.is('{'))?;
                    if start < 2 || !tokens[start - 1].is('^') {
                        break;
                    }
                    let power = &tokens[start + 1..at];
                    let degree = matches!(power, [Token { piece: Piece::Command(name), .. }] if name == "circ");
                    let number = matches!(power, [Token { piece: Piece::Number(..), .. }])
                        || matches!(power, [minus, Token { piece: Piece::Number(..), .. }] if minus.is('-'));
                    if !(degree || number && unit_before(&tokens[start - 2])) {
                        break;
                    }
                    tail.from = start - 1;
                }
                Piece::Number(..) if before.is('^') && at >= 2 && unit_before(&tokens[at - 2]) && at >= 3 => {
                    tail.from -= 2
                }
                _ => break,
            }
        }
        let last = tokens.get(tail.from.checked_sub(1)?)?;
        let dangling = matches!(last.piece, Piece::Symbol('+' | '-' | '*' | '/' | '^' | '_' | '(' | '{' | '='))
            || matches!(last.command(), Some("times" | "cdot" | "div" | "frac" | "sqrt"));
        (tail.from < tokens.len() && !dangling).then_some(tail)
    }
}

/// Whether a token is a word of a unit, so that a power or a slash after it belongs to the unit.
fn unit_before(token: &Token) -> bool {
    match &token.piece {
        Piece::Text(word) => !is_separator(word),
        Piece::Letters(word) => units::unit(word) && word != "a",
        _ => false,
    }
}

fn is_separator(word: &str) -> bool {
    matches!(
        word.trim_matches([',', ' ']).to_lowercase().as_str(),
        "and" | "or" | "und" | "oder" | "y" | "o" | "et" | "ou" | "和" | "或"
    )
}

fn separates(token: &Token) -> bool {
    match &token.piece {
        Piece::Symbol(',' | ';') => true,
        Piece::Letters(word) => matches!(word.as_str(), "and" | "or" | "和" | "或"),
        Piece::Text(word) => is_separator(word),
        Piece::Command(name) => matches!(name.as_str(), "and" | "or"),
        _ => false,
    }
}

fn sign(token: &Token) -> Option<Sign> {
    Some(match &token.piece {
        Piece::Symbol('=') => Sign::Equal,
        Piece::Symbol('<') => Sign::Less,
        Piece::Symbol('>') => Sign::Greater,
        Piece::Command(name) => match name.as_str() {
            "le" => Sign::LessEqual,
            "ge" => Sign::GreaterEqual,
            "ne" => Sign::Unequal,
            "approx" | "equiv" | "Rightarrow" | "implies" | "to" | "rightarrow" | "longrightarrow" => Sign::Equal,
            _ => return None,
        },
        _ => return None,
    })
}

/// The comparison signs outside of brackets.
fn tokens_signs(tokens: &[Token]) -> Vec<Sign> {
    let mut depth = 0i32;
    let mut signs = Vec::new();
    for token in tokens {
        depth += step(token);
        if depth == 0 {
            signs.extend(sign(token));
        }
    }
    signs
}

/// How a token changes the depth of brackets.
fn step(token: &Token) -> i32 {
    match &token.piece {
        Piece::Symbol('(' | '[' | '{') | Piece::Begin(_) => 1,
        Piece::Symbol(')' | ']' | '}') | Piece::End(_) => -1,
        Piece::Command(name) => match name.as_str() {
            "{" | "langle" | "lfloor" | "lceil" => 1,
            "}" | "rangle" | "rfloor" | "rceil" => -1,
            _ => 0,
        },
        _ => 0,
    }
}

/// Where the bracket that the first token opens is closed.
fn matching(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        depth += step(token);
        if depth <= 0 {
            return (at > 0).then_some(at);
        }
    }
    None
}

/// The parts between the tokens outside of brackets that separate.
fn split(tokens: &[Token], separates: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let (mut depth, mut start) = (0, 0);
    let mut parts = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        depth += step(token);
        if depth == 0 && step(token) == 0 && separates(token) {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// The tokens without punctuation around them and without a sign before them that says that what follows is the answer.
fn trim(mut tokens: &[Token]) -> &[Token] {
    while let [first, rest @ ..] = tokens {
        let drop = first.is('=')
            || first.is(':')
            || first.is(',')
            || first.is(';')
            || matches!(first.command(), Some("approx" | "therefore" | "implies" | "Rightarrow"));
        if !drop {
            break;
        }
        tokens = rest;
    }
    while let [rest @ .., last] = tokens {
        if !(last.is('.') || last.is(',') || last.is(';') || last.is(':') || last.piece == Piece::NewRow) {
            break;
        }
        tokens = rest;
    }
    tokens
}

/// What the left side of an assignment names: a letter with an index, a function with its arguments, or words.
fn name(tokens: &[Token]) -> Option<String> {
    let words = |tokens: &[Token]| {
        let mut name = String::new();
        for token in tokens {
            let (Piece::Letters(word) | Piece::Text(word)) = &token.piece else { return None };
            name.push_str(word);
            name.push(' ');
        }
        Some(name.trim_end().to_owned())
    };
    let product = matches!(tokens, [Token { piece: Piece::Letters(word), .. }] if (2..=4).contains(&word.len()));
    if let Some(name) = words(tokens).filter(|_| !tokens.is_empty() && !product) {
        return Some(name);
    }
    match tokens {
        [Token { piece: Piece::Letters(function), .. }, open, arguments @ .., close]
            if open.is('(') && close.is(')') && function.len() == 1 =>
        {
            let mut name = format!("{function}(");
            for token in arguments {
                match &token.piece {
                    Piece::Letters(word) => name.push_str(word),
                    Piece::Symbol(',') => name.push(','),
                    _ => return None,
                }
            }
            Some(name + ")")
        }
        _ => None,
    }
}

/// Whether tokens are a tuple of letters in the order of the alphabet, such as `(x, y)`.
fn names_in_order(tokens: &[Token]) -> bool {
    let [open, inner @ .., close] = tokens else { return false };
    let names = split(inner, |token| token.is(','));
    let letters: Option<Vec<&str>> = names
        .iter()
        .map(|part| match part {
            [Token { piece: Piece::Letters(word), .. }] if word.len() == 1 => Some(word.as_str()),
            _ => None,
        })
        .collect();
    open.is('(') && close.is(')') && letters.is_some_and(|letters| letters.len() > 1 && letters.is_sorted())
}

/// Sets with a name.
fn constant(tokens: &[Token]) -> Option<Answer> {
    match tokens {
        [Token { piece: Piece::Command(name), .. }] => match name.as_str() {
            "emptyset" => Some(Answer::Set(Vec::new())),
            "mathbb R" => {
                let low = Expr::Negative(Box::new(Expr::Infinity));
                Some(Answer::Interval(low, false, Expr::Infinity, false))
            }
            _ => None,
        },
        _ => None,
    }
}
