//! Lines and words in a wrong language, as the language-confusion benchmark counts them (Marchisio et al. 2024,
//! `compute_metrics.py` of for-ai/language-confusion), with [`main_language`] in place of fastText.

use unicode_segmentation::UnicodeSegmentation;

use super::tell::main_language;

/// A line that is long enough to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its place among all lines of the text, the first being 1.
    pub number: usize,
    /// The line without ASCII punctuation.
    pub text: String,
    /// The language that was found; `None` where there is none or it is too uncertain.
    pub code: Option<&'static str>,
}

/// Tokens that a line must have to be judged.
const FEWEST_TOKENS: usize = 5;

/// Confidence that a line's language must have.
const LEAST: f64 = 0.3;

/// Languages in which words of another script, and with them English words, stand out.
pub const WORD_LANGUAGES: [&str; 6] = ["ar", "hi", "ja", "ko", "ru", "zh"];

/// The lines of a completion in `language` that have five tokens or more, with the language of each.
///
/// The text is cut at a line that begins with `Q:`, ASCII punctuation and `،` are deleted, and a dash is a space. Tokens are
/// separated by white space; Chinese and Japanese ones by Unicode's word boundaries, where the benchmark uses jieba and
/// MeCab, and in Thai, Lao, Khmer and Burmese (not in the benchmark) four letters are a token.
pub fn lines(text: &str, language: &str) -> Vec<Line> {
    normal(text)
        .split('\n')
        .enumerate()
        .filter(|(_, line)| long(line, language))
        .map(|(at, line)| Line { number: at + 1, text: line.to_owned(), code: code(line) })
        .collect()
}

/// The first token of a line for which `is_english` holds.
pub fn english_word<'a>(line: &'a str, language: &str, is_english: impl Fn(&str) -> bool) -> Option<&'a str> {
    if by_boundaries(language) {
        line.unicode_words().find(|word| is_english(word))
    } else {
        line.split_whitespace().find(|word| is_english(word))
    }
}

fn normal(text: &str) -> String {
    let text = text.split("\nQ:").next().unwrap_or(text).trim();
    text.chars().filter(|c| !c.is_ascii_punctuation() && *c != '،').map(|c| if c == '—' { ' ' } else { c }).collect()
}

fn by_boundaries(language: &str) -> bool {
    matches!(language, "zh" | "ja")
}

fn long(line: &str, language: &str) -> bool {
    match language {
        "th" | "lo" | "km" | "my" => line.chars().filter(|c| c.is_alphabetic()).count() >= 4 * FEWEST_TOKENS,
        _ if by_boundaries(language) => line.unicode_words().nth(FEWEST_TOKENS - 1).is_some(),
        _ => line.split_whitespace().nth(FEWEST_TOKENS - 1).is_some(),
    }
}

fn code(line: &str) -> Option<&'static str> {
    main_language(line).filter(|found| found.confidence > LEAST).map(|found| found.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_normalised_as_the_benchmark_does() {
        assert_eq!(normal("  **Hola** — amigo، sí.\nQ: otra"), "Hola   amigo sí");
        let text =
            "Hola, ¿cómo estás tú hoy mismo?\n\nBien.\nI am very well today, thank you!\nQ: one two three four five";
        let found: Vec<_> = lines(text, "es").into_iter().map(|line| (line.number, line.code)).collect();
        assert_eq!(found, [(1, Some("es")), (4, Some("en"))]);
    }

    #[test]
    fn tokens_of_texts_without_spaces() {
        assert_eq!(lines("我今天很高兴", "zh").len(), 1);
        assert_eq!(lines("我今天很高兴", "ko").len(), 0);
        assert_eq!(lines("今日はとても元気です", "ja")[0].code, Some("ja"));
        assert_eq!(lines("วันนี้ฉันมีความสุขมากที่ได้พบคุณ", "th")[0].code, Some("th"));
    }

    #[test]
    fn english_words_inside_other_scripts() {
        let lower = |word: &str| word.len() > 3 && word.bytes().all(|b| b.is_ascii_lowercase());
        assert_eq!(english_word("我喜欢music和Python", "zh", lower), Some("music"));
        assert_eq!(english_word("Я люблю Python и ИТ", "ru", lower), None);
    }
}
