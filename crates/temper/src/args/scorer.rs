//! The arguments of `temper scorer` and `temper hacking`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::calibrate::CalibrateArgs;

#[derive(Args)]
pub struct ScorerArgs {
    #[command(subcommand)]
    pub command: ScorerCommand,
}

#[derive(Subcommand)]
pub enum ScorerCommand {
    /// List all scorer types: what they read, compute and need
    List(ScorerListArgs),
    /// Show one scorer: its parameters with all defaults, its digest, its parts
    Show(ScorerShowArgs),
    /// Score completions that exist already
    Score(ScorerScoreArgs),
    /// Measure how many samples a second each scorer judges
    Bench(ScorerBenchArgs),
    /// Measure a scorer against people's labels and keep how often it errs
    Calibrate(CalibrateArgs),
}

#[derive(Args)]
pub struct ScorerListArgs {
    /// Print the list as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ScorerShowArgs {
    /// A scorer of the recipe, or a scorer type
    pub name: String,
    /// The recipe whose scorers there are
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Override a key of the recipe, or, without one, set a parameter: `NAME.PARAMETER=VALUE`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Completions that exist already.
#[derive(Args)]
pub struct CompletionArgs {
    /// Rows: a JSONL, JSON, CSV, TSV, Parquet or Arrow file, a folder, a glob, or `hf://datasets/ORG/NAME`
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// The column with the completion: a text, or turns of which the last is taken
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub completion: Option<String>,
    /// The column with the number of its tokens; by default its words are counted
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub tokens: Option<String>,
    /// Which columns hold what, such as `prompt=question,answer=solution`
    #[arg(long, value_delimiter = ',', value_name = "ROLE=COLUMN", requires = "data")]
    pub columns: Vec<String>,
    /// Only the first rows
    #[arg(long, value_name = "N", requires = "data")]
    pub rows: Option<usize>,
}

#[derive(Args)]
pub struct ScorerScoreArgs {
    /// A scorer of the recipe, or a scorer type; may be repeated
    #[arg(long = "scorer", value_name = "NAME", required = true)]
    pub scorers: Vec<String>,
    #[command(flatten)]
    pub completions: CompletionArgs,
    /// The recipe whose scorers there are
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Override a key of the recipe, or, without one, set a parameter: `NAME.PARAMETER=VALUE`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where to write the item log (JSONL, one line per completion)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Judge every sample anew, also what the cache of scores has
    #[arg(long)]
    pub no_cache: bool,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct ScorerBenchArgs {
    /// Only these scorers; by default every type that needs no parameters, and the recipe's; may be repeated
    #[arg(long = "scorer", value_name = "NAME")]
    pub scorers: Vec<String>,
    #[command(flatten)]
    pub completions: CompletionArgs,
    /// The recipe whose scorers there are
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Override a key of the recipe, or, without one, set a parameter: `NAME.PARAMETER=VALUE`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seconds to measure each scorer for
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub seconds: f64,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct HackingArgs {
    /// Item logs of one or more checkpoints, the one to hold the others against first
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// The metric that may be hacked: the reward, or one like it
    #[arg(long, value_name = "METRIC")]
    pub proxy: String,
    /// The metric that tells the truth
    #[arg(long, value_name = "METRIC")]
    pub gold: String,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
