//! Last numbers: the scorer `number`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::reference;
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::gsm8k;
use crate::math::{equal, last_number};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

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
    version: 2,
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
