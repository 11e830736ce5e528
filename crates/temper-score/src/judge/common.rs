//! Parameters that all judges take: the model, and what of a sample it is shown.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use temper_recipe::EndpointSpec;

use super::engine::{EngineJudge, Weights};
use super::model::{How, JudgeModel};
use super::seen::Seen;
use super::served::ServedJudge;
use crate::family::Parameters;
use crate::{Part, ScoreError};

const KEYS: [&str; 7] = ["model", "weights", "endpoint", "chat_template_kwargs", "max_tokens", "part", "request"];

/// What every judge that writes text takes beside its own parameters.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Common {
    /// A Hugging Face directory or `hf://ORG/MODEL`, run by the engine.
    model: Option<String>,
    /// How the engine holds the weights.
    weights: Option<Weights>,
    /// A server, in place of `model`.
    endpoint: Option<EndpointSpec>,
    /// Further variables of the chat template.
    chat_template_kwargs: Map<String, Value>,
    /// Longest reply in tokens.
    max_tokens: Option<usize>,
    /// The part of the completion that is judged.
    pub(crate) part: Option<Part>,
    /// Field of the row that holds the request, in place of the prompt's last user turn.
    pub(crate) request: Option<String>,
}

/// What a family does with them unless a parameter says otherwise.
pub(crate) struct Usual {
    /// Longest reply in tokens.
    pub(crate) max_tokens: usize,
    /// Whether the model is asked in a dialogue.
    pub(crate) chat: bool,
    /// Words whose probabilities are wanted.
    pub(crate) words: &'static [&'static str],
    /// Whether the model was trained for this one question, so that scorers which ask it are related.
    pub(crate) guard: bool,
}

/// A judge's model and what it is shown, with the identity of both.
pub(crate) struct Bench {
    pub(crate) model: JudgeModel,
    pub(crate) how: How,
    pub(crate) guard: bool,
    pub(crate) seen: Seen,
    pub(crate) identity: Map<String, Value>,
}

impl Common {
    /// These parameters, and the family's own.
    pub(crate) fn take<T: DeserializeOwned>(given: &Parameters) -> Result<(Self, T), ScoreError> {
        let mut own = given.spec.params.clone();
        let common: Map<String, Value> =
            KEYS.iter().filter_map(|key| Some(((*key).to_owned(), own.shift_remove(*key)?))).collect();
        let remedy = || format!("beside its own parameters it takes {}; see docs/scorers-judges.md", KEYS.join(", "));
        let wrong = |error: serde_json::Error| given.error(error.to_string(), remedy());
        let common: Common = serde_json::from_value(Value::Object(common)).map_err(wrong)?;
        if common.max_tokens == Some(0) {
            return Err(given.error("`max_tokens` is 0".into(), "allow the judge at least one token".into()));
        }
        Ok((common, serde_json::from_value(Value::Object(own)).map_err(wrong)?))
    }

    /// Opens the model. Nothing is asked yet.
    ///
    /// # Errors
    /// No model, or two; a directory that is not there or not a language model; an endpoint without address or name.
    pub(crate) fn open(self, given: &Parameters, usual: &Usual, delimiters: &[&str]) -> Result<Bench, ScoreError> {
        let wrong = |what: String, remedy: &str| Err(given.error(what, remedy.to_owned()));
        let model = match (&self.model, &self.endpoint) {
            (Some(path), None) => EngineJudge::new(path, self.weights.unwrap_or_default(), usual.chat)
                .map(JudgeModel::Engine)
                .map_err(|error| given.error(format!("`model`: {error}"), "correct `model`".into()))?,
            (None, Some(spec)) => {
                if self.weights.is_some() {
                    return wrong("`weights` is how the engine holds a model".into(), "remove it: the server decides");
                }
                if spec.model.is_empty() {
                    return wrong(
                        "`endpoint` names no model".into(),
                        "write the name that the server knows the judge by (`endpoint: {url: …, model: …}`); it is the judge's identity",
                    );
                }
                ServedJudge::new(spec)
                    .map(|judge| JudgeModel::Served(Box::new(judge)))
                    .map_err(|error| given.error(format!("`endpoint`: {error}"), "correct `endpoint`".into()))?
            }
            (None, None) => {
                return wrong(
                    "a judge needs a model".into(),
                    "give `model: DIR` or `model: hf://ORG/MODEL` for one that the engine runs, or `endpoint: {url: …, model: …}` for one behind a server",
                );
            }
            (Some(_), Some(_)) => {
                return wrong("`model` and `endpoint` are two judges".into(), "keep one of them");
            }
        };
        let how = How {
            max_tokens: self.max_tokens.unwrap_or(usual.max_tokens),
            chat_template_kwargs: self.chat_template_kwargs,
            words: usual.words,
        };
        let seen = Seen::new(self.part.unwrap_or(Part::Answer), self.request, delimiters, model.special_texts());
        let identity = json!({
            "judge": model.identity(),
            "max_tokens": how.max_tokens,
            "chat_template_kwargs": how.chat_template_kwargs,
            "part": seen.part,
            "request": seen.request,
            "delimiters": delimiters,
        });
        let identity = identity.as_object().cloned().unwrap_or_default();
        Ok(Bench { model, how, guard: usual.guard, seen, identity })
    }
}

impl Bench {
    /// Adds to the identity.
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.identity.insert(key.to_owned(), value);
        self
    }
}
