//! Everything that can be wrong before the first step: rows, scorers, suites, overlap between training and measuring.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use temper_data::{LeakKind, Row};
use temper_recipe::{Recipe, Stage, StageData, Suite};
use temper_score::Scorer;

use crate::error::RunError;
use crate::sources::Sources;

/// A suite with its items and scorers.
pub struct PreparedSuite {
    /// The recipe's entry.
    pub suite: Suite,
    /// The items.
    pub rows: Vec<Row>,
    /// Its scorers, in the recipe's order.
    pub scorers: Vec<Arc<dyn Scorer>>,
}

/// All rows and scorers of a recipe, read and checked.
pub struct Prepared {
    /// Training rows by name of the data source.
    pub data: BTreeMap<String, Vec<Row>>,
    /// Suites in the recipe's order.
    pub suites: IndexMap<String, PreparedSuite>,
    /// Scorers that stages reward or select by.
    pub scorers: BTreeMap<String, Arc<dyn Scorer>>,
    /// What a reader should know: commits of the Hub, near duplicates between training rows and items.
    pub notes: Vec<String>,
}

/// Reads every source that a stage or a suite uses, builds every scorer, and refuses training rows that are suite items.
///
/// # Errors
/// The first thing that is wrong, with file, row and field.
pub fn prepare(recipe: &Recipe, sources: &Sources, chat: bool) -> Result<Prepared, RunError> {
    recipe.validate(&temper_score::known_types())?;
    check_firewall(recipe)?;
    let scorer = |name: &str| temper_score::build(name, &recipe.scorers, &recipe.lab);

    let mut suites = IndexMap::new();
    for (name, suite) in &recipe.suites {
        let scorers = suite.scorers.iter().map(|name| scorer(name)).collect::<Result<Vec<_>, _>>()?;
        suites.insert(
            name.clone(),
            PreparedSuite { rows: sources.rows(&suite.data, chat)?, suite: suite.clone(), scorers },
        );
    }
    let mut data = BTreeMap::new();
    let mut scorers = BTreeMap::new();
    for stage in recipe.arms.values().flat_map(|arm| &arm.stages) {
        let mut names: Vec<&str> = Vec::new();
        if let StageData::Source(name) = stage.data() {
            names.push(name);
        }
        if let Stage::Reject(reject) = stage {
            names.extend(reject.mix.iter().map(String::as_str));
        }
        for name in names {
            if let (false, Some(source)) = (data.contains_key(name), recipe.data.get(name)) {
                data.insert(name.to_owned(), sources.rows(source, chat)?);
            }
        }
        for name in stage.scorers() {
            if !scorers.contains_key(name) {
                scorers.insert(name.to_owned(), scorer(name)?);
            }
        }
    }
    let mut notes = sources.notes();
    notes.extend(check_leaks(&data, &suites)?);
    Ok(Prepared { data, suites, scorers, notes })
}

/// A gate's metric and whatever it is made of must differ from every reward and keep rule of the arms it applies to. The
/// recipe's own check compares names and spelt-out parameters; this one compares what the scorers are, so that a title or a
/// default written out does not hide anything.
fn check_firewall(recipe: &Recipe) -> Result<(), RunError> {
    let identities = |name: &str| temper_score::identities(name, &recipe.scorers, &recipe.lab);
    for gate in &recipe.gates {
        let judged = identities(&gate.metric)?;
        for (arm, stages) in recipe.arms.iter().filter(|(name, _)| gate.applies_to_arm(name)) {
            for stage in &stages.stages {
                for name in stage.scorers() {
                    if identities(name)?.iter().any(|identity| judged.contains(identity)) {
                        return Err(RunError::Other(format!(
                            "gate {}: its metric `{}` is, or is made of, the scorer `{name}` that arm `{arm}`, stage `{}` trains on, so passing it would show nothing. Gate on a scorer that no stage of the arm uses, or take `{name}` out of the stage",
                            gate.label(),
                            gate.metric,
                            stage.label()
                        )));
                    }
                }
            }
        }
    }
    Ok(())
}

/// A suite item that is also a training row is an error; near duplicates are reported.
fn check_leaks(
    data: &BTreeMap<String, Vec<Row>>,
    suites: &IndexMap<String, PreparedSuite>,
) -> Result<Vec<String>, RunError> {
    let mut notes = Vec::new();
    for (source, train) in data {
        for (suite, prepared) in suites {
            let leaks = temper_data::leaks(train, &prepared.rows);
            let (exact, near): (Vec<_>, Vec<_>) = leaks.iter().partition(|leak| leak.kind == LeakKind::Exact);
            if let Some(first) = exact.first() {
                return Err(RunError::Leak(format!(
                    "{} of {} items of suite `{suite}` are also training rows of `{source}`: item {} has the same prompt as {}. A measurement on them would mean nothing; remove them from `data.{source}` (filter, skip) or from the suite",
                    exact.len(),
                    prepared.rows.len(),
                    first.held_out_place,
                    first.train_place
                )));
            }
            if let Some(first) = near.first() {
                notes.push(format!(
                    "{} of {} items of suite `{suite}` nearly stand in a training row of `{source}`, by 80 % of their 8-grams or with a few words changed (for example {} and {})",
                    near.len(),
                    prepared.rows.len(),
                    first.held_out_place,
                    first.train_place
                ));
            }
        }
    }
    Ok(notes)
}
