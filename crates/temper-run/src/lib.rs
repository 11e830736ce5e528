//! Executes a recipe: arms, stages, gates, resume, ledger.

pub mod summary;
