//! One case: draws of shapes and values, and comparisons.

use super::approx::Approx;
use super::failure::{Failure, Problem};
use crate::Key;

/// Sizes next to the widths of vectors, tiles and panels.
const SIZES: [usize; 27] =
    [1, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 48, 63, 64, 95, 96, 97];

/// How the values of a tensor are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Standard normal.
    Normal,
    /// Whole numbers from -3 to 3: sums of few products are exact in `f32`, and equal values are common.
    Integers,
    /// Normal times a power of two from -30 to 10.
    Scales,
    /// Normal times 256.
    Large,
    /// Normal times 2^-126: mostly denormal.
    Denormal,
    /// Zero, now and then one.
    Sparse,
    /// Zero.
    Zero,
}

impl Kind {
    fn value(self, key: Key) -> f32 {
        let value = match self {
            Kind::Normal => key.normal(),
            Kind::Integers => (key.uniform() * 7.0).floor() - 3.0,
            Kind::Scales => key.normal() * ((key.fold(2).uniform() * 40.0).floor() - 30.0).exp2(),
            Kind::Large => key.normal() * 256.0,
            Kind::Denormal => key.normal() * (-126f64).exp2(),
            Kind::Sparse => f64::from(u8::from(key.uniform() < 0.1)),
            Kind::Zero => 0.0,
        };
        value as f32
    }
}

/// Where the draws of a case come from and where its failures go.
pub struct Case {
    /// Number of the case.
    pub index: u64,
    operation: &'static str,
    seed: u64,
    key: Key,
    draws: u64,
    shape: String,
    /// Elements compared.
    pub elements: usize,
    /// What was wrong.
    pub failures: Vec<Failure>,
}

impl Case {
    /// Case `index` of `operation`: all draws are a function of these and the seed.
    pub fn new(operation: &'static str, seed: u64, index: u64) -> Self {
        let key = Key::new(seed).fold_str(operation).fold(index);
        Case { index, operation, seed, key, draws: 0, shape: String::new(), elements: 0, failures: Vec::new() }
    }

    /// The next draw's key.
    pub fn key(&mut self) -> Key {
        self.draws += 1;
        self.key.fold(self.draws)
    }

    /// A uniform number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.key().uniform() * n as f64) as usize
    }

    /// One of `choices`.
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// True once in `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A size from 1 to `most`, mostly next to the width of a vector, tile or panel.
    pub fn size(&mut self, most: usize) -> usize {
        let most = most.max(1);
        let known = SIZES.partition_point(|size| *size <= most);
        if self.once_in(4) { 1 + self.below(most) } else { SIZES[self.below(known)] }
    }

    /// A number of rows from 0 to `most`.
    pub fn rows(&mut self, most: usize) -> usize {
        if self.once_in(12) { 0 } else { self.size(most) }
    }

    /// Mostly [`Kind::Normal`], else any.
    pub fn kind(&mut self) -> Kind {
        use Kind::{Denormal, Integers, Large, Normal, Scales, Sparse, Zero};
        self.choose(&[Normal, Normal, Normal, Normal, Normal, Normal, Integers, Scales, Large, Denormal, Sparse, Zero])
    }

    /// `n` values of one kind.
    pub fn values_of(&mut self, kind: Kind, n: usize) -> Vec<f32> {
        let key = self.key();
        (0..n as u64).map(|i| kind.value(key.fold(i))).collect()
    }

    /// `n` values of a kind that is drawn.
    pub fn values(&mut self, n: usize) -> Vec<f32> {
        let kind = self.kind();
        self.values_of(kind, n)
    }

    /// `n` ids below `vocab`.
    pub fn ids(&mut self, n: usize, vocab: usize) -> Vec<u32> {
        let key = self.key();
        (0..n as u64).map(|i| (key.fold(i).uniform() * vocab as f64) as u32).collect()
    }

    /// Says what the case looks like, for its failures.
    pub fn describe(&mut self, shape: String) {
        self.shape = shape;
    }

    /// Notes a failure.
    pub fn fail(&mut self, output: &'static str, problem: Problem) {
        let Case { operation, seed, index, .. } = *self;
        self.failures.push(Failure { operation, shape: self.shape.clone(), output, problem, seed, case: index });
    }

    /// Compares an output of shape `dims` with the reference.
    pub fn check(&mut self, output: &'static str, dims: &[usize], found: &[f32], expected: &[Approx]) {
        self.elements += expected.len();
        if found.len() != expected.len() {
            self.fail(output, Problem::Length { found: found.len(), expected: expected.len() });
            return;
        }
        let outside = |i: &usize| !expected[*i].allows(found[*i]);
        let excess = |i: usize| {
            let ratio = (f64::from(found[i]) - expected[i].value).abs() / expected[i].error;
            if ratio.is_nan() { f64::INFINITY } else { ratio }
        };
        let Some(worst) = (0..found.len()).filter(outside).max_by(|a, b| excess(*a).total_cmp(&excess(*b))) else {
            return;
        };
        let mut element = Vec::new();
        let mut rest = worst;
        for dim in dims.iter().rev() {
            element.insert(0, rest % dim);
            rest /= dim;
        }
        let outside = (0..found.len()).filter(outside).count();
        let Approx { value, error } = expected[worst];
        let found = f64::from(found[worst]);
        self.fail(output, Problem::Value { element, found, expected: value, tolerance: error, outside });
    }
}
