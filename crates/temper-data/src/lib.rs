//! Rows of data from and to files, on this machine or from the Hugging Face [Hub](hub): JSONL, JSON, CSV and TSV, also
//! compressed, Parquet and Arrow; their shapes, cleaning, splitting and mixing; leaks between training rows and held-out items;
//! and from rows to tokens, with the checks that stand between.
//!
//! [`read`] turns a recipe's data source into [`Row`]s. What is wrong with a file is told with file, line and field, what was
//! found, what was expected and what to do ([`DataError`]); no row is passed over in silence.

mod cache_dir;
mod card;
mod clean;
mod columns;
mod decontaminate;
mod edits;
mod encode;
mod error;
mod file_pattern;
mod filter;
mod formats;
mod grams;
pub mod hub;
mod inputs;
mod leaks;
mod lengths;
pub mod mix;
mod near;
mod order;
mod pack;
mod read;
mod removed;
mod row;
mod rules;
mod select;
mod setting;
mod shape;
mod source;
pub mod split;
mod stats;
mod template;
mod tokens;
pub mod transform;
mod units;
mod validate;
mod view;
mod write;

pub use cache_dir::cache_dir;
pub use card::{CardEncoding, CardFile, DataCard, Firewall, licence_beside};
pub use clean::{Cleaned, Cleaner, eval_index};
pub use columns::Column;
pub use decontaminate::{EvalIndex, Hit, Overlap, OverlapExample, Overlaps, R1_NGRAM};
pub use encode::{
    EncodeReport, EncodedRow, Encoding, Finding, Problem, Severity, encode, encode_each, tokenizer_findings,
};
pub use error::DataError;
pub use formats::{Record, Records};
pub use inputs::{Input, InputKind, read_inputs};
pub use leaks::{Leak, LeakIndex, LeakKind, leaks};
pub use lengths::{Bin, Lengths};
pub use near::{Clusters, Duplicate, DuplicateKind, Duplicates, NEAR_THRESHOLD, clusters};
pub use order::{Shuffle, order};
pub use pack::{Batching, batches, fill_rate};
pub use read::{RowAndFields, Rows, read};
pub use removed::{Removed, RemovedExample};
pub use row::{Row, Step};
pub use rules::{LanguageRule, LengthRule, LengthUnit};
pub use select::select;
pub use setting::SettingError;
pub use stats::{Parts, Repeats, Stats, Tokenised, stats};
pub use tokens::{TokenRow, TokenWriter, Tokens};
pub use transform::{Transformer, transform};
pub use validate::{HeldOut, Purpose, Validation, validate};
pub use view::{ExampleView, LearnedView, ProblemView, RowView, TokenView, TurnView};
pub use write::packed::{Packed, pack_each};
pub use write::{Writer, Written};
