//! Rows of data from files, on this machine or on the Hugging Face [Hub](hub): JSONL, JSON, CSV and TSV; column maps, templates and filters; order; leaks between training
//! rows and held-out items.
//!
//! [`read`] turns a recipe's data source into [`Row`]s. What is wrong with a file is told with file, line and field, what was
//! found, what was expected and what to do ([`DataError`]); no row is passed over in silence.

mod error;
mod filter;
mod formats;
pub mod hub;
mod inputs;
mod leaks;
mod order;
mod read;
mod row;
mod select;
mod shape;
mod source;
mod template;

pub use error::DataError;
pub use inputs::{Input, InputKind, read_inputs};
pub use leaks::{Leak, LeakKind, leaks};
pub use order::order;
pub use read::{read, read_hub};
pub use row::Row;
pub use select::select;
