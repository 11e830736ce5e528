//! `temper scorer calibrate`: a scorer against people's labels.

use std::process::ExitCode;

use temper_recipe::Recipe;
use temper_run::{Labelled, Sources};

use crate::args::CalibrateArgs;
use crate::commands;
use crate::error::CliError;

/// Judges labelled completions, shows the confusion and writes the calibration.
pub fn calibrate(args: &CalibrateArgs) -> Result<ExitCode, CliError> {
    let recipe = match &args.recipe {
        // Only the scorers and the lab are read, so a recipe that leaves the model open will do.
        Some(file) => Recipe::load(file, &commands::without_model(&args.set))?,
        None => Recipe::default(),
    };
    let scorer = temper_score::build(&args.scorer, &recipe.scorers, &recipe.lab)?;
    let labelled = Labelled {
        data: args.data.clone(),
        prompt: args.prompt.clone(),
        completion: args.completion.clone(),
        label: args.label.clone(),
        positive: args.positive.clone(),
        slice: args.slice.clone(),
        threshold: args.threshold,
    };
    let calibration = temper_run::calibrate(scorer.as_ref(), &labelled, &Sources::new(&recipe.lab))?;
    calibration.write(&args.out)?;
    if args.json {
        commands::print_json(&calibration)?;
    } else {
        commands::print(&temper_report::render_calibration(&calibration))?;
        commands::print(&format!("\nCalibration: {}\n", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
