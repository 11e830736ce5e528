//! One dot-and-interval plot per metric.

use super::{Page, cell, section};
use crate::grid::Row;
use crate::markup::{El, el};
use crate::svg::{self, Dot};

/// Every metric as a small plot across the arms.
pub fn section_of(page: &Page) -> El {
    let lead = "The same numbers on a scale. The shaded band carries the base model's interval through.";
    let rows = page.grid.rows.iter();
    if page.grid.rows.is_empty() {
        return section("plots", "Metric by metric", "Nothing has been measured yet.");
    }
    section("plots", "Metric by metric", lead).add(el("div").class("panels").all(rows.map(|row| panel(page, row))))
}

fn panel(page: &Page, row: &Row) -> El {
    let cells = page.grid.columns.iter().zip(&row.cells);
    let dots: Vec<Dot> = cells
        .map(|(column, cell)| Dot {
            name: column.name,
            series: column.arm,
            value: cell.and_then(|cell| cell.value),
            interval: cell.and_then(|cell| cell.interval),
        })
        .collect();
    let title = format!("{}, {}: values and 95 % intervals by arm", row.title, row.suite_title);
    let direction = cell::direction(row);
    let below =
        if direction.is_empty() { row.suite_title.to_owned() } else { format!("{}; {direction}", row.suite_title) };
    let caption = el("figcaption").text(row.title).add(el("small").text(below));
    el("figure").class("panel").add(caption).add(svg::dot_plot(&dots, row.scale(), row.style, &title))
}
