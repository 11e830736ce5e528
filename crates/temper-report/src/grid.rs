//! Metrics against checkpoints: the one table behind every view of a run.

use temper_eval::Measurement;
use temper_run::summary::{ArmStatus, ArmSummary, BASE, RunSummary, StageSummary};
use temper_score::Better;

use crate::number::Style;

/// One checkpoint of a grid.
#[derive(Debug, Clone)]
pub struct Column<'a> {
    /// Heading: the arm's or the stage's name.
    pub name: &'a str,
    /// The checkpoint; `None` when the arm has none that was measured.
    pub stage: Option<&'a StageSummary>,
    /// Index of the arm in the run; `None` for the base model.
    pub arm: Option<usize>,
    /// Column that this one is compared with.
    pub reference: Option<usize>,
}

/// One metric of one suite.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Key of the suite.
    pub suite: &'a str,
    /// Title of the suite.
    pub suite_title: &'a str,
    /// Key of the metric.
    pub metric: &'a str,
    /// Title of the metric.
    pub title: &'a str,
    /// Which direction is an improvement.
    pub better: Better,
    /// How the row writes its numbers.
    pub style: Style,
    /// One cell per column; `None` where the metric was not measured.
    pub cells: Vec<Option<Estimate>>,
}

/// A measured number with what a reader must know to trust it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number; `None` when no item could be scored.
    pub value: Option<f64>,
    /// 95 % interval; `None` when it is undefined (one item, no item).
    pub interval: Option<(f64, f64)>,
    /// Items behind the number.
    pub n: usize,
    /// Items without a score: the scorer gave none, or failed.
    pub unscored: usize,
    /// Share of completions that were cut off at the token limit.
    pub truncated: f64,
    /// The share corrected for the scorer's errors, with its interval, where the scorer has a calibration.
    pub corrected: Option<(f64, Option<(f64, f64)>)>,
}

/// How an interval lies to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Entirely above.
    Above,
    /// Entirely below.
    Below,
    /// They overlap, or one of them is missing.
    Unclear,
}

/// Whether a difference is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// In the direction that is better.
    Better,
    /// In the other direction.
    Worse,
    /// The metric has no better direction.
    Neutral,
}

/// Metrics (rows, grouped by suite in the recipe's order) against checkpoints (columns).
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    /// The checkpoints.
    pub columns: Vec<Column<'a>>,
    /// The metrics.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Grid<'a> {
    /// The base model and each arm's result, all compared with the base model.
    pub fn of_arms(run: &'a RunSummary) -> Grid<'a> {
        let mut columns = vec![base_column(run)];
        for (index, arm) in run.arms.iter().enumerate() {
            // An arm that fell back to the base model has the base model as its result.
            let base = matches!(&arm.status, ArmStatus::RolledBack { to, .. } if to == BASE).then_some(&run.base);
            let stage = base.or_else(|| arm.result());
            columns.push(Column { name: &arm.name, stage, arm: Some(index), reference: Some(0) });
        }
        Grid::new(run, columns)
    }

    /// The base model and every stage of one arm that was measured, each compared with the checkpoint it came from.
    pub fn of_stages(run: &'a RunSummary, arm: &'a ArmSummary) -> Grid<'a> {
        let index = run.arms.iter().position(|other| other.name == arm.name);
        let mut columns = vec![base_column(run)];
        for stage in arm.stages.iter().filter(|stage| !stage.measurements.is_empty()) {
            let parent = measured_parent(arm, stage);
            let reference = columns.iter().position(|column| column.name == parent);
            columns.push(Column { name: &stage.name, stage: Some(stage), arm: index, reference });
        }
        Grid::new(run, columns)
    }

    fn new(run: &'a RunSummary, columns: Vec<Column<'a>>) -> Grid<'a> {
        let mut keys: Vec<&'a Measurement> = Vec::new();
        for measurement in columns.iter().filter_map(|column| column.stage).flat_map(|stage| &stage.measurements) {
            if !keys.iter().any(|key| key.suite == measurement.suite && key.metric == measurement.metric) {
                keys.push(measurement);
            }
        }
        // A stable sort: suites in the recipe's order, metrics as they came, unlisted suites last.
        keys.sort_by_key(|key| run.suites.iter().position(|suite| suite.name == key.suite).unwrap_or(usize::MAX));
        let rows = keys.into_iter().map(|key| Row::new(run, &columns, key)).collect();
        Grid { columns, rows }
    }

    /// The rows of each suite, in order.
    pub fn suites(&self) -> impl Iterator<Item = &[Row<'a>]> {
        self.rows.chunk_by(|a, b| a.suite == b.suite)
    }
}

fn base_column(run: &RunSummary) -> Column<'_> {
    Column { name: BASE, stage: Some(&run.base), arm: None, reference: None }
}

/// Name of the nearest ancestor that was measured: a rejection stage passes its parent's weights on unmeasured.
fn measured_parent<'a>(arm: &'a ArmSummary, stage: &'a StageSummary) -> &'a str {
    let before = arm.stages.iter().position(|other| std::ptr::eq(other, stage)).unwrap_or(0);
    let mut name = stage.parent.as_deref();
    // At most one step per stage, so a summary whose parents form a circle ends too.
    for _ in 0..arm.stages.len() {
        let Some(parent) = arm.stages.iter().find(|other| Some(other.name.as_str()) == name) else { break };
        if !parent.measurements.is_empty() {
            return &parent.name;
        }
        name = parent.parent.as_deref();
    }
    match name {
        Some(name) if name != BASE => name,
        Some(_) => BASE,
        // Without a word about its parent a stage follows the one before it.
        None => arm.stages[..before]
            .iter()
            .rev()
            .find(|other| !other.measurements.is_empty())
            .map_or(BASE, |other| &other.name),
    }
}

/// Whether every item of `metric` is 0 or 1 in all of the run, so that it reads as a share. Decided for the whole run: a
/// metric that happens to be 0 or 1 on one checkpoint keeps the form it has elsewhere.
pub fn shares(run: &RunSummary, metric: &str) -> bool {
    let stages = run.arms.iter().flat_map(|arm| &arm.stages).chain(std::iter::once(&run.base));
    let mut measured = stages.flat_map(|stage| &stage.measurements).filter(|m| m.metric == metric && m.n > 0);
    measured.all(|m| m.binary)
}

impl<'a> Row<'a> {
    fn new(run: &'a RunSummary, columns: &[Column<'a>], key: &'a Measurement) -> Row<'a> {
        let found: Vec<Option<&Measurement>> = columns
            .iter()
            .map(|column| {
                let measured = &column.stage?.measurements;
                measured.iter().find(|m| m.suite == key.suite && m.metric == key.metric)
            })
            .collect();
        let cells: Vec<Option<Estimate>> = found.iter().map(|m| m.map(Estimate::of)).collect();
        let style = match shares(run, &key.metric) {
            true => Style::Percent,
            false => Style::decimal(cells.iter().flatten().filter_map(|cell| cell.value)),
        };
        let suite = run.suites.iter().find(|suite| suite.name == key.suite);
        Row {
            suite: &key.suite,
            suite_title: suite.map_or(&key.suite, |suite| &suite.title),
            metric: &key.metric,
            title: if key.title.is_empty() { &key.metric } else { &key.title },
            better: key.better,
            style,
            cells,
        }
    }

    /// How the cell of `column` lies to that of its reference.
    pub fn relation(&self, column: usize, reference: Option<usize>) -> Relation {
        let cell = |index: usize| self.cells.get(index).copied().flatten();
        match (cell(column), reference.and_then(cell)) {
            (Some(cell), Some(reference)) => cell.relation(&reference),
            _ => Relation::Unclear,
        }
    }

    /// Ends of a scale on which all of the row's intervals lie: 0 to 1 for shares.
    pub fn scale(&self) -> (f64, f64) {
        if self.style == Style::Percent {
            return (0.0, 1.0);
        }
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        for cell in self.cells.iter().flatten() {
            let Some(value) = cell.value else { continue };
            let (a, b) = cell.interval.unwrap_or((value, value));
            low = low.min(a).min(value);
            high = high.max(b).max(value);
        }
        if !low.is_finite() || !high.is_finite() {
            return (0.0, 1.0);
        }
        // Means of scores in [0, 1] are shown on all of it, so that a small difference looks small.
        if low >= 0.0 && high <= 1.0 {
            return (0.0, 1.0);
        }
        if low >= -1.0 && high <= 1.0 {
            return (-1.0, 1.0);
        }
        let pad = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
        let floor = if low >= 0.0 { 0.0 } else { low - pad };
        (floor, high + pad)
    }
}

impl Estimate {
    /// What a measurement says, with numbers that are not finite taken as absent.
    pub fn of(measurement: &Measurement) -> Estimate {
        let finite = |x: f64| x.is_finite().then_some(x);
        let value = finite(measurement.value).filter(|_| measurement.n > 0);
        let interval = value.and(finite(measurement.low)).zip(finite(measurement.high));
        Estimate {
            value,
            interval,
            n: measurement.n,
            unscored: measurement.unscored + measurement.errors,
            truncated: measurement.truncated,
            corrected: measurement.corrected.as_ref().filter(|c| c.note.is_none()).map(|c| {
                let interval = (c.low.is_finite() && c.high.is_finite()).then_some((c.low, c.high));
                (c.value, interval)
            }),
        }
    }

    /// How this interval lies to the other one.
    pub fn relation(&self, reference: &Estimate) -> Relation {
        match (self.interval, reference.interval) {
            (Some((low, _)), Some((_, high))) if low > high => Relation::Above,
            (Some((_, high)), Some((low, _))) if high < low => Relation::Below,
            _ => Relation::Unclear,
        }
    }
}

impl Relation {
    /// `▲`, `▼` or nothing.
    pub fn mark(self) -> &'static str {
        match self {
            Relation::Above => "▲",
            Relation::Below => "▼",
            Relation::Unclear => "",
        }
    }

    /// Whether the difference is an improvement; `None` when there is no clear difference.
    pub fn change(self, better: Better) -> Option<Change> {
        match (self, better) {
            (Relation::Unclear, _) => None,
            (_, Better::Neither) => Some(Change::Neutral),
            (Relation::Above, Better::Higher) | (Relation::Below, Better::Lower) => Some(Change::Better),
            _ => Some(Change::Worse),
        }
    }
}

/// `↑` when higher is better, `↓` when lower is, nothing otherwise.
pub fn arrow(better: Better) -> &'static str {
    match better {
        Better::Higher => "↑",
        Better::Lower => "↓",
        Better::Neither => "",
    }
}
