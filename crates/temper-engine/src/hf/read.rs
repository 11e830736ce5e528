//! From mapped files to a model.

use std::collections::BTreeSet;

use half::f16;
use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::error::HfError;
use super::shards::{Entry, Shards};
use crate::model::layout;
use crate::{Frozen, Model, ModelConfig, Precision, TensorInfo};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const SCORE: &str = "score.weight";

/// Elements that one thread converts at a time.
const CHUNK: usize = 1 << 16;

/// Fills a model of this config from the files. Names and shapes are checked before memory is taken.
pub(super) fn read(config: ModelConfig, shards: &Shards) -> Result<Model, HfError> {
    let tensors = layout(&config);
    check(&config, &tensors, shards)?;
    let mut model = Model::zeros(config);
    let params = model.params_mut();
    for tensor in &tensors {
        fetch(shards, tensor, &mut params[tensor.range.clone()])?;
    }
    Ok(model)
}

/// Fills a model whose matrices are held in `frozen`; no more than one of them exists in f32 at a time.
pub(super) fn read_frozen(config: ModelConfig, shards: &Shards, frozen: Frozen) -> Result<Model, HfError> {
    check(&config, &layout(&config), shards)?;
    Model::frozen_from(config, frozen, Precision::F32, |tensor, out| fetch(shards, tensor, out))
}

/// Reads one tensor of a checked file and lets go of its pages.
fn fetch(shards: &Shards, tensor: &TensorInfo, out: &mut [f32]) -> Result<(), HfError> {
    let Some(entry) = shards.get(&tensor.name) else {
        return Err(missing(shards, &tensor.name, tensor.shape.clone()));
    };
    convert(shards, &tensor.name, entry, out)?;
    shards.release(entry);
    Ok(())
}

/// Checks that every tensor is there in its shape, and no other.
pub(super) fn check(config: &ModelConfig, tensors: &[TensorInfo], shards: &Shards) -> Result<(), HfError> {
    for tensor in tensors {
        let Some(entry) = shards.get(&tensor.name) else {
            return Err(missing(shards, &tensor.name, tensor.shape.clone()));
        };
        if entry.shape != tensor.shape {
            return Err(HfError::Shape {
                file: shards.file(entry).to_path_buf(),
                tensor: tensor.name.clone(),
                expected: tensor.shape.clone(),
                found: entry.shape.clone(),
                hint: shape_hint(&tensor.name),
            });
        }
    }
    no_others(config, tensors, shards)
}

fn missing(shards: &Shards, tensor: &str, expected: Vec<usize>) -> HfError {
    let hint = if tensor == HEAD {
        "if the head shares the embedding's weights set tie_word_embeddings to true in config.json, else save the model again"
    } else if tensor == SCORE {
        "config.json names a sequence classifier, but the weights have no head for it: if they are a language model's, name \
         that in architectures"
    } else if tensor.ends_with(".bias") {
        "config.json says that this projection has a bias: check attention_bias and the architecture"
    } else if shards.source.ends_with(super::shards::INDEX) {
        "the index does not list it: download index and shards again, or check num_hidden_layers in config.json"
    } else {
        "download or save the weights again, or check num_hidden_layers in config.json"
    };
    HfError::MissingTensor { file: shards.source.clone(), tensor: tensor.to_owned(), expected, hint: hint.to_owned() }
}

fn shape_hint(tensor: &str) -> &'static str {
    if tensor == SCORE {
        "the first number is that of the labels: id2label in config.json must have as many entries"
    } else if tensor == EMBEDDING || tensor == HEAD {
        "the first number is the vocabulary: vocab_size and hidden_size in config.json must be those of the weights"
    } else {
        "config.json and the weights are of different models: take both from one directory"
    }
}

/// Refuses tensors that the model would silently ignore. Allowed are rotary frequencies, which old checkpoints carry
/// and which follow from the config, and a head that equals the embedding that it is tied to.
fn no_others(config: &ModelConfig, tensors: &[TensorInfo], shards: &Shards) -> Result<(), HfError> {
    let known: BTreeSet<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    let mut others = shards.names().filter(|n| !known.contains(n) && !n.ends_with(".rotary_emb.inv_freq"));
    let mut others: Vec<&str> = others.by_ref().collect();
    if config.tie_word_embeddings
        && let (Some(head), Some(embedding)) = (shards.get(HEAD), shards.get(EMBEDDING))
    {
        others.retain(|n| *n != HEAD);
        same_as_embedding(shards, embedding, head)?;
    }
    match others.first() {
        None => Ok(()),
        Some(first) => Err(HfError::UnexpectedTensor {
            file: shards.get(first).map_or(shards.source.clone(), |e| shards.file(e).to_path_buf()),
            tensor: (*first).to_owned(),
            count: others.len(),
            architecture: config.architecture(),
        }),
    }
}

fn same_as_embedding(shards: &Shards, embedding: &Entry, head: &Entry) -> Result<(), HfError> {
    let file = || shards.file(head).to_path_buf();
    if head.shape != embedding.shape {
        return Err(HfError::Shape {
            file: file(),
            tensor: HEAD.to_owned(),
            expected: embedding.shape.clone(),
            found: head.shape.clone(),
            hint: shape_hint(HEAD),
        });
    }
    if head.dtype == embedding.dtype && shards.bytes(head) == shards.bytes(embedding) {
        return Ok(());
    }
    let values = |name: &str, entry: &Entry| {
        let mut values = vec![0.0; entry.shape.iter().product()];
        convert(shards, name, entry, &mut values).map(|()| values)
    };
    let (head, embedding) = (values(HEAD, head)?, values(EMBEDDING, embedding)?);
    match head.iter().zip(&embedding).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(element) => Err(HfError::Untied { file: file(), element }),
    }
}

/// Widens the bytes of a tensor to f32 and checks that every value is finite.
pub(super) fn convert(shards: &Shards, name: &str, entry: &Entry, out: &mut [f32]) -> Result<(), HfError> {
    let file = || shards.file(entry).to_path_buf();
    let bytes = shards.bytes(entry);
    let (width, decode): (usize, fn(&[u8]) -> f32) = match entry.dtype {
        Dtype::F32 => (4, |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        Dtype::BF16 => (2, |b| f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16)),
        Dtype::F16 => (2, |b| f16::from_bits(u16::from_le_bytes([b[0], b[1]])).to_f32()),
        other => {
            return Err(HfError::Dtype { file: file(), tensor: name.to_owned(), found: format!("{other:?}") });
        }
    };
    let decode_chunk = |(number, (out, bytes)): (usize, (&mut [f32], &[u8]))| {
        match width {
            4 => fill::<4>(out, bytes, decode),
            _ => fill::<2>(out, bytes, decode),
        }
        out.iter().position(|x| !x.is_finite()).map(|at| (number * CHUNK + at, out[at]))
    };
    let first_bad = out
        .par_chunks_mut(CHUNK)
        .zip(bytes.par_chunks(CHUNK * width))
        .enumerate()
        .filter_map(decode_chunk)
        .min_by_key(|(element, _)| *element);
    match first_bad {
        None => Ok(()),
        Some((element, value)) => Err(HfError::NotFinite { file: file(), tensor: name.to_owned(), element, value }),
    }
}

fn fill<const WIDTH: usize>(out: &mut [f32], bytes: &[u8], decode: fn(&[u8]) -> f32) {
    for (to, from) in out.iter_mut().zip(bytes.chunks_exact(WIDTH)) {
        *to = decode(from);
    }
}
