//! A scorer against people's labels.

use temper_eval::{Calibration, Confusion};

use super::table::{lines, pad, plain, width as columns_of, wrap};
use crate::number::{MISSING, Style, count, grouped};

const CONFIDENCE: f64 = 0.95;

/// A calibration as tables: the counts and the shares with 95 % intervals, over all rows and by slice, and the notes.
pub fn render_calibration(calibration: &Calibration) -> String {
    let c = calibration;
    let rows = c.all.scored() + c.all.unscored + c.all.errors + c.all.not_applicable;
    let digest = c.scorer.get(..12).unwrap_or(&c.scorer);
    let mut out = format!("{} ({digest}) against `{}` of {}, {}\n", c.name, c.label, c.data, count(rows, "row"));
    out.push_str(&wrap("positive: ", &c.positive.join(", "), 100));
    out.push_str(&format!("\n{}{}\n", pad("", 20), "label positive   label negative"));
    let line = |name: &str, a: usize, b: usize| {
        format!("{}{:>14}   {:>14}\n", pad(name, 20), grouped(a as f64), grouped(b as f64))
    };
    out.push_str(&line("scorer positive", c.all.true_positives, c.all.false_positives));
    out.push_str(&line("scorer negative", c.all.false_negatives, c.all.true_negatives));
    let left = [(c.all.unscored, "unscored"), (c.all.errors, "failed"), (c.all.not_applicable, "not applicable")];
    for (n, what) in left.into_iter().filter(|(n, _)| *n > 0) {
        out.push_str(&format!("{} {what}, left out\n", grouped(n as f64)));
    }
    out.push('\n');
    let all = [("all".to_owned(), &c.all)];
    let slices = c.slices.iter().map(|(value, confusion)| (value.clone(), confusion));
    let cells: Vec<[String; 7]> = all.into_iter().chain(slices).map(|(name, confusion)| row(name, confusion)).collect();
    let heading =
        [c.slice.as_deref().unwrap_or(""), "n", "sensitivity", "specificity", "accuracy", "precision", "kappa"];
    let widths: Vec<usize> = (0..heading.len())
        .map(|i| cells.iter().map(|row| columns_of(&row[i])).max().unwrap_or(0).max(columns_of(heading[i])) + 2)
        .collect();
    let mut table = plain(&widths, |column| column == 1);
    table.add_row(heading);
    for row in &cells {
        table.add_row(row);
    }
    out.push_str(&lines(&table));
    out.push_str("[95 % interval]\n");
    for note in &c.notes {
        out.push_str(&wrap("- ", note, 100));
    }
    out
}

fn row(name: String, confusion: &Confusion) -> [String; 7] {
    let share = |found: Option<temper_eval::stats::Estimate>, style: Style| match found {
        None => MISSING.to_owned(),
        Some(e) => {
            let interval = style.interval((e.low.is_finite() && e.high.is_finite()).then_some((e.low, e.high)));
            format!("{} {interval}", style.value(e.value)).trim_end().to_owned()
        }
    };
    [
        name,
        grouped(confusion.scored() as f64),
        share(confusion.sensitivity(CONFIDENCE), Style::Percent),
        share(confusion.specificity(CONFIDENCE), Style::Percent),
        share(confusion.accuracy(CONFIDENCE), Style::Percent),
        share(confusion.precision(CONFIDENCE), Style::Percent),
        share(confusion.kappa(CONFIDENCE), Style::Decimal(3)),
    ]
}
