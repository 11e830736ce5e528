//! Reducers and slices: what the arms' table leaves out, folded.

use temper_eval::Measurement;
use temper_recipe::Reducer;

use super::{Page, cell, folded, section};
use crate::grid::{Estimate, shares};
use crate::markup::{El, Markup, el};
use crate::number::{MISSING, Style, count};
use crate::terminal::why_none;

/// What one row of a breakdown is: the suite, the metric, the reducer and the slice.
type Key<'a> = (&'a str, &'a str, Reducer, Option<&'a (String, String)>);

fn key(m: &Measurement) -> Key<'_> {
    (&m.suite, &m.metric, m.reducer, m.slice.as_ref())
}

/// A folded table for each suite with more than one reducer or with slices; nothing where there is none.
pub fn section_of(page: &Page) -> Option<El> {
    let stages: Vec<_> = page.grid.columns.iter().map(|column| column.stage).collect();
    let all = || stages.iter().flatten().flat_map(|stage| &stage.measurements);
    let mut keys: Vec<&Measurement> = Vec::new();
    for m in all().filter(|m| why_none(m).is_none()) {
        if !keys.iter().any(|other| key(other) == key(m)) {
            keys.push(m);
        }
    }
    let mut parts: Vec<El> = Vec::new();
    let mut suites: Vec<&str> = Vec::new();
    for m in &keys {
        if !suites.contains(&m.suite.as_str()) {
            suites.push(&m.suite);
        }
    }
    for suite in suites {
        let mine: Vec<&&Measurement> = keys.iter().filter(|m| m.suite == suite).collect();
        let metrics: Vec<&str> = mine.iter().map(|m| m.metric.as_str()).collect();
        let one_each = metrics.iter().enumerate().all(|(i, metric)| !metrics[..i].contains(metric));
        if one_each {
            continue;
        }
        let title = page.run.suites.iter().find(|s| s.name == suite).map_or(suite, |s| s.title.as_str());
        let head = el("tr").add(el("th").attr("scope", "col").text("Metric"));
        let head = head.all(page.grid.columns.iter().map(|column| cell::heading(column, Markup::default())));
        let lines = mine.iter().map(|m| {
            let cells = stages.iter().map(|stage| {
                let found = stage.and_then(|stage| stage.measurements.iter().find(|other| key(other) == key(m)));
                let shares = shares(page.run, &m.metric);
                found.map_or_else(|| el("td").class("none").text(MISSING), |m| measured(m, shares))
            });
            let name = el("th").attr("scope", "row").text(title_of(m)).add(el("small").text(what(m)));
            el("tr").add(name).all(cells)
        });
        let table = el("table").class("grid").add(el("thead").add(head)).add(el("tbody").all(lines));
        let sliced = mine.iter().filter(|m| m.slice.is_some()).count();
        let summary = el("span").text(format!("{title}: {}", count(sliced.max(mine.len() - sliced), "row")));
        parts.push(folded(summary, cell::scroll(title, table)));
    }
    if parts.is_empty() {
        return None;
    }
    let lead = "The same metrics by other reducers of an item's repeats, and within slices of the items. Brackets hold 95 % \
                intervals; with many slices some lie apart by chance.";
    Some(section("slices", "Reducers and slices", lead).all(parts))
}

fn title_of(m: &Measurement) -> &str {
    if m.title.is_empty() { &m.metric } else { &m.title }
}

/// `pass@4 · language de`, or the reducer alone.
fn what(m: &Measurement) -> String {
    let slice = m.slice.as_ref().map(|(name, value)| format!("{name}: {value}"));
    match (m.reducer, slice) {
        (Reducer::Mean, Some(slice)) => slice,
        (reducer, Some(slice)) => format!("{reducer} · {slice}"),
        (reducer, None) => format!("{reducer} · all items"),
    }
}

/// A cell; `shares`: whether the metric reads as a share everywhere.
fn measured(m: &Measurement, shares: bool) -> El {
    let estimate = Estimate::of(m);
    let style = if shares { Style::Percent } else { Style::decimal(estimate.value) };
    let Some(value) = estimate.value else { return el("td").class("none").text(MISSING) };
    let interval = style.interval(estimate.interval);
    let clusters = m.clusters.map(|clusters| format!(" in {}", count(clusters, "cluster"))).unwrap_or_default();
    let interval = if interval.is_empty() { "no interval".to_owned() } else { interval };
    el("td")
        .attr("title", format!("{}{clusters}", count(estimate.n, "item")))
        .add(el("b").class("num").text(style.value(value)))
        .add(el("span").class("ci").text(interval))
}
