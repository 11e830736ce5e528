//! What an answer can be once it is read: expressions, and sets, tuples and relations of them.

use super::rational::Rational;

/// A scalar expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A number, and whether it was written as a decimal, which may have been rounded.
    Number(Rational, bool),
    /// A number too large or too fine for exact arithmetic.
    Huge(f64),
    Pi,
    Euler,
    Imaginary,
    Infinity,
    Variable(String),
    Sum(Vec<Expr>),
    Product(Vec<Expr>),
    Negative(Box<Expr>),
    Quotient(Box<Expr>, Box<Expr>),
    Power(Box<Expr>, Box<Expr>),
    /// The real root of the given degree.
    Root(u32, Box<Expr>),
    Factorial(Box<Expr>),
    /// A known function: `sin`, `cos`, `tan`, `cot`, `sec`, `csc`, the inverse ones with `a` before, `ln`, `abs`, `floor`,
    /// `ceil`, `log` (of a base that is not written).
    Function(&'static str, Box<Expr>),
    Binomial(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// An exact integer.
    pub(crate) fn integer(value: i128) -> Self {
        Expr::Number(Rational::integer(value), false)
    }

    /// The parts of which it is made.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Sum(parts) | Expr::Product(parts) => parts.iter().collect(),
            Expr::Negative(a) | Expr::Root(_, a) | Expr::Factorial(a) | Expr::Function(_, a) => vec![a],
            Expr::Quotient(a, b) | Expr::Power(a, b) | Expr::Binomial(a, b) => vec![a, b],
            _ => Vec::new(),
        }
    }

    /// Whether any part of it satisfies the test.
    pub(crate) fn any(&self, test: &impl Fn(&Expr) -> bool) -> bool {
        test(self) || self.parts().into_iter().any(|part| part.any(test))
    }

    /// Whether a decimal stands in it.
    pub(crate) fn decimal(&self) -> bool {
        self.any(&|part| matches!(part, Expr::Number(_, true) | Expr::Huge(_)))
    }

    /// Whether a variable stands in it.
    pub(crate) fn open(&self) -> bool {
        self.any(&|part| matches!(part, Expr::Variable(_)))
    }

    /// The names of its variables, each once, in alphabetical order.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names.sort();
        names.dedup();
        names
    }

    fn collect(&self, names: &mut Vec<String>) {
        if let Expr::Variable(name) = self {
            names.push(name.clone());
        }
        for part in self.parts() {
            part.collect(names);
        }
    }
}

/// A comparison sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Unequal,
}

impl Sign {
    /// The sign with its sides exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Sign::Less => Sign::Greater,
            Sign::LessEqual => Sign::GreaterEqual,
            Sign::Greater => Sign::Less,
            Sign::GreaterEqual => Sign::LessEqual,
            same => same,
        }
    }
}

/// An answer as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Scalar(Expr),
    /// A scalar followed by a percent sign.
    Percent(Expr),
    /// `(a, b, …)`, in order. Two elements may also be the ends of an open interval.
    Tuple(Vec<Answer>),
    /// `{a, b, …}`, in any order.
    Set(Vec<Answer>),
    /// `a, b, …` or `a and b`, without brackets.
    List(Vec<Answer>),
    /// `[a, b)`: the ends, and whether each belongs to it.
    Interval(Expr, bool, Expr, bool),
    /// Intervals and sets joined by ∪.
    Union(Vec<Answer>),
    /// `a < b ≤ c`: one side more than signs.
    Relation(Vec<Expr>, Vec<Sign>),
    /// Rows of entries.
    Matrix(Vec<Vec<Expr>>),
}
