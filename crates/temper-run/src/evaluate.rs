//! Runs every suite on a checkpoint and keeps the item logs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use temper_engine::Model;
use temper_eval::{Engine, ItemRecord, Measurement, OnBlock, SuiteRun};
use temper_text::Tokenizer;
use temper_train::{Cost, Progress};

use crate::directory::RunDir;
use crate::error::RunError;
use crate::prepare::Prepared;
use crate::summary::SampleShown;

/// What one checkpoint's evaluation gave.
pub struct Evaluated {
    /// One measurement per suite and metric.
    pub measurements: Vec<Measurement>,
    /// Item log of each suite, relative to the run's directory.
    pub logs: BTreeMap<String, String>,
    /// The items chosen for showing.
    pub samples: Vec<SampleShown>,
    /// What the sampling cost.
    pub cost: Cost,
}

/// Item log of a suite on a checkpoint, relative to the run's directory.
pub fn log_path(suite: &str, checkpoint: &str) -> String {
    format!("eval/{suite}/{checkpoint}.eval")
}

/// The item records of a suite on a checkpoint that was evaluated before.
pub fn read_log(dir: &RunDir, suite: &str, checkpoint: &str) -> Result<Vec<ItemRecord>, RunError> {
    Ok(temper_eval::read_log(&dir.join(log_path(suite, checkpoint)))?)
}

/// What may end a suite's sampling early, by the suite's name; `None` where nothing may.
pub type Until<'a> = dyn Fn(&'a str) -> Option<Box<OnBlock<'a>>> + 'a;

/// Measures a checkpoint on all suites. A suite whose log is complete is not sampled again. `None` when interrupted.
#[allow(clippy::too_many_arguments)]
pub fn evaluate<'a>(
    dir: &RunDir,
    prepared: &'a Prepared,
    seed: u64,
    show: usize,
    checkpoint: &str,
    model: &Model,
    tokenizer: &Tokenizer,
    until: &Until<'a>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<Evaluated>, RunError> {
    let mut evaluated =
        Evaluated { measurements: Vec::new(), logs: BTreeMap::new(), samples: Vec::new(), cost: Cost::default() };
    for (name, suite) in &prepared.suites {
        let relative = log_path(name, checkpoint);
        let file: PathBuf = dir.join(&relative);
        let run = SuiteRun {
            name,
            suite: &suite.suite,
            rows: &suite.rows,
            scorers: &suite.scorers,
            seed,
            label: checkpoint,
            log: &file,
        };
        let engine = Engine { model, tokenizer };
        let result = match until(name) {
            Some(mut on_block) => temper_eval::run_suite_until(&run, &engine, &mut *on_block, progress, stop)?,
            None => temper_eval::run_suite(&run, &engine, progress, stop)?,
        };
        let Some(mut result) = result else { return Ok(None) };
        temper_eval::correct(&mut result.measurements, &result.records, &suite.scorers, &prepared.calibrations);
        evaluated.samples.extend(shown(name, &result.records, show));
        evaluated.measurements.extend(result.measurements);
        evaluated.logs.insert(name.clone(), relative);
        evaluated.cost += result.cost;
    }
    Ok(Some(evaluated))
}

/// `count` items spread evenly over the suite, so that every kind of item is seen; the same ones for every checkpoint.
fn shown(suite: &str, records: &[ItemRecord], count: usize) -> Vec<SampleShown> {
    let first: Vec<&ItemRecord> = records.iter().filter(|record| record.repeat == 0).collect();
    let count = count.min(first.len());
    (0..count)
        .map(|k| {
            let record = first[k * first.len() / count];
            SampleShown {
                suite: suite.to_owned(),
                id: record.id.clone(),
                prompt: record.prompt.clone(),
                text: record.text.clone(),
                scores: record.scores.iter().map(|(name, score)| (name.clone(), score.value())).collect(),
            }
        })
        .collect()
}
