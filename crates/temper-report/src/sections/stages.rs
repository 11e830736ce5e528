//! Each arm's path: metric by stage, with the difference each stage made and the gates' verdicts.

use temper_eval::Verdict;
use temper_run::summary::{ArmSummary, StageSummary};

use super::{Page, cell, folded, results, section};
use crate::grid::{Grid, Row};
use crate::markup::{El, Markup, el};
use crate::number::count;
use crate::terminal;

/// One table per arm.
pub fn section_of(page: &Page) -> El {
    let lead = "What each stage did. Δ is the change from the checkpoint the stage started from: every item compared with \
                itself, with its 95 % interval, where both item logs are there.";
    let arms = page.run.arms.iter().enumerate().map(|(index, arm)| table(page, index, arm));
    let legend = el("p")
        .class("legend")
        .text("Gates: ")
        .add(badge(Verdict::Pass, ""))
        .text(" passed, ")
        .add(badge(Verdict::Fail, ""))
        .text(" failed, ")
        .add(badge(Verdict::Undecided, ""))
        .text(" undecided.");
    let problems = page.paired.problems();
    let problems =
        (!problems.is_empty()).then(|| el("ul").class("notes").all(problems.iter().map(|p| el("li").text(p))));
    section("stages", "Stage by stage", lead).all(arms).add(legend).add(problems)
}

fn table(page: &Page, index: usize, arm: &ArmSummary) -> Markup {
    let grid = Grid::of_stages(page.run, arm);
    let stages = count(grid.columns.len() - 1, "measured stage");
    let title = el("span").class("arm-name").add(crate::svg::swatch(Some(index))).add(el("b").text(&arm.name));
    let title = title.text(" ").add(el("small").text(stages));
    if grid.columns.len() < 2 {
        return el("p").class("quiet").add(title).into();
    }
    let head = grid.columns.iter().map(|column| {
        let kind = column.stage.filter(|_| column.arm.is_some()).map_or("before training", |stage| &stage.kind);
        let from = column.reference.filter(|_| column.arm.is_some()).map(|r| grid.columns[r].name);
        let sub = from.map_or(kind.to_owned(), |from| format!("{kind} from {from}"));
        el("th").attr("scope", "col").add(el("span").class("arm-name").text(column.name)).add(el("small").text(sub))
    });
    let head = el("tr").add(el("th").attr("scope", "col").text("Metric")).all(head);
    let bodies = grid.suites().map(|rows| {
        let lines = rows.iter().map(|row| {
            let cells = (0..grid.columns.len()).map(|i| cell::measured(&grid, row, i, below(page, &grid, row, i)));
            el("tr").add(cell::row_heading(row)).all(cells)
        });
        el("tbody").add(cell::suite_heading(rows, grid.columns.len())).all(lines).add(cell::cut_off(rows))
    });
    let table = el("table").class("grid").add(el("thead").add(head)).all(bodies);
    // An arm of one stage shows what the results above show already.
    let open = grid.columns.len() > 2;
    folded(title, cell::scroll(&format!("Stages of {}", arm.name), table)).class("stages").flag("open", open).into()
}

/// Δ and gate marks of a cell.
fn below(page: &Page, grid: &Grid, row: &Row, index: usize) -> Markup {
    let column = &grid.columns[index];
    let (Some(stage), Some(reference)) = (column.stage, column.reference) else { return Markup::default() };
    let mut out = Markup::default();
    if let Some(parent) = grid.columns[reference].stage {
        out.push(delta(page, row, index, reference, parent, stage));
    }
    let gates = stage.gates.iter().filter(|gate| gate.suite == row.suite && gate.metric == row.metric);
    let badges = gates.map(|gate| {
        let style = terminal::gate_style(page.run, gate);
        badge(gate.verdict, &terminal::gate_sentence(gate, style))
    });
    let badges: Markup = badges.collect();
    if !badges.is_empty() {
        out.push(el("span").class("badges").add(badges));
    }
    out
}

fn delta(
    page: &Page,
    row: &Row,
    index: usize,
    reference: usize,
    parent: &StageSummary,
    stage: &StageSummary,
) -> Markup {
    if let Some(paired) = page.paired.difference(parent, stage, row.suite, row.metric) {
        return el("span").class("delta").text("Δ ").add(results::shown(&paired, row)).into();
    }
    let value = |i: usize| row.cells[i].and_then(|cell| cell.value);
    match (value(index), value(reference)) {
        (Some(now), Some(before)) => {
            let text = format!("Δ {}", row.style.difference(now - before));
            el("span")
                .class("delta")
                .attr("title", "difference of the two values; no item logs to pair")
                .text(text)
                .into()
        }
        _ => Markup::default(),
    }
}

/// A verdict as a sign with its word for those who cannot see it.
pub fn badge(verdict: Verdict, title: &str) -> El {
    let (class, sign, word) = match verdict {
        Verdict::Pass => ("badge pass", "✓", "gate passed"),
        Verdict::Fail => ("badge fail", "✗", "gate failed"),
        Verdict::Undecided => ("badge open", "?", "gate undecided"),
    };
    let title = if title.is_empty() { word } else { title };
    el("span").class(class).attr("title", title).attr("role", "img").attr("aria-label", word).text(sign)
}
