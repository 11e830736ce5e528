//! The arms' table: metric by arm with intervals.

use super::{Page, cell, folded, section};
use crate::markup::{El, Markup, el};
use crate::number::count;
use crate::paired::Difference;

/// Metrics against the base model and each arm's result.
pub fn section_of(page: &Page) -> El {
    let grid = &page.grid;
    let lead = "Each arm's last checkpoint beside the base model, on the same items. Brackets hold 95 % intervals; the bar \
                draws them over the base model's, shaded. A number leads to its item log.";
    let mut out = section("results", "Results", lead);
    if grid.rows.is_empty() {
        return out.add(el("p").class("quiet").text("Nothing has been measured yet."));
    }
    let sub = |index: usize| {
        let stage = grid.columns[index].stage.filter(|_| index > 0);
        match (index, stage) {
            (0, _) => el("small").text("before training"),
            (_, Some(stage)) => el("small").text(&stage.name),
            _ => el("small").text("not measured"),
        }
    };
    let head = (0..grid.columns.len()).map(|i| cell::heading(&grid.columns[i], sub(i)));
    let head = el("tr").add(el("th").attr("scope", "col").text("Metric")).all(head);
    let bodies = grid.suites().map(|rows| {
        let lines = rows.iter().map(|row| {
            let cells = (0..grid.columns.len()).map(|i| cell::measured(grid, row, i, Markup::default()));
            el("tr").add(cell::row_heading(row)).all(cells)
        });
        el("tbody").add(cell::suite_heading(rows, grid.columns.len())).all(lines).add(cell::cut_off(rows))
    });
    let table = el("table").class("grid").add(el("thead").add(head)).all(bodies);
    out = out.add(cell::scroll("Results by arm", table)).add(legend());
    out.add(differences(page))
}

/// What the marks mean.
fn legend() -> El {
    el("p")
        .class("legend")
        .add(el("span").class("mark-better").text("▲ ▼"))
        .text(" better or ")
        .add(el("span").class("mark-worse").text("▲ ▼"))
        .text(" worse: the interval lies entirely above or below the base model's. No mark: the intervals overlap.")
}

/// Differences from the base model, paired by item, folded away.
fn differences(page: &Page) -> Markup {
    let grid = &page.grid;
    let arms: Vec<usize> = (1..grid.columns.len()).filter(|i| grid.columns[*i].stage.is_some()).collect();
    let Some(base) = grid.columns[0].stage else { return Markup::default() };
    let found = |i: usize, row: &crate::grid::Row| {
        grid.columns[i].stage.and_then(|stage| page.paired.difference(base, stage, row.suite, row.metric))
    };
    if !arms.iter().any(|i| grid.rows.iter().any(|row| found(*i, row).is_some())) {
        return Markup::default();
    }
    let head = el("tr").add(el("th").attr("scope", "col").text("Metric"));
    let head = head.all(arms.iter().map(|i| cell::heading(&grid.columns[*i], Markup::default())));
    let bodies = grid.suites().map(|rows| {
        let lines = rows.iter().map(|row| {
            let cells = arms.iter().map(|i| match found(*i, row) {
                Some(difference) => el("td").add(shown(&difference, row)),
                None => el("td").class("none").text("—"),
            });
            el("tr").add(cell::row_heading(row)).all(cells)
        });
        el("tbody").add(cell::suite_heading(rows, arms.len())).all(lines)
    });
    let table = el("table").class("grid").add(el("thead").add(head)).all(bodies);
    let lead = "Each item is compared with itself, which decides smaller differences than two separate intervals can. \
                Percentages differ in percentage points. With many rows, some intervals miss zero by chance.";
    let body: Markup =
        [el("p").class("lead").text(lead), cell::scroll("Paired differences", table)].into_iter().collect();
    folded(el("span").text("Differences from the base model, paired by item"), body).into()
}

/// A paired difference with its interval, marked when the interval misses zero.
pub fn shown(difference: &Difference, row: &crate::grid::Row) -> Markup {
    let relation = difference.relation();
    let interval = row.style.interval(difference.interval);
    let interval = if interval.is_empty() { "no interval".to_owned() } else { interval };
    let class = match relation.change(row.better) {
        Some(crate::grid::Change::Better) => "num mark-better",
        Some(crate::grid::Change::Worse) => "num mark-worse",
        _ => "num",
    };
    let value = el("b").class(class).text(row.style.difference(difference.value));
    let interval = el("span").class("ci").text(interval).attr("title", count(difference.n, "paired item"));
    [value, interval].into_iter().collect()
}
