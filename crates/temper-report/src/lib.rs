//! Terminal tables and the HTML report of a run.
//!
//! Everything here is drawn from a [`RunSummary`](temper_run::summary::RunSummary) and the files it points to; nothing is
//! measured. A number that has no interval shows none, a number that is missing shows `—`, and a cell is marked as
//! different from its reference only when the two 95 % intervals do not touch.

mod curves;
mod error;
mod grid;
mod health;
mod html;
mod markup;
mod matrix;
mod number;
mod paired;
mod sections;
mod svg;
mod terminal;
mod viewer;
mod when;

#[cfg(test)]
mod synthetic;

pub use error::ReportError;
pub use html::{REPORT_FILE, render_html, write_html};
pub use terminal::{
    Look, RowOptions, ScorerSpeed, WIDTH, direction, nature, part, render_arm, render_arm_at, render_bench,
    render_calibration, render_comparison, render_gates, render_hacking, render_legend, render_log, render_matrix,
    render_measurements, render_row, render_scored, render_scorer_bench, render_scorer_list, render_slice_comparison,
    render_slices, render_stats, render_template, render_terminal, render_terminal_at, render_unreadable,
    render_validation, render_verdict,
};
pub use viewer::{LARGE_PAGE, ViewerFile, ViewerPage, render_viewer, viewer_path, write_viewers};
