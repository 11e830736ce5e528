//! What the run cost, by arm and stage.

use temper_train::Cost;

use super::{Page, cell, section};
use crate::markup::{El, el};
use crate::svg;
use crate::terminal::COSTS;

/// Costs outside the arms, then each arm with its stages.
pub fn section_of(page: &Page) -> El {
    let lead = "Evaluation is part of a stage's cost. FLOPs follow from the model's dimensions and the tokens it processed; \
                peak memory is that of the whole process so far.";
    let head = std::iter::once("").chain(COSTS.iter().map(|(title, _)| *title));
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let outside = el("th").attr("scope", "row").add(svg::swatch(None)).text("outside the arms");
    let shared = el("tbody").add(el("tr").add(outside).all(amounts(&page.run.cost)));
    let arms = page.run.arms.iter().enumerate().map(|(index, arm)| {
        let name = el("th").attr("scope", "row").add(svg::swatch(Some(index))).text(&arm.name);
        let stages = arm.stages.iter().map(|stage| {
            el("tr").class("minor").add(el("th").attr("scope", "row").text(&stage.name)).all(amounts(&stage.cost))
        });
        el("tbody").add(el("tr").add(name).all(amounts(&arm.cost))).all(stages)
    });
    let table = el("table").class("costs").add(el("thead").add(head)).add(shared).all(arms);
    section("costs", "Cost", lead).add(cell::scroll("Costs", table))
}

fn amounts(cost: &Cost) -> Vec<El> {
    COSTS.iter().map(|(_, text)| el("td").text(text(cost))).collect()
}
