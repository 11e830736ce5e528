//! Arguments of `temper scorer calibrate`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub struct CalibrateArgs {
    /// The scorer: a built-in type, or an entry of the recipe's `scorers`
    #[arg(long, value_name = "NAME")]
    pub scorer: String,
    /// The recipe that names the scorer
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Override a key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Labelled completions: JSONL, JSON, CSV, TSV, Parquet or Arrow
    #[arg(long, value_name = "FILE")]
    pub data: String,
    /// Column of the completion
    #[arg(long, value_name = "COLUMN")]
    pub completion: String,
    /// Column of the prompt, for scorers that read it
    #[arg(long, value_name = "COLUMN")]
    pub prompt: Option<String>,
    /// Column of the label
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// Labels that mean what a high score means; without, the labels must be true and false, or 1 and 0
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub positive: Vec<String>,
    /// Break the counts down by the values of this column
    #[arg(long, value_name = "COLUMN")]
    pub slice: Option<String>,
    /// Smallest score that counts as positive
    #[arg(long, default_value_t = 0.5)]
    pub threshold: f64,
    /// The calibration to write (JSON), for a recipe's `calibrations`
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print the calibration as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
