//! Adapters on disk: PEFT directories (`adapter_config.json` and `adapter_model.safetensors`), as PEFT writes and reads
//! them.
//!
//! On disk a tensor's name has the prefix `base_model.model.`: `A` and `B` of a projection are
//! `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` and `….lora_B.weight`, a reward model's head, which PEFT
//! calls a module to save, is `base_model.model.score.weight`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::HfError;
use super::read::convert;
use super::shards::Shards;
use super::write;
use crate::{Adapter, EngineError, LoraConfig, Model, ModelConfig, Projection, TensorInfo};

/// Name of the adapter's configuration.
const CONFIG: &str = "adapter_config.json";
/// Name of the adapter's weights.
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the names of a model's tensors.
const PREFIX: &str = "base_model.model.";
const HEAD: &str = "score";
const HEAD_WEIGHT: &str = "score.weight";

/// Keys of `adapter_config.json` that do not change what the adapter computes, or that are read below.
const KNOWN: [&str; 22] = [
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "ensure_weight_tying",
    "eva_config",
    // PEFT reads true as false for the linear layers that models have here.
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// What a PEFT directory says beside the adapter itself.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSource {
    /// The model that the adapter was trained on: a path or the name of a repository.
    pub base_model: Option<String>,
    /// Dropout that the adapter was trained with. The engine has none: training goes on without it.
    pub dropout: f64,
}

impl AdapterSource {
    /// What was read and is not used, to be shown to the user.
    pub fn note(&self) -> Option<String> {
        (self.dropout > 0.0)
            .then(|| format!("adapter_config.json has lora_dropout {}; training goes on without dropout", self.dropout))
    }
}

impl Model<f32> {
    /// Writes the adapter as a PEFT directory: `adapter_config.json` and `adapter_model.safetensors` (f32), with the head of
    /// a reward model if it is trained. `base_model` is the path or name under which PEFT finds the base.
    ///
    /// # Errors
    /// [`EngineError::Hf`] if the model has no adapter, there is too little space or something cannot be written; then
    /// nothing is overwritten.
    pub fn save_adapter(&self, dir: &Path, base_model: &str) -> Result<(), EngineError> {
        let Some(adapter) = self.adapter() else {
            return Err(HfError::NoAdapter { dir: dir.to_path_buf() }.into());
        };
        let config = to_json(self.config(), adapter, base_model);
        let bytes = 4 * adapter.params.len() as u64;
        Ok(write::save_files(dir, bytes, &[CONFIG, WEIGHTS], |place| {
            write::write_json(&place(CONFIG), &config)?;
            let values = |tensor: &TensorInfo| Cow::Borrowed(&adapter.params[tensor.range.clone()]);
            write::write_safetensors(&adapter.tensors, PREFIX, values, &place(WEIGHTS))
        })?)
    }

    /// Puts the adapter of a PEFT directory on the model, in place of one that it may have. Which projections it sits on is
    /// taken from the tensors, in agreement with `target_modules`.
    ///
    /// # Errors
    /// [`EngineError::Hf`] naming the file, the key or tensor and what to do, if a file is missing or damaged, the adapter
    /// is of another model, or it asks for what the engine does not do: ranks or scales that differ between modules, DoRA,
    /// trained biases, only some of the layers, saved modules other than `score`. Then nothing is changed.
    pub fn load_adapter(&mut self, dir: &Path) -> Result<AdapterSource, EngineError> {
        let head = self.places.score.as_ref().map(|place| &self.params()[place.clone()]);
        let (adapter, source) = read(self.config(), head, dir)?;
        self.set_adapter(Some(adapter));
        Ok(source)
    }
}

fn to_json(config: &ModelConfig, adapter: &Adapter, base_model: &str) -> Value {
    let LoraConfig { r, alpha, rslora, targets } = adapter.config();
    let alpha = if alpha.fract() == 0.0 && alpha.abs() < 1e15 { json!(*alpha as i64) } else { json!(alpha) };
    let task = if config.num_labels.is_some() { "SEQ_CLS" } else { "CAUSAL_LM" };
    json!({
        "peft_type": "LORA",
        "task_type": task,
        "base_model_name_or_path": base_model,
        "revision": null,
        "inference_mode": true,
        "r": r,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "use_rslora": rslora,
        "use_dora": false,
        "bias": "none",
        "fan_in_fan_out": false,
        "init_lora_weights": true,
        "target_modules": targets.iter().map(|t| t.name()).collect::<Vec<_>>(),
        "modules_to_save": if adapter.score.is_some() { json!([HEAD]) } else { Value::Null },
        "layers_to_transform": null,
        "layers_pattern": null,
        "rank_pattern": {},
        "alpha_pattern": {},
    })
}

/// Errors at a key of `adapter_config.json`.
struct Keys<'a> {
    file: &'a Path,
    map: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn error(&self, key: &str, problem: impl Into<String>) -> HfError {
        HfError::AdapterKey { file: self.file.to_path_buf(), key: key.to_owned(), problem: problem.into() }
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, HfError> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|x| x.is_finite())
                .ok_or_else(|| self.error(key, format!("expected a number, found {value}; correct it"))),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, HfError> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.error(key, format!("expected true or false, found {value}; correct it"))),
        }
    }
}

/// Reads a directory for a base of this config. `head` is the base's reward head, with which the adapter's begins: a file
/// without one leaves it so.
fn read(config: &ModelConfig, head: Option<&[f32]>, dir: &Path) -> Result<(Adapter, AdapterSource), HfError> {
    if !dir.is_dir() {
        return Err(HfError::NoFile {
            file: dir.join(CONFIG),
            hint: "pass the path of a PEFT directory (adapter_config.json and adapter_model.safetensors)",
        });
    }
    let file = existing(dir, CONFIG)?;
    let value = super::read_json(&file)?;
    let empty = Map::new();
    let keys = Keys { file: &file, map: value.as_object().unwrap_or(&empty) };
    refuse(&keys, config)?;
    let shards = Shards::open_file(&existing(dir, WEIGHTS)?)?;
    let tensors = Tensors { shards: &shards, config };
    let r = keys.number("r", 8.0)?;
    if r < 1.0 || r.fract() != 0.0 || r > 65_536.0 {
        return Err(keys.error("r", format!("{r} is no rank; use a whole number of 1 or more")));
    }
    let lora = LoraConfig {
        r: r as usize,
        alpha: keys.number("lora_alpha", 8.0)?,
        rslora: keys.flag("use_rslora")?,
        targets: tensors.targets(&keys)?,
    };
    let mut adapter = Adapter::random(config, lora, 0);
    if let (Some(labels), Some(head)) = (config.num_labels, head) {
        let shape = vec![labels, config.hidden_size];
        adapter.score = Some(adapter.add(HEAD_WEIGHT.to_owned(), shape, |i| f64::from(head[i as usize])));
    }
    tensors.fill(&mut adapter)?;
    let base_model = keys.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
    Ok((adapter, AdapterSource { base_model, dropout: keys.number("lora_dropout", 0.0)? }))
}

fn existing(dir: &Path, name: &str) -> Result<PathBuf, HfError> {
    let file = dir.join(name);
    if file.is_file() {
        return Ok(file);
    }
    let hint = if name == CONFIG {
        "expected a PEFT directory: check the path, or save the adapter again"
    } else if dir.join("adapter_model.bin").is_file() {
        "the directory holds pickled weights, which are not read: save the adapter with save_pretrained to get safetensors"
    } else {
        "download or save the adapter again"
    };
    Err(HfError::NoFile { file, hint })
}

/// Settings under which the adapter would compute something else.
fn refuse(keys: &Keys, config: &ModelConfig) -> Result<(), HfError> {
    match keys.get("peft_type").and_then(Value::as_str) {
        Some("LORA") => {}
        Some(other) => return Err(keys.error("peft_type", format!("`{other}` is not supported; only LORA is"))),
        None => return Err(keys.error("peft_type", "is missing; is this the adapter_config.json of a PEFT adapter?")),
    }
    let classifies = config.num_labels.is_some();
    match (keys.get("task_type").and_then(Value::as_str), classifies) {
        (None, _) | (Some("CAUSAL_LM"), false) | (Some("SEQ_CLS"), true) => {}
        (Some(task @ ("CAUSAL_LM" | "SEQ_CLS")), _) => {
            let problem = format!("`{task}`, but the base is a {}; load the adapter's own base", config.architecture());
            return Err(keys.error("task_type", problem));
        }
        (Some(other), _) => {
            return Err(keys.error("task_type", format!("`{other}` is not supported; use CAUSAL_LM or SEQ_CLS")));
        }
    }
    if keys.get("bias").is_some_and(|v| v.as_str() != Some("none")) {
        return Err(keys.error("bias", "trained biases are not supported; merge the adapter into its base with PEFT"));
    }
    let init = keys.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default();
    if ["pissa", "olora", "corda", "loftq", "lora_ga"].iter().any(|name| init.starts_with(name)) {
        let problem =
            format!("`{init}` changes the base's weights; convert the adapter with PEFT, or merge it into its base");
        return Err(keys.error("init_lora_weights", problem));
    }
    let saved = match keys.get("modules_to_save") {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(|v| v.as_str().unwrap_or("?")).collect(),
        Some(_) => vec!["?"],
    };
    // PEFT lists the names that a classifier's head may have; there is one.
    if let Some(other) = saved.iter().find(|name| !(classifies && [HEAD, "classifier"].contains(name))) {
        let allowed = if classifies { "only `score` is" } else { "a language model has none" };
        let problem = format!("`{other}` is not supported; {allowed}: merge the adapter into its base with PEFT");
        return Err(keys.error("modules_to_save", problem));
    }
    for (key, value) in keys.map {
        let off = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if off || KNOWN.contains(&key.as_str()) {
            continue;
        }
        let what = match key.as_str() {
            "rank_pattern" | "alpha_pattern" => "ranks or scales that differ between modules are",
            "use_dora" => "DoRA is",
            "layers_to_transform" | "layer_replication" => "an adapter on some of the layers is",
            "lora_bias" => "a bias in the adapter is",
            "exclude_modules" if value.is_string() || value.is_array() => continue,
            _ => "this setting is",
        };
        let problem = format!("{what} not supported; merge the adapter into its base with PEFT and load the result");
        return Err(keys.error(key, problem));
    }
    Ok(())
}

/// The tensors of an adapter's file.
struct Tensors<'a> {
    shards: &'a Shards,
    config: &'a ModelConfig,
}

impl Tensors<'_> {
    fn error(&self, tensor: &str, problem: impl Into<String>) -> HfError {
        let file = self.shards.source.clone();
        HfError::AdapterTensor { file, tensor: tensor.to_owned(), problem: problem.into() }
    }

    /// The projections that have tensors, in the order of a layer. Every tensor is one of an adapter's, and
    /// `target_modules`, where it is a list, names what is there.
    fn targets(&self, keys: &Keys) -> Result<Vec<Projection>, HfError> {
        let mut targets = BTreeSet::new();
        for name in self.shards.names() {
            let target = name.strip_prefix(PREFIX).and_then(|name| self.target(name));
            match target {
                Some(target) => targets.extend(target),
                None => return Err(self.error(name, self.unexpected(name))),
            }
        }
        let listed: Vec<&str> = match keys.get("target_modules") {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            // A pattern, or `all-linear`: what it matches is what has tensors.
            _ => Vec::new(),
        };
        let matches = |module: &str, name: &str| module == name || module.ends_with(&format!(".{name}"));
        for name in &listed {
            let found = targets.iter().any(|t| matches(&t.module(0), name) || name.ends_with(t.name()));
            if !found {
                let problem = format!(
                    "`{name}` has no tensors in {}; supported are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and \
                     down_proj",
                    self.shards.source.display()
                );
                return Err(keys.error("target_modules", problem));
            }
        }
        let layers = 0..self.config.num_layers;
        for target in targets.iter().filter(|_| !listed.is_empty()) {
            let module = layers.clone().map(|l| target.module(l)).find(|m| !listed.iter().any(|n| matches(m, n)));
            if let Some(module) = module {
                let problem = format!("does not name `{module}`, which has tensors; add `{}`", target.name());
                return Err(keys.error("target_modules", problem));
            }
        }
        if targets.is_empty() {
            return Err(keys.error("target_modules", "no projection has an adapter; save the adapter again"));
        }
        Ok(targets.into_iter().collect())
    }

    /// Whether `name` is a tensor of an adapter on this model, and of which projection; the head is of none.
    fn target(&self, name: &str) -> Option<Option<Projection>> {
        if name == HEAD_WEIGHT && self.config.num_labels.is_some() {
            return Some(None);
        }
        let module = name.strip_suffix(".lora_A.weight").or_else(|| name.strip_suffix(".lora_B.weight"))?;
        let target = Projection::from_name(module.rsplit('.').next()?)?;
        let layer = module.strip_prefix("model.layers.")?.split('.').next()?.parse().ok()?;
        (layer < self.config.num_layers && module == target.module(layer)).then_some(Some(target))
    }

    fn unexpected(&self, name: &str) -> String {
        if name.contains("embed_tokens") || name.contains("lm_head") {
            "trained or resized embeddings are not supported; merge the adapter into its base with PEFT".to_owned()
        } else if name.contains("magnitude") {
            "DoRA is not supported; merge the adapter into its base with PEFT".to_owned()
        } else {
            let (layers, base) = (self.config.num_layers, self.config.architecture());
            format!(
                "is no adapter of a projection of this {base} with {layers} layers; load the adapter's own base, or merge \
                 the adapter with PEFT"
            )
        }
    }

    /// Reads the values of every tensor of `adapter`.
    fn fill(&self, adapter: &mut Adapter) -> Result<(), HfError> {
        let r = adapter.config.r;
        for tensor in &adapter.tensors {
            let name = format!("{PREFIX}{}", tensor.name);
            let Some(entry) = self.shards.get(&name) else {
                if tensor.name == HEAD_WEIGHT {
                    continue;
                }
                let problem = "is missing, though other layers or its other half have theirs; an adapter on some of the \
                               layers is not supported: merge it into its base with PEFT";
                return Err(self.error(&name, problem));
            };
            if entry.shape != tensor.shape {
                let (expected, found) = (&tensor.shape, &entry.shape);
                let problem = format!(
                    "expected shape {expected:?} by r {r} and the base's config.json, found {found:?}; load the adapter's \
                     own base, or correct r"
                );
                return Err(self.error(&name, problem));
            }
        }
        for tensor in &adapter.tensors {
            let name = format!("{PREFIX}{}", tensor.name);
            if let Some(entry) = self.shards.get(&name) {
                convert(self.shards, &name, entry, &mut adapter.params[tensor.range.clone()])?;
            }
        }
        Ok(())
    }
}
