//! Gates: rules on a metric, judged on item logs.

use std::collections::{BTreeMap, BTreeSet};

use temper_recipe::{Gate, GateCorrection, GateSlice, OnFail, Reference, Rule};
use temper_score::{Better, Score};

use crate::calibration::all_flags;
use crate::measure::item_values;
use crate::measure::usual_range;
use crate::pairs::{clusters, count_clusters, join_by};
use crate::sampled::{Sampled, items_until};
use crate::sequential::{Sequence, sampling_order};
use crate::stats::{POWER, detectable};
use crate::{Action, Calibration, Delta, GateVerdict, ItemRecord, JudgeErrors, Verdict};

/// A gate with what it is judged on.
#[derive(Clone, Copy)]
pub struct GateCase<'a> {
    /// The gate.
    pub gate: &'a Gate,
    /// The metric's good direction.
    pub better: Better,
    /// Digest of the metric's scorer; empty where it is not known.
    pub judge: &'a str,
    /// The scorer's calibration, where it has one.
    pub calibration: Option<&'a Calibration>,
    /// The checkpoint's item log of the gate's suite; records of other suites are passed over.
    pub now: &'a [ItemRecord],
    /// The log of the checkpoint that the rule compares with.
    pub reference: Option<&'a [ItemRecord]>,
    /// The parent's log, for the change that tables show.
    pub parent: Option<&'a [ItemRecord]>,
}

/// A rule in its simplest form: the value must lie on one side of a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    AtLeast,
    AtMost,
}

impl Side {
    fn meets(self, bound: f64, low: f64, high: f64) -> bool {
        match self {
            Side::AtLeast => low >= bound,
            Side::AtMost => high <= bound,
        }
    }

    fn breaks(self, bound: f64, low: f64, high: f64) -> bool {
        match self {
            Side::AtLeast => high < bound,
            Side::AtMost => low > bound,
        }
    }
}

/// What an interval is computed from.
#[derive(Debug, Clone)]
enum Basis {
    /// All items, looked at once.
    Fixed(Sampled),
    /// The same, corrected for the judge's errors; of a paired difference where `paired`.
    Corrected { sampled: Sampled, errors: JudgeErrors, paired: bool },
    /// Items in the order of sampling, looked at as often as one likes.
    Sequence(Sequence),
}

impl Basis {
    fn at(&self, n: usize, confidence: f64) -> (f64, (f64, f64)) {
        match self {
            Basis::Fixed(sampled) => (sampled.value(), sampled.interval(n, confidence)),
            Basis::Corrected { sampled, errors, paired } => {
                let (value, interval) = (sampled.value(), sampled.interval(n, confidence));
                let found = match paired {
                    true => errors.corrected_difference(value, interval, confidence),
                    false => errors.corrected_interval(value, interval, confidence),
                };
                found.unwrap_or((f64::NAN, (f64::NAN, f64::NAN)))
            }
            Basis::Sequence(sequence) => (sequence.value(), sequence.interval_at(n, confidence)),
        }
    }

    /// The effect that items like these show with a power of 80 %; not for a sequence.
    fn detectable(&self, n: usize, confidence: f64) -> Option<f64> {
        let (spread, scale) = match self {
            Basis::Fixed(sampled) => (sampled.spread(), 1.0),
            Basis::Corrected { sampled, errors, .. } => (sampled.spread(), errors.information()),
            Basis::Sequence(_) => return None,
        };
        let effect = detectable(spread, n as f64, confidence, POWER) / scale;
        (effect.is_finite() && effect > 0.0).then_some(effect)
    }
}

/// What the rule is held against.
struct Evidence {
    basis: Option<Basis>,
    n: usize,
    clusters: Option<usize>,
    raw: f64,
    now: f64,
    reference: Option<f64>,
    unscored: f64,
}

/// One statistical test: a gate on all items, or on one value of its slice.
pub(crate) struct Test<'a> {
    case: &'a GateCase<'a>,
    pub(crate) label: String,
    slice: Option<String>,
    side: Side,
    bound: f64,
    evidence: Evidence,
    delta: Option<Delta>,
    /// Why it cannot be judged at all.
    impossible: Option<String>,
}

impl Test<'_> {
    fn interval(&self, confidence: f64) -> (f64, f64) {
        match &self.evidence.basis {
            Some(Basis::Sequence(sequence)) => sequence.interval(confidence),
            Some(basis) => basis.at(self.evidence.n, confidence).1,
            None => (f64::NAN, f64::NAN),
        }
    }

    fn settles(&self, (low, high): (f64, f64)) -> bool {
        self.side.meets(self.bound, low, high) || self.side.breaks(self.bound, low, high)
    }

    /// Whether the interval at this confidence lies on one side of the bound.
    pub(crate) fn decided(&self, confidence: f64) -> bool {
        self.impossible.is_none() && self.settles(self.interval(confidence))
    }

    fn too_many_unscored(&self) -> bool {
        self.evidence.unscored > self.case.gate.max_unscored
    }

    /// Two-sided p of the value being the bound: the smallest α whose interval lies on one side of it. Not a number where there
    /// is no interval.
    fn p(&self) -> f64 {
        const LEAST: f64 = 1e-9;
        let (low, high) = self.interval(1.0 - LEAST);
        if self.impossible.is_some() || low.is_nan() || high.is_nan() {
            return f64::NAN;
        }
        if self.decided(1.0 - LEAST) {
            return LEAST;
        }
        // Down to LEAST on a scale of logarithms; undecided at `open`, decided at `closed`.
        let (mut open, mut closed) = (LEAST.ln(), (1.0 - LEAST).ln());
        if !self.decided(1.0 - closed.exp()) {
            return 1.0;
        }
        for _ in 0..40 {
            let middle = 0.5 * (open + closed);
            if self.decided(1.0 - middle.exp()) { closed = middle } else { open = middle }
        }
        closed.exp()
    }
}

/// The level that a test is judged at, and its p-values.
#[derive(Debug, Clone, Copy)]
struct Level {
    p: f64,
    adjusted: f64,
    confidence: f64,
    tests: usize,
}

/// Judges the gates of one checkpoint together.
///
/// The two-sided interval of a test decides: it passes when the whole interval meets the rule, fails when the whole interval
/// breaks it, and is undecided otherwise. `not_worse_than` looks at the paired difference now − reference, and `better` says
/// which direction is worse. Where records carry clusters, errors are cluster-robust. With Holm's correction the test with the
/// smallest p is judged at α/m of m tests, the next at α/(m − 1), and so on up to the first that is undecided; it and all after
/// it share that level. A slice named without a value makes one test of each of its values.
///
/// Samples without a score, and samples without a partner in the reference's log, count against `max_unscored`; above it the gate
/// fails. Repeats of an item are reduced first. An undecided gate lets the arm go on with a warning.
///
/// A gate that cannot be judged at all (the metric has no good direction, there is no reference, or a rate cannot be corrected)
/// fails and says why.
pub fn judge_all(cases: &[GateCase], correction: GateCorrection) -> Vec<GateVerdict> {
    let tests: Vec<Test> = cases.iter().flat_map(tests_of).collect();
    let levels = levels(&tests, correction);
    tests.iter().zip(levels).map(|(test, level)| verdict(test, level)).collect()
}

/// Holm's step-down procedure over the tests that have an interval. Tests may have levels of their own: the order is that of
/// p / α, and the chance of any wrong decision is at most the largest α.
fn levels(tests: &[Test], correction: GateCorrection) -> Vec<Level> {
    let p: Vec<f64> = tests.iter().map(|test| if test.too_many_unscored() { f64::NAN } else { test.p() }).collect();
    let alpha = |at: usize| 1.0 - tests[at].case.gate.confidence;
    let mut levels: Vec<Level> =
        (0..tests.len()).map(|at| Level { p: p[at], adjusted: p[at], confidence: 1.0 - alpha(at), tests: 1 }).collect();
    let mut order: Vec<usize> = (0..tests.len()).filter(|at| !p[*at].is_nan()).collect();
    if correction == GateCorrection::None || order.len() < 2 {
        return levels;
    }
    order.sort_by(|a, b| (p[*a] / alpha(*a)).total_cmp(&(p[*b] / alpha(*b))));
    let m = order.len();
    let (mut most, mut steps, mut going) = (0.0f64, m, true);
    for (rank, at) in order.into_iter().enumerate() {
        if going {
            steps = m - rank;
        }
        most = most.max((m - rank) as f64 * p[at] / alpha(at));
        let confidence = 1.0 - alpha(at) / steps as f64;
        levels[at] = Level { p: p[at], adjusted: (most * alpha(at)).min(1.0), confidence, tests: m };
        going = going && tests[at].decided(confidence);
    }
    levels
}

/// The tests that a gate makes.
pub(crate) fn tests_of<'a>(case: &'a GateCase<'a>) -> Vec<Test<'a>> {
    let gate = case.gate;
    let all: Vec<&ItemRecord> = case.now.iter().filter(|record| record.suite == gate.suite).collect();
    let in_slice =
        |record: &ItemRecord, name: &str, value: &str| record.slices.get(name).is_some_and(|found| found == value);
    match &gate.slice {
        None => vec![test(case, gate.label(), None, &|_| true)],
        Some(GateSlice::Where(values)) => {
            let named: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let keep = |record: &ItemRecord| values.iter().all(|(name, value)| in_slice(record, name, value));
            vec![test(case, gate.label(), Some(named.join(", ")), &keep)]
        }
        Some(GateSlice::Every(name)) => {
            let values: BTreeSet<&String> = all.iter().filter_map(|record| record.slices.get(name)).collect();
            if values.is_empty() {
                return vec![test(case, gate.label(), Some(name.clone()), &|_| false)];
            }
            let label = |value: &str| match &gate.name {
                Some(given) => format!("{given} [{name}={value}]"),
                None => Gate {
                    slice: Some(GateSlice::Where([(name.clone(), value.to_owned())].into_iter().collect())),
                    ..gate.clone()
                }
                .label(),
            };
            values
                .into_iter()
                .map(|value| {
                    test(case, label(value), Some(format!("{name}={value}")), &|record| in_slice(record, name, value))
                })
                .collect()
        }
    }
}

fn test<'a>(
    case: &'a GateCase<'a>,
    label: String,
    slice: Option<String>,
    keep: &dyn Fn(&ItemRecord) -> bool,
) -> Test<'a> {
    let (gate, better) = (case.gate, case.better);
    let chosen = |records: &'a [ItemRecord]| -> Vec<&'a ItemRecord> {
        records.iter().filter(|record| record.suite == gate.suite && keep(record)).collect()
    };
    let now = chosen(case.now);
    let rule = gate.rule();
    let (side, bound) = match (rule, better) {
        (Rule::AtLeast(bound), _) => (Side::AtLeast, bound),
        (Rule::AtMost(bound), _) => (Side::AtMost, bound),
        (Rule::NotWorse { margin, .. }, Better::Lower) => (Side::AtMost, margin),
        (Rule::NotWorse { margin, .. }, _) => (Side::AtLeast, -margin),
    };
    let mut impossible = None;
    let mut evidence = match rule {
        Rule::NotWorse { .. } => match case.reference {
            Some(reference) => {
                if better == Better::Neither {
                    impossible = Some(format!(
                        "`{}` has no good direction, so nothing is worse; set `better` on the scorer, or use at_least or at_most",
                        gate.metric
                    ));
                }
                compared(case, &chosen(reference), &now)
            }
            None => {
                impossible = Some("there is no checkpoint to compare with".to_owned());
                absolute(case, &now)
            }
        },
        _ => absolute(case, &now),
    };
    if gate.corrected && impossible.is_none() {
        impossible = correct(case, &now, matches!(rule, Rule::NotWorse { .. }), &mut evidence).err();
    }
    let delta = case.parent.and_then(|parent| change(case, &chosen(parent), &now));
    Test { case, label, slice, side, bound, evidence, delta, impossible }
}

/// Replaces the basis by the corrected one, or says why that cannot be.
fn correct(case: &GateCase, now: &[&ItemRecord], paired: bool, evidence: &mut Evidence) -> Result<(), String> {
    let metric = &case.gate.metric;
    let Some(calibration) = case.calibration else {
        return Err(format!("`{metric}` has no calibration to correct by; make one with `temper scorer calibrate`"));
    };
    if !all_flags(now.iter().filter_map(|record| record.scores.get(metric)?.value())) {
        return Err(format!(
            "`{metric}` has scores between 0 and 1; only a share can be corrected, leave `corrected` out"
        ));
    }
    let errors = calibration
        .all
        .judge_errors()
        .ok_or_else(|| format!("the calibration of `{metric}` lacks labels of one class; label more rows"))?;
    if !errors.usable() {
        return Err(format!(
            "`{metric}` says next to nothing: sensitivity + specificity − 1 is {:.3} in its calibration; use another scorer",
            errors.information()
        ));
    }
    if let Some(Basis::Fixed(sampled)) = evidence.basis {
        evidence.basis = Some(Basis::Corrected { sampled, errors, paired });
        evidence.now = errors.corrected(evidence.now).unwrap_or(f64::NAN);
        evidence.reference = evidence.reference.and_then(|value| errors.corrected(value));
    }
    Ok(())
}

fn absolute(case: &GateCase, records: &[&ItemRecord]) -> Evidence {
    let (gate, metric) = (case.gate, &case.gate.metric);
    let items: BTreeMap<String, f64> = item_values(records.iter().copied(), metric, gate.reducer, case.better);
    let values: Vec<f64> = items.values().copied().collect();
    let labels = clusters(records, items.keys().map(String::as_str));
    let range = usual_range(values.iter().copied());
    let basis = if gate.early_stop {
        let order = sampling_order(&gate.suite, items.keys().map(String::as_str));
        Sequence::of(order.into_iter().map(|at| values[at]).collect(), range).map(Basis::Sequence)
    } else {
        Sampled::of_clusters(&values, labels.as_deref(), range).map(Basis::Fixed)
    };
    let score = |record: &&&ItemRecord| !matches!(record.scores.get(metric), Some(Score::NotApplicable));
    let applicable = records.iter().filter(score).count();
    let scored = records.iter().filter(|r| r.scores.get(metric).and_then(Score::value).is_some()).count();
    let value = values.iter().sum::<f64>() / values.len() as f64;
    Evidence {
        basis,
        n: values.len(),
        clusters: count_clusters(labels.as_ref()),
        raw: value,
        now: value,
        reference: None,
        unscored: share(applicable - scored, applicable),
    }
}

fn compared(case: &GateCase, reference: &[&ItemRecord], now: &[&ItemRecord]) -> Evidence {
    let gate = case.gate;
    let pairs = join_by(reference, now, &gate.metric, gate.reducer, case.better);
    let range = usual_range(pairs.values.iter().flat_map(|(x, y)| [*x, *y]));
    let n = pairs.values.len();
    let mean = |pick: fn(&(f64, f64)) -> f64| pairs.values.iter().map(pick).sum::<f64>() / n as f64;
    // Logs that stopped early hold the same items up to where the shorter one ends; the rest has no partner for no fault.
    let unmatched = if gate.early_stop { 0 } else { pairs.unmatched };
    let all = pairs.matched - pairs.not_applicable + unmatched;
    let basis = if gate.early_stop {
        let order = sampling_order(&gate.suite, pairs.ids.iter().map(String::as_str));
        let ordered = order.into_iter().map(|at| pairs.values[at].1 - pairs.values[at].0);
        let width = range.map(|(low, high)| (low - high, high - low));
        Sequence::of(ordered.collect(), width).map(Basis::Sequence)
    } else {
        Sampled::of_paired_clusters(&pairs.values, pairs.clusters.as_deref(), range).map(Basis::Fixed)
    };
    let (before, after) = (mean(|pair| pair.0), mean(|pair| pair.1));
    Evidence {
        basis,
        n,
        clusters: count_clusters(pairs.clusters.as_ref()),
        raw: after - before,
        now: after,
        reference: (n > 0).then_some(before),
        unscored: share(pairs.unscored + unmatched, all),
    }
}

/// The paired change from the parent, as it was scored.
fn change(case: &GateCase, parent: &[&ItemRecord], now: &[&ItemRecord]) -> Option<Delta> {
    let gate = case.gate;
    let pairs = join_by(parent, now, &gate.metric, gate.reducer, case.better);
    let range = usual_range(pairs.values.iter().flat_map(|(x, y)| [*x, *y]));
    let sampled = Sampled::of_paired_clusters(&pairs.values, pairs.clusters.as_deref(), range)?;
    let n = pairs.values.len();
    let (low, high) = sampled.interval(n, gate.confidence);
    let previous = pairs.values.iter().map(|pair| pair.0).sum::<f64>() / n as f64;
    Some(Delta { previous, value: sampled.value(), low, high, n })
}

fn verdict(test: &Test, level: Level) -> GateVerdict {
    let (gate, evidence, bound) = (test.case.gate, &test.evidence, test.bound);
    let (low, high) = test.interval(level.confidence);
    let value = match &evidence.basis {
        Some(Basis::Sequence(sequence)) => sequence.value(),
        Some(basis) => basis.at(evidence.n, level.confidence).0,
        None => f64::NAN,
    };
    let many = if level.tests > 1 { format!(" (Holm, {} tests)", level.tests) } else { String::new() };
    let interval = format!("the {} interval [{}, {}]{many}", percent(level.confidence), number(low), number(high));
    let (verdict, reason) = if let Some(reason) = &test.impossible {
        (Verdict::Fail, reason.clone())
    } else if test.too_many_unscored() {
        let (share, most) = (percent(evidence.unscored), percent(gate.max_unscored));
        (Verdict::Fail, format!("{share} of the samples have no score, more than {most}"))
    } else if evidence.basis.is_none() {
        let which = test.slice.as_ref().map(|slice| format!(" of {slice}")).unwrap_or_default();
        (Verdict::Undecided, format!("no item{which} has a score"))
    } else if evidence.clusters == Some(1) {
        (Verdict::Undecided, "all items are of one cluster, so the error is not known".to_owned())
    } else if test.side.meets(bound, low, high) {
        (Verdict::Pass, format!("{interval} meets the bound {}", number(bound)))
    } else if test.side.breaks(bound, low, high) {
        (Verdict::Fail, format!("{interval} is beyond the bound {}", number(bound)))
    } else {
        (Verdict::Undecided, format!("{interval} straddles the bound {}", number(bound)))
    };
    let compares = matches!(gate.rule(), Rule::NotWorse { .. });
    let settled = test.impossible.is_none() && test.settles((low, high)) && !test.too_many_unscored();
    let outcome = match (verdict, compares) {
        _ if !settled => "not judged",
        (Verdict::Pass, true) if test.side.meets(0.0, low, high) && low != 0.0 && high != 0.0 => "better",
        (Verdict::Pass, true) => "no worse",
        (_, true) => "worse",
        (Verdict::Pass, false) => "within the bound",
        (_, false) => "beyond the bound",
    };
    let undecided = evidence.basis.as_ref().filter(|_| verdict == Verdict::Undecided);
    GateVerdict {
        gate: test.label.clone(),
        suite: gate.suite.clone(),
        metric: gate.metric.clone(),
        reducer: gate.reducer,
        slice: test.slice.clone(),
        judge: test.case.judge.to_owned(),
        rule: words(gate.rule(), gate.corrected),
        verdict,
        value,
        low,
        high,
        outcome: outcome.to_owned(),
        bound,
        margin: gate.not_worse_than.map(|_| gate.margin),
        confidence: gate.confidence,
        level: level.confidence,
        p: level.p,
        p_adjusted: level.adjusted,
        tests: level.tests,
        n: evidence.n,
        clusters: evidence.clusters,
        now: evidence.now,
        reference: evidence.reference,
        raw: gate.corrected.then_some(evidence.raw),
        change: test.delta,
        unscored: evidence.unscored,
        items_needed: undecided
            .and_then(|basis| items_until(|n| basis.at(n, level.confidence).1, |low, high| test.settles((low, high)))),
        detectable: undecided.and_then(|basis| basis.detectable(evidence.n, level.confidence)),
        reason,
        action: match (verdict, gate.on_fail) {
            (Verdict::Pass, _) => Action::Continue,
            (Verdict::Undecided, _) | (Verdict::Fail, OnFail::Warn) => Action::Warn,
            (Verdict::Fail, OnFail::Stop) => Action::Stop,
            (Verdict::Fail, OnFail::Rollback) => Action::Rollback,
        },
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn words(rule: Rule, corrected: bool) -> String {
    let said = match rule {
        Rule::AtLeast(bound) => format!("at least {}", number(bound)),
        Rule::AtMost(bound) => format!("at most {}", number(bound)),
        Rule::NotWorse { reference, margin } => {
            let name = match reference {
                Reference::Parent => "its parent",
                Reference::Base => "the base model",
            };
            if margin == 0.0 {
                format!("not worse than {name}")
            } else {
                format!("not worse than {name} by more than {}", number(margin))
            }
        }
    };
    if corrected { format!("{said}, corrected for the scorer's errors") } else { said }
}

/// A number with at most four decimals, without trailing zeros.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests;
