//! Rotary embedding parameters in both spellings: `rope_theta` with `rope_scaling` (transformers before v5) and
//! `rope_parameters` (since v5).

use serde_json::{Map, Value, json};

use super::fields::{Fields, short};
use crate::EngineError;
use crate::config::{Rope, RopeScaling};

const SUPPORTED: &str = "default, linear, llama3 and yarn";
/// `rope_theta` of every supported family where the file has none.
const DEFAULT_THETA: f64 = 10_000.0;

/// Reads the parameters. Where both spellings are present `rope_scaling` wins, as in transformers.
pub(super) fn read(config: Fields, max_position_embeddings: usize) -> Result<Rope, EngineError> {
    partial(config)?;
    let scaling = object(config, "rope_scaling", "rope_scaling.")?;
    let parameters = object(config, "rope_parameters", "rope_parameters.")?;
    let mut theta = None;
    for fields in [scaling, Some(config), parameters].into_iter().flatten() {
        theta = theta.or(fields.positive_if_any("rope_theta")?);
    }
    let theta = theta.unwrap_or(DEFAULT_THETA);
    let scaling = match scaling.or(parameters) {
        Some(fields) => read_scaling(config, fields, max_position_embeddings)?,
        None => RopeScaling::None,
    };
    Ok(Rope { theta, scaling })
}

fn object<'a>(config: Fields<'a>, key: &str, prefix: &'static str) -> Result<Option<Fields<'a>>, EngineError> {
    match config.get(key) {
        None => Ok(None),
        Some(Value::Object(map)) => Ok((!map.is_empty()).then_some(Fields { map, prefix })),
        Some(other) => Err(config.error(key, format!("expected an object or null, found {}", short(other)))),
    }
}

/// Rotation of only a part of each head is another model.
fn partial(fields: Fields) -> Result<(), EngineError> {
    match fields.number("partial_rotary_factor")? {
        Some(factor) if factor != 1.0 => {
            Err(fields.error("partial_rotary_factor", format!("{factor} is not supported; only 1.0 is")))
        }
        _ => Ok(()),
    }
}

fn read_scaling(config: Fields, fields: Fields, max_position: usize) -> Result<RopeScaling, EngineError> {
    partial(fields)?;
    if let Some((key, _)) = fields.map.iter().find(|(_, v)| v.is_object()) {
        return Err(fields.error(key, "parameters that differ by layer type are not supported"));
    }
    let original = || -> Result<usize, EngineError> {
        let outside = config.size_if_any("original_max_position_embeddings")?;
        Ok(outside.or(fields.size_if_any("original_max_position_embeddings")?).unwrap_or(max_position))
    };
    let kind = fields.text("rope_type")?.or(fields.text("type")?).unwrap_or("default");
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: fields.positive("factor")? }),
        "llama3" => {
            let (low, high) = (fields.positive("low_freq_factor")?, fields.positive("high_freq_factor")?);
            if high <= low {
                return Err(fields.error("high_freq_factor", format!("{high} must be above low_freq_factor, {low}")));
            }
            Ok(RopeScaling::Llama3 {
                factor: fields.positive("factor")?,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: original()?,
            })
        }
        "yarn" => {
            let original = original()?;
            let implied = max_position as f64 / original as f64;
            Ok(RopeScaling::Yarn {
                factor: fields.positive_if_any("factor")?.unwrap_or(implied),
                original_max_position_embeddings: original,
                beta_fast: nonzero(fields.number("beta_fast")?).unwrap_or(32.0),
                beta_slow: nonzero(fields.number("beta_slow")?).unwrap_or(1.0),
                attention_factor: fields.positive_if_any("attention_factor")?,
                mscale: nonzero(fields.number("mscale")?),
                mscale_all_dim: nonzero(fields.number("mscale_all_dim")?),
                truncate: fields.flag("truncate", true)?,
            })
        }
        other => {
            let key = if fields.get("rope_type").is_some() { "rope_type" } else { "type" };
            Err(fields.error(key, format!("rope type `{other}` is not supported; supported are {SUPPORTED}")))
        }
    }
}

/// Transformers treats 0 as absent for these.
fn nonzero(value: Option<f64>) -> Option<f64> {
    value.filter(|x| *x != 0.0)
}

/// Writes both spellings into `map`. Unknown keys of the object that was read stay.
pub(super) fn write(rope: &Rope, map: &mut Map<String, Value>) {
    let kept = |key: &str| match map.get(key) {
        Some(Value::Object(object)) if !object.is_empty() => Some(object.clone()),
        _ => None,
    };
    let mut scaling = kept("rope_scaling").or_else(|| kept("rope_parameters")).unwrap_or_default();
    if rope.scaling == RopeScaling::None {
        scaling.clear();
    }
    for key in ["type", "rope_type", "rope_theta"] {
        scaling.remove(key);
    }
    let mut set = |key: &str, value: Value| {
        scaling.insert(key.to_owned(), value);
    };
    let kind = match &rope.scaling {
        RopeScaling::None => "default",
        RopeScaling::Linear { factor } => {
            set("factor", json!(factor));
            "linear"
        }
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
            set("factor", json!(factor));
            set("low_freq_factor", json!(low_freq_factor));
            set("high_freq_factor", json!(high_freq_factor));
            set("original_max_position_embeddings", json!(original_max_position_embeddings));
            "llama3"
        }
        RopeScaling::Yarn {
            factor,
            original_max_position_embeddings,
            beta_fast,
            beta_slow,
            attention_factor,
            mscale,
            mscale_all_dim,
            truncate,
        } => {
            set("factor", json!(factor));
            set("original_max_position_embeddings", json!(original_max_position_embeddings));
            set("beta_fast", json!(beta_fast));
            set("beta_slow", json!(beta_slow));
            let options =
                [("attention_factor", attention_factor), ("mscale", mscale), ("mscale_all_dim", mscale_all_dim)];
            for (key, value) in options {
                if let Some(value) = value {
                    set(key, json!(value));
                }
            }
            set("truncate", json!(truncate));
            "yarn"
        }
    };
    set("rope_type", json!(kind));
    // Outside the object it would win over the one inside.
    map.remove("original_max_position_embeddings");
    map.insert("rope_theta".to_owned(), json!(rope.theta));
    map.insert("rope_scaling".to_owned(), if kind == "default" { Value::Null } else { json!(scaling) });
    scaling.insert("rope_theta".to_owned(), json!(rope.theta));
    map.insert("rope_parameters".to_owned(), Value::Object(scaling));
}
