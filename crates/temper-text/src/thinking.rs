//! Thinking and answer of a reasoning completion.

/// The opening tag.
pub const OPEN: &str = "<think>";
/// The closing tag.
pub const CLOSE: &str = "</think>";

/// A completion in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The text between `<think>` and the last `</think>`, without surrounding white space. `None` without any tag.
    pub thinking: Option<&'a str>,
    /// The text after the last `</think>`, without surrounding white space; the whole text without any tag; empty
    /// when the thinking was opened and never closed.
    pub answer: &'a str,
    /// Whether there is a `</think>`.
    pub closed: bool,
}

/// Splits a completion at its last `</think>`.
///
/// A completion that starts inside the thinking (the prompt had opened it, and the prefill was not put back) splits the
/// same way: what stands before `</think>` is thinking whether or not `<think>` is there. Text before the first `<think>` is
/// neither thinking nor answer when the thinking is closed.
///
/// ```
/// let s = temper_text::thinking::split("<think>\n2+2=4\n</think>\n\\boxed{4}");
/// assert_eq!((s.thinking, s.answer, s.closed), (Some("2+2=4"), "\\boxed{4}", true));
/// ```
pub fn split(text: &str) -> Split<'_> {
    let (inside, answer, closed) = match text.rfind(CLOSE) {
        Some(at) => (&text[..at], text[at + CLOSE.len()..].trim(), true),
        None => (text, "", false),
    };
    match inside.find(OPEN) {
        Some(at) => Split { thinking: Some(inside[at + OPEN.len()..].trim()), answer, closed },
        None if closed => Split { thinking: Some(inside.trim()), answer, closed },
        None => Split { thinking: None, answer: text, closed: false },
    }
}

/// A reasoning in think tags before what follows it, as the R1 models write it.
pub fn join(reasoning: &str, answer: &str) -> String {
    format!("{OPEN}\n{}\n{CLOSE}\n\n{answer}", reasoning.trim_matches('\n'))
}

/// What a prompt has opened of the completion: its end from the last `<think>` when only white space follows that tag,
/// else nothing.
pub fn prefill(prompt: &str) -> &str {
    match prompt.rfind(OPEN) {
        Some(at) if prompt[at + OPEN.len()..].trim().is_empty() => &prompt[at..],
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<&str>, &str, bool) {
        let s = split(text);
        (s.thinking, s.answer, s.closed)
    }

    #[test]
    fn a_completion_splits_at_its_last_closing_tag() {
        assert_eq!(parts("just an answer"), (None, "just an answer", false));
        assert_eq!(parts("<think>a</think>b"), (Some("a"), "b", true));
        assert_eq!(parts("a</think>b"), (Some("a"), "b", true));
        assert_eq!(parts("<think>a</think>b</think>\n\nc "), (Some("a</think>b"), "c", true));
        assert_eq!(parts("<think>a"), (Some("a"), "", false));
        assert_eq!(parts("<think></think>"), (Some(""), "", true));
        assert_eq!(parts(""), (None, "", false));
    }

    #[test]
    fn an_open_tag_at_the_end_of_a_prompt_is_a_prefill() {
        assert_eq!(prefill("<|assistant|><think>\n"), "<think>\n");
        assert_eq!(prefill("<|assistant|><think>\n\n</think>\n\n"), "");
        assert_eq!(prefill("what does <think> mean?"), "");
        assert_eq!(prefill(""), "");
    }
}
