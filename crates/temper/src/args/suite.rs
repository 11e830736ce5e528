//! The arguments of `temper suite`.

use clap::{Args, Subcommand};

#[derive(Args)]
pub struct SuiteArgs {
    #[command(subcommand)]
    pub command: SuiteCommand,
}

#[derive(Subcommand)]
pub enum SuiteCommand {
    /// The built-in suite files and what they measure
    List {
        /// Print the result as JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// A suite file as it is resolved: items, scorers, slices, where the rows are from
    Show(ShownSuites),
    /// The prompts as a model gets them
    Items {
        #[command(flatten)]
        which: ShownSuites,
        /// Prompts of each suite
        #[arg(long, value_name = "N", default_value_t = 3)]
        rows: usize,
    },
}

/// Which suites.
#[derive(Args)]
pub struct ShownSuites {
    /// A name that `temper suite list` shows, a single suite of one of them (`gsm8k`), or a file
    pub name: String,
    /// Override a key, such as `suites.gsm8k.data.rows=50`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
