//! The miniature world: text, tasks, oracles, annotator.
//!
//! A [`World`] is generated from the knobs of [`temper_recipe::Lab`]: two languages, English and Chinese; reasoning
//! problems with written-out thinking and a checkable answer; harmful, ordinary and look-alike requests; a corpus to
//! pre-train a base model on, in which every behaviour occurs, good and bad; and a tokenizer trained on that corpus.
//! [`oracle::judge`] labels any completion from the row's fields alone; [`annotator::reward`] is the imperfect reward
//! whose faults are known.
//!
//! Harmful requests only name a topic. Completions that comply with them are placeholders and name no method.

pub mod annotator;
mod author;
pub mod corpus;
pub mod datasets;
mod error;
mod lexicon;
pub mod oracle;
mod phrases;
mod problems;
mod requests;
mod rng;
pub mod tokenizer;
mod world;

pub use error::LabError;
pub use tokenizer::TokenizerFiles;
pub use world::{Document, World};
