//! Language consistency: the share of words in the language of the request (the consistency reward of DeepSeek-R1), as
//! reward and as metric.

use serde::{Deserialize, Serialize};
use temper_text::language::{Language, consistency, detect};

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Sample, Score, ScoreError};

pub(crate) const LANGUAGE: Family = Family {
    info: ScorerInfo {
        r#type: "language",
        title: "Language consistency",
        part: Part::Thinking,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "Share of words in the target language (`target`: en or zh; else the row's `language`, else that of the prompt) in `part` (thinking, answer or whole)",
    },
    version: 1,
    make: language,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LanguageParameters {
    part: Part,
    /// Code of the language; `None` for the row's field `language`, or else the language of the prompt.
    target: Option<String>,
}

impl Default for LanguageParameters {
    fn default() -> Self {
        LanguageParameters { part: Part::Thinking, target: None }
    }
}

fn language(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: LanguageParameters = given.read()?;
    let fixed = match &parameters.target {
        None => None,
        Some(code) => Some(of_code(code).ok_or_else(|| {
            given.error(format!("`target` is `{code}`, which cannot be told"), "expected `en` or `zh`".into())
        })?),
    };
    let part = parameters.part;
    let title = match part {
        Part::Thinking => "Language consistency, thinking",
        Part::Answer => "Language consistency, answer",
        Part::Whole => "Language consistency",
    };
    Ok(Made::new(&LANGUAGE, given.write(&parameters)?, move |sample| {
        let target = match fixed.map_or_else(|| target(sample), Ok) {
            Ok(target) => target,
            Err(reason) => return Score::Unscored(reason),
        };
        match sample.part(part).and_then(|text| consistency(text, target)) {
            Some(share) => Score::of(share),
            None => Score::NotApplicable,
        }
    })
    .reading(part)
    .titled(title))
}

/// The language of the row's `language` field, or else of its prompt.
fn target(sample: &Sample) -> Result<Language, String> {
    let place = sample.row.place();
    match sample.row.fields.get("language").and_then(|value| value.as_str()) {
        Some(code) => of_code(code)
            .ok_or_else(|| format!("{place}: field `language` is `{code}`, and only `en` and `zh` can be told")),
        None => match detect(sample.row.prompt.request()) {
            Some(language) if language != Language::Other => Ok(language),
            _ => {
                Err(format!("{place}: the row has no field `language`, and its prompt is neither English nor Chinese"))
            }
        },
    }
}

fn of_code(code: &str) -> Option<Language> {
    let code = code.to_ascii_lowercase();
    match code.split(['-', '_']).next().unwrap_or(&code) {
        "en" | "english" => Some(Language::English),
        "zh" | "chinese" => Some(Language::Chinese),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Score;
    use crate::testing::{row, score, scorer};
    use serde_json::json;

    #[test]
    fn share_of_words_in_the_target_language() {
        let thinking = scorer("language", json!({}));
        let answer = scorer("language", json!({"part": "answer"}));
        let english = row(json!({"language": "en"}));
        let text = "<think>we add two</think>答案";
        assert_eq!(score(&thinking, &english, text), Score::Value(1.0));
        assert_eq!(score(&answer, &english, text), Score::Value(0.0));
        assert_eq!(score(&answer, &row(json!({"language": "zh-CN"})), text), Score::Value(1.0));
        // The prompt of the test's rows is English.
        assert_eq!(score(&thinking, &row(json!({})), text), Score::Value(1.0));
        assert_eq!(score(&scorer("language", json!({"target": "zh"})), &english, text), Score::Value(0.0));
    }

    #[test]
    fn nothing_to_judge_is_not_a_zero() {
        let thinking = scorer("language", json!({}));
        let english = row(json!({"language": "en"}));
        assert_eq!(score(&thinking, &english, "\\boxed{4}"), Score::NotApplicable);
        assert_eq!(score(&thinking, &english, "<think>2+2=4</think>four"), Score::NotApplicable);
        assert!(matches!(score(&thinking, &row(json!({"language": "de"})), "x"), Score::Unscored(_)));
    }
}
