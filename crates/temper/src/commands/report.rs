//! `temper report`: the report of a run, drawn again from its directory.

use std::process::ExitCode;

use temper_run::summary::RunSummary;

use crate::args::ReportArgs;
use crate::commands;
use crate::error::CliError;

/// Prints the tables and writes `report.html`.
pub fn report(args: &ReportArgs) -> Result<ExitCode, CliError> {
    let summary = RunSummary::read(&args.run).map_err(|e| {
        CliError::message(format!(
            "{} holds no run with results (summary.json: {e}). Give the directory that `temper run` printed",
            args.run.display()
        ))
    })?;
    let report = temper_report::write_html(&summary, &args.run)?;
    if args.json {
        commands::print_json(&summary)?;
        return Ok(ExitCode::SUCCESS);
    }
    commands::print(&temper_report::render_terminal(&summary))?;
    if args.stages {
        for arm in &summary.arms {
            commands::print(&format!("\n{}", temper_report::render_arm(&summary, arm)))?;
        }
    }
    commands::print(&format!("\nReport: {}\n", report.display()))?;
    Ok(ExitCode::SUCCESS)
}
