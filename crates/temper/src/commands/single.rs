//! `temper sft` and `temper grpo`: recipes of one stage.

use std::process::ExitCode;

use temper_recipe::{Columns, Recipe, SingleStage};

use crate::args::{GrpoArgs, SingleArgs};
use crate::commands::{self, run};
use crate::error::CliError;

/// Supervised fine-tuning.
pub fn sft(args: &SingleArgs) -> Result<ExitCode, CliError> {
    start(args, "sft", &[])
}

/// GRPO.
pub fn grpo(args: &GrpoArgs) -> Result<ExitCode, CliError> {
    start(&args.single, "grpo", &args.rewards)
}

fn start(args: &SingleArgs, kind: &str, rewards: &[String]) -> Result<ExitCode, CliError> {
    let mut overrides = args.common.set.clone();
    overrides.extend(args.max_steps.map(|steps| format!("max_steps={steps}")));
    overrides.extend(args.learning_rate.map(|rate| format!("learning_rate={rate}")));
    let mut names = Vec::with_capacity(rewards.len());
    for (index, reward) in rewards.iter().enumerate() {
        let (name, weight) =
            reward.split_once('=').map_or((reward.as_str(), None), |(name, weight)| (name, Some(weight)));
        names.push(name.to_owned());
        overrides.extend(weight.map(|weight| format!("rewards.{index}.weight={weight}")));
    }
    let single = SingleStage {
        name: kind,
        model: &args.model,
        data: &args.data,
        columns: columns(&args.columns)?,
        rewards: &names,
        overrides: &overrides,
    };
    let recipe = if kind == "sft" { Recipe::single_sft(&single)? } else { Recipe::single_grpo(&single)? };
    let mut command = format!("{} {kind} --model {} --data {}", commands::program(), args.model, args.data);
    for (flag, values) in [("--columns", &args.columns), ("--reward", &rewards.to_vec())] {
        command.extend(values.iter().map(|value| format!(" {flag} {value}")));
    }
    command.extend(args.max_steps.map(|steps| format!(" --max-steps {steps}")));
    command.extend(args.learning_rate.map(|rate| format!(" --learning-rate {rate}")));
    run::execute(recipe, &args.common, &command)
}

fn columns(pairs: &[String]) -> Result<Columns, CliError> {
    let mut columns = Columns::default();
    for pair in pairs {
        let (role, column) = pair.split_once('=').ok_or_else(|| {
            CliError::message(format!("--columns {pair}: expected ROLE=COLUMN, such as prompt=question"))
        })?;
        let place = match role {
            "prompt" => &mut columns.prompt,
            "completion" => &mut columns.completion,
            "messages" => &mut columns.messages,
            "text" => &mut columns.text,
            "answer" => &mut columns.answer,
            "id" => &mut columns.id,
            other => {
                return Err(CliError::message(format!(
                    "--columns {pair}: unknown role `{other}`; known: prompt, completion, messages, text, answer, id"
                )));
            }
        };
        *place = Some(column.to_owned());
    }
    Ok(columns)
}
