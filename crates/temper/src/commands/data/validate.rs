//! `temper data validate`: all checks of all rows.

use std::process::ExitCode;

use serde_json::{Value, json};
use temper_data::{HeldOut, Purpose, Row, Validation};
use temper_recipe::{Columns, DataSource, Recipe, Stage};
use temper_report::Look;

use super::progress::Counter;
use super::source::{Source, learns_from};
use crate::args::{SourceArgs, ValidateArgs};
use crate::commands;
use crate::error::CliError;

/// Exit code 0 where nothing stops a run, 1 where a check fails.
pub fn validate(args: &ValidateArgs) -> Result<ExitCode, CliError> {
    let mut report =
        Report { look: commands::look(), json: args.source.json, checked: Vec::new(), stops: 0, warnings: 0 };
    let held_out = held_out(args)?;
    match (&args.source.recipe, &args.source.data) {
        (Some(file), None) => recipe(&Recipe::load(file, &args.source.set)?, args, held_out, &mut report)?,
        _ => {
            let mut source = Source::open(&args.source)?;
            source.limit(0, args.rows);
            let purpose = if source.learning.asked.is_some() { Purpose::Learn } else { Purpose::Unknown };
            let found = check(&source, purpose, &held_out, None)?;
            let by = source.learning.asked.clone();
            report.add(&source, by.as_deref(), &found)?;
        }
    }
    report.end()
}

/// Every source of a recipe, as its stages use it, and the suites' items; the items are looked for among what is learned.
fn recipe(
    recipe: &Recipe,
    args: &ValidateArgs,
    mut held_out: Vec<HeldOut>,
    report: &mut Report,
) -> Result<(), CliError> {
    for name in recipe.suites.keys() {
        let mut source = Source::of_recipe(recipe, name, &args.source)?;
        source.limit(0, args.rows);
        let mut items = Vec::new();
        let found = check(&source, Purpose::Ask, &[], Some(&mut items))?;
        report.add(&source, Some("suite"), &found)?;
        held_out.push(HeldOut { name: name.clone(), rows: items });
    }
    for (name, data) in &recipe.data {
        if data.mix.is_some() {
            continue;
        }
        let mut uses: Vec<(Purpose, String)> = Vec::new();
        for (arm, stages) in &recipe.arms {
            for stage in &stages.stages {
                let label = format!("{arm}/{}", stage.label());
                match stage {
                    Stage::Sft(_) if learns_from(recipe, stage, name) => uses.push((Purpose::Learn, label)),
                    Stage::Reject(reject) if reject.mix.contains(name) => uses.push((Purpose::Unknown, label)),
                    Stage::Sft(_) => {}
                    _ if learns_from(recipe, stage, name) => uses.push((Purpose::Ask, label)),
                    _ => {}
                }
            }
        }
        // Where a stage learns them, those checks are the stricter ones.
        if uses.iter().any(|(purpose, _)| *purpose == Purpose::Learn) {
            uses.retain(|(purpose, _)| *purpose != Purpose::Unknown);
        }
        if uses.is_empty() {
            uses.push((Purpose::Unknown, "no stage uses it".to_owned()));
        }
        for (purpose, labels) in grouped(recipe, uses) {
            let stage = (purpose == Purpose::Learn).then(|| labels[0].clone());
            let arguments = SourceArgs { stage: stage.or_else(|| args.source.stage.clone()), ..args.source.clone() };
            let mut source = Source::of_recipe(recipe, name, &arguments)?;
            source.limit(0, args.rows);
            let found = check(&source, purpose, &held_out, None)?;
            report.add(&source, Some(&labels.join(", ")), &found)?;
        }
    }
    Ok(())
}

/// Uses that come to the same checks, together.
fn grouped(recipe: &Recipe, uses: Vec<(Purpose, String)>) -> Vec<(Purpose, Vec<String>)> {
    let settings = |label: &str| {
        let (arm, name) = label.split_once('/')?;
        let stage = recipe.arms.get(arm)?.stages.iter().find(|stage| stage.label() == name)?;
        match stage {
            Stage::Sft(sft) => Some((sft.loss_on, sft.max_length, sft.long_rows)),
            _ => None,
        }
    };
    let mut out: Vec<(Purpose, Vec<String>)> = Vec::new();
    for (purpose, label) in uses {
        let same = out.iter_mut().find(|(other, labels)| *other == purpose && settings(&labels[0]) == settings(&label));
        match same {
            Some((_, labels)) => labels.push(label),
            None => out.push((purpose, vec![label])),
        }
    }
    out
}

fn check(
    source: &Source,
    purpose: Purpose,
    held_out: &[HeldOut],
    mut keep: Option<&mut Vec<Row>>,
) -> Result<Validation, CliError> {
    let counter = Counter::new(&source.name);
    let encoding = source.encoding();
    let rows = source.rows()?.inspect(|row| {
        if let (Some(kept), Ok(row)) = (keep.as_mut(), row) {
            kept.push(row.clone());
        }
    });
    let found = temper_data::validate(rows, purpose, encoding.as_ref(), held_out, |rows| {
        counter.set(rows);
        Ok::<(), CliError>(())
    })?;
    counter.end();
    Ok(found)
}

/// The rows of `--against`.
fn held_out(args: &ValidateArgs) -> Result<Vec<HeldOut>, CliError> {
    let columns = Columns::parse(&args.against_columns)?;
    let sources = temper_run::Sources::new(&temper_recipe::Lab::default());
    let read = |path: &String| {
        let source = DataSource::parse(path, &columns, &[])?;
        Ok(HeldOut { name: path.clone(), rows: sources.rows(&source, false)? })
    };
    args.against.iter().map(read).collect()
}

/// What was found, as it is found.
struct Report {
    look: Look,
    json: bool,
    checked: Vec<Value>,
    stops: usize,
    warnings: usize,
}

impl Report {
    fn add(&mut self, source: &Source, by: Option<&str>, found: &Validation) -> Result<(), CliError> {
        self.stops += found.stops();
        self.warnings += found.warnings();
        if self.json {
            self.checked.push(json!({
                "source": source.name, "used_by": by, "model": source.model, "loss_on": source.learning.loss_on,
                "max_length": source.learning.max_length, "passes": found.stops() == 0, "validation": found,
                "notes": source.not_applied(),
            }));
            return Ok(());
        }
        let by = by.map_or(String::new(), |by| format!(" · {by}"));
        let mut text = format!(
            "{}{}",
            self.look.rule(&format!("{}{by}", source.name)),
            temper_report::render_validation(found, self.look)
        );
        for note in source.not_applied() {
            text += &format!("\nnote: {note}\n");
        }
        commands::print(&(text + "\n"))
    }

    fn end(self) -> Result<ExitCode, CliError> {
        if self.json {
            commands::print_json(&json!({"passes": self.stops == 0, "sources": self.checked}))?;
        } else {
            commands::print(&temper_report::render_verdict(self.stops, self.warnings, self.look))?;
        }
        Ok(if self.stops == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
