//! Where an item log comes from, so that it is read again only where sampling again would give the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use temper_engine::Model;
use temper_recipe::Sampling;
use temper_text::Tokenizer;
use temper_train::Cost;

use crate::log::{read_log, write_whole};
use crate::suite::SuiteRun;
use crate::{EvalError, ItemRecord};

/// Everything that a log's content follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    suite: String,
    /// Digest of the weights.
    weights: String,
    /// Digest of the tokenizer, chat template included.
    tokenizer: String,
    /// Digest of the items: identity, prompt and fields.
    items: String,
    /// Digest of each scorer.
    scorers: BTreeMap<String, String>,
    sampling: Sampling,
    repeats: usize,
    seed: u64,
    samples: usize,
}

#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    provenance: Provenance,
    cost: Cost,
    /// Digest of the log.
    log: String,
}

impl Provenance {
    pub(crate) fn of(run: &SuiteRun, model: &Model, tokenizer: &Tokenizer) -> Self {
        let mut items = Sha256::new();
        for row in run.rows {
            let prompt = serde_json::to_string(&row.prompt).unwrap_or_default();
            let fields = serde_json::to_string(&row.fields).unwrap_or_default();
            for part in [row.id.as_str(), prompt.as_str(), fields.as_str()] {
                items.update((part.len() as u64).to_le_bytes());
                items.update(part);
            }
        }
        let repeats = run.suite.repeats.max(1);
        Provenance {
            suite: run.name.to_owned(),
            weights: model.digest(),
            tokenizer: tokenizer.digest(),
            items: hex(items),
            scorers: run.scorers.iter().map(|scorer| (scorer.name().to_owned(), scorer.digest())).collect(),
            sampling: run.suite.sampling.clone(),
            repeats,
            seed: run.seed,
            samples: run.rows.len() * repeats,
        }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn note_file(log: &Path) -> PathBuf {
    log.with_extension("meta.json")
}

fn file_digest(file: &Path) -> Option<String> {
    let mut hash = Sha256::new();
    hash.update(fs::read(file).ok()?);
    Some(hex(hash))
}

/// The records and the cost of a log of the same provenance, if there is one that is whole.
pub(crate) fn recall(log: &Path, provenance: &Provenance) -> Option<(Vec<ItemRecord>, Cost)> {
    let note: Note = serde_json::from_slice(&fs::read(note_file(log)).ok()?).ok()?;
    if note.provenance != *provenance || Some(note.log) != file_digest(log) {
        return None;
    }
    let records = read_log(log).ok()?;
    (records.len() == provenance.samples).then_some((records, note.cost))
}

/// Notes beside a log what it comes from.
pub(crate) fn remember(log: &Path, provenance: &Provenance, cost: &Cost) -> Result<(), EvalError> {
    let file = note_file(log);
    let note = Note { provenance: provenance.clone(), cost: *cost, log: file_digest(log).unwrap_or_default() };
    let mut bytes = serde_json::to_vec_pretty(&note).map_err(|error| EvalError::Io {
        file: file.clone(),
        action: "write",
        source: error.into(),
        remedy: "evaluate again",
    })?;
    bytes.push(b'\n');
    write_whole(&file, &bytes)
}
