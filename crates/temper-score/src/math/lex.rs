//! Mathematics, in LaTeX or as typed, cut into tokens.

use super::rational::Rational;

/// What commas between digits mean. `1,234` may be a number or a list of two, and `1,5` a decimal or a list of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commas {
    /// They part groups of three digits where that is what the digits look like; elsewhere they part elements.
    Groups,
    /// They part elements.
    Elements,
    /// They are the decimal point, and points part groups of three digits.
    Decimals,
}

/// A piece of mathematics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// A number; whether it was written as a decimal.
    Number(Rational, bool),
    /// A number too large for exact arithmetic.
    Huge(f64),
    /// A run of ASCII letters, or one other letter.
    Letters(String),
    /// A LaTeX command without its backslash.
    Command(String),
    /// The content of `\text{…}` and its like.
    Text(String),
    /// The name in `\begin{name}`.
    Begin(String),
    /// The name in `\end{name}`.
    End(String),
    /// `\\`
    NewRow,
    /// Any other character.
    Symbol(char),
}

/// A piece, and whether white space stands before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) piece: Piece,
    pub(crate) spaced: bool,
}

impl Token {
    pub(crate) fn is(&self, symbol: char) -> bool {
        self.piece == Piece::Symbol(symbol)
    }

    pub(crate) fn command(&self) -> Option<&str> {
        match &self.piece {
            Piece::Command(name) => Some(name),
            _ => None,
        }
    }
}

/// More tokens than any answer needs.
const MOST: usize = 1200;

/// Commands that change only how something looks.
const LOOKS: [&str; 30] = [
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "displaystyle",
    "textstyle",
    "limits",
    "quad",
    "qquad",
    "mleft",
    "mright",
    "middle",
    "hspace",
    "vspace",
    "boldsymbol",
    "rm",
    "bf",
    "it",
    "hline",
    "nonumber",
    "scriptstyle",
    "hfill",
];

/// Commands around a text.
const TEXTS: [&str; 20] = [
    "text",
    "textbf",
    "textit",
    "textrm",
    "textnormal",
    "textsf",
    "texttt",
    "textsc",
    "mbox",
    "hbox",
    "mathrm",
    "mathbf",
    "mathit",
    "mathsf",
    "operatorname",
    "mathcal",
    "emph",
    "bm",
    "unit",
    "mathtt",
];

/// The tokens of a text that was folded (`fold.rs`). `None` for a text of more tokens than an answer has.
pub(crate) fn lex(text: &str, commas: Commas) -> Option<Vec<Token>> {
    let mut lexer = Lexer { text, at: 0, commas, tokens: Vec::new(), spaced: false };
    while lexer.at < text.len() {
        lexer.step();
        if lexer.tokens.len() > MOST {
            return None;
        }
    }
    Some(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    commas: Commas,
    tokens: Vec<Token>,
    spaced: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, piece: Piece) {
        self.tokens.push(Token { piece, spaced: self.spaced });
        self.spaced = false;
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return };
        if c.is_whitespace() || c == '~' {
            self.at += c.len_utf8();
            self.spaced = true;
        } else if c.is_ascii_digit() || c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            self.number();
        } else if c == '\\' {
            self.command();
        } else if c.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            self.at += end;
            self.push(Piece::Letters(rest[..end].to_owned()));
        } else if rest.starts_with("**")
            && !rest[2..].trim_start().starts_with(|c: char| c.is_ascii_digit() || "(-\\".contains(c))
        {
            self.at += 2;
        } else if "$€£¥₹₽₩\"`".contains(c) || c == '\u{feff}' {
            self.at += c.len_utf8();
        } else if c.is_alphabetic() {
            let end = rest.find(|c: char| !c.is_alphabetic() || c.is_ascii()).unwrap_or(rest.len());
            self.at += end;
            self.push(Piece::Letters(rest[..end].to_owned()));
        } else {
            for (typed, command) in [
                ("<=", "le"),
                (">=", "ge"),
                ("!=", "ne"),
                ("=<", "le"),
                ("=>", "Rightarrow"),
                ("->", "to"),
                ("+/-", "pm"),
                ("+-", "pm"),
            ] {
                if rest.starts_with(typed) {
                    self.at += typed.len();
                    return self.push(Piece::Command(command.to_owned()));
                }
            }
            self.at += c.len_utf8();
            if c == '*' && self.rest().starts_with('*') {
                self.at += 1;
                return self.push(Piece::Symbol('^'));
            }
            self.push(Piece::Symbol(c));
        }
    }

    fn command(&mut self) {
        let rest = &self.rest()[1..];
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            let Some(c) = rest.chars().next() else {
                self.at += 1;
                return;
            };
            self.at += 1 + c.len_utf8();
            match c {
                ',' | ';' | ':' | '!' | ' ' | '\n' | '>' => self.spaced |= c != '!',
                '\\' => self.push(Piece::NewRow),
                '$' | '(' | ')' | '[' | ']' if c == '$' || self.delimiter(c) => {}
                '|' => self.push(Piece::Command("|".to_owned())),
                '{' => self.push(Piece::Command("{".to_owned())),
                '}' => self.push(Piece::Command("}".to_owned())),
                other => self.push(Piece::Symbol(other)),
            }
            return;
        }
        self.at += 1 + end;
        let after = rest[end..].trim_start();
        let argument = || {
            let inner = after.strip_prefix('{')?;
            let close = temper_text::boxed::balanced(inner)?;
            Some((&inner[..close], rest.len() - after.len() + close + 2))
        };
        if LOOKS.contains(&name) {
            // `\left.` and `\right.` are invisible brackets.
            if matches!(name, "left" | "right") && self.rest().starts_with('.') {
                self.at += 1;
            }
            return;
        }
        if name == "begin" || name == "end" {
            if let Some((inner, length)) = argument() {
                self.at += length - end;
                let inner = inner.trim().to_owned();
                self.push(if name == "begin" { Piece::Begin(inner) } else { Piece::End(inner) });
            }
            return;
        }
        if matches!(name, "boxed" | "fbox" | "ensuremath" | "overrightarrow" | "vec" | "mathbb") && name != "mathbb" {
            return;
        }
        if TEXTS.contains(&name) {
            if let Some((inner, length)) = argument() {
                self.at += length - end;
                self.wrapped(inner, name);
            }
            return;
        }
        if name == "mathbb" {
            if let Some((inner, length)) = argument() {
                self.at += length - end;
                self.push(Piece::Command(format!("mathbb {}", inner.trim())));
            }
            return;
        }
        self.push(Piece::Command(
            match name {
                "dfrac" | "tfrac" | "cfrac" => "frac",
                "leq" | "leqslant" => "le",
                "geq" | "geqslant" => "ge",
                "neq" => "ne",
                "lbrace" => "{",
                "rbrace" => "}",
                "varnothing" => "emptyset",
                "tbinom" | "dbinom" => "binom",
                "degree" | "degrees" => "circ",
                "sim" | "simeq" => "approx",
                "lvert" | "rvert" | "vert" | "mid" => "vert",
                "land" | "wedge" => "and",
                "lor" | "vee" => "or",
                "colon" => ":",
                "infin" => "infty",
                "varepsilon" => "epsilon",
                "varphi" => "phi",
                "vartheta" => "theta",
                "textdollar" | "dollar" => return,
                "lbrack" => return self.push(Piece::Symbol('[')),
                "rbrack" => return self.push(Piece::Symbol(']')),
                "lparen" => return self.push(Piece::Symbol('(')),
                "rparen" => return self.push(Piece::Symbol(')')),
                "lt" => return self.push(Piece::Symbol('<')),
                "gt" => return self.push(Piece::Symbol('>')),
                "percent" => return self.push(Piece::Symbol('%')),
                other => other,
            }
            .to_owned(),
        ));
    }

    /// Whether `\(`, `\)`, `\[` or `\]` only marks mathematics: always, as brackets are written without a backslash.
    fn delimiter(&mut self, _bracket: char) -> bool {
        self.spaced = true;
        true
    }

    /// The content of a text command: numbers and signs are mathematics, one letter is a letter, all else is text.
    fn wrapped(&mut self, inner: &str, name: &str) {
        let letters = inner.chars().filter(|c| c.is_alphabetic()).count();
        let commands = inner.contains('\\') || inner.contains('$');
        let function = inner.chars().all(|c| c.is_ascii_alphabetic()) && name == "operatorname";
        if (letters == 0 || commands || letters == 1 && inner.trim().chars().count() == 1 && name != "text")
            && !inner.trim().is_empty()
        {
            if let Some(mut tokens) = lex(inner, self.commas) {
                if let Some(first) = tokens.first_mut() {
                    first.spaced |= self.spaced;
                }
                self.spaced = false;
                self.tokens.extend(tokens);
            }
        } else if function {
            self.push(Piece::Letters(inner.to_owned()));
        } else if !inner.trim().is_empty() {
            self.push(Piece::Text(inner.trim().to_owned()));
        }
    }

    /// A number with whatever parts its digits.
    fn number(&mut self) {
        let start = self.rest();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let fraction =
            |token: Option<&Token>| token.is_some_and(|token| matches!(token.command(), Some("frac" | "binom")));
        let before = |back: usize| self.tokens.len().checked_sub(back).and_then(|at| self.tokens.get(at));
        let second = matches!(before(1).map(|token| &token.piece), Some(Piece::Number(..))) && fraction(before(2));
        if (fraction(before(1)) || second) && start.starts_with(|c: char| c.is_ascii_digit()) {
            // Without braces LaTeX takes one digit.
            let value = i128::from(start.as_bytes()[0] - b'0');
            self.at += 1;
            return self.push(Piece::Number(Rational::integer(value), false));
        }
        let first = digits(start);
        let mut whole = start[..first].to_owned();
        let mut used = first;
        let points = self.commas == Commas::Decimals;
        // Groups of three, or of two before the last one as in India, parted by commas, points or spaces.
        let marks: &[&str] = match self.commas {
            Commas::Groups => &["{,}", "\\,", "\\;", "\\ ", "\\!,\\!", ",\\!", ",", " ", "'", "\u{a0}", "~"],
            Commas::Elements => &["{,}", "\\,", "\\;", "\\ ", "\\!,\\!", ",\\!", " ", "'", "~"],
            Commas::Decimals => &[".", "\\,", " ", "'"],
        };
        if (1..=3).contains(&first) && !(first > 1 && start.starts_with('0')) && !start.starts_with("0,") {
            for mark in marks {
                let mut groups = Vec::new();
                let mut at = first;
                while let Some(after) = start[at..].strip_prefix(mark) {
                    let size = digits(after);
                    if size == 3 || size == 2 && first <= 2 && *mark == "," {
                        groups.push(&after[..size]);
                        at += mark.len() + size;
                    } else {
                        groups.clear();
                        break;
                    }
                }
                let western = groups.iter().all(|group| group.len() == 3);
                let indian = groups.len() > 1
                    && groups
                        .split_last()
                        .is_some_and(|(last, others)| last.len() == 3 && others.iter().all(|group| group.len() == 2));
                if !groups.is_empty() && (western || indian) {
                    whole.extend(groups);
                    used = at;
                    break;
                }
            }
        }
        let point = if points { ',' } else { '.' };
        let mut fraction = "";
        let mut decimal = false;
        let mut repeated = "";
        if let Some(after) = start[used..].strip_prefix(point) {
            let size = digits(after);
            let bar = after[size..].strip_prefix("\\overline{").or_else(|| after[size..].strip_prefix("\\bar{"));
            let bar = bar
                .and_then(|inner| inner.find('}').map(|end| &inner[..end]))
                .filter(|inner| !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()));
            if let Some(inner) = bar {
                repeated = inner;
                fraction = &after[..size];
                let name = if after[size..].starts_with("\\overline") { 10 } else { 5 };
                used += 1 + size + name + inner.len() + 1;
            } else if size > 0 || whole.len() == first && !points {
                fraction = &after[..size];
                decimal = size > 0;
                used += 1 + size;
            }
        }
        let mut exponent = 0i32;
        if let Some(after) = start[used..].strip_prefix(['e', 'E']) {
            let sign = usize::from(after.starts_with(['+', '-']));
            let size = digits(&after[sign..]);
            let end = after[sign + size..].chars().next();
            if (1..=4).contains(&size) && !end.is_some_and(char::is_alphabetic) {
                exponent = after[..sign + size].trim_start_matches('+').parse().unwrap_or(0);
                used += 1 + sign + size;
            }
        }
        self.at += used;
        let exact = || {
            let value = Rational::decimal(&format!("{}.{fraction}", if whole.is_empty() { "0" } else { &whole }))?;
            let value = if repeated.is_empty() {
                value
            } else {
                let places = i32::try_from(fraction.len() + repeated.len()).ok()?;
                let nines = Rational::ten_to(i32::try_from(repeated.len()).ok()?)?.minus(Rational::ONE)?;
                let tail = Rational::decimal(repeated)?.over(nines)?;
                value.plus(tail.times(Rational::ten_to(-(places - repeated.len() as i32))?)?)?
            };
            value.times(Rational::ten_to(exponent)?)
        };
        match exact() {
            Some(value) => self.push(Piece::Number(value, decimal)),
            None => {
                let value = format!("{whole}.{fraction}e{exponent}").parse().unwrap_or(f64::NAN);
                self.push(Piece::Huge(value));
            }
        }
    }
}
