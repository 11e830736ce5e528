//! Final answers in a box: the scorers `accuracy` and `boxed`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use temper_text::boxed::last_boxed;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::math::{Kind, equal, extract, readable};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const ACCURACY: Family = Family {
    info: ScorerInfo {
        r#type: "accuracy",
        title: "Right answer",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the answer equals the row's reference, 0 if it differs or is missing; `extract`: boxed (the last \\boxed{…}) or any (Math-Verify's places)",
    },
    version: 3,
    make: accuracy,
};

pub(crate) const BOXED: Family = Family {
    info: ScorerInfo {
        r#type: "boxed",
        title: "Boxed answer",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the answer has a \\boxed{…} with something in it",
    },
    version: 1,
    make: boxed,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AccuracyParameters {
    /// The row's field with the reference answer.
    field: String,
    /// Where the answer is looked for.
    extract: Extract,
}

/// Where the final answer stands.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Extract {
    /// In the last `\\boxed{…}`.
    Boxed,
    /// Announced, boxed, marked as mathematics, or the last number (`math/extract.rs`).
    Any,
}

impl Default for AccuracyParameters {
    fn default() -> Self {
        AccuracyParameters { field: "answer".to_owned(), extract: Extract::Boxed }
    }
}

fn accuracy(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: AccuracyParameters = given.read()?;
    let written = given.write(&parameters)?;
    let (field, place) = (parameters.field.clone(), parameters.extract);
    Ok(Made::new(&ACCURACY, written, move |sample| score_accuracy(sample, &parameters.field, parameters.extract))
        .tagged(move |sample| {
            let Some(reference) = sample.row.fields.get(&field).and_then(|value| reference(value).ok()) else {
                return Vec::new();
            };
            match (place, found(sample.answer, &reference, place)) {
                (_, Some(_)) => Vec::new(),
                (Extract::Boxed, None) => vec!["no_box"],
                (Extract::Any, None) => vec!["no_answer"],
            }
        }))
}

fn found(answer: &str, reference: &str, place: Extract) -> Option<String> {
    match place {
        Extract::Boxed => last_boxed(answer).map(str::to_owned),
        Extract::Any => extract(answer, Kind::of(reference)),
    }
}

fn score_accuracy(sample: &Sample, field: &str, place: Extract) -> Judged {
    let reference = match sample.row.fields.get(field) {
        None | Some(Value::Null) => return Score::NotApplicable.into(),
        Some(value) => match reference(value) {
            Ok(reference) => reference,
            Err(reason) => {
                return Score::Unscored(format!("{}: field `{field}`: {reason}", sample.row.place())).into();
            }
        },
    };
    let Some(predicted) = found(sample.answer, &reference, place) else {
        // Words that are not announced may still stand somewhere in the answer.
        let mentioned = matches!(place, Extract::Any)
            && Kind::of(&reference) == Kind::Words
            && sample.answer.to_lowercase().contains(&reference.to_lowercase());
        return if mentioned {
            Score::Unscored(format!("the answer mentions `{reference}` but announces no final answer")).into()
        } else {
            Score::Value(0.0).into()
        };
    };
    let score = match equal(&reference, &predicted) {
        Some(same) => Score::flag(same),
        None if !readable(&reference) => {
            Score::Unscored(format!("{}: field `{field}`: `{reference}` cannot be read", sample.row.place()))
        }
        None => Score::Unscored(format!("whether `{predicted}` equals `{reference}` is neither proven nor refuted")),
    };
    Judged::answering(score, predicted)
}

fn boxed(given: &Parameters) -> Result<Made, ScoreError> {
    let written = given.none()?;
    Ok(Made::new(&BOXED, written, |sample| {
        Score::flag(last_boxed(sample.answer).is_some_and(|answer| !answer.is_empty()))
    }))
}

/// The reference answer of a row's field: a number, a boolean, or a text; of a text with `####` what follows the last one
/// (GSM8K's references are whole solutions).
///
/// # Errors
/// The value holds no short answer; the reason in words.
pub fn reference(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => return Ok(number.to_string()),
        Value::Bool(yes) => return Ok(yes.to_string()),
        _ => return Err("expected a text or a number as the reference answer".to_owned()),
    };
    let short = text.rsplit("####").next().unwrap_or(text).trim();
    let short = last_boxed(short).unwrap_or(short);
    if short.is_empty() {
        Err("the reference answer is empty".to_owned())
    } else if short.contains('\n') || short.chars().count() > 200 {
        Err("the reference is a whole text, expected a short answer, or one after `####`".to_owned())
    } else {
        Ok(short.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn accuracy_needs_a_reference_and_a_box() {
        let accuracy = scorer("accuracy", json!({}));
        let gsm8k = row(json!({"answer": "She has 9 * 2 = <<9*2=18>>18.\n#### 18"}));
        assert_eq!(score(&accuracy, &gsm8k, "<think>\\boxed{7}</think>\\boxed{17} no \\boxed{18}"), Score::Value(1.0));
        assert_eq!(score(&accuracy, &gsm8k, "<think>\\boxed{18}</think>18"), Score::Value(0.0));
        assert_eq!(score(&accuracy, &gsm8k, "18"), Score::Value(0.0));
        assert_eq!(score(&accuracy, &row(json!({"answer": 18})), "\\boxed{18}"), Score::Value(1.0));
        assert_eq!(score(&accuracy, &row(json!({"answer": true})), "\\boxed{True}"), Score::Value(1.0));
        assert_eq!(score(&accuracy, &row(json!({})), "\\boxed{18}"), Score::NotApplicable);
        assert_eq!(score(&accuracy, &row(json!({"answer": null})), "\\boxed{18}"), Score::NotApplicable);
        for bad in [json!(""), json!([1]), json!("Because\nof this."), json!("#### ")] {
            let r = row(json!({"answer": bad}));
            let Score::Unscored(reason) = score(&accuracy, &r, "\\boxed{18}") else { panic!("{bad}") };
            assert!(reason.starts_with("test.jsonl:1: field `answer`: "), "{reason}");
        }
        assert_eq!(score(&accuracy, &row(json!({"answer": "x^2"})), "\\boxed{x*x}"), Score::Value(1.0));
        let open = row(json!({"answer": "\\sqrt{x^2}"}));
        assert!(matches!(score(&accuracy, &open, "\\boxed{x}"), Score::Unscored(_)));
        let any = scorer("accuracy", json!({"extract": "any"}));
        assert_eq!(score(&any, &gsm8k, "<think>18</think>So the answer is **17**."), Score::Value(0.0));
        assert_eq!(score(&any, &gsm8k, "<think>1</think>So the answer is **18**."), Score::Value(1.0));
        let judged = any.judge(&[crate::Sample::new(&gsm8k, "It is 18 dollars.", 1, false)]);
        assert_eq!(judged[0].answer.as_deref(), Some("18"));
        let other = scorer("accuracy", json!({"field": "gold"}));
        assert_eq!(score(&other, &row(json!({"gold": "4"})), "\\boxed{4.0}"), Score::Value(1.0));
    }

    #[test]
    fn a_missing_box_is_recorded() {
        let accuracy = scorer("accuracy", json!({}));
        let tags = |fields, text: &str| accuracy.tags(&crate::Sample::new(&row(fields), text, 1, false));
        assert_eq!(tags(json!({"answer": 1}), "1"), ["no_box"]);
        assert!(tags(json!({"answer": 1}), "\\boxed{1}").is_empty());
        assert!(tags(json!({}), "1").is_empty());
        let boxed = scorer("boxed", json!({}));
        let r = row(json!({}));
        assert_eq!(score(&boxed, &r, "\\boxed{1}"), Score::Value(1.0));
        assert_eq!(score(&boxed, &r, "\\boxed{}"), Score::Value(0.0));
        assert_eq!(score(&boxed, &r, "1"), Score::Value(0.0));
    }
}
