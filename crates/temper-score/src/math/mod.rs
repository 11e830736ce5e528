//! Final answers: finding them in a completion, and telling whether two of them are the same.
//!
//! A text goes through `fold` (one spelling), `lex` (tokens), `read` (what kind of answer) and `parse` (expressions).
//! `compare` decides: `symbolic` proves, `numeric` refutes, and what neither settles stays open. Every step is bounded in the
//! size, depth and number of terms that it accepts.

mod compare;
mod complex;
mod expr;
mod extract;
mod fold;
mod lex;
mod measures;
mod numeric;
mod parse;
mod rational;
mod read;
mod sets;
mod symbolic;
mod towers;
mod units;
mod words;

pub use compare::{equal, mathematical, readable};
pub use extract::{Kind, extract, last_number};
pub(crate) use words::{choice, plain, within};

#[cfg(test)]
mod tests;
