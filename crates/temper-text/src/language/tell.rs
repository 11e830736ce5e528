//! Which language each word of a text is in, for all of [`LANGUAGES`]: by script where a script has one language, and
//! sentence by sentence where several share it.

use super::common::{by_words, english_word};
use super::identify::{Identified, LANGUAGES, Script, among, identify, sample};
use super::{WordKind, words};

/// Words in a row that are in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// ISO 639-1 code; `None` for words of a script of no known language, and for a few Latin or Cyrillic words alone, which
    /// may be in any language of that script.
    pub code: Option<&'static str>,
    /// How many words. A Han character, a hiragana and a run of katakana are one each; four letters of Thai, Lao, Khmer or
    /// Burmese, which no space separates, are one.
    pub words: usize,
    /// Byte at which the first word begins.
    pub start: usize,
}

/// The ISO 639-1 code in [`LANGUAGES`] of a code or an English name: `de`, `de-AT`, `zh_CN`, `German`, `eng`, `zho`.
pub fn code_of(name: &str) -> Option<&'static str> {
    let lower = name.trim().to_lowercase();
    let first = lower.split(['-', '_']).next()?;
    let first = match first {
        "eng" => "en",
        "zho" | "chi" | "cmn" => "zh",
        "deu" | "ger" => "de",
        "fra" | "fre" => "fr",
        "spa" => "es",
        "jpn" => "ja",
        "kor" => "ko",
        other => other,
    };
    LANGUAGES.iter().find(|(code, name)| *code == first || name.eq_ignore_ascii_case(first)).map(|(code, _)| *code)
}

/// The language of a text: by the commonest words of languages in Latin letters where these tell it, else as
/// [`identify`](super::identify) answers. Common words tell short texts, on which letter n-grams err, and are much faster.
pub fn main_language(text: &str) -> Option<Identified> {
    match by_common_words(text) {
        Some(code) => Some(Identified { code, confidence: 1.0 }),
        None => identify(text),
    }
}

/// Words in the language `target` (a code of [`LANGUAGES`]) divided by all words, in [0, 1]; `None` for a text without
/// words.
///
/// ```
/// use temper_text::language::share;
/// assert_eq!(share("Wir rechnen zuerst die Summe aus. Then we divide it by two.", "de"), Some(0.5));
/// assert_eq!(share("$x^2$ = 4", "de"), None);
/// ```
pub fn share(text: &str, target: &str) -> Option<f64> {
    let (mut hits, mut all) = (0, 0);
    for stretch in tell(text, Some(target)) {
        all += stretch.words;
        hits += if stretch.code == Some(target) { stretch.words } else { 0 };
    }
    (all > 0).then(|| hits as f64 / all as f64)
}

/// The words of a text with their languages, neighbours of one language together. What is neutral for
/// [`words`](super::words) is passed over, and so are names: capitalised Latin words, one or two in a row, in a sentence of
/// another script. Among Chinese characters they are English words: there the share is that of the two scripts, exactly.
///
/// The text is cut into sentences and each sentence into words by script. A script of one known language decides. Latin (and
/// Cyrillic) words of a sentence are identified together, by their commonest words or else by `lingua`'s letter n-grams; where
/// these are too few (under four words or 15 letters) or their answer is not clear, they are in the language that the text's
/// other words of that script are in, or else in `target` if that has this script. Han characters are Japanese in a sentence
/// with kana (one for five or more), and in a sentence without any if it is short and the text has so many; otherwise they are Chinese.
pub fn tell(text: &str, target: Option<&str>) -> Vec<Stretch> {
    let mut parts = parts(text);
    names(&mut parts);
    han(&mut parts);
    spelt(&mut parts, target);
    stretches(&parts)
}

/// A word with its script and sentence.
#[derive(Debug)]
struct Part<'a> {
    word: &'a str,
    start: usize,
    sentence: usize,
    script: Script,
    code: Option<&'static str>,
    name: bool,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut out: Vec<Part> = Vec::new();
    let (mut sentence, mut end) = (0, 0);
    for (word, kind) in words(text) {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        if ends(&text[end..start]) {
            sentence += 1;
        }
        end = start + word.len();
        if kind == WordKind::Neutral {
            continue;
        }
        let Some(script) = word.chars().find_map(Script::of) else { continue };
        out.push(Part { word, start, sentence, script, code: script.language(), name: false });
    }
    out
}

/// Whether what stands between two words ends a sentence.
fn ends(gap: &str) -> bool {
    gap.bytes().any(|b| b == b'\n')
        || gap.contains(['。', '！', '？', '；', '।', '؟', '۔', '…'])
        || gap.contains(['.', '!', '?', ';', ':']) && gap.ends_with(char::is_whitespace)
}

/// Calls `then` for every sentence.
fn each_sentence<'a, 'b>(parts: &'b mut [Part<'a>], mut then: impl FnMut(&'b mut [Part<'a>])) {
    parts.chunk_by_mut(|a, b| a.sentence == b.sentence).for_each(&mut then);
}

fn names(parts: &mut [Part]) {
    each_sentence(parts, |sentence| {
        let count = |script| sentence.iter().filter(|part| part.script == script).count();
        let (latin, chinese) = (count(Script::Latin), count(Script::Han) > 0 && count(Script::Kana) == 0);
        if latin == 0 || chinese || (sentence.len() - latin) < 3 * latin {
            return;
        }
        for run in sentence.chunk_by_mut(|a, b| a.script == b.script) {
            if run.len() <= 2 {
                for part in run.iter_mut().filter(|part| part.script == Script::Latin) {
                    part.name = part.word.chars().any(char::is_uppercase) && !english_word(part.word);
                }
            }
        }
    });
}

fn han(parts: &mut [Part]) {
    let kana_rich = |parts: &[Part]| {
        let count = |script| parts.iter().filter(|part| part.script == script).count();
        (count(Script::Kana) * 5 > count(Script::Han), count(Script::Kana), count(Script::Han))
    };
    let (japanese, kana, _) = kana_rich(parts);
    if kana == 0 {
        return;
    }
    each_sentence(parts, |sentence| {
        let (rich, kana, han) = kana_rich(sentence);
        if rich && kana > 0 || kana == 0 && han <= 12 && japanese {
            for part in sentence.iter_mut().filter(|part| part.script == Script::Han) {
                part.code = Some("ja");
            }
        }
    });
}

/// Latin and Cyrillic words.
fn spelt(parts: &mut [Part], target: Option<&str>) {
    for script in [Script::Latin, Script::Cyrillic] {
        if parts.iter().any(|part| part.script == script && !part.name) {
            spelt_in(script, parts, target);
        }
    }
}

fn spelt_in(script: Script, parts: &mut [Part], target: Option<&str>) {
    let mut tally: Vec<(&'static str, usize)> = Vec::new();
    each_sentence(parts, |sentence| {
        if let Some(code) = sentence_language(script, sentence, target) {
            let mut all = 0;
            for part in sentence.iter_mut().filter(|part| part.script == script && !part.name) {
                part.code = Some(code);
                all += 1;
            }
            match tally.iter_mut().find(|(known, _)| *known == code) {
                Some((_, words)) => *words += all,
                None => tally.push((code, all)),
            }
        }
    });
    let most = tally.iter().max_by_key(|(_, words)| *words).map(|(code, _)| *code);
    let rest = most.or_else(|| {
        let code = target.and_then(code_of)?;
        (script_of(code) == script).then_some(code)
    });
    for part in parts.iter_mut().filter(|part| part.script == script && part.code.is_none()) {
        part.code = rest;
    }
}

/// The language of one sentence's words of a script; `None` where it cannot be told.
fn sentence_language(script: Script, sentence: &[Part], target: Option<&str>) -> Option<&'static str> {
    const FEWEST_WORDS: usize = 4;
    const FEWEST_LETTERS: usize = 15;
    const CLEAR: f64 = 0.7;
    let words = || sentence.iter().filter(|part| part.script == script && !part.name).map(|part| part.word);
    if script == Script::Latin
        && let Some(code) = by_words(words())
    {
        return Some(code);
    }
    let (all, letters) = words().fold((0, 0), |(all, letters), word| (all + 1, letters + word.chars().count()));
    if all < FEWEST_WORDS || letters < FEWEST_LETTERS {
        return None;
    }
    let listed: Vec<(&str, Script)> = words().map(|word| (word, script)).collect();
    let (code, probability) = among(script, &sample(&listed, script))?;
    // One or two English words among others may be borrowed; a sentence that may well be in the target language is.
    (probability >= CLEAR || target == Some(code)).then_some(code)
}

/// The script that a language of [`LANGUAGES`] is written in; Latin for all that no other is known of.
fn script_of(code: &str) -> Script {
    match code {
        "ru" | "uk" => Script::Cyrillic,
        code => Script::ALL.into_iter().find(|script| script.language() == Some(code)).unwrap_or(Script::Latin),
    }
}

fn stretches(parts: &[Part]) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    let mut letters = 0;
    let mut last = None;
    for part in parts.iter().filter(|part| !part.name) {
        let unspaced = matches!(part.script, Script::Thai | Script::Lao | Script::Khmer | Script::Myanmar);
        let same = last == Some(part.code);
        if !same {
            out.push(Stretch { code: part.code, words: 0, start: part.start });
            letters = 0;
        }
        last = Some(part.code);
        let Some(stretch) = out.last_mut() else { continue };
        if unspaced {
            let before = words_of(letters);
            letters += part.word.chars().filter(|c| c.is_alphabetic()).count();
            stretch.words += words_of(letters) - before;
        } else {
            stretch.words += 1;
        }
    }
    out
}

fn words_of(letters: usize) -> usize {
    letters.div_ceil(4)
}

/// The language of a text in Latin letters alone, by its common words.
fn by_common_words(text: &str) -> Option<&'static str> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        match word.chars().find_map(Script::of) {
            None => {}
            Some(Script::Latin) => words.push(word.trim_matches(|c: char| !c.is_alphanumeric())),
            Some(_) => return None,
        }
    }
    if words.len() < 2 { None } else { by_words(words.into_iter()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(&'static str, usize)> {
        tell(text, None).iter().map(|stretch| (stretch.code.unwrap_or("-"), stretch.words)).collect()
    }

    #[test]
    fn sentences_have_languages() {
        assert_eq!(told("We add the two numbers. Danach teilen wir das Ergebnis durch drei."), [("en", 5), ("de", 7)]);
        assert_eq!(told("Сначала мы сложим числа, then we divide them."), [("ru", 4), ("en", 4)]);
        assert_eq!(told("先把两个数加起来。Then we divide it by two."), [("zh", 8), ("en", 6)]);
        assert_eq!(told("まず足し算をします。結論。"), [("ja", 11)]);
        assert_eq!(told("我们今天在学校里学习日语的平假名和片假名。「ひらがな」"), [("zh", 20), ("ja", 4)]);
        assert_eq!(told("สวัสดีครับ"), [("th", 3)]);
        assert_eq!(told("12 + 30 = 42 `let x`"), []);
    }

    #[test]
    fn few_words_follow_the_rest_or_the_target() {
        assert_eq!(told("Wir rechnen zuerst die Summe aus. Genau, fertig."), [("de", 8)]);
        assert_eq!(told("Genau."), [("-", 1)]);
        assert_eq!(share("Genau.", "de"), Some(1.0));
        assert_eq!(share("Genau.", "zh"), Some(0.0));
        assert_eq!(share("Genau.", "ru"), Some(0.0));
    }

    #[test]
    fn names_in_another_script_are_no_words() {
        assert_eq!(share("파이썬 대신 Java 언어로 함수를 작성하세요", "ko"), Some(1.0));
        assert_eq!(share("请用 Python 写一个函数", "zh"), Some(7.0 / 8.0));
        assert_eq!(share("Иван работает в Google уже три года", "ru"), Some(1.0));
        assert_eq!(share("请用 these numbers 写一个函数", "zh"), Some(7.0 / 9.0));
    }

    #[test]
    fn another_language_of_the_same_script_is_not_the_target() {
        let german = "Zuerst addieren wir die beiden Zahlen und teilen dann durch zwei.";
        assert_eq!(share(german, "en"), Some(0.0));
        assert_eq!(share(german, "de"), Some(1.0));
        assert_eq!(share("Premièrement, nous additionnons les deux nombres.", "fr"), Some(1.0));
        assert_eq!(share("Спочатку додаємо обидва числа і ділимо їх навпіл.", "ru"), Some(0.0));
    }

    #[test]
    fn names_of_languages() {
        assert_eq!(code_of("zh-CN"), Some("zh"));
        assert_eq!(code_of("German"), Some("de"));
        assert_eq!(code_of("pt_BR"), Some("pt"));
        assert_eq!(code_of("eng"), Some("en"));
        assert_eq!(code_of("xx"), None);
    }
}
