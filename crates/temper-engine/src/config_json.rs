//! `config.json` to [`ModelConfig`] and back.
//!
//! Both spellings are read, that of transformers before v5 (`rope_theta`, `rope_scaling`, `torch_dtype`) and since
//! (`rope_parameters`, `dtype`), and both are written. A key that would change the numbers and is not supported is an
//! error; a key that the engine does not know is kept.

mod fields;
mod rope;

use serde_json::{Map, Value, json};

use crate::config::{Arch, AttentionBias};
use crate::{EngineError, ModelConfig};
use fields::{Fields, short};

impl Arch {
    /// All supported families.
    pub const ALL: [Arch; 4] = [Arch::Llama, Arch::Qwen2, Arch::Qwen3, Arch::Mistral];

    /// The class name in `architectures` of a sequence classifier.
    pub fn classifier(self) -> &'static str {
        match self {
            Arch::Llama => "LlamaForSequenceClassification",
            Arch::Qwen2 => "Qwen2ForSequenceClassification",
            Arch::Qwen3 => "Qwen3ForSequenceClassification",
            Arch::Mistral => "MistralForSequenceClassification",
        }
    }

    /// The class name in `architectures` of a language model.
    pub fn architecture(self) -> &'static str {
        match self {
            Arch::Llama => "LlamaForCausalLM",
            Arch::Qwen2 => "Qwen2ForCausalLM",
            Arch::Qwen3 => "Qwen3ForCausalLM",
            Arch::Mistral => "MistralForCausalLM",
        }
    }

    /// The value of `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Arch::Llama => "llama",
            Arch::Qwen2 => "qwen2",
            Arch::Qwen3 => "qwen3",
            Arch::Mistral => "mistral",
        }
    }
}

impl ModelConfig {
    /// The class name in `architectures`.
    pub fn architecture(&self) -> &'static str {
        if self.num_labels.is_some() { self.arch.classifier() } else { self.arch.architecture() }
    }

    /// Reads the object of a Hugging Face `config.json`. Absent keys take the defaults of the family in transformers.
    ///
    /// # Errors
    /// [`EngineError::Config`] for a field that is missing, out of range or asks for what the engine does not do,
    /// [`EngineError::Unsupported`] for a family that it does not have.
    pub fn from_json(json: &Value) -> Result<Self, EngineError> {
        let Value::Object(map) = json else {
            let problem = format!("expected an object, found {}", short(json));
            return Err(EngineError::Config { field: "config.json".into(), problem });
        };
        let fields = Fields { map, prefix: "" };
        let (arch, classifies) = read_arch(fields)?;
        refuse(fields)?;
        let num_heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        let num_layers = fields.size("num_hidden_layers")?;
        let max_position_embeddings = fields.size_if_any("max_position_embeddings")?.unwrap_or(match arch {
            Arch::Llama => 2048,
            Arch::Qwen2 | Arch::Qwen3 => 32_768,
            Arch::Mistral => 131_072,
        });
        // Before v5 Llama and Mistral took token ids 1 and 2 where the file had none.
        let default_tokens = matches!(arch, Arch::Llama | Arch::Mistral);
        let default_token = |key: &str, id: u32| (default_tokens && !map.contains_key(key)).then_some(id);
        let mut eos_token_ids = fields.tokens("eos_token_id")?;
        eos_token_ids.extend(default_token("eos_token_id", 2));
        let config = ModelConfig {
            arch,
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            num_layers,
            num_heads,
            num_kv_heads: read_kv_heads(fields, arch, num_heads)?,
            head_dim: read_head_dim(fields, arch, hidden_size, num_heads)?,
            intermediate_size: fields.size("intermediate_size")?,
            rms_norm_eps: fields.positive_if_any("rms_norm_eps")?.unwrap_or(1e-6),
            rope: rope::read(fields, max_position_embeddings)?,
            max_position_embeddings,
            tie_word_embeddings: fields.flag("tie_word_embeddings", false)?,
            attention_bias: read_attention_bias(fields, arch)?,
            mlp_bias: arch == Arch::Llama && fields.flag("mlp_bias", false)?,
            qk_norm: arch == Arch::Qwen3,
            sliding_window: read_windows(fields, arch, num_layers)?,
            num_labels: if classifies { Some(read_num_labels(fields)?) } else { None },
            bos_token_id: fields.token("bos_token_id")?.or(default_token("bos_token_id", 1)),
            eos_token_ids,
            pad_token_id: fields.token("pad_token_id")?,
            raw: map.clone(),
            generation: Map::new(),
        };
        check(fields, &config)?;
        Ok(config)
    }

    /// Takes over a `generation_config.json`: its end-of-text tokens join those of `config.json`, the rest is kept for
    /// [`ModelConfig::generation_json`].
    ///
    /// # Errors
    /// [`EngineError::Config`] if a token id is not one.
    pub fn with_generation(mut self, json: &Value) -> Result<Self, EngineError> {
        let Value::Object(map) = json else {
            let problem = format!("expected an object, found {}", short(json));
            return Err(EngineError::Config { field: "generation_config.json".into(), problem });
        };
        let fields = Fields { map, prefix: "generation_config." };
        for id in fields.tokens("eos_token_id")? {
            if !self.eos_token_ids.contains(&id) {
                self.eos_token_ids.push(id);
            }
        }
        self.bos_token_id = self.bos_token_id.or(fields.token("bos_token_id")?);
        self.pad_token_id = self.pad_token_id.or(fields.token("pad_token_id")?);
        self.generation = map.clone();
        Ok(self)
    }

    /// The object of `config.json`: unknown keys of the original in their places, both spellings of the rotary
    /// parameters, weights in float32.
    pub fn to_json(&self) -> Value {
        let mut map = self.raw.clone();
        let mut set = |key: &str, value: Value| {
            map.insert(key.to_owned(), value);
        };
        set("architectures", json!([self.architecture()]));
        set("model_type", json!(self.arch.model_type()));
        set("vocab_size", json!(self.vocab_size));
        set("hidden_size", json!(self.hidden_size));
        set("num_hidden_layers", json!(self.num_layers));
        set("num_attention_heads", json!(self.num_heads));
        set("num_key_value_heads", json!(self.num_kv_heads));
        set("head_dim", json!(self.head_dim));
        set("intermediate_size", json!(self.intermediate_size));
        set("hidden_act", json!("silu"));
        set("rms_norm_eps", json!(self.rms_norm_eps));
        set("max_position_embeddings", json!(self.max_position_embeddings));
        set("tie_word_embeddings", json!(self.tie_word_embeddings));
        if matches!(self.arch, Arch::Llama | Arch::Qwen3) {
            set("attention_bias", json!(self.attention_bias.o));
        }
        if self.arch == Arch::Llama {
            set("mlp_bias", json!(self.mlp_bias));
        }
        set("bos_token_id", json!(self.bos_token_id));
        set("eos_token_id", eos_json(&self.eos_token_ids));
        set("pad_token_id", json!(self.pad_token_id));
        set("dtype", json!("float32"));
        set("torch_dtype", json!("float32"));
        if let Some(labels) = self.num_labels {
            write_labels(labels, &mut map);
        }
        write_windows(self, &mut map);
        rope::write(&self.rope, &mut map);
        Value::Object(map)
    }

    /// The object of `generation_config.json`: what was read, with the model's token ids.
    pub fn generation_json(&self) -> Value {
        let mut map = self.generation.clone();
        map.insert("bos_token_id".to_owned(), json!(self.bos_token_id));
        map.insert("eos_token_id".to_owned(), eos_json(&self.eos_token_ids));
        map.insert("pad_token_id".to_owned(), json!(self.pad_token_id));
        map.retain(|_, value| !value.is_null());
        Value::Object(map)
    }
}

fn eos_json(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [id] => json!(id),
        ids => json!(ids),
    }
}

/// The first supported entry of `architectures` and whether it is a sequence classifier; without the key a language model,
/// by `model_type`.
fn read_arch(fields: Fields) -> Result<(Arch, bool), EngineError> {
    let unsupported = |name: &str| Err(EngineError::Unsupported { name: name.to_owned() });
    match fields.get("architectures") {
        Some(Value::Array(names)) if !names.is_empty() => {
            let by_name = |name: &Value| {
                let name = name.as_str()?;
                let is = |arch: &Arch| name == arch.architecture() || name == arch.classifier();
                Arch::ALL.into_iter().find(is).map(|arch| (arch, name == arch.classifier()))
            };
            match names.iter().find_map(by_name) {
                Some(found) => Ok(found),
                None => unsupported(names[0].as_str().unwrap_or(&short(&names[0]))),
            }
        }
        None | Some(Value::Array(_)) => match fields.text("model_type")? {
            Some(name) => match Arch::ALL.into_iter().find(|a| a.model_type() == name) {
                Some(arch) => Ok((arch, false)),
                None => unsupported(name),
            },
            None => Err(fields.error("architectures", "is missing; is this the config.json of a language model?")),
        },
        Some(other) => Err(fields.error("architectures", format!("expected a list of names, found {}", short(other)))),
    }
}

/// Keys that would change the numbers and are not supported.
fn refuse(fields: Fields) -> Result<(), EngineError> {
    if fields.get("quantization_config").is_some() {
        let problem = "quantised weights are not supported; use the model in bfloat16, float16 or float32";
        return Err(fields.error("quantization_config", problem));
    }
    if let Some(act) = fields.text("hidden_act")?.filter(|a| !matches!(*a, "silu" | "swish")) {
        return Err(fields.error("hidden_act", format!("`{act}` is not supported; only `silu` is")));
    }
    for key in ["num_experts", "num_local_experts", "n_routed_experts"] {
        if fields.count(key)?.is_some_and(|n| n > 1) {
            return Err(fields.error(key, "mixtures of experts are not supported; use a dense model"));
        }
    }
    if fields.flag("add_cross_attention", false)? {
        return Err(fields.error("add_cross_attention", "cross-attention is not supported"));
    }
    Ok(())
}

/// Outputs of a sequence classifier, by the rules of transformers: as many as `id2label` has entries; without it
/// `num_labels`, or else 2.
fn read_num_labels(fields: Fields) -> Result<usize, EngineError> {
    let stated = fields.size_if_any("num_labels")?;
    let listed = match fields.get("id2label") {
        None => None,
        Some(Value::Object(map)) if !map.is_empty() => Some(map.len()),
        Some(other) => {
            let problem = format!("expected an object from label numbers to names, found {}", short(other));
            return Err(fields.error("id2label", problem));
        }
    };
    match (stated, listed) {
        (Some(stated), Some(listed)) if stated != listed => {
            let problem = format!("is {stated}, but id2label has {listed} entries; remove the wrong one");
            Err(fields.error("num_labels", problem))
        }
        _ => Ok(listed.or(stated).unwrap_or(2)),
    }
}

/// The names of labels as read, if their number fits, else those of transformers. Transformers reads the number from them.
fn write_labels(labels: usize, map: &mut Map<String, Value>) {
    map.remove("num_labels");
    let len = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_object).map(Map::len);
    if len(map, "id2label") != Some(labels) || len(map, "label2id") != Some(labels) {
        let name = |label: usize| format!("LABEL_{label}");
        let id2label: Map<_, _> = (0..labels).map(|i| (i.to_string(), json!(name(i)))).collect();
        let label2id: Map<_, _> = (0..labels).map(|i| (name(i), json!(i))).collect();
        map.insert("id2label".to_owned(), Value::Object(id2label));
        map.insert("label2id".to_owned(), Value::Object(label2id));
    }
}

fn read_kv_heads(fields: Fields, arch: Arch, num_heads: usize) -> Result<usize, EngineError> {
    let default = match arch {
        _ if fields.map.contains_key("num_key_value_heads") => num_heads,
        Arch::Llama => num_heads,
        Arch::Qwen2 | Arch::Qwen3 => 32,
        Arch::Mistral => 8,
    };
    Ok(fields.size_if_any("num_key_value_heads")?.unwrap_or(default))
}

fn read_head_dim(fields: Fields, arch: Arch, hidden: usize, heads: usize) -> Result<usize, EngineError> {
    if let Some(head_dim) = fields.size_if_any("head_dim")? {
        return Ok(head_dim);
    }
    if arch == Arch::Qwen3 && !fields.map.contains_key("head_dim") {
        return Ok(128);
    }
    if !hidden.is_multiple_of(heads) {
        let problem = format!("{hidden} is not a multiple of num_attention_heads, {heads}, and there is no head_dim");
        return Err(fields.error("hidden_size", problem));
    }
    Ok(hidden / heads)
}

fn read_attention_bias(fields: Fields, arch: Arch) -> Result<AttentionBias, EngineError> {
    Ok(match arch {
        Arch::Qwen2 => AttentionBias { qkv: true, o: false },
        Arch::Mistral => AttentionBias::default(),
        Arch::Llama | Arch::Qwen3 => {
            let bias = fields.flag("attention_bias", false)?;
            AttentionBias { qkv: bias, o: bias }
        }
    })
}

/// Sliding windows by layer. Mistral: `sliding_window` in every layer unless null. Qwen: only with
/// `use_sliding_window`, in the layers that `layer_types` names, or else from `max_window_layers` on.
fn read_windows(fields: Fields, arch: Arch, layers: usize) -> Result<Vec<Option<usize>>, EngineError> {
    let types = read_layer_types(fields, layers)?;
    let sliding = |types: &[bool]| types.iter().any(|&s| s);
    match arch {
        Arch::Llama => match types {
            Some(types) if sliding(&types) => {
                Err(fields.error("layer_types", "sliding attention in a Llama model is not supported"))
            }
            _ => Ok(vec![None; layers]),
        },
        Arch::Mistral => {
            let default = (!fields.map.contains_key("sliding_window")).then_some(4096);
            let window = fields.size_if_any("sliding_window")?.or(default);
            if types.is_some_and(|t| t.iter().any(|&s| s != window.is_some())) {
                let problem = "differs from sliding_window; alternating attention in a Mistral model is not supported";
                return Err(fields.error("layer_types", problem));
            }
            Ok(vec![window; layers])
        }
        Arch::Qwen2 | Arch::Qwen3 => {
            let default = (!fields.map.contains_key("sliding_window")).then_some(4096);
            let window = fields.size_if_any("sliding_window")?.or(default);
            let window = if fields.flag("use_sliding_window", false)? { window } else { None };
            let Some(window) = window else {
                return match types {
                    Some(types) if sliding(&types) => {
                        Err(fields.error("layer_types", "names sliding attention, but there is no window in use"))
                    }
                    _ => Ok(vec![None; layers]),
                };
            };
            let first = fields.count("max_window_layers")?.unwrap_or(28);
            let types = types.unwrap_or_else(|| (0..layers).map(|layer| layer >= first).collect());
            Ok(types.into_iter().map(|slides| slides.then_some(window)).collect())
        }
    }
}

/// For each layer whether its attention slides, if `layer_types` is there.
fn read_layer_types(fields: Fields, layers: usize) -> Result<Option<Vec<bool>>, EngineError> {
    let Some(value) = fields.get("layer_types") else { return Ok(None) };
    let wrong = |found: &Value| {
        let expected = format!("a list of {layers} names, full_attention or sliding_attention");
        fields.error("layer_types", format!("expected {expected}, found {}", short(found)))
    };
    let list = value.as_array().filter(|l| l.len() == layers).ok_or_else(|| wrong(value))?;
    let kind = |v: &Value| match v.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(wrong(v)),
    };
    list.iter().map(kind).collect::<Result<_, _>>().map(Some)
}

fn write_windows(config: &ModelConfig, map: &mut Map<String, Value>) {
    let window = config.sliding_window.iter().copied().flatten().next();
    match config.arch {
        Arch::Llama => {}
        Arch::Mistral => {
            map.insert("sliding_window".to_owned(), json!(window));
        }
        Arch::Qwen2 | Arch::Qwen3 => {
            let kind = |w: &Option<usize>| if w.is_some() { "sliding_attention" } else { "full_attention" };
            let types: Vec<_> = config.sliding_window.iter().map(kind).collect();
            let full = config.sliding_window.iter().take_while(|w| w.is_none()).count();
            map.insert("use_sliding_window".to_owned(), json!(window.is_some()));
            map.insert("sliding_window".to_owned(), json!(window));
            if window.is_some() || !map.contains_key("max_window_layers") {
                map.insert("max_window_layers".to_owned(), json!(full));
            }
            map.insert("layer_types".to_owned(), json!(types));
        }
    }
}

/// What has to fit together.
fn check(fields: Fields, config: &ModelConfig) -> Result<(), EngineError> {
    let ModelConfig { num_heads, num_kv_heads, head_dim, vocab_size, .. } = *config;
    if !num_heads.is_multiple_of(num_kv_heads) {
        let problem = format!("{num_kv_heads} does not divide num_attention_heads, {num_heads}");
        return Err(fields.error("num_key_value_heads", problem));
    }
    if !head_dim.is_multiple_of(2) {
        return Err(fields.error("head_dim", format!("{head_dim} is odd; rotary embedding needs an even width")));
    }
    // A product that overflows would only fail later and less clearly.
    let sizes = [config.hidden_size, config.intermediate_size, num_heads.saturating_mul(head_dim), vocab_size];
    if sizes.iter().any(|&n| n > 1 << 28) || config.num_layers > 1 << 16 {
        let problem = "or another size is implausibly large; take config.json from the model's original directory";
        return Err(fields.error("hidden_size", problem));
    }
    Ok(())
}

#[cfg(test)]
#[path = "config_json/tests.rs"]
mod tests;
