//! Typed access to the keys of a JSON object, with errors that name key, expectation and finding.

use serde_json::{Map, Value};

use crate::EngineError;

/// An object of `config.json`; `prefix` is how its keys are named in errors (`rope_scaling.`, or empty).
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub map: &'a Map<String, Value>,
    pub prefix: &'static str,
}

impl<'a> Fields<'a> {
    /// The value of a key; `null` counts as absent, as in transformers.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// An error at a key.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> EngineError {
        EngineError::Config { field: format!("{}{key}", self.prefix), problem: problem.into() }
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, EngineError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = || self.error(key, format!("expected {expected}, found {}; correct config.json", short(value)));
        convert(value).map(Some).ok_or_else(wrong)
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, EngineError> {
        value.ok_or_else(|| self.error(key, "is missing; take config.json from the model's original directory"))
    }

    /// A non-negative whole number, if the key is there.
    pub fn count(&self, key: &str) -> Result<Option<usize>, EngineError> {
        self.typed(key, "a whole number of 0 or more", whole)
    }

    /// A whole number of at least 1.
    pub fn size(&self, key: &str) -> Result<usize, EngineError> {
        let value = self.size_if_any(key)?;
        self.required(key, value)
    }

    /// A whole number of at least 1, if the key is there.
    pub fn size_if_any(&self, key: &str) -> Result<Option<usize>, EngineError> {
        self.typed(key, "a whole number of 1 or more", |v| whole(v).filter(|&n| n > 0))
    }

    /// A number above 0.
    pub fn positive(&self, key: &str) -> Result<f64, EngineError> {
        let value = self.positive_if_any(key)?;
        self.required(key, value)
    }

    /// A number above 0, if the key is there.
    pub fn positive_if_any(&self, key: &str) -> Result<Option<f64>, EngineError> {
        self.typed(key, "a number above 0", |v| v.as_f64().filter(|x| x.is_finite() && *x > 0.0))
    }

    /// A number, if the key is there.
    pub fn number(&self, key: &str) -> Result<Option<f64>, EngineError> {
        self.typed(key, "a number", |v| v.as_f64().filter(|x| x.is_finite()))
    }

    /// True or false; `default` if the key is absent.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, EngineError> {
        Ok(self.typed(key, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    /// A text, if the key is there.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, EngineError> {
        self.typed(key, "a text", Value::as_str)
    }

    /// A token id, if the key is there. Transformers writes -1 for none in some old files.
    pub fn token(&self, key: &str) -> Result<Option<u32>, EngineError> {
        if self.get(key).and_then(Value::as_i64) == Some(-1) {
            return Ok(None);
        }
        self.typed(key, "a token id", token)
    }

    /// A token id or a list of them; empty if the key is absent.
    pub fn tokens(&self, key: &str) -> Result<Vec<u32>, EngineError> {
        if self.get(key).is_some_and(Value::is_array) {
            let list = |v: &'a Value| v.as_array()?.iter().map(token).collect::<Option<Vec<_>>>();
            return Ok(self.typed(key, "a token id or a list of them", list)?.unwrap_or_default());
        }
        Ok(self.token(key)?.into_iter().collect())
    }
}

/// Whole numbers, also those written as `8192.0`.
fn whole(value: &Value) -> Option<usize> {
    let float = || value.as_f64().filter(|x| x.fract() == 0.0 && (0.0..9e15).contains(x)).map(|x| x as u64);
    value.as_u64().or_else(float).and_then(|n| usize::try_from(n).ok())
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

/// A value as shown in an error.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text }
}
