//! Scores of rollouts. A score that is missing is missing, not zero, and is counted.

use std::sync::Arc;

use temper_data::Row;
use temper_score::{Sample, Score, Scorer};

use crate::rollout::Rollout;

/// What one scorer said about the completions of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    /// One value per completion, where there is one.
    pub values: Vec<Option<f64>>,
    /// Completions that it should have judged and could not.
    pub unscored: usize,
    /// Completions on which it broke.
    pub errors: usize,
    /// The first reason of either.
    pub reason: Option<String>,
}

/// Scores all completions with all scorers, one call per scorer.
pub(crate) fn score(rollouts: &[Rollout], rows: &[Row], scorers: &[Arc<dyn Scorer>]) -> Vec<Column> {
    let samples: Vec<Sample> = rollouts
        .iter()
        .map(|r| Sample::new(&rows[r.row], &r.text, r.tokens(), r.truncated()).with_tokens(&r.ids[r.prompt_len..], &[]))
        .collect();
    scorers
        .iter()
        .map(|scorer| {
            let mut column = Column::default();
            let mut scores = scorer.score(&samples);
            scores.resize(samples.len(), Score::Error("the scorer returned no score for this completion".into()));
            for (score, rollout) in scores.into_iter().zip(rollouts) {
                let (count, reason) = match score {
                    Score::Value(value) if value.is_finite() => {
                        column.values.push(Some(value));
                        continue;
                    }
                    Score::Value(value) => (&mut column.errors, format!("the score is {value}")),
                    Score::Error(reason) => (&mut column.errors, reason),
                    Score::Unscored(reason) => (&mut column.unscored, reason),
                    Score::NotApplicable => {
                        column.values.push(None);
                        continue;
                    }
                };
                *count += 1;
                column.reason.get_or_insert_with(|| format!("{}: {reason}", rows[rollout.row].place()));
                column.values.push(None);
            }
            column
        })
        .collect()
}

/// Transposes columns: the scores of each completion.
pub(crate) fn by_completion(columns: &[Column], completions: usize) -> Vec<Vec<Option<f64>>> {
    (0..completions).map(|i| columns.iter().map(|c| c.values[i]).collect()).collect()
}
