//! `temper hacking`: does the gold score follow the proxy?

use std::process::ExitCode;

use temper_eval::{ItemRecord, read_log};

use crate::args::HackingArgs;
use crate::commands;
use crate::error::CliError;

/// Prints what the logs of one or more checkpoints say of a proxy and a gold score.
pub fn hacking(args: &HackingArgs) -> Result<ExitCode, CliError> {
    let logs = args.logs.iter().map(|file| read_log(file)).collect::<Result<Vec<Vec<ItemRecord>>, _>>()?;
    let found = temper_eval::hacking::hacking(&logs, &args.proxy, &args.gold);
    if found.is_empty() {
        let metrics: std::collections::BTreeSet<&str> =
            logs.iter().flatten().flat_map(|record| record.scores.keys()).map(String::as_str).collect();
        return Err(CliError::message(format!(
            "the logs share no suite with both `{}` and `{}`; their metrics are {}",
            args.proxy,
            args.gold,
            metrics.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    if args.json {
        commands::print_json(&found)?;
    } else {
        let names: Vec<String> = args.logs.iter().map(|file| file.display().to_string()).collect();
        commands::print(&temper_report::render_hacking(&found, &names, commands::look().width))?;
    }
    Ok(ExitCode::SUCCESS)
}
