//! lm-eval's files: `results_<time>.json` and `samples_<task>_<time>.jsonl`.

mod read;
mod write;

pub(super) use read::{is_one, read};
pub use write::{LmEvalFiles, write_lm_eval};
