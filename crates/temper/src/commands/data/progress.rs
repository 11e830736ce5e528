//! How many rows were read so far, on a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A counter on standard error; nothing where that is no terminal.
pub struct Counter(Option<ProgressBar>);

impl Counter {
    /// Begins to count.
    pub fn new(label: &str) -> Self {
        Self(std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{spinner} {prefix}  {human_pos} rows, {per_sec}, {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(label.to_owned());
            bar
        }))
    }

    /// This many rows were read in all.
    pub fn set(&self, rows: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(rows as u64);
        }
    }

    /// Takes the counter off the terminal.
    pub fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
