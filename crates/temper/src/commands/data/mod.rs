//! `temper data`: rows before they are trained on. One file per subcommand; [`source`] is what they share.

mod inspect;
pub mod source;
mod stats;
mod validate;

use std::process::ExitCode;

use crate::args::{DataArgs, DataCommand};
use crate::error::CliError;

/// Runs the subcommand.
pub fn data(args: &DataArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        DataCommand::Inspect(args) => inspect::inspect(args),
        DataCommand::Stats(args) => stats::stats(args),
        DataCommand::Validate(args) => validate::validate(args),
    }
}
