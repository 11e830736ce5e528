//! One number of a table: value linked to its item log, interval, bar, marks.

use temper_run::summary::StageSummary;

use crate::grid::{Change, Column, Estimate, Grid, Relation, Row};
use crate::markup::{El, Markup, el, href};
use crate::number::{self, MISSING};
use crate::svg::{self, Dot};

/// `body` as a link to the item log of `suite`, or as it is when the stage has no such log.
pub fn linked(body: impl Into<Markup>, stage: Option<&StageSummary>, suite: &str) -> Markup {
    match stage.and_then(|stage| stage.logs.get(suite)) {
        Some(log) => el("a").attr("href", href(log)).attr("title", "item log").add(body).into(),
        None => body.into(),
    }
}

/// ▲ or ▼ in the colour of an improvement or a loss, with the words for it.
pub fn mark(relation: Relation, change: Option<Change>, reference: &str) -> Markup {
    let Some(change) = change else { return Markup::default() };
    let (class, word) = match change {
        Change::Better => ("mark-better", "better"),
        Change::Worse => ("mark-worse", "worse"),
        Change::Neutral => ("mark-neutral", "different"),
    };
    let title = format!("{word}: the interval lies entirely {} that of {reference}", place(relation));
    let arrow = el("span").attr("aria-hidden", "true").text(relation.mark());
    el("span").class(class).attr("title", title).add(arrow).add(el("span").class("sr").text(word)).into()
}

fn place(relation: Relation) -> &'static str {
    if relation == Relation::Above { "above" } else { "below" }
}

/// A cell of a grid, as a `td`; `more` goes below the interval.
pub fn measured(grid: &Grid, row: &Row, index: usize, more: impl Into<Markup>) -> El {
    let column = &grid.columns[index];
    let Some(cell) = row.cells[index] else { return el("td").class("none").text(MISSING) };
    let mut td = el("td");
    let Some(value) = cell.value else {
        let text = if cell.unscored > 0 { "unscored" } else { MISSING };
        return td.class("none").add(linked(el("span").text(text), column.stage, row.suite)).add(lost(&cell));
    };
    let relation = row.relation(index, column.reference);
    let reference = column.reference.map_or("", |r| grid.columns[r].name);
    td = td.add(linked(el("b").class("num").text(row.style.value(value)), column.stage, row.suite));
    td = td.add(mark(relation, relation.change(row.better), reference));
    let interval = row.style.interval(cell.interval);
    td = td.add(el("span").class("ci").text(if interval.is_empty() { "no interval" } else { &interval }));
    if let Some((value, interval)) = cell.corrected {
        let text = format!("corrected {} {}", row.style.value(value), row.style.interval(interval));
        td = td.add(el("span").class("ci").attr("title", "corrected for the scorer's errors").text(text.trim_end()));
    }
    let reference = column.reference.and_then(|r| row.cells.get(r).copied().flatten());
    let dot = Dot { name: column.name, series: column.arm, value: Some(value), interval: cell.interval };
    td.add(svg::interval_bar(&dot, reference.and_then(|r| r.interval), row.scale())).add(lost(&cell)).add(more)
}

/// How many samples have no score, where there are any.
fn lost(cell: &Estimate) -> Markup {
    if cell.unscored == 0 {
        return Markup::default();
    }
    el("span").class("lost").text(format!("{} unscored", number::grouped(cell.unscored as f64))).into()
}

/// Heading cell of a column: the arm's mark and name.
pub fn heading(column: &Column, sub: impl Into<Markup>) -> El {
    let name = el("span").class("arm-name").add(svg::swatch(column.arm)).text(column.name);
    el("th").attr("scope", "col").add(name).add(sub)
}

/// Heading cell of a row: the metric and its better direction.
pub fn row_heading(row: &Row) -> El {
    let direction = direction(row);
    let small = (!direction.is_empty()).then(|| el("small").text(direction));
    el("th").attr("scope", "row").attr("title", format!("{} · {}", row.suite, row.metric)).text(row.title).add(small)
}

/// `higher is better` and the like.
pub fn direction(row: &Row) -> &'static str {
    match row.better {
        temper_score::Better::Higher => "higher is better",
        temper_score::Better::Lower => "lower is better",
        temper_score::Better::Neither => "",
    }
}

/// Row over a suite's metrics with its title and size.
pub fn suite_heading(rows: &[Row], columns: usize) -> El {
    let items = rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.n).max().unwrap_or(0);
    let size = el("small").text(number::count(items, "item"));
    let th = el("th").attr("colspan", columns + 1).attr("scope", "colgroup");
    el("tr").class("suite").add(th.add(el("span").class("stick").text(rows[0].suite_title).text(" ").add(size)))
}

/// Row under a suite's metrics with the share of completions cut off, where there were any.
pub fn cut_off(rows: &[Row]) -> Option<El> {
    let shares: Vec<Option<f64>> = rows.first()?.cells.iter().map(|cell| cell.map(|c| c.truncated)).collect();
    if !shares.iter().flatten().any(|share| *share > 0.0) {
        return None;
    }
    let text = |share: f64| number::Style::Percent.value(share);
    let cells = shares.iter().map(|share| el("td").text(share.map_or(MISSING.to_owned(), text)));
    Some(el("tr").class("minor").add(el("th").attr("scope", "row").text("cut off at the limit")).all(cells))
}

/// A table in a container that scrolls sideways by itself.
pub fn scroll(label: &str, table: El) -> El {
    el("div").class("scroll").attr("role", "region").attr("aria-label", label).attr("tabindex", 0).add(table)
}
