//! Final answers that are words, and the letters of choices.

use std::sync::LazyLock;

use regex::Regex;

use super::fold::fold;

pub(crate) fn pattern(source: &str) -> Regex {
    #[allow(clippy::expect_used, reason = "the patterns are constants of this crate and covered by its tests")]
    Regex::new(source).expect("a constant pattern")
}

/// A text without what does not matter: case, white space, markup, quotes, brackets around it, a final stop.
pub(crate) fn plain(text: &str) -> String {
    static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\\(?:text(?:bf|it|rm|normal|sf|tt)?|mathrm|mathbf|mathit|mbox|hbox|operatorname|boxed|fbox|emph|left|right)\b\s*|\\[ ,;:!]",
        )
    });
    let folded = fold(text);
    let text = COMMAND.replace_all(&folded, " ");
    let kept: String = text.chars().map(|c| if "*`\"$".contains(c) { ' ' } else { c }).collect();
    let mut text = kept.trim();
    loop {
        let before = text;
        text = text.trim_end_matches(['.', ',', ';', ':', '!']).trim();
        for (open, close) in [('{', '}'), ('(', ')'), ('\'', '\''), ('[', ']')] {
            if let Some(inner) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close))
                && !inner.contains([open, close])
            {
                text = inner.trim();
            }
        }
        if text == before {
            break;
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The letter of a choice: `B`, `(B)`, `B.`, `B) 42`, `**B**`, `Option B`, `\text{(B)}`; in upper case.
pub(crate) fn choice(text: &str) -> Option<char> {
    static CHOICE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?s)^(?:(?i:option|choice|answer|answer is)\s*:?\s*)?(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])\s*[).:、](?:\s|$)|([A-Za-z])$|([A-Z])\s*[,\-]\s)",
        )
    });
    static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox|boxed|left|right)\b|[{}*$`\x22_]|\\[ ,;()\[\]]")
    });
    let folded = fold(text);
    let text = COMMAND.replace_all(&folded, "");
    let found = CHOICE.captures(text.trim())?;
    let letter = found.iter().skip(1).flatten().next()?.as_str().chars().next()?;
    Some(letter.to_ascii_uppercase())
}

/// Whether a text looks like mathematics, so that comparing it as words would be rash.
pub(crate) fn formula(text: &str) -> bool {
    static FORMULA: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"[\\^=+<>_|]|\d\s*[A-Za-z(*/]|[A-Za-z)]\d|\d-|[a-z]\([a-z]\)"));
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\\(?:text(?:bf|it|rm|normal)?|mathrm|mathbf|mbox|operatorname|boxed|left|right)\b|\\[ ,;:!]")
    });
    let folded = fold(text);
    FORMULA.is_match(&WORDS.replace_all(&folded, ""))
}

/// Whether the words of one text stand in the other, in a row.
pub(crate) fn within(inner: &str, outer: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    if inner.chars().any(|c| c.is_alphabetic() && !c.is_ascii()) {
        // Scripts without spaces.
        return outer.contains(inner);
    }
    let (inner, outer) = (words(inner), words(outer));
    !inner.is_empty() && outer.windows(inner.len()).any(|window| window == inner)
}

/// Whether the words say that nothing fulfils the conditions.
pub(crate) fn nothing(plain: &str) -> bool {
    matches!(
        plain,
        "no solution"
            | "no solutions"
            | "there is no solution"
            | "there are no solutions"
            | "no solution exists"
            | "no solutions exist"
            | "empty set"
            | "the empty set"
            | "无解"
            | "keine lösung"
            | "no real solution"
            | "no real solutions"
    )
}

/// Whether the words name all real numbers.
pub(crate) fn everything(plain: &str) -> bool {
    matches!(plain, "all real numbers" | "all reals" | "all real number" | "the real numbers" | "any real number")
}
