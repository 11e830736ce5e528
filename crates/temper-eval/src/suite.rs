//! Running a suite on a model: prompts in, item records and measurements out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use temper_data::Row;
use temper_engine::peak_memory_bytes;
use temper_recipe::Suite;
use temper_score::Scorer;
use temper_train::{Cost, Progress, Total};

use crate::journal::{Journal, Line, journal_file};
use crate::log::{LogHead, write_log_with};
use crate::measure::{Metric, measure};
use crate::provenance::{Provenance, recall, remember};
use crate::records::{ERROR, NOT_SAMPLED};
use crate::scoring::score;
use crate::sequential::{OnBlock, sampling_order};
use crate::subject::{Asked, Completed, Receive, Subject, Work};
use crate::{EvalError, ItemRecord, Measurement};

/// Share of a suite's completions that may fail. Where more do, the evaluation ends: the server is broken, not the items.
pub const MOST_FAILED: f64 = 0.1;

/// Items between two looks of an evaluation that may end early.
pub const BLOCK: usize = 64;

/// What to run on what.
#[derive(Clone, Copy)]
pub struct SuiteRun<'a> {
    /// Key of the suite in the recipe.
    pub name: &'a str,
    /// The suite.
    pub suite: &'a Suite,
    /// Its items.
    pub rows: &'a [Row],
    /// Its scorers, built.
    pub scorers: &'a [Arc<dyn Scorer>],
    /// Seed of the sampling. Every checkpoint is sampled with the same random numbers, so that a comparison shows the
    /// checkpoints' difference and not that of the draws.
    pub seed: u64,
    /// What progress and messages call the checkpoint.
    pub label: &'a str,
    /// The item log to write.
    pub log: &'a Path,
}

/// What running a suite gave.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteResult {
    /// One record per item and repeat, items in the order of the rows.
    pub records: Vec<ItemRecord>,
    /// One measurement per scorer, in their order.
    pub measurements: Vec<Measurement>,
    /// What the sampling cost.
    pub cost: Cost,
    /// Where the completions come from.
    pub tally: Tally,
}

/// Where a suite's completions come from, and how many are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items times repeats.
    pub samples: usize,
    /// Read from a log of the same provenance.
    pub from_log: usize,
    /// Read from the journal of an interrupted evaluation.
    pub from_journal: usize,
    /// Asked of the model now.
    pub asked: usize,
    /// Given no completion by the server, however often it was asked.
    pub failed: usize,
    /// Prompts that do not fit the model's context.
    pub not_sampled: usize,
    /// Completions whose number of tokens the server does not say.
    pub tokens_unknown: usize,
}

/// Has the subject complete the suite's items, scores the completions, and writes the item log with a note of its provenance
/// beside it (`NAME.meta.json`).
///
/// A log that is there already is read instead of sampling again when its provenance is the same: model, items, scorers,
/// sampling and seed. `None` when `stop` was set meanwhile.
///
/// While it lasts, every completion stands in a journal (`NAME.partial.jsonl`) as soon as it is there. After an interruption of
/// any kind the same call asks only for what is missing there. A journal of another model, other items or another sampling is
/// put aside. The journal is removed when the log is complete; while items have failed it stays, and the same call asks for
/// these again.
///
/// Every completion has its own stream of random numbers, keyed by seed, suite, item and repeat. An item whose prompt leaves
/// no room in the model's context, and one that a server fails to answer, is not dropped: its record says so, and its scores
/// are unscored or errors.
///
/// # Errors
/// A suite without items, two items of one identity, a prompt that cannot be encoded, a failure of the model or of a scorer,
/// more than [`MOST_FAILED`] of the completions failed, or a log that cannot be written.
pub fn run_suite(
    run: &SuiteRun,
    subject: &dyn Subject,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<SuiteResult>, EvalError> {
    run_blocks(run, subject, None, progress, stop)
}

/// As [`run_suite`], but takes the items in the order of [`sampling_order`] and asks `on_block` after every [`BLOCK`] of them,
/// with all records so far, whether to go on. Items that are left out have no record; a log that ended early is read again only by
/// this function.
///
/// # Errors
/// As [`run_suite`].
pub fn run_suite_until(
    run: &SuiteRun,
    subject: &dyn Subject,
    on_block: &mut OnBlock,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<SuiteResult>, EvalError> {
    run_blocks(run, subject, Some(on_block), progress, stop)
}

fn run_blocks(
    run: &SuiteRun,
    subject: &dyn Subject,
    mut on_block: Option<&mut OnBlock>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<SuiteResult>, EvalError> {
    check_items(run)?;
    let metrics: Vec<Metric> = run.scorers.iter().map(|scorer| Metric::of(scorer.as_ref())).collect();
    let provenance = Provenance::of(run, subject);
    if let Some((records, cost)) = recall(run.log, &provenance, on_block.is_some()) {
        let failed = records.iter().filter(|record| record.finish == ERROR).count();
        if failed == 0 || !journal_file(run.log).exists() {
            let measurements = measure(run.name, &run.suite.reducers, &records, &metrics);
            let tally = Tally { samples: records.len(), from_log: records.len(), failed, ..Tally::default() };
            return Ok(Some(SuiteResult { records, measurements, cost, tally }));
        }
    }
    let (journal, found) = Journal::open(run.log, &provenance.origin)?;
    found.notes.iter().for_each(|note| progress.warn(note));
    let mut desk = Desk::new(run, journal, found.lines, progress);
    desk.progress.begin(&format!("{}: measuring {}", run.label, run.name), Total::Items(run.rows.len()));
    let outcome = desk.blocks(subject, &mut on_block, stop);
    desk.progress.end();
    let Some((completed, records)) = outcome.or_else(|error| desk.close().and(Err(error)))? else {
        desk.close()?;
        return Ok(None);
    };
    let left_out = run.rows.len() - completed.len() / run.suite.repeats.max(1);
    if left_out > 0 {
        desk.progress.warn(&format!(
            "{}: {}: every gate is decided after {} of {} items; the others were not sampled",
            run.label,
            run.name,
            run.rows.len() - left_out,
            run.rows.len()
        ));
    }
    let cost = Cost {
        wall_seconds: desk.seconds(),
        peak_memory_bytes: peak_memory_bytes(),
        ..cost(&completed, run.suite.repeats.max(1), subject)
    };
    let fingerprints = fingerprints(&completed);
    if fingerprints.len() > 1 {
        desk.progress.warn(&format!(
            "{}: the server changed what it calls its weights meanwhile ({}); the completions may be of different models",
            run.name,
            fingerprints.keys().cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    let count = |finish: &str| completed.iter().filter(|completed| completed.finish == finish).count();
    let tally = Tally {
        samples: completed.len(),
        from_log: 0,
        from_journal: desk.from_journal,
        asked: completed.len().saturating_sub(desk.from_journal),
        failed: count(ERROR),
        not_sampled: count(NOT_SAMPLED),
        tokens_unknown: completed.iter().filter(|c| c.reason.is_none() && c.tokens.is_none()).count(),
    };
    write_log_with(run.log, &LogHead::of_run(run, &provenance, cost.wall_seconds), &records)?;
    let ended_after = (left_out > 0).then_some(records.len());
    remember(run.log, &provenance, &cost, &fingerprints, ended_after)?;
    if tally.failed == 0 {
        desk.journal.remove()?;
    }
    let measurements = measure(run.name, &run.suite.reducers, &records, &metrics);
    Ok(Some(SuiteResult { records, measurements, cost, tally }))
}

fn check_items(run: &SuiteRun) -> Result<(), EvalError> {
    if run.rows.is_empty() {
        return Err(EvalError::Empty { suite: run.name.to_owned() });
    }
    let mut seen: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in run.rows {
        if let Some(first) = seen.insert(&row.id, row) {
            return Err(EvalError::DuplicateItem {
                suite: run.name.to_owned(),
                id: row.id.clone(),
                first: first.place(),
                second: row.place(),
            });
        }
    }
    Ok(())
}

/// What the completions cost: tokens, and the operations that the subject counts. The time of interrupted calls is part of the
/// journal.
fn cost(completed: &[Completed], repeats: usize, subject: &dyn Subject) -> Cost {
    let mut cost = Cost::default();
    for group in completed.chunks(repeats) {
        let tokens: Vec<usize> = group.iter().filter_map(|completed| completed.tokens).collect();
        cost.tokens_sampled += tokens.iter().sum::<usize>() as u64;
        if let (Some(prompt), false) = (group[0].prompt_tokens, tokens.is_empty()) {
            cost.flops += subject.flops(prompt, &tokens);
        }
    }
    cost
}

fn fingerprints(completed: &[Completed]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in completed.iter().filter_map(|completed| completed.fingerprint.clone()) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

type Outcome = Option<(Vec<Completed>, Vec<ItemRecord>)>;

/// Where completions arrive: the journal and the places of the suite.
struct Desk<'a> {
    run: &'a SuiteRun<'a>,
    journal: Journal,
    progress: &'a mut dyn Progress,
    /// One place per item and repeat, the repeats of an item one after the other.
    places: Vec<Option<Completed>>,
    /// Position of each item of the work that is asked now.
    items: Vec<usize>,
    from_journal: usize,
    taken: usize,
    failed: usize,
    begun: Instant,
    /// Seconds that interrupted calls took.
    before: f64,
}

impl<'a> Desk<'a> {
    fn new(run: &'a SuiteRun, journal: Journal, lines: Vec<Line>, progress: &'a mut dyn Progress) -> Self {
        let repeats = run.suite.repeats.max(1);
        let at: HashMap<&str, usize> = run.rows.iter().enumerate().map(|(at, row)| (row.id.as_str(), at)).collect();
        let mut places = vec![None; run.rows.len() * repeats];
        let before = lines.last().map_or(0.0, |line| line.seconds);
        for line in lines {
            if let (Some(at), true) = (at.get(line.id.as_str()), line.repeat < repeats) {
                places[at * repeats + line.repeat] = Some(line.completed);
            }
        }
        let from_journal = places.iter().flatten().count();
        let (items, begun) = (Vec::new(), Instant::now());
        Desk { run, journal, progress, places, items, from_journal, taken: 0, failed: 0, begun, before }
    }

    fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    /// Has the items completed and scored: all at once, or block by block until `on_block` says that it is enough. Completions and
    /// records come in the order of the rows.
    fn blocks(
        &mut self,
        subject: &dyn Subject,
        on_block: &mut Option<&mut OnBlock>,
        stop: &AtomicBool,
    ) -> Result<Outcome, EvalError> {
        let repeats = self.run.suite.repeats.max(1);
        let Some(on_block) = on_block else {
            let all: Vec<usize> = (0..self.run.rows.len()).collect();
            return self.block(&all, subject, stop);
        };
        let order = sampling_order(self.run.name, self.run.rows.iter().map(|row| row.id.as_str()));
        let (mut completed, mut records) = (Vec::new(), Vec::new());
        for block in order.chunks(BLOCK) {
            let Some((more, judged)) = self.block(block, subject, stop)? else { return Ok(None) };
            completed.extend(more);
            records.extend(judged);
            if on_block(&records).is_break() {
                break;
            }
        }
        let mut taken: Vec<usize> = (0..completed.len() / repeats).collect();
        taken.sort_unstable_by_key(|at| order[*at]);
        let places: Vec<usize> = taken.into_iter().flat_map(|at| at * repeats..(at + 1) * repeats).collect();
        let completed = places.iter().map(|at| completed[*at].clone()).collect();
        Ok(Some((completed, places.iter().map(|at| records[*at].clone()).collect())))
    }

    /// Has everything completed that is missing of some rows, and all of these scored.
    fn block(&mut self, rows: &[usize], subject: &dyn Subject, stop: &AtomicBool) -> Result<Outcome, EvalError> {
        let run = self.run;
        let repeats = run.suite.repeats.max(1);
        let missing = |at: &usize| {
            let places = &self.places[at * repeats..(at + 1) * repeats];
            let repeats: Vec<usize> = places.iter().enumerate().filter(|(_, p)| p.is_none()).map(|(r, _)| r).collect();
            (!repeats.is_empty()).then(|| (*at, Asked { row: &run.rows[*at], repeats }))
        };
        let (items, asked): (Vec<usize>, Vec<Asked>) = rows.iter().filter_map(missing).unzip();
        self.items = items;
        if !asked.is_empty() {
            let work = Work { suite: run.name, sampling: &run.suite.sampling, seed: run.seed, items: &asked };
            if !subject.complete(&work, self, stop)? {
                return Ok(None);
            }
        }
        let never = |at: usize| {
            let reason = format!("{}: the model gave no completion", run.rows[at / repeats].place());
            Completed::none(ERROR, None, reason)
        };
        let places = rows.iter().flat_map(|at| at * repeats..(at + 1) * repeats);
        let completed: Vec<Completed> = places.map(|at| self.places[at].clone().unwrap_or_else(|| never(at))).collect();
        let total = completed.len();
        let mut judged = |done: usize| {
            if total > done {
                self.progress.advance(1.0, &format!("{done} of {total} judged"));
            }
        };
        // A part of the rows is scored as a suite of its own.
        let part: Vec<Row>;
        let run = if rows.len() == run.rows.len() && rows.is_sorted() {
            *run
        } else {
            part = rows.iter().map(|at| run.rows[*at].clone()).collect();
            SuiteRun { rows: &part, ..*run }
        };
        Ok(score(&run, &completed, &mut judged, stop)?.map(|records| (completed, records)))
    }

    /// Leaves no journal behind in which nothing stands.
    fn close(&mut self) -> Result<(), EvalError> {
        self.journal.remove_if_empty()
    }
}

impl Receive for Desk<'_> {
    fn take(&mut self, item: usize, repeat: usize, completed: Completed) -> Result<(), EvalError> {
        let at = self.items[item];
        self.taken += 1;
        if completed.finish == ERROR {
            self.failed += 1;
            let samples = self.places.len();
            if self.failed as f64 > MOST_FAILED * samples as f64 {
                let (suite, failed, share) = (self.run.name.to_owned(), self.failed, MOST_FAILED);
                let last = completed.reason.unwrap_or_default();
                return Err(EvalError::TooManyFailed { suite, failed, samples, share, last });
            }
        } else {
            let seconds = self.seconds();
            let line = Line { id: self.run.rows[at].id.clone(), repeat, seconds, completed: completed.clone() };
            self.journal.append(&line)?;
        }
        self.places[at * self.run.suite.repeats.max(1) + repeat] = Some(completed);
        Ok(())
    }

    fn stands(&mut self, under_way: f64, note: &str) {
        let done = (self.from_journal + self.taken) as f64 + under_way;
        self.progress.advance((done / self.places.len() as f64).min(1.0), note);
    }
}
