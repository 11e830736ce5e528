//! The arguments of the commands of `temper data` that write.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SourceArgs;

#[derive(Args)]
pub struct ConvertArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// File to write: .jsonl, .ndjson, .json, .csv or .tsv, each also with .gz or .zst, or .parquet
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The columns of the new file
    #[arg(long = "as", value_name = "SHAPE", value_enum, default_value_t)]
    pub shape: WrittenAs,
    /// Only the first rows
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Leave out rows that cannot be read, count and show them, and end with exit code 1
    #[arg(long)]
    pub continue_on_error: bool,
}

/// The columns of a converted file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WrittenAs {
    /// The columns as they are
    #[default]
    Raw,
    /// TRL's columns for the rows' shape, such as `prompt` and `completion`, and what else the rows have
    Trl,
    /// Prompt and completion in one list `messages`, and what else the rows have
    Messages,
}

#[derive(Args)]
pub struct DecontaminateArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Held-out rows, whose prompts are looked for: a file, folder, glob or `lab:NAME`; may be repeated. They are in memory
    #[arg(long, value_name = "SOURCE", required = true, num_args = 1..)]
    pub against: Vec<String>,
    /// Which columns of the held-out rows hold what, such as `prompt=question`
    #[arg(long, value_name = "ROLE=COLUMN")]
    pub against_columns: Vec<String>,
    /// Words of an n-gram that a row may not share with a held-out prompt (DeepSeek-R1 used 10)
    #[arg(long, value_name = "WORDS", default_value_t = 10, value_parser = clap::value_parser!(u8).range(3..=50))]
    pub ngram: u8,
    /// Write the rows that stay to this file, and its data card beside it (FILE.card.md, FILE.card.json)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Also leave out rows whose text came before: exact or near. About 500 bytes of memory a row
    #[arg(long, value_name = "WHICH")]
    pub duplicates: Option<String>,
    /// Jaccard index of word 5-grams from which two rows are near duplicates
    #[arg(long, value_name = "0.3..1")]
    pub similarity: Option<f64>,
    /// Keep rows in these languages only, as ISO 639-1 codes
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub languages: Vec<String>,
    /// Least characters of prompt and completion together
    #[arg(long, value_name = "N")]
    pub min_chars: Option<usize>,
    /// Most characters of prompt and completion together
    #[arg(long, value_name = "N")]
    pub max_chars: Option<usize>,
}

/// Rows are kept in a nameless file beside FILE until all are there; in memory are eight bytes of each.
#[derive(Args)]
pub struct MixArgs {
    /// The sources, as NAME=SOURCE or NAME=SOURCE,weight=2,max_rows=1000,max_epochs=3,prompt=question,completion=answer
    #[arg(value_name = "NAME=SOURCE", required_unless_present = "recipe", conflicts_with = "recipe")]
    pub parts: Vec<String>,
    /// Take the mixture from this recipe
    #[arg(long, value_name = "FILE", requires = "data")]
    pub recipe: Option<PathBuf>,
    /// Which entry of the recipe's `data`, one with `mix`
    #[arg(long, value_name = "NAME", requires = "recipe")]
    pub data: Option<String>,
    /// Override a key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "recipe")]
    pub set: Vec<String>,
    /// The columns of the new file; by default raw, and trl with --recipe
    #[arg(long = "as", value_name = "SHAPE", value_enum)]
    pub shape: Option<WrittenAs>,
    /// What the weights are shares of
    #[arg(long, value_enum, conflicts_with = "recipe")]
    pub by: Option<MixUnit>,
    /// When it ends: with the first source that is used up, or when every source has given all its rows
    #[arg(long, value_enum, conflicts_with_all = ["rows", "tokens", "recipe"])]
    pub until: Option<MixEnd>,
    /// Rows in all
    #[arg(long, value_name = "N", conflicts_with_all = ["tokens", "recipe"])]
    pub rows: Option<u64>,
    /// Tokens in all
    #[arg(long, value_name = "N", conflicts_with = "recipe")]
    pub tokens: Option<u64>,
    /// Seed of the order
    #[arg(long, conflicts_with = "recipe")]
    pub seed: Option<u64>,
    /// Tokenizer that tokens are counted with: a model directory, `hf://ORG/MODEL`, or `lab:base`
    #[arg(long, value_name = "DIR")]
    pub model: Option<String>,
    /// Column of the new file that names a row's source
    #[arg(long, value_name = "NAME", default_value = "source")]
    pub source_column: String,
    /// File to write: .jsonl, .ndjson, .json, .csv or .tsv, each also with .gz or .zst, or .parquet
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// What the weights of a mixture are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MixUnit {
    /// Of the rows
    Rows,
    /// Of the tokens of prompts and completions
    Tokens,
}

/// When a mixture ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MixEnd {
    /// When the first source has given all it may
    First,
    /// When every source has given all its rows once; smaller ones are repeated
    Last,
}

/// A split depends on the rows' ids and the seed alone, and is that of a recipe's `part`. With --stratify the ids and values
/// are in memory, with --clusters about 500 bytes a row and the held-out prompts.
#[derive(Args)]
pub struct SplitArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Share of the rows to hold out, between 0 and 1
    #[arg(long, value_name = "SHARE")]
    pub held_out: f64,
    /// Hold out that share of the rows with each value of this column
    #[arg(long, value_name = "COLUMN", conflicts_with = "clusters")]
    pub stratify: Option<String>,
    /// Keep rows whose prompts are near duplicates of each other on one side
    #[arg(long)]
    pub clusters: bool,
    /// Seed of the split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Format of the files: jsonl, json, csv, tsv, each also with .gz or .zst, or parquet
    #[arg(long, value_name = "EXTENSION", default_value = "jsonl")]
    pub format: String,
    /// Folder to write: train.FORMAT and held_out.FORMAT
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Encoded rows are packed 4096 at a time as they come, so neither memory nor disk holds more than the result. The folder gets
/// `train.parquet`, with a packed batch per row in TRL's columns `input_ids`, `labels` and `seq_lengths`, and the data card
/// (README.md, card.json).
#[derive(Args)]
pub struct PackArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Only the first rows
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Tokens of a packed batch; by default --max-length
    #[arg(long, value_name = "TOKENS")]
    pub batch_tokens: Option<usize>,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
