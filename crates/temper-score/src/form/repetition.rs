//! Repetition: the share of word n-grams that came before, and texts that end in a loop.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Score, ScoreError};

pub(crate) const REPETITION: Family = Family {
    info: ScorerInfo {
        r#type: "repetition",
        title: "Repetition",
        part: Part::Whole,
        better: Better::Lower,
        nature: Nature::Exact,
        needs: &[],
        summary: "Share of the word n-grams (`n`: 4) that came before in the same text: 1 less the ratio of unique n-grams; `part`: whole, thinking or answer",
    },
    version: 1,
    make: repetition,
};

pub(crate) const LOOP: Family = Family {
    info: ScorerInfo {
        r#type: "loop",
        title: "Ends in a loop",
        part: Part::Whole,
        better: Better::Lower,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the text ends in `times` (4) or more rounds of the same words, `words` (12) of them or more in all; `part`: whole, thinking or answer",
    },
    version: 1,
    make: in_a_loop,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RepetitionParameters {
    part: Part,
    n: usize,
}

impl Default for RepetitionParameters {
    fn default() -> Self {
        RepetitionParameters { part: Part::Whole, n: 4 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LoopParameters {
    part: Part,
    times: usize,
    words: usize,
}

impl Default for LoopParameters {
    fn default() -> Self {
        LoopParameters { part: Part::Whole, times: 4, words: 12 }
    }
}

fn repetition(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: RepetitionParameters = given.read()?;
    let (part, n) = (parameters.part, parameters.n);
    if n == 0 {
        return Err(given.error("`n` is 0".into(), "count n-grams of one word or more".into()));
    }
    Ok(Made::new(&REPETITION, given.write(&parameters)?, move |sample| {
        let Some(text) = sample.part(part) else { return Score::NotApplicable };
        repeated(&words(text), n).map_or(Score::NotApplicable, Score::of)
    })
    .reading(part))
}

fn in_a_loop(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: LoopParameters = given.read()?;
    let LoopParameters { part, times, words: least } = parameters;
    if times < 2 {
        return Err(given.error(format!("`times` is {times}"), "a loop has two rounds or more".into()));
    }
    Ok(Made::new(&LOOP, given.write(&parameters)?, move |sample| {
        let Some(text) = sample.part(part) else { return Judged::from(Score::NotApplicable) };
        let words = words(text);
        match ending_loop(&words, times, least) {
            None => Judged::from(Score::Value(0.0)),
            Some((period, rounds)) => {
                let shown: Vec<&str> = words[words.len() - period..].iter().take(20).copied().collect();
                Judged::from(Score::Value(1.0)).because(format!("ends in {rounds} rounds of `{}`", shown.join(" ")))
            }
        }
    })
    .reading(part))
}

fn words(text: &str) -> Vec<&str> {
    text.unicode_words().collect()
}

/// Share of the n-grams that came before; `None` for a text of fewer words.
fn repeated(words: &[&str], n: usize) -> Option<f64> {
    let all = (words.len() + 1).checked_sub(n).filter(|all| *all > 0)?;
    let unique: HashSet<&[&str]> = words.windows(n).collect();
    Some(1.0 - unique.len() as f64 / all as f64)
}

/// The period in words and the whole rounds of the loop at the end of a text: the longest end that consists of `times` rounds
/// of some words or more, `least` words in all or more.
///
/// The prefix function of the words read backwards gives the smallest period of every ending, in linear time.
fn ending_loop(words: &[&str], times: usize, least: usize) -> Option<(usize, usize)> {
    let back: Vec<&str> = words.iter().rev().copied().collect();
    let mut border = vec![0usize; back.len()];
    let mut found = None;
    for at in 1..back.len() {
        let mut length = border[at - 1];
        while length > 0 && back[at] != back[length] {
            length = border[length - 1];
        }
        border[at] = length + usize::from(back[at] == back[length]);
        let (covered, period) = (at + 1, at + 1 - border[at]);
        if covered >= least && covered >= times * period {
            found = Some((period, covered / period));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn n_grams_by_hand() {
        let of = |text: &str, n| repeated(&words(text), n);
        // Bigrams: a b, b a, a b, b c: 3 of 4 are unique.
        assert_eq!(of("a b a b c", 2), Some(0.25));
        assert_eq!((of("a b c", 3), of("a b", 3), of("", 1)), (Some(0.0), None, None));
        // Chinese has no blanks between words.
        assert_eq!(of("好好好好", 1), Some(0.75));
        let scorer = scorer("repetition", json!({"n": 2, "part": "answer"}));
        let r = row(json!({}));
        assert_eq!(score(&scorer, &r, "<think>a a a a</think>a b a b c"), Score::Value(0.25));
        assert_eq!(score(&scorer, &r, "a"), Score::NotApplicable);
    }

    #[test]
    fn loops_at_the_end() {
        let of = |text: &str| ending_loop(&words(text), 4, 12);
        assert_eq!(of(&"so the answer is ".repeat(5)), Some((4, 5)));
        // Cut off within a round, after other words.
        let text = format!("We try. {}wait no", "wait no let me see ".repeat(4));
        assert_eq!(of(&text), Some((5, 4)));
        assert_eq!(of("very very very very good"), None);
        assert_eq!(of("very very very very"), None, "four words are no loop yet");
        assert_eq!(of("one two three four five six seven eight nine ten eleven twelve thirteen"), None);
        assert_eq!(of(""), None);
        let r = row(json!({}));
        let scorer = scorer("loop", json!({}));
        assert_eq!(score(&scorer, &r, &"嗯".repeat(40)), Score::Value(1.0));
        // Linear: a megabyte takes no time to speak of.
        assert_eq!(score(&scorer, &r, &"a b ".repeat(250_000)), Score::Value(1.0));
    }
}
