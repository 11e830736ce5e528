//! GSM8K answers exactly as lm-evaluation-harness extracts and compares them (`lm_eval/tasks/gsm8k/gsm8k.yaml` 3.0,
//! `gsm8k_cot`, `lm_eval/filters/extraction.py`), quirks included, so that numbers can be held against published ones.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const STRICT: Family = Family {
    info: ScorerInfo {
        r#type: "gsm8k_strict",
        title: "GSM8K strict",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the number after `#### ` equals the reference (lm-eval's strict-match; variant `cot`: after `The answer is `)",
    },
    version: 1,
    make: strict,
};

pub(crate) const FLEXIBLE: Family = Family {
    info: ScorerInfo {
        r#type: "gsm8k_flexible",
        title: "GSM8K flexible",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &["answer"],
        summary: "1 if the last number of the answer equals the reference (lm-eval's flexible-extract)",
    },
    version: 1,
    make: flexible,
};

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Variant {
    /// `#### 5`
    #[default]
    Hashes,
    /// `The answer is 5.`
    Cot,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StrictParameters {
    variant: Variant,
}

fn strict(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: StrictParameters = given.read()?;
    let extract = match parameters.variant {
        Variant::Hashes => strict_match,
        Variant::Cot => strict_match_cot,
    };
    Ok(made(&STRICT, given.write(&parameters)?, extract))
}

fn flexible(given: &Parameters) -> Result<Made, ScoreError> {
    Ok(made(&FLEXIBLE, given.none()?, flexible_extract))
}

fn made(family: &Family, identity: Value, extract: fn(&str) -> Option<String>) -> Made {
    Made::new(family, identity, move |sample| {
        let target = match target(sample) {
            Ok(target) => target,
            Err(score) => return Judged::from(score),
        };
        match extract(until_stop(sample.answer)) {
            Some(prediction) => {
                let score = Score::flag(normalise(&prediction) == normalise(&target));
                Judged::answering(score, normalise(&prediction))
            }
            None => Score::Value(0.0).into(),
        }
    })
    .tagged(move |sample| match (target(sample), extract(until_stop(sample.answer))) {
        (Ok(_), None) => vec!["no_match"],
        _ => Vec::new(),
    })
}

fn target(sample: &Sample) -> Result<String, Score> {
    match sample.row.fields.get("answer") {
        None | Some(Value::Null) => Err(Score::NotApplicable),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(Score::Unscored(format!(
            "{}: field `answer` is neither a number nor a text that ends in one",
            sample.row.place()
        ))),
    }
}

fn pattern(source: &str) -> Regex {
    #[allow(clippy::expect_used, reason = "the patterns are constants of this file and covered by its tests")]
    Regex::new(source).expect("a constant pattern")
}

/// The text up to the first string that ends a generation in lm-eval: `Question:`, `</s>`, `<|im_end|>`.
fn until_stop(text: &str) -> &str {
    let end = ["Question:", "</s>", "<|im_end|>"].iter().filter_map(|stop| text.find(stop)).min();
    &text[..end.unwrap_or(text.len())]
}

/// strict-match: the first number after `#### `.
pub fn strict_match(text: &str) -> Option<String> {
    static STRICT: LazyLock<Regex> = LazyLock::new(|| pattern(r"#### (\-?[0-9\.,]+)"));
    STRICT.captures(text).map(|found| found[1].trim().to_owned())
}

/// strict-match of `gsm8k_cot`: the first number between `The answer is ` and a full stop.
pub fn strict_match_cot(text: &str) -> Option<String> {
    static STRICT: LazyLock<Regex> = LazyLock::new(|| pattern(r"The answer is (\-?[0-9\.,]+)."));
    STRICT.captures(text).map(|found| found[1].trim().to_owned())
}

/// flexible-extract: the last run of at least two of `$0-9.,`, or of digits.
pub fn flexible_extract(text: &str) -> Option<String> {
    static FLEXIBLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(-?[$0-9.,]{2,})|(-?[0-9]+)"));
    FLEXIBLE.find_iter(text).last().map(|found| found.as_str().trim().to_owned())
}

/// The normalisation before exact comparison: deletes commas, dollar signs, everything up to the last `#### ` and a final
/// full stop, then lowers the case.
pub fn normalise(text: &str) -> String {
    let text = text.replace([',', '$'], "");
    let text = text.rsplit("#### ").next().unwrap_or("");
    // Python's `$` also matches before a final line break.
    let (body, end) = match text.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (text, ""),
    };
    format!("{}{end}", body.strip_suffix('.').unwrap_or(body)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{data_file, row, score, scorer};
    use serde_json::json;

    #[test]
    fn quirks_of_the_reference_are_kept() {
        assert_eq!(flexible_extract("so it is 12.").as_deref(), Some("12."));
        assert_eq!(normalise("12."), "12");
        assert_eq!(flexible_extract("x = 3/4").as_deref(), Some("4"));
        assert_eq!(flexible_extract("about $,").as_deref(), Some("$,"));
        assert_eq!(flexible_extract("wait.. 7").as_deref(), Some("7"));
        assert_eq!(flexible_extract("7, wait..").as_deref(), Some(".."));
        assert_eq!(flexible_extract("none"), None);
        assert_eq!(strict_match("#### -1,234.5 and #### 6").as_deref(), Some("-1,234.5"));
        assert_eq!(strict_match("####5"), None);
        // The full stop of the pattern is any character and the class is greedy: "18." gives up its own stop.
        assert_eq!(strict_match_cot("The answer is 18.").as_deref(), Some("18"));
        assert_eq!(strict_match_cot("The answer is 18 .").as_deref(), Some("18"));
        assert_eq!(strict_match_cot("The answer is 5"), None);
        assert_eq!(normalise("a\nb #### 1,000.\n"), "1000\n");
    }

    #[test]
    fn generations_end_where_the_reference_would_stop() {
        let r = row(json!({"answer": "… #### 5"}));
        let flexible = scorer("gsm8k_flexible", json!({}));
        assert_eq!(score(&flexible, &r, "It is 5.\nQuestion: 7 more?"), Score::Value(1.0));
        assert_eq!(score(&flexible, &r, "<think>5</think>It is 6"), Score::Value(0.0));
        assert_eq!(score(&flexible, &row(json!({})), "5"), Score::NotApplicable);
        assert!(matches!(score(&flexible, &row(json!({"answer": []})), "5"), Score::Unscored(_)));
        let cot = scorer("gsm8k_strict", json!({"variant": "cot"}));
        assert_eq!(score(&cot, &r, "The answer is 5."), Score::Value(1.0));
    }

    #[test]
    fn golden_numbers_on_the_example_solutions() {
        let (Some(solutions), Some(test)) =
            (data_file("gsm8k/example_model_solutions.jsonl"), data_file("gsm8k/test.jsonl"))
        else {
            return;
        };
        let lines = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        let (solutions, test) = (lines(&solutions), lines(&test));
        assert_eq!((solutions.len(), test.len()), (1319, 1319));
        let (strict, flexible) = (scorer("gsm8k_strict", json!({})), scorer("gsm8k_flexible", json!({})));
        for (model, right) in [("6b_finetuning", 286), ("6b_verification", 515)] {
            let (mut correct, mut agree, mut strictly, mut none) = (0, 0, 0, 0);
            for (solution, item) in solutions.iter().zip(&test) {
                let text = solution[model]["solution"].as_str().unwrap();
                let r = row(json!({"answer": item["answer"]}));
                let value = score(&flexible, &r, text);
                correct += usize::from(value == Score::Value(1.0));
                agree += usize::from((value == Score::Value(1.0)) == solution[model]["is_correct"].as_bool().unwrap());
                strictly += usize::from(score(&strict, &r, text) == Score::Value(1.0));
                none += usize::from(flexible_extract(text).is_none());
            }
            assert_eq!((correct, agree, strictly, none), (right, 1319, 0, 0), "{model}");
        }
    }

    #[test]
    fn references_of_both_files_are_right_by_both_rules() {
        for (file, lines, negative, thousands) in
            [("gsm8k/test.jsonl", 1319, 2, 14), ("gsm8k/train.jsonl", 7473, 3, 79)]
        {
            let Some(text) = data_file(file) else { return };
            let (mut count, mut below, mut comma) = (0, 0, 0);
            for line in text.lines() {
                let item: Value = serde_json::from_str(line).unwrap();
                let answer = item["answer"].as_str().unwrap();
                let (strict, flexible) = (strict_match(answer).unwrap(), flexible_extract(answer).unwrap());
                assert_eq!(normalise(&strict), normalise(answer));
                assert_eq!(normalise(&flexible), normalise(answer));
                assert_eq!(crate::math::equal(&strict, &flexible), Some(true), "{strict} {flexible}");
                count += 1;
                below += usize::from(strict.starts_with('-'));
                comma += usize::from(strict.contains(','));
            }
            assert_eq!((count, below, comma), (lines, negative, thousands), "{file}");
        }
    }
}
