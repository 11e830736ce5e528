//! The commands and their arguments.

mod calibrate;
mod data;
mod gate;
mod log;
mod scorer;
mod suite;
mod tools;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use temper_engine::Precision;

pub use calibrate::CalibrateArgs;
pub use data::{DataArgs, DataCommand, InspectArgs, SourceArgs, StatsArgs, ValidateArgs};
pub use gate::{GateArgs, Undecided};
pub use log::{LogArgs, LogCommand, LogFormat};
pub use scorer::{
    CompletionArgs, HackingArgs, ScorerArgs, ScorerBenchArgs, ScorerCommand, ScorerListArgs, ScorerScoreArgs,
    ScorerShowArgs,
};
pub use suite::{ShownSuites, SuiteArgs, SuiteCommand};
pub use tools::{ConvertArgs, DecontaminateArgs, MixArgs, MixEnd, MixUnit, PackArgs, SplitArgs, WrittenAs};

/// Makes an open-weight language model a reasoning model that is still harmless, and shows that it is.
#[derive(Parser)]
#[command(name = "temper", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a recipe: train its arms, measure every checkpoint, judge the gates, write the report
    Run(RunArgs),
    /// Fine-tune a model on demonstrations (a recipe of one `sft` stage)
    Sft(SingleArgs),
    /// Train a model by GRPO on prompts with rewards (a recipe of one `grpo` stage)
    Grpo(GrpoArgs),
    /// Sample completions for the rows of a file
    Sample(SampleArgs),
    /// Log-probabilities of the tokens of each row of a file
    Logprobs(LogprobsArgs),
    /// Measure a model on the suites of a recipe, or on built-in ones
    Eval(EvalArgs),
    /// Look at suites: list the built-in ones, show what is in one, print its prompts
    Suite(SuiteArgs),
    /// Compare two checkpoints item by item
    Compare(CompareArgs),
    /// Look for a hacked reward: does the gold score follow the proxy?
    Hacking(HackingArgs),
    /// Judge a recipe's gates on item logs: exit code 0 passed, 1 failed, 3 undecided
    Gate(GateArgs),
    /// Try scorers by themselves: list them, score completions, measure their speed and how often they err
    Scorer(Box<ScorerArgs>),
    /// Look at item logs, convert them (Inspect, lm-eval), make a page of their items
    Log(LogArgs),
    /// Draw the report of a run again
    Report(ReportArgs),
    /// Look at data before training, check it, and make it ready
    Data(Box<DataArgs>),
    /// Measure the speed of training and sampling beside what the machine can do
    Bench(BenchArgs),
    /// Merge a PEFT adapter (LoRA) into its base model
    Merge(MergeArgs),
    /// Look at the lab: list its data, write it as JSONL, make its base model
    Lab(LabArgs),
}

/// What `run`, `sft` and `grpo` share.
#[derive(Args)]
pub struct Common {
    /// Override a key of the recipe, such as `arms.hybrid.stages.1.grpo.beta=0.01`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of the run (the recipe's `seed`)
    #[arg(long)]
    pub seed: Option<u64>,
    /// Memory that the run may take, such as `4GiB` (the recipe's `memory_budget`); by default what the machine has
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<String>,
    /// Number format of matrix products, `f32` or `bf16` (the recipe's `dtype`)
    #[arg(long, value_name = "FORMAT")]
    pub dtype: Option<Precision>,
    /// Directory of the run; by default `runs/<name>/<time>-<seed>`
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run: the newest one of this recipe, or the one in DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, conflicts_with = "out")]
    pub resume: Option<Option<PathBuf>>,
    /// Print the resolved recipe and the plan (stages, tokens, FLOPs, memory) and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct RunArgs {
    /// The recipe
    pub recipe: PathBuf,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct SingleArgs {
    /// Model: a Hugging Face directory, `hf://ORG/MODEL`, or `lab:base`
    #[arg(long)]
    pub model: String,
    /// Rows: a JSONL, JSON, CSV or TSV file, a folder, a glob, `hf://datasets/ORG/NAME`, or `lab:NAME`
    #[arg(long)]
    pub data: String,
    /// Which columns hold what, such as `prompt=question,completion=answer`
    #[arg(long, value_delimiter = ',', value_name = "ROLE=COLUMN")]
    pub columns: Vec<String>,
    /// Number of optimiser steps
    #[arg(long)]
    pub max_steps: Option<usize>,
    /// Peak learning rate
    #[arg(long)]
    pub learning_rate: Option<f64>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct GrpoArgs {
    #[command(flatten)]
    pub single: SingleArgs,
    /// A reward, `scorer` or `scorer=weight`; may be repeated
    #[arg(long = "reward", value_name = "SCORER[=WEIGHT]", required = true)]
    pub rewards: Vec<String>,
}

#[derive(Args)]
pub struct SampleArgs {
    /// Model: a Hugging Face directory, `hf://ORG/MODEL`, or `lab:base`
    #[arg(long)]
    pub model: String,
    /// Rows: `{"prompt": …}`, `{"messages": […]}` or `{"text": …}`
    #[arg(long)]
    pub input: PathBuf,
    /// Where to write the completions (JSONL, one line per row)
    #[arg(long)]
    pub out: PathBuf,
    /// Take the most probable token each time
    #[arg(long, conflicts_with_all = ["temperature", "top_p", "top_k"])]
    pub greedy: bool,
    /// Completions per row
    #[arg(short = 'n', default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub n: u16,
    /// Longest completion in tokens
    #[arg(long, default_value_t = 256)]
    pub max_tokens: usize,
    /// Softmax temperature
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f64,
    /// Smallest set of tokens whose probabilities add up to this much
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f64,
    /// Number of most probable tokens to choose among; 0 for all
    #[arg(long, default_value_t = 0)]
    pub top_k: usize,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Number format of matrix products, `f32` or `bf16`
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub dtype: Precision,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct LogprobsArgs {
    /// Model: a Hugging Face directory, `hf://ORG/MODEL`, or `lab:base`
    #[arg(long)]
    pub model: String,
    /// Rows: `{"text": …}` or `{"messages": […]}`
    #[arg(long)]
    pub input: PathBuf,
    /// Where to write `{"ids": […], "logprobs": [null, …]}`, one line per row
    #[arg(long)]
    pub out: PathBuf,
    /// Number format of matrix products, `f32` or `bf16`
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub dtype: Precision,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct EvalArgs {
    /// Model: a Hugging Face directory, `hf://ORG/MODEL`, `lab:base`, or the address of an OpenAI-compatible server such as
    /// `http://localhost:8000/v1`
    #[arg(long)]
    pub model: String,
    /// The recipe whose suites are run
    #[arg(long)]
    pub recipe: Option<PathBuf>,
    /// A suite file: a built-in name (`temper suite list`) or a file; may be repeated
    #[arg(long, value_name = "NAME")]
    pub include: Vec<String>,
    /// Only this suite; may be repeated. Without --recipe and --include, a built-in one
    #[arg(long = "suite", value_name = "NAME")]
    pub suites: Vec<String>,
    /// Also print the slices
    #[arg(long)]
    pub slices: bool,
    /// Folder for the item logs, `<suite>.eval`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Override a key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of the sampling (the recipe's `seed`)
    #[arg(long)]
    pub seed: Option<u64>,
    /// Print the measurements as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How a model behind a server is asked.
#[derive(Args)]
#[command(next_help_heading = "A model behind a server")]
pub struct ServerArgs {
    /// Name of the model that the server knows it by; not needed where it serves only one
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
    /// Environment variable that holds the server's key
    #[arg(long, value_name = "VAR")]
    pub api_key_env: Option<String>,
    /// Requests at a time at most [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: Option<u16>,
    /// Requests a minute at most; by default no limit
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<f64>,
    /// Seconds that one answer may take [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// How often a request is sent again after an error that may pass [default: 5]
    #[arg(long, value_name = "N")]
    pub retries: Option<usize>,
    /// Other fields of every request as JSON, such as `{"chat_template_kwargs": {"enable_thinking": false}}`
    #[arg(long, value_name = "JSON")]
    pub extra: Option<String>,
    /// File in which replies are kept, so that no request is answered twice; by default none
    #[arg(long, value_name = "FILE")]
    pub keep_replies: Option<PathBuf>,
}

#[derive(Args)]
pub struct CompareArgs {
    /// The first item log, or a folder of them
    pub a: PathBuf,
    /// The second item log, or a folder of them
    pub b: PathBuf,
    /// Also compare within every slice
    #[arg(long)]
    pub slices: bool,
    /// Print the comparison as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ReportArgs {
    /// Directory of the run
    pub run: PathBuf,
    /// Also print each arm's path, stage by stage
    #[arg(long)]
    pub stages: bool,
    /// Print the summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub command: BenchCommand,
}

#[derive(Subcommand)]
pub enum BenchCommand {
    /// A training step: forward, backward and clipped AdamW on random tokens
    Train {
        #[command(flatten)]
        common: BenchCommon,
        /// Sequences of a step
        #[arg(long, default_value_t = 16)]
        batch: usize,
        /// Tokens of a sequence
        #[arg(long, default_value_t = 256)]
        seq: usize,
    },
    /// Completions of different random prompts, sampled at temperature 1; prefill included
    Decode {
        #[command(flatten)]
        common: BenchCommon,
        /// Sequences
        #[arg(long, default_value_t = 32)]
        batch: usize,
        /// Tokens of a prompt
        #[arg(long, default_value_t = 64)]
        seq: usize,
        /// Tokens of a completion
        #[arg(long, default_value_t = 128)]
        new_tokens: usize,
    },
    /// A GRPO step on random prompts: sampling, advantages of a cheap rule, one optimiser step
    Grpo {
        #[command(flatten)]
        common: BenchCommon,
        /// Prompts of a step
        #[arg(long, default_value_t = 8)]
        batch: usize,
        /// Completions of each prompt
        #[arg(long, default_value_t = 8)]
        group: usize,
        /// Tokens of a prompt
        #[arg(long, default_value_t = 96)]
        seq: usize,
        /// Tokens of a completion
        #[arg(long, default_value_t = 128)]
        new_tokens: usize,
    },
}

/// What the works of `bench` share.
#[derive(Args)]
pub struct BenchCommon {
    /// Model: a Hugging Face directory; its tokenizer is not read
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Number format of matrix products: f32 or bf16
    #[arg(long, default_value_t = Precision::F32)]
    pub dtype: Precision,
    /// Time that the measured repetitions take together; at least three are made
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Print the measurement as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Threads to use; by default all cores
    #[arg(long)]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct MergeArgs {
    /// The base: a Hugging Face directory, `hf://ORG/MODEL`, or `lab:base`
    #[arg(long)]
    pub model: String,
    /// PEFT directory (`adapter_config.json` and `adapter_model.safetensors`), or `hf://ORG/ADAPTER`
    #[arg(long, value_name = "DIR")]
    pub adapter: String,
    /// Directory to write: the merged model in f32, with the base's tokenizer
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct LabArgs {
    #[command(subcommand)]
    pub command: LabCommand,
}

#[derive(Subcommand)]
pub enum LabCommand {
    /// The names of the lab's data sets, with their sizes
    List(LabKnobs),
    /// Write a data set as JSONL
    Export {
        /// A name that `temper lab list` shows, or `all`
        name: String,
        /// File to write (a folder for `all`)
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        knobs: LabKnobs,
    },
    /// Pre-train the lab's base model, or find it in the cache, and write it as a Hugging Face directory
    Base {
        /// Directory to write
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        knobs: LabKnobs,
    },
}

/// Which world: the lab's knobs, by default or of a recipe.
#[derive(Args)]
pub struct LabKnobs {
    /// Take the lab's knobs from this recipe
    #[arg(long)]
    pub recipe: Option<PathBuf>,
    /// Override a key, such as `lab.seed=3`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    pub json: bool,
}
