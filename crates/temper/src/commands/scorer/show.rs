//! `temper scorer show`: one scorer as it will judge.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use temper_report::{direction, nature, part};
use temper_score::ScoreCache;

use crate::args::ScorerShowArgs;
use crate::commands;
use crate::error::CliError;

use super::{Named, named};

/// Prints type, parameters with defaults, digest and parts of one scorer.
pub fn show(args: &ScorerShowArgs) -> Result<ExitCode, CliError> {
    let named = named(args.recipe.as_deref(), &args.set)?;
    let shown = tree(&args.name, &named)?;
    if args.json {
        commands::print_json(&shown)?;
    } else {
        commands::print(&text(&shown, 0))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A scorer and its parts as JSON.
fn tree(name: &str, named: &Named) -> Result<Value, CliError> {
    let scorer = temper_score::build_with(name, &named.scorers, &named.lab, &ScoreCache::none())?;
    let spec = named.scorers.get(name);
    let kind = spec.map_or(name, |spec| spec.r#type.as_str());
    let parts: Vec<Value> =
        spec.iter().flat_map(|spec| spec.parts()).map(|part| tree(part, named)).collect::<Result<_, _>>()?;
    let info = temper_score::registry().into_iter().find(|info| info.r#type == kind);
    Ok(json!({
        "name": name,
        "type": kind,
        "title": scorer.title(),
        "summary": info.map(|info| info.summary),
        "needs": info.map(|info| info.needs),
        "part": part(scorer.part()),
        "better": direction(scorer.better()),
        "nature": nature(scorer.nature()),
        "range": scorer.range(),
        "cached": scorer.costly(),
        "parameters": scorer.identity(),
        "digest": scorer.digest(),
        "parts": parts,
    }))
}

fn text(shown: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let word = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
    let mut out = format!("{indent}{} ({}): {}\n", word("name"), word("type"), word("title"));
    let mut line = |name: &str, value: String| out.push_str(&format!("{indent}  {name:<12}{value}\n"));
    line("computes", word("summary"));
    line("reads", word("part"));
    let needs: Vec<&str> = shown["needs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !needs.is_empty() {
        line("needs", needs.join(", "));
    }
    line("scores", format!("{}, {}", word("nature"), word("better")));
    if let Some([low, high]) = shown["range"].as_array().map(Vec::as_slice) {
        line("range", format!("{low} to {high}"));
    }
    line("cached", if shown["cached"] == json!(true) { "yes" } else { "no" }.to_owned());
    line("digest", word("digest"));
    match shown["parameters"].as_object().filter(|parameters| !parameters.is_empty()) {
        None => line("parameters", "none".to_owned()),
        Some(parameters) => line("parameters", flat(parameters)),
    }
    for part in shown["parts"].as_array().into_iter().flatten() {
        out.push_str(&text(part, depth + 1));
    }
    out
}

fn flat(parameters: &Map<String, Value>) -> String {
    parameters.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}
