//! The form of a completion, whatever it says: JSON, length, repetition.

mod json;
mod overlong;
mod repetition;

pub(crate) use json::{JSON, JSON_SCHEMA};
pub(crate) use overlong::OVERLONG;
pub(crate) use repetition::{LOOP, REPETITION};
