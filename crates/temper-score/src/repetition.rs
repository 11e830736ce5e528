//! Repetition and length as a reward shapes them: the scorers `repetition` and `overlong`, and valid JSON: `json`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Score, ScoreError};

const fn info(
    r#type: &'static str,
    title: &'static str,
    part: Part,
    better: Better,
    summary: &'static str,
) -> ScorerInfo {
    ScorerInfo { r#type, title, part, better, nature: Nature::Exact, needs: &[], summary }
}

pub(crate) const REPETITION: Family = Family {
    info: info(
        "repetition",
        "Repetition",
        Part::Whole,
        Better::Lower,
        "Share of n-grams of words that occurred before (`measure`: repeated), or of the text that is one loop to its end (loop); `n`: 3",
    ),
    version: 1,
    make: repetition,
};

pub(crate) const OVERLONG: Family = Family {
    info: info(
        "overlong",
        "Overlong",
        Part::Whole,
        Better::Higher,
        "DAPO's soft punishment in [-1, 0]: 0 up to `limit` - `buffer` tokens, then falling to -1 at `limit`",
    ),
    version: 1,
    make: overlong,
};

pub(crate) const JSON: Family = Family {
    info: info(
        "json",
        "Valid JSON",
        Part::Answer,
        Better::Higher,
        "1 if the answer is valid JSON; `fence`: optional, required or none for a ```json fence around it",
    ),
    version: 1,
    make: json,
};

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Measure {
    #[default]
    Repeated,
    Loop,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RepetitionParameters {
    measure: Measure,
    n: usize,
}

impl Default for RepetitionParameters {
    fn default() -> Self {
        RepetitionParameters { measure: Measure::Repeated, n: 3 }
    }
}

fn repetition(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: RepetitionParameters = given.read()?;
    if parameters.n == 0 || parameters.n > 100 {
        return Err(given.error(format!("`n` is {}", parameters.n), "write a number from 1 to 100".to_owned()));
    }
    let written = given.write(&parameters)?;
    Ok(Made::new(&REPETITION, written, move |sample| {
        let words = units(sample.text);
        let share = match parameters.measure {
            Measure::Repeated => repeated(&words, parameters.n),
            Measure::Loop => Some(looped(&words)),
        };
        match share {
            Some(share) => Score::of(share),
            None => Score::Unscored(format!("the completion has fewer than {} words", parameters.n)),
        }
    }))
}

/// Words between white space; letters of scripts that are written without it one by one.
fn units(text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    for word in text.split_whitespace() {
        let mut start = 0;
        for (at, c) in word.char_indices() {
            if matches!(u32::from(c), 0x0e00..=0x0eff | 0x3040..=0x30ff | 0x3400..=0x9fff | 0x20000..=0x3ffff) {
                if start < at {
                    units.push(&word[start..at]);
                }
                start = at + c.len_utf8();
                units.push(&word[at..start]);
            }
        }
        if start < word.len() {
            units.push(&word[start..]);
        }
    }
    units
}

/// 1 − different n-grams / n-grams; `None` without any.
pub fn repeated(words: &[&str], n: usize) -> Option<f64> {
    let total = words.windows(n).len();
    let different = words.windows(n).collect::<HashSet<_>>().len();
    (total > 0).then(|| 1.0 - different as f64 / total as f64)
}

/// The share of a text that is one passage repeated up to its end, at least three times; the passage is the shortest such.
/// Read backwards, a passage of p words repeats for p + z words, where z is how long the text from p on agrees with itself.
pub fn looped(words: &[&str]) -> f64 {
    let back: Vec<&str> = words.iter().rev().copied().collect();
    let (mut agree, mut left, mut right) = (vec![0usize; back.len()], 0, 0);
    for at in 1..back.len() {
        let mut length = if at < right { agree[at - left].min(right - at) } else { 0 };
        while at + length < back.len() && back[length] == back[at + length] {
            length += 1;
        }
        if at + length > right {
            (left, right) = (at, at + length);
        }
        agree[at] = length;
    }
    let found = (1..back.len()).find(|period| period + agree[*period] >= 3 * period);
    found.map_or(0.0, |period| (period + agree[period]) as f64 / back.len() as f64)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OverlongParameters {
    /// Tokens at which the punishment is full.
    limit: usize,
    /// Tokens over which it grows.
    buffer: usize,
}

impl Default for OverlongParameters {
    fn default() -> Self {
        OverlongParameters { limit: 20_480, buffer: 4096 }
    }
}

fn overlong(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: OverlongParameters = given.read()?;
    let (limit, buffer) = (parameters.limit, parameters.buffer);
    if buffer == 0 || buffer > limit {
        return Err(given.error(
            format!("`buffer` is {buffer} and `limit` is {limit}"),
            "write a buffer from 1 to the limit".to_owned(),
        ));
    }
    let written = given.write(&parameters)?;
    Ok(Made::new(&OVERLONG, written, move |sample| Score::of(punishment(sample.tokens, limit, buffer)))
        .within(Some((-1.0, 0.0))))
}

/// 0 if n ≤ L − C, ((L − C) − n)/C if n ≤ L, else −1 (DAPO, 2503.14476).
pub fn punishment(tokens: usize, limit: usize, buffer: usize) -> f64 {
    let over = tokens.saturating_sub(limit - buffer).min(buffer);
    if over == 0 { 0.0 } else { -(over as f64) / buffer as f64 }
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fence {
    #[default]
    Optional,
    Required,
    None,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JsonParameters {
    fence: Fence,
}

fn json(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: JsonParameters = given.read()?;
    let written = given.write(&parameters)?;
    Ok(Made::new(&JSON, written, move |sample| {
        let text = sample.answer.trim();
        let fenced =
            text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|rest| rest.strip_suffix("```"));
        let body = match (parameters.fence, fenced) {
            (Fence::Optional, fenced) => fenced.or(Some(text)),
            (Fence::Required, fenced) => fenced,
            (Fence::None, _) => Some(text),
        };
        Score::flag(body.is_some_and(|body| serde_json::from_str::<serde_json::Value>(body).is_ok()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn shares_of_repetition() {
        let words = |text: &'static str| units(text);
        assert_eq!(repeated(&words("a b c a b c"), 3), Some(0.25));
        assert_eq!(repeated(&words("a b"), 3), None);
        assert_eq!(looped(&words("so x y x y x y")), 6.0 / 7.0);
        assert_eq!(looped(&words("x y x y")), 0.0);
        assert_eq!(looped(&words("end end end")), 1.0);
        assert_eq!(looped(&words("")), 0.0);
        assert_eq!(words("好好 a好b"), ["好", "好", "a", "好", "b"]);
    }

    #[test]
    fn soft_overlong() {
        let at = |tokens| punishment(tokens, 100, 20);
        assert_eq!([at(0), at(80), at(85), at(100), at(200)], [0.0, 0.0, -0.25, -1.0, -1.0]);
    }

    #[test]
    fn json_in_a_fence_or_not() {
        let r = row(json!({}));
        let value = |fence: &str, text: &str| score(&scorer("json", json!({"fence": fence})), &r, text);
        assert_eq!(value("optional", "<think>no</think>{\"a\": 1}"), Score::Value(1.0));
        assert_eq!(value("optional", "```json\n[1]\n```"), Score::Value(1.0));
        assert_eq!(value("required", "[1]"), Score::Value(0.0));
        assert_eq!(value("none", "```json\n[1]\n```"), Score::Value(0.0));
        assert_eq!(value("optional", "{a: 1}"), Score::Value(0.0));
    }
}
