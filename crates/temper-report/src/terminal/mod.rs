//! Tables for the terminal.
//!
//! Tables of a run are plain text without colour codes, so they read the same in a log file. What is shown of data may be in
//! colour ([`Look`]), and says the same without.

mod bench;
mod calibration;
mod compare;
mod gate_table;
mod gates;
mod hacking;
mod histogram;
mod log;
mod look;
mod matrix;
mod measurements;
mod results;
mod rows;
mod scorers;
mod slices;
mod stats;
mod table;
mod tokens;
mod validation;

use temper_run::summary::{ArmStatus, ArmSummary, BASE, RunSummary};

use crate::grid::Grid;
use crate::number;

pub use bench::render_bench;
pub use calibration::render_calibration;
pub use compare::render_comparison;
pub use gate_table::render_gates;
pub use hacking::render_hacking;
pub use log::render_log;
pub use look::Look;
pub use matrix::render_matrix;
pub use measurements::render_measurements;
pub(crate) use measurements::why_none;
pub use rows::{RowOptions, render_row, render_template, render_unreadable};
pub use scorers::{ScorerSpeed, direction, nature, part, render_scored, render_scorer_bench, render_scorer_list};
pub use slices::{render_slice_comparison, render_slices};
pub use stats::render_stats;
pub use tokens::render_legend;
pub use validation::{render_validation, render_verdict};

pub(crate) use gates::{
    measured as gate_measured, needed as gate_needed, p_text, sentence as gate_sentence, style as gate_style,
};
pub(crate) use matrix::{axis, tax_text};
pub(crate) use results::COSTS;

/// Width that [`render_terminal`] and [`render_arm`] write for.
pub const WIDTH: usize = 100;

/// The run as text of at most [`WIDTH`] columns: the arms' table, costs, gates, warnings.
pub fn render_terminal(run: &RunSummary) -> String {
    render_terminal_at(run, WIDTH)
}

/// The run as text of at most `width` columns (80 is the least that is kept to).
pub fn render_terminal_at(run: &RunSummary, width: usize) -> String {
    let width = width.clamp(80, 160);
    let mut out = heading(run, width);
    let grid = Grid::of_arms(run);
    let costs: Vec<_> = std::iter::once(Some(run.cost)).chain(run.arms.iter().map(|arm| Some(arm.cost))).collect();
    out.push_str("\nThe base model and each arm's result\n");
    out.push_str(&results::table(&grid, &costs, width));
    out.push_str(&results::legend(&grid, "the base model's"));
    out.push_str(&results::corrected(&grid, width));
    for arm in run.arms.iter().filter(|arm| arm.status != ArmStatus::Completed) {
        out.push_str(&table::wrap(&format!("  {}: ", arm.name), &status(&arm.status), width));
    }
    let arms: Vec<&ArmSummary> = run.arms.iter().collect();
    out.push_str(&matrix::tax(run, &arms, width));
    out.push_str(&gates::table(run, &arms, width));
    out.push_str(&gates::notes(run, width));
    out
}

/// One arm's path: metrics (rows) by stage (columns), with its costs and gates.
pub fn render_arm(run: &RunSummary, arm: &ArmSummary) -> String {
    render_arm_at(run, arm, WIDTH)
}

/// [`render_arm`] for `width` columns.
pub fn render_arm_at(run: &RunSummary, arm: &ArmSummary, width: usize) -> String {
    let width = width.clamp(80, 160);
    let grid = Grid::of_stages(run, arm);
    let costs: Vec<_> =
        grid.columns.iter().map(|column| column.arm.and(column.stage).map(|stage| stage.cost)).collect();
    let mut out = format!("{} · {} · {}\n", run.name, arm.name, status(&arm.status));
    if let Some(description) = &arm.description {
        out.push_str(&table::wrap("", description, width));
    }
    let path = arm.stages.iter().map(|stage| format!(" → {} ({})", stage.name, stage.kind));
    out.push_str(&table::wrap("", &format!("{BASE}{}", path.collect::<String>()), width));
    out.push('\n');
    out.push_str(&results::table(&grid, &costs, width));
    out.push_str(&results::legend(&grid, "its parent's"));
    out.push_str(&results::corrected(&grid, width));
    let marked = matrix::render_matrix(run, arm, width);
    if !marked.is_empty() {
        out.push('\n');
        out.push_str(&marked);
    }
    out.push_str(&matrix::tax(run, &[arm], width));
    out.push_str(&gates::table(run, &[arm], width));
    out
}

fn heading(run: &RunSummary, width: usize) -> String {
    let mut facts = vec![format!("seed {}", run.seed)];
    if let Some(budget) = run.budget_flops {
        facts.push(format!("{} per arm", number::flops(budget)));
    }
    facts.push(match crate::when::elapsed(run) {
        Some(seconds) => number::duration(seconds),
        None => "not finished".to_owned(),
    });
    facts.push(run.machine.clone());
    let mut out = table::wrap(&format!("{} · ", run.name), &facts.join(" · "), width);
    if let Some(description) = &run.description {
        out.push_str(&table::wrap("", description, width));
    }
    out
}

/// An arm's status in words.
pub(crate) fn status(status: &ArmStatus) -> String {
    match status {
        ArmStatus::Completed => "completed".to_owned(),
        ArmStatus::Stopped { stage, gate } => format!("stopped after {stage} by gate {gate}"),
        ArmStatus::RolledBack { stage, gate, to } => format!("rolled back from {stage} to {to} by gate {gate}"),
        ArmStatus::Failed { stage, message } => format!("failed in {stage}: {message}"),
        ArmStatus::Running => "not finished".to_owned(),
    }
}

/// The notes of an arm's stages, each with the stage's name.
pub(crate) fn stage_notes(arm: &ArmSummary) -> impl Iterator<Item = (&str, &str)> {
    arm.stages.iter().flat_map(move |stage| {
        let own = format!("{}: {}: ", arm.name, stage.name);
        stage.notes.iter().map(move |note| (stage.name.as_str(), note.strip_prefix(&own).unwrap_or(note)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    fn widest(text: &str) -> usize {
        text.lines().map(table::width).max().unwrap_or(0)
    }

    #[test]
    fn tables_keep_to_the_width() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(dir.path());
        for name in ["a_fourth", "a_fifth_with_a_longer_name", "第六"] {
            let mut arm = run.arms[0].clone();
            arm.name = name.to_owned();
            run.arms.push(arm);
        }
        for width in [80, 100, 120, 160] {
            let text = render_terminal_at(&run, width);
            assert!(widest(&text) <= width, "{width}: {}\n{text}", widest(&text));
            for arm in &run.arms {
                assert!(text.contains(&arm.name), "{width} {}", arm.name);
                let text = render_arm_at(&run, arm, width);
                assert!(widest(&text) <= width, "{width}: {}\n{text}", widest(&text));
            }
        }
    }

    #[test]
    fn wide_terminals_have_one_line_per_metric() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        let text = render_terminal_at(&run, 140);
        let line = text.lines().find(|line| line.contains("Solved")).unwrap();
        assert!(line.contains("21.5 % [15.7, 27.3]") && line.contains("▲"), "{line}");
    }

    #[test]
    fn stages_are_compared_with_their_measured_parent() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        let grid = Grid::of_stages(&run, &run.arms[2]);
        let references: Vec<_> = grid.columns.iter().map(|c| (c.name, c.reference)).collect();
        let expected = [
            ("base", None),
            ("01-cold_start", Some(0)),
            ("02-reasoning_rl", Some(1)),
            ("04-second_sft", Some(0)),
            ("05-safety_rl", Some(3)),
        ];
        assert_eq!(references, expected);
    }

    #[test]
    fn what_is_missing_is_shown_as_missing() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(dir.path());
        // One item has no interval, no item has no value, and an arm may have nothing at all.
        let measurements = &mut run.arms[0].stages[0].measurements;
        (measurements[0].n, measurements[0].low, measurements[0].high) = (1, f64::NAN, f64::NAN);
        (measurements[1].n, measurements[1].value, measurements[1].unscored) = (0, f64::NAN, 200);
        run.arms[1].stages.clear();
        run.arms[1].status =
            ArmStatus::Failed { stage: "01-grpo".to_owned(), message: "loss is not finite".to_owned() };
        run.finished = None;
        let text = render_terminal(&run);
        for expected in ["not finished", "unscored *", "loss is not finite"] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("nan"), "{text}");
        let html = crate::render_html(&run, dir.path());
        for expected in ["no interval", "not measured", "No checkpoint of this arm was measured"] {
            assert!(html.contains(expected), "{expected}");
        }
        assert!(!html.contains("NaN"));
        assert!(render_arm(&run, &run.arms[1]).contains("failed in 01-grpo"));
    }
}
