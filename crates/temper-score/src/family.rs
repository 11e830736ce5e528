//! What a scorer family provides, and the scorer that is made from it.

use std::sync::Arc;

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use temper_recipe::{Lab, ScorerSpec};

use crate::cache::ScoreCache;
use crate::registry::build_part;
use crate::{Better, Judged, Nature, Part, Sample, ScoreError, Scorer};

/// What is known of a scorer type before it has parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ScorerInfo {
    /// Name of the type in recipes.
    pub r#type: &'static str,
    /// A few words for tables.
    pub title: &'static str,
    /// The part of the completion that it reads unless a parameter says otherwise.
    pub part: Part,
    /// The good direction.
    pub better: Better,
    /// Whether its scores are right by definition or estimates.
    pub nature: Nature,
    /// Fields of the row without which it does not apply.
    pub needs: &'static [&'static str],
    /// What it computes, in one sentence.
    pub summary: &'static str,
}

/// A scorer type: what is known of it, and how a scorer is made from parameters.
pub(crate) struct Family {
    pub(crate) info: ScorerInfo,
    /// Part of the identity: raised whenever the same parameters may give other scores than before.
    pub(crate) version: u32,
    pub(crate) make: fn(&Parameters) -> Result<Made, ScoreError>,
}

/// What a family's `make` is given.
pub(crate) struct Parameters<'a> {
    /// The scorer as the recipe names it.
    pub(crate) name: &'a str,
    pub(crate) spec: &'a ScorerSpec,
    /// The recipe's named scorers, for scorers that are made of others.
    pub(crate) named: &'a IndexMap<String, ScorerSpec>,
    pub(crate) lab: &'a Lab,
    /// Names on the way to this scorer, itself included.
    pub(crate) path: &'a [&'a str],
    /// Where judgements of costly scorers are kept.
    pub(crate) cache: &'a ScoreCache,
}

impl Parameters<'_> {
    /// Another scorer, as a part of this one.
    pub(crate) fn build(&self, name: &str) -> Result<Arc<dyn Scorer>, ScoreError> {
        build_part(name, self.named, self.lab, self.path, self.cache)
    }

    /// The parameters as a family's own type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ScoreError> {
        serde_json::from_value(Value::Object(self.spec.params.clone())).map_err(|error| {
            self.error(
                error.to_string(),
                format!("see `{}` in the list of scorers for what it takes", self.spec.r#type),
            )
        })
    }

    /// The parameters with their defaults, for the scorer's identity.
    pub(crate) fn write<T: Serialize>(&self, parameters: &T) -> Result<Value, ScoreError> {
        serde_json::to_value(parameters).map_err(|error| self.error(error.to_string(), "correct the parameters".into()))
    }

    /// For families without parameters.
    pub(crate) fn none(&self) -> Result<Value, ScoreError> {
        match self.spec.params.keys().next() {
            None => Ok(Value::Object(Map::new())),
            Some(key) => {
                Err(self.error(format!("unknown parameter `{key}`"), "this type takes no parameters; remove it".into()))
            }
        }
    }

    pub(crate) fn error(&self, what: String, remedy: String) -> ScoreError {
        ScoreError::Parameter { name: self.name.to_owned(), kind: self.spec.r#type.clone(), what, remedy }
    }
}

type Judge = Box<dyn Fn(&[Sample]) -> Vec<Judged> + Send + Sync>;
type Tagger = Box<dyn Fn(&Sample) -> Vec<&'static str> + Send + Sync>;

/// A scorer as its family makes it.
pub(crate) struct Made {
    pub(crate) title: String,
    pub(crate) part: Part,
    pub(crate) better: Better,
    pub(crate) nature: Nature,
    pub(crate) costly: bool,
    pub(crate) asks: Option<String>,
    pub(crate) range: Option<(f64, f64)>,
    /// Parameters with defaults, and whatever else the scores depend on.
    pub(crate) identity: Value,
    judge: Judge,
    tagger: Option<Tagger>,
}

impl Made {
    /// A scorer with the family's title, part and direction, and scores between 0 and 1, that judges samples one by one, on
    /// all threads.
    pub(crate) fn new<J: Into<Judged>>(
        family: &Family,
        identity: Value,
        judge: impl Fn(&Sample) -> J + Send + Sync + 'static,
    ) -> Self {
        Made::batched(family, identity, move |samples| samples.par_iter().map(|sample| judge(sample).into()).collect())
    }

    /// The same for a scorer that takes all samples of a call at once: a model, a server, a process. It must give one judgement
    /// per sample, in their order.
    pub(crate) fn batched(
        family: &Family,
        identity: Value,
        judge: impl Fn(&[Sample]) -> Vec<Judged> + Send + Sync + 'static,
    ) -> Self {
        Made {
            title: family.info.title.to_owned(),
            part: family.info.part,
            better: family.info.better,
            nature: family.info.nature,
            costly: false,
            asks: None,
            range: Some((0.0, 1.0)),
            identity,
            judge: Box::new(judge),
            tagger: None,
        }
    }

    pub(crate) fn tagged(mut self, tagger: impl Fn(&Sample) -> Vec<&'static str> + Send + Sync + 'static) -> Self {
        self.tagger = Some(Box::new(tagger));
        self
    }

    /// Marks the scorer as costly: its judgements are kept in the cache of scores.
    pub(crate) fn costly(mut self) -> Self {
        self.costly = true;
        self
    }

    /// Names the model that is asked, as [`Scorer::asks`] has it.
    pub(crate) fn asking(mut self, model: Option<String>) -> Self {
        self.asks = model;
        self
    }

    pub(crate) fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    pub(crate) fn natured(mut self, nature: Nature) -> Self {
        self.nature = nature;
        self
    }

    pub(crate) fn reading(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    pub(crate) fn towards(mut self, better: Better) -> Self {
        self.better = better;
        self
    }

    pub(crate) fn within(mut self, range: Option<(f64, f64)>) -> Self {
        self.range = range;
        self
    }

    pub(crate) fn named(self, name: &str, family: &Family) -> Built {
        let digest = digest(family.info.r#type, family.version, &self.identity);
        Built { name: name.to_owned(), digest, made: self }
    }
}

/// A scorer under its name.
pub(crate) struct Built {
    name: String,
    digest: String,
    made: Made,
}

impl Scorer for Built {
    fn name(&self) -> &str {
        &self.name
    }
    fn title(&self) -> String {
        self.made.title.clone()
    }
    fn digest(&self) -> String {
        self.digest.clone()
    }
    fn identity(&self) -> Value {
        self.made.identity.clone()
    }
    fn part(&self) -> Part {
        self.made.part
    }
    fn better(&self) -> Better {
        self.made.better
    }
    fn range(&self) -> Option<(f64, f64)> {
        self.made.range
    }
    fn nature(&self) -> Nature {
        self.made.nature
    }
    fn costly(&self) -> bool {
        self.made.costly
    }
    fn asks(&self) -> Option<String> {
        self.made.asks.clone()
    }
    fn judge(&self, samples: &[Sample]) -> Vec<Judged> {
        (self.made.judge)(samples)
    }
    fn tags(&self, sample: &Sample) -> Vec<&'static str> {
        self.made.tagger.as_ref().map(|tagger| tagger(sample)).unwrap_or_default()
    }
}

/// SHA-256 over type, version and identity, the identity's keys in alphabetical order.
fn digest(kind: &str, version: u32, identity: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{kind}\n{version}\n{}", sorted(identity)));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
