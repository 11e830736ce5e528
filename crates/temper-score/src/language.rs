//! Languages: the share of words in the language of the request (the consistency reward of DeepSeek-R1), whether the answer
//! is in it, how often the language changes, and the pass rates of the language-confusion benchmark. Rewards and metrics alike.

mod passes;
mod whole;

pub(crate) use passes::{LINE_PASS, WORD_PASS};
pub(crate) use whole::{LANGUAGE_MATCH, LANGUAGE_SWITCHES};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use temper_text::language::{LANGUAGES, code_of, main_language, share};

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
        summary: "Share of words in the target language (`target`, a code such as `de`; else the row's `language`, else that of the prompt) in `part` (thinking, answer or whole)",
    },
    version: 2,
    make: language,
};

/// What tells languages apart, for the identity of scorers.
const IDENTIFIER: &str = "scripts, common words of 12 languages, lingua 1.8 (12 Latin and 2 Cyrillic languages); 1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LanguageParameters {
    part: Part,
    /// Code or English name of the language; `None` for the row's field `language`, or else the language of the prompt.
    target: Option<String>,
}

impl Default for LanguageParameters {
    fn default() -> Self {
        LanguageParameters { part: Part::Thinking, target: None }
    }
}

/// The same, of the answer unless another part is named.
struct AnswerParameters(LanguageParameters);

impl<'de> Deserialize<'de> for AnswerParameters {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = serde_json::Map::deserialize(deserializer)?;
        map.entry("part").or_insert_with(|| "answer".into());
        LanguageParameters::deserialize(Value::Object(map)).map(AnswerParameters).map_err(serde::de::Error::custom)
    }
}

fn language(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: LanguageParameters = given.read()?;
    let fixed = fixed(given, parameters.target.as_deref())?;
    let part = parameters.part;
    let title = titled("Language consistency", part);
    Ok(Made::new(&LANGUAGE, identity(given.write(&parameters)?), move |sample| {
        let target = match target(fixed, sample) {
            Ok(target) => target,
            Err(reason) => return Score::Unscored(reason),
        };
        match sample.part(part).and_then(|text| share(text, target)) {
            Some(share) => Score::of(share),
            None => Score::NotApplicable,
        }
    })
    .reading(part)
    .titled(title))
}

fn titled(title: &str, part: Part) -> String {
    match part {
        Part::Thinking => format!("{title}, thinking"),
        Part::Answer => format!("{title}, answer"),
        Part::Whole => title.to_owned(),
    }
}

fn identity(parameters: Value) -> Value {
    json!({"parameters": parameters, "identifier": IDENTIFIER})
}

/// The parameter `target` as a code.
fn fixed(given: &Parameters, target: Option<&str>) -> Result<Option<&'static str>, ScoreError> {
    let Some(name) = target else { return Ok(None) };
    let code = code_of(name);
    code.map(Some).ok_or_else(|| {
        given.error(format!("`target` is `{name}`, which cannot be told"), format!("expected one of {}", codes()))
    })
}

/// The language that is asked for: the parameter, or else the row's `language` field, or else that of its prompt.
fn target(fixed: Option<&'static str>, sample: &Sample) -> Result<&'static str, String> {
    if let Some(code) = fixed {
        return Ok(code);
    }
    let place = sample.row.place();
    match sample.row.fields.get("language").and_then(|value| value.as_str()) {
        Some(name) => {
            code_of(name).ok_or_else(|| format!("{place}: field `language` is `{name}`, expected one of {}", codes()))
        }
        None => main_language(sample.row.prompt.request()).map(|found| found.code).ok_or_else(|| {
            format!(
                "{place}: the row has no field `language`, and the language of its prompt cannot be told; add the field"
            )
        }),
    }
}

fn codes() -> String {
    LANGUAGES.map(|(code, _)| code).join(", ")
}

#[cfg(test)]
mod tests {
    use crate::testing::{row, score, scorer};
    use crate::{Sample, Score, build};
    use serde_json::json;
    use temper_recipe::{Lab, ScorerSpec};

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
    fn many_languages() {
        let answer = scorer("language", json!({"part": "answer"}));
        let texts = [
            ("de", "Wir addieren zuerst die beiden Zahlen und teilen dann durch drei."),
            ("fr", "Nous additionnons d'abord les deux nombres, puis nous divisons par trois."),
            ("es", "Primero sumamos los dos números y luego dividimos entre tres."),
            ("pt", "Primeiro somamos os dois números e depois dividimos por três."),
            ("it", "Prima sommiamo i due numeri e poi dividiamo per tre."),
            ("nl", "Eerst tellen we de twee getallen op en daarna delen we door drie."),
            ("pl", "Najpierw dodajemy obie liczby, a potem dzielimy przez trzy."),
            ("tr", "Önce iki sayıyı topluyoruz, sonra üçe bölüyoruz."),
            ("vi", "Trước tiên chúng ta cộng hai số rồi chia cho ba."),
            ("id", "Pertama kita menjumlahkan kedua angka lalu membaginya dengan tiga."),
            ("sw", "Kwanza tunajumlisha nambari mbili kisha tunagawanya kwa tatu."),
            ("ru", "Сначала складываем два числа, затем делим на три."),
            ("uk", "Спочатку додаємо два числа, потім ділимо на три."),
            ("ja", "まず二つの数を足して、三で割ります。"),
            ("ko", "먼저 두 수를 더한 다음 셋으로 나눕니다."),
            ("zh", "先把两个数加起来，再除以三。"),
            ("th", "ก่อนอื่นเราบวกเลขสองตัวแล้วหารด้วยสาม"),
            ("hi", "पहले हम दोनों संख्याओं को जोड़ते हैं और फिर तीन से भाग देते हैं।"),
            ("bn", "প্রথমে আমরা দুটি সংখ্যা যোগ করি তারপর তিন দিয়ে ভাগ করি।"),
            ("ar", "أولا نجمع العددين ثم نقسم على ثلاثة."),
            ("he", "קודם מחברים את שני המספרים ואז מחלקים בשלוש."),
            ("el", "Πρώτα προσθέτουμε τους δύο αριθμούς και μετά διαιρούμε με το τρία."),
            ("te", "ముందు రెండు సంఖ్యలను కలిపి తర్వాత మూడుతో భాగిస్తాము."),
        ];
        for (language, text) in texts {
            assert_eq!(score(&answer, &row(json!({"language": language})), text), Score::Value(1.0), "{text}");
            let other = if language == "en" { "de" } else { "en" };
            assert_eq!(score(&answer, &row(json!({"language": other})), text), Score::Value(0.0), "{text}");
        }
    }

    #[test]
    fn a_language_that_cannot_be_told_is_an_error_of_the_recipe() {
        for kind in ["language", "language_match", "line_pass", "word_pass"] {
            let params = json!({"target": "xx"}).as_object().unwrap().clone();
            let named = [("x".to_owned(), ScorerSpec { r#type: kind.into(), params })].into_iter().collect();
            let error = build("x", &named, &Lab::default()).err().unwrap().to_string();
            assert!(
                error.contains("`target` is `xx`, which cannot be told; expected one of am, ar, bn, de"),
                "{error}"
            );
        }
        let unknown =
            scorer("line_pass", json!({})).judge(&[Sample::new(&row(json!({"language": "xx"})), "x", 1, false)]);
        assert!(matches!(&unknown[0].score, Score::Unscored(reason) if reason.contains("`language` is `xx`")));
    }

    #[test]
    fn nothing_to_judge_is_not_a_zero() {
        let thinking = scorer("language", json!({}));
        let english = row(json!({"language": "en"}));
        assert_eq!(score(&thinking, &english, "\\boxed{4}"), Score::NotApplicable);
        assert_eq!(score(&thinking, &english, "<think>2+2=4</think>four"), Score::NotApplicable);
        assert!(matches!(score(&thinking, &row(json!({"language": "xx"})), "x"), Score::Unscored(_)));
    }
}
