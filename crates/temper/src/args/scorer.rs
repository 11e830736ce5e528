//! Arguments of `temper scorer`.

use clap::{Args, Subcommand};

use super::calibrate::CalibrateArgs;

#[derive(Args)]
pub struct ScorerArgs {
    #[command(subcommand)]
    pub command: ScorerCommand,
}

#[derive(Subcommand)]
pub enum ScorerCommand {
    /// Measure a scorer against people's labels and keep how often it errs
    Calibrate(CalibrateArgs),
}
