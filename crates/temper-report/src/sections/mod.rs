//! The parts of the page, one file each.

pub mod cell;
pub mod costs;
pub mod gates;
pub mod headline;
pub mod matrix;
pub mod plots;
pub mod provenance;
pub mod results;
pub mod samples;
pub mod slices;
pub mod stages;
pub mod training;

use std::path::Path;

use temper_run::summary::RunSummary;

use crate::grid::Grid;
use crate::markup::{El, Markup, el};
use crate::paired::Paired;

/// What every section reads.
pub struct Page<'a> {
    /// The run.
    pub run: &'a RunSummary,
    /// The run's directory, for curves, item logs and the recipe.
    pub dir: &'a Path,
    /// The base model and each arm's result.
    pub grid: Grid<'a>,
    /// Paired differences between checkpoints, from the item logs.
    pub paired: Paired<'a>,
}

/// A section with its heading and a sentence on how to read it.
pub fn section(id: &str, title: &str, lead: &str) -> El {
    let lead = (!lead.is_empty()).then(|| el("p").class("lead").text(lead));
    el("section").attr("id", id).add(el("h2").text(title)).add(lead)
}

/// A folded part.
pub fn folded(summary: impl Into<Markup>, body: impl Into<Markup>) -> El {
    el("details").add(el("summary").add(summary)).add(body)
}
