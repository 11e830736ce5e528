//! A few lines to write HTML and SVG with, so that text is escaped unless it is already markup.
//!
//! [`El`] builds one element; [`El::text`] escapes, [`El::add`] takes [`Markup`], and there is no other way in. What a
//! model wrote therefore never becomes part of the page's structure.

use std::fmt::Display;

/// Well-formed HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup(String);

/// One element under construction.
#[derive(Debug, Clone)]
pub struct El {
    name: &'static str,
    attributes: String,
    body: String,
}

/// Elements that have no content and no end tag.
const VOID: [&str; 5] = ["br", "hr", "meta", "wbr", "col"];

/// Starts an element.
pub fn el(name: &'static str) -> El {
    El { name, attributes: String::new(), body: String::new() }
}

/// Text with `&`, `<`, `>` and both quotes replaced by references, and control characters other than tab and line feed
/// by U+FFFD, which HTML forbids.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() => out.push('\u{FFFD}'),
            // Marks that reorder the text around them would let one completion disturb the next.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// A path relative to the run's directory as a relative URL. `./` in front keeps a colon from reading as a scheme.
pub fn href(path: &str) -> String {
    let mut out = String::from("./");
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(byte as char),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

impl Markup {
    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends.
    pub fn push(&mut self, more: impl Into<Markup>) {
        self.0.push_str(&more.into().0);
    }

    /// Markup that this crate itself wrote down, such as its style sheet.
    pub(crate) fn trusted(text: &'static str) -> Markup {
        Markup(text.to_owned())
    }
}

impl El {
    /// Adds an attribute; the value is escaped.
    pub fn attr(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.push_str(&format!(" {name}=\"{}\"", escape(&value.to_string())));
        self
    }

    /// Adds an attribute without a value when `on`.
    pub fn flag(mut self, name: &str, on: bool) -> Self {
        if on {
            self.attributes.push_str(&format!(" {name}"));
        }
        self
    }

    /// Sets the classes, separated by spaces.
    pub fn class(self, classes: &str) -> Self {
        if classes.is_empty() { self } else { self.attr("class", classes) }
    }

    /// Appends escaped text.
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.body.push_str(&escape(text.as_ref()));
        self
    }

    /// Appends markup.
    #[allow(clippy::should_implement_trait)] // reads as what it does: add a child
    pub fn add(mut self, child: impl Into<Markup>) -> Self {
        self.body.push_str(&child.into().0);
        self
    }

    /// Appends all of `children`.
    pub fn all<M: Into<Markup>>(self, children: impl IntoIterator<Item = M>) -> Self {
        children.into_iter().fold(self, El::add)
    }
}

impl From<El> for Markup {
    fn from(el: El) -> Markup {
        let El { name, attributes, body } = el;
        match VOID.contains(&name) {
            true => Markup(format!("<{name}{attributes}>")),
            false => Markup(format!("<{name}{attributes}>{body}</{name}>")),
        }
    }
}

impl<M: Into<Markup>> From<Option<M>> for Markup {
    fn from(value: Option<M>) -> Markup {
        value.map(Into::into).unwrap_or_default()
    }
}

impl<M: Into<Markup>> FromIterator<M> for Markup {
    fn from_iter<I: IntoIterator<Item = M>>(items: I) -> Markup {
        let mut out = Markup::default();
        items.into_iter().for_each(|item| out.push(item));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let made: Markup = el("a").attr("title", "\"><script>").text("<b>&'\"</b>\u{0}\u{202E}\n中文").into();
        assert_eq!(
            made.as_str(),
            "<a title=\"&quot;&gt;&lt;script&gt;\">&lt;b&gt;&amp;&#39;&quot;&lt;/b&gt;\u{FFFD}\u{FFFD}\n中文</a>"
        );
    }

    #[test]
    fn void_elements_and_flags() {
        assert_eq!(Markup::from(el("br")).as_str(), "<br>");
        assert_eq!(Markup::from(el("details").flag("open", true)).as_str(), "<details open></details>");
        assert_eq!(Markup::from(el("p").class("").all(vec![el("br"), el("hr")])).as_str(), "<p><br><hr></p>");
        assert!(Markup::from(None::<El>).is_empty());
    }

    #[test]
    fn a_path_cannot_become_another_scheme() {
        assert_eq!(href("eval/a b#1.jsonl"), "./eval/a%20b%231.jsonl");
        assert_eq!(href("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(href("arms/混合/x"), "./arms/%E6%B7%B7%E5%90%88/x");
    }
}
