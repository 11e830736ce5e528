//! Breakdowns of what was measured, one line for each slice value.

use temper_eval::{Measurement, SliceComparison};

use super::measurements::{label, why_none};
use super::render_comparison;
use super::table::{lines, plain, width};
use crate::grid::Estimate;
use crate::number::{MISSING, Style, grouped};

/// The slices of one checkpoint's measurements: for each metric the value, interval and items of every slice value.
pub fn render_slices(measurements: &[Measurement]) -> String {
    let sliced: Vec<(&Measurement, &(String, String))> =
        measurements.iter().filter(|m| why_none(m).is_none()).filter_map(|m| Some((m, m.slice.as_ref()?))).collect();
    if sliced.is_empty() {
        return "There are no slices: the suites name none, or no item has one.\n".to_owned();
    }
    let row = |(m, (_, value)): &(&Measurement, &(String, String))| -> [String; 4] {
        let estimate = Estimate::of(m);
        // A metric reads the same in all its slices.
        let mut same =
            sliced.iter().filter(|(other, _)| (&other.suite, &other.metric) == (&m.suite, &m.metric) && other.n > 0);
        let style = if same.all(|(other, _)| other.binary) { Style::Percent } else { Style::decimal(estimate.value) };
        let interval = style.interval(estimate.interval);
        [
            format!("    {value}"),
            estimate.value.map_or(MISSING.to_owned(), |value| style.value(value)),
            if interval.is_empty() { MISSING.to_owned() } else { interval },
            grouped(estimate.n as f64),
        ]
    };
    let rows: Vec<[String; 4]> = sliced.iter().map(row).collect();
    let widths: Vec<usize> = (0..4).map(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0) + 2).collect();
    let mut out = String::new();
    let mut at = 0;
    let same = |a: &(&Measurement, &(String, String)), b: &(&Measurement, &(String, String))| {
        (&a.0.suite, &a.0.metric, &a.1.0) == (&b.0.suite, &b.0.metric, &b.1.0)
    };
    // Reducers of one slice value stand apart, so that each block reads down one metric.
    for group in sliced.chunk_by(same) {
        let (first, (slice, _)) = group[0];
        let mut reducers: Vec<temper_recipe::Reducer> = Vec::new();
        for (m, _) in group {
            if !reducers.contains(&m.reducer) {
                reducers.push(m.reducer);
            }
        }
        for reducer in reducers {
            let named = Measurement { reducer, ..first.clone() };
            out.push_str(&format!("{} · {} by {slice}\n", first.suite, label(&named)));
            let mut table = plain(&widths, |column| matches!(column, 1 | 3));
            for (offset, _) in group.iter().enumerate().filter(|(_, (m, _))| m.reducer == reducer) {
                table.add_row(&rows[at + offset]);
            }
            out.push_str(&lines(&table));
        }
        at += group.len();
    }
    out
}

/// Two checkpoints compared within every slice value.
pub fn render_slice_comparison(slices: &[SliceComparison]) -> String {
    if slices.is_empty() {
        return "The two logs have no slice in common.\n".to_owned();
    }
    let part = |slice: &SliceComparison| {
        format!("{} = {}\n{}", slice.slice, slice.value, render_comparison(&slice.comparisons))
    };
    slices.iter().map(part).collect::<Vec<_>>().join("\n")
}
