//! Stage by metric: what each stage changed for good or ill, and the safety tax.

use temper_run::summary::ArmSummary;

use super::{Page, cell, folded, section};
use crate::grid::{Change, Grid, Relation, Row};
use crate::markup::{El, Markup, el};
use crate::matrix;
use crate::svg;
use crate::terminal;

/// One matrix per arm; nothing where no change is known.
pub fn section_of(page: &Page) -> Markup {
    if !matrix::known(page.run) {
        return Markup::default();
    }
    let lead = "A mark stands where a stage changed a metric from its parent's value, item by item, with p ≤ 0.05 after Holm's \
                correction over all metrics of the checkpoint that have a good direction.";
    let arms = page.run.arms.iter().enumerate().filter(|(_, arm)| arm.stages.iter().any(|s| !s.changes.is_empty()));
    let legend = el("p")
        .class("legend")
        .add(el("span").class("mark-better").text("▲ ▼"))
        .text(" better or ")
        .add(el("span").class("mark-worse").text("▲ ▼"))
        .text(" worse than the parent. No mark: no significant change.");
    section("matrix", "Stage by metric", lead).all(arms.map(|(i, arm)| table(page, i, arm))).add(legend).into()
}

fn table(page: &Page, index: usize, arm: &ArmSummary) -> El {
    let grid = Grid::of_stages(page.run, arm);
    let head = grid.columns.iter().map(|column| {
        let from = column.reference.map(|reference| format!("from {}", grid.columns[reference].name));
        let small = el("small").text(from.unwrap_or_else(|| "before training".to_owned()));
        el("th").attr("scope", "col").add(el("span").class("arm-name").text(column.name)).add(small)
    });
    let head = el("tr").add(el("th").attr("scope", "col").text("Metric")).all(head);
    let bodies = grid.suites().map(|rows| {
        let lines = rows.iter().map(|row| {
            let cells = (0..grid.columns.len()).map(|i| shown(&grid, row, i));
            el("tr").add(cell::row_heading(row)).all(cells)
        });
        el("tbody").add(cell::suite_heading(rows, grid.columns.len())).all(lines)
    });
    let table = el("table").class("grid").add(el("thead").add(head)).all(bodies);
    let title = el("span").class("arm-name").add(svg::swatch(Some(index))).add(el("b").text(&arm.name));
    // An arm of one stage has its change in the table of stages already.
    let open = grid.columns.len() > 2;
    folded(title, cell::scroll(&format!("Stages of {} by metric", arm.name), table)).class("stages").flag("open", open)
}

fn shown(grid: &Grid, row: &Row, index: usize) -> El {
    let column = &grid.columns[index];
    let Some(value) = row.cells[index].and_then(|cell| cell.value) else { return el("td").class("none").text("—") };
    let number = el("b").class("num").text(row.style.value(value));
    let td = el("td").add(cell::linked(number, column.stage, row.suite));
    let Some(change) = matrix::change(column, row) else { return td };
    let relation = matrix::relation(change);
    let title = format!(
        "{} {}, p {} after correction, {} items",
        row.style.difference(change.difference),
        row.style.interval((change.low.is_finite() && change.high.is_finite()).then_some((change.low, change.high))),
        if change.p_adjusted.is_finite() { format!("{:.3}", change.p_adjusted) } else { "not given".to_owned() },
        change.n
    );
    td.attr("title", title).add(mark(relation, relation.change(row.better)))
}

fn mark(relation: Relation, change: Option<Change>) -> Markup {
    let (class, word) = match change {
        None => return Markup::default(),
        Some(Change::Better) => ("mark-better", "better"),
        Some(Change::Worse) => ("mark-worse", "worse"),
        Some(Change::Neutral) => ("mark-neutral", "different"),
    };
    let arrow = el("span").attr("aria-hidden", "true").text(relation.mark());
    el("span").class(class).add(arrow).add(el("span").class("sr").text(word)).into()
}

/// The safety tax by stage and by arm, and the dominated checkpoints; nothing when the recipe names no axes.
pub fn tax(page: &Page) -> Markup {
    let lines = matrix::taxes(page.run);
    if lines.is_empty() {
        return Markup::default();
    }
    let axes = &page.run.axes;
    let lead = format!(
        "Points of reasoning ({}) lost per point of safety ({}) gained, −Δreasoning / Δsafety, both changes item by item with \
         95 % intervals. Undefined where safety did not rise significantly; below zero where reasoning rose too.",
        axes.reasoning.join(", "),
        axes.safety.join(", ")
    );
    let head = ["Arm", "Change", "Reasoning", "Safety", "Tax"];
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let rows = lines.iter().map(|line| {
        let position = page.run.arms.iter().position(|arm| arm.name == line.arm.name);
        let (change, weight) = match line.stage {
            Some(stage) => {
                let from = stage.parent.as_deref().map(|parent| format!("{} from {parent}", stage.name));
                (from.unwrap_or_else(|| stage.name.clone()), "span")
            }
            None => ("the whole arm, from base".to_owned(), "b"),
        };
        el("tr")
            .add(el("td").add(svg::swatch(position)).text(&line.arm.name))
            .add(el("td").add(el(weight).text(change)))
            .add(el("td").text(terminal::axis(line.tax.reasoning)))
            .add(el("td").text(terminal::axis(line.tax.safety)))
            .add(el("td").class("wide").add(el(weight).text(terminal::tax_text(line))))
    });
    let table = el("table").class("gates").add(el("thead").add(head)).add(el("tbody").all(rows));
    let dominated = matrix::dominated(page.run);
    let said = match dominated.is_empty() {
        true => el("p").class("legend").text("No checkpoint is dominated: none is matched or beaten on both axes by another."),
        false => el("div").add(el("p").class("legend").text("Dominated: another checkpoint is at least as good on both axes and better on one, by the measured values.")).add(
            el("ul").class("notes").all(dominated.iter().map(|one| el("li").text(format!("{}, by {}", one.name, one.by)))),
        ),
    };
    section("tax", "Safety tax", &lead).add(cell::scroll("Safety tax", table)).add(said).into()
}
