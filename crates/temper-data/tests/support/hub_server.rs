//! A small server that answers as the Hugging Face Hub does: lists of files, metadata by HEAD, contents by GET with ranges, and
//! large files at another address, which refuses a token. It can be told to fail.

#![allow(clippy::unwrap_used, dead_code, reason = "tests")]

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Files from this size on are redirected, as Git LFS files are.
pub const LARGE: usize = 2000;
pub const TOKEN: &str = "hf_test_token";

#[derive(Clone)]
pub struct Repo {
    pub files: BTreeMap<String, Vec<u8>>,
    /// 401 without the token, with `RepoNotFound`.
    pub private: bool,
    /// 401 without the token and 403 with another, with `GatedRepo`.
    pub gated: bool,
    /// Further revisions: their names and files.
    pub revisions: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The body ends after so many bytes.
    Break(usize),
    /// One byte is another.
    Corrupt,
    /// This status.
    Status(u16),
    /// Ranges are not understood.
    Whole,
    /// The ETag and where it leads are missing.
    NoEtag,
}

#[derive(Clone, Debug)]
pub struct Request {
    /// `hub` or `large`.
    pub at: &'static str,
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    pub range: Option<String>,
}

#[derive(Default)]
struct State {
    /// By `datasets/ORG/NAME` and `models/ORG/NAME`.
    repos: BTreeMap<String, Repo>,
    /// Old names and new ones.
    renamed: BTreeMap<String, String>,
    blobs: BTreeMap<String, Vec<u8>>,
    faults: Vec<(String, usize, Fault)>,
    log: Vec<Request>,
}

pub struct Server {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

pub fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

pub fn commit(files: &BTreeMap<String, Vec<u8>>) -> String {
    let all: Vec<u8> = files.iter().flat_map(|(n, b)| [n.as_bytes(), b"\0", b, b"\0"].concat()).collect();
    sha(&all)[..40].to_owned()
}

pub fn files(of: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    of.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect()
}

impl Server {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let large = TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", hub.local_addr().unwrap());
        let elsewhere = format!("http://{}", large.local_addr().unwrap());
        for (at, listener) in [("hub", hub), ("large", large)] {
            let (state, elsewhere) = (state.clone(), elsewhere.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (state, elsewhere) = (state.clone(), elsewhere.clone());
                    std::thread::spawn(move || answer(&mut stream.unwrap(), at, &elsewhere, &state));
                }
            });
        }
        Self { endpoint, state }
    }

    pub fn add(&self, name: &str, of: &[(&str, &[u8])]) -> String {
        let repo = Repo { files: files(of), private: false, gated: false, revisions: BTreeMap::new() };
        self.put(name, repo)
    }

    pub fn put(&self, name: &str, repo: Repo) -> String {
        let sha = commit(&repo.files);
        self.state.lock().unwrap().repos.insert(name.to_owned(), repo);
        sha
    }

    /// Asked for by the old name, a repository answers under the new one.
    pub fn rename(&self, old: &str, new: &str) {
        self.state.lock().unwrap().renamed.insert(old.to_owned(), new.to_owned());
    }

    /// The next `times` requests whose path contains `path` fail.
    pub fn fail(&self, path: &str, times: usize, fault: Fault) {
        self.state.lock().unwrap().faults.push((path.to_owned(), times, fault));
    }

    pub fn log(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

fn answer(stream: &mut TcpStream, at: &'static str, elsewhere: &str, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length: u64 = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
    let path = decoded(target.split('?').next()?);
    let token = headers.get("authorization").map(|a| a.trim_start_matches("Bearer ").to_owned());
    let range = headers.get("range").cloned();
    let mut state = state.lock().unwrap();
    state.log.push(Request {
        at,
        method: method.clone(),
        path: path.clone(),
        token: token.clone(),
        range: range.clone(),
    });
    let fault = state.faults.iter_mut().find(|(of, times, fault)| {
        let on_body = matches!(fault, Fault::Break(_) | Fault::Corrupt | Fault::Whole);
        path.contains(of.as_str()) && *times > 0 && !(on_body && method == "HEAD")
    });
    let fault = fault.map(|(_, times, fault)| {
        *times -= 1;
        fault.clone()
    });
    let mut reply = match &fault {
        Some(Fault::Status(status)) => Reply::new(*status, b"{\"error\": \"injected\"}".to_vec()),
        _ if at == "large" => large(&state, &path, token.is_some()),
        _ => hub(&mut state, &path, token.as_deref(), elsewhere),
    };
    drop(state);
    if fault == Some(Fault::NoEtag) {
        reply.headers.retain(|(name, _)| !name.to_ascii_lowercase().contains("etag"));
    }
    let whole = reply.body.len();
    let begin = range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.split('-').next()?.parse::<usize>().ok());
    if let (200, Some(begin), false) = (reply.status, begin, fault == Some(Fault::Whole)) {
        if begin >= whole {
            reply = Reply::new(416, Vec::new());
        } else {
            reply.status = 206;
            reply.headers.push(("Content-Range".into(), format!("bytes {begin}-{}/{whole}", whole - 1)));
            reply.body.drain(..begin);
        }
    }
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", reply.body.len()));
    stream.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        match fault {
            Some(Fault::Break(after)) => reply.body.truncate(after),
            Some(Fault::Corrupt) => reply.body[0] ^= 1,
            _ => {}
        }
        stream.write_all(&reply.body).ok()?;
    }
    stream.flush().ok()
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("Accept-Ranges".into(), "bytes".into())], body }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, format!("{{\"error\": \"{message}\"}}").into_bytes())
            .with("X-Error-Code", code)
            .with("X-Error-Message", message)
            .with("Content-Type", "application/json")
    }
}

fn large(state: &State, path: &str, token: bool) -> Reply {
    // As storage with signed addresses does.
    if token {
        return Reply::new(400, b"only one way to authenticate".to_vec());
    }
    match path.strip_prefix("/large/").and_then(|name| state.blobs.get(name)) {
        Some(bytes) => Reply::new(200, bytes.clone()).with("ETag", format!("\"{}-1\"", &sha(bytes)[..32])),
        None => Reply::new(404, Vec::new()),
    }
}

fn hub(state: &mut State, path: &str, token: Option<&str>, elsewhere: &str) -> Reply {
    let api = path.strip_prefix("/api/");
    let tree = api.and_then(|rest| rest.split_once("/tree/"));
    let listing = api.and_then(|rest| rest.split_once("/revision/")).or(tree);
    let (name, rest) = match (listing, path.split_once("/resolve/")) {
        (Some((name, revision)), _) => (name.to_owned(), revision.to_owned()),
        (None, Some((name, rest))) => {
            let name = name.trim_start_matches('/');
            let kind = if name.starts_with("datasets/") { "" } else { "models/" };
            (format!("{kind}{name}"), rest.to_owned())
        }
        _ => return Reply::error(404, "", "no such page"),
    };
    if let Some(new) = state.renamed.get(&name) {
        let location = path.replace(name.trim_start_matches("models/"), new.trim_start_matches("models/"));
        return Reply::new(307, Vec::new()).with("Location", location.replace(' ', "%20"));
    }
    let Some(repo) = state.repos.get(&name).cloned() else {
        // The Hub does not tell who asks without a token what is there.
        let status = if token.is_none() { 401 } else { 404 };
        return Reply::error(status, "RepoNotFound", "Repository not found");
    };
    let known = token == Some(TOKEN);
    if repo.private && !known {
        return Reply::error(401, "RepoNotFound", "Repository not found");
    }
    if repo.gated && !known && listing.is_none() {
        return Reply::error(if token.is_none() { 401 } else { 403 }, "GatedRepo", "Access to it is restricted");
    }
    let mut revisions = repo.revisions.clone();
    revisions.insert("main".into(), repo.files.clone());
    let by_name = |revision: &str| {
        let found = revisions.iter().find(|(name, files)| *name == revision || commit(files) == revision);
        found.map(|(_, files)| files.clone())
    };
    if listing.is_some() {
        let Some(files) = by_name(&rest) else {
            return Reply::error(404, "RevisionNotFound", "Invalid rev id");
        };
        if tree.is_some() {
            let entry = |(path, bytes): (&String, &Vec<u8>)| {
                let digest = sha(bytes);
                let mut entry =
                    serde_json::json!({"type": "file", "oid": digest[..40], "size": bytes.len(), "path": path});
                if bytes.len() >= LARGE {
                    entry["lfs"] = serde_json::json!({"oid": digest, "size": bytes.len(), "pointerSize": 129});
                }
                entry
            };
            let entries: Vec<_> = files.iter().map(entry).collect();
            return Reply::new(200, serde_json::json!(entries).to_string().into_bytes())
                .with("Content-Type", "application/json");
        }
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        let id = name.split_once('/').unwrap().1;
        let info = serde_json::json!({
            "_id": "0", "id": id, "sha": commit(&files), "private": repo.private, "gated": repo.gated, "disabled": false,
            "tags": [], "downloads": 0, "likes": 0, "siblings": siblings,
        });
        return Reply::new(200, info.to_string().into_bytes()).with("Content-Type", "application/json");
    }
    let names: Vec<String> = revisions.iter().flat_map(|(n, f)| [n.clone(), commit(f)]).collect();
    let Some(revision) = names.iter().find(|n| rest.starts_with(&format!("{n}/"))) else {
        return Reply::error(404, "RevisionNotFound", "Invalid rev id");
    };
    let files = by_name(revision).unwrap();
    let Some(bytes) = files.get(&rest[revision.len() + 1..]) else {
        return Reply::error(404, "EntryNotFound", "Entry not found").with("X-Repo-Commit", commit(&files));
    };
    let digest = sha(bytes);
    let reply = |status, body| Reply::new(status, body).with("X-Repo-Commit", commit(&files));
    if bytes.len() < LARGE {
        return reply(200, bytes.clone()).with("ETag", format!("\"{}\"", &digest[..40]));
    }
    state.blobs.insert(digest.clone(), bytes.clone());
    reply(302, b"Found".to_vec())
        .with("ETag", "\"0123456789012345678901234567890123456789\"")
        .with("X-Linked-Size", bytes.len().to_string())
        .with("X-Linked-Etag", format!("\"{digest}\""))
        .with("Location", format!("{elsewhere}/large/{digest}?signature=abc"))
}

fn decoded(path: &str) -> String {
    let mut out = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap()
}
