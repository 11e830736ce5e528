//! Replies kept in a file, so that what was answered once is not asked again.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{EndpointError, Finish, Input, Reply, Request, ServerIdentity};

/// One SQLite file. Several processes may use it at once.
pub(crate) struct Cache {
    file: PathBuf,
    connection: Mutex<Connection>,
}

impl Cache {
    pub(crate) fn open(file: &Path) -> Result<Self, EndpointError> {
        let failed = |what: String| EndpointError::Cache { file: file.to_owned(), what };
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let open = || {
            let connection = Connection::open(file)?;
            connection.busy_timeout(Duration::from_secs(60))?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID;",
            )?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| failed(error.to_string()))?;
        Ok(Cache { file: file.to_owned(), connection: Mutex::new(connection) })
    }

    fn failed(&self, what: impl ToString) -> EndpointError {
        EndpointError::Cache { file: self.file.clone(), what: what.to_string() }
    }

    /// The reply kept under a key. Where it is known what the server calls its weights now, a reply of others is none.
    pub(crate) fn get(&self, key: &[u8], fingerprint: Option<&str>) -> Result<Option<Reply>, EndpointError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let text: Option<String> = connection
            .prepare_cached("SELECT reply FROM replies WHERE key = ?1")
            .and_then(|mut query| query.query_row(params![key], |row| row.get(0)).optional())
            .map_err(|error| self.failed(error))?;
        let Some(text) = text else { return Ok(None) };
        let reply: Reply = serde_json::from_str(&text).map_err(|error| self.failed(error))?;
        let other = matches!((fingerprint, reply.fingerprint.as_deref()), (Some(now), Some(then)) if now != then);
        Ok((!other).then_some(reply))
    }

    /// Keeps a reply, unless a filter cut it: that is the server's policy of the day and not the model's answer.
    pub(crate) fn put(&self, key: &[u8], reply: &Reply) -> Result<(), EndpointError> {
        if reply.finish == Finish::ContentFilter {
            return Ok(());
        }
        let text = serde_json::to_string(reply).map_err(|error| self.failed(error))?;
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .prepare_cached("INSERT OR REPLACE INTO replies (key, reply) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![key, text]))
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}

/// SHA-256 of everything that a reply follows from, as far as it is known: the model's name and what the server's list says of
/// it, the kind of request, its whole body, and which of several answers to it this is. The server's address is no part of it.
pub(crate) fn key(identity: &ServerIdentity, request: &Request, body: &Value) -> Vec<u8> {
    let kind = match request.input {
        Input::Messages(_) => "chat",
        Input::Prompt(_) => "text",
    };
    let listed = identity.listed.as_ref().and_then(|listed| serde_json::to_string(listed).ok()).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in ["1", identity.model.as_str(), &listed, kind, &body.to_string(), &request.repeat.to_string()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply(finish: Finish, fingerprint: Option<&str>) -> Reply {
        Reply {
            text: "t".into(),
            reasoning: Some("r".into()),
            finish,
            prompt_tokens: Some(1),
            completion_tokens: None,
            logprobs: Vec::new(),
            fingerprint: fingerprint.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_kept_is_found_by_another_process_unless_weights_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sub/replies.sqlite");
        let (a, b) = (Cache::open(&file).unwrap(), Cache::open(&file).unwrap());
        a.put(b"k", &reply(Finish::Stop, Some("w1"))).unwrap();
        assert_eq!(b.get(b"k", None).unwrap(), Some(reply(Finish::Stop, Some("w1"))));
        assert!(b.get(b"k", Some("w1")).unwrap().is_some() && b.get(b"k", Some("w2")).unwrap().is_none());
        a.put(b"filtered", &reply(Finish::ContentFilter, None)).unwrap();
        assert_eq!(b.get(b"filtered", None).unwrap(), None);
        std::fs::write(
            folder.path().join("text"),
            "this is no database, but long enough to be taken for one".repeat(9),
        )
        .unwrap();
        let message = Cache::open(&folder.path().join("text")).err().unwrap().to_string();
        assert!(message.contains("text: the kept replies cannot be used"), "{message}");
    }

    #[test]
    fn the_key_holds_everything_that_the_reply_follows_from() {
        let identity = ServerIdentity { host: "h".into(), model: "m".into(), listed: None, served: Vec::new() };
        let request = Request::greedy(Input::Prompt("p".into()), 5);
        let body = json!({"prompt": "p"});
        let plain = key(&identity, &request, &body);
        assert_eq!(plain, key(&ServerIdentity { host: "other".into(), ..identity.clone() }, &request, &body));
        let listed = Some(crate::ServedModel { id: "m".into(), about: Default::default() });
        let others = [
            key(&ServerIdentity { model: "n".into(), ..identity.clone() }, &request, &body),
            key(&ServerIdentity { listed, ..identity.clone() }, &request, &body),
            key(&identity, &Request { repeat: 1, ..request.clone() }, &body),
            key(&identity, &Request { input: Input::Messages(Vec::new()), ..request.clone() }, &body),
            key(&identity, &request, &json!({"prompt": "p", "seed": 1})),
        ];
        assert!(others.iter().all(|other| *other != plain));
    }
}
