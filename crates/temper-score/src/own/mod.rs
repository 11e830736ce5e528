//! Scorers of the user's own: a process that speaks JSON lines, a Python function as TRL calls it, an HTTP server, a formula
//! over other scorers.

mod batches;
mod code;
mod expression;
mod http;
mod process;
mod python;
mod settings;
mod wire;
mod worker;

pub(crate) use expression::EXPRESSION;
pub(crate) use http::HTTP;
pub(crate) use process::PROCESS;
pub(crate) use python::PYTHON;
