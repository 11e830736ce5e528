//! Measures a scorer against people's labels.

use std::path::Path;

use serde_json::Value;
use temper_data::Row;
use temper_eval::{Calibration, Confusion};
use temper_recipe::{Columns, DataSource, Shape};
use temper_score::{Nature, Sample, Score, Scorer};

use crate::error::RunError;
use crate::sources::Sources;

/// Samples that are judged together.
const BATCH: usize = 256;

/// Labelled completions, and how to read them.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The file.
    pub data: String,
    /// Column of the prompt, where the scorer reads it.
    pub prompt: Option<String>,
    /// Column of the completion.
    pub completion: String,
    /// Column of the label.
    pub label: String,
    /// Labels of the positive class; with none, the labels must be true and false, or 1 and 0.
    pub positive: Vec<String>,
    /// Column by whose values the rows are broken down.
    pub slice: Option<String>,
    /// Smallest score that counts as positive.
    pub threshold: f64,
}

/// Judges the labelled completions and counts how often scorer and label agree.
///
/// # Errors
/// A file, column or label that is not there, labels that are not told apart, rows of one class only, a scorer that breaks its
/// contract.
pub fn calibrate(scorer: &dyn Scorer, labelled: &Labelled, sources: &Sources) -> Result<Calibration, RunError> {
    let rows = sources.rows(&source(labelled), false)?;
    let labels = rows.iter().map(|row| field(row, &labelled.label)).collect::<Result<Vec<_>, _>>()?;
    let positive = positive_labels(labelled, &labels)?;
    let mut calibration = Calibration {
        scorer: scorer.digest(),
        name: scorer.name().to_owned(),
        positive,
        threshold: labelled.threshold,
        graded: false,
        all: Confusion::default(),
        slice: labelled.slice.clone(),
        slices: Default::default(),
        data_digest: digest(&labelled.data, &rows)?,
        data: labelled.data.clone(),
        label: labelled.label.clone(),
        created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        notes: Vec::new(),
    };
    for (rows, labels) in rows.chunks(BATCH).zip(labels.chunks(BATCH)) {
        let texts: Vec<String> = rows.iter().map(Row::said).collect();
        let samples: Vec<Sample> =
            rows.iter().zip(&texts).map(|(row, text)| Sample::new(row, text, 0, false)).collect();
        let scores = scorer.score(&samples);
        if scores.len() != samples.len() {
            return Err(RunError::Other(format!(
                "scorer `{}` gave {} scores for {} samples; it must give one per sample, in their order",
                scorer.name(),
                scores.len(),
                samples.len()
            )));
        }
        for ((row, label), score) in rows.iter().zip(labels).zip(&scores) {
            let positive = calibration.positive.contains(label);
            calibration.all.count(positive, score, labelled.threshold);
            calibration.graded |= score.value().is_some_and(|value| value != 0.0 && value != 1.0);
            if let Some(column) = &labelled.slice {
                let slice = calibration.slices.entry(field(row, column)?).or_default();
                slice.count(positive, score, labelled.threshold);
            }
            if let (Score::Error(reason), true) = (score, calibration.notes.len() < 3) {
                calibration.notes.push(format!("{}: {reason}", row.place()));
            }
        }
    }
    note(scorer, labelled, &mut calibration);
    let (positives, negatives) = (calibration.all.positives(), calibration.all.negatives());
    if positives == 0 || negatives == 0 {
        return Err(RunError::Other(format!(
            "{}: {positives} scored rows have a positive label ({}) and {negatives} another one; both classes are needed, check \
             --label and --positive",
            labelled.data,
            calibration.positive.join(", ")
        )));
    }
    Ok(calibration)
}

fn note(scorer: &dyn Scorer, labelled: &Labelled, calibration: &mut Calibration) {
    if scorer.nature() == Nature::Exact {
        calibration
            .notes
            .push("the scorer is right by its own definition; gates do not need this calibration".to_owned());
    }
    if labelled.prompt.is_none() {
        calibration
            .notes
            .push("judged without prompts; name their column with --prompt if the scorer reads them".to_owned());
    }
    if calibration.graded {
        let text = format!("graded scores, positive from {} on; their mean is not corrected", labelled.threshold);
        calibration.notes.push(text);
    }
}

fn source(labelled: &Labelled) -> DataSource {
    let completion = Some(labelled.completion.clone());
    let (shape, columns) = match &labelled.prompt {
        Some(prompt) => {
            (Shape::PromptCompletion, Columns { prompt: Some(prompt.clone()), completion, ..Columns::default() })
        }
        None => (Shape::Text, Columns { text: completion, ..Columns::default() }),
    };
    DataSource { path: labelled.data.clone(), shape: Some(shape), columns, chat: Some(false), ..DataSource::default() }
}

/// A field as text.
fn field(row: &Row, column: &str) -> Result<String, RunError> {
    match row.fields.get(column) {
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(Value::Null) => Err(RunError::Other(format!(
            "{}: `{column}` is empty; label the row or leave it out of the file",
            row.place()
        ))),
        Some(other) => Ok(other.to_string()),
        None => {
            let known: Vec<&str> = row.fields.keys().map(String::as_str).collect();
            Err(RunError::Other(format!("{}: no column `{column}`; the row has {}", row.place(), known.join(", "))))
        }
    }
}

/// The labels that count as positive: those given, which must occur, or what means yes among two labels.
fn positive_labels(labelled: &Labelled, labels: &[String]) -> Result<Vec<String>, RunError> {
    let mut known: Vec<&String> = labels.iter().collect();
    known.sort();
    known.dedup();
    let list = || known.iter().take(12).map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    let (file, column) = (&labelled.data, &labelled.label);
    if let Some(absent) = labelled.positive.iter().find(|label| !known.contains(label)) {
        return Err(RunError::Other(format!(
            "{file}: no row has the label `{absent}` in `{column}`; the labels are {}",
            list()
        )));
    }
    if !labelled.positive.is_empty() {
        return Ok(labelled.positive.clone());
    }
    let yes: Vec<String> =
        known.iter().filter(|label| matches!(label.as_str(), "1" | "true" | "True")).map(|l| (*l).clone()).collect();
    let plain = known.iter().all(|label| matches!(label.as_str(), "0" | "1" | "true" | "false" | "True" | "False"));
    if plain && !yes.is_empty() {
        return Ok(yes);
    }
    Err(RunError::Other(format!(
        "{file}: which of the labels in `{column}` are positive? Name them with --positive; there are {}",
        list()
    )))
}

/// SHA-256 of the file, or of the rows where there is no single file.
fn digest(data: &str, rows: &[Row]) -> Result<String, RunError> {
    let path = temper_recipe::expand_env(data)?;
    let path = Path::new(&path);
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|e| RunError::io(path, e))?;
        return Ok(crate::directory::sha256(&bytes));
    }
    Ok(crate::directory::sha256(&serde_json::to_vec(rows).map_err(RunError::Json)?))
}
