//! Histograms and bars.

use temper_data::Lengths;

use super::look::{Look, Paint};
use super::table::{pad, width};
use crate::number;

/// A bar of at most so many columns, in eighths of a column. What is there at all is seen.
fn bar(share: f64, columns: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * 8.0 * columns as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

/// Names with counts as bars, the longest as long as there is room. Shares are of `of`.
pub(crate) fn bars(rows: &[(String, usize)], of: usize, look: Look) -> String {
    let names = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let counts: Vec<String> = rows.iter().map(|(_, count)| number::grouped(*count as f64)).collect();
    let digits = counts.iter().map(String::len).max().unwrap_or(0);
    let columns = look.width.saturating_sub(names + digits + 15).clamp(4, 48);
    let mut out = String::new();
    for ((name, count), digit) in rows.iter().zip(&counts) {
        let bar = bar(*count as f64 / most as f64, columns);
        let share = format!("{:>6.1} %", 100.0 * *count as f64 / of.max(1) as f64);
        let drawn = look.paint(Paint::Bar, &pad(&bar, columns));
        out.push_str(&format!(
            "  {} {drawn} {digit:>digits$} {}\n",
            " ".repeat(names - width(name)) + name,
            look.paint(Paint::Dim, &share)
        ));
    }
    out
}

/// The histogram of lengths.
pub(crate) fn histogram(title: &str, lengths: &Lengths, look: Look) -> String {
    if lengths.count == 0 || lengths.min == lengths.max {
        return String::new();
    }
    let rows: Vec<(String, usize)> = lengths
        .histogram
        .iter()
        .map(|bin| {
            let (from, to) = (number::grouped(f64::from(bin.from)), number::grouped(f64::from(bin.to)));
            (if bin.from == bin.to { from } else { format!("{from}–{to}") }, bin.count)
        })
        .collect();
    format!("{}\n{}", look.paint(Paint::Bold, title), bars(&rows, lengths.count, look))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_eighths_and_what_is_there_is_seen() {
        assert_eq!(
            (bar(1.0, 3), bar(0.5, 3), bar(0.0, 3), bar(0.0001, 3)),
            ("███".into(), "█▌".into(), String::new(), "▏".into())
        );
    }

    #[test]
    fn a_histogram_keeps_to_the_width() {
        let lengths = Lengths::of((0..3000).map(|i| i % 1000 * (i % 7)).collect());
        for columns in [40, 60, 100] {
            let text = histogram("tokens", &lengths, Look::plain(columns));
            assert!(text.lines().all(|line| width(line) <= columns), "{text}");
            assert!(text.lines().count() > 5 && text.contains("1,024–2,047"), "{text}");
        }
        assert_eq!(histogram("tokens", &Lengths::of(vec![3, 3]), Look::plain(60)), "");
    }
}
