//! `temper log`: item logs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args)]
pub struct LogArgs {
    #[command(subcommand)]
    pub command: LogCommand,
}

#[derive(Subcommand)]
pub enum LogCommand {
    /// What a log says of itself, what is in it, and what its items measure
    Show {
        /// An item log: Temper's or Inspect's `.eval`, `.jsonl`, lm-eval's `samples_*.jsonl` or `results_*.json`
        log: PathBuf,
        /// Also print the slices
        #[arg(long)]
        slices: bool,
        /// Print it as JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Write logs in another format
    Convert {
        /// Item logs
        #[arg(required = true)]
        logs: Vec<PathBuf>,
        /// The format to write
        #[arg(long, value_name = "FORMAT")]
        to: LogFormat,
        /// File to write; for several logs, and for lm-eval, a folder
        #[arg(long)]
        out: PathBuf,
    },
    /// Make one page of items, to filter, search and compare them in a browser; it needs no network
    View {
        /// The log, and others to compare it with
        #[arg(required = true)]
        logs: Vec<PathBuf>,
        /// The page to write
        #[arg(long, value_name = "FILE.html")]
        out: PathBuf,
    },
}

/// The formats that a log is written in.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Inspect's log, which `inspect view` opens
    Eval,
    /// One JSON object per line
    Jsonl,
    /// lm-eval's `results_<time>.json` and `samples_<task>_<time>.jsonl`
    LmEval,
}
