//! Where a completion states its final answer, in the order of Math-Verify: a final answer that is announced, a box, `answer:`,
//! `answer`, mathematics that is marked as such, the last number. Among equals the last one counts.

use std::sync::LazyLock;

use regex::Regex;
use temper_text::boxed::{boxes, last_boxed};

use super::compare::mathematical;
use super::words::{choice, pattern};

/// What kind of answer the reference asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, an expression, a set, …
    Mathematics,
    /// One letter of a multiple choice.
    Choice,
    /// Words.
    Words,
}

impl Kind {
    /// The kind of a reference answer.
    pub fn of(reference: &str) -> Kind {
        let bare = reference.trim().trim_matches(['(', ')', '.', '*']);
        if bare.len() == 1 && bare.bytes().all(|b| b.is_ascii_uppercase()) {
            Kind::Choice
        } else if mathematical(reference) {
            Kind::Mathematics
        } else {
            Kind::Words
        }
    }
}

/// The final answer in a text; `None` where there is nothing of the kind. Takes time in proportion to the text.
pub fn extract(text: &str, kind: Kind) -> Option<String> {
    static FINAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)final answer(?:[^\n]{0,100}?\bis\b)?\s*[:：]?"));
    static COLON: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)(?:\banswer|答案|antwort|respuesta)\**\s*(?:[:：]|是)"));
    static ANSWER: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)\b(?:answer|result|solution)\b[^\n.]{0,50}?\b(?:is|are|=)\s*:?|答案[为是]?"));
    let hoped = text
        .rfind(". I hope")
        .and_then(|end| FINAL.find_iter(&text[..end]).last().map(|found| &text[found.end()..end]));
    if let Some(found) = hoped.and_then(|tail| stated(tail, kind)) {
        return Some(found);
    }
    let boxed = match kind {
        Kind::Mathematics => joined_boxes(text),
        _ => last_boxed(text).filter(|inner| !inner.is_empty()).map(str::to_owned),
    };
    let announced = FINAL.find_iter(text).last();
    // A box and `final answer is` rank alike: the later one counts.
    let after_box = text.rfind("\\boxed").is_none_or(|at| announced.is_some_and(|found| found.end() > at));
    if let (Some(found), true) = (announced, after_box)
        && let Some(found) = stated(&text[found.end()..], kind)
    {
        return Some(found);
    }
    if let Some(boxed) = boxed {
        return Some(boxed);
    }
    for anchor in [&FINAL, &COLON, &ANSWER] {
        if let Some(found) = anchor.find_iter(text).last().and_then(|found| stated(&text[found.end()..], kind)) {
            return Some(found);
        }
    }
    match kind {
        Kind::Mathematics => closing(text).or_else(|| marked(text)).or_else(|| bare(text)),
        Kind::Choice => lettered(text),
        Kind::Words => {
            let whole = text.trim();
            (whole.chars().count() <= 60 && !whole.contains('\n')).then(|| whole.to_owned())
        }
    }
}

/// The last box, with those before it that `and`, `or` or a comma joins to it.
fn joined_boxes(text: &str) -> Option<String> {
    let boxes = boxes(text);
    let (last, inner) = boxes.last()?;
    let mut parts = vec![text[inner.clone()].trim()];
    let mut start = last.start;
    for (whole, inner) in boxes.iter().rev().skip(1).take(5) {
        let between = text.get(whole.end..start).unwrap_or("");
        let bare = between.replace(['$', '\\', '(', ')', '[', ']'], " ").replace("text{ and }", "and");
        if !matches!(bare.trim(), "," | "and" | "or" | ", and" | ", or" | "，" | "、" | "和" | "或") {
            break;
        }
        parts.insert(0, text[inner.clone()].trim());
        start = whole.start;
    }
    let joined = parts.join(", ");
    (!parts[0].is_empty()).then_some(joined)
}

/// Mathematics with which an unmarked text closes: a last line in bold, or what stands after its last `=`.
fn closing(text: &str) -> Option<String> {
    let line = text.trim_end().lines().next_back()?.trim().trim_end_matches('.');
    if line.contains(['$', '\u{0}']) || line.contains("\\(") || line.contains("\\[") || line.ends_with("\\]") {
        return None;
    }
    let bold = line.strip_prefix("**").and_then(|rest| rest.strip_suffix("**")).filter(|inner| !inner.contains("**"));
    let end = bold.unwrap_or_else(|| line.rsplit_once('=').map_or("", |(_, right)| right));
    let end = end.trim().trim_matches('*').trim().trim_end_matches('.');
    (!end.is_empty() && !end.contains(" and ") && mathematical(end)).then(|| end.to_owned())
}

/// What an announcement is followed by: mathematics that is marked, else the rest of the sentence.
fn stated(tail: &str, kind: Kind) -> Option<String> {
    let tail = tail.trim_start_matches(|c: char| c.is_whitespace() || c == '*' || c == ':');
    if let Some(rest) = tail.strip_prefix("\\boxed") {
        return last_boxed(&format!("\\boxed{}", rest.split("\\boxed").next()?)).map(str::to_owned);
    }
    let line = tail.lines().next().unwrap_or("");
    if kind == Kind::Mathematics {
        let (at, inner, _) = environments(tail).next().unwrap_or((usize::MAX, "", 0));
        if at <= 50 && at <= line.len().max(1) && mathematical(inner) {
            return joined(tail);
        }
    }
    static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.!?](?:\s|\*|$)|[。！？]|\*\*"));
    let sentence = END.find(line).map_or(line, |end| &line[..end.start()]);
    let sentence = sentence.trim().trim_matches('*').trim();
    match kind {
        Kind::Mathematics => {
            if mathematical(sentence) {
                return Some(sentence.to_owned());
            }
            let last = sentence.rsplit('=').next().filter(|last| mathematical(last));
            last.map(|last| last.trim().to_owned()).or_else(|| first_number(sentence))
        }
        Kind::Choice => choice(sentence).map(String::from).or_else(|| lettered(sentence)),
        Kind::Words => (!sentence.is_empty()).then(|| sentence.to_owned()),
    }
}

/// `$…$`, `$$…$$`, `\(…\)`, `\[…\]`: start, content and end of each, in order.
fn environments(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    static ENVIRONMENT: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?s)\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|\$((?:\\\$|[^$\n])+?)\$"));
    ENVIRONMENT.captures_iter(text).filter_map(|found| {
        let whole = found.get(0)?;
        let inner = found.iter().skip(1).flatten().next()?;
        Some((whole.start(), inner.as_str().trim(), whole.end()))
    })
}

/// The first environment, with those that `and`, `or` or a comma joins to it.
fn joined(text: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let mut end = 0;
    for (start, inner, stop) in environments(text).take(6) {
        let between = text.get(end..start).unwrap_or("").trim().trim_matches(',').trim();
        if !parts.is_empty() && (!matches!(between, "" | "and" | "or") || start == end) {
            break;
        }
        parts.push(inner);
        end = stop;
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The last mathematics in an environment that can be read.
fn marked(text: &str) -> Option<String> {
    let all: Vec<&str> = environments(text).map(|(_, inner, _)| inner).collect();
    all.iter().rev().take(8).find(|inner| mathematical(inner)).map(|inner| (*inner).to_owned())
}

fn numbers(text: &str) -> impl Iterator<Item = &str> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"-?[$€£¥]?(?:\d{1,3}(?:[, ]\d{3})+|\d+)(?:[.,]\d+)?(?:\s*/\s*\d+)?(?:\s*%)?|-?\.\d+")
    });
    NUMBER.find_iter(text).map(|found| found.as_str())
}

fn first_number(text: &str) -> Option<String> {
    numbers(text).next().map(str::to_owned)
}

/// The last number of a text, in whatever digits.
fn bare(text: &str) -> Option<String> {
    static FRACTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"-?\\[dt]?frac\{-?\d+\}\{\d+\}"));
    if let Some(found) = FRACTION.find_iter(text).last() {
        return Some(found.as_str().to_owned());
    }
    let folded = super::fold::fold(text);
    numbers(&folded).last().map(str::to_owned)
}

/// The last number of a text with its sign and whatever parts its digits, in ASCII digits.
pub fn last_number(text: &str) -> Option<String> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"-?(?:\d[\d., ]*\d|\d)"));
    let folded = super::fold::fold(text);
    let found = NUMBER.find_iter(&folded).last()?.as_str();
    // Numbers that a list or a sentence sets beside each other are several.
    let parts: Vec<&str> = found.split(' ').collect();
    let grouped = parts.len() > 1
        && parts[1..].iter().all(|part| {
            part.len() >= 3
                && part.bytes().take(3).all(|b| b.is_ascii_digit())
                && part.as_bytes().get(3).is_none_or(|b| !b.is_ascii_digit())
        });
    let number = if grouped { found } else { parts.last()?.trim_matches(['.', ',']) };
    Some(number.to_owned())
}

/// The last letter that stands as a choice does: `(B)`, `**B**`, `B.` at the start of a line, or alone.
fn lettered(text: &str) -> Option<String> {
    static LETTER: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\(([A-Z])\)|\*\*\(?([A-Z])\)?[.:)]?\*\*|(?m)^\s*([A-Z])[.):]?\s*$|(?i:option|choice)\s+\(?([A-Z])\b")
    });
    LETTER
        .captures_iter(text)
        .last()
        .and_then(|found| found.iter().skip(1).flatten().next().map(|letter| letter.as_str().to_owned()))
        .or_else(|| choice(text).map(String::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_place_and_there_the_last() {
        for (text, reference, found) in [
            ("So \\boxed{1}, no \\boxed{2}.", "2", "2"),
            ("The final answer is $5$. I hope it is correct.", "5", "5"),
            ("First 3. The answer is 42.", "42", "42"),
            ("**Answer: 42**", "42", "42"),
            ("Answer: 7\nAnswer: 8", "8", "8"),
            ("Final Answer:\n\n$$\\frac{1}{2}$$", "0.5", "\\frac{1}{2}"),
            ("We get $x=3$ and then \\(y = 4\\) done", "4", "y = 4"),
            ("The answer is $1$ and $2$.", "1,2", "1, 2"),
            ("It costs 5 and then 1,200 dollars", "1200", "1,200"),
            ("Both $\\boxed{1}$ and $\\boxed{2}$.", "1,2", "1, 2"),
            ("Dividing gives x = 3/4", "0.75", "3/4"),
            ("So x = 2 + \\sqrt{3}.", "2+\\sqrt3", "2 + \\sqrt{3}"),
            ("With $a = 1$:\n= 3/4", "0.75", "3/4"),
            ("We add 3 and 4.\n\n**7 apples**", "7", "7 apples"),
            ("We add 3 and 4 = 7 in the end, all 2 of us", "2", "2"),
            ("总共是１２个", "12", "12"),
            ("The answer is (B).", "B", "B"),
            ("I would say **C**", "C", "C"),
            ("The answer is Monday.", "Monday", "Monday"),
            ("The answer is 2 + 3 = 5", "5", "2 + 3 = 5"),
        ] {
            assert_eq!(extract(text, Kind::of(reference)).as_deref(), Some(found), "{text}");
            assert_eq!(super::super::equal(reference, found), Some(true), "{text}");
        }
        assert_eq!(extract("I do not know.", Kind::Mathematics), None);
        assert_eq!(extract("\\boxed{A} and \\boxed{B}", Kind::Choice).as_deref(), Some("B"));
        assert_eq!(extract("", Kind::Mathematics), None);
    }
}
