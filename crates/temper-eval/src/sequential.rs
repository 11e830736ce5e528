//! Stopping early when the case is clear.
//!
//! A gate with `early_stop` decides by a confidence sequence, which holds at every number of items at once. So a suite may be
//! looked at after every block of items and left as soon as all of its gates are decided: the chance of a wrong decision over all
//! looks together stays below what the gates allow. The items must be sampled in
//! an order that has nothing to do with their scores: [`sampling_order`].

use std::ops::ControlFlow;

use temper_engine::Key;

use crate::ItemRecord;
use crate::gate::{GateCase, tests_of};
use crate::stats::{bounded_sequence, mean_sd, mean_sequence, share_sequence};

/// Called with all records of a suite so far after every block of items; [`ControlFlow::Break`] ends the sampling.
pub type OnBlock<'a> = dyn FnMut(&[ItemRecord]) -> ControlFlow<()> + 'a;

/// What the items so far say of a suite's gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Every gate is decided, whatever more items would say.
    Decided,
    /// These gates are not, or do not stop early.
    Continue {
        /// Their names.
        open: Vec<String>,
    },
}

impl Look {
    /// As an answer to [`OnBlock`].
    pub fn flow(&self) -> ControlFlow<()> {
        if *self == Look::Decided { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Looks at a suite before all of its items are sampled. `cases` are all gates on the suite, with the records so far; `tests` is
/// the number of tests on all gates of the checkpoint, over which the error is shared out evenly (Bonferroni), so that what is
/// decided here is decided under Holm's procedure at the end too. Too large a share of unscored samples stops nothing: it may
/// become smaller.
pub fn look(cases: &[GateCase], tests: usize) -> Look {
    let mut open = Vec::new();
    for case in cases {
        let alpha = (1.0 - case.gate.confidence) / tests.max(1) as f64;
        for test in tests_of(case) {
            if !case.gate.early_stop || !test.decided(1.0 - alpha) {
                open.push(test.label.clone());
            }
        }
    }
    if open.is_empty() && !cases.is_empty() { Look::Decided } else { Look::Continue { open } }
}

/// Values in the order in which they were sampled, as a confidence sequence takes them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sequence {
    /// Items of 0 and 1.
    Share { successes: f64, n: f64 },
    /// Values within known limits.
    Bounded { values: Vec<f64>, range: (f64, f64) },
    /// Values without.
    Unbounded { mean: f64, sd: f64, n: f64 },
}

impl Sequence {
    /// `None` for no value.
    pub(crate) fn of(values: Vec<f64>, range: Option<(f64, f64)>) -> Option<Self> {
        let (mean, sd) = mean_sd(&values)?;
        let n = values.len() as f64;
        Some(match range {
            Some((0.0, 1.0)) if values.iter().all(|x| *x == 0.0 || *x == 1.0) => {
                Sequence::Share { successes: values.iter().sum(), n }
            }
            Some(range) => Sequence::Bounded { values, range },
            None => Sequence::Unbounded { mean, sd, n },
        })
    }

    pub(crate) fn value(&self) -> f64 {
        match self {
            Sequence::Share { successes, n } => successes / n,
            Sequence::Bounded { values, .. } => values.iter().sum::<f64>() / values.len() as f64,
            Sequence::Unbounded { mean, .. } => *mean,
        }
    }

    pub(crate) fn interval(&self, confidence: f64) -> (f64, f64) {
        match self {
            Sequence::Share { successes, n } => share_sequence(*successes, *n, confidence),
            Sequence::Bounded { values, range } => bounded_sequence(values, *range, confidence),
            Sequence::Unbounded { mean, sd, n } => mean_sequence(*mean, *sd, *n, confidence),
        }
    }

    /// About the interval if `n` items look like these.
    pub(crate) fn interval_at(&self, n: usize, confidence: f64) -> (f64, f64) {
        match self {
            Sequence::Share { successes, n: seen } => share_sequence(successes / seen * n as f64, n as f64, confidence),
            Sequence::Bounded { values, range } => {
                let again: Vec<f64> = values.iter().copied().cycle().take(n.min(200_000)).collect();
                bounded_sequence(&again, *range, confidence)
            }
            Sequence::Unbounded { mean, sd, .. } => mean_sequence(*mean, *sd, n as f64, confidence),
        }
    }
}

/// The order in which a suite's items are to be sampled where it may stop early, as positions in `ids`: a shuffle by identity, the
/// same for every checkpoint, so that what two logs have in common is a prefix of both. Verdicts take the items in this order too.
pub fn sampling_order<'a>(suite: &str, ids: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let key = Key::new(0).fold_str("early stop").fold_str(suite);
    let mut order: Vec<(u64, usize)> =
        ids.into_iter().enumerate().map(|(at, id)| (key.fold_str(id).bits(), at)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_sampling_is_a_shuffle_by_identity() {
        let ids: Vec<String> = (0..50).map(|i| format!("{i:02}")).collect();
        let order = sampling_order("s", ids.iter().map(String::as_str));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted == (0..50).collect::<Vec<_>>() && order != sorted);
        assert_ne!(order, sampling_order("t", ids.iter().map(String::as_str)));
        // Whatever order the items come in, the same ones are first.
        let turned: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
        assert_eq!(turned[sampling_order("s", turned.iter().copied())[0]], ids[order[0]]);
    }
}
