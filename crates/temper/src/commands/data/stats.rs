//! `temper data stats`.

use std::process::ExitCode;

use crate::args::StatsArgs;
use crate::error::CliError;

/// Not there yet.
pub fn stats(_: &StatsArgs) -> Result<ExitCode, CliError> {
    Err(CliError::message("`temper data stats` is being built"))
}
