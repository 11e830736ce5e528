//! `temper eval`: a model on the suites of a recipe. The model is one of ours, or one behind a server.

mod server;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use temper_eval::{Engine, Served, Subject, SuiteRun, Tally};
use temper_recipe::Recipe;
use temper_run::{Loaded, Sources};

use crate::args::EvalArgs;
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Who is measured.
enum Answers {
    Engine(Box<Loaded>),
    Server(Served),
}

impl Answers {
    fn find(args: &EvalArgs, recipe: &Recipe, stop: &AtomicBool) -> Result<Self, CliError> {
        if server::is_address(&args.model) {
            return Ok(Answers::Server(server::connect(&args.model, &args.server)?));
        }
        server::refuse_without(&args.model, &args.server)?;
        let mut loaded = commands::load(&args.model, &recipe.lab, stop)?;
        loaded.model.set_precision(temper_run::precision(recipe.dtype));
        Ok(Answers::Engine(Box::new(loaded)))
    }

    /// What progress calls it.
    fn label(&self) -> String {
        match self {
            Answers::Engine(loaded) => loaded.model.digest()[..16].to_owned(),
            Answers::Server(served) => served.server().model.clone(),
        }
    }

    /// Whether plain prompts become dialogues where the data does not say. Servers have a chat template.
    fn chat(&self) -> bool {
        match self {
            Answers::Engine(loaded) => loaded.tokenizer.has_chat_template(),
            Answers::Server(_) => true,
        }
    }
}

/// Measures a model and leaves one item log per suite in `out`.
pub fn eval(args: &EvalArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    let file = args.recipe.as_deref();
    let mut recipe = commands::suite::recipe(file, &args.include, &args.suites, &args.model, &args.set)?;
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.validate(&temper_score::known_types())?;
    if let Some(unknown) = args.suites.iter().find(|name| !recipe.suites.contains_key(*name)) {
        let known: Vec<&str> = recipe.suites.keys().map(String::as_str).collect();
        return Err(CliError::message(format!(
            "--suite {unknown}: {} has no such suite; it has {}",
            file.map_or("--include".to_owned(), |file| file.display().to_string()),
            known.join(", ")
        )));
    }
    let stop = interrupt::flag()?;
    let answers = Answers::find(args, &recipe, stop)?;
    let engine = match &answers {
        Answers::Engine(loaded) => Some(Engine { model: &loaded.model, tokenizer: &loaded.tokenizer }),
        Answers::Server(_) => None,
    };
    let subject: &dyn Subject = match (&answers, &engine) {
        (Answers::Server(served), _) => served,
        (_, Some(engine)) => engine,
        (Answers::Engine(_), None) => return Err(CliError::message("no model to measure")),
    };
    let sources = Sources::new(&recipe.lab);
    let label = answers.label();
    let mut bars = Bars::new();
    let mut measurements = Vec::new();
    let calibrations = temper_run::read_calibrations(&recipe)?;
    for (name, suite) in &recipe.suites {
        if !args.suites.is_empty() && !args.suites.contains(name) {
            continue;
        }
        let rows = sources.rows(&suite.data, answers.chat())?;
        let scorers = suite
            .scorers
            .iter()
            .map(|name| temper_score::build(name, &recipe.scorers, &recipe.lab))
            .collect::<Result<Vec<_>, _>>()?;
        let log = args.out.join(format!("{name}.eval"));
        let run = SuiteRun { name, suite, rows: &rows, scorers: &scorers, seed: recipe.seed, label: &label, log: &log };
        match temper_eval::run_suite(&run, subject, &mut bars, stop)? {
            Some(mut result) => {
                temper_eval::correct(&mut result.measurements, &result.records, &scorers, &calibrations);
                measurements.extend(result.measurements);
                eprintln!("{}", told(name, &result.tally));
            }
            None => {
                eprintln!("Stopped. The same command goes on with what is missing.");
                return Ok(ExitCode::from(130));
            }
        }
    }
    if let Answers::Server(served) = &answers {
        eprintln!("{}", server::traffic(served));
    }
    if args.json {
        commands::print_json(&measurements)?;
    } else {
        // With the slices below, nothing has to be said of them here.
        let shown: Vec<_> = measurements.iter().filter(|m| m.slice.is_none() || !args.slices).cloned().collect();
        commands::print(&temper_report::render_measurements(&shown))?;
        if args.slices {
            commands::print(&format!("\n{}", temper_report::render_slices(&measurements)))?;
        }
        commands::print(&format!("\nItem logs: {}\n", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a suite's completions come from: `xstest: 250 completions: 120 from the journal, 130 asked now`.
fn told(suite: &str, tally: &Tally) -> String {
    let parts = [
        (tally.from_log, "from the log of an earlier call"),
        (tally.from_journal, "from the journal of an interrupted call"),
        (tally.asked, "asked now"),
        (tally.not_sampled, "too long for the model's context"),
        (tally.tokens_unknown, "of unknown length"),
        (tally.failed, "failed; the same command asks these again"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{suite}: {} completions: {}", tally.samples, parts.join(", "))
}
