//! `language_match` and `language_switches`.

use std::collections::BTreeMap;

use temper_text::language::{Stretch, tell};

use super::{AnswerParameters, LanguageParameters, fixed, identity, target, titled};
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const LANGUAGE_MATCH: Family = Family {
    info: ScorerInfo {
        r#type: "language_match",
        title: "Answer in the right language",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if most words of `part` are in the target language (`target`; else the row's `language`, else that of the prompt)",
    },
    version: 1,
    make: language_match,
};

pub(crate) const LANGUAGE_SWITCHES: Family = Family {
    info: ScorerInfo {
        r#type: "language_switches",
        title: "Language switches per 1,000 words",
        part: Part::Thinking,
        better: Better::Lower,
        nature: Nature::Exact,
        needs: &[],
        summary: "Changes of language per 1,000 words in `part` (thinking, answer or whole)",
    },
    version: 1,
    make: language_switches,
};

fn language_match(given: &Parameters) -> Result<Made, ScoreError> {
    let AnswerParameters(parameters) = given.read()?;
    let fixed = fixed(given, parameters.target.as_deref())?;
    let part = parameters.part;
    let title = titled("Right language", part);
    Ok(Made::new(&LANGUAGE_MATCH, identity(given.write(&parameters)?), move |sample| matches(sample, part, fixed))
        .reading(part)
        .titled(title))
}

fn matches(sample: &Sample, part: Part, fixed: Option<&'static str>) -> Judged {
    let target = match target(fixed, sample) {
        Ok(target) => target,
        Err(reason) => return Score::Unscored(reason).into(),
    };
    let Some(text) = sample.part(part) else { return Score::NotApplicable.into() };
    let stretches = tell(text, None);
    let Some(most) = most(&stretches) else { return Score::NotApplicable.into() };
    match most {
        Some(code) => Judged::answering(Score::flag(code == target), code),
        // Too few words to tell languages of one script apart; those of another script are none of the target's.
        None if tell(text, Some(target)).iter().any(|stretch| stretch.code == Some(target)) => {
            Score::Unscored(format!("too few words to tell whether they are in `{target}`")).into()
        }
        None => Judged::from(Score::flag(false)).because("a few words in another script"),
    }
}

/// The language that most words are in; `None` for a text without words.
fn most(stretches: &[Stretch]) -> Option<Option<&'static str>> {
    let mut words: BTreeMap<Option<&'static str>, usize> = BTreeMap::new();
    for stretch in stretches {
        *words.entry(stretch.code).or_default() += stretch.words;
    }
    words.into_iter().max_by_key(|(_, words)| *words).map(|(code, _)| code)
}

fn language_switches(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: LanguageParameters = given.read()?;
    if parameters.target.is_some() {
        return Err(given.error("`target` is given, and switches have none".into(), "remove it".into()));
    }
    let part = parameters.part;
    let title = titled("Language switches per 1,000 words", part);
    Ok(Made::new(&LANGUAGE_SWITCHES, identity(given.write(&parameters)?), move |sample| {
        sample.part(part).map_or(Score::NotApplicable.into(), switches)
    })
    .reading(part)
    .within(Some((0.0, 1000.0)))
    .titled(title))
}

fn switches(text: &str) -> Judged {
    let stretches = tell(text, None);
    let words: usize = stretches.iter().map(|stretch| stretch.words).sum();
    if words == 0 {
        return Score::NotApplicable.into();
    }
    let told: Vec<_> = stretches.iter().filter_map(|stretch| stretch.code.map(|code| (code, stretch.start))).collect();
    let changes: Vec<_> = told.windows(2).filter(|pair| pair[0].0 != pair[1].0).collect();
    let judged = Judged::answering(Score::of(changes.len() as f64 * 1000.0 / words as f64), changes.len().to_string());
    match changes.first() {
        Some(pair) => judged.because(format!(
            "first from {} to {} at character {}",
            pair[0].0,
            pair[1].0,
            text[..pair[1].1].chars().count()
        )),
        None => judged,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{row, score, scorer};
    use crate::{Sample, Score};
    use serde_json::json;

    #[test]
    fn the_answer_is_in_the_language_of_the_request() {
        let matches = scorer("language_match", json!({}));
        let asked = |language: &str| row(json!({"language": language}));
        assert_eq!(
            score(&matches, &row(json!({})), "<think>三加四</think>The sum of the two is seven."),
            Score::Value(1.0)
        );
        assert_eq!(score(&matches, &asked("de"), "The sum of the two is seven."), Score::Value(0.0));
        assert_eq!(score(&matches, &asked("de"), "Die Summe der beiden Zahlen ist sieben."), Score::Value(1.0));
        assert_eq!(score(&matches, &asked("de"), "42"), Score::NotApplicable);
        assert!(matches!(score(&matches, &asked("de"), "Sieben."), Score::Unscored(_)));
        assert_eq!(score(&matches, &asked("ru"), "Sieben."), Score::Value(0.0));
    }

    #[test]
    fn switches_are_counted_per_word() {
        let switches = scorer("language_switches", json!({"part": "answer"}));
        let any = row(json!({}));
        assert_eq!(score(&switches, &any, "We add the two numbers and then divide."), Score::Value(0.0));
        let judged = switches.judge(&[Sample::new(&any, "先算这两个数。Then we add them.", 1, false)]).remove(0);
        assert_eq!(judged.score, Score::Value(1000.0 / 10.0));
        assert_eq!(judged.explanation.as_deref(), Some("first from zh to en at character 7"));
        assert_eq!(score(&switches, &any, "1 + 1"), Score::NotApplicable);
    }
}
