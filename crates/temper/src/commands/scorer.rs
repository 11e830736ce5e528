//! `temper scorer`: what there is to know of a scorer.

use std::process::ExitCode;

use crate::args::{ScorerArgs, ScorerCommand};
use crate::commands::calibrate;
use crate::error::CliError;

/// Runs the subcommand.
pub fn scorer(args: &ScorerArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ScorerCommand::Calibrate(args) => calibrate::calibrate(args),
    }
}
