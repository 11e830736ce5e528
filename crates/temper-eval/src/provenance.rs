//! Where an item log comes from, so that it is read again only where sampling again would give the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use temper_recipe::Sampling;
use temper_train::Cost;

use crate::log::{read_log, write_whole};
use crate::subject::{Identity, Subject};
use crate::suite::SuiteRun;
use crate::{EvalError, ItemRecord};

/// Everything that completions follow from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) suite: String,
    /// Who answers.
    #[serde(flatten)]
    pub(crate) subject: Identity,
    /// Digest of the items: identity, prompt and fields.
    pub(crate) items: String,
    pub(crate) sampling: Sampling,
    pub(crate) repeats: usize,
    pub(crate) seed: u64,
    pub(crate) samples: usize,
}

/// Everything that a log's content follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    #[serde(flatten)]
    pub(crate) origin: Origin,
    /// Digest of each scorer.
    scorers: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    provenance: Provenance,
    cost: Cost,
    /// What the server called its weights, and in how many replies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fingerprints: BTreeMap<String, usize>,
    /// Records after which the evaluation ended early, since its gates were decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_after: Option<usize>,
    /// Digest of the log.
    log: String,
}

impl Provenance {
    pub(crate) fn of(run: &SuiteRun, subject: &dyn Subject) -> Self {
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
        let origin = Origin {
            suite: run.name.to_owned(),
            subject: subject.identity(),
            items: hex(items),
            sampling: run.suite.sampling.clone(),
            repeats,
            seed: run.seed,
            samples: run.rows.len() * repeats,
        };
        let scorers = run.scorers.iter().map(|scorer| (scorer.name().to_owned(), scorer.digest())).collect();
        Provenance { origin, scorers }
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
pub(crate) fn recall(log: &Path, provenance: &Provenance, may_end_early: bool) -> Option<(Vec<ItemRecord>, Cost)> {
    let note: Note = serde_json::from_slice(&fs::read(note_file(log)).ok()?).ok()?;
    if note.provenance != *provenance || Some(note.log) != file_digest(log) {
        return None;
    }
    let records = read_log(log).ok()?;
    let whole =
        records.len() == provenance.origin.samples || (may_end_early && note.ended_after == Some(records.len()));
    whole.then_some((records, note.cost))
}

/// Notes beside a log what it comes from.
pub(crate) fn remember(
    log: &Path,
    provenance: &Provenance,
    cost: &Cost,
    fingerprints: &BTreeMap<String, usize>,
    ended_after: Option<usize>,
) -> Result<(), EvalError> {
    let file = note_file(log);
    let log = file_digest(log).unwrap_or_default();
    let note =
        Note { provenance: provenance.clone(), cost: *cost, fingerprints: fingerprints.clone(), ended_after, log };
    let mut bytes = serde_json::to_vec_pretty(&note).map_err(|error| EvalError::Io {
        file: file.clone(),
        action: "write",
        source: error.into(),
        remedy: "evaluate again",
    })?;
    bytes.push(b'\n');
    write_whole(&file, &bytes)
}
