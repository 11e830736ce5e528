//! `temper run`: a recipe from start to report.

use std::process::ExitCode;

use temper_engine::Precision;
use temper_recipe::{Bytes, Dtype, Recipe};
use temper_run::summary::{ArmStatus, RunSummary};
use temper_run::{Ending, Inputs, Place, RunDir};

use crate::args::{Common, RunArgs};
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Exit code when a gate stopped an arm or rolled it back.
const GATE_FAILED: u8 = 3;
/// Exit code when Ctrl-C stopped the run.
const INTERRUPTED: u8 = 130;

/// Runs a recipe file.
pub fn run(args: &RunArgs) -> Result<ExitCode, CliError> {
    let recipe = Recipe::load_with(&args.recipe, &args.common.set, &temper_score::known_types())?;
    execute(recipe, &args.common, &format!("{} run {}", commands::program(), args.recipe.display()))
}

/// Runs a recipe with the common options; `command` is how to call it again.
pub fn execute(mut recipe: Recipe, common: &Common, command: &str) -> Result<ExitCode, CliError> {
    if let Some(seed) = common.seed {
        recipe.seed = seed;
    }
    if let Some(dtype) = common.dtype {
        recipe.dtype = match dtype {
            Precision::F32 => Dtype::F32,
            Precision::Bf16 => Dtype::Bf16,
        };
    }
    if let Some(size) = &common.memory_budget {
        let bytes: Bytes = size.parse().map_err(|e| CliError::message(format!("--memory-budget: {e}")))?;
        recipe.memory_budget = Some(format!("{}B", bytes.0));
    }
    commands::threads(common.threads)?;
    recipe.validate(&temper_score::known_types())?;
    if common.dry_run {
        return dry_run(&recipe, common.json);
    }
    let place = match &common.resume {
        Some(dir) => Place::Resume(dir.clone()),
        None => Place::New(common.out.clone()),
    };
    let stop = interrupt::flag()?;
    let inputs = Inputs::read(&recipe)?;
    let dir = RunDir::open(&recipe, &place)?;
    let again = format!(
        "{command}{}{} --resume={}",
        common.set.iter().map(|set| format!(" --set '{set}'")).collect::<String>(),
        common.seed.map(|seed| format!(" --seed {seed}")).unwrap_or_default()
            + &common.dtype.map(|dtype| format!(" --dtype {dtype}")).unwrap_or_default()
            + &common.memory_budget.as_ref().map(|size| format!(" --memory-budget {size}")).unwrap_or_default(),
        dir.path.display()
    );
    eprintln!("Run directory: {}", dir.path.display());
    let mut bars = Bars::new();
    let (ending, summary) = match temper_run::execute(&recipe, inputs, &dir, &mut bars, stop) {
        Ok(done) => done,
        Err(error) => {
            eprintln!("What was done so far is kept in {}. To go on from there: {again}", dir.path.display());
            return Err(error.into());
        }
    };
    if ending == Ending::Interrupted {
        eprintln!("Stopped. To go on: {again}");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let report = temper_report::write_html(&summary, &dir.path)?;
    if common.json {
        commands::print_json(&summary)?;
    } else {
        commands::print(&temper_report::render_terminal(&summary))?;
        commands::print(&format!("\nReport: {}\n", report.display()))?;
    }
    Ok(exit_code(&summary))
}

fn exit_code(summary: &RunSummary) -> ExitCode {
    let gated = |status: &ArmStatus| matches!(status, ArmStatus::Stopped { .. } | ArmStatus::RolledBack { .. });
    if summary.arms.iter().any(|arm| gated(&arm.status)) { ExitCode::from(GATE_FAILED) } else { ExitCode::SUCCESS }
}

fn dry_run(recipe: &Recipe, json: bool) -> Result<ExitCode, CliError> {
    let estimate = temper_run::estimate(recipe)?;
    if json {
        let recipe = serde_json::to_value(recipe).map_err(|e| CliError::message(e.to_string()))?;
        commands::print_json(&serde_json::json!({ "recipe": recipe, "plan": estimate }))?;
    } else {
        commands::print(&recipe.to_yaml())?;
        commands::print(&format!("\n{estimate}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
