//! Temper's command line: arguments in, progress and tables out.

mod args;
mod bars;
mod commands;
mod downloads;
mod error;
mod interrupt;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = temper_engine::check_simd() {
        eprintln!("temper: {error}");
        return ExitCode::from(2);
    }
    temper_data::hub::report_downloads(downloads::show);
    let result = match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Sft(args) => commands::single::sft(&args),
        Command::Grpo(args) => commands::single::grpo(&args),
        Command::Sample(args) => commands::sample::sample(&args),
        Command::Logprobs(args) => commands::logprobs::logprobs(&args),
        Command::Suite(args) => commands::suite::suite(&args),
        Command::Eval(args) => commands::eval::eval(&args),
        Command::Compare(args) => commands::compare::compare(&args),
        Command::Hacking(args) => commands::hacking::hacking(&args),
        Command::Gate(args) => commands::gate::gate(&args),
        Command::Scorer(args) => commands::scorer::scorer(&args),
        Command::Log(args) => commands::log::log(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Data(args) => commands::data::data(&args),
        Command::Bench(args) => commands::bench::bench(&args),
        Command::Merge(args) => commands::merge::merge(&args),
        Command::Lab(args) => commands::lab::lab(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("temper: {error}");
            ExitCode::from(2)
        }
    }
}
