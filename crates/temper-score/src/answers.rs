//! Final answers in a box: the scorers `accuracy` and `boxed`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use temper_text::boxed::last_boxed;

use crate::math::equal;
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Sample, Score, ScoreError};

pub(crate) const ACCURACY: Family = Family {
    info: ScorerInfo {
        r#type: "accuracy",
        title: "Right answer",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the last \\boxed{…} of the answer equals the row's reference answer, 0 if it differs or there is no box",
    },
    version: 1,
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
}

impl Default for AccuracyParameters {
    fn default() -> Self {
        AccuracyParameters { field: "answer".to_owned() }
    }
}

fn accuracy(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: AccuracyParameters = given.read()?;
    let written = given.write(&parameters)?;
    let (for_score, for_tags) = (parameters.field.clone(), parameters.field);
    Ok(Made::new(&ACCURACY, written, move |sample| score_accuracy(sample, &for_score)).tagged(move |sample| {
        if sample.row.fields.get(&for_tags).is_none_or(Value::is_null) {
            return Vec::new();
        }
        match last_boxed(sample.answer) {
            None => vec!["no_box"],
            Some(_) => Vec::new(),
        }
    }))
}

fn score_accuracy(sample: &Sample, field: &str) -> Score {
    let reference = match sample.row.fields.get(field) {
        None | Some(Value::Null) => return Score::NotApplicable,
        Some(value) => match reference(value) {
            Ok(reference) => reference,
            Err(reason) => return Score::Unscored(format!("{}: field `{field}`: {reason}", sample.row.place())),
        },
    };
    let Some(predicted) = last_boxed(sample.answer) else {
        return Score::Value(0.0);
    };
    match equal(&reference, predicted) {
        Some(same) => Score::flag(same),
        None => Score::Unscored(format!("telling whether `{predicted}` equals `{reference}` needs algebra")),
    }
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
        assert!(matches!(score(&accuracy, &row(json!({"answer": "x^2"})), "\\boxed{x*x}"), Score::Unscored(_)));
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
