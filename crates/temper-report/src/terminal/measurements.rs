//! What was measured on one checkpoint, without a run around it.

use temper_eval::Measurement;

use super::table::{lines, plain, width, wrap};
use crate::grid::{Estimate, arrow};
use crate::number::{MISSING, Style, count, grouped};

/// One checkpoint's measurements as a table: metric, value, interval, items, unscored, cut off.
pub fn render_measurements(measurements: &[Measurement]) -> String {
    let rows: Vec<[String; 6]> = measurements.iter().map(row).collect();
    let heading = ["metric", "value", "95 % interval", "n", "unscored", "cut off"];
    let widths: Vec<usize> = (0..heading.len())
        .map(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0).max(width(heading[i])) + 2)
        .collect();
    let right = |column: usize| matches!(column, 1 | 3 | 4 | 5);
    let mut head = plain(&widths, right);
    head.add_row(heading);
    let mut out = lines(&head);
    let mut at = 0;
    for suite in measurements.chunk_by(|a, b| a.suite == b.suite) {
        let samples = suite.iter().map(|m| m.samples).max().unwrap_or(0);
        out.push_str(&format!("{} ({})\n", suite[0].suite, count(samples, "sample")));
        let mut table = plain(&widths, right);
        for row in &rows[at..at + suite.len()] {
            table.add_row(row);
        }
        at += suite.len();
        out.push_str(&lines(&table));
        for measurement in suite {
            out.push_str(&corrected(measurement).map(|text| wrap("    ", &text, super::WIDTH)).unwrap_or_default());
        }
    }
    if measurements.is_empty() {
        return "Nothing was measured.\n".to_owned();
    }
    out.push_str("↑ higher is better, ↓ lower is better\n");
    out
}

/// The share corrected for the scorer's errors, in words.
pub(crate) fn corrected(measurement: &Measurement) -> Option<String> {
    let c = measurement.corrected.as_ref()?;
    let percent = Style::Percent;
    let judged = format!(
        "sensitivity {}, specificity {} on {} labels of {}",
        percent.value(c.sensitivity),
        percent.value(c.specificity),
        grouped(c.labels as f64),
        c.source
    );
    Some(match &c.note {
        Some(note) => format!("{}: {note} ({judged})", measurement.title),
        None => {
            let interval = percent.interval((c.low.is_finite() && c.high.is_finite()).then_some((c.low, c.high)));
            format!(
                "{}, corrected for the scorer's errors: {} {interval} ({judged})",
                measurement.title,
                percent.value(c.value)
            )
        }
    })
}

fn row(measurement: &Measurement) -> [String; 6] {
    let estimate = Estimate::of(measurement);
    let style = if measurement.binary { Style::Percent } else { Style::decimal(estimate.value) };
    let interval = style.interval(estimate.interval);
    [
        format!("  {} {}", measurement.title, arrow(measurement.better)),
        estimate.value.map_or(MISSING.to_owned(), |value| style.value(value)),
        if interval.is_empty() { MISSING.to_owned() } else { interval },
        grouped(estimate.n as f64),
        if estimate.unscored == 0 { String::new() } else { grouped(estimate.unscored as f64) },
        if estimate.truncated > 0.0 { Style::Percent.value(estimate.truncated) } else { String::new() },
    ]
}
