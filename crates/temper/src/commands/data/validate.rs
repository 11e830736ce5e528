//! `temper data validate`.

use std::process::ExitCode;

use crate::args::ValidateArgs;
use crate::error::CliError;

/// Not there yet.
pub fn validate(_: &ValidateArgs) -> Result<ExitCode, CliError> {
    Err(CliError::message("`temper data validate` is being built"))
}
