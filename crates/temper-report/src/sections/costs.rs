//! What the run cost, by arm and stage.

use temper_train::Cost;

use super::{Page, cell, section};
use crate::markup::{El, el};
use crate::svg;
use crate::terminal::COSTS;

/// Costs outside the arms, then each arm with its stages.
pub fn section_of(page: &Page) -> El {
    let lead = "Training, with the sampling it needs; measuring checkpoints is listed apart and not part of an arm's sum. FLOPs \
                follow from the model's dimensions and the tokens it processed.";
    let head = std::iter::once("").chain(COSTS.iter().map(|(title, _)| *title));
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let outside = el("th").attr("scope", "row").add(svg::swatch(None)).text("base model, made and measured");
    let shared = el("tbody").add(el("tr").add(outside).all(amounts(&page.run.cost)));
    let arms = page.run.arms.iter().enumerate().map(|(index, arm)| {
        let name = el("th").attr("scope", "row").add(svg::swatch(Some(index))).text(&arm.name);
        let stages = arm.stages.iter().map(|stage| minor(&stage.name, &stage.cost));
        let measuring: Cost = arm.stages.iter().map(|stage| stage.evaluation_cost).sum();
        el("tbody")
            .add(el("tr").add(name).all(amounts(&arm.cost)))
            .all(stages)
            .add(minor("measuring, apart", &measuring))
    });
    let table = el("table").class("costs").add(el("thead").add(head)).add(shared).all(arms);
    section("costs", "Cost", lead).add(cell::scroll("Costs", table))
}

fn minor(name: &str, cost: &Cost) -> El {
    el("tr").class("minor").add(el("th").attr("scope", "row").text(name)).all(amounts(cost))
}

fn amounts(cost: &Cost) -> Vec<El> {
    COSTS.iter().map(|(_, text)| el("td").text(text(cost))).collect()
}
