//! Multiple choice: which option a completion takes.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use temper_text::boxed::last_boxed;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const CHOICE: Family = Family {
    info: ScorerInfo {
        r#type: "choice",
        title: "Right choice",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the answer takes the right option: a letter, or one of the texts of the row's `choices`; `field` (answer) holds a letter, an index from 0, or the option's text",
    },
    version: 1,
    make: choice,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChoiceParameters {
    /// The row's field with the right option.
    field: String,
    /// The row's field with the list of options.
    choices: String,
}

impl Default for ChoiceParameters {
    fn default() -> Self {
        ChoiceParameters { field: "answer".to_owned(), choices: "choices".to_owned() }
    }
}

fn choice(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: ChoiceParameters = given.read()?;
    let identity = given.write(&parameters)?;
    let tagged = parameters.choices.clone();
    Ok(Made::new(&CHOICE, identity, move |sample| judge(sample, &parameters)).tagged(move |sample| {
        let options = options(sample, &tagged);
        if taken(sample.answer, &options).is_none() { vec!["no_choice"] } else { Vec::new() }
    }))
}

fn judge(sample: &Sample, parameters: &ChoiceParameters) -> Judged {
    let options = options(sample, &parameters.choices);
    let right = match sample.row.fields.get(&parameters.field) {
        None | Some(Value::Null) => return Score::NotApplicable.into(),
        Some(value) => match right(value, &options) {
            Some(right) => right,
            None => {
                let (place, field) = (sample.row.place(), &parameters.field);
                return Score::Unscored(format!(
                    "{place}: field `{field}` is {value}; expected a letter, an index from 0, or the text of an option"
                ))
                .into();
            }
        },
    };
    match taken(sample.answer, &options) {
        Some(taken) => Judged::answering(Score::flag(taken == right), name(taken)),
        None => Judged::from(Score::Value(0.0)).because("no choice was found"),
    }
}

fn options(sample: &Sample, field: &str) -> Vec<String> {
    let list = sample.row.fields.get(field).and_then(Value::as_array);
    // Of {text: […], label: […]}, as ARC has it, the texts.
    let list = list.or_else(|| sample.row.fields.get(field)?.get("text")?.as_array());
    list.into_iter().flatten().map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned)).collect()
}

fn right(value: &Value, options: &[String]) -> Option<usize> {
    match value {
        Value::Number(index) => index.as_u64().map(|index| index as usize).filter(|at| *at < 26),
        Value::String(text) => {
            let bare = text.trim().trim_matches(['(', ')', '.']);
            match bare.as_bytes() {
                [letter] if letter.is_ascii_alphabetic() => Some(usize::from(letter.to_ascii_uppercase() - b'A')),
                _ => options.iter().position(|option| plain(option) == plain(text)),
            }
        }
        _ => None,
    }
}

/// `A` for 0, and so on.
pub(crate) fn name(at: usize) -> String {
    char::from(b'A' + (at.min(25)) as u8).to_string()
}

/// The option that a text takes, from 0: by its letter, or else by its text; `None` where neither tells one.
///
/// Letters, first what is found: the last box; the last `answer … (B)`; the whole text; a first line that begins with `B.`,
/// `B)` or `(B)`; the only letter in brackets. Texts: the only option whose text occurs, where options that are part of another
/// one give way to it.
pub(crate) fn taken(text: &str, options: &[String]) -> Option<usize> {
    let most = if options.is_empty() { 26 } else { options.len() };
    letter(text).filter(|at| *at < most).or_else(|| by_text(text, options))
}

static SAID: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?m)(?i:answer|choice|option|答案|选项?)(?i:\s+is|\s*[:=是为\x{FF1A}])?[\s*:_`$\x{FF1A}]*(?:\\text\{)?[(\[\x{FF08}]?([A-Z])[)\]\x{FF09}]?",
        r"(?:[\s*_`}$]*$|[.,;:)\]\x{3002}\x{FF0C}\x{FF09}]|\*\*|\s+[-–—(])"
    ))
    .ok()
});
static FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[\s*_`]*(?:[(\[\x{FF08}]([A-Za-z])[)\]\x{FF09}]|([A-Z])[.):\x{FF1A}\x{3001}])").ok()
});
static BRACKETS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[(\[\x{FF08}]([A-Z])[)\]\x{FF09}]").ok());

fn letter(text: &str) -> Option<usize> {
    let index = |letter: &str| letter.bytes().next().map(|byte| usize::from(byte.to_ascii_uppercase() - b'A'));
    let bare = |text: &str| -> Option<usize> {
        let text = text.trim().trim_start_matches("\\text{").trim_start_matches("\\mathrm{");
        let text = text.trim_matches(|c: char| !c.is_alphanumeric());
        (text.len() == 1 && text.as_bytes()[0].is_ascii_alphabetic()).then(|| index(text)).flatten()
    };
    let last = |found: &Option<Regex>| -> Option<usize> {
        found.as_ref()?.captures_iter(text).last().and_then(|c| index(c.get(1)?.as_str()))
    };
    last_boxed(text)
        .and_then(bare)
        .or_else(|| last(&SAID))
        .or_else(|| bare(text))
        .or_else(|| {
            let captures = FIRST.as_ref()?.captures(text)?;
            index(captures.get(1).or_else(|| captures.get(2))?.as_str())
        })
        .or_else(|| {
            let mut found: Vec<usize> = BRACKETS.as_ref()?.captures_iter(text).filter_map(|c| index(&c[1])).collect();
            found.sort_unstable();
            found.dedup();
            (found.len() == 1).then(|| found[0])
        })
}

/// Lower case, straight apostrophes, single blanks, no marks around words.
pub(crate) fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace(['\u{2018}', '\u{2019}'], "'");
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a plain text has these words in a row.
pub(crate) fn says(text: &str, words: &str) -> bool {
    !words.is_empty() && format!(" {text} ").contains(&format!(" {words} "))
}

fn by_text(text: &str, options: &[String]) -> Option<usize> {
    let text = plain(text);
    let options: Vec<String> = options.iter().map(|option| plain(option)).collect();
    let found: Vec<usize> = (0..options.len()).filter(|at| says(&text, &options[*at])).collect();
    let within = |small: usize, large: usize| small != large && says(&options[large], &options[small]);
    let mut outer = found.iter().filter(|at| !found.iter().any(|other| within(**at, *other)));
    match (outer.next(), outer.next()) {
        (Some(at), None) => Some(*at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn letters() {
        let cases = [
            ("B", Some(1)),
            ("(b)", Some(1)),
            ("**C**.", Some(2)),
            ("B. Paris", Some(1)),
            ("The answer is (D).", Some(3)),
            ("The answer is D", Some(3)),
            ("**Answer: C**", Some(2)),
            ("Answer: $\\boxed{\\text{B}}$", Some(1)),
            ("A is wrong. The correct answer is **B**, since (A) fails.", Some(1)),
            ("First I thought the answer is A. But no: the answer is C.", Some(2)),
            ("答案是：B。", Some(1)),
            ("Only (C) fits.", Some(2)),
            ("(A) or (B)", Some(0)),
            ("A cat sat on a mat.", None),
            ("I cannot tell.", None),
            ("The answer is a cat", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(taken(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn texts_of_options() {
        let options: Vec<String> = ["Rome", "Paris", "New Paris"].map(str::to_owned).to_vec();
        assert_eq!(taken("It is paris, of course.", &options), Some(1));
        assert_eq!(taken("It is New Paris.", &options), Some(2));
        assert_eq!(taken("Rome or Paris", &options), None);
        assert_eq!(taken("The answer is D.", &options), None, "there is no fourth option");
    }

    #[test]
    fn right_and_wrong() {
        let choice = scorer("choice", json!({}));
        let choices = json!(["Rome", "Paris"]);
        for answer in [json!("B"), json!(1), json!("paris")] {
            let r = row(json!({"answer": answer, "choices": choices}));
            assert_eq!(score(&choice, &r, "<think>A</think>B"), Score::Value(1.0), "{answer}");
            assert_eq!(score(&choice, &r, "Rome"), Score::Value(0.0));
            assert_eq!(score(&choice, &r, "neither"), Score::Value(0.0));
        }
        assert_eq!(score(&choice, &row(json!({"choices": choices})), "B"), Score::NotApplicable);
        let odd = row(json!({"answer": "Berlin", "choices": choices}));
        assert!(matches!(score(&choice, &odd, "B"), Score::Unscored(_)));
    }
}
