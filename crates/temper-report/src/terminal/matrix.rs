//! Stage by metric with significant changes, and the safety tax.

use temper_eval::AxisChange;
use temper_run::summary::{ArmSummary, RunSummary};

use super::table::{lines, pad, plain, width as columns_of, wrap};
use crate::grid::{Change, Grid, arrow};
use crate::matrix::{self, TaxLine};
use crate::number::{MISSING, Style};

/// Metrics (rows) by stages (columns) of an arm; ▲ and ▼ mark changes from the parent that are significant after Holm's
/// correction, `!` those for the worse. Nothing where no change is known.
pub fn render_matrix(run: &RunSummary, arm: &ArmSummary, width: usize) -> String {
    if arm.stages.iter().all(|stage| stage.changes.is_empty()) {
        return String::new();
    }
    let grid = Grid::of_stages(run, arm);
    let cell = |row: &crate::grid::Row, index: usize| {
        let value = row.cells[index].and_then(|cell| cell.value);
        let mut text = value.map_or(MISSING.to_owned(), |value| row.style.value(value));
        if let Some(change) = matrix::change(&grid.columns[index], row) {
            let relation = matrix::relation(change);
            text.push_str(match (relation.mark(), relation.change(row.better)) {
                ("", _) => "   ",
                ("▲", Some(Change::Worse)) => " ▲!",
                ("▼", Some(Change::Worse)) => " ▼!",
                ("▲", _) => " ▲ ",
                _ => " ▼ ",
            });
        } else {
            text.push_str("   ");
        }
        text
    };
    let label = grid.rows.iter().map(|row| columns_of(row.title)).max().unwrap_or(0).min(34) + 6;
    let natural: Vec<usize> = (0..grid.columns.len())
        .map(|i| {
            let cells = grid.rows.iter().map(|row| columns_of(&cell(row, i))).max().unwrap_or(0);
            cells.max(columns_of(grid.columns[i].name)) + 1
        })
        .collect();
    let mut out = String::from("Stage by metric\n");
    // As many stages side by side as fit; the base model leads every part.
    let mut next = 1;
    while next < grid.columns.len() {
        let mut chosen = vec![0];
        let mut used = label + natural[0];
        while next < grid.columns.len() && (chosen.len() == 1 || used + natural[next] <= width) {
            used += natural[next];
            chosen.push(next);
            next += 1;
        }
        let widths: Vec<usize> = std::iter::once(label).chain(chosen.iter().map(|c| natural[*c])).collect();
        let mut head = plain(&widths, |column| column > 0);
        head.add_row(std::iter::once("metric").chain(chosen.iter().map(|c| grid.columns[*c].name)));
        out.push_str(&lines(&head));
        for rows in grid.suites() {
            out.push_str(&format!("{}\n", rows[0].suite_title));
            let mut table = plain(&widths, |column| column > 0);
            for row in rows {
                let name = format!("  {} {}", row.title, arrow(row.better));
                table.add_row(std::iter::once(name).chain(chosen.iter().map(|c| cell(row, *c))));
            }
            out.push_str(&lines(&table));
        }
    }
    let legend = "▲ ▼ changed from its parent on the same items, p ≤ 0.05 after Holm's correction over the checkpoint's metrics; \
                  ! for the worse";
    out.push_str(&wrap("  ", legend, width));
    out
}

/// The safety tax of the arms' stages and of the arms, and the dominated checkpoints; nothing when no axes are named.
pub fn tax(run: &RunSummary, arms: &[&ArmSummary], width: usize) -> String {
    let found = matrix::taxes(run);
    let lines: Vec<&TaxLine> = found.iter().filter(|line| arms.iter().any(|arm| arm.name == line.arm.name)).collect();
    if lines.is_empty() {
        return String::new();
    }
    let mut out = String::from("\nSafety tax: points of reasoning lost per point of safety gained\n");
    let name = |line: &TaxLine| match line.stage {
        Some(stage) => format!("{} · {}", line.arm.name, stage.name),
        None => format!("{} from the base model", line.arm.name),
    };
    let longest = lines.iter().map(|line| columns_of(&name(line))).max().unwrap_or(0) + 2;
    for line in lines {
        let changes = format!("reasoning {}, safety {}", axis(line.tax.reasoning), axis(line.tax.safety));
        let text = format!("{} ({changes})", tax_text(line));
        out.push_str(&wrap(&format!("  {}", pad(&name(line), longest)), &text, width));
    }
    let dominated = matrix::dominated(run);
    let said: Vec<String> = dominated.iter().map(|one| format!("{} (by {})", one.name, one.by)).collect();
    let said = if said.is_empty() { "none".to_owned() } else { said.join("; ") };
    out.push_str(&wrap("  Dominated on both axes: ", &said, width));
    out
}

/// The tax, or why there is none.
pub(crate) fn tax_text(line: &TaxLine) -> String {
    match (line.tax.tax, &line.tax.reason) {
        (Some(tax), _) => Style::Decimal(2).value(tax),
        (None, Some(reason)) => format!("undefined: {reason}"),
        (None, None) => "undefined".to_owned(),
    }
}

/// The change of an axis in points.
pub(crate) fn axis(change: Option<AxisChange>) -> String {
    let Some(change) = change else { return MISSING.to_owned() };
    let interval = (change.low.is_finite() && change.high.is_finite()).then_some((change.low, change.high));
    format!("{} {}", Style::Percent.difference(change.value), Style::Percent.interval(interval))
}
