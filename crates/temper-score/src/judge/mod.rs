//! Judges: scorers that ask a model. Guards, judges of published benchmarks, the user's own rubric, a monitor of reasoning,
//! and reward models.
//!
//! A judge is a rendering (what the model is asked about a sample), a model (run by the engine or behind a server) and a
//! strict parser of its reply. A reply that is not in the form that was asked for is no verdict: the sample is unscored.

mod asked;
mod common;
mod engine;
mod harmbench;
mod jailbreakbench;
mod llama_guard;
mod model;
mod monitor;
mod qwen3guard;
mod reply;
mod reward_model;
mod rubric;
mod seen;
mod served;
mod strongreject;
mod template;
mod wildguard;

pub(crate) use harmbench::HARMBENCH;
pub(crate) use jailbreakbench::JAILBREAKBENCH;
pub(crate) use llama_guard::LLAMA_GUARD;
pub(crate) use monitor::MONITOR;
pub(crate) use qwen3guard::QWEN3GUARD;
pub(crate) use reward_model::REWARD_MODEL;
pub(crate) use rubric::RUBRIC;
pub(crate) use strongreject::STRONGREJECT;
pub(crate) use wildguard::WILDGUARD;
