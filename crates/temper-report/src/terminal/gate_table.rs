//! The gates of one checkpoint, for a terminal or a log of continuous integration.

use temper_eval::{GateVerdict, Verdict};

use super::gates::{detectable, needed, p_text};
use super::table::{lines, plain, width as columns_of, wrap};
use crate::number::{MISSING, Style, grouped};

const HEADING: [&str; 10] =
    ["axis", "previous", "new", "n", "paired Δ", "judge", "unscored", "margin", "p (Holm)", "verdict"];

/// Verdicts as a table: axis, previous and new value, n, the paired change with its interval, judge, share without a score, margin
/// or bound, p after correction, verdict; below it the reason of each that did not pass.
pub fn render_gates(verdicts: &[GateVerdict], width: usize) -> String {
    let rows: Vec<[String; 10]> = verdicts.iter().map(row).collect();
    let widths: Vec<usize> = (0..HEADING.len())
        .map(|i| rows.iter().map(|row| columns_of(&row[i])).max().unwrap_or(0).max(columns_of(HEADING[i])) + 2)
        .collect();
    let mut table = plain(&widths, |column| matches!(column, 1 | 2 | 3 | 6 | 7 | 8));
    table.add_row(HEADING);
    for row in &rows {
        table.add_row(row);
    }
    let mut out = lines(&table);
    for verdict in verdicts.iter().filter(|verdict| verdict.verdict != Verdict::Pass) {
        let more = [needed(verdict), detectable(verdict, style(verdict))];
        let more: String = more.into_iter().flatten().map(|text| format!("; {text}")).collect();
        let text = format!("{}: {}{more}", verdict.rule, verdict.reason);
        out.push_str(&wrap(&format!("  {}: ", verdict.gate), &text, width));
    }
    let count = |wanted| verdicts.iter().filter(|verdict| verdict.verdict == wanted).count();
    let (pass, fail, open) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Undecided));
    out.push_str(&format!("Gates: {pass} passed, {fail} failed, {open} undecided\n"));
    out
}

/// Shares are written in per cent: what lies in [0, 1] with a bound there too, and differences of such.
fn style(verdict: &GateVerdict) -> Style {
    let inside = |value: f64| !value.is_finite() || (-1.0..=1.0).contains(&value);
    let all = [verdict.now, verdict.value, verdict.bound, verdict.reference.unwrap_or(0.0)];
    if all.into_iter().all(inside) { Style::Percent } else { Style::decimal(all) }
}

fn row(verdict: &GateVerdict) -> [String; 10] {
    let style = style(verdict);
    let change = verdict.change.as_ref();
    let interval = |low: f64, high: f64| style.interval((low.is_finite() && high.is_finite()).then_some((low, high)));
    let previous = verdict.reference.or(change.map(|change| change.previous));
    // A rule that compares shows the difference it judged, another one that from the parent.
    let delta = match (verdict.reference, change) {
        (Some(_), _) => format!("{} {}", style.difference(verdict.value), interval(verdict.low, verdict.high)),
        (None, Some(change)) => format!("{} {}", style.difference(change.value), interval(change.low, change.high)),
        (None, None) => MISSING.to_owned(),
    };
    let new = match verdict.reference {
        Some(_) => style.value(verdict.now),
        None => format!("{} {}", style.value(verdict.value), interval(verdict.low, verdict.high)).trim_end().to_owned(),
    };
    let judge = match verdict.judge.get(..8) {
        Some(digest) => format!("{} {digest}", verdict.metric),
        None => verdict.metric.clone(),
    };
    [
        verdict.gate.clone(),
        previous.map_or(MISSING.to_owned(), |value| style.value(value)),
        new,
        match verdict.clusters {
            Some(clusters) => format!("{} in {clusters}", grouped(verdict.n as f64)),
            None => grouped(verdict.n as f64),
        },
        delta,
        judge,
        Style::Percent.value(verdict.unscored),
        match verdict.margin {
            Some(margin) => style.value(margin),
            None => style.value(verdict.bound),
        },
        p_text(verdict.p_adjusted),
        word(verdict),
    ]
}

fn word(verdict: &GateVerdict) -> String {
    match verdict.verdict {
        Verdict::Pass => format!("pass, {}", verdict.outcome),
        Verdict::Fail => format!("FAIL, {}", verdict.outcome),
        Verdict::Undecided => "undecided".to_owned(),
    }
}
