//! Tables for the terminal.
//!
//! Every table is plain text without colour codes, so it reads the same in a log file.

mod gates;
mod results;
mod table;

use temper_run::summary::{ArmStatus, ArmSummary, RunSummary};

use crate::error::ReportError;
use crate::grid::Grid;
use crate::number;

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
///
/// # Errors
/// The run has no arm of that name.
pub fn render_arm(run: &RunSummary, arm: &str) -> Result<String, ReportError> {
    render_arm_at(run, arm, WIDTH)
}

/// [`render_arm`] for `width` columns.
///
/// # Errors
/// The run has no arm of that name.
pub fn render_arm_at(run: &RunSummary, arm: &str, width: usize) -> Result<String, ReportError> {
    let width = width.clamp(80, 160);
    let found = run.arm(arm).ok_or_else(|| ReportError::UnknownArm {
        name: arm.to_owned(),
        known: run.arms.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(", "),
    })?;
    let grid = Grid::of_stages(run, found);
    let costs: Vec<_> = grid.columns.iter().map(|column| column.arm.and(column.stage).map(|stage| stage.cost)).collect();
    let mut out = format!("{} · {} · {}\n", run.name, found.name, status(&found.status));
    if let Some(description) = &found.description {
        out.push_str(&format!("{description}\n"));
    }
    let path: Vec<&str> = found.stages.iter().map(|stage| stage.name.as_str()).collect();
    out.push_str(&format!("base → {}\n\n", path.join(" → ")));
    out.push_str(&results::table(&grid, &costs, width));
    out.push_str(&results::legend(&grid, "that of the checkpoint it started from"));
    out.push_str(&gates::table(&[found], width));
    Ok(out)
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
    arm.stages.iter().flat_map(|stage| stage.notes.iter().map(|note| (stage.name.as_str(), note.as_str())))
}
