//! Parameters that all scorers outside of Temper share.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::family::{Made, Parameters};
use crate::{Nature, Part, ScoreError};

/// What every scorer outside of Temper takes, beside `title` and `better`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Part of the completion that it is given.
    pub(crate) part: Part,
    /// Smallest and largest score; one outside is an error.
    pub(crate) range: Option<(f64, f64)>,
    /// Whether its scores are right by definition.
    pub(crate) nature: Nature,
    /// A name for what it computes now. With it judgements are kept in the cache of scores; to be changed with the code.
    pub(crate) version: Option<String>,
    /// Batches in work at a time.
    pub(crate) workers: usize,
    /// Samples of a batch.
    pub(crate) batch_size: usize,
    /// Seconds for a batch.
    pub(crate) timeout: f64,
    /// Failures in a row after which the rest of a call is given up.
    pub(crate) restarts: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            part: Part::Whole,
            range: None,
            nature: Nature::Estimate,
            version: None,
            workers: 1,
            batch_size: 64,
            timeout: 30.0,
            restarts: 5,
        }
    }
}

impl Settings {
    /// Takes the shared parameters out of the given ones; the rest is the type's own.
    pub(crate) fn take(given: &Parameters) -> Result<(Settings, serde_json::Map<String, Value>), ScoreError> {
        let known = serde_json::to_value(Settings::default()).unwrap_or_default();
        let (shared, own) = given
            .spec
            .params
            .clone()
            .into_iter()
            .partition::<serde_json::Map<String, Value>, _>(|(key, _)| known.get(key).is_some());
        let wrong = |what: String, remedy: &str| given.error(what, remedy.to_owned());
        let settings: Settings = serde_json::from_value(Value::Object(shared))
            .map_err(|error| wrong(error.to_string(), "see docs/scorers-own.md for what it takes"))?;
        for (name, count) in
            [("workers", settings.workers), ("batch_size", settings.batch_size), ("restarts", settings.restarts)]
        {
            if count == 0 {
                return Err(wrong(format!("`{name}` is 0"), "write at least 1"));
            }
        }
        seconds(settings.timeout).map_err(|what| wrong(format!("`timeout` is {what}"), TIME))?;
        if settings.range.is_some_and(|(low, high)| low.partial_cmp(&high) != Some(std::cmp::Ordering::Less)) {
            return Err(wrong("`range` is empty".into(), "write the smallest and the largest score, as in `[0, 1]`"));
        }
        Ok((settings, own))
    }

    /// What the scores depend on; limits of time and number are no part of it.
    pub(crate) fn identity(&self) -> Value {
        json!({"part": self.part, "range": self.range, "version": self.version})
    }

    /// The scorer with these properties. Judgements are kept only where the user vouches for the version.
    pub(crate) fn apply(&self, made: Made) -> Made {
        let made = made.natured(self.nature).reading(self.part).within(self.range);
        if self.version.is_some() { made.costly() } else { made }
    }
}

/// What to do about a wrong time.
pub(crate) const TIME: &str = "write seconds, more than 0 and at most a day";

/// A time limit, or what is wrong with it.
pub(crate) fn seconds(seconds: f64) -> Result<Duration, String> {
    if seconds > 0.0 && seconds <= 86400.0 { Ok(Duration::from_secs_f64(seconds)) } else { Err(seconds.to_string()) }
}
