//! `temper eval`: a model on the suites of a recipe.

use std::process::ExitCode;

use temper_eval::SuiteRun;
use temper_recipe::Recipe;
use temper_run::Sources;

use crate::args::EvalArgs;
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Measures a model and leaves one item log per suite in `out`.
pub fn eval(args: &EvalArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    let mut overrides = args.set.clone();
    overrides.push(format!("model.path={}", args.model));
    let mut recipe = Recipe::load(&args.recipe, &overrides)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.validate(&temper_score::known_types())?;
    if let Some(unknown) = args.suites.iter().find(|name| !recipe.suites.contains_key(*name)) {
        let known: Vec<&str> = recipe.suites.keys().map(String::as_str).collect();
        return Err(CliError::message(format!(
            "--suite {unknown}: {} has no such suite; it has {}",
            args.recipe.display(),
            known.join(", ")
        )));
    }
    let stop = interrupt::flag()?;
    let mut loaded = commands::load(&args.model, &recipe.lab, stop)?;
    loaded.model.set_precision(temper_run::precision(recipe.dtype));
    let sources = Sources::new(&recipe.lab);
    let label = loaded.model.digest()[..16].to_owned();
    let mut bars = Bars::new();
    let mut measurements = Vec::new();
    for (name, suite) in &recipe.suites {
        if !args.suites.is_empty() && !args.suites.contains(name) {
            continue;
        }
        let rows = sources.rows(&suite.data, loaded.tokenizer.has_chat_template())?;
        let scorers = suite
            .scorers
            .iter()
            .map(|name| temper_score::build(name, &recipe.scorers, &recipe.lab))
            .collect::<Result<Vec<_>, _>>()?;
        let log = args.out.join(format!("{name}.eval"));
        let run = SuiteRun { name, suite, rows: &rows, scorers: &scorers, seed: recipe.seed, label: &label, log: &log };
        match temper_eval::run_suite(&run, &loaded.model, &loaded.tokenizer, &mut bars, stop)? {
            Some(result) => measurements.extend(result.measurements),
            None => {
                eprintln!("Stopped. The same command goes on with what is missing.");
                return Ok(ExitCode::from(130));
            }
        }
    }
    if args.json {
        commands::print_json(&measurements)?;
    } else {
        commands::print(&temper_report::render_measurements(&measurements))?;
        commands::print(&format!("\nItem logs: {}\n", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
