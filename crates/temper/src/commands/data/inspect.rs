//! `temper data inspect`.

use std::process::ExitCode;

use crate::args::InspectArgs;
use crate::error::CliError;

/// Not there yet.
pub fn inspect(_: &InspectArgs) -> Result<ExitCode, CliError> {
    Err(CliError::message("`temper data inspect` is being built"))
}
