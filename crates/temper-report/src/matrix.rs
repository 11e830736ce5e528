//! Which stage changed which metric: significant changes from the parent, and the safety tax.

use temper_eval::{PairedComparison, Tax, axis_value, dominated_by, safety_tax};
use temper_run::summary::{ArmSummary, RunSummary, StageSummary};

use crate::grid::{Column, Relation, Row};

/// Largest p, after Holm's correction over a checkpoint's metrics, of a change that is marked.
pub const ALPHA: f64 = 0.05;

/// The change of a metric from the checkpoint's parent, where both were measured.
pub fn change<'a>(column: &Column<'a>, row: &Row) -> Option<&'a PairedComparison> {
    column.stage?.changes.iter().find(|one| one.suite == row.suite && one.metric == row.metric)
}

/// How a change lies to zero, where it is significant.
pub fn relation(change: &PairedComparison) -> Relation {
    match change.p_adjusted <= ALPHA {
        true if change.difference > 0.0 => Relation::Above,
        true if change.difference < 0.0 => Relation::Below,
        _ => Relation::Unclear,
    }
}

/// Whether any stage of the run has changes to show; runs of older versions have none.
pub fn known(run: &RunSummary) -> bool {
    run.arms.iter().flat_map(|arm| &arm.stages).any(|stage| !stage.changes.is_empty())
}

/// One line of the tax: a stage against its parent, or an arm's result against the base model.
pub struct TaxLine<'a> {
    /// The arm.
    pub arm: &'a ArmSummary,
    /// The stage; `None` for the whole arm.
    pub stage: Option<&'a StageSummary>,
    /// The tax.
    pub tax: Tax,
}

/// The tax of every measured stage and of every arm; nothing when the recipe names no axes.
pub fn taxes(run: &RunSummary) -> Vec<TaxLine<'_>> {
    if !run.axes.named() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for arm in &run.arms {
        for stage in arm.stages.iter().filter(|stage| !stage.changes.is_empty()) {
            let tax = safety_tax(&run.axes, &stage.changes, &stage.measurements);
            lines.push(TaxLine { arm, stage: Some(stage), tax });
        }
        // An arm of one measured stage is that stage.
        let measured = arm.stages.iter().filter(|stage| !stage.changes.is_empty()).count();
        if let Some(result) = arm.result().filter(|stage| measured > 1 && !stage.since_base.is_empty()) {
            let tax = safety_tax(&run.axes, &result.since_base, &result.measurements);
            lines.push(TaxLine { arm, stage: None, tax });
        }
    }
    lines
}

/// A checkpoint that another one beats or equals on both axes.
pub struct Dominated {
    /// The checkpoint, as `arm · stage`.
    pub name: String,
    /// The first that is better.
    pub by: String,
}

/// The Pareto-dominated checkpoints, by their measured values; nothing when the recipe names no axes.
pub fn dominated(run: &RunSummary) -> Vec<Dominated> {
    if !run.axes.named() {
        return Vec::new();
    }
    let stages = run.arms.iter().flat_map(|arm| arm.stages.iter().map(move |stage| (Some(arm), stage)));
    let mut names = Vec::new();
    let mut points = Vec::new();
    for (arm, stage) in std::iter::once((None, &run.base)).chain(stages) {
        let value = |metrics: &[String]| axis_value(metrics, &stage.measurements);
        if let (Some(reasoning), Some(safety)) = (value(&run.axes.reasoning), value(&run.axes.safety)) {
            names.push(arm.map_or(stage.name.clone(), |arm| format!("{} · {}", arm.name, stage.name)));
            points.push((reasoning, safety));
        }
    }
    let found = names.iter().zip(dominated_by(&points));
    found.filter_map(|(name, by)| Some(Dominated { name: name.clone(), by: names[by?].clone() })).collect()
}

#[cfg(test)]
mod tests {
    use crate::synthetic;

    #[test]
    fn changes_taxes_and_dominated_checkpoints() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        let lines = super::taxes(&run);
        // Six measured stages, and the arm that has more than one.
        assert_eq!(lines.len(), 7);
        assert!(lines.iter().any(|line| line.tax.tax.is_some()) && lines.iter().any(|line| line.tax.reason.is_some()));
        let dominated = super::dominated(&run);
        assert!(dominated.iter().any(|one| one.name == "rl_only · 01-grpo"), "lower on both axes than the base model");
        let mut without = run.clone();
        without.axes = Default::default();
        assert!(super::taxes(&without).is_empty() && super::dominated(&without).is_empty());
        let text = crate::render_matrix(&run, &run.arms[2], 120);
        let solved = text.lines().find(|line| line.contains("Solved")).unwrap();
        assert!(solved.contains('▲') && text.contains("Holm"), "{text}");
        let html = crate::render_html(&run, dir.path());
        for expected in ["Stage by metric", "Safety tax", "undefined: safety did not rise significantly", "Dominated"] {
            assert!(html.contains(expected), "{expected}");
        }
        assert!(!crate::render_html(&without, dir.path()).contains("Safety tax"));
    }
}
