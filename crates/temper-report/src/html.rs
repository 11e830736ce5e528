//! The page as a whole.

use std::path::Path;

use temper_run::summary::RunSummary;

use crate::error::ReportError;
use crate::grid::Grid;
use crate::markup::{El, Markup, el};
use crate::paired::Paired;
use crate::sections::{self, Page};

/// File name of the report in a run's directory.
pub const REPORT_FILE: &str = "report.html";

const STYLE: &str = include_str!("style.css");

/// The report as one self-contained page: no script, no font, no image from anywhere else.
///
/// Reads what the summary points to below `run_dir`: `metrics.jsonl` of each stage, item logs, `recipe.yaml`. A file that is
/// absent or broken leaves a remark in its place.
pub fn render_html(run: &RunSummary, run_dir: &Path) -> String {
    let grid = Grid::of_arms(run);
    let page = Page { run, dir: run_dir, grid, paired: Paired::new(run, run_dir) };
    let sections = [
        sections::headline::arms(&page),
        sections::results::section_of(&page),
        sections::plots::section_of(&page),
        sections::stages::section_of(&page),
        sections::gates::section_of(&page),
        sections::training::section_of(&page),
        sections::samples::section_of(&page),
        sections::costs::section_of(&page),
        sections::provenance::section_of(&page),
    ];
    let head = el("head")
        .add(el("meta").attr("charset", "utf-8"))
        .add(el("meta").attr("name", "viewport").attr("content", "width=device-width, initial-scale=1"))
        .add(el("meta").attr("name", "color-scheme").attr("content", "light dark"))
        .add(el("meta").attr("name", "referrer").attr("content", "no-referrer"))
        // Nothing is fetched, and nothing a model wrote can run.
        .add(el("meta").attr("http-equiv", "Content-Security-Policy").attr("content", POLICY))
        .add(el("title").text(format!("{} · Temper", run.name)))
        .add(el("style").add(Markup::trusted(STYLE)));
    let foot = el("footer").text(format!("Made by Temper {} from this run alone.", run.temper_version));
    let main = el("main").add(sections::headline::header(&page)).add(contents()).all(sections).add(foot);
    let body = el("body").add(el("div").class("heat").attr("aria-hidden", "true")).add(main);
    let html: Markup = el("html").attr("lang", "en").add(head).add(body).into();
    format!("<!doctype html>\n{}\n", html.as_str())
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the report as [`REPORT_FILE`] into the run's directory, beside its final place first, and returns its path.
///
/// # Errors
/// [`ReportError::Unwritable`].
pub fn write_html(run: &RunSummary, run_dir: &Path) -> Result<std::path::PathBuf, ReportError> {
    let html = render_html(run, run_dir);
    let file = run_dir.join(REPORT_FILE);
    let beside = run_dir.join(format!("{REPORT_FILE}.tmp"));
    let written = std::fs::write(&beside, html).and_then(|()| std::fs::rename(&beside, &file));
    written.map_err(|source| ReportError::Unwritable { file: file.clone(), source })?;
    Ok(file)
}

fn contents() -> El {
    const LINKS: [(&str, &str); 9] = [
        ("arms", "Arms"),
        ("results", "Results"),
        ("plots", "Metrics"),
        ("stages", "Stages"),
        ("gates", "Gates"),
        ("training", "Training"),
        ("samples", "Samples"),
        ("costs", "Cost"),
        ("provenance", "Provenance"),
    ];
    let links = LINKS.map(|(id, title)| el("a").attr("href", format!("#{id}")).text(title));
    el("nav").attr("aria-label", "Sections").all(links)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    /// With `TEMPER_REPORT_SHOW=dir` the invented run and its report are left in that directory, for looking at.
    #[test]
    fn the_whole_page() {
        let temporary = tempfile::tempdir().unwrap();
        let shown = std::env::var_os("TEMPER_REPORT_SHOW").map(std::path::PathBuf::from);
        let dir = shown.as_deref().unwrap_or(temporary.path());
        std::fs::create_dir_all(dir).unwrap();
        let run = synthetic::run(dir);
        let file = write_html(&run, dir).unwrap();
        let html = std::fs::read_to_string(file).unwrap();
        std::fs::write(dir.join("terminal.txt"), crate::render_terminal(&run)).unwrap();
        for absent in ["<script", "http://", "https://", "NaN", "inf,", "src="] {
            assert!(!html.contains(absent), "{absent}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(html.contains("小明有三本书"));
    }
}
