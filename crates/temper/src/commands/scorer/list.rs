//! `temper scorer list`: all scorer types.

use std::process::ExitCode;

use crate::args::ScorerListArgs;
use crate::commands;
use crate::error::CliError;

/// Prints what is known of every type.
pub fn list(args: &ScorerListArgs) -> Result<ExitCode, CliError> {
    let types = temper_score::registry();
    match args.json {
        true => commands::print_json(&types)?,
        false => commands::print(&temper_report::render_scorer_list(&types, commands::look().width))?,
    }
    Ok(ExitCode::SUCCESS)
}
