//! `temper data`: rows before they are trained on. One file per subcommand; [`source`] is what they share.

mod convert;
mod decontaminate;
mod inspect;
mod mix;
mod pack;
mod progress;
mod records;
pub mod source;
mod split;
mod stats;
mod table;
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
        DataCommand::Decontaminate(args) => decontaminate::decontaminate(args),
        DataCommand::Mix(args) => mix::mix(args),
        DataCommand::Convert(args) => convert::convert(args),
        DataCommand::Split(args) => split::split(args),
        DataCommand::Pack(args) => pack::pack(args),
    }
}
