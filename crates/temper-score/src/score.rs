//! What a scorer answers: a value, or the reason why there is none.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The outcome of one scorer on one sample.
///
/// A missing value is never a zero: an item that a scorer does not apply to, an item that it could not judge and a
/// scorer that broke are kept apart, counted apart and shown apart.
///
/// In JSON a value is a number, `NotApplicable` is `null`, and the other two are `{"unscored": reason}` and
/// `{"error": reason}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// The sample's score. Always finite when made by [`Score::of`].
    Value(f64),
    /// The scorer has nothing to say about this row, for instance `accuracy` on a row without a reference answer.
    NotApplicable,
    /// The scorer applies but could not decide; the reason.
    Unscored(String),
    /// The scorer or its inputs are broken; what went wrong.
    Error(String),
}

impl Score {
    /// A score from a number; one that is not finite becomes [`Score::Error`].
    pub fn of(value: f64) -> Self {
        if value.is_finite() {
            Score::Value(value)
        } else {
            Score::Error(format!("the score is {value}, expected a finite number"))
        }
    }

    /// 1 for true, 0 for false.
    pub fn flag(yes: bool) -> Self {
        Score::Value(f64::from(u8::from(yes)))
    }

    /// The number, where there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Score::Value(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Score::Value(value) if value.is_finite() => serializer.serialize_f64(*value),
            Score::Value(value) => one(serializer, "error", &format!("the score is {value}")),
            Score::NotApplicable => serializer.serialize_none(),
            Score::Unscored(reason) => one(serializer, "unscored", reason),
            Score::Error(reason) => one(serializer, "error", reason),
        }
    }
}

fn one<S: Serializer>(serializer: S, key: &str, reason: &str) -> Result<S::Ok, S::Error> {
    let mut map = Map::new();
    map.insert(key.to_owned(), Value::String(reason.to_owned()));
    map.serialize(serializer)
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "expected a number, null, {\"unscored\": reason} or {\"error\": reason}";
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Score::NotApplicable),
            Value::Number(number) => number
                .as_f64()
                .map(Score::of)
                .ok_or_else(|| D::Error::custom(format!("{number} is no score; {expected}"))),
            Value::Object(map) => match map.iter().next() {
                Some((key, Value::String(reason))) if map.len() == 1 && key == "unscored" => {
                    Ok(Score::Unscored(reason.clone()))
                }
                Some((key, Value::String(reason))) if map.len() == 1 && key == "error" => {
                    Ok(Score::Error(reason.clone()))
                }
                _ => Err(D::Error::custom(expected)),
            },
            _ => Err(D::Error::custom(expected)),
        }
    }
}

/// What a scorer says of one sample: the score, and what it rests on, for logs and readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The score.
    pub score: Score,
    /// What was taken out of the completion to be judged, for instance the extracted number.
    pub answer: Option<String>,
    /// Why the score is what it is: a judge's reply, a class, the rule that matched.
    pub explanation: Option<String>,
}

impl Judged {
    /// A score with the answer that was extracted.
    pub fn answering(score: Score, answer: impl Into<String>) -> Self {
        Judged { score, answer: Some(answer.into()), explanation: None }
    }

    /// The same with a reason.
    pub fn because(self, explanation: impl Into<String>) -> Self {
        Judged { explanation: Some(explanation.into()), ..self }
    }
}

impl From<Score> for Judged {
    fn from(score: Score) -> Self {
        Judged { score, answer: None, explanation: None }
    }
}

/// What a score is worth before anything was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// Right by definition: the length of a text, an oracle, a published rule that is only meant as that rule.
    Exact,
    /// An estimate of what a person would say: a refusal classifier, a guard, a reward model. It errs, and how often is
    /// measured against people's labels (a calibration) before a gate may rest on it.
    Estimate,
}

/// Which part of a completion a scorer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What stands between `<think>` and `</think>`.
    Thinking,
    /// What follows the last `</think>`; the whole text where there is no such tag.
    Answer,
    /// All of it.
    Whole,
}

/// Which direction of a metric is the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
    /// Neither: the metric describes, it does not rank.
    Neither,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_the_four_outcomes_apart() {
        let cases = [
            (Score::Value(0.25), "0.25"),
            (Score::Value(0.0), "0.0"),
            (Score::NotApplicable, "null"),
            (Score::Unscored("no words".into()), r#"{"unscored":"no words"}"#),
            (Score::Error("broke".into()), r#"{"error":"broke"}"#),
        ];
        for (score, text) in cases {
            assert_eq!(serde_json::to_string(&score).unwrap(), text);
            assert_eq!(serde_json::from_str::<Score>(text).unwrap(), score);
        }
        assert_eq!(serde_json::from_str::<Score>("1").unwrap(), Score::Value(1.0));
        for bad in ["true", r#""x""#, "[]", r#"{"other":"x"}"#, r#"{"error":1}"#] {
            assert!(serde_json::from_str::<Score>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_that_is_not_finite_is_an_error() {
        assert!(matches!(Score::of(f64::NAN), Score::Error(_)));
        assert_eq!(Score::Value(f64::INFINITY).value(), None);
        assert!(serde_json::to_string(&Score::Value(f64::NAN)).unwrap().contains("error"));
    }
}
