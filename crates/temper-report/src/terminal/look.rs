//! What a terminal can show: its width, and colours or none.

use std::fmt::Write;

/// How to write for a terminal, or for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether there may be colours. What they say is also said without them.
    pub colour: bool,
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// A heading.
    Bold,
    /// Beside the point.
    Dim,
    /// A name of a part.
    Name,
    /// Good.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// A bar of a histogram.
    Bar,
}

impl Look {
    /// Without colours.
    pub fn plain(width: usize) -> Self {
        Self { width, colour: false }
    }

    /// The text in the colour of what it is.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Name => "36",
            Paint::Good => "32",
            Paint::Warn => "33",
            Paint::Bad => "1;31",
            Paint::Bar => "34",
        };
        self.sgr(code, text)
    }

    /// The text with these attributes, each line of it on its own, as pagers want it.
    pub(crate) fn sgr(self, code: &str, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let line = |line: &str| match line.trim_end_matches('\n') {
            "" => line.to_owned(),
            text => format!("\x1b[{code}m{text}\x1b[0m{}", &line[text.len()..]),
        };
        text.split_inclusive('\n').map(line).collect()
    }

    /// A line across, with a title in it.
    pub fn rule(self, title: &str) -> String {
        let mut out = self.paint(Paint::Dim, "── ");
        let _ = write!(out, "{} ", self.paint(Paint::Bold, title));
        let used = 4 + super::table::width(title);
        out.push_str(&self.paint(Paint::Dim, &"─".repeat(self.width.saturating_sub(used))));
        out.push('\n');
        out
    }
}
