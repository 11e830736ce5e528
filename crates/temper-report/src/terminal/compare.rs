//! Two checkpoints, item by item.

use temper_eval::PairedComparison;

use super::table::{lines, plain, width};
use crate::number::{MISSING, Style, count, fixed, grouped};

/// A comparison as a table: the two means over the items both have scored, the paired difference with its interval, p.
///
/// A difference is marked ▲ or ▼ when its interval misses zero.
pub fn render_comparison(comparisons: &[PairedComparison]) -> String {
    if comparisons.is_empty() {
        return "The two logs have no suite and metric in common.\n".to_owned();
    }
    let rows: Vec<[String; 7]> = comparisons.iter().map(row).collect();
    let heading = ["metric", "a", "b", "b − a", "95 % interval", "p", "n"];
    let widths: Vec<usize> = (0..heading.len())
        .map(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0).max(width(heading[i])) + 2)
        .collect();
    let right = |column: usize| matches!(column, 1 | 2 | 3 | 5 | 6);
    let mut head = plain(&widths, right);
    head.add_row(heading);
    let mut out = lines(&head);
    let mut at = 0;
    for suite in comparisons.chunk_by(|a, b| a.suite == b.suite) {
        out.push_str(&format!("{}\n", suite[0].suite));
        let mut table = plain(&widths, right);
        for row in &rows[at..at + suite.len()] {
            table.add_row(row);
        }
        out.push_str(&lines(&table));
        at += suite.len();
        let left: usize = suite.iter().map(|c| c.unmatched).max().unwrap_or(0);
        if left > 0 {
            out.push_str(&format!("  {} without a partner in the other log, left out\n", count(left, "sample")));
        }
    }
    out.push_str("▲ ▼ the interval of the difference misses zero. With many rows some do by chance.\n");
    out
}

fn row(comparison: &PairedComparison) -> [String; 7] {
    let c = comparison;
    let style = if c.binary { Style::Percent } else { Style::decimal([c.a, c.b, c.difference]) };
    let interval = (c.low.is_finite() && c.high.is_finite()).then_some((c.low, c.high));
    let mark = match interval {
        Some((low, _)) if low > 0.0 => " ▲",
        Some((_, high)) if high < 0.0 => " ▼",
        _ => "",
    };
    let interval = style.interval(interval);
    [
        format!("  {}", c.metric),
        style.value(c.a),
        style.value(c.b),
        style.difference(c.difference),
        if interval.is_empty() { MISSING.to_owned() } else { format!("{interval}{mark}") },
        match c.p {
            p if p < 0.001 => "<0.001".to_owned(),
            p => fixed(p, 3),
        },
        grouped(c.n as f64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(metric: &str, difference: f64, half: f64) -> PairedComparison {
        PairedComparison {
            suite: "familiar".to_owned(),
            metric: metric.to_owned(),
            n: 200,
            a: 0.5,
            b: 0.5 + difference,
            difference,
            se: half / 1.96,
            clusters: None,
            p_adjusted: f64::NAN,
            low: difference - half,
            high: difference + half,
            p: 0.02,
            binary: true,
            up: 12,
            down: 3,
            unmatched: 0,
            unscored: 0,
            not_applicable: 0,
        }
    }

    #[test]
    fn differences_are_marked_only_when_their_interval_misses_zero() {
        let text = render_comparison(&[
            comparison("up", 0.1, 0.05),
            comparison("open", 0.1, 0.2),
            comparison("down", -0.1, 0.05),
            comparison("one_item", 0.1, f64::NAN),
        ]);
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("up").contains("+10.0") && line("up").contains('▲'), "{text}");
        assert!(!line("open").contains('▲') && line("down").contains('▼'), "{text}");
        assert!(line("one_item").contains(MISSING), "{text}");
        assert!(render_comparison(&[]).contains("no suite"));
    }
}
