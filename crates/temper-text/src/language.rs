//! The language of words, by script, and of whole texts.
//!
//! [`identify`] names the language of a text, [`tell`] that of each of its words, in [`LANGUAGES`]. The rest of this module is
//! about words in two languages, by script alone.
//!
//! Text is cut into words by Unicode's word boundaries (UAX 29), under which each Han character is a word. A word in Latin
//! letters counts as English, a Han character as Chinese, anything else as another language. Two kinds of text have no
//! language and are [`WordKind::Neutral`]:
//!
//! - spans: code (`` ` `` and ```` ``` ````), formulas (`$…$`, `$$…$$`, `\(…\)`, `\[…\]`), LaTeX commands with their braces (so
//!   also `\boxed{…}`), tags (`<think>`, `<|im_end|>`), URLs;
//! - words: numbers, single Latin letters (variables), Latin words with a digit or an underscore (units, identifiers).
//!
//! What counts as a word follows no published list: R1's report defines the consistency of a text as the share of its words
//! that are in the target language (arXiv 2501.12948, section 2.3.2) and leaves the segmentation open.

mod common;
mod identify;
mod lines;
mod tell;

pub use identify::{Identified, LANGUAGES, identify};
pub use lines::{Line, WORD_LANGUAGES, english_word, lines};
pub use tell::{Stretch, code_of, main_language, share, tell};

use unicode_segmentation::UnicodeSegmentation;

/// A language that words can be told to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Latin script.
    English,
    /// Han script.
    Chinese,
    /// Any other script.
    Other,
}

impl Language {
    /// The language of a code or an English name (`en`, `en-US`, `english`, `zh`, `zh_CN`, `chinese`); `None` for others.
    pub fn from_code(code: &str) -> Option<Self> {
        let lower = code.trim().to_ascii_lowercase();
        match lower.split(['-', '_']).next()? {
            "en" | "eng" | "english" => Some(Self::English),
            "zh" | "zho" | "chi" | "chinese" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// `en`, `zh` or `other`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
            Self::Other => "other",
        }
    }
}

/// What a word counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordKind {
    /// A word of a language.
    Language(Language),
    /// Digits, formulas, code, tags: no language.
    Neutral,
}

/// The words of a text in order, with what they count as. A neutral span (a formula, a tag) is one item.
pub fn words(text: &str) -> impl Iterator<Item = (&str, WordKind)> {
    let mut out = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        match neutral_span(rest) {
            Some(len) => {
                push_words(&text[plain..at], &mut out);
                out.push((&rest[..len], WordKind::Neutral));
                at += len;
                plain = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    push_words(&text[plain..], &mut out);
    out.into_iter()
}

/// Words of `target` divided by words of any language, in [0, 1]; `None` when no word has a language.
///
/// ```
/// use temper_text::language::{Language, consistency};
/// assert_eq!(consistency("两 two 加 plus 3", Language::Chinese), Some(0.5));
/// assert_eq!(consistency("$x^2$ = 4", Language::English), None);
/// ```
pub fn consistency(text: &str, target: Language) -> Option<f64> {
    let (mut hits, mut all) = (0u64, 0u64);
    for (_, kind) in words(text) {
        if let WordKind::Language(language) = kind {
            all += 1;
            hits += u64::from(language == target);
        }
    }
    (all > 0).then(|| hits as f64 / all as f64)
}

/// The language that most words are in; `None` when no word has a language. Han characters count as another language when
/// there is kana among them: the text is Japanese.
pub fn detect(text: &str) -> Option<Language> {
    let (mut english, mut chinese, mut other) = (0u64, 0u64, 0u64);
    let mut kana = 0u64;
    for (word, kind) in words(text) {
        match kind {
            WordKind::Language(Language::English) => english += 1,
            WordKind::Language(Language::Chinese) => chinese += 1,
            WordKind::Language(Language::Other) => {
                other += 1;
                kana += u64::from(word.chars().any(is_kana));
            }
            WordKind::Neutral => {}
        }
    }
    // A stray kana in Chinese text does not make it Japanese; Japanese text has one for every few Han characters.
    if kana * 5 > chinese {
        other += chinese;
        chinese = 0;
    }
    let most = english.max(chinese).max(other);
    match most {
        0 => None,
        _ if most == english => Some(Language::English),
        _ if most == chinese => Some(Language::Chinese),
        _ => Some(Language::Other),
    }
}

fn push_words<'a>(text: &'a str, out: &mut Vec<(&'a str, WordKind)>) {
    out.extend(text.unicode_words().map(|word| (word, kind(word))));
}

fn kind(word: &str) -> WordKind {
    let (mut latin, mut han, mut other, mut code) = (0, 0, 0, false);
    for c in word.chars() {
        match c {
            '_' => code = true,
            c if is_han(c) => han += 1,
            c if is_latin(c) => latin += 1,
            c if c.is_alphabetic() => other += 1,
            c if c.is_numeric() => code = true,
            _ => {}
        }
    }
    match (latin, han, other) {
        (0, 0, 0) => WordKind::Neutral,
        (l, 0, 0) if l == 1 || code => WordKind::Neutral,
        (_, 0, 0) => WordKind::Language(Language::English),
        (0, _, 0) => WordKind::Language(Language::Chinese),
        _ => WordKind::Language(Language::Other),
    }
}

fn is_han(c: char) -> bool {
    matches!(u32::from(c),
        0x3005 | 0x3007 | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

fn is_latin(c: char) -> bool {
    c.is_alphabetic()
        && matches!(u32::from(c), 0x41..=0x5A | 0x61..=0x7A | 0xAA | 0xBA | 0xC0..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF5A)
}

fn is_kana(c: char) -> bool {
    matches!(u32::from(c), 0x3041..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F)
}

/// Length in bytes of the neutral span that begins `text`.
fn neutral_span(text: &str) -> Option<usize> {
    match text.as_bytes()[0] {
        b'`' if text.starts_with("```") => Some(until(text, 3, "```").unwrap_or(text.len())),
        b'`' => until(line(text), 1, "`"),
        b'$' if text.starts_with("$$") => until(text, 2, "$$"),
        b'$' => inline_formula(line(text)),
        b'\\' if text.starts_with("\\(") => until(text, 2, "\\)"),
        b'\\' if text.starts_with("\\[") => until(text, 2, "\\]"),
        b'\\' => command(text),
        b'<' => tag(text),
        b'h' if text.starts_with("http://") || text.starts_with("https://") => {
            Some(text.find(|c: char| c.is_whitespace() || is_han(c)).unwrap_or(text.len()))
        }
        _ => None,
    }
}

fn line(text: &str) -> &str {
    text.split('\n').next().unwrap_or(text)
}

/// Length up to and including `close`, which is looked for from byte `from` on.
fn until(text: &str, from: usize, close: &str) -> Option<usize> {
    text[from..].find(close).map(|at| from + at + close.len())
}

/// `$…$` as Pandoc reads it: no white space just inside, no digit just after, so that prices are not formulas.
fn inline_formula(line: &str) -> Option<usize> {
    let space = |c: Option<char>| c.is_none_or(char::is_whitespace);
    if space(line[1..].chars().next()) {
        return None;
    }
    line[1..].match_indices('$').map(|(at, _)| at + 1).find_map(|at| {
        let closes = !space(line[..at].chars().next_back())
            && at > 1
            && !line[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        closes.then_some(at + 1)
    })
}

/// `\name` with the brace groups that follow it.
fn command(text: &str) -> Option<usize> {
    let name = text[1..].bytes().take_while(u8::is_ascii_alphabetic).count();
    if name == 0 {
        return None;
    }
    let mut end = 1 + name;
    while text[end..].starts_with('{') {
        match crate::boxed::balanced(&text[end + 1..]) {
            Some(close) => end += close + 2,
            None => break,
        }
    }
    Some(end)
}

/// `<name>`, `</name>`, `<|name|>`: no white space inside, at most 40 characters.
fn tag(text: &str) -> Option<usize> {
    const LONGEST: usize = 40;
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if !(first.is_ascii_alphabetic() || matches!(first, '/' | '|' | '｜')) {
        return None;
    }
    for (at, c) in chars.take(LONGEST) {
        match c {
            '>' => return Some(at + 1),
            c if c.is_alphanumeric() || matches!(c, '_' | '-' | '|' | '｜' | '▁' | '/' | ':' | '.') => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(&str, &str)> {
        let code = |kind| match kind {
            WordKind::Neutral => "-",
            WordKind::Language(language) => language.code(),
        };
        words(text).map(|(word, kind)| (word, code(kind))).collect()
    }

    #[test]
    fn words_have_the_language_of_their_script() {
        assert_eq!(
            kinds("Don't 先算 x2, привет!"),
            [("Don't", "en"), ("先", "zh"), ("算", "zh"), ("x2", "-"), ("привет", "other")]
        );
        assert_eq!(kinds("thinking思考ok"), [("thinking", "en"), ("思", "zh"), ("考", "zh"), ("ok", "en")]);
    }

    #[test]
    fn formulas_tags_code_and_numbers_are_neutral() {
        let text = "<think>\nso \\boxed{\\text{six}} 3.5 $a + b$ \\(c\\) `let x` my_var https://a.b/c 5km x</think>";
        let language: Vec<_> = kinds(text).into_iter().filter(|(_, k)| *k != "-").collect();
        assert_eq!(language, [("so", "en")]);
    }

    #[test]
    fn prices_and_comparisons_are_not_formulas_or_tags() {
        assert_eq!(consistency("it costs $5 and then $10 more", Language::English), Some(1.0));
        assert_eq!(kinds("a < big and > small").iter().filter(|(_, k)| *k == "en").count(), 3);
        assert_eq!(kinds("$open and no close").len(), 4);
    }

    #[test]
    fn unclosed_spans_do_not_swallow_the_rest() {
        assert_eq!(kinds("\\boxed{three four"), [("\\boxed", "-"), ("three", "en"), ("four", "en")]);
        assert_eq!(kinds("`open code"), [("open", "en"), ("code", "en")]);
    }

    #[test]
    fn consistency_is_a_share_of_the_words_with_a_language() {
        assert_eq!(consistency("", Language::English), None);
        assert_eq!(consistency("12 + 30 = 42", Language::English), None);
        assert_eq!(consistency("we have 三 apples", Language::English), Some(0.75));
        assert_eq!(consistency("我们有三个苹果", Language::Chinese), Some(1.0));
        assert_eq!(consistency("我们有三个苹果", Language::English), Some(0.0));
    }

    #[test]
    fn the_language_of_a_text_is_that_of_most_words() {
        assert_eq!(detect("How many apples are left?"), Some(Language::English));
        assert_eq!(detect("请用 Python 写一个函数"), Some(Language::Chinese));
        assert_eq!(detect("リンゴはいくつ残っていますか"), Some(Language::Other));
        assert_eq!(detect("123"), None);
    }

    #[test]
    fn codes() {
        assert_eq!(Language::from_code("zh-CN"), Some(Language::Chinese));
        assert_eq!(Language::from_code("English"), Some(Language::English));
        assert_eq!(Language::from_code("de"), None);
        assert_eq!(Language::Chinese.code(), "zh");
    }
}
