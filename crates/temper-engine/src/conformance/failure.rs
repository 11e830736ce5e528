//! What the suite found.

use std::fmt;

/// One output of one case that is not what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Name of the operation: that of the method of [`crate::device::Device`].
    pub operation: &'static str,
    /// The case's shape and constants, in words.
    pub shape: String,
    /// Which of the operation's results.
    pub output: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
    /// The seed given to the suite.
    pub seed: u64,
    /// Number of the case: with operation and seed it goes to [`super::reproduce`].
    pub case: u64,
}

/// What is wrong with an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The element that is farthest outside its bound (and how many are outside).
    Value {
        /// Index in each dimension.
        element: Vec<usize>,
        /// What the device computed.
        found: f64,
        /// What the reference computed.
        expected: f64,
        /// How far they may be apart.
        tolerance: f64,
        /// Elements outside their bounds.
        outside: usize,
    },
    /// The wrong number of elements.
    Length {
        /// What the device returned.
        found: usize,
        /// What was expected.
        expected: usize,
    },
    /// The device panicked.
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Failure { operation, shape, output, problem, seed, case } = self;
        write!(f, "{operation} [{shape}]: ")?;
        match problem {
            Problem::Value { element, found, expected, tolerance, outside } => write!(
                f,
                "{output}{element:?} is {found:e}, expected {expected:e} within {tolerance:.1e} ({outside} elements differ)"
            )?,
            Problem::Length { found, expected } => {
                write!(f, "{output} has {found} elements, expected {expected}")?;
            }
            Problem::Panic(message) => write!(f, "panicked: {message}")?,
        }
        write!(f, "; reproduce with operation \"{operation}\", seed {seed}, case {case}")
    }
}

/// Outcome of a run of the suite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// For each operation its name, the number of cases and the number of elements compared.
    pub checked: Vec<(&'static str, u64, usize)>,
    /// What was wrong, in order of operation and case.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Whether nothing was wrong.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Names of the operations with failures, each once.
    pub fn failed_operations(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.failures.iter().map(|failure| failure.operation).collect();
        names.dedup();
        names
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (operation, cases, elements) in &self.checked {
            let failures = self.failures.iter().filter(|failure| failure.operation == *operation).count();
            writeln!(f, "{operation:<36} {cases:>5} cases {elements:>9} elements {failures:>5} failures")?;
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        Ok(())
    }
}
