//! `{% generation %}` blocks, which mark what the assistant wrote.
//!
//! `transformers` runs such a block as a call block; so does this module: the tags are rewritten to `call` and `endcall` with
//! the same white-space control. To learn where the blocks stand, the dialogue is rendered a second time with two characters
//! around each block that the text does not have.

use minijinja::value::Kwargs;
use minijinja::{Error, State, Value};
use std::ops::Range;

/// The function that a block calls.
pub(super) const FUNCTION: &str = "__generation";
/// The variable that holds the two marks, when they are asked for.
pub(super) const MARKS: &str = "__generation_marks";

/// The content of a block, between marks when there are any.
pub(super) fn block(state: &mut State, options: Kwargs) -> Result<Value, Error> {
    let caller: Value = options.get("caller")?;
    let content = caller.call(state, &[])?.to_string();
    let marks = state.lookup(MARKS);
    Ok(Value::from(match marks.as_ref().and_then(|m| m.as_str()).map(|m| m.chars().collect::<Vec<_>>()).as_deref() {
        Some([open, close]) => format!("{open}{content}{close}"),
        _ => content,
    }))
}

/// The source with its blocks as calls, and whether it has any.
pub(super) fn as_calls(source: &str) -> (String, bool) {
    let mut out = String::with_capacity(source.len());
    let (mut rest, mut found) = (source, false);
    while let Some(open) = rest.find("{%") {
        let (before, tag) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let inside = &tag[2..close];
        let body = inside.trim_start_matches(['-', '+']);
        let left = &inside[..inside.len() - body.len()];
        let name = body.trim_end_matches(['-', '+']);
        let right = &body[name.len()..];
        match name.trim() {
            "generation" => out.push_str(&format!("{{%{left} call {FUNCTION}() {right}%}}")),
            "endgeneration" => out.push_str(&format!("{{%{left} endcall {right}%}}")),
            _ => out.push_str(&tag[..close + 2]),
        }
        found |= name.trim() == "generation";
        rest = &tag[close + 2..];
    }
    out.push_str(rest);
    (out, found)
}

/// Two characters that `text` does not have: of Unicode's noncharacters, which no text should hold.
pub(super) fn marks(text: &str) -> String {
    let free = ('\u{FDD0}'..='\u{FDEF}').chain('\u{F0000}'..='\u{F00FF}').filter(|c| !text.contains(*c));
    free.take(2).collect()
}

/// The byte ranges in `plain` of what stands between marks in `marked`; `None` where the marks changed the text.
pub(super) fn spans(marked: &str, marks: &str, plain: &str) -> Option<Vec<Range<usize>>> {
    let (mut out, mut open, mut length) = (Vec::new(), Vec::new(), 0);
    let (mut chars, mut rest) = (marks.chars(), plain);
    let (start, end) = (chars.next()?, chars.next()?);
    for c in marked.chars() {
        if c == start {
            open.push(length);
        } else if c == end {
            out.push(open.pop()?..length);
        } else {
            rest = rest.strip_prefix(c)?;
            length += c.len_utf8();
        }
    }
    (rest.is_empty() && open.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use crate::ChatTemplate;
    use serde_json::{Map, json};
    use std::path::Path;

    fn spans(source: &str, contents: &[&str]) -> (String, Vec<String>) {
        let messages = contents.iter().map(|c| json!({"role": "assistant", "content": c})).collect();
        let template = ChatTemplate::new(source, vec![], Path::new("t")).unwrap();
        let (text, spans) = template.render_with_spans(&messages, &Map::new()).unwrap();
        let spans = spans.into_iter().map(|span| text[span].to_owned()).collect();
        (text, spans)
    }

    #[test]
    fn blocks_render_as_their_content_and_keep_white_space_control() {
        assert_eq!(
            spans("x\n  {%- generation %}\n  a\n  {%- endgeneration -%}\n\n b", &[]),
            ("x  ab".into(), vec!["  a".into()])
        );
    }

    #[test]
    fn blocks_see_the_variables_of_the_loop_around_them() {
        let source = "{% set n = namespace(k=0) %}{% for m in messages %}<{% generation %}{% set n.k = n.k + 1 %}\
                      {{ loop.index }}{{ m.content }}{{ n.k }}{% endgeneration %}>{% endfor %}{{ n.k }}";
        let (text, found) = spans(source, &["a", "中\u{FDD0}", ""]);
        assert_eq!(
            (text.as_str(), found),
            ("<1a1><2中\u{FDD0}2><33>3", vec!["1a1".into(), "2中\u{FDD0}2".into(), "33".into()])
        );
    }
}
