//! Multiple choice and last numbers: the scorers `choice` and `number`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::reference;
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::gsm8k;
use crate::math::{Kind, equal, extract, last_number, plain};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const CHOICE: Family = Family {
    info: ScorerInfo {
        r#type: "choice",
        title: "Right choice",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the chosen letter is the reference's (a letter, or an index from 0); the text of an entry of the row's `choices` counts as its letter",
    },
    version: 1,
    make: choice,
};

pub(crate) const NUMBER: Family = Family {
    info: ScorerInfo {
        r#type: "number",
        title: "Right number",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the last number of the answer, in any digits and with any separators, equals the reference",
    },
    version: 1,
    make: number,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Field {
    /// The row's field with the reference answer.
    field: String,
}

impl Default for Field {
    fn default() -> Self {
        Field { field: "answer".to_owned() }
    }
}

fn choice(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: Field = given.read()?;
    let written = given.write(&parameters)?;
    Ok(Made::new(&CHOICE, written, move |sample| score_choice(sample, &parameters.field))
        .tagged(|sample| if chosen(sample).is_none() { vec!["no_choice"] } else { Vec::new() }))
}

/// The letter of an index from 0.
fn letter(index: u64) -> Option<char> {
    u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'A' + index))
}

fn chosen(sample: &Sample) -> Option<char> {
    let found = extract(sample.answer, Kind::Choice);
    if let Some(letter) = found.as_deref().and_then(crate::math::choice) {
        return Some(letter);
    }
    let choices = sample.row.fields.get("choices").and_then(Value::as_array)?;
    let said = plain(&extract(sample.answer, Kind::Words)?);
    let at = choices.iter().position(|choice| choice.as_str().is_some_and(|choice| plain(choice) == said))?;
    letter(at as u64)
}

fn score_choice(sample: &Sample, field: &str) -> Judged {
    let gold = match sample.row.fields.get(field) {
        None | Some(Value::Null) => return Score::NotApplicable.into(),
        Some(Value::Number(index)) => index.as_u64().and_then(letter),
        Some(Value::String(text)) => crate::math::choice(text).filter(char::is_ascii_uppercase),
        Some(_) => None,
    };
    let Some(gold) = gold else {
        let place = sample.row.place();
        return Score::Unscored(format!("{place}: field `{field}` is neither a letter nor an index from 0")).into();
    };
    match chosen(sample) {
        Some(letter) => Judged::answering(Score::flag(letter == gold), letter),
        None => Score::Value(0.0).into(),
    }
}

fn number(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: Field = given.read()?;
    let written = given.write(&parameters)?;
    let field = parameters.field.clone();
    Ok(Made::new(&NUMBER, written, move |sample| score_number(sample, &parameters.field)).tagged(move |sample| {
        let Some(found) = last_number(sample.answer) else { return vec!["no_match"] };
        let gold = sample.row.fields.get(&field).and_then(|value| reference(value).ok());
        let raw = gsm8k::flexible_extract(sample.answer).map(|raw| gsm8k::normalise(&raw));
        match gold {
            // Right only because digits and separators were read.
            Some(gold) if same_number(&gold, &found) == Some(true) && raw != Some(gsm8k::normalise(&gold)) => {
                vec!["normalised"]
            }
            _ => Vec::new(),
        }
    }))
}

/// Whether two numbers are the same; points between groups of three digits may part thousands.
fn same_number(gold: &str, found: &str) -> Option<bool> {
    let (head, groups) = found.trim_start_matches('-').split_once('.').unwrap_or((found, ""));
    let grouped =
        (1..=3).contains(&head.len()) && !groups.is_empty() && groups.split('.').all(|group| group.len() == 3);
    let whole = grouped.then(|| equal(gold, &found.replace('.', ""))).flatten();
    if whole == Some(true) { whole } else { equal(gold, found) }
}

fn score_number(sample: &Sample, field: &str) -> Judged {
    let gold = match sample.row.fields.get(field) {
        None | Some(Value::Null) => return Score::NotApplicable.into(),
        Some(value) => match reference(value) {
            Ok(gold) if crate::math::mathematical(&gold) => gold,
            Ok(gold) => {
                return Score::Unscored(format!("{}: field `{field}`: `{gold}` is no number", sample.row.place()))
                    .into();
            }
            Err(reason) => return Score::Unscored(format!("{}: field `{field}`: {reason}", sample.row.place())).into(),
        },
    };
    let Some(found) = last_number(sample.answer) else { return Score::Value(0.0).into() };
    let score = match same_number(&gold, &found) {
        Some(same) => Score::flag(same),
        None => Score::Unscored(format!("whether `{found}` equals `{gold}` is undecided")),
    };
    Judged::answering(score, found)
}

#[cfg(test)]
mod tests {
    use crate::Score;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn letters_and_indices() {
        let choice = scorer("choice", json!({}));
        for (gold, text, right) in [
            (json!("B"), "The answer is (B).", 1.0),
            (json!(1), "B", 1.0),
            (json!(0), "**B**", 0.0),
            (json!("C"), "Answer: C) because", 1.0),
            (json!("A"), "I cannot say", 0.0),
        ] {
            assert_eq!(score(&choice, &row(json!({"answer": gold})), text), Score::Value(right), "{text}");
        }
        let named = row(json!({"answer": 1, "choices": ["red", "blue"]}));
        assert_eq!(score(&choice, &named, "The answer is Blue."), Score::Value(1.0));
        assert!(matches!(score(&choice, &row(json!({"answer": "blue"})), "B"), Score::Unscored(_)));
        assert_eq!(score(&choice, &row(json!({})), "B"), Score::NotApplicable);
    }

    #[test]
    fn numbers_of_many_places() {
        let number = scorer("number", json!({}));
        for (gold, text) in [
            ("70000", "Er macht 70.000 Dollar Gewinn."),
            ("70000", "総額は７０,０００ドルです。"),
            ("18", "١٨"),
            ("1234.5", "Das sind 1.234,5 Euro"),
            ("-5", "Am Ende −5."),
            ("3", "Es waren 1, 2, 3."),
        ] {
            assert_eq!(score(&number, &row(json!({"answer": gold})), text), Score::Value(1.0), "{text}");
        }
        assert_eq!(score(&number, &row(json!({"answer": 7})), "8"), Score::Value(0.0));
        assert_eq!(score(&number, &row(json!({"answer": 7})), "none"), Score::Value(0.0));
        let r = row(json!({"answer": 70000}));
        assert_eq!(number.tags(&crate::Sample::new(&r, "70.000 Dollar", 1, false)), ["normalised"]);
        assert!(number.tags(&crate::Sample::new(&r, "70,000", 1, false)).is_empty());
    }
}
