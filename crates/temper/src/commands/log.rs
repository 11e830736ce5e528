//! `temper log`: item logs shown, converted and made into a page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use temper_eval::{Log, Measurement, open_log, write_lm_eval, write_log_with};

use crate::args::{LogArgs, LogCommand, LogFormat};
use crate::commands;
use crate::error::CliError;

/// Runs a `temper log` command.
pub fn log(args: &LogArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        LogCommand::Show { log, slices, json } => show(log, *slices, *json)?,
        LogCommand::Convert { logs, to, out } => convert(logs, *to, out)?,
        LogCommand::View { logs, out } => view(logs, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(file: &Path, slices: bool, as_json: bool) -> Result<(), CliError> {
    let log = open_log(file)?;
    let measurements = measurements(&log);
    if !as_json {
        if !slices {
            return commands::print(&temper_report::render_log(&log, &measurements));
        }
        let whole: Vec<Measurement> = measurements.iter().filter(|m| m.slice.is_none()).cloned().collect();
        commands::print(&temper_report::render_log(&log, &whole))?;
        return commands::print(&format!("\n{}", temper_report::render_slices(&measurements)));
    }
    let head = &log.head;
    let recorded: Vec<_> = head
        .recorded
        .iter()
        .map(|one| json!({"scorer": one.scorer, "reducer": one.reducer, "name": one.name, "value": one.value}))
        .collect();
    commands::print_json(&json!({
        "suite": head.suite,
        "model": head.model,
        "status": head.status.word(),
        "created": head.created,
        "writer": head.writer,
        "dataset": head.dataset,
        "repeats": head.repeats,
        "sampling": head.sampling,
        "seed": head.seed,
        "provenance": head.provenance,
        "notes": head.notes,
        "samples": log.records.len(),
        "recorded": recorded,
        "measurements": measurements,
    }))
}

/// What the items of each suite measure.
fn measurements(log: &Log) -> Vec<Measurement> {
    let suites: BTreeSet<&str> = log.records.iter().map(|record| record.suite.as_str()).collect();
    let of = |suite: &str| {
        let records: Vec<_> = log.records.iter().filter(|record| record.suite == suite).cloned().collect();
        temper_eval::measure(suite, &[temper_recipe::Reducer::Mean], &records, &log.head.metrics_of(&records))
    };
    suites.into_iter().flat_map(of).collect()
}

fn convert(logs: &[PathBuf], to: LogFormat, out: &Path) -> Result<(), CliError> {
    let extension = match to {
        LogFormat::LmEval => return convert_to_lm_eval(logs, out),
        LogFormat::Eval => "eval",
        LogFormat::Jsonl => "jsonl",
    };
    let several = logs.len() > 1;
    if !several && !out.is_dir() && out.extension().is_none_or(|found| found != extension) {
        return Err(CliError::message(format!("--out {}: name a file that ends in .{extension}", out.display())));
    }
    let mut targets: Vec<PathBuf> = Vec::new();
    for log in logs {
        let target = if several || out.is_dir() {
            let mut name = log.file_stem().unwrap_or_default().to_owned();
            name.push(format!(".{extension}"));
            out.join(name)
        } else {
            out.to_owned()
        };
        if targets.contains(&target) || same(&target, log) {
            return Err(CliError::message(format!(
                "{}: {} is taken by another of the logs; choose another folder or convert it by itself",
                log.display(),
                target.display()
            )));
        }
        targets.push(target);
    }
    for (file, target) in logs.iter().zip(&targets) {
        let log = open_log(file)?;
        write_log_with(target, &log.head, &log.records)?;
        let samples = log.records.len();
        commands::print(&format!("{} → {}, {samples} samples\n", file.display(), target.display()))?;
        log.head.notes.iter().try_for_each(|note| commands::print(&format!("  {note}\n")))?;
        if to == LogFormat::Jsonl && (!log.head.metrics.is_empty() || !log.head.recorded.is_empty()) {
            commands::print(
                "  lines hold the items alone: model, sampling and the scorers' titles stay in the .eval log\n",
            )?;
        }
    }
    Ok(())
}

/// Whether two paths are one file.
fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn convert_to_lm_eval(files: &[PathBuf], out: &Path) -> Result<(), CliError> {
    if out.is_file() {
        return Err(CliError::message(format!("--out {}: lm-eval's results are a folder; name one", out.display())));
    }
    let logs = files.iter().map(|file| open_log(file)).collect::<Result<Vec<Log>, _>>()?;
    let written = write_lm_eval(out, &logs)?;
    for file in std::iter::once(&written.results).chain(&written.samples) {
        commands::print(&format!("{}\n", file.display()))?;
    }
    let read = logs.iter().flat_map(|log| &log.head.notes);
    read.chain(&written.notes).try_for_each(|note| commands::print(&format!("  {note}\n")))
}

fn view(files: &[PathBuf], out: &Path) -> Result<(), CliError> {
    if out.extension().is_none_or(|extension| extension != "html") {
        return Err(CliError::message(format!("--out {}: name a file that ends in .html", out.display())));
    }
    let logs = files.iter().map(|file| open_log(file)).collect::<Result<Vec<Log>, _>>()?;
    let names = names(files, &logs);
    let suites: BTreeSet<&str> = logs.iter().map(|log| log.head.suite.as_str()).collect();
    let title = suites.into_iter().collect::<Vec<_>>().join(" + ");
    let named: Vec<(String, &Log)> = names.into_iter().zip(&logs).collect();
    let page = temper_report::render_viewer(&title, &named);
    commands::write_file(out, |file| file.write_all(page.html.as_bytes()).map_err(|e| CliError::io(out, e)))?;
    let size = page.html.len() as f64 / f64::from(1 << 20);
    commands::print(&format!("{}: {} items, {size:.1} MiB\n", out.display(), page.items))?;
    page.notes.iter().try_for_each(|note| commands::print(&format!("  {note}\n")))
}

/// What the logs are called beside each other: their models, their files' names, or their paths, whichever tells them apart.
fn names(files: &[PathBuf], logs: &[Log]) -> Vec<String> {
    let distinct = |names: &[String]| {
        names.iter().collect::<BTreeSet<_>>().len() == names.len() && !names.iter().any(String::is_empty)
    };
    let models: Vec<String> = logs.iter().map(|log| log.head.model.clone()).collect();
    let stems: Vec<String> =
        files.iter().map(|file| file.file_stem().unwrap_or_default().to_string_lossy().into_owned()).collect();
    if distinct(&models) {
        models
    } else if distinct(&stems) {
        stems
    } else {
        files.iter().map(|file| file.display().to_string()).collect()
    }
}
