//! Calibrations: how often a scorer that estimates is right, measured against people's labels, and rates corrected for it.
//!
//! A scorer with sensitivity Se and specificity Sp that finds a share q in a set whose true share is p shows
//! q = Se·p + (1 − Sp)·(1 − p) on average. Rogan and Gladen (American Journal of Epidemiology 107, 1978) turn this round:
//! p = (q + Sp − 1) / (Se + Sp − 1). Both belong to texts like the ones they were measured on: another model, or another stage of
//! the same one, may have others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use temper_score::{Score, Scorer};

use crate::sampled::Sampled;
use crate::stats::{Estimate, cohen_kappa, normal_quantile};
use crate::{Corrected, EvalError, ItemRecord, Measurement};

/// Smallest Se + Sp − 1 at which a rate is corrected; below it the scorer says next to nothing.
pub const LEAST_INFORMATION: f64 = 0.01;

/// A scorer's verdicts against people's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confusion {
    /// Positive by label and by scorer.
    pub true_positives: usize,
    /// Negative by label, positive by scorer.
    pub false_positives: usize,
    /// Positive by label, negative by scorer.
    pub false_negatives: usize,
    /// Negative by label and by scorer.
    pub true_negatives: usize,
    /// Rows that the scorer could not decide.
    pub unscored: usize,
    /// Rows on which the scorer failed.
    pub errors: usize,
    /// Rows that the scorer does not apply to.
    pub not_applicable: usize,
}

impl Confusion {
    /// Counts one row: its label, and the score held against the threshold.
    pub fn count(&mut self, positive: bool, score: &Score, threshold: f64) {
        let cell = match (score.value().map(|value| value >= threshold), positive) {
            (Some(true), true) => &mut self.true_positives,
            (Some(true), false) => &mut self.false_positives,
            (Some(false), true) => &mut self.false_negatives,
            (Some(false), false) => &mut self.true_negatives,
            (None, _) => match score {
                Score::NotApplicable => &mut self.not_applicable,
                Score::Unscored(_) => &mut self.unscored,
                Score::Value(_) | Score::Error(_) => &mut self.errors,
            },
        };
        *cell += 1;
    }

    /// Rows with a label of the positive class that have a score.
    pub fn positives(&self) -> usize {
        self.true_positives + self.false_negatives
    }

    /// Rows with another label that have a score.
    pub fn negatives(&self) -> usize {
        self.true_negatives + self.false_positives
    }

    /// Rows that have a score.
    pub fn scored(&self) -> usize {
        self.positives() + self.negatives()
    }

    /// Share of the positive that the scorer finds, TP / (TP + FN); also called recall.
    pub fn sensitivity(&self, confidence: f64) -> Option<Estimate> {
        share(self.true_positives, self.positives(), confidence)
    }

    /// Share of the negative that the scorer leaves alone, TN / (TN + FP).
    pub fn specificity(&self, confidence: f64) -> Option<Estimate> {
        share(self.true_negatives, self.negatives(), confidence)
    }

    /// Share of rows on which scorer and label agree.
    pub fn accuracy(&self, confidence: f64) -> Option<Estimate> {
        share(self.true_positives + self.true_negatives, self.scored(), confidence)
    }

    /// Share of what the scorer finds that is positive, TP / (TP + FP). Depends on how common the positive are in these rows.
    pub fn precision(&self, confidence: f64) -> Option<Estimate> {
        share(self.true_positives, self.true_positives + self.false_positives, confidence)
    }

    /// Cohen's kappa of scorer and label; `None` where the labels are of one class only.
    pub fn kappa(&self, confidence: f64) -> Option<Estimate> {
        if self.positives() == 0 || self.negatives() == 0 {
            return None;
        }
        let row = |a: usize, b: usize| vec![a as f64, b as f64];
        let table = [row(self.true_positives, self.false_positives), row(self.false_negatives, self.true_negatives)];
        cohen_kappa(&table, confidence)
    }

    /// What a rate needs to be corrected; `None` when one of the two classes has no scored row.
    pub fn judge_errors(&self) -> Option<JudgeErrors> {
        let (positives, negatives) = (self.positives(), self.negatives());
        (positives > 0 && negatives > 0).then(|| JudgeErrors {
            sensitivity: self.true_positives as f64 / positives as f64,
            specificity: self.true_negatives as f64 / negatives as f64,
            positives,
            negatives,
        })
    }
}

/// A share with Wilson's interval, Clopper and Pearson's at 0 and 1. `None` of nothing.
fn share(part: usize, whole: usize, confidence: f64) -> Option<Estimate> {
    if whole == 0 {
        return None;
    }
    let value = part as f64 / whole as f64;
    let (low, high) = Sampled::Proportion { share: value }.interval(whole, confidence);
    Some(Estimate { n: whole, value, se: (value * (1.0 - value) / whole as f64).sqrt(), low, high })
}

/// How often a judge is right, and how many labels say so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeErrors {
    /// Share of the positive that it finds.
    pub sensitivity: f64,
    /// Share of the negative that it leaves alone.
    pub specificity: f64,
    /// Labelled positives behind the sensitivity.
    pub positives: usize,
    /// Labelled negatives behind the specificity.
    pub negatives: usize,
}

impl JudgeErrors {
    /// Se + Sp − 1 (Youden's J): 1 for a perfect judge, 0 for one that tosses a coin.
    pub fn information(&self) -> f64 {
        self.sensitivity + self.specificity - 1.0
    }

    /// Whether the judge says enough for a rate to be corrected.
    pub fn usable(&self) -> bool {
        self.information() >= LEAST_INFORMATION
    }

    /// The true share behind the share `observed`, (observed + Sp − 1) / (Se + Sp − 1), kept in [0, 1]; `None` where the judge
    /// is not usable.
    pub fn corrected(&self, observed: f64) -> Option<f64> {
        self.usable().then(|| ((observed + self.specificity - 1.0) / self.information()).clamp(0.0, 1.0))
    }

    /// The corrected share with its interval, from the observed share with its. The delta method,
    /// Var(p) = [Var(q) + p² Var(Se) + (1 − p)² Var(Sp)] / (Se + Sp − 1)², with the part of q taken on each side from its own
    /// interval (Zou and Donner, Statistics in Medicine 27, 2008), so that it does not vanish at q = 0. `None` where the judge is
    /// not usable.
    pub fn corrected_interval(
        &self,
        observed: f64,
        (low, high): (f64, f64),
        confidence: f64,
    ) -> Option<(f64, (f64, f64))> {
        let value = self.corrected(observed)?;
        let (sensitivity, specificity) = self.variances();
        let z2 = normal_quantile(confidence).powi(2);
        let calibration = z2 * (value * value * sensitivity + (1.0 - value).powi(2) * specificity);
        let side = |end: f64| ((end - observed).powi(2) + calibration).sqrt() / self.information();
        Some((value, ((value - side(low)).max(0.0), (value + side(high)).min(1.0))))
    }

    /// A paired difference of two rates by this judge, corrected: Δ / (Se + Sp − 1), as the false positives cancel. Var =
    /// [Var(Δq) + Δp² (Var(Se) + Var(Sp))] / (Se + Sp − 1)².
    pub fn corrected_difference(
        &self,
        observed: f64,
        (low, high): (f64, f64),
        confidence: f64,
    ) -> Option<(f64, (f64, f64))> {
        if !self.usable() {
            return None;
        }
        let value = (observed / self.information()).clamp(-1.0, 1.0);
        let (sensitivity, specificity) = self.variances();
        let z2 = normal_quantile(confidence).powi(2);
        let calibration = z2 * value * value * (sensitivity + specificity);
        let side = |end: f64| ((end - observed).powi(2) + calibration).sqrt() / self.information();
        Some((value, ((value - side(low)).max(-1.0), (value + side(high)).min(1.0))))
    }

    /// Variances of sensitivity and specificity, with two successes and two failures added (Agresti and Coull 1998), so that a
    /// judge who was right on all labels is not taken to be always right.
    fn variances(&self) -> (f64, f64) {
        let variance = |share: f64, n: usize| {
            let n = n as f64;
            let p = (share * n + 2.0) / (n + 4.0);
            p * (1.0 - p) / (n + 4.0)
        };
        (variance(self.sensitivity, self.positives), variance(self.specificity, self.negatives))
    }
}

/// A scorer measured against labels; the content of a calibration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Digest of the scorer; the calibration belongs to every scorer with this digest, whatever it is called.
    pub scorer: String,
    /// What it was called.
    pub name: String,
    /// Labels of the positive class.
    pub positive: Vec<String>,
    /// Smallest score that counts as positive.
    pub threshold: f64,
    /// Whether there were scores other than 0 and 1.
    pub graded: bool,
    /// All rows.
    pub all: Confusion,
    /// The column by whose values `slices` break the rows down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Rows by value of that column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, Confusion>,
    /// The labelled file.
    pub data: String,
    /// SHA-256 of that file.
    pub data_digest: String,
    /// Column of the labels.
    pub label: String,
    /// When it was measured, RFC 3339.
    pub created: String,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Calibration {
    /// Reads a calibration file.
    ///
    /// # Errors
    /// The file cannot be read or is no calibration.
    pub fn read(file: &std::path::Path) -> Result<Self, EvalError> {
        let bytes = std::fs::read(file).map_err(|source| EvalError::Io {
            file: file.to_owned(),
            action: "read",
            source,
            remedy: "a calibration is a .json file that `temper scorer calibrate` wrote",
        })?;
        serde_json::from_slice(&bytes).map_err(|error| EvalError::Log {
            file: file.to_owned(),
            line: error.line(),
            what: format!("not a calibration: {error}"),
            remedy: "make it with `temper scorer calibrate`".to_owned(),
        })
    }

    /// Writes it, indented.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, file: &std::path::Path) -> Result<(), EvalError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        crate::log::write_whole(file, (text + "\n").as_bytes())
    }
}

/// Calibrations by the digest of their scorer.
pub type Calibrations = BTreeMap<String, Calibration>;

/// Adds the corrected rate to every measurement of a calibrated scorer whose scores are all 0 or 1 and whose items are means.
pub fn correct(
    measurements: &mut [Measurement],
    records: &[ItemRecord],
    scorers: &[std::sync::Arc<dyn Scorer>],
    calibrations: &Calibrations,
) {
    for scorer in scorers {
        let Some(calibration) = calibrations.get(&scorer.digest()) else { continue };
        let flags = |suite: &str| {
            let scores = records.iter().filter(|record| record.suite == suite);
            all_flags(scores.filter_map(|record| record.scores.get(scorer.name())?.value()))
        };
        for measurement in measurements.iter_mut().filter(|m| m.metric == scorer.name()) {
            let mean = measurement.reducer == temper_recipe::Reducer::Mean;
            if mean && measurement.n > 0 && flags(&measurement.suite) {
                measurement.corrected = correction(measurement, calibration);
            }
        }
    }
}

/// Whether all scores are 0 or 1.
pub(crate) fn all_flags(mut scores: impl Iterator<Item = f64>) -> bool {
    scores.all(|score| score == 0.0 || score == 1.0)
}

fn correction(measurement: &Measurement, calibration: &Calibration) -> Option<Corrected> {
    let errors = calibration.all.judge_errors()?;
    let interval = (measurement.low, measurement.high);
    let found = errors.corrected_interval(measurement.value, interval, crate::CONFIDENCE);
    let note = found.is_none().then(|| {
        format!(
            "not corrected: sensitivity + specificity − 1 is {:.3}, the scorer says next to nothing",
            errors.information()
        )
    });
    let (value, (low, high)) = found.unwrap_or((measurement.value, interval));
    Some(Corrected {
        value,
        low,
        high,
        sensitivity: errors.sensitivity,
        specificity: errors.specificity,
        labels: errors.positives + errors.negatives,
        source: calibration.data.clone(),
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Bootstrap;
    use temper_engine::Key;

    fn judge(sensitivity: f64, specificity: f64, n: usize) -> JudgeErrors {
        JudgeErrors { sensitivity, specificity, positives: n, negatives: n }
    }

    #[test]
    fn a_row_is_counted_once() {
        let mut confusion = Confusion::default();
        let scores = [Score::Value(0.5), Score::Value(0.4), Score::NotApplicable, Score::Unscored("?".into())];
        for score in &scores {
            confusion.count(true, score, 0.5);
        }
        confusion.count(false, &Score::Error("x".into()), 0.5);
        confusion.count(false, &Score::Value(1.0), 0.5);
        assert_eq!((confusion.true_positives, confusion.false_negatives, confusion.false_positives), (1, 1, 1));
        assert_eq!((confusion.unscored, confusion.errors, confusion.not_applicable, confusion.scored()), (1, 1, 1, 3));
        assert_eq!(confusion.precision(0.95).unwrap().value, 0.5);
        assert!(Confusion::default().sensitivity(0.95).is_none() && confusion.judge_errors().is_some());
    }

    #[test]
    fn a_rate_by_hand() {
        // (0.3 − 0.1) / 0.7
        let errors = judge(0.8, 0.9, 100);
        assert!((errors.corrected(0.3).unwrap() - 2.0 / 7.0).abs() < 1e-12);
        assert_eq!((errors.corrected(0.05), errors.corrected(0.95)), (Some(0.0), Some(1.0)));
        assert_eq!(judge(0.5, 0.505, 100).corrected(0.3), None);
        assert!((judge(1.0, 1.0, 100).corrected(0.3).unwrap() - 0.3).abs() < 1e-12);
        let (value, (low, high)) = errors.corrected_difference(0.1, (0.05, 0.15), 0.95).unwrap();
        assert!((value - 1.0 / 7.0).abs() < 1e-12 && low < value && value < high && high - low > 0.1 / 0.7);
    }

    /// The interval of the delta method is that of a bootstrap that draws the items and both classes of labels anew.
    #[test]
    fn the_interval_is_that_of_a_bootstrap_over_items_and_labels() {
        for (se, sp, labels, observed, n) in [(0.8, 0.9, 120, 0.4, 300), (0.9, 0.95, 400, 0.2, 200)] {
            let errors = judge(se, sp, labels);
            let interval = Sampled::Proportion { share: observed }.interval(n, 0.95);
            let (_, (low, high)) = errors.corrected_interval(observed, interval, 0.95).unwrap();
            let draw = |key: Key, share: f64, n: usize| {
                (0..n).filter(|i| key.fold(*i as u64).uniform() < share).count() as f64 / n as f64
            };
            let resampled = std::cell::Cell::new(0u64);
            let bootstrap = Bootstrap::new(1, 4000, 5, |_| {
                let key = Key::new(9).fold(resampled.replace(resampled.get() + 1));
                let again = judge(draw(key.fold(1), se, labels), draw(key.fold(2), sp, labels), labels);
                again.corrected(draw(key.fold(3), observed, n)).unwrap_or(f64::NAN)
            });
            let (a, b) = bootstrap.interval(0.95);
            assert!((low - a).abs() < 0.02 && (high - b).abs() < 0.02, "{low} {high} {a} {b}");
            // The labels' own uncertainty is part of it.
            let (_, (certain_low, certain_high)) =
                judge(se, sp, 1_000_000).corrected_interval(observed, interval, 0.95).unwrap();
            assert!(high - low > 1.05 * (certain_high - certain_low));
        }
    }
}
