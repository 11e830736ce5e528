//! `temper scorer`: scorers by themselves, without a model.

mod bench;
mod completions;
mod list;
mod score;
mod show;

use std::path::Path;
use std::process::ExitCode;

use indexmap::IndexMap;
use serde_json::Value;
use temper_recipe::{Lab, Recipe, ScorerSpec};

use crate::args::{ScorerArgs, ScorerCommand};
use crate::commands::calibrate;
use crate::error::CliError;

/// Runs one of the commands.
pub fn scorer(args: &ScorerArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ScorerCommand::List(args) => list::list(args),
        ScorerCommand::Show(args) => show::show(args),
        ScorerCommand::Score(args) => score::score(args),
        ScorerCommand::Bench(args) => bench::bench(args),
        ScorerCommand::Calibrate(args) => calibrate::calibrate(args),
    }
}

/// Named scorers and the lab that they may ask.
pub struct Named {
    /// Scorers with parameters.
    pub scorers: IndexMap<String, ScorerSpec>,
    /// The lab's knobs.
    pub lab: Lab,
}

/// The scorers of a recipe; without one, those that settings `NAME.PARAMETER=VALUE` make: of the type `NAME.type`, or of the
/// type that is called like them.
pub fn named(recipe: Option<&Path>, set: &[String]) -> Result<Named, CliError> {
    if let Some(file) = recipe {
        let recipe = Recipe::load_with(file, set, &temper_score::known_types())?;
        return Ok(Named { scorers: recipe.scorers, lab: recipe.lab });
    }
    let mut scorers: IndexMap<String, ScorerSpec> = IndexMap::new();
    for setting in set {
        let wrong =
            || CliError::message(format!("--set {setting}: write NAME.PARAMETER=VALUE, as in language.part=answer"));
        let (key, value) = setting.split_once('=').ok_or_else(wrong)?;
        let (name, parameter) = key.split_once('.').ok_or_else(wrong)?;
        // What is no JSON is a text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        let spec = scorers.entry(name.to_owned()).or_insert_with(|| ScorerSpec::plain(name));
        match (parameter, value) {
            ("type", Value::String(kind)) => spec.r#type = kind,
            (parameter, value) => {
                spec.params.insert(parameter.to_owned(), value);
            }
        }
    }
    Ok(Named { scorers, lab: Lab::default() })
}
