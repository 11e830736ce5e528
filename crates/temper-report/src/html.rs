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

const STYLE: &str = concat!(include_str!("tokens.css"), include_str!("style.css"));

/// The report as one self-contained page: no script, no font, no image from anywhere else.
///
/// Reads what the summary points to below `run_dir`: `metrics.jsonl` of each stage, item logs, `recipe.yaml`. A file that is
/// absent or broken leaves a remark in its place.
pub fn render_html(run: &RunSummary, run_dir: &Path) -> String {
    let grid = Grid::of_arms(run);
    let page = Page { run, dir: run_dir, grid, paired: Paired::new(run, run_dir) };
    // The matrix and the tax are empty where a run has no paired changes or names no axes.
    let sections: [Markup; 12] = [
        sections::headline::arms(&page).into(),
        sections::results::section_of(&page).into(),
        sections::slices::section_of(&page).map(Into::into).unwrap_or_default(),
        sections::plots::section_of(&page).into(),
        sections::stages::section_of(&page).into(),
        sections::matrix::section_of(&page),
        sections::matrix::tax(&page),
        sections::gates::section_of(&page).into(),
        sections::training::section_of(&page).into(),
        sections::samples::section_of(&page).into(),
        sections::costs::section_of(&page).into(),
        sections::provenance::section_of(&page).into(),
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
    let main = el("main").add(sections::headline::header(&page)).add(contents(&sections)).all(sections).add(foot);
    let body = el("body").add(el("div").class("heat").attr("aria-hidden", "true")).add(main);
    let html: Markup = el("html").attr("lang", "en").add(head).add(body).into();
    format!("<!doctype html>\n{}\n", html.as_str())
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the report as [`REPORT_FILE`] into the run's directory, beside its final place first, and returns its path. The pages of
/// items that it links to are written first ([`write_viewers`](crate::write_viewers)).
///
/// # Errors
/// [`ReportError::Unwritable`].
pub fn write_html(run: &RunSummary, run_dir: &Path) -> Result<std::path::PathBuf, ReportError> {
    crate::write_viewers(run, run_dir)?;
    let html = render_html(run, run_dir);
    let file = run_dir.join(REPORT_FILE);
    let beside = run_dir.join(format!("{REPORT_FILE}.tmp"));
    let written = std::fs::write(&beside, html).and_then(|()| std::fs::rename(&beside, &file));
    written.map_err(|source| ReportError::Unwritable { file: file.clone(), source })?;
    Ok(file)
}

/// Links to the sections that are there.
fn contents(sections: &[Markup]) -> El {
    const LINKS: [(&str, &str); 12] = [
        ("arms", "Arms"),
        ("results", "Results"),
        ("slices", "Slices"),
        ("plots", "Metrics"),
        ("stages", "Stages"),
        ("matrix", "Matrix"),
        ("tax", "Tax"),
        ("gates", "Gates"),
        ("training", "Training"),
        ("samples", "Samples"),
        ("costs", "Cost"),
        ("provenance", "Provenance"),
    ];
    let there = LINKS.iter().zip(sections).filter(|(_, section)| !section.is_empty());
    let links = there.map(|((id, title), _)| el("a").attr("href", format!("#{id}")).text(*title));
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

    #[test]
    fn every_number_leads_to_its_log_and_every_link_to_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        crate::write_viewers(&run, dir.path()).unwrap();
        let html = render_html(&run, dir.path());
        assert_eq!(
            html.matches("all items: filter, search, compare").count(),
            2,
            "of the suites whose samples are shown"
        );
        let links: Vec<&str> = html.split("href=\"./").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 100, "{}", links.len());
        for link in links.iter().filter(|link| !link.ends_with("/checkpoint")) {
            assert!(dir.path().join(link).exists(), "{link}");
        }
        let numbers = html.matches("<td><a href=").count();
        assert_eq!(numbers, html.matches("<td><a href=\"./eval/").count());
    }

    #[test]
    fn a_run_without_its_files_is_still_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let empty = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        let html = render_html(&run, empty.path());
        for expected in ["No stage has written training metrics", "no metrics there", "recipe.yaml is not"] {
            assert!(html.contains(expected), "{expected}");
        }
        assert!(!html.contains("paired by item"));
    }

    #[test]
    fn a_broken_log_is_a_remark() {
        let dir = tempfile::tempdir().unwrap();
        let run = synthetic::run(dir.path());
        std::fs::write(dir.path().join("eval/familiar/base.eval"), "{\"id\": 3").unwrap();
        let html = render_html(&run, dir.path());
        assert!(html.contains("not paired: "));
        assert!(html.contains("Differences from the base model, paired by item"), "the other suites still pair");
    }

    #[test]
    fn an_arm_rolled_back_to_the_base_model_shows_the_base_model() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(dir.path());
        run.arms[1].status = temper_run::summary::ArmStatus::RolledBack {
            stage: "01-grpo".to_owned(),
            gate: "harmful.lab_unsafe".to_owned(),
            to: temper_run::summary::BASE.to_owned(),
        };
        let grid = Grid::of_arms(&run);
        assert_eq!(grid.rows[0].cells[2], grid.rows[0].cells[0]);
        assert!(render_html(&run, dir.path()).contains("Rolled back from 01-grpo to base by gate harmful.lab_unsafe."));
    }

    #[test]
    fn a_run_that_has_only_begun_is_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let mut run = synthetic::run(dir.path());
        run.arms.clear();
        run.base.measurements.clear();
        run.base.samples.clear();
        let html = render_html(&run, dir.path());
        assert!(html.contains("nothing has been measured yet"));
    }
}
