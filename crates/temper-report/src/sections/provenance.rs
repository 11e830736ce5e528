//! Where every number comes from: recipe, checkpoints, logs, digests.

use temper_run::summary::StageSummary;

use super::{Page, cell, folded, section};
use crate::markup::{El, Markup, el, href};
use crate::number;

/// Files of a run that are linked when they are there.
const FILES: [(&str, &str); 3] = [
    ("recipe.yaml", "the recipe with every default"),
    ("ledger.sqlite", "the ledger"),
    ("summary.json", "these numbers"),
];

/// Checkpoints with digests and logs, the run's files, the recipe.
pub fn section_of(page: &Page) -> El {
    let lead = "Links are relative to the run's directory, so they work wherever the directory is copied whole.";
    let files = FILES
        .iter()
        .filter(|(file, _)| page.dir.join(file).exists())
        .map(|(file, what)| el("li").add(el("a").attr("href", href(file)).text(*file)).text(", ").text(*what));
    let files: Vec<El> = files.collect();
    let files = (!files.is_empty()).then(|| el("ul").all(files));
    let head = ["Checkpoint", "Digest of the weights", "Files", "Item logs"];
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let arms = page.run.arms.iter().map(|arm| {
        let rows = arm.stages.iter().map(|stage| row(&format!("{} · {}", arm.name, stage.name), stage));
        el("tbody").all(rows)
    });
    let base = el("tbody").add(row("base", &page.run.base));
    let table = el("table").class("sources").add(el("thead").add(head)).add(base).all(arms);
    section("provenance", "Provenance", lead)
        .add(files)
        .add(data(page))
        .add(cell::scroll("Checkpoints", table))
        .add(recipe(page))
        .add(el("p").class("quiet").text("Digest of the recipe: ").add(el("code").text(&page.run.recipe_digest)))
}

fn row(name: &str, stage: &StageSummary) -> El {
    let link = |path: &String, text: &str| el("a").attr("href", href(path)).text(text);
    let files = [
        stage.checkpoint.as_ref().map(|path| link(path, "checkpoint")),
        stage.metrics.as_ref().map(|path| link(path, "metrics")),
        stage.dataset.as_ref().map(|path| link(path, "rows")),
    ];
    let logs = stage.logs.iter().map(|(suite, path)| link(path, suite));
    el("tr")
        .add(el("th").attr("scope", "row").text(name))
        .add(el("td").add(el("code").text(&stage.digest)))
        .add(el("td").class("links").all(files.into_iter().flatten()))
        .add(el("td").class("links").all(logs))
}

/// The sources that were trained on, each with its card.
fn data(page: &Page) -> Option<El> {
    if page.run.data.is_empty() {
        return None;
    }
    let head = ["Training data", "From", "Licence", "Rows", "Left out", "Near items", "Learned tokens"];
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let rows = page.run.data.iter().map(|data| {
        let near: usize = data.near_items.values().sum();
        let learned: Vec<String> = data.learned.iter().map(|tokens| number::grouped(*tokens as f64)).collect();
        // Where the licence stands is in the card.
        let licence = data.licence.as_deref().map_or("not stated", |text| text.split(" (").next().unwrap_or(text));
        let cell = |text: String| el("td").text(text);
        el("tr")
            .add(el("th").attr("scope", "row").add(el("a").attr("href", href(&data.card)).text(&data.name)))
            .add(el("td").text(&data.whence))
            .add(el("td").text(licence))
            .add(cell(number::grouped(data.rows as f64)))
            .add(cell(number::grouped(data.removed as f64)))
            .add(cell(number::grouped(near as f64)))
            .add(cell(if learned.is_empty() { number::MISSING.into() } else { learned.join(", ") }))
    });
    let table = el("table").class("sources").add(el("thead").add(head)).add(el("tbody").all(rows));
    Some(cell::scroll("Training data", table))
}

fn recipe(page: &Page) -> Markup {
    match std::fs::read_to_string(page.dir.join("recipe.yaml")) {
        Ok(text) => folded(el("span").text("The recipe as it ran"), el("pre").text(text)).into(),
        Err(_) => el("p").class("quiet").text("recipe.yaml is not in the run's directory.").into(),
    }
}
