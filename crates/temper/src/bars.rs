//! Progress on standard error: a bar with rate and time left on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use temper_train::{Progress, Total};

const RESOLUTION: u64 = 10_000;
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Draws the progress of one task after the other.
pub struct Bars {
    bar: Option<ProgressBar>,
    terminal: bool,
    label: String,
    total: Total,
    begun: Instant,
    last_line: Instant,
}

impl Bars {
    /// Nothing drawn yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            bar: None,
            terminal: std::io::stderr().is_terminal(),
            label: String::new(),
            total: Total::Unknown,
            begun: now,
            last_line: now,
        }
    }

    fn line(&self, done: f64, note: &str) -> String {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let left = if done > 0.0 { seconds(elapsed / done * (1.0 - done)) } else { "?".into() };
        let rate = rate(self.total, done, elapsed);
        format!("{:<28} {:>5.1} %  {}{rate}, {left} left  {note}", self.label, 100.0 * done, seconds(elapsed))
    }
}

impl Progress for Bars {
    fn begin(&mut self, label: &str, total: Total) {
        (self.label, self.total) = (label.to_owned(), total);
        self.begun = Instant::now();
        self.last_line = self.begun;
        if self.terminal {
            let bar = ProgressBar::with_draw_target(Some(RESOLUTION), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{prefix:<28} {wide_bar} {percent:>3} % {elapsed_precise} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(label.to_owned());
            self.bar = Some(bar);
        }
    }

    fn advance(&mut self, done: f64, note: &str) {
        let done = done.clamp(0.0, 1.0);
        if let Some(bar) = &self.bar {
            let elapsed = self.begun.elapsed().as_secs_f64();
            let left = if done > 0.0 { seconds(elapsed / done * (1.0 - done)) } else { "?".into() };
            bar.set_position((done * RESOLUTION as f64) as u64);
            bar.set_message(format!(
                "{}, {left} left  {note}",
                rate(self.total, done, elapsed).trim_start_matches(", ")
            ));
        } else if self.last_line.elapsed() > LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{}", self.line(done, note));
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        eprintln!("{:<28} took {}", self.label, seconds(self.begun.elapsed().as_secs_f64()));
    }

    fn warn(&mut self, message: &str) {
        match &self.bar {
            Some(bar) => bar.println(message),
            None => eprintln!("{message}"),
        }
    }
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
pub fn seconds(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s / 60 % 60),
    }
}

fn rate(total: Total, done: f64, elapsed: f64) -> String {
    if elapsed <= 0.0 {
        return String::new();
    }
    let per_second = |count: f64| done * count / elapsed;
    match total {
        Total::Steps(n) => format!(", {:.1} steps/s", per_second(n as f64)),
        Total::Items(n) => format!(", {:.0} items/s", per_second(n as f64)),
        Total::Tokens(n) => format!(", {:.0} tokens/s", per_second(n as f64)),
        Total::Flops(n) => format!(", {:.1} GFLOP/s", per_second(n) / 1e9),
        Total::Unknown => String::new(),
    }
}
