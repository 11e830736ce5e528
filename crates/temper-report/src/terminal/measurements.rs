//! What was measured on one checkpoint, without a run around it.

use temper_eval::Measurement;
use temper_recipe::Reducer;

use super::table::{lines, plain, width, wrap};
use crate::grid::{Estimate, arrow};
use crate::number::{MISSING, Style, count, grouped};

/// One checkpoint's measurements as a table: metric, value, interval, items, unscored, cut off. Slices are only counted; see
/// [`render_slices`](super::render_slices).
pub fn render_measurements(all: &[Measurement]) -> String {
    let whole = || all.iter().filter(|m| m.slice.is_none());
    // A reducer that makes nothing of a metric is a remark, no row.
    let measurements: Vec<Measurement> =
        whole().filter(|m| why_none(m).is_none() && !(m.n == 0 && told_by_mean(m, all))).cloned().collect();
    let none: Vec<&Measurement> = whole().filter(|m| why_none(m).is_some()).collect();
    let sliced = all.iter().filter(|m| m.slice.is_some()).count();
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
        let here: Vec<&Measurement> = none.iter().filter(|m| m.suite == suite[0].suite).copied().collect();
        for alike in here.chunk_by(|a, b| a.metric == b.metric && reason(a) == reason(b)) {
            out.push_str(&format!("  {}\n", remark(alike)));
        }
        for measurement in suite {
            out.push_str(&corrected(measurement).map(|text| wrap("    ", &text, super::WIDTH)).unwrap_or_default());
        }
    }
    if measurements.is_empty() && none.is_empty() {
        return "Nothing was measured.\n".to_owned();
    }
    for m in none.iter().filter(|m| !measurements.iter().any(|other| other.suite == m.suite)) {
        out.push_str(&format!("{}: {}\n", m.suite, remark(&[*m])));
    }
    out.push_str("↑ higher is better, ↓ lower is better\n");
    if sliced > 0 {
        out.push_str(&format!("{} not shown; --slices shows them\n", count(sliced, "slice value")));
    }
    out
}

/// Whether the row of the mean says already that nothing has a value: it stands for those of the other reducers.
fn told_by_mean(m: &Measurement, all: &[Measurement]) -> bool {
    let mean = |other: &Measurement| {
        other.reducer == Reducer::Mean && other.n == 0 && other.slice.is_none() && other.suite == m.suite
    };
    m.reducer != Reducer::Mean && all.iter().any(|other| mean(other) && other.metric == m.metric)
}

fn reason(m: &Measurement) -> &str {
    why_none(m).unwrap_or_default()
}

/// Reducers that make nothing of a metric, for one reason.
fn remark(alike: &[&Measurement]) -> String {
    let reducers: Vec<String> = alike.iter().map(|m| m.reducer.to_string()).collect();
    format!("no {} of {}: {}", reducers.join(", "), alike[0].title, reason(alike[0]))
}

/// Why a reducer other than the mean gave no item a value.
pub(crate) fn why_none(m: &Measurement) -> Option<&str> {
    if m.n > 0 || m.reducer == Reducer::Mean {
        return None;
    }
    let prefix = format!("{}: ", m.reducer);
    m.tags.keys().find_map(|tag| tag.strip_prefix(&prefix))
}

/// A metric's title with its direction, and its reducer where that is not the mean.
pub(super) fn label(measurement: &Measurement) -> String {
    let title = format!("{} {}", measurement.title, arrow(measurement.better));
    match measurement.reducer {
        Reducer::Mean => title,
        reducer => format!("{} {reducer}", title.trim_end()),
    }
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
        format!("  {}", label(measurement)),
        estimate.value.map_or(MISSING.to_owned(), |value| style.value(value)),
        if interval.is_empty() { MISSING.to_owned() } else { interval },
        grouped(estimate.n as f64),
        if estimate.unscored == 0 { String::new() } else { grouped(estimate.unscored as f64) },
        if estimate.truncated > 0.0 { Style::Percent.value(estimate.truncated) } else { String::new() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;
    use crate::terminal::render_slices;

    #[test]
    fn reducers_have_rows_and_slices_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        let first = run.base.measurements[0].clone();
        let pass = Measurement { reducer: Reducer::Pass(4), value: 0.75, ..first.clone() };
        let none = Measurement {
            reducer: Reducer::All(2),
            n: 0,
            value: f64::NAN,
            tags: [("pass^2: a score that is neither 0 nor 1".to_owned(), 9)].into(),
            ..first.clone()
        };
        let more = Measurement {
            reducer: Reducer::Majority,
            tags: [("majority: a score that is neither 0 nor 1".to_owned(), 9)].into(),
            ..none.clone()
        };
        let text = render_measurements(&[first.clone(), none.clone(), more]);
        let one = format!("no pass^2, majority of {}: a score that is neither 0 nor 1\n", first.title);
        assert!(text.contains(&one) && !text.contains("--slices"), "{text}");
        let empty = Measurement { n: 0, value: f64::NAN, tags: [].into(), ..first.clone() };
        let text = render_measurements(&[empty.clone(), Measurement { reducer: Reducer::Pass(4), ..empty }]);
        assert!(text.contains(&first.title) && !text.contains("pass@4"), "{text}");
        let slice = |value: &str, reducer| Measurement {
            slice: Some(("language".to_owned(), value.to_owned())),
            reducer,
            ..first.clone()
        };
        let all = [
            first.clone(),
            pass,
            none,
            slice("de", Reducer::Mean),
            slice("de", Reducer::Pass(4)),
            slice("zh", Reducer::Mean),
            slice("zh", Reducer::Pass(4)),
        ];
        let text = render_measurements(&all);
        assert!(text.contains(" pass@4 ") && text.contains("75.0 %"), "{text}");
        assert!(text.contains(": a score that is neither 0 nor 1\n") && text.contains("no pass^2 of"), "{text}");
        assert!(text.contains("4 slice values not shown") && !text.contains("de "), "{text}");
        let slices = render_slices(&all);
        assert_eq!(slices.matches(" by language\n").count(), 2, "{slices}");
        assert_eq!((slices.matches("    de ").count(), slices.matches("    zh ").count()), (2, 2), "{slices}");
        assert!(render_slices(&all[..3]).starts_with("There are no slices"));
    }

    #[test]
    fn the_page_folds_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(dir.path());
        assert!(!crate::render_html(&run, dir.path()).contains("id=\"slices\""));
        let slice = Some(("language".to_owned(), "<b>de".to_owned()));
        let sliced = Measurement { slice, clusters: Some(7), ..run.base.measurements[0].clone() };
        run.base.measurements.push(sliced);
        let html = crate::render_html(&run, dir.path());
        assert!(html.contains("id=\"slices\"") && html.contains("language: &lt;b&gt;de"));
        assert!(html.contains("in 7 clusters"));
    }
}
