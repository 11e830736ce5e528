//! `temper bench`: how fast training and sampling are on this machine.

use std::process::ExitCode;

use temper_engine::Model;
use temper_train::{BenchSettings, Work};

use crate::args::{BenchArgs, BenchCommand};
use crate::commands;
use crate::error::CliError;

/// Measures one work on a model.
pub fn bench(args: &BenchArgs) -> Result<ExitCode, CliError> {
    let (common, work) = match &args.command {
        BenchCommand::Train { common, batch, seq } => (common, Work::Train { batch: *batch, seq: *seq }),
        BenchCommand::Decode { common, batch, seq, new_tokens } => {
            (common, Work::Decode { batch: *batch, seq: *seq, new_tokens: *new_tokens })
        }
        BenchCommand::Grpo { common, batch, group, seq, new_tokens } => {
            (common, Work::Grpo { prompts: *batch, group: *group, seq: *seq, new_tokens: *new_tokens })
        }
    };
    if !(common.seconds.is_finite() && common.seconds >= 0.0) {
        return Err(CliError::message(format!("--seconds {}: use a number of seconds, such as 8", common.seconds)));
    }
    commands::threads(common.threads)?;
    let mut model = Model::load(&common.model)?;
    let settings = BenchSettings { work, precision: common.dtype, seconds: common.seconds };
    let report = temper_train::bench(&mut model, &settings)?;
    if common.json {
        commands::print_json(&report)?;
    } else {
        commands::print(&temper_report::render_bench(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}
