//! Tables for the terminal.
//!
//! Every table is plain text without colour codes, so it reads the same in a log file.

mod compare;
mod gates;
mod measurements;
mod results;
mod table;

use temper_run::summary::{ArmStatus, ArmSummary, BASE, RunSummary};

use crate::grid::Grid;
use crate::number;

pub use compare::render_comparison;
pub use measurements::render_measurements;

pub(crate) use gates::{measured as gate_measured, needed as gate_needed, sentence as gate_sentence, style as gate_style};
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
    let mut out = heading(run);
    let grid = Grid::of_arms(run);
    let costs: Vec<_> = std::iter::once(Some(run.cost)).chain(run.arms.iter().map(|arm| Some(arm.cost))).collect();
    out.push_str("\nThe base model and each arm's result\n");
    out.push_str(&results::table(&grid, &costs, width));
    out.push_str(&results::legend(&grid, "the base model's"));
    for arm in run.arms.iter().filter(|arm| arm.status != ArmStatus::Completed) {
        out.push_str(&format!("  {}: {}\n", arm.name, status(&arm.status)));
    }
    out.push_str(&gates::table(run.arms.iter().collect::<Vec<_>>().as_slice(), width));
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
    let costs: Vec<_> = grid.columns.iter().map(|column| column.arm.and(column.stage).map(|stage| stage.cost)).collect();
    let mut out = format!("{} · {} · {}\n", run.name, arm.name, status(&arm.status));
    if let Some(description) = &arm.description {
        out.push_str(&format!("{description}\n"));
    }
    let path = arm.stages.iter().map(|stage| format!(" → {} ({})", stage.name, stage.kind));
    out.push_str(&table::wrap("", &format!("{BASE}{}", path.collect::<String>()), width));
    out.push('\n');
    out.push_str(&results::table(&grid, &costs, width));
    out.push_str(&results::legend(&grid, "that of the checkpoint it started from"));
    out.push_str(&gates::table(&[arm], width));
    out
}

fn heading(run: &RunSummary) -> String {
    let mut facts = vec![format!("seed {}", run.seed)];
    if let Some(budget) = run.budget_flops {
        facts.push(format!("{} per arm", number::flops(budget)));
    }
    facts.push(match crate::when::elapsed(run) {
        Some(seconds) => number::duration(seconds),
        None => "not finished".to_owned(),
    });
    facts.push(run.machine.clone());
    let mut out = format!("{} · {}\n", run.name, facts.join(" · "));
    if let Some(description) = &run.description {
        out.push_str(&format!("{description}\n"));
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
