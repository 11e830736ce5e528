//! How the repeats of an item become one value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the scores of an item's repeats become the item's value. As text: `mean`, `majority`, `pass@4`, `pass^4`, `worst@4`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reducer {
    /// Their mean.
    #[default]
    Mean,
    /// `pass@k`: the chance that at least one of k repeats is right, 1 − C(n−c, k)/C(n, k) for c right ones of n.
    Pass(usize),
    /// `pass^k`: the chance that all of k repeats are right, C(c, k)/C(n, k).
    All(usize),
    /// The score of the answer that most repeats give (maj@n); where the scorer extracts no answers, whether most repeats score
    /// above one half.
    Majority,
    /// `worst@k`: the expected worst score of k repeats, worst by the scorer's direction.
    Worst(usize),
}

impl Reducer {
    /// Repeats of an item that it draws; `None` for a reducer that takes as many as there are.
    pub fn draws(self) -> Option<usize> {
        match self {
            Reducer::Mean | Reducer::Majority => None,
            Reducer::Pass(k) | Reducer::All(k) | Reducer::Worst(k) => Some(k),
        }
    }
}

impl fmt::Display for Reducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reducer::Mean => f.write_str("mean"),
            Reducer::Majority => f.write_str("majority"),
            Reducer::Pass(k) => write!(f, "pass@{k}"),
            Reducer::All(k) => write!(f, "pass^{k}"),
            Reducer::Worst(k) => write!(f, "worst@{k}"),
        }
    }
}

impl FromStr for Reducer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no reducer; expected mean, majority, pass@K, pass^K or worst@K, such as pass@4");
        let k = |digits: &str| digits.parse().ok().filter(|k| *k > 0).ok_or_else(wrong);
        match text {
            "mean" => Ok(Reducer::Mean),
            "majority" => Ok(Reducer::Majority),
            _ => match (text.strip_prefix("pass@"), text.strip_prefix("pass^"), text.strip_prefix("worst@")) {
                (Some(digits), _, _) => k(digits).map(Reducer::Pass),
                (_, Some(digits), _) => k(digits).map(Reducer::All),
                (_, _, Some(digits)) => k(digits).map(Reducer::Worst),
                _ => Err(wrong()),
            },
        }
    }
}

impl Serialize for Reducer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reducer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Reducer {
    fn schema_name() -> Cow<'static, str> {
        "Reducer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How the scores of an item's repeats become the item's value.",
            "type": "string",
            "pattern": "^(mean|majority|pass@[1-9][0-9]*|pass\\^[1-9][0-9]*|worst@[1-9][0-9]*)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in ["mean", "majority", "pass@4", "pass^2", "worst@16"] {
            assert_eq!(text.parse::<Reducer>().unwrap().to_string(), text);
        }
        for wrong in ["", "pass@", "pass@0", "median", "pass@-1"] {
            assert!(wrong.parse::<Reducer>().is_err(), "{wrong}");
        }
    }
}
