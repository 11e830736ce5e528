//! Executes a recipe: arms, stages, gates, resume, ledger.
