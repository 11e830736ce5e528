//! The arguments of `temper data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::tools::{ConvertArgs, DecontaminateArgs, MixArgs, PackArgs, SplitArgs};

#[derive(Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Subcommand)]
pub enum DataCommand {
    /// Show rows as the model will see them, token by token, with what is learned marked
    Inspect(InspectArgs),
    /// Count and measure the rows: lengths, languages, turns, duplicates, what is learned
    Stats(StatsArgs),
    /// Make all checks that a run makes, and more, over every row
    Validate(ValidateArgs),
    /// Find rows that share words with held-out rows, or repeat one, and leave them out
    Decontaminate(DecontaminateArgs),
    /// Mix several sources by weights into one file
    Mix(MixArgs),
    /// Write the rows in another format or shape
    Convert(ConvertArgs),
    /// Divide the rows into a file to train on and a file that is held out
    Split(SplitArgs),
    /// Tokenise the rows and pack them into full batches, as a Parquet file
    Pack(PackArgs),
}

/// Which rows, and how they become tokens. All commands on data have these.
#[derive(Args, Clone)]
pub struct SourceArgs {
    /// Rows: a JSONL, JSON, CSV, TSV, Parquet or Arrow file, a folder, a glob, `hf://datasets/ORG/NAME`, or `lab:NAME`
    #[arg(value_name = "SOURCE", required_unless_present = "recipe", conflicts_with = "recipe")]
    pub source: Option<String>,
    /// Take the source, with its columns, template and filter, from this recipe
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Which entry of the recipe's `data` or `suites`; not needed where there is only one
    #[arg(long, value_name = "NAME", requires = "recipe")]
    pub data: Option<String>,
    /// Take `loss_on` and `max_length` from this `sft` stage; by default the first that uses the source
    #[arg(long, value_name = "ARM/STAGE", requires = "recipe")]
    pub stage: Option<String>,
    /// Which columns hold what, such as `prompt=question,completion=answer`
    #[arg(long, value_name = "ROLE=COLUMN", conflicts_with = "recipe")]
    pub columns: Vec<String>,
    /// Set a key of the data source, such as `system="Be brief."` or `filter={lang: en}`; may be repeated. With --recipe, a
    /// key of the recipe
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Tokenizer and chat template: a model directory (the weights are not read), `hf://ORG/MODEL`, or `lab:base`; with
    /// --recipe by default the recipe's model
    #[arg(long, value_name = "DIR")]
    pub model: Option<String>,
    /// Another chat template: a name that the model directory has, or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub chat_template: Option<String>,
    /// What is learned of a row: completion, assistant, last_turn, flagged, thinking or answer
    #[arg(long, value_name = "WHAT")]
    pub loss_on: Option<String>,
    /// Longest row in tokens
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<usize>,
    /// What becomes of longer rows: cut, drop or refuse
    #[arg(long, value_name = "HOW")]
    pub long_rows: Option<String>,
    /// A check that only warns, such as `special_in_text`; may be repeated
    #[arg(long, value_name = "CHECK")]
    pub allow: Vec<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// How many rows to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rows: usize,
    /// Rows to pass over first
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: usize,
    /// Show this row: its id, `FILE:LINE`, or a line's number; may be repeated
    #[arg(long, value_name = "FILE:LINE|ID", conflicts_with_all = ["rows", "skip"])]
    pub row: Vec<String>,
    /// Print the id under each token
    #[arg(long)]
    pub ids: bool,
    /// Print long rows in full
    #[arg(long)]
    pub full: bool,
}

#[derive(Args)]
pub struct StatsArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only the first rows
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Tokens of a batch, for the fill rate of packed and unpacked batches
    #[arg(long, value_name = "TOKENS", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_tokens: u32,
}

#[derive(Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only the first rows
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Held-out rows that must not stand in the source: a file, folder, glob or `lab:NAME`; may be repeated
    #[arg(long, value_name = "SOURCE")]
    pub against: Vec<String>,
    /// Which columns of the held-out rows hold what, such as `prompt=question`
    #[arg(long, value_name = "ROLE=COLUMN", requires = "against")]
    pub against_columns: Vec<String>,
}
