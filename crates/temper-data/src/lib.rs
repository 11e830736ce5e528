//! Rows of data from and to files: JSONL, JSON, CSV and TSV, also compressed, Parquet and Arrow; column maps, templates and
//! filters; cleaning, splitting and mixing; leaks between training rows and held-out items.
//!
//! [`read`] turns a recipe's data source into [`Row`]s. What is wrong with a file is told with file, line and field, what was
//! found, what was expected and what to do ([`DataError`]); no row is passed over in silence.

mod decontaminate;
mod edits;
mod error;
mod filter;
mod formats;
mod grams;
mod inputs;
mod leaks;
pub mod mix;
mod near;
mod order;
mod read;
mod removed;
mod row;
mod rules;
mod select;
mod setting;
mod shape;
mod source;
pub mod split;
mod template;
mod units;
mod write;

pub use decontaminate::{EvalIndex, Hit, Overlap, OverlapExample, Overlaps, R1_NGRAM};
pub use error::DataError;
pub use formats::{Record, Records};
pub use inputs::{Input, InputKind, read_inputs};
pub use leaks::{Leak, LeakIndex, LeakKind, leaks};
pub use near::{Clusters, Duplicate, DuplicateKind, Duplicates, NEAR_THRESHOLD, clusters};
pub use order::{Shuffle, order};
pub use read::{Rows, read};
pub use removed::{Removed, RemovedExample};
pub use row::{Row, Step};
pub use rules::{LanguageRule, LengthRule, LengthUnit};
pub use select::select;
pub use setting::SettingError;
pub use write::{Writer, Written};
