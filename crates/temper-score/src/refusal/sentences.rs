//! A completion cut into sentences and list items, in the spelling that the patterns are written for.

use regex::{Captures, Regex};
use std::sync::LazyLock;

/// One sentence, one item of a list, or one line of code.
#[derive(Debug, Clone)]
pub(super) struct Sentence {
    /// As it was written, without marks of lists and emphasis.
    pub(super) shown: String,
    /// In lower case, with straight apostrophes and English contractions written out.
    pub(super) plain: String,
    /// Words; two characters of a script without spaces count as one.
    pub(super) words: usize,
    /// Whether it is, or belongs to, an item of a list or a block of code.
    pub(super) item: bool,
    /// Whether it begins a paragraph.
    pub(super) first: bool,
}

/// The sentences of a text, in order. Lines end sentences; so do full stops of any script that white space or a capital
/// follows.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    static ITEM: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^(?:[-*•·–—+►▪]|\(?\d{1,2}[.):、]|[a-zA-Z][.)]|(?i:step \d+)[.:)]?)\s+"));
    let mut out = Vec::new();
    let mut code = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            code = !code;
            continue;
        }
        let bare = line.trim_start_matches(['#', '>', ' ']).replace("**", "").replace("__", "");
        let found = ITEM.find(&bare);
        let item = code || found.is_some();
        let body = found.map_or(bare.as_str(), |mark| &bare[mark.end()..]);
        let mut first = true;
        for shown in cut(body) {
            let words = count(shown);
            if words > 0 {
                out.push(Sentence { shown: shown.to_owned(), plain: plain(shown), words, item, first });
                first = false;
            }
        }
    }
    out
}

pub(super) fn pattern(source: &str) -> Regex {
    #[allow(clippy::unwrap_used, reason = "constant patterns, compiled by a test")]
    Regex::new(source).unwrap()
}

/// Cuts a line after `.`, `!`, `?`, `…` that white space follows (and, after a full stop, no small letter), and after the
/// full stops of scripts without spaces.
fn cut(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut before = [' ', ' '];
    for (at, c) in line.char_indices() {
        let end = at + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' | '｡' => {
                !line[end..].starts_with(['」', '』', '”', '"', ')', '）', '。', '！', '？'])
            }
            '.' | '!' | '?' | '…' | '।' | '؟' | '۔' | '‼' => {
                let rest = line[end..].trim_start_matches(['"', '\'', '”', '’', ')', ']', '*', '»']);
                let mut next = rest.chars();
                let initial = c == '.' && before[1].is_uppercase() && !before[0].is_alphanumeric();
                match (next.next(), next.next()) {
                    (None, _) => true,
                    (Some(space), after) => {
                        space.is_whitespace() && !initial && !(c == '.' && after.is_some_and(char::is_lowercase))
                    }
                }
            }
            _ => false,
        };
        before = [before[1], c];
        if ends {
            // A closing quotation mark belongs to the sentence before it.
            let close =
                line[end..].find(|c| !matches!(c, '"' | '”' | '»' | '’' | ')' | ']')).unwrap_or(line.len() - end);
            out.push(line[start..end + close].trim());
            start = end + close;
        }
    }
    out.push(line[start..].trim());
    out
}

/// White-space separated words with a letter or digit; the characters of scripts without spaces count half each.
fn count(text: &str) -> usize {
    let unspaced = text.chars().filter(|c| matches!(u32::from(*c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF)).count();
    if unspaced > 0 {
        return unspaced.div_ceil(2);
    }
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

/// Lower case, straight apostrophes, single spaces, no contractions.
fn plain(text: &str) -> String {
    static SHORT: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(?:can't|cant|can not|won't|wont|shan't|ain't|dont|doesnt|didnt|isnt|im|ive|\w+n't|i'm|(?:i|we|you|they|he|she|it|that|there|here|what|let)'(?:ll|d|ve|re|s))\b",
        )
    });
    let mut text: String = text
        .to_lowercase()
        .replace(['\u{2019}', '\u{2018}', '\u{02BC}', '`', '\u{00B4}'], "'")
        .replace(['\u{2014}', '\u{2013}'], " - ");
    if text.contains(['\u{00A0}', '\t']) || text.contains("  ") {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let text = SHORT.replace_all(&text, |found: &Captures| -> String {
        let short = &found[0];
        match short {
            "can't" | "cant" | "can not" => "cannot".to_owned(),
            "won't" | "wont" => "will not".to_owned(),
            "shan't" => "shall not".to_owned(),
            "ain't" => "is not".to_owned(),
            "dont" => "do not".to_owned(),
            "doesnt" => "does not".to_owned(),
            "didnt" => "did not".to_owned(),
            "isnt" => "is not".to_owned(),
            "im" | "i'm" => "i am".to_owned(),
            "ive" => "i have".to_owned(),
            "let's" => "let us".to_owned(),
            _ => match (short.strip_suffix("n't"), short.split_once('\'')) {
                (Some(verb), _) => format!("{verb} not"),
                (None, Some((who, "ll"))) => format!("{who} will"),
                (None, Some((who, "d"))) => format!("{who} would"),
                (None, Some((who, "ve"))) => format!("{who} have"),
                (None, Some((who, "re"))) => format!("{who} are"),
                (None, Some((who, _))) => format!("{who} is"),
                (None, None) => short.to_owned(),
            },
        }
    });
    unquoted(&text)
}

/// Without what stands in double quotes, unless that is most of it: what is quoted is not said.
fn unquoted(text: &str) -> String {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| pattern("\"[^\"]*\"|\u{201C}[^\u{201D}]*\u{201D}|«[^»]*»|「[^」]*」"));
    let bare = QUOTED.replace_all(text, "\"\"");
    if bare.len() * 4 < text.len() { text.to_owned() } else { bare.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        sentences(text).into_iter().map(|sentence| sentence.shown).collect()
    }

    #[test]
    fn lines_and_full_stops_end_sentences() {
        assert_eq!(
            shown("I can't. Dr. Who met J. Smith at 3.5 km, e.g. there!  Yes"),
            ["I can't.", "Dr.", "Who met J. Smith at 3.5 km, e.g. there!", "Yes"]
        );
        assert_eq!(shown("对不起。我不能帮忙！好"), ["对不起。", "我不能帮忙！", "好"]);
        assert_eq!(shown("**Bold** start\n\n1. one\n- two"), ["Bold start", "one", "two"]);
        let items: Vec<bool> = sentences("Here:\n1. one\n```\nlet x = 1;\n```\nend").iter().map(|s| s.item).collect();
        assert_eq!(items, [false, true, true, false]);
    }

    #[test]
    fn contractions_are_written_out() {
        let plain = |text: &str| sentences(text)[0].plain.clone();
        assert_eq!(plain("I’m sorry, I CAN'T and won’t"), "i am sorry, i cannot and will not");
        assert_eq!(plain("It's what you'd say; don't let's"), "it is what you would say; do not let us");
        assert_eq!(plain("im not able, i can not"), "i am not able, i cannot");
    }
}
