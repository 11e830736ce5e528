//! Arguments of `temper gate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args)]
pub struct GateArgs {
    /// The recipe whose gates are judged
    #[arg(long, value_name = "FILE")]
    pub recipe: PathBuf,
    /// What is judged: an item log, a folder of them, or a checkpoint of a run, `RUN/arms/ARM/STAGE`
    #[arg(long, value_name = "DIR|LOG", required_unless_present = "plan")]
    pub candidate: Option<PathBuf>,
    /// The checkpoint it came from; that of the run for a checkpoint of a run
    #[arg(long, value_name = "DIR|LOG")]
    pub parent: Option<PathBuf>,
    /// The base model, or a run for its base model; that of the run for a checkpoint of a run
    #[arg(long, value_name = "DIR|LOG")]
    pub base: Option<PathBuf>,
    /// Say what each gate can detect with the items of its suite, and judge nothing
    #[arg(long, conflicts_with_all = ["candidate", "parent", "base", "undecided"])]
    pub plan: bool,
    /// What a gate that is undecided counts as; without, it has an exit code of its own
    #[arg(long, value_name = "OUTCOME")]
    pub undecided: Option<Undecided>,
    /// Override a key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the verdicts as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// What an undecided gate counts as.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Undecided {
    /// As failed: exit code 1.
    Fail,
    /// As passed: exit code 0.
    Pass,
}
