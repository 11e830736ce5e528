//! Scorers: reward in training, metric at a gate, monitor in production.

mod score;
mod scorer;

pub use score::{Better, Part, Score};
pub use scorer::{Sample, Scorer};
