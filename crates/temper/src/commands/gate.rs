//! `temper gate`: a recipe's gates on item logs that are there already, for continuous integration.

use std::process::ExitCode;

use temper_eval::Verdict;
use temper_recipe::{Gate, Recipe, Reference, Rule};
use temper_run::{Checkpoints, Measured, Sources};

use crate::args::{GateArgs, Undecided};
use crate::commands;
use crate::error::CliError;

/// Exit code when a gate failed.
const FAILED: u8 = 1;
/// Exit code when no gate failed and one is undecided.
const UNDECIDED: u8 = 3;

/// Judges the gates, or says what they could detect.
pub fn gate(args: &GateArgs) -> Result<ExitCode, CliError> {
    // No model is read here, so a recipe that leaves it open will do.
    let recipe = Recipe::load(&args.recipe, &commands::without_model(&args.set))?;
    recipe.validate(&temper_score::known_types())?;
    if recipe.gates.is_empty() {
        return Err(CliError::message(format!("{} has no `gates`; write at least one", args.recipe.display())));
    }
    let Some(candidate) = args.candidate.as_ref().filter(|_| !args.plan) else { return plan(&recipe, args.json) };
    let now = Measured::read(candidate)?;
    let parent = match &args.parent {
        Some(path) => Some(Measured::read(path)?),
        None => now.parent()?,
    };
    let base = match &args.base {
        Some(path) => Some(Measured::read(path)?),
        None => now.base()?,
    };
    let gates = applying(&recipe, &now);
    if gates.is_empty() {
        return Err(CliError::message(format!(
            "no gate of {} applies to {}",
            args.recipe.display(),
            candidate.display()
        )));
    }
    check(&gates, &now, parent.as_ref(), base.as_ref())?;
    let calibrations = temper_run::read_calibrations(&recipe)?;
    let build = |name: &str| temper_score::build(name, &recipe.scorers, &recipe.lab);
    temper_run::check_calibrated(&recipe, &calibrations, &|name| Ok(build(name)?))?;
    let logs = Checkpoints {
        now: &now.logs,
        parent: parent.as_ref().map(|measured| &measured.logs),
        base: base.as_ref().map(|measured| &measured.logs),
    };
    let scorer = |gate: &Gate| build(&gate.metric).ok();
    let verdicts = temper_run::judge_gates(&gates, recipe.gate_correction, scorer, &calibrations, logs);
    if args.json {
        commands::print_json(&verdicts)?;
    } else {
        commands::print(&temper_report::render_gates(&verdicts, commands::look().width))?;
    }
    let any = |wanted| verdicts.iter().any(|verdict| verdict.verdict == wanted);
    Ok(match (any(Verdict::Fail), any(Verdict::Undecided), args.undecided) {
        (true, _, _) | (_, true, Some(Undecided::Fail)) => ExitCode::from(FAILED),
        (_, true, None) => ExitCode::from(UNDECIDED),
        _ => ExitCode::SUCCESS,
    })
}

/// The gates that apply to the candidate's arm and stage; all of them for logs that belong to no run.
fn applying<'a>(recipe: &'a Recipe, now: &Measured) -> Vec<&'a Gate> {
    let place = now.place.as_ref().and_then(|place| place.stage.as_ref());
    let stage = place.and_then(|(arm, folder)| {
        let stages = &recipe.arms.get(arm)?.stages;
        let (_, stage) = stages.iter().enumerate().find(|(number, stage)| stage.folder(*number) == *folder)?;
        Some((arm, stage))
    });
    recipe.gates.iter().filter(|gate| stage.is_none_or(|(arm, stage)| gate.applies_to(arm, stage))).collect()
}

/// Refuses to judge without the logs that the rules need.
fn check(gates: &[&Gate], now: &Measured, parent: Option<&Measured>, base: Option<&Measured>) -> Result<(), CliError> {
    for gate in gates {
        let has = |measured: Option<&Measured>| measured.is_some_and(|m| m.logs.contains_key(&gate.suite));
        let (missing, option) = match gate.rule() {
            _ if !has(Some(now)) => ("the candidate", "--candidate"),
            Rule::NotWorse { reference: Reference::Parent, .. } if !has(parent) => ("its parent", "--parent"),
            Rule::NotWorse { reference: Reference::Base, .. } if !has(base) => ("the base model", "--base"),
            _ => continue,
        };
        return Err(CliError::message(format!(
            "gate {}: there is no item log of the suite `{}` for {missing}; measure it with `temper eval --suite {}` and give \
             the folder with {option}",
            gate.label(),
            gate.suite,
            gate.suite
        )));
    }
    Ok(())
}

fn plan(recipe: &Recipe, json: bool) -> Result<ExitCode, CliError> {
    let lines = temper_run::foresee_recipe(recipe, &Sources::new(&recipe.lab))?;
    if json {
        commands::print_json(&lines)?;
    } else {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        commands::print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
