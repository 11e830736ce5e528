//! `temper compare`: two item logs, paired item by item.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use temper_eval::{PairedComparison, SliceComparison, compare as paired, compare_slices, read_log};

use crate::args::CompareArgs;
use crate::commands;
use crate::error::CliError;

/// Compares two logs, or every log that two folders have in common.
pub fn compare(args: &CompareArgs) -> Result<ExitCode, CliError> {
    let mut all: Vec<PairedComparison> = Vec::new();
    let mut slices: Vec<SliceComparison> = Vec::new();
    for (a, b) in pairs(&args.a, &args.b)? {
        let (a, b) = (read_log(&a)?, read_log(&b)?);
        all.extend(paired(&a, &b));
        if args.slices {
            slices.extend(compare_slices(&a, &b));
        }
    }
    match (args.json, args.slices) {
        (true, false) => commands::print_json(&all)?,
        (true, true) => commands::print_json(&json!({"all": all, "slices": slices}))?,
        (false, _) => commands::print(&temper_report::render_comparison(&all))?,
    }
    if args.slices && !args.json {
        commands::print(&format!("\n{}", temper_report::render_slice_comparison(&slices)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn pairs(a: &Path, b: &Path) -> Result<Vec<(PathBuf, PathBuf)>, CliError> {
    match (a.is_dir(), b.is_dir()) {
        (false, false) => Ok(vec![(a.to_owned(), b.to_owned())]),
        (true, true) => {
            let mut names: Vec<_> = std::fs::read_dir(a)
                .map_err(|e| CliError::io(a, e))?
                .flatten()
                .map(|entry| entry.file_name())
                .filter(|name| !name.to_string_lossy().ends_with(".partial.jsonl"))
                .filter(|name| {
                    Path::new(name).extension().is_some_and(|e| e == "eval" || e == "jsonl") && b.join(name).exists()
                })
                .collect();
            names.sort();
            if names.is_empty() {
                return Err(CliError::message(format!(
                    "{} and {} have no item log (*.eval, *.jsonl) of the same name. Give two folders that `temper eval` wrote, or two files",
                    a.display(),
                    b.display()
                )));
            }
            Ok(names.iter().map(|name| (a.join(name), b.join(name))).collect())
        }
        _ => Err(CliError::message(format!(
            "{} and {}: give two item logs or two folders of them",
            a.display(),
            b.display()
        ))),
    }
}
