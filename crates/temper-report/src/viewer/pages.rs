//! The pages of a run: one per suite, with the base model and each arm's result.

use std::path::{Path, PathBuf};

use temper_eval::{Log, Metric, open_log};
use temper_run::summary::{RunSummary, StageSummary};

use super::{LARGE_PAGE, render_viewer};
use crate::error::ReportError;
use crate::grid::Grid;

/// A page that was written, or why it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerFile {
    /// The suite.
    pub suite: String,
    /// The page; `None` where it would be too large.
    pub file: Option<PathBuf>,
    /// Its size in bytes.
    pub bytes: usize,
}

/// Page of a suite's items, relative to the run's directory.
pub fn viewer_path(suite: &str) -> String {
    format!("eval/{suite}.html")
}

/// Writes a page of items for every suite: the base model beside the result of each arm. A log that is absent or damaged is left
/// out, a page above [`LARGE_PAGE`] is not written.
///
/// # Errors
/// [`ReportError::Unwritable`].
pub fn write_viewers(run: &RunSummary, run_dir: &Path) -> Result<Vec<ViewerFile>, ReportError> {
    let grid = Grid::of_arms(run);
    let mut written = Vec::new();
    for suite in &run.suites {
        let mut logs: Vec<(String, Log)> = Vec::new();
        for column in &grid.columns {
            let Some(path) = column.stage.and_then(|stage| stage.logs.get(&suite.name)) else { continue };
            if let Ok(mut log) = open_log(&run_dir.join(path)) {
                if log.head.metrics.is_empty() {
                    log.head.metrics = metrics(column.stage, &suite.name);
                }
                logs.push((column.name.to_owned(), log));
            }
        }
        if logs.is_empty() {
            continue;
        }
        let named: Vec<(String, &Log)> = logs.iter().map(|(name, log)| (name.clone(), log)).collect();
        let page = render_viewer(&format!("{} · {}", run.name, suite.title), &named);
        let bytes = page.html.len();
        let file = run_dir.join(viewer_path(&suite.name));
        let file = if bytes > LARGE_PAGE {
            // An older, smaller page would show other items.
            let _ = std::fs::remove_file(&file);
            None
        } else {
            let beside = run_dir.join(format!("{}.tmp", viewer_path(&suite.name)));
            let result = std::fs::write(&beside, &page.html).and_then(|()| std::fs::rename(&beside, &file));
            result.map_err(|source| ReportError::Unwritable { file: file.clone(), source })?;
            Some(file)
        };
        written.push(ViewerFile { suite: suite.name.clone(), file, bytes });
    }
    Ok(written)
}

/// What the run says of a suite's metrics, for logs that hold the items alone.
fn metrics(stage: Option<&StageSummary>, suite: &str) -> Vec<Metric> {
    let mut out: Vec<Metric> = Vec::new();
    for one in stage.into_iter().flat_map(|stage| &stage.measurements).filter(|one| one.suite == suite) {
        if !out.iter().any(|known| known.name == one.metric) {
            let range = one.binary.then_some((0.0, 1.0));
            out.push(Metric { name: one.metric.clone(), title: one.title.clone(), better: one.better, range });
        }
    }
    out
}
