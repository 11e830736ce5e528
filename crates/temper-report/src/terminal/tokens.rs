//! Tokens to look at: where each begins and ends, which are special, which are learned.
//!
//! In colour every token has a background, in two shades by turns, green where the token is learned. Without colour tokens are
//! parted by `│`, and what is learned stands in `⟦…⟧`. A line feed is `↵` and ends the line.

use temper_data::TokenView;

use super::look::{Look, Paint};
use super::table::{pad, width};
use crate::number;

/// Tokens of a stretch that is learned, or of one that is not, that are shown of its beginning and of its end.
const HEAD: usize = 96;
const TAIL: usize = 48;
/// Stretches that are shown of the beginning and of the end.
const STRETCHES: usize = 8;

/// How tokens are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Width and colours.
    pub look: Look,
    /// Ids under the tokens.
    pub ids: bool,
    /// Nothing is left out.
    pub full: bool,
}

/// The tokens as lines.
pub(crate) fn render(tokens: &[TokenView], options: Options) -> String {
    let mut lines =
        Lines { options, out: String::new(), upper: String::new(), lower: String::new(), column: 0, learned: false };
    for (at, shown) in shown(tokens, options.full).into_iter().enumerate() {
        match shown {
            Shown::Token(token) => lines.token(token, at % 2 == 1),
            Shown::Gap { tokens, learned } => lines.gap(tokens, learned),
        }
    }
    lines.close();
    lines.out
}

/// What is shown: a token, or that some are left out.
#[derive(Debug, PartialEq)]
enum Shown<'a> {
    Token(&'a TokenView),
    Gap { tokens: usize, learned: usize },
}

/// Long stretches lose their middle, and many stretches the ones in the middle.
fn shown(tokens: &[TokenView], full: bool) -> Vec<Shown<'_>> {
    if full {
        return tokens.iter().map(Shown::Token).collect();
    }
    let stretches: Vec<&[TokenView]> = tokens.chunk_by(|a, b| a.learned == b.learned).collect();
    let gap = |tokens: &[TokenView]| Shown::Gap {
        tokens: tokens.len(),
        learned: tokens.iter().filter(|token| token.learned).count(),
    };
    let mut out = Vec::new();
    let mut begin = 0;
    for (number, stretch) in stretches.iter().enumerate() {
        let end = begin + stretch.len();
        if stretches.len() > 2 * STRETCHES + 1 && number >= STRETCHES && number < stretches.len() - STRETCHES {
            if number == STRETCHES {
                let left: usize = stretches[STRETCHES..stretches.len() - STRETCHES].iter().map(|s| s.len()).sum();
                out.push(gap(&tokens[begin..begin + left]));
            }
        } else if stretch.len() > HEAD + TAIL + 8 {
            out.extend(stretch[..HEAD].iter().map(Shown::Token));
            out.push(gap(&stretch[HEAD..stretch.len() - TAIL]));
            out.extend(stretch[stretch.len() - TAIL..].iter().map(Shown::Token));
        } else {
            out.extend(stretch.iter().map(Shown::Token));
        }
        begin = end;
    }
    out
}

/// Lines while they are written.
struct Lines {
    options: Options,
    out: String,
    /// The line of tokens and, under it, that of ids.
    upper: String,
    lower: String,
    column: usize,
    /// Whether a `⟦` is open.
    learned: bool,
}

impl Lines {
    fn token(&mut self, token: &TokenView, odd: bool) {
        let Look { colour, .. } = self.options.look;
        if !colour && token.learned != self.learned {
            self.mark(if token.learned { "⟦" } else { "⟧" });
            self.learned = token.learned;
        } else if !colour && self.column > 0 && !self.upper.ends_with(['⟦', '⟧']) {
            self.mark("│");
        }
        let id = token.id.to_string();
        for (number, segment) in segments(&token.text).into_iter().enumerate() {
            let id = if number == 0 && self.options.ids { id.as_str() } else { "" };
            self.segment(&segment, id, token, odd);
        }
    }

    /// A part of a token without a line feed in it, except at its end.
    fn segment(&mut self, segment: &str, id: &str, token: &TokenView, odd: bool) {
        let look = self.options.look;
        let whole = look.width.saturating_sub(2).max(8);
        let wide = width(segment).max(width(id));
        if self.column > 0 && self.column + wide > whole {
            self.end_line();
        }
        let breaks = segment.ends_with('↵');
        for (number, part) in parts(segment, whole).into_iter().enumerate() {
            if number > 0 {
                self.end_line();
            }
            let id = if number == 0 { id } else { "" };
            let cell = if self.options.ids { pad(&part, width(id)) } else { part };
            self.upper.push_str(&look.sgr(style(token, odd), &cell));
            if self.options.ids {
                let columns = width(&cell);
                self.lower.push_str(&look.paint(Paint::Dim, &pad(id, columns)));
                if look.colour {
                    self.upper.push(' ');
                    self.lower.push(' ');
                    self.column += 1;
                }
            }
            self.column += width(&cell);
        }
        if breaks {
            self.end_line();
        }
    }

    /// A sign between tokens.
    fn mark(&mut self, sign: &str) {
        self.upper.push_str(sign);
        self.lower.push(' ');
        self.column += 1;
    }

    fn gap(&mut self, tokens: usize, learned: usize) {
        self.end_line();
        let of = match learned {
            0 => String::new(),
            _ if learned == tokens => " learned".to_owned(),
            _ => format!(", {learned} of them learned"),
        };
        let text = format!("… {}{of} …", number::count(tokens, "token"));
        self.out.push_str(&format!("  {}\n", self.options.look.paint(Paint::Dim, &text)));
    }

    fn end_line(&mut self) {
        if self.column == 0 {
            return;
        }
        self.out.push_str(&format!("  {}\n", if self.options.ids { self.upper.trim_end() } else { &self.upper }));
        if self.options.ids {
            self.out.push_str(format!("  {}", self.lower.trim_end()).trim_end());
            self.out.push('\n');
        }
        self.upper.clear();
        self.lower.clear();
        self.column = 0;
    }

    fn close(&mut self) {
        if self.learned {
            // After a line feed the sign would stand alone on a line.
            match self.column {
                0 if self.out.ends_with('\n') => {
                    self.out.pop();
                    self.out.push_str("⟧\n");
                }
                _ => self.mark("⟧"),
            }
        }
        self.end_line();
    }
}

/// What the signs mean, in one line.
pub fn render_legend(look: Look) -> String {
    let word = |text: &str, learned, special, odd| {
        look.sgr(style(&TokenView { id: 0, text: String::new(), special, learned }, odd), text)
    };
    let signs = if look.width < 80 { "↵ line feed" } else { "↵ line feed  ⟨E5⟩ a byte of a character" };
    let kinds = match look.colour {
        true => format!(
            "{}{} given  {}{} learned  {} special",
            word("to", false, false, false),
            word("ken", false, false, true),
            word("to", true, false, false),
            word("ken", true, false, true),
            word("<s>", false, true, false),
        ),
        false => "parted by │  ⟦learned⟧".to_owned(),
    };
    format!("tokens    {kinds}  {signs}\n")
}

/// The colours of a token.
fn style(token: &TokenView, odd: bool) -> &'static str {
    match (token.learned, token.special, odd) {
        (false, false, false) => "38;5;252;48;5;236",
        (false, false, true) => "38;5;252;48;5;239",
        (false, true, false) => "1;38;5;213;48;5;236",
        (false, true, true) => "1;38;5;213;48;5;239",
        (true, false, false) => "38;5;231;48;5;22",
        (true, false, true) => "38;5;231;48;5;28",
        (true, true, false) => "1;38;5;226;48;5;22",
        (true, true, true) => "1;38;5;226;48;5;28",
    }
}

/// The text of a token as it can be seen, cut after each line feed.
fn segments(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for c in text.chars() {
        if out.last().is_some_and(|segment| segment.ends_with('↵')) {
            out.push(String::new());
        }
        if let Some(segment) = out.last_mut() {
            segment.push_str(&visible(c));
        }
    }
    out
}

/// A character as it can be seen.
pub(crate) fn visible(c: char) -> String {
    match c {
        '\n' => "↵".into(),
        '\t' => "⇥".into(),
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('?').to_string(),
        '\x7f'..='\u{9f}'
        | '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => format!("⟨U+{:04X}⟩", u32::from(c)),
        c => c.to_string(),
    }
}

/// A text in parts of at most so many columns.
fn parts(text: &str, columns: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if used > 0 && used + wide > columns {
            out.push(String::new());
            used = 0;
        }
        if let Some(part) = out.last_mut() {
            part.push(c);
        }
        used += wide;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, learned: bool) -> TokenView {
        TokenView { id: 7 + text.len() as u32, text: text.into(), special: text.starts_with("<|"), learned }
    }

    fn plain(tokens: &[TokenView], columns: usize, ids: bool, full: bool) -> String {
        render(tokens, Options { look: Look::plain(columns), ids, full })
    }

    #[test]
    fn without_colour_signs_part_tokens_and_mark_what_is_learned() {
        let tokens = [
            token("<|user|>", false),
            token("\n", false),
            token("How", false),
            token(" many", false),
            token("⟨E5⟩", true),
            token("3", true),
            token("<|end|>", true),
            token("\n", false),
        ];
        assert_eq!(plain(&tokens, 60, false, false), "  <|user|>│↵\n  How│ many⟦⟨E5⟩│3│<|end|>⟧↵\n");
        assert_eq!(plain(&tokens[4..7], 60, false, false), "  ⟦⟨E5⟩│3│<|end|>⟧\n");
        let open = [token("a", true), token("\n", true)];
        assert_eq!(plain(&open, 60, false, false), "  ⟦a│↵⟧\n");
        assert_eq!(plain(&[], 60, false, false), "");
    }

    #[test]
    fn ids_stand_under_their_tokens() {
        let tokens = [token("a", false), token("中文", false), token("\n\n", true), token("bcdefgh", true)];
        assert_eq!(plain(&tokens, 60, true, false), "  a│中文⟦↵\n  8 13   9\n  ↵\n\n  bcdefgh⟧\n  14\n");
    }

    #[test]
    fn lines_keep_to_the_width() {
        let tokens: Vec<_> =
            (0..40).map(|i| token(["word", "中文字", "averyverylongtokenthatisnotbroken"][i % 3], i > 20)).collect();
        for (columns, ids) in [(20, false), (20, true), (60, false), (60, true)] {
            for colour in [false, true] {
                let text = render(&tokens, Options { look: Look { width: columns, colour }, ids, full: true });
                for line in text.lines() {
                    assert!(width(&bare(line)) <= columns, "{columns} {ids} {colour}: {line:?}");
                }
            }
        }
    }

    /// A line without colours.
    fn bare(line: &str) -> String {
        let mut out = String::new();
        for (number, part) in line.split("\x1b[").enumerate() {
            out.push_str(if number == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) });
        }
        out
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let mut tokens: Vec<_> = (0..400).map(|_| token("a", false)).collect();
        tokens.extend((0..10).map(|_| token("b", true)));
        let text = plain(&tokens, 80, false, false);
        assert!(text.contains("  … 256 tokens …\n") && text.matches('a').count() == HEAD + TAIL, "{text}");
        assert_eq!(plain(&tokens, 80, false, true).matches('a').count(), 400);
        let many: Vec<_> = (0..100).map(|i| token("x", i % 2 == 1)).collect();
        let text = plain(&many, 80, false, false);
        assert!(text.contains("  … 84 tokens, 42 of them learned …\n") && text.matches('x').count() == 16, "{text}");
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        let text: String = "a\t\r\u{200b}\u{1b}\u{202e}\u{a0}".chars().map(visible).collect();
        assert_eq!(text, "a⇥␍⟨U+200B⟩␛⟨U+202E⟩\u{a0}");
    }

    #[test]
    fn colours_tell_learned_from_given() {
        let look = Look { width: 60, colour: true };
        let text = render(&[token("a", false), token("b", true)], Options { look, ids: false, full: false });
        assert!(
            text.contains("48;5;236ma\x1b[0m") && text.contains("48;5;28mb\x1b[0m") && !text.contains('⟦'),
            "{text:?}"
        );
    }
}
