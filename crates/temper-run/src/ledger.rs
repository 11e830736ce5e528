//! The append-only record of a run: one SQLite file, every event chained to the one before it by SHA-256.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::RunError;

/// One event as stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Position in the chain, from 1.
    pub seq: i64,
    /// UTC time of writing, RFC 3339.
    pub time: String,
    /// What happened: `run`, `base`, `stage`, `evaluation`, `gate`, `finished`, …
    pub kind: String,
    /// The event's content.
    pub body: Value,
    /// Digest of the event before this one; 64 zeros for the first.
    pub previous: String,
    /// SHA-256 over `previous`, `seq`, `time`, `kind` and `body`.
    pub digest: String,
}

/// An open ledger. Rows are only ever added.
pub struct Ledger {
    connection: Connection,
}

const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Ledger {
    /// Opens the ledger at `file`, creating it when absent.
    pub fn open(file: &Path) -> Result<Self, RunError> {
        let connection = Connection::open(file).map_err(|e| RunError::ledger(file, e))?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS events (
                    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL,
                    body TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL);",
            )
            .map_err(|e| RunError::ledger(file, e))?;
        Ok(Self { connection })
    }

    /// Appends an event and returns its digest.
    pub fn append(&self, kind: &str, body: &impl Serialize) -> Result<String, RunError> {
        let body = serde_json::to_string(body).map_err(RunError::json)?;
        let (seq, previous) = self
            .connection
            .query_row("SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .optional()
            .map_err(RunError::sql)?
            .unwrap_or((0, GENESIS.to_owned()));
        let (seq, time) = (seq + 1, jiff::Timestamp::now().to_string());
        let digest = chain(&previous, seq, &time, kind, &body);
        self.connection
            .execute(
                "INSERT INTO events (seq, time, kind, body, previous, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![seq, time, kind, body, previous, digest],
            )
            .map_err(RunError::sql)?;
        Ok(digest)
    }

    /// All events in order.
    pub fn events(&self) -> Result<Vec<Event>, RunError> {
        let mut statement = self
            .connection
            .prepare("SELECT seq, time, kind, body, previous, digest FROM events ORDER BY seq")
            .map_err(RunError::sql)?;
        let rows = statement
            .query_map([], |row| {
                let body: String = row.get(3)?;
                Ok(Event {
                    seq: row.get(0)?,
                    time: row.get(1)?,
                    kind: row.get(2)?,
                    body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
                    previous: row.get(4)?,
                    digest: row.get(5)?,
                })
            })
            .map_err(RunError::sql)?;
        rows.collect::<Result<_, _>>().map_err(RunError::sql)
    }

    /// Recomputes the chain. Returns the sequence number of the first event that does not fit, if any.
    pub fn verify(&self) -> Result<Option<i64>, RunError> {
        let mut statement = self
            .connection
            .prepare("SELECT seq, time, kind, body, previous, digest FROM events ORDER BY seq")
            .map_err(RunError::sql)?;
        let mut rows = statement.query([]).map_err(RunError::sql)?;
        let (mut expected, mut next) = (GENESIS.to_owned(), 1);
        while let Some(row) = rows.next().map_err(RunError::sql)? {
            let get = |i: usize| row.get::<_, String>(i).map_err(RunError::sql);
            let seq: i64 = row.get(0).map_err(RunError::sql)?;
            let (time, kind, body, previous, digest) = (get(1)?, get(2)?, get(3)?, get(4)?, get(5)?);
            if seq != next || previous != expected || digest != chain(&previous, seq, &time, &kind, &body) {
                return Ok(Some(seq));
            }
            (expected, next) = (digest, next + 1);
        }
        Ok(None)
    }
}

fn chain(previous: &str, seq: i64, time: &str, kind: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    for part in [previous, &seq.to_string(), time, kind, body] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_event_breaks_the_chain() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.sqlite");
        let ledger = Ledger::open(&file).unwrap();
        for n in 0..4 {
            ledger.append("stage", &serde_json::json!({ "n": n })).unwrap();
        }
        drop(ledger);
        let ledger = Ledger::open(&file).unwrap();
        ledger.append("finished", &serde_json::json!({})).unwrap();
        assert_eq!(ledger.events().unwrap().len(), 5);
        assert_eq!(ledger.verify().unwrap(), None);
        ledger.connection.execute("UPDATE events SET body = '{\"n\":9}' WHERE seq = 3", []).unwrap();
        assert_eq!(ledger.verify().unwrap(), Some(3));
    }
}
