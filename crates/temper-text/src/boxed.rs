//! The final answer in `\boxed{…}`.

use std::ops::Range;

/// The content of the last complete `\boxed{…}` (or `\fbox{…}`), braces balanced, without surrounding white space.
///
/// `\{` and `\}` are characters, not braces. A box that is never closed (a truncated completion) is passed over. Takes time in
/// proportion to the text.
///
/// ```
/// use temper_text::boxed::last_boxed;
/// assert_eq!(last_boxed(r"so \boxed{1} or rather \boxed{\frac{1}{2}}."), Some(r"\frac{1}{2}"));
/// assert_eq!(last_boxed(r"\boxed 5"), None);
/// ```
pub fn last_boxed(text: &str) -> Option<&str> {
    boxes(text).last().map(|(_, inner)| text[inner.clone()].trim())
}

/// The complete boxes of a text in the order in which they begin: the bytes of the whole box, and those of its content.
pub fn boxes(text: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    // Braces that are open: where one stands, and where the box begins whose content it opens.
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let (mut escaped, mut tag) = (false, None);
    for (at, c) in text.char_indices() {
        if c == '\\' && ["\\boxed", "\\fbox"].iter().any(|name| text[at..].starts_with(name)) {
            tag = Some((at, at + if text[at..].starts_with("\\b") { 6 } else { 5 }));
        }
        // Between the name and its brace there is nothing but white space.
        let begins = tag.filter(|(_, end)| at >= *end).map(|(start, _)| start);
        if begins.is_some() && !c.is_whitespace() {
            tag = None;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => open.push((at, begins)),
            '}' => {
                if let Some((brace, Some(start))) = open.pop() {
                    found.push((start..at + 1, brace + 1..at));
                }
            }
            _ => {}
        }
    }
    found.sort_by_key(|(whole, _)| whole.start);
    found
}

/// Position of the `}` that closes a `{` just before `body`.
pub fn balanced(body: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (1usize, false);
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_box_wins() {
        assert_eq!(last_boxed(r"\boxed{1}\boxed{2}"), Some("2"));
        assert_eq!(last_boxed(r"\boxed{1} then \boxed{2"), Some("1"));
        assert_eq!(last_boxed(r"\boxed{\boxed{3}}"), Some("3"));
        assert_eq!(last_boxed(r"\boxed {4}"), Some("4"));
        assert_eq!(last_boxed(r"\fbox{ 5 }"), Some("5"));
        assert_eq!(last_boxed("{ \\boxed{6} "), Some("6"));
        assert_eq!(last_boxed(r"} \boxed{7} } \\boxed{8"), Some("7"));
        assert_eq!(last_boxed("\\boxed\n{9}"), Some("9"));
    }

    #[test]
    fn boxes_stand_where_they_say() {
        let text = r"\boxed{1} and \boxed{\fbox{2}}, \boxed{3";
        let found: Vec<(&str, &str)> =
            boxes(text).into_iter().map(|(whole, inner)| (&text[whole], &text[inner])).collect();
        let expected = [(r"\boxed{1}", "1"), (r"\boxed{\fbox{2}}", r"\fbox{2}"), (r"\fbox{2}", "2")];
        assert_eq!(found, expected);
    }

    #[test]
    fn many_open_boxes_take_no_time() {
        // A megabyte: quadratic time would be minutes.
        let text = "\\boxed{1 ".repeat(100_000);
        assert_eq!(last_boxed(&text), None);
        assert_eq!(last_boxed(&format!("\\boxed{{1}} {text}")), Some("1"));
    }

    #[test]
    fn braces_balance_and_escapes_do_not_count() {
        assert_eq!(last_boxed(r"\boxed{\{1, 2\}}"), Some(r"\{1, 2\}"));
        assert_eq!(last_boxed(r"\boxed{\text{a} + {b}}"), Some(r"\text{a} + {b}"));
        assert_eq!(last_boxed(r"\boxed{答案}"), Some("答案"));
        assert_eq!(last_boxed(r"\boxed{}"), Some(""));
        assert_eq!(last_boxed("no box"), None);
        assert_eq!(last_boxed(r"\boxed 5"), None);
        assert_eq!(last_boxed(""), None);
    }
}
