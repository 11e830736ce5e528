//! Scorers: reward in training, metric at a gate, monitor in production.
//!
//! A [`Scorer`] maps a [`Sample`] (one completion of one row) to a [`Score`]. [`build`] makes one from a type and its
//! parameters; [`registry`] lists the types. What a scorer cannot judge is never a zero: it is not applicable, unscored or an
//! error, each counted apart.

pub mod answers;
mod bbq;
mod cache;
mod choice;
mod difference;
mod error;
mod family;
mod form;
pub mod format;
pub mod gsm8k;
mod impossible;
mod judge;
mod lab;
mod language;
mod length;
pub mod math;
mod number;
mod own;
pub mod refusal;
mod registry;
mod score;
mod scorer;
#[cfg(test)]
mod testing;

pub use cache::ScoreCache;
pub use error::ScoreError;
pub use family::ScorerInfo;
pub use registry::{build, build_with, identities, known_types, registry};
pub use score::{Better, Judged, Nature, Part, Score};
pub use scorer::{Sample, Scorer};
