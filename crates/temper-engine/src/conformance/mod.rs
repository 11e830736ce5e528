//! A conformance suite for devices: every operation of [`crate::device::Device`], forward and backward, against a naive
//! reference in `f64`, over random shapes.
//!
//! # For whoever implements a device
//!
//! Implement [`crate::device::Device`] for it and let a test assert that [`run`] passes:
//!
//! ```
//! use temper_engine::{conformance, device::Cpu};
//!
//! let report = conformance::run(&Cpu, 2, 0);
//! assert!(report.passed(), "{report}");
//! ```
//!
//! A [`Failure`] names the operation, the shape, the output, the element that is farthest off, what was found and what was
//! expected; with its operation, seed and case [`reproduce`] runs that one case again. A device that panics fails the case.
//!
//! # Cases
//!
//! A case is a function of the operation's name, the seed and the case's number. Sizes are 1, odd ones, those next to the
//! widths of vectors, tiles and panels (15, 16, 17, 31, 32, 33, 95, 96, 97), and any between; batches and segments may be
//! empty; every 16th case is a long one (inner dimensions beyond 500, a segment of some thousand positions). Values are
//! mostly standard normal, else whole numbers, of very different scales, large (scores and logits in the thousands),
//! denormal, sparse or zero.
//!
//! # Tolerance
//!
//! There is no tolerance to be tuned. The reference computes each element together with a bound on the error that `f32`
//! arithmetic may make in it, by running error analysis: with `u = 2^-24`,
//!
//! - an input has no error, a constant that is rounded to `f32` the error `u`;
//! - a sum or product is rounded once (`u`), a quotient or square root within 2 units in the last place (`4 u`), an
//!   exponential or logarithm within 4 (`8 u`), relative to the result; each then also carries what the errors of its
//!   operands do to it;
//! - a sum of `n` terms, in any order, has the errors of its terms and `n u` times the sum of their magnitudes;
//! - an operand that is rounded to bf16, or to a level of a frozen weight's format, is any of those that the number before it
//!   may be rounded to, given its bound: one, unless it lies within its bound of a border;
//! - an operand that a device may but need not round to bf16 (in attention) is any number from itself to the rounded one,
//!   or within 2^-8 of itself if it was computed;
//! - a denormal input may be read as zero and a denormal result flushed to zero (2^-126 per operation).
//!
//! So an inner product of `n` exact inputs may be off by about `(n + 1) u sum |x y|`, and what follows from it by as much as
//! that can do. The bound holds for any order of summation, with or without fused multiply-adds; it is a worst case, so a
//! correct device never fails by chance. Formulas that lose more than these (a softmax without its maximum, a variance from
//! a difference) are outside.
//!
//! Positions where two answers are both right (the most probable of two logits that are equal but for rounding, a random
//! number next to the border between two tokens) accept both.

mod adapter;
mod approx;
mod attention;
mod case;
mod embedding;
mod failure;
#[cfg(test)]
mod finite;
mod format;
mod head;
mod linear;
mod optimiser;
mod rmsnorm;
mod rope;
mod sampling;
mod swiglu;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use failure::{Failure, Problem, Report};

use crate::device::Device;
use crate::{Frozen, Precision};
use case::Case;
use format::Format;

/// An operation: its name and how one case of it is checked.
type Operation = (&'static str, fn(&dyn Device, &mut Case));

const OPERATIONS: &[Operation] = &[
    ("embedding", embedding::forward),
    ("embedding_backward", embedding::backward),
    ("rmsnorm", rmsnorm::forward),
    ("rmsnorm_backward", rmsnorm::backward),
    ("rope", rope::forward),
    ("rope_backward", rope::backward),
    ("linear", |device, case| linear::forward(device, case, Format::Trained(Precision::F32))),
    ("linear in bf16", |device, case| linear::forward(device, case, Format::Trained(Precision::Bf16))),
    ("linear, frozen bf16", |device, case| linear::forward(device, case, Format::Frozen(Frozen::Bf16))),
    ("linear, frozen int8", |device, case| linear::forward(device, case, Format::Frozen(Frozen::Int8))),
    ("linear, frozen nf4", |device, case| linear::forward(device, case, Format::Frozen(Frozen::Nf4))),
    ("linear_backward_input", |device, case| linear::backward_input(device, case, Format::Trained(Precision::F32))),
    ("linear_backward_input in bf16", |device, case| {
        linear::backward_input(device, case, Format::Trained(Precision::Bf16));
    }),
    ("linear_backward_input, frozen bf16", |device, case| {
        linear::backward_input(device, case, Format::Frozen(Frozen::Bf16));
    }),
    ("linear_backward_input, frozen int8", |device, case| {
        linear::backward_input(device, case, Format::Frozen(Frozen::Int8));
    }),
    ("linear_backward_input, frozen nf4", |device, case| {
        linear::backward_input(device, case, Format::Frozen(Frozen::Nf4));
    }),
    ("linear_backward_weight", |device, case| linear::backward_weight(device, case, Precision::F32)),
    ("linear_backward_weight in bf16", |device, case| linear::backward_weight(device, case, Precision::Bf16)),
    ("adapter", adapter::forward),
    ("adapter_backward", adapter::backward),
    ("attention", |device, case| attention::forward(device, case, Precision::F32)),
    ("attention in bf16", |device, case| attention::forward(device, case, Precision::Bf16)),
    ("attention_backward", |device, case| attention::backward(device, case, Precision::F32)),
    ("attention_backward in bf16", |device, case| attention::backward(device, case, Precision::Bf16)),
    ("swiglu", swiglu::forward),
    ("swiglu_backward", swiglu::backward),
    ("head", |device, case| head::forward(device, case, Precision::F32)),
    ("head in bf16", |device, case| head::forward(device, case, Precision::Bf16)),
    ("head_backward", |device, case| head::backward(device, case, Precision::F32)),
    ("head_backward in bf16", |device, case| head::backward(device, case, Precision::Bf16)),
    ("adamw", optimiser::adamw),
    ("grad_norm", optimiser::grad_norm),
    ("draw", sampling::draw),
];

/// Names of all operations: those of the methods of [`Device`], with the number format if there are several.
pub fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(name, _)| *name)
}

/// Checks `cases` cases of every operation.
pub fn run(device: &dyn Device, cases: u64, seed: u64) -> Report {
    let mut report = Report::default();
    for (name, check) in OPERATIONS {
        let mut elements = 0;
        for index in 0..cases {
            let case = run_case(device, (name, *check), seed, index);
            elements += case.elements;
            report.failures.extend(case.failures);
        }
        report.checked.push((name, cases, elements));
    }
    report
}

/// Runs one case again: the failures of case `case` of `operation`; `None` if there is no such operation.
pub fn reproduce(device: &dyn Device, operation: &str, seed: u64, case: u64) -> Option<Vec<Failure>> {
    let operation = OPERATIONS.iter().find(|(name, _)| *name == operation)?;
    Some(run_case(device, *operation, seed, case).failures)
}

fn run_case(device: &dyn Device, (name, check): Operation, seed: u64, index: u64) -> Case {
    let mut case = Case::new(name, seed, index);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(device, &mut case))) {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        case.fail("result", Problem::Panic(text.unwrap_or_else(|| "without a message".into())));
    }
    case
}
