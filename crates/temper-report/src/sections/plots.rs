//! One dot-and-interval plot per metric.

use super::{Page, cell, section};
use crate::markup::{El, el};
use crate::svg::{self, Dot};

/// Every metric as a small plot across the arms.
pub fn section_of(page: &Page) -> El {
    let lead = "The same numbers on a scale. The shaded band carries the base model's interval through.";
    let mut out = section("plots", "Metric by metric", lead);
    for rows in page.grid.suites() {
        let panels = rows.iter().map(|row| {
            let dots: Vec<Dot> = page
                .grid
                .columns
                .iter()
                .zip(&row.cells)
                .map(|(column, cell)| Dot {
                    name: column.name,
                    series: column.arm,
                    value: cell.and_then(|cell| cell.value),
                    interval: cell.and_then(|cell| cell.interval),
                })
                .collect();
            let title = format!("{}, {}: values and 95 % intervals by arm", row.title, row.suite_title);
            let caption = el("figcaption").text(row.title).text(" ").add(el("small").text(cell::direction(row)));
            el("figure").class("panel").add(caption).add(svg::dot_plot(&dots, row.scale(), row.style, &title))
        });
        out = out.add(el("h3").text(rows[0].suite_title)).add(el("div").class("panels").all(panels));
    }
    out
}
