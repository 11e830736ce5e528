//! Whether a template reads the reasoning that a turn holds apart from its content.

/// Whether `source` reads one of the members under which `transformers` hands a reasoning to a template:
/// `reasoning_content` or `thinking`.
pub(super) fn is_read(source: &str) -> bool {
    let source = without_comments(source);
    source.contains("reasoning_content") || reads_member(&source, "thinking")
}

/// `.name`, `['name']`, `["name"]`, `.get('name')` or `'name' in …`.
fn reads_member(source: &str, name: &str) -> bool {
    source.match_indices(name).any(|(at, _)| {
        let before = source[..at].chars().next_back();
        let after = source[at + name.len()..].chars().next();
        match before {
            Some('.') => !after.is_some_and(|c| c.is_alphanumeric() || c == '_'),
            Some(quote @ ('\'' | '"')) => after == Some(quote),
            _ => false,
        }
    })
}

fn without_comments(source: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(source.len()), source);
    while let Some((before, comment)) = rest.split_once("{#") {
        out.push_str(before);
        rest = comment.split_once("#}").map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_from_words() {
        for source in
            ["{{ m.reasoning_content }}", "{{ m['thinking'] }}", "{% if m.thinking %}", "{{ \"thinking\" in m }}"]
        {
            assert!(is_read(source), "{source}");
        }
        for source in
            ["{{ enable_thinking }}", "<thinking>", "{# m.thinking #}{{ m.content }}", "{{ m.thinking_budget }}"]
        {
            assert!(!is_read(source), "{source}");
        }
    }
}
