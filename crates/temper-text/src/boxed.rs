//! The final answer in `\boxed{…}`.

/// The content of the last complete `\boxed{…}` (or `\fbox{…}`), braces balanced, without surrounding white space.
///
/// `\{` and `\}` are characters, not braces. A box that is never closed (a truncated completion) is passed over.
///
/// ```
/// use temper_text::boxed::last_boxed;
/// assert_eq!(last_boxed(r"so \boxed{1} or rather \boxed{\frac{1}{2}}."), Some(r"\frac{1}{2}"));
/// assert_eq!(last_boxed(r"\boxed 5"), None);
/// ```
pub fn last_boxed(text: &str) -> Option<&str> {
    let mut starts: Vec<usize> =
        ["\\boxed", "\\fbox"].iter().flat_map(|tag| text.match_indices(tag).map(|(at, tag)| at + tag.len())).collect();
    starts.sort_unstable();
    starts.into_iter().rev().find_map(|start| {
        let rest = text[start..].trim_start();
        let body = rest.strip_prefix('{')?;
        balanced(body).map(|end| body[..end].trim())
    })
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
