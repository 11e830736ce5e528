//! Which files of a model's repository are fetched: configuration, tokenizer, weights as safetensors, licence. No pickles.

use super::choose::shown;
use super::store::Repository;
use crate::DataError;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

const FILES: [&str; 16] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "README.md",
    "NOTICE",
    ADAPTER_CONFIG,
    ADAPTER,
];
const ADAPTER_CONFIG: &str = "adapter_config.json";
const ADAPTER: &str = "adapter_model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Fetches a model's files; the folder that they lie in.
pub(crate) fn fetch(repository: &Repository) -> Result<PathBuf, DataError> {
    let has = |name: &str| repository.files.iter().any(|file| file == name);
    let weights = if has(SINGLE) {
        vec![SINGLE.to_owned()]
    } else if has(INDEX) {
        shards(repository)?
    } else if has(ADAPTER) && has(ADAPTER_CONFIG) {
        Vec::new()
    } else {
        return Err(no_weights(repository));
    };
    // The small files first: what is wrong with them is known before the weights arrive.
    fetch_small(repository)?;
    let adapter = Some(ADAPTER).filter(|file| has(file));
    for file in weights.iter().map(String::as_str).chain(adapter) {
        repository.fetch(file)?;
    }
    Ok(repository.snapshot().to_owned())
}

/// Fetches a model's files but the weights; the folder that they lie in.
pub(crate) fn fetch_tokenizer(repository: &Repository) -> Result<PathBuf, DataError> {
    if !repository.files.iter().any(|file| file == TOKENIZER) {
        let what = format!("there is no `{TOKENIZER}`; it has {}", shown(&repository.files));
        return Err(repository.error(what, "Name a repository with a fast tokenizer"));
    }
    fetch_small(repository)?;
    Ok(repository.snapshot().to_owned())
}

fn fetch_small(repository: &Repository) -> Result<(), DataError> {
    let wanted = |file: &&String| {
        let upper = file.to_ascii_uppercase();
        let licence = !file.contains('/') && (upper.starts_with("LICENSE") || upper.starts_with("LICENCE"));
        let template = file.starts_with("additional_chat_templates/") && file.ends_with(".jinja");
        licence || template || (FILES.contains(&file.as_str()) && file.as_str() != ADAPTER)
    };
    for file in repository.files.iter().filter(wanted) {
        repository.fetch(file)?;
    }
    Ok(())
}

/// The index, and the shards that it names.
fn shards(repository: &Repository) -> Result<Vec<String>, DataError> {
    let path = repository.fetch(INDEX)?;
    let bytes = std::fs::read(&path).map_err(|e| {
        repository.error(format!("{} cannot be read: {e}", path.display()), "Check its rights, or delete it")
    })?;
    let index: Option<Value> = serde_json::from_slice(&bytes).ok();
    let map = index.as_ref().and_then(|index| index.get("weight_map")?.as_object());
    let names: Option<BTreeSet<&str>> = map.and_then(|map| map.values().map(Value::as_str).collect());
    let names = names.filter(|names| !names.is_empty()).ok_or_else(|| {
        repository.error(format!("`{INDEX}` has no map from weights to files"), "Have the repository corrected")
    })?;
    if let Some(missing) = names.iter().find(|name| !repository.files.iter().any(|file| file == *name)) {
        return Err(repository.error(
            format!("`{INDEX}` names `{missing}`, which the repository does not have"),
            match repository.partly_known {
                true => "HF_HUB_OFFLINE is set, and this file is not in the cache: unset it to download",
                false => "Choose another revision, or have the repository corrected",
            },
        ));
    }
    Ok(std::iter::once(INDEX).chain(names).map(str::to_owned).collect())
}

fn no_weights(repository: &Repository) -> DataError {
    let ends = |ends: &[&str]| repository.files.iter().any(|file| ends.iter().any(|end| file.ends_with(end)));
    if ends(&[".bin", ".pt", ".pth", ".ckpt"]) {
        return repository.error(
            format!("the weights are pickled, which are not read since they can run code; `{SINGLE}` is missing"),
            "Look for a pull request of the Hub's converter and name it (`@refs/pr/N`), or convert in Python: `AutoModelForCausalLM.from_pretrained(NAME).save_pretrained(DIR)`",
        );
    }
    let what = format!("there is neither `{SINGLE}` nor `{INDEX}`; it has {}", shown(&repository.files));
    let remedy = match ends(&[".gguf"]) {
        true => "GGUF files are not read; name the model that they were made from",
        false => "Name a repository with the weights of a language model",
    };
    repository.error(what, remedy)
}
