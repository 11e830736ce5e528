//! The gates of a checkpoint, from the item logs of the checkpoint, its parent and the base model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use temper_eval::{
    Calibrations, GateCase, GateForesight, GateVerdict, ItemRecord, SuiteItems, foresee, judge_all, look, read_log,
};
use temper_recipe::{Gate, GateCorrection, Recipe, Reference, Rule};
use temper_score::{Better, Scorer};

use crate::error::RunError;
use crate::prepare::Prepared;
use crate::sources::Sources;
use crate::summary::{BASE, RunSummary, SUMMARY_FILE};

/// Item records by suite.
pub type Logs = BTreeMap<String, Vec<ItemRecord>>;

/// The checkpoints that gates look at.
#[derive(Clone, Copy)]
pub struct Checkpoints<'a> {
    /// The one that is judged.
    pub now: &'a Logs,
    /// The one it was made from.
    pub parent: Option<&'a Logs>,
    /// The base model.
    pub base: Option<&'a Logs>,
}

/// Judges gates together, with the recipe's correction for many tests. `scorer` gives the scorer behind a gate's metric.
pub fn judge_gates<'a>(
    gates: &[&'a Gate],
    correction: GateCorrection,
    scorer: impl Fn(&Gate) -> Option<Arc<dyn Scorer>>,
    calibrations: &Calibrations,
    logs: Checkpoints<'a>,
) -> Vec<GateVerdict> {
    let digests: Vec<(Better, String)> = gates
        .iter()
        .map(|gate| match scorer(gate) {
            Some(scorer) => (scorer.better(), scorer.digest()),
            None => (Better::Neither, String::new()),
        })
        .collect();
    let cases: Vec<GateCase> = gates
        .iter()
        .zip(&digests)
        .map(|(gate, (better, digest))| {
            let of = |logs: Option<&'a Logs>| logs.and_then(|logs| logs.get(&gate.suite)).map(Vec::as_slice);
            GateCase {
                gate,
                better: *better,
                judge: digest,
                calibration: calibrations.get(digest),
                now: of(Some(logs.now)).unwrap_or_default(),
                reference: match gate.rule() {
                    Rule::NotWorse { reference: Reference::Base, .. } => of(logs.base),
                    Rule::NotWorse { .. } => of(logs.parent),
                    _ => None,
                },
                parent: of(logs.parent),
            }
        })
        .collect();
    judge_all(&cases, correction)
}

/// What ends the sampling of a suite as soon as all of its gates are decided: called with the suite's records so far, sampled in the
/// order of [`temper_eval::sampling_order`]. `gates` are those that apply to the checkpoint, on all suites, and `tests` the number of
/// tests that they make together. `None` where a gate of the suite does not stop early, or the suite has none.
pub fn early_stop<'a>(
    suite: &'a str,
    gates: &'a [&'a Gate],
    tests: usize,
    scorer: impl Fn(&Gate) -> Option<Arc<dyn Scorer>>,
    parent: Option<&'a Logs>,
    base: Option<&'a Logs>,
) -> Option<impl FnMut(&[ItemRecord]) -> ControlFlow<()> + 'a> {
    let own: Vec<(&Gate, Better)> = gates
        .iter()
        .filter(|gate| gate.suite == suite)
        .map(|gate| (*gate, scorer(gate).map_or(Better::Neither, |scorer| scorer.better())))
        .collect();
    if own.is_empty() || own.iter().any(|(gate, _)| !gate.early_stop) {
        return None;
    }
    Some(move |now: &[ItemRecord]| {
        let cases: Vec<GateCase> = own
            .iter()
            .map(|(gate, better)| {
                let reference = match gate.rule() {
                    Rule::NotWorse { reference: Reference::Base, .. } => base,
                    Rule::NotWorse { .. } => parent,
                    _ => None,
                };
                let reference = reference.and_then(|logs| logs.get(suite)).map(Vec::as_slice);
                GateCase { gate, better: *better, judge: "", calibration: None, now, reference, parent: None }
            })
            .collect();
        look(&cases, tests).flow()
    })
}

/// What each of a recipe's gates can show with the items of its suite, before anything is sampled.
pub fn foresee_gates(recipe: &Recipe, prepared: &Prepared) -> Vec<GateForesight> {
    foresee(&recipe.gates, recipe.gate_correction, |gate| match prepared.suites.get(&gate.suite) {
        None => (SuiteItems::default(), None),
        Some(suite) => {
            let scorer = suite.scorers.iter().find(|scorer| scorer.name() == gate.metric);
            (SuiteItems::of(&suite.suite, &suite.rows), scorer.and_then(|scorer| scorer.range()))
        }
    })
}

/// The same from the recipe alone: reads the items of the suites that have gates, and no model.
///
/// # Errors
/// Items that cannot be read, a scorer that cannot be built.
pub fn foresee_recipe(recipe: &Recipe, sources: &Sources) -> Result<Vec<GateForesight>, RunError> {
    let mut items: BTreeMap<&str, SuiteItems> = BTreeMap::new();
    let mut ranges = BTreeMap::new();
    for gate in &recipe.gates {
        if let (Some(suite), false) = (recipe.suites.get(&gate.suite), items.contains_key(gate.suite.as_str())) {
            items.insert(&gate.suite, SuiteItems::of(suite, &sources.rows(&suite.data, false)?));
        }
        let scorer = temper_score::build(&gate.metric, &recipe.scorers, &recipe.lab)?;
        ranges.insert(gate.metric.as_str(), scorer.range());
    }
    Ok(foresee(&recipe.gates, recipe.gate_correction, |gate| {
        let range = ranges.get(gate.metric.as_str()).copied().flatten();
        (items.get(gate.suite.as_str()).cloned().unwrap_or_default(), range)
    }))
}

/// A checkpoint that was measured: its item logs, and its place where it belongs to a run.
#[derive(Debug)]
pub struct Measured {
    /// Item records by suite.
    pub logs: Logs,
    /// The run, with the arm and stage; `None` for logs that stand for themselves.
    pub place: Option<MeasuredPlace>,
}

/// A checkpoint of a run.
#[derive(Debug)]
pub struct MeasuredPlace {
    /// Directory of the run.
    pub run: PathBuf,
    /// The run.
    pub summary: Box<RunSummary>,
    /// Arm and stage; `None` for the base model.
    pub stage: Option<(String, String)>,
}

impl Measured {
    /// Reads an item log, a folder of them as `temper eval` writes, a checkpoint of a run (`RUN/arms/ARM/STAGE`), or the base model
    /// of a run (`RUN`).
    ///
    /// # Errors
    /// Nothing of that kind at `path`, or a log that cannot be read.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        if path.is_file() {
            return Ok(Measured { logs: by_suite(read_log(path)?), place: None });
        }
        let mut files: Vec<PathBuf> = match std::fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => return Err(RunError::io(path, error)),
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        if let Some(place) = place(path)? {
            return Measured::of_run(place);
        }
        if files.is_empty() {
            return Err(RunError::Other(format!(
                "{} holds no item log (*.jsonl) and is no checkpoint of a run; give a log, a folder that `temper eval` wrote, \
                 RUN/arms/ARM/STAGE, or RUN for the base model of a run",
                path.display()
            )));
        }
        let mut records = Vec::new();
        for file in files {
            records.extend(read_log(&file)?);
        }
        Ok(Measured { logs: by_suite(records), place: None })
    }

    /// The parent of a checkpoint of a run; `None` for other logs and for the base model.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn parent(&self) -> Result<Option<Self>, RunError> {
        let Some(MeasuredPlace { run, summary, stage: Some((arm, stage)) }) = &self.place else { return Ok(None) };
        let found = summary.arm(arm);
        let mut name =
            found.and_then(|arm| arm.stages.iter().find(|s| s.name == *stage)).and_then(|s| s.parent.clone());
        // A stage that made no checkpoint passes its parent's on.
        while let Some(stage) = found.and_then(|arm| arm.stages.iter().find(|s| Some(&s.name) == name.as_ref())) {
            if !stage.logs.is_empty() {
                break;
            }
            name = stage.parent.clone();
        }
        let stage = name.filter(|name| name != BASE).map(|name| (arm.clone(), name));
        Measured::of_run(MeasuredPlace { run: run.clone(), summary: summary.clone(), stage }).map(Some)
    }

    /// The base model of a checkpoint's run; `None` for other logs.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn base(&self) -> Result<Option<Self>, RunError> {
        let Some(MeasuredPlace { run, summary, .. }) = &self.place else { return Ok(None) };
        Measured::of_run(MeasuredPlace { run: run.clone(), summary: summary.clone(), stage: None }).map(Some)
    }

    fn of_run(place: MeasuredPlace) -> Result<Self, RunError> {
        let logs = match &place.stage {
            None => Some(&place.summary.base.logs),
            Some((arm, stage)) => place
                .summary
                .arm(arm)
                .and_then(|arm| arm.stages.iter().find(|found| found.name == *stage))
                .map(|stage| &stage.logs),
        };
        let Some(logs) = logs.filter(|logs| !logs.is_empty()) else {
            let which = place.stage.as_ref().map_or(BASE.to_owned(), |(arm, stage)| format!("{arm}/{stage}"));
            return Err(RunError::Other(format!(
                "{}: {which} was not measured; take a stage that makes a checkpoint, or measure it with `temper eval`",
                place.run.display()
            )));
        };
        let mut found = Logs::new();
        for (suite, log) in logs {
            found.insert(suite.clone(), read_log(&place.run.join(log))?);
        }
        Ok(Measured { logs: found, place: Some(place) })
    }
}

fn by_suite(records: Vec<ItemRecord>) -> Logs {
    let mut logs = Logs::new();
    for record in records {
        logs.entry(record.suite.clone()).or_default().push(record);
    }
    logs
}

/// The place of a path in a run: the run itself, or `arms/ARM/STAGE`, or its `checkpoint`.
fn place(path: &Path) -> Result<Option<MeasuredPlace>, RunError> {
    let whole = std::fs::canonicalize(path).map_err(|e| RunError::io(path, e))?;
    for run in whole.ancestors() {
        if !run.join(SUMMARY_FILE).is_file() {
            continue;
        }
        let summary = Box::new(RunSummary::read(run).map_err(|e| RunError::io(&run.join(SUMMARY_FILE), e))?);
        let inner = whole.strip_prefix(run).unwrap_or(Path::new(""));
        let parts: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let stage = match &parts[..] {
            [] => None,
            ["arms", arm, stage] | ["arms", arm, stage, "checkpoint"] => Some(((*arm).to_owned(), (*stage).to_owned())),
            _ => return Ok(None),
        };
        return Ok(Some(MeasuredPlace { run: run.to_owned(), summary, stage }));
    }
    Ok(None)
}
