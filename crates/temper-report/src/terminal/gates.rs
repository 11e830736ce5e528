//! The gates' verdicts, and warnings.

use temper_eval::{Action, GateVerdict, Verdict};
use temper_run::summary::{ArmSummary, RunSummary};

use super::stage_notes;
use super::table::{pad, wrap};
use crate::grid::shares;
use crate::number::{self, Style};

/// One paragraph per verdict, grouped by arm and stage; nothing when no gate was judged.
pub fn table(run: &RunSummary, arms: &[&ArmSummary], width: usize) -> String {
    let verdicts = arms.iter().flat_map(|arm| &arm.stages).flat_map(|stage| &stage.gates);
    let count = |wanted| verdicts.clone().filter(|gate| gate.verdict == wanted).count();
    let (pass, fail, open) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Undecided));
    if pass + fail + open == 0 {
        return String::new();
    }
    let mut out = format!("\nGates: {pass} passed, {fail} failed, {open} undecided\n");
    for arm in arms {
        for stage in arm.stages.iter().filter(|stage| !stage.gates.is_empty()) {
            out.push_str(&format!("  {} · {}\n", arm.name, stage.name));
            for gate in &stage.gates {
                let first = format!("    {} ", pad(word(gate.verdict), 9));
                out.push_str(&wrap(&first, &sentence(gate, style(run, gate)), width));
            }
        }
    }
    out
}

/// The run's and the stages' notes; nothing when there are none.
pub fn notes(run: &RunSummary, width: usize) -> String {
    let mut out = String::new();
    for note in run.notes.iter().chain(&run.base.notes) {
        out.push_str(&wrap("  - ", note, width));
    }
    for arm in &run.arms {
        for (stage, note) in stage_notes(arm) {
            out.push_str(&wrap("  - ", &format!("{} · {stage}: {note}", arm.name), width));
        }
    }
    if out.is_empty() { out } else { format!("\nWarnings and notes\n{out}") }
}

/// `pass`, `FAIL`, `undecided`: the one to act on stands out.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Undecided => "undecided",
    }
}

/// How a gate's numbers are written: as the metric's are.
pub(crate) fn style(run: &RunSummary, gate: &GateVerdict) -> Style {
    match shares(run, &gate.metric) {
        true => Style::Percent,
        false => Style::decimal([gate.value, gate.bound, gate.low, gate.high]),
    }
}

/// The numbers of a verdict in one line: rule; value, interval and what it is held against; n; what would decide; action.
pub(crate) fn sentence(gate: &GateVerdict, style: Style) -> String {
    let mut out = format!("{}: {}; {}, n {}", gate.gate, gate.rule, measured(gate, style), gate.n);
    if gate.tests > 1 {
        out.push_str(&format!(", p {} after Holm over {} tests", p_text(gate.p_adjusted), gate.tests));
    }
    for more in [needed(gate), detectable(gate, style)].into_iter().flatten() {
        out.push_str(&format!("; {more}"));
    }
    out.push_str(match gate.action {
        Action::Continue => "",
        Action::Warn => " → went on with a warning",
        Action::Stop => " → the arm was stopped",
        Action::Rollback => " → the arm was rolled back to the parent",
    });
    out
}

/// The gate's value with its interval against its bound; a rule that compares speaks of a difference.
pub(crate) fn measured(gate: &GateVerdict, style: Style) -> String {
    let interval = (gate.low.is_finite() && gate.high.is_finite()).then_some((gate.low, gate.high));
    let interval = style.interval(interval);
    let space = if interval.is_empty() { "" } else { " " };
    let raw = gate.raw.map(|raw| format!(" (as scored {})", style.value(raw))).unwrap_or_default();
    let text = match gate.reference {
        Some(reference) => format!(
            "{} against {}, difference {}{space}{interval}, bound {}",
            style.value(gate.now),
            style.value(reference),
            style.difference(gate.value),
            style.difference(gate.bound)
        ),
        None => format!("{}{space}{interval}, bound {}", style.value(gate.value), style.value(gate.bound)),
    };
    text + &raw
}

/// A p-value with three decimals.
pub(crate) fn p_text(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { number::fixed(p, 3) }
}

/// The distance from the bound that an undecided gate's items could have shown.
pub(crate) fn detectable(gate: &GateVerdict, style: Style) -> Option<String> {
    let effect = gate.detectable?;
    let points = if style == Style::Percent { " points" } else { "" };
    Some(format!(
        "{} could detect {}{points} from the bound at 80 % power",
        number::count(gate.n, "item"),
        style.bare(effect)
    ))
}

/// How many items would decide an undecided gate.
pub(crate) fn needed(gate: &GateVerdict) -> Option<String> {
    (gate.verdict == Verdict::Undecided).then(|| match gate.items_needed {
        Some(items) => format!("about {} would decide", number::count(items, "item")),
        None => "no number of items would decide".to_owned(),
    })
}
