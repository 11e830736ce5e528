//! One file per command.

pub mod bench;
pub mod calibrate;
pub mod compare;
pub mod data;
pub mod eval;
pub mod gate;
pub mod hacking;
pub mod lab;
pub mod log;
pub mod logprobs;
pub mod merge;
pub mod report;
pub mod run;
pub mod sample;
pub mod scorer;
pub mod single;
pub mod suite;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use console::Term;
use serde::Serialize;
use temper_recipe::{Lab, ModelRef};
use temper_report::Look;
use temper_run::{Loaded, Resolve, Sources};

use crate::bars::Bars;
use crate::error::CliError;

/// Sets the number of threads for everything that follows.
pub fn threads(count: Option<usize>) -> Result<(), CliError> {
    let Some(count) = count else { return Ok(()) };
    if count == 0 {
        return Err(CliError::message("--threads 0: at least one thread is needed"));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build_global()
        .map_err(|e| CliError::message(format!("--threads {count}: {e}")))
}

/// Prints text on standard output.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Stdout)
}

/// Prints a value as indented JSON on standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| CliError::message(format!("the result cannot be turned into JSON: {e}")))?;
    print(&(text + "\n"))
}

/// A model for a command that does not train: a directory, or `lab:base` of the default lab.
pub fn load(model: &str, lab: &Lab, stop: &AtomicBool) -> Result<Loaded, CliError> {
    let sources = Sources::new(lab);
    let mut bars = Bars::new();
    match temper_run::resolve(&ModelRef { path: model.to_owned() }, &sources, lab, &mut bars, stop)? {
        Resolve::Ready(loaded) => Ok(*loaded),
        Resolve::Interrupted => Err(CliError::message("interrupted; the same command goes on from the saved state")),
    }
}

/// How standard output is written to: its width, and colours on a terminal unless `NO_COLOR` is set; `CLICOLOR_FORCE` gives
/// colours to a pager too.
pub fn look() -> Look {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != *"0");
    let terminal = std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != *"dumb");
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)).or(columns);
    Look {
        width: width.unwrap_or(temper_report::WIDTH).clamp(40, 140),
        colour: (terminal || set("CLICOLOR_FORCE")) && !set("NO_COLOR"),
    }
}

/// Refuses a directory that holds something.
pub fn check_empty(dir: &Path) -> Result<(), CliError> {
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::message(format!("{} is not empty; choose another directory", dir.display())));
    }
    Ok(())
}

/// Writes a file beside its place and renames it; `fill` writes the content.
pub fn write_file(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<(), CliError>) -> Result<(), CliError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| CliError::io(folder, e))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = std::path::PathBuf::from(beside);
    let file = std::fs::File::create(&beside).map_err(|e| CliError::io(&beside, e))?;
    let mut out = std::io::BufWriter::new(file);
    let result = fill(&mut out).and_then(|()| out.flush().map_err(|e| CliError::io(&beside, e)));
    drop(out);
    match result {
        Ok(()) => std::fs::rename(&beside, path).map_err(|e| CliError::io(path, e)),
        Err(error) => {
            let _ = std::fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// Overrides with a model, for commands that read none: a recipe may leave it to the command line.
pub fn without_model(set: &[String]) -> Vec<String> {
    set.iter().cloned().chain(["model.path=none".to_owned()]).collect()
}

/// An error at a row.
pub fn at(place: &str, error: &dyn std::fmt::Display) -> CliError {
    CliError::message(format!("{place}: {error}"))
}

/// How this program was called, for hints that can be pasted.
pub fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "temper".into())
}
