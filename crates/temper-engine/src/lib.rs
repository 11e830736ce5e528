//! The transformer: kernels, model, cache, optimiser, sampling, weights on disk. Knows no text.
//!
//! A [`Model`] is one flat arena of parameters with a Hugging Face name for each tensor. [`Model::score`] computes
//! log-probabilities of a [`Packed`] batch, [`Model::backprop`] adds the gradient of a loss of those log-probabilities
//! to a [`Grads`] arena, [`AdamW`] turns gradients into a step, and [`generate`] samples. There is no automatic
//! differentiation: every operation in `ops/` has its backward beside it.
//!
//! Everything is deterministic: an element of a product is computed by one thread in one fixed order, so results
//! depend neither on the number of threads nor on what else is in a batch. The log-probability of a sampled token is,
//! to the bit, the one that [`Model::score`] computes for the same sequence.

mod backward;
mod batch;
mod config;
mod config_json;
pub mod conformance;
mod decode;
pub mod device;
mod error;
mod forward;
mod frozen;
mod hf;
mod kernels;
mod lora;
mod memory;
mod model;
mod ops;
mod optim;
mod par;
mod peak;
mod precision;
mod real;
mod reward;
mod rng;
mod sample;
mod simd;
mod weights;
mod workspace;

pub use batch::Packed;
pub use config::{Arch, AttentionBias, ModelConfig, Rope, RopeScaling};
pub use decode::{KvCache, Positions};
pub use error::EngineError;
pub use hf::{AdapterSource, HfError, files_digest};
pub use lora::{Adapter, LoraConfig, Projection};
pub use memory::{Footprint, Memory, peak_memory_bytes, sampling_bytes};
pub use model::{Grads, Model, TensorInfo, TokenGrads, TokenStats};
pub use ops::head::LogSoftmax;
pub use optim::{AdamW, AdamWConfig, Moments};
pub use par::threads;
pub use peak::{memory_bandwidth, peak_flops, peak_instructions};
pub use precision::{Frozen, Precision, UnknownName};
pub use real::Real;
pub use rng::{Key, shuffle};
pub use sample::{Completion, Finish, Request, SamplingParams, generate};
pub use simd::{SimdError, check_simd};
