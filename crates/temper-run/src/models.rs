//! From a model's path to weights and tokenizer: a Hugging Face directory, a model of the Hugging Face Hub, or the lab's base
//! model, pre-trained on first use.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use temper_engine::{Model, ModelConfig};
use temper_lab::World;
use temper_recipe::{Bytes, HubPath, Lab, ModelRef};
use temper_text::Tokenizer;
use temper_train::{Cost, Progress, Resources, StageContext, StageStatus};

use crate::directory;
use crate::error::RunError;
use crate::sources::Sources;

/// Name of the lab's base model.
pub const LAB_BASE: &str = "lab:base";
pub(crate) const COST_FILE: &str = "pretrain.json";

/// A model with its tokenizer and where it lies.
pub struct Loaded {
    /// The weights.
    pub model: Model,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The directory it was read from.
    pub dir: PathBuf,
    /// What pre-training cost, in this run or in the one that filled the cache; zero for a given directory.
    pub pretraining: Cost,
    /// Whether a cached base model was used.
    pub cached: bool,
    /// The commit, for a model of the Hugging Face Hub.
    pub revision: Option<String>,
}

impl Loaded {
    /// Tokens that end a completion: those of the tokenizer's files and those of the model's configuration.
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.tokenizer.stop_ids();
        ids.extend(&self.model.config().eos_token_ids);
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Why a model is not there: an error, or the user's wish to stop.
pub enum Resolve {
    /// The model.
    Ready(Box<Loaded>),
    /// Pre-training or a download was interrupted; what there is of it is kept and the next call goes on from there.
    Interrupted,
}

/// Loads a directory or a model of the Hugging Face Hub, or makes the lab's base model.
///
/// # Errors
/// A missing, half-written or unsupported model; one that cannot be fetched; a tokenizer larger than the embedding.
pub fn resolve(
    model: &ModelRef,
    sources: &Sources,
    lab: &Lab,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Resolve, RunError> {
    match given(model) {
        Ok(Some(loaded)) => Ok(Resolve::Ready(Box::new(loaded))),
        Ok(None) => lab_base(sources, lab, progress, stop),
        // What has arrived of a download is kept.
        Err(RunError::Data(_)) if stop.load(Ordering::SeqCst) => Ok(Resolve::Interrupted),
        Err(error) => Err(error),
    }
}

/// The model of a directory or of the Hub; `None` for the lab's base model.
///
/// # Errors
/// As [`local`] and [`load_directory`]; a `lab:` name other than the base model's.
pub(crate) fn given(model: &ModelRef) -> Result<Option<Loaded>, RunError> {
    let path = temper_recipe::expand_env(&model.path)?;
    match path.strip_prefix("lab:") {
        Some("base") => Ok(None),
        Some(other) => Err(RunError::Other(format!(
            "model.path: the lab has no model `{other}`. Use `{LAB_BASE}`, a Hugging Face model directory, or `hf://ORG/MODEL`"
        ))),
        None => {
            let (dir, revision) = local(&path)?;
            Ok(Some(Loaded { revision, ..load_directory(&dir)? }))
        }
    }
}

/// The directory that a path stands for: itself, or where the files of `hf://ORG/MODEL` were fetched to, with their commit.
///
/// # Errors
/// A malformed `hf://` path; what cannot be fetched.
pub fn local(path: &str) -> Result<(PathBuf, Option<String>), RunError> {
    if !HubPath::is(path) {
        return Ok((PathBuf::from(path), None));
    }
    let (dir, commit) = temper_data::hub::model_dir(&HubPath::parse(path)?)?;
    Ok((dir, Some(commit)))
}

/// Loads weights and tokenizer of a Hugging Face directory and checks that they fit each other.
///
/// # Errors
/// As the engine and the tokenizer say; a tokenizer with more ids than the embedding has rows.
pub fn load_directory(dir: &Path) -> Result<Loaded, RunError> {
    if !dir.is_dir() {
        let what = if dir.exists() { "is a file, not a model directory" } else { "does not exist" };
        return Err(RunError::Other(format!(
            "model directory {} {what}. Give a folder with config.json, *.safetensors and tokenizer.json",
            dir.display()
        )));
    }
    check_size(dir, &ModelConfig::load(dir)?, crate::machine::available_memory())?;
    let model = Model::load(dir)?;
    let tokenizer = Tokenizer::load(dir)?;
    check_fit(&model, &tokenizer, dir)?;
    Ok(Loaded { model, tokenizer, dir: dir.to_owned(), pretraining: Cost::default(), cached: false, revision: None })
}

/// Refuses a model whose weights alone do not fit into the memory, before they are read.
fn check_size(dir: &Path, config: &ModelConfig, available: Option<u64>) -> Result<(), RunError> {
    let needed = 4 * config.num_params() as u64;
    match available {
        Some(available) if needed > available => Err(RunError::Other(format!(
            "{}: the model's {} parameters take {} in f32, but there are only {} of memory. Use a smaller model or a machine with more memory",
            dir.display(),
            config.num_params(),
            Bytes(needed),
            Bytes(available)
        ))),
        _ => Ok(()),
    }
}

fn check_fit(model: &Model, tokenizer: &Tokenizer, dir: &Path) -> Result<(), RunError> {
    let (ids, rows) = (tokenizer.vocab_size(), model.config().vocab_size);
    if ids > rows {
        return Err(RunError::Other(format!(
            "{}: the tokenizer has ids up to {}, but the embedding has only {rows} rows, so some tokens have no vector. Use the tokenizer that belongs to this model, or resize the embedding to at least {ids} rows",
            dir.display(),
            ids - 1
        )));
    }
    Ok(())
}

/// Where the base model of a world is kept.
pub(crate) fn lab_base_dir(world: &World) -> PathBuf {
    temper_data::cache_dir().join(format!("lab-base-{}", &world.base_digest()[..16]))
}

/// The tokenizer of the lab's base model: from the cache, or trained now.
pub(crate) fn lab_tokenizer(world: &World) -> Result<Tokenizer, RunError> {
    let dir = lab_base_dir(world);
    if dir.join(COST_FILE).exists() {
        return Ok(Tokenizer::load(&dir)?);
    }
    let scratch = tempfile::tempdir().map_err(|e| RunError::io(&std::env::temp_dir(), e))?;
    world.train_tokenizer()?.write(scratch.path())?;
    Ok(Tokenizer::load(scratch.path())?)
}

/// Shape of the lab's base model.
pub(crate) fn lab_config(lab: &Lab, tokenizer: &Tokenizer) -> ModelConfig {
    let mut config = ModelConfig::small(
        tokenizer.vocab_size(),
        lab.hidden_size,
        lab.num_layers,
        lab.num_heads,
        lab.num_kv_heads,
        lab.intermediate_size,
    );
    config.eos_token_ids = tokenizer.stop_ids();
    config.pad_token_id = tokenizer.pad();
    config
}

/// The lab's base model: from the cache, or pre-trained now.
pub(crate) fn lab_base(
    sources: &Sources,
    lab: &Lab,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Resolve, RunError> {
    let world = sources.world();
    let dir = lab_base_dir(world);
    if dir.join(COST_FILE).exists() {
        let mut loaded = load_directory(&dir)?;
        let bytes = fs::read(dir.join(COST_FILE)).map_err(|e| RunError::io(&dir.join(COST_FILE), e))?;
        loaded.pretraining = serde_json::from_slice(&bytes).map_err(|e| {
            RunError::Other(format!("{} is damaged: {e}. Delete the folder; it is made anew", dir.display()))
        })?;
        loaded.cached = true;
        return Ok(Resolve::Ready(Box::new(loaded)));
    }
    fs::create_dir_all(&dir).map_err(|e| RunError::io(&dir, e))?;
    world.train_tokenizer()?.write(&dir)?;
    let tokenizer = Tokenizer::load(&dir)?;
    let mut model = Model::random(lab_config(lab, &tokenizer), lab.seed);
    let documents = world
        .corpus()
        .take(world.corpus_documents())
        .map(|document| tokenizer.encode_dialogue(&document.messages().into()))
        .collect::<Result<Vec<_>, _>>()?;
    crate::machine::reset_peak_memory();
    let outcome = {
        let mut context = StageContext {
            model: &mut model,
            tokenizer: &tokenizer,
            seed: lab.seed,
            dir: &dir,
            // The cached model depends on the lab alone.
            resources: Resources { budget: crate::machine::available_memory(), ..Resources::default() },
            budget_flops: None,
            progress,
            stop,
            resume: true,
        };
        temper_train::pretrain(&mut context, &lab.pretrain, &documents)?
    };
    if outcome.status == StageStatus::Stopped {
        return Ok(Resolve::Interrupted);
    }
    model.save(&dir)?;
    // The cost is written last: a cache folder without it is an unfinished one.
    directory::write(&dir.join(COST_FILE), &serde_json::to_vec_pretty(&outcome.cost).map_err(RunError::json)?)?;
    let _ = fs::remove_dir_all(dir.join("state"));
    Ok(Resolve::Ready(Box::new(Loaded {
        model,
        tokenizer,
        dir,
        pretraining: outcome.cost,
        cached: false,
        revision: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_larger_than_the_memory_is_refused() {
        let config = ModelConfig::small(1000, 64, 2, 4, 2, 128);
        let bytes = 4 * config.num_params() as u64;
        let check = |available| check_size(Path::new("m"), &config, available);
        assert!(check(None).is_ok() && check(Some(bytes)).is_ok());
        let error = check(Some(bytes - 1)).unwrap_err().to_string();
        assert!(error.contains("parameters take") && error.contains("a smaller model"), "{error}");
    }
}
