//! `temper lab`: the miniature world, to look at and to take along.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use temper_lab::World;
use temper_recipe::{Lab, Recipe};

use crate::args::{LabArgs, LabCommand, LabKnobs};
use crate::error::CliError;
use crate::{commands, interrupt};

/// The smallest recipe that passes its checks, to carry the lab's knobs.
const ANY_RECIPE: &str = "{name: lab, model: {path: 'lab:base'}, data: {d: {path: 'lab:demonstrations'}}, arms: {a: {stages: [{sft: {data: d}}]}}}";

/// Lists, exports, or makes the base model.
pub fn lab(args: &LabArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        LabCommand::List(knobs) => list(knobs),
        LabCommand::Export { name, out, knobs } => export(name, out, knobs),
        LabCommand::Base { out, knobs } => base(out, knobs),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn knobs(knobs: &LabKnobs) -> Result<Lab, CliError> {
    Ok(match &knobs.recipe {
        Some(file) => Recipe::load(file, &knobs.set)?.lab,
        None => Recipe::parse(ANY_RECIPE, "the default lab", &knobs.set, &[])?.lab,
    })
}

fn list(args: &LabKnobs) -> Result<(), CliError> {
    let world = World::new(&knobs(args)?);
    let mut sizes = Vec::new();
    for name in World::names() {
        sizes.push((*name, world.rows(name)?.len()));
    }
    if args.json {
        let rows: Vec<_> = sizes.iter().map(|(name, rows)| json!({"name": name, "rows": rows})).collect();
        return commands::print_json(&rows);
    }
    let mut text = String::new();
    for (name, rows) in sizes {
        text += &format!("lab:{name:<36} {rows:>6} rows\n");
    }
    commands::print(&text)
}

fn export(name: &str, out: &Path, args: &LabKnobs) -> Result<(), CliError> {
    let world = World::new(&knobs(args)?);
    let name = name.strip_prefix("lab:").unwrap_or(name);
    let mut written = Vec::new();
    if name == "all" {
        for name in World::names() {
            let file = out.join(format!("{}.jsonl", name.replace('/', "-")));
            written.push((file.clone(), write(&world, name, &file)?));
        }
    } else {
        written.push((out.to_owned(), write(&world, name, out)?));
    }
    if args.json {
        let files: Vec<_> = written.iter().map(|(file, rows)| json!({"file": file, "rows": rows})).collect();
        return commands::print_json(&files);
    }
    let lines: Vec<String> =
        written.iter().map(|(file, rows)| format!("{rows:>7} rows  {}\n", file.display())).collect();
    commands::print(&lines.concat())
}

fn write(world: &World, name: &str, file: &Path) -> Result<usize, CliError> {
    let mut rows = 0;
    commands::write_file(file, |out| {
        rows = world.export(name, out)?;
        Ok(())
    })?;
    Ok(rows)
}

fn base(out: &Path, args: &LabKnobs) -> Result<(), CliError> {
    let lab = knobs(args)?;
    commands::check_empty(out)?;
    let loaded = commands::load(temper_run::LAB_BASE, &lab, interrupt::flag()?)?;
    loaded.model.save(out)?;
    loaded.tokenizer.save(out)?;
    if args.json {
        return commands::print_json(&json!({
            "out": out, "digest": loaded.model.digest(), "parameters": loaded.model.num_params(), "cost": loaded.pretraining
        }));
    }
    commands::print(&format!("{} parameters: {}\n", loaded.model.num_params(), out.display()))
}
