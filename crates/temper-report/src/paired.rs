//! Paired differences between two checkpoints of a run, from their item logs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use temper_eval::{ItemRecord, compare, read_log};
use temper_run::summary::{RunSummary, StageSummary};

use crate::grid::{Grid, Relation};

/// A metric's mean difference over the items that both checkpoints were scored on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Mean of now minus before.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Items.
    pub n: usize,
}

impl Difference {
    /// How the difference lies to zero.
    pub fn relation(&self) -> Relation {
        match self.interval {
            Some((low, _)) if low > 0.0 => Relation::Above,
            Some((_, high)) if high < 0.0 => Relation::Below,
            _ => Relation::Unclear,
        }
    }
}

/// The two logs that are compared, and the metric.
type Key<'a> = (&'a str, &'a str, String);

/// The differences that the report shows: every stage against its parent, every arm's result against the base model.
#[derive(Debug, Default)]
pub struct Paired<'a> {
    found: BTreeMap<Key<'a>, Difference>,
    problems: Vec<String>,
}

impl<'a> Paired<'a> {
    /// Reads the item logs below `dir`. A log that is absent pairs with nothing; one that cannot be read is a problem.
    pub fn new(run: &'a RunSummary, dir: &Path) -> Paired<'a> {
        let mut paired = Paired::default();
        let mut logs: BTreeMap<&str, Option<Vec<ItemRecord>>> = BTreeMap::new();
        for (before, now) in pairs(run).into_iter().filter(|(before, now)| before != now) {
            for path in [before, now] {
                logs.entry(path).or_insert_with(|| paired.read(dir, path));
            }
            let (Some(Some(a)), Some(Some(b))) = (logs.get(before), logs.get(now)) else { continue };
            for one in compare(a, b).into_iter().filter(|one| one.difference.is_finite()) {
                let interval = (one.low.is_finite() && one.high.is_finite()).then_some((one.low, one.high));
                let difference = Difference { value: one.difference, interval, n: one.n };
                paired.found.insert((before, now, one.metric), difference);
            }
        }
        paired
    }

    /// The difference `now` − `before` of a metric.
    pub fn difference(
        &self,
        before: &StageSummary,
        now: &StageSummary,
        suite: &str,
        metric: &str,
    ) -> Option<Difference> {
        let key = (before.logs.get(suite)?.as_str(), now.logs.get(suite)?.as_str(), metric.to_owned());
        self.found.get(&key).copied()
    }

    /// Logs that could not be read, each with the reason.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    fn read(&mut self, dir: &Path, path: &str) -> Option<Vec<ItemRecord>> {
        let file = dir.join(path);
        if !file.exists() {
            return None;
        }
        read_log(&file).map_err(|error| self.problems.push(format!("not paired: {error}"))).ok()
    }
}

/// The pairs of logs to compare, earlier first, each once.
fn pairs(run: &RunSummary) -> BTreeSet<(&str, &str)> {
    let grids = std::iter::once(Grid::of_arms(run)).chain(run.arms.iter().map(|arm| Grid::of_stages(run, arm)));
    let mut out = BTreeSet::new();
    for grid in grids {
        for column in &grid.columns {
            let before = column.reference.and_then(|reference| grid.columns[reference].stage);
            let (Some(now), Some(before)) = (column.stage, before) else { continue };
            let shared =
                now.logs.iter().filter_map(|(suite, log)| Some((before.logs.get(suite)?.as_str(), log.as_str())));
            out.extend(shared);
        }
    }
    out
}
