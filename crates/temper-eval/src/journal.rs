//! The journal of an evaluation that is under way: every completion the moment it is there, so that a killed evaluation goes on
//! with what is missing.
//!
//! `NAME.partial.jsonl` beside the log: the first line says what the completions follow from, every other line is one of them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::EvalError;
use crate::provenance::Origin;
use crate::subject::Completed;

/// One completion of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) repeat: usize,
    /// Seconds since the evaluation began, those of interrupted calls included.
    pub(crate) seconds: f64,
    #[serde(flatten)]
    pub(crate) completed: Completed,
}

#[derive(Serialize)]
struct Head<'a> {
    journal: u32,
    origin: &'a Origin,
}

/// An open journal, which no other process can open.
pub(crate) struct Journal {
    file: PathBuf,
    out: File,
    lines: usize,
}

/// What was found when a journal was opened.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) lines: Vec<Line>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

/// Where the journal of a log lies.
pub(crate) fn journal_file(log: &Path) -> PathBuf {
    log.with_extension("partial.jsonl")
}

impl Journal {
    /// Opens the journal of a log and reads what stands in it. One of another origin is put aside, a torn end is cut off.
    pub(crate) fn open(log: &Path, origin: &Origin) -> Result<(Self, Found), EvalError> {
        let file = journal_file(log);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|source| io(folder, "create", source))?;
        }
        let head = line(&file, &Head { journal: 1, origin })?;
        let mut found = Found::default();
        let mut out = lock(&file)?;
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map_err(|source| io(&file, "read", source))?;
        let mut end = bytes.iter().position(|byte| *byte == b'\n');
        if let Some(differs) = end.and_then(|end| difference(&bytes[..end], &head)) {
            let aside = aside(&file);
            fs::rename(&file, &aside).map_err(|source| io(&file, "rename", source))?;
            found.notes.push(format!(
                "{} is the journal of another evaluation ({differs}); it is kept as {}, and this evaluation begins anew",
                file.display(),
                aside.display()
            ));
            (out, end) = (lock(&file)?, None);
        }
        let Some(end) = end else {
            out.set_len(0).and_then(|()| out.write_all(&head)).map_err(|source| io(&file, "write", source))?;
            return Ok((Journal { file, out, lines: 0 }, found));
        };
        let mut good = end + 1;
        for line in bytes[good..].split_inclusive(|byte| *byte == b'\n') {
            let Some(read) = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok()) else { break };
            found.lines.push(read);
            good += line.len();
        }
        if good < bytes.len() {
            out.set_len(good as u64).map_err(|source| io(&file, "write", source))?;
            let cut = bytes[good..].split_inclusive(|byte| *byte == b'\n').count();
            let note = format!("{}: the last {cut} line(s) were cut off and are asked again", file.display());
            found.notes.push(note);
        }
        let lines = found.lines.len();
        Ok((Journal { file, out, lines }, found))
    }

    /// Adds a completion. It is in the file when this returns.
    pub(crate) fn append(&mut self, entry: &Line) -> Result<(), EvalError> {
        let bytes = line(&self.file, entry)?;
        self.lines += 1;
        self.out.write_all(&bytes).map_err(|source| io(&self.file, "write", source))
    }

    /// Removes a journal in which no completion stands.
    pub(crate) fn remove_if_empty(&self) -> Result<(), EvalError> {
        if self.lines == 0 { self.remove() } else { Ok(()) }
    }

    /// Removes the journal: everything in it stands in the log.
    pub(crate) fn remove(&self) -> Result<(), EvalError> {
        fs::remove_file(&self.file).map_err(|source| io(&self.file, "remove", source))
    }
}

fn lock(file: &Path) -> Result<File, EvalError> {
    let open = OpenOptions::new().create(true).read(true).append(true).open(file);
    let out = open.map_err(|source| io(file, "open", source))?;
    match out.try_lock() {
        Err(TryLockError::WouldBlock) => Err(EvalError::Busy { file: file.to_owned() }),
        // A file system without locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(out),
    }
}

fn line(file: &Path, value: &impl Serialize) -> Result<Vec<u8>, EvalError> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| io(file, "write", error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn io(file: &Path, action: &'static str, source: std::io::Error) -> EvalError {
    EvalError::Io { file: file.to_owned(), action, source, remedy: "check the folder's permissions and the free space" }
}

/// In what a journal's first line differs from the one of this evaluation; `None` where it is the same.
fn difference(found: &[u8], wanted: &[u8]) -> Option<String> {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let (Some(found), Some(wanted)) = (read(found), read(wanted)) else { return Some("it cannot be read".to_owned()) };
    if found == wanted {
        return None;
    }
    let members = |value: &Value| value.get("origin").and_then(Value::as_object).cloned().unwrap_or_default();
    let (found, wanted) = (members(&found), members(&wanted));
    let names: Vec<&str> = wanted.keys().chain(found.keys()).map(String::as_str).collect();
    let mut other: Vec<&str> = names.into_iter().filter(|name| found.get(*name) != wanted.get(*name)).collect();
    other.dedup();
    Some(if other.is_empty() { "another version".to_owned() } else { format!("other {}", other.join(", ")) })
}

/// The first free name for a journal that is put aside.
fn aside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".jsonl").unwrap_or(&name).to_owned();
    let named = |n: usize| file.with_file_name(format!("{stem}.{n}.aside"));
    (1..).map(named).find(|aside| !aside.exists()).unwrap_or_else(|| named(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Identity;
    use temper_recipe::Sampling;

    fn origin(seed: u64) -> Origin {
        let subject = Identity::Engine { weights: "w".into(), tokenizer: "t".into(), precision: "f32".into() };
        Origin {
            suite: "s".into(),
            subject,
            items: "i".into(),
            sampling: Sampling::default(),
            repeats: 1,
            seed,
            samples: 9,
        }
    }

    fn entry(repeat: usize) -> Line {
        let completed = Completed {
            text: "a\nb".into(),
            finish: "stop".into(),
            tokens: Some(3),
            prompt_tokens: None,
            reason: None,
            fingerprint: Some("f".into()),
        };
        Line { id: "x".into(), repeat, seconds: 0.1, completed }
    }

    #[test]
    fn what_was_appended_is_found_again_and_a_torn_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("sub/base.eval");
        let (mut journal, found) = Journal::open(&log, &origin(1)).unwrap();
        assert!(found.lines.is_empty() && found.notes.is_empty());
        journal.append(&entry(0)).unwrap();
        journal.append(&entry(1)).unwrap();
        assert!(matches!(Journal::open(&log, &origin(1)), Err(EvalError::Busy { .. })));
        drop(journal);
        let file = folder.path().join("sub/base.partial.jsonl");
        let whole = fs::read(&file).unwrap();
        // Killed at every possible byte.
        let lines: Vec<usize> = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
        for cut in 0..=whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let (mut journal, found) = Journal::open(&log, &origin(1)).unwrap();
            let kept = lines[1..].iter().filter(|end| **end <= cut).count();
            assert_eq!(found.lines, [entry(0), entry(1)][..kept], "{cut}");
            let torn = cut > lines[0] && !lines.contains(&cut);
            assert_eq!(found.notes.len(), usize::from(torn), "{cut}: {:?}", found.notes);
            journal.append(&entry(2)).unwrap();
            drop(journal);
            let again = Journal::open(&log, &origin(1)).unwrap().1.lines;
            assert_eq!(again.len(), kept + 1);
            assert_eq!(again[kept], entry(2));
        }
    }

    #[test]
    fn a_journal_of_another_evaluation_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("base.jsonl");
        for (seed, found_notes) in [(1, 0), (2, 1), (3, 1)] {
            let (mut journal, found) = Journal::open(&log, &origin(seed)).unwrap();
            assert!(found.lines.is_empty());
            assert_eq!(found.notes.len(), found_notes);
            assert!(found.notes.iter().all(|note| note.contains("(other seed)")), "{:?}", found.notes);
            journal.append(&entry(seed as usize)).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
        assert_eq!((read("base.partial.1.aside"), read("base.partial.2.aside"), read("base.partial.jsonl")), (2, 2, 2));
        let (journal, found) = Journal::open(&log, &origin(3)).unwrap();
        assert_eq!(found.lines, [entry(3)]);
        journal.remove_if_empty().unwrap();
        drop(journal);
        Journal::open(&log, &origin(3)).unwrap().0.remove().unwrap();
        assert!(!folder.path().join("base.partial.jsonl").exists());
    }
}
