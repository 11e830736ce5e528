//! `line_pass` and `word_pass`: per completion what the language-confusion benchmark's line- and word-level pass rates are
//! the means of.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use temper_text::language::{Line, WORD_LANGUAGES, english_word, lines};

use super::{AnswerParameters, fixed, identity, target, titled};
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Sample, Score, ScoreError};

pub(crate) const LINE_PASS: Family = Family {
    info: ScorerInfo {
        r#type: "line_pass",
        title: "Every line in the right language",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if every line of five words or more is in the target language (`target`; else the row's `language`, else that of the prompt); the mean is the line pass rate of the language-confusion benchmark",
    },
    version: 1,
    make: line_pass,
};

pub(crate) const WORD_PASS: Family = Family {
    info: ScorerInfo {
        r#type: "word_pass",
        title: "No English word in the right language",
        part: Part::Answer,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if no English word (of the list in the file `words`; without it any of four or more small letters a to z) is in a completion in ar, hi, ja, ko, ru or zh whose lines all pass; the mean is the benchmark's word pass rate",
    },
    version: 1,
    make: word_pass,
};

fn line_pass(given: &Parameters) -> Result<Made, ScoreError> {
    let AnswerParameters(parameters) = given.read()?;
    let fixed = fixed(given, parameters.target.as_deref())?;
    let part = parameters.part;
    let title = titled("Line pass", part);
    Ok(Made::new(&LINE_PASS, identity(given.write(&parameters)?), move |sample| {
        let (target, lines) = match judged_lines(sample, part, fixed) {
            Ok(found) => found,
            Err(score) => return score.into(),
        };
        let wrong: Vec<&Line> = lines.iter().filter(|line| line.code != Some(target)).collect();
        match wrong.first() {
            None => Judged::answering(Score::flag(true), target),
            Some(first) => {
                let found = first.code.unwrap_or("unknown");
                let shown: String = first.text.chars().take(80).collect();
                Judged::answering(Score::flag(false), found).because(format!(
                    "{} of {} lines, first line {}: {shown}",
                    wrong.len(),
                    lines.len(),
                    first.number
                ))
            }
        }
    })
    .tagged(move |sample| {
        let Ok((target, lines)) = judged_lines(sample, part, fixed) else { return Vec::new() };
        let wrong = lines.iter().filter(|line| line.code != Some(target)).count();
        match wrong {
            0 => Vec::new(),
            _ if wrong == lines.len() => vec!["all_lines_wrong"],
            _ if lines[0].code != Some(target) => vec!["some_lines_wrong", "first_line_wrong"],
            _ => vec!["some_lines_wrong"],
        }
    })
    .reading(part)
    .titled(title))
}

/// The target and the lines that are judged; what to answer where there are none.
fn judged_lines(sample: &Sample, part: Part, fixed: Option<&'static str>) -> Result<(&'static str, Vec<Line>), Score> {
    let target = target(fixed, sample).map_err(Score::Unscored)?;
    let lines = sample.part(part).map(|text| lines(text, target)).unwrap_or_default();
    if lines.is_empty() { Err(Score::NotApplicable) } else { Ok((target, lines)) }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WordParameters {
    part: Part,
    target: Option<String>,
    /// A file of English words, one per line; those in small letters and longer than three count.
    words: Option<PathBuf>,
}

impl Default for WordParameters {
    fn default() -> Self {
        WordParameters { part: Part::Answer, target: None, words: None }
    }
}

fn word_pass(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: WordParameters = given.read()?;
    let fixed = fixed(given, parameters.target.as_deref())?;
    let part = parameters.part;
    let title = titled("Word pass", part);
    let mut identity = identity(given.write(&parameters)?);
    let list = match &parameters.words {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                given.error(
                    format!("the list of words `{}` cannot be read: {error}", path.display()),
                    "name a UTF-8 file with one word per line, or remove `words`".to_owned(),
                )
            })?;
            let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            // What is in the list decides, not where it lies.
            identity["parameters"]["words"] = json!({"sha256": digest});
            let list: HashSet<String> =
                text.lines().map(str::trim).filter(|word| counts(word)).map(str::to_owned).collect();
            if list.is_empty() {
                return Err(given.error(
                    format!("`{}` has no word in small letters longer than three", path.display()),
                    "name a file with one English word per line".to_owned(),
                ));
            }
            Some(list)
        }
    };
    let is_english = move |word: &str| match &list {
        Some(list) => list.contains(word),
        None => word.len() > 3 && word.bytes().all(|b| b.is_ascii_lowercase()),
    };
    Ok(Made::new(&WORD_PASS, identity, move |sample| {
        let (target, lines) = match judged_lines(sample, part, fixed) {
            Ok(found) => found,
            Err(score) => return score.into(),
        };
        if !WORD_LANGUAGES.contains(&target) || lines.iter().any(|line| line.code != Some(target)) {
            return Judged::from(Score::NotApplicable);
        }
        let found = lines.iter().find_map(|line| Some((line.number, english_word(&line.text, target, &is_english)?)));
        match found {
            None => Score::flag(true).into(),
            Some((number, word)) => Judged::answering(Score::flag(false), word).because(format!("line {number}")),
        }
    })
    .reading(part)
    .titled(title))
}

/// Whether an entry of the list counts: some letter, no capital, more than three characters.
fn counts(word: &str) -> bool {
    word.chars().count() > 3 && word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use crate::testing::{row, score, scorer};
    use crate::{Sample, Score, build};
    use serde_json::json;
    use temper_recipe::{Lab, ScorerSpec};

    #[test]
    fn one_wrong_line_fails_a_completion() {
        let pass = scorer("line_pass", json!({}));
        let german = row(json!({"language": "de"}));
        let right = "Das ist eine ganz normale Antwort.\nSie hat zwei Zeilen auf Deutsch.";
        assert_eq!(score(&pass, &german, right), Score::Value(1.0));
        let wrong = "Das ist eine ganz normale Antwort.\nAnd this is a line in English.";
        let judged = pass.judge(&[Sample::new(&german, wrong, 1, false)]).remove(0);
        assert_eq!((judged.score, judged.answer.as_deref()), (Score::Value(0.0), Some("en")));
        assert_eq!(judged.explanation.as_deref(), Some("1 of 2 lines, first line 2: And this is a line in English"));
        assert_eq!(pass.tags(&Sample::new(&german, wrong, 1, false)), ["some_lines_wrong"]);
        assert_eq!(score(&pass, &german, "Ja.\nNein, danke."), Score::NotApplicable);
    }

    #[test]
    fn english_words_count_only_where_all_lines_pass() {
        let pass = scorer("word_pass", json!({}));
        let russian = row(json!({"language": "ru"}));
        assert_eq!(score(&pass, &russian, "Это очень хороший и простой ответ."), Score::Value(1.0));
        assert_eq!(score(&pass, &russian, "Это очень хороший и простой answer для всех нас."), Score::Value(0.0));
        assert_eq!(score(&pass, &russian, "Это очень хороший язык Python для всех нас."), Score::Value(1.0));
        assert_eq!(score(&pass, &russian, "This is a line in English."), Score::NotApplicable);
        assert_eq!(
            score(&pass, &row(json!({"language": "de"})), "Das ist eine gute answer für alle."),
            Score::NotApplicable
        );
    }

    #[test]
    fn a_list_of_words_is_part_of_the_identity() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words");
        std::fs::write(&file, "answer\nPython\nand\n").unwrap();
        let listed = scorer("word_pass", json!({"words": file}));
        let russian = row(json!({"language": "ru"}));
        assert_eq!(score(&listed, &russian, "Это очень хороший и простой answer для всех нас."), Score::Value(0.0));
        assert_eq!(score(&listed, &russian, "Это очень хороший и простой word для всех нас."), Score::Value(1.0));
        let elsewhere = folder.path().join("copy");
        std::fs::copy(&file, &elsewhere).unwrap();
        assert_eq!(listed.digest(), scorer("word_pass", json!({"words": elsewhere})).digest());
        assert_ne!(listed.digest(), scorer("word_pass", json!({})).digest());
        let spec = ScorerSpec {
            r#type: "word_pass".into(),
            params: json!({"words": "/nowhere"}).as_object().unwrap().clone(),
        };
        let error = build("w", &[("w".to_owned(), spec)].into_iter().collect(), &Lab::default()).err().unwrap();
        assert!(error.to_string().contains("one word per line"), "{error}");
    }
}
