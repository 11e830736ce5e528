//! From tokens to a scalar expression.

use super::expr::Expr;
use super::lex::{Piece, Token};
use super::rational::Rational;

/// How deep brackets, powers and fractions may be nested.
const DEEPEST: usize = 80;
/// How many quotients, factorials and percent signs may follow each other.
const LONGEST: usize = 100;

/// The expression that the tokens spell, all of them.
pub(crate) fn expression(tokens: &[Token]) -> Option<Expr> {
    let mut parser = Parser { tokens, at: 0, depth: 0, bars: 0, angle: 0, wraps: 0 };
    let expr = parser.sum()?;
    (parser.at == tokens.len()).then_some(expr)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    /// How many bars of absolute values are open.
    bars: usize,
    /// How many arguments of functions are open: there a degree is an angle.
    angle: usize,
    /// How often a value was wrapped in another one without a bracket.
    wraps: usize,
}

impl<'a> Parser<'a> {
    fn next(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn symbol(&self) -> Option<char> {
        match self.next()?.piece {
            Piece::Symbol(c) => Some(c),
            _ => None,
        }
    }

    fn command(&self) -> Option<&'a str> {
        self.next()?.command()
    }

    fn eat(&mut self, symbol: char) -> bool {
        let found = self.symbol() == Some(symbol);
        self.at += usize::from(found);
        found
    }

    fn eat_command(&mut self, name: &str) -> bool {
        let found = self.command() == Some(name);
        self.at += usize::from(found);
        found
    }

    fn wrap(&mut self) -> Option<()> {
        self.wraps += 1;
        (self.wraps <= LONGEST).then_some(())
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut terms = vec![self.product()?];
        loop {
            if self.eat('+') {
                terms.push(self.product()?);
            } else if self.eat('-') {
                terms.push(Expr::Negative(Box::new(self.product()?)));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(if terms.len() == 1 { terms.remove(0) } else { Expr::Sum(terms) })
    }

    fn product(&mut self) -> Option<Expr> {
        let mut value = self.signed()?;
        loop {
            if self.eat('*') || self.eat_command("times") || self.eat_command("cdot") || self.eat_command("ast") {
                value = times(value, self.signed()?);
            } else if self.eat('/') || self.eat_command("div") || self.eat(':') || self.eat_command(":") {
                self.wrap()?;
                value = Expr::Quotient(Box::new(value), Box::new(self.signed()?));
            } else if self.juxtaposed() {
                value = times(value, self.power()?);
            } else {
                return Some(value);
            }
        }
    }

    /// Whether the next token starts a factor that is multiplied without a sign.
    fn juxtaposed(&self) -> bool {
        let Some(token) = self.next() else { return false };
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|token| &token.piece);
        match &token.piece {
            Piece::Number(..) | Piece::Huge(_) => {
                !matches!(before, Some(Piece::Number(..) | Piece::Huge(_) | Piece::Letters(_)))
            }
            Piece::Letters(_) => true,
            Piece::Symbol(c) => matches!(c, '(' | '[' | '{') || *c == '|' && self.bars == 0,
            Piece::Command(name) => {
                matches!(
                    name.as_str(),
                    "frac" | "sqrt" | "pi" | "infty" | "binom" | "lfloor" | "lceil" | "mathrm" | "imath" | "mathbb i"
                ) || greek(name)
                    || function(name).is_some()
                    || name == "vert" && self.bars == 0
            }
            _ => false,
        }
    }

    fn signed(&mut self) -> Option<Expr> {
        let mut negative = false;
        let mut signs = 0;
        while signs < 2 {
            if self.eat('-') {
                negative = !negative;
            } else if !self.eat('+') {
                break;
            }
            signs += 1;
        }
        if signs == 2 {
            // `--4` is no number that anyone means.
            return None;
        }
        let value = self.power()?;
        Some(if negative { Expr::Negative(Box::new(value)) } else { value })
    }

    fn power(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut value = self.atom()?;
        loop {
            if self.eat('!') {
                self.wrap()?;
                value = Expr::Factorial(Box::new(value));
            } else if self.eat('%') {
                self.wrap()?;
                value = Expr::Quotient(Box::new(value), Box::new(Expr::integer(100)));
            } else if self.symbol() == Some('^') {
                self.at += 1;
                if self.degree() {
                    if self.angle > 0 {
                        let factor = Expr::Quotient(Box::new(Expr::Pi), Box::new(Expr::integer(180)));
                        value = times(value, factor);
                    }
                    self.wrap()?;
                    continue;
                }
                let exponent = self.exponent()?;
                value = Expr::Power(Box::new(value), Box::new(exponent));
                break;
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(value)
    }

    /// Passes `\circ` or `{\circ}` after `^`.
    fn degree(&mut self) -> bool {
        if self.eat_command("circ") {
            return true;
        }
        let braced = self.symbol() == Some('{')
            && self.tokens.get(self.at + 1).is_some_and(|token| token.command() == Some("circ"))
            && self.tokens.get(self.at + 2).is_some_and(|token| token.is('}'));
        self.at += if braced { 3 } else { 0 };
        braced
    }

    fn exponent(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let negative = self.eat('-');
        if !negative {
            self.eat('+');
        }
        let mut value = self.atom()?;
        // Powers associate to the right.
        if self.eat('^') {
            value = Expr::Power(Box::new(value), Box::new(self.exponent()?));
        }
        self.depth -= 1;
        Some(if negative { Expr::Negative(Box::new(value)) } else { value })
    }

    fn group(&mut self, close: char) -> Option<Expr> {
        let bars = std::mem::take(&mut self.bars);
        let value = self.sum()?;
        self.bars = bars;
        self.eat(close).then_some(value)
    }

    /// The argument of a command: a group in braces, or one atom.
    fn argument(&mut self) -> Option<Expr> {
        if self.eat('{') {
            return self.group('}');
        }
        let negative = self.eat('-');
        let value = self.atom()?;
        Some(if negative { Expr::Negative(Box::new(value)) } else { value })
    }

    fn atom(&mut self) -> Option<Expr> {
        let token = self.next()?;
        self.at += 1;
        match &token.piece {
            Piece::Number(value, decimal) => self.number(*value, *decimal),
            Piece::Huge(value) => Some(Expr::Huge(*value)),
            Piece::Symbol('(') => self.group(')'),
            Piece::Symbol('[') => self.group(']'),
            Piece::Symbol('{') => self.group('}'),
            Piece::Symbol('|') => self.bar('|'),
            Piece::Letters(word) => self.letters(word),
            Piece::Text(word) => function(word).filter(|_| word != "abs").and_then(|name| self.call(name)),
            Piece::Command(name) => self.named(name),
            _ => None,
        }
    }

    fn bar(&mut self, close: char) -> Option<Expr> {
        self.bars += 1;
        let value = self.sum()?;
        self.bars -= 1;
        let closed = self.eat(close) || self.eat('|') || self.eat_command("vert");
        closed.then(|| Expr::Function("abs", Box::new(value)))
    }

    /// A number, or a whole number with a fraction after it.
    fn number(&mut self, value: Rational, decimal: bool) -> Option<Expr> {
        let whole = Expr::Number(value, decimal);
        if decimal || value.whole().is_none() || self.symbol() == Some('_') {
            return if self.symbol() == Some('_') { self.base(value) } else { Some(whole) };
        }
        let start = self.at;
        let fraction = self.proper();
        if fraction.is_none() {
            self.at = start;
        }
        match fraction {
            Some(fraction) => Some(Expr::Number(value.plus(fraction)?, false)),
            None => Some(whole),
        }
    }

    /// A number with its base below, `1011_2`: its digits are kept as a name, as its value is another number's.
    fn base(&mut self, value: Rational) -> Option<Expr> {
        let base = self.subscript()?;
        let (base, digits) = (base.parse::<i128>().ok().filter(|base| (2..=10).contains(base))?, value.whole()?);
        let mut sum = 0i128;
        for digit in digits.to_string().bytes() {
            let digit = i128::from(digit) - i128::from(b'0');
            if !(0..base).contains(&digit) {
                return None;
            }
            sum = sum.checked_mul(base)?.checked_add(digit)?;
        }
        Some(Expr::integer(sum))
    }

    /// `\frac{1}{2}` straight after a whole number, or `1/2` after a space: the rest of a mixed number.
    fn proper(&mut self) -> Option<Rational> {
        let (above, below);
        if self.eat_command("frac") {
            (above, below) = (self.digits()?, self.digits()?);
        } else {
            let token = self.next()?;
            let Piece::Number(first, false) = token.piece else { return None };
            if !token.spaced {
                return None;
            }
            self.at += 1;
            if !self.eat('/') {
                return None;
            }
            let Piece::Number(second, false) = self.next()?.piece else { return None };
            self.at += 1;
            (above, below) = (first, second);
        }
        let (above, below) = (above.whole()?, below.whole()?);
        (above > 0 && above < below).then(|| Rational::new(above, below)).flatten()
    }

    /// A number as a command's argument, with or without braces.
    fn digits(&mut self) -> Option<Rational> {
        let braced = self.eat('{');
        let Piece::Number(value, false) = self.next()?.piece else { return None };
        self.at += 1;
        (!braced || self.eat('}')).then_some(value)
    }

    fn letters(&mut self, word: &str) -> Option<Expr> {
        match word {
            "pi" => return Some(Expr::Pi),
            "inf" | "infinity" | "oo" => return Some(Expr::Infinity),
            "sqrt" | "cbrt" => {
                let degree = if word == "sqrt" { 2 } else { 3 };
                return Some(Expr::Root(degree, Box::new(self.argument()?)));
            }
            "exp" => {
                let argument = self.argument()?;
                return Some(Expr::Power(Box::new(Expr::Euler), Box::new(argument)));
            }
            _ => {}
        }
        if let Some(name) = function(word) {
            return self.call(name);
        }
        if !word.is_ascii() {
            return (word.chars().count() == 1).then(|| self.variable(word.to_owned())).flatten();
        }
        if word.len() > 4 {
            return None;
        }
        let mut factors: Vec<Expr> = Vec::new();
        for (at, c) in word.char_indices() {
            let last = at + 1 == word.len();
            factors.push(match c {
                'e' if self.symbol() != Some('_') || !last => Expr::Euler,
                'i' if self.symbol() != Some('_') || !last => Expr::Imaginary,
                c if last => self.variable(c.to_string())?,
                c => Expr::Variable(c.to_string()),
            });
        }
        // What follows, such as a power, belongs to the last letter.
        let last = factors.pop()?;
        if factors.is_empty() {
            return Some(last);
        }
        let last = if self.symbol() == Some('^') {
            self.at += 1;
            if self.degree() { last } else { Expr::Power(Box::new(last), Box::new(self.exponent()?)) }
        } else {
            last
        };
        factors.push(last);
        Some(Expr::Product(factors))
    }

    /// A variable with its index and primes.
    fn variable(&mut self, mut name: String) -> Option<Expr> {
        if self.symbol() == Some('_') {
            name.push('_');
            name.push_str(&self.subscript()?);
        }
        while self.eat('\'') || self.eat_command("prime") {
            name.push('\'');
        }
        Some(Expr::Variable(name))
    }

    /// The characters of a subscript.
    fn subscript(&mut self) -> Option<String> {
        if !self.eat('_') {
            return None;
        }
        let mut name = String::new();
        let braced = self.eat('{');
        loop {
            let token = self.next()?;
            self.at += 1;
            match &token.piece {
                Piece::Symbol('}') if braced => return Some(name),
                Piece::Number(value, _) => name.push_str(&format!("{}", value.whole()?)),
                Piece::Letters(word) | Piece::Text(word) | Piece::Command(word) => name.push_str(word),
                Piece::Symbol(c) if braced && *c != '{' => name.push(*c),
                _ => return None,
            }
            if !braced {
                return Some(name);
            }
        }
    }

    fn named(&mut self, name: &str) -> Option<Expr> {
        match name {
            "frac" => {
                let above = self.argument()?;
                Some(Expr::Quotient(Box::new(above), Box::new(self.argument()?)))
            }
            "binom" => {
                let above = self.argument()?;
                Some(Expr::Binomial(Box::new(above), Box::new(self.argument()?)))
            }
            "sqrt" => {
                let mut degree = 2;
                if self.eat('[') {
                    let Piece::Number(value, false) = self.next()?.piece else { return None };
                    self.at += 1;
                    degree = u32::try_from(value.whole()?).ok().filter(|degree| (2..=32).contains(degree))?;
                    if !self.eat(']') {
                        return None;
                    }
                }
                Some(Expr::Root(degree, Box::new(self.argument()?)))
            }
            "pi" => Some(Expr::Pi),
            "infty" => Some(Expr::Infinity),
            "imath" => Some(Expr::Imaginary),
            "exp" => {
                let argument = self.argument()?;
                Some(Expr::Power(Box::new(Expr::Euler), Box::new(argument)))
            }
            "vert" => self.bar('|'),
            "lfloor" | "lceil" => {
                let value = self.sum()?;
                let (close, function) = if name == "lfloor" { ("rfloor", "floor") } else { ("rceil", "ceil") };
                self.eat_command(close).then(|| Expr::Function(function, Box::new(value)))
            }
            _ if greek(name) => self.variable(name.to_owned()),
            _ => function(name).and_then(|function| self.call(function)),
        }
    }

    /// A function's power, base and argument: `\sin^2 x`, `\log_2 8`, `\ln(x+1)`.
    fn call(&mut self, name: &'static str) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut base = None;
        let mut exponent = None;
        for _ in 0..2 {
            if self.eat('_') {
                base = Some(self.argument()?);
            } else if self.eat('^') {
                exponent = Some(self.argument()?);
            }
        }
        self.angle += 1;
        let bracketed = matches!(self.symbol(), Some('(' | '{' | '[' | '|'));
        let mut argument = self.power()?;
        while !bracketed && self.juxtaposed() && !self.another_function() {
            argument = times(argument, self.power()?);
        }
        self.angle -= 1;
        self.depth -= 1;
        let value = match (name, base) {
            ("log", Some(base)) => Expr::Quotient(
                Box::new(Expr::Function("ln", Box::new(argument))),
                Box::new(Expr::Function("ln", Box::new(base))),
            ),
            ("lg", None) => Expr::Quotient(
                Box::new(Expr::Function("ln", Box::new(argument))),
                Box::new(Expr::Function("ln", Box::new(Expr::integer(10)))),
            ),
            (_, Some(_)) => return None,
            (name, None) => Expr::Function(name, Box::new(argument)),
        };
        match exponent {
            None => Some(value),
            // `\sin^{-1}` is the inverse function.
            Some(Expr::Negative(one)) if *one == Expr::integer(1) => match value {
                Expr::Function("sin", inner) => Some(Expr::Function("asin", inner)),
                Expr::Function("cos", inner) => Some(Expr::Function("acos", inner)),
                Expr::Function("tan", inner) => Some(Expr::Function("atan", inner)),
                _ => None,
            },
            Some(exponent) => Some(Expr::Power(Box::new(value), Box::new(exponent))),
        }
    }

    fn another_function(&self) -> bool {
        match self.next().map(|token| &token.piece) {
            Some(Piece::Command(name)) => function(name).is_some(),
            Some(Piece::Letters(word)) => function(word).is_some(),
            _ => false,
        }
    }
}

fn times(a: Expr, b: Expr) -> Expr {
    match a {
        Expr::Product(mut factors) => {
            factors.push(b);
            Expr::Product(factors)
        }
        a => Expr::Product(vec![a, b]),
    }
}

/// The name under which a function is known.
pub(crate) fn function(name: &str) -> Option<&'static str> {
    Some(match name {
        "sin" => "sin",
        "cos" => "cos",
        "tan" | "tg" => "tan",
        "cot" => "cot",
        "sec" => "sec",
        "csc" => "csc",
        "arcsin" | "asin" => "asin",
        "arccos" | "acos" => "acos",
        "arctan" | "atan" => "atan",
        "ln" => "ln",
        "log" => "log",
        "lg" => "lg",
        "abs" => "abs",
        _ => return None,
    })
}

fn greek(name: &str) -> bool {
    const NAMES: [&str; 24] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
        "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "ell", "Delta",
    ];
    NAMES.contains(&name)
}
