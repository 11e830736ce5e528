//! The cache on disk, in the layout of Python's `huggingface_hub`, so that each uses what the other fetched:
//!
//! ```text
//! <cache>/datasets--ORG--NAME/refs/main                  the commit that a branch or tag stood for last
//! <cache>/datasets--ORG--NAME/snapshots/<commit>/<path>  links to
//! <cache>/datasets--ORG--NAME/blobs/<etag>               the contents
//! <cache>/.locks/datasets--ORG--NAME/<etag>.lock         held by the one that writes a blob
//! ```
//!
//! Beside them: `blobs/<etag>.part`, a download that has not ended, and `.temper/<commit>.json`, the names of all files of a
//! commit, by which a part of a data set that was never fetched is noticed offline.

use super::http::{self, Client, Failure};
use super::{Download, Hub, explain};
use crate::DataError;
use crate::error::Place;
use hf_hub::{Cache, Repo, RepoType};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use temper_recipe::{HubKind, HubPath};

/// A repository at one commit.
pub(crate) struct Repository<'a> {
    hub: &'a Hub,
    client: Client<'a>,
    path: &'a HubPath,
    shown: String,
    folder: PathBuf,
    snapshot: PathBuf,
    /// The commit.
    pub sha: String,
    /// All files, in the order of their names.
    pub files: Vec<String>,
    /// `files` are those that happen to be in the cache; there may be more.
    pub partly_known: bool,
}

impl<'a> Repository<'a> {
    /// Finds the commit that the path's revision stands for, and its files.
    pub fn open(hub: &'a Hub, path: &'a HubPath) -> Result<Self, DataError> {
        let kind = match path.kind {
            HubKind::Model => RepoType::Model,
            HubKind::Dataset => RepoType::Dataset,
        };
        let revision = path.revision.clone().unwrap_or_else(|| "main".into());
        let repo = Repo::with_revision(path.repository.clone(), kind, revision.clone());
        let folder = hub.cache.join(repo.folder_name());
        let mut repository = Self {
            client: Client::new(hub),
            hub,
            path,
            shown: path.to_string(),
            snapshot: PathBuf::new(),
            sha: String::new(),
            files: Vec::new(),
            partly_known: false,
            folder,
        };
        let reference = repository.folder.join("refs").join(&revision);
        let known = if is_commit(&revision) { Some(revision.clone()) } else { fs::read_to_string(&reference).ok() };
        let known = known.map(|sha| sha.trim().to_owned()).filter(|sha| is_commit(sha));
        match known {
            // A commit does not change, so its list of files need not be asked for again.
            Some(sha) if hub.offline || (is_commit(&revision) && repository.list(&sha).is_file()) => {
                repository.files = repository.listed(&sha);
                repository.sha = sha;
            }
            _ if hub.offline => {
                return Err(repository.error(
                    format!("the {} at `{revision}` is not in the cache ({})", path.kind, hub.cache.display()),
                    OFFLINE,
                ));
            }
            _ => repository.ask(&revision)?,
        }
        repository.snapshot = Cache::new(hub.cache.clone()).repo(repo).pointer_path(&repository.sha);
        if repository.files.is_empty() && hub.offline {
            repository.files = walk(&repository.snapshot);
            repository.partly_known = true;
        }
        if !hub.offline && !is_commit(&revision) {
            repository.write(&reference, repository.sha.as_bytes())?;
        }
        if repository.files.is_empty() {
            let (what, remedy) = match hub.offline {
                true => ("none of its files is in the cache", OFFLINE),
                false => ("the repository is empty", "Check the name and the revision"),
            };
            return Err(repository.error(what, remedy));
        }
        Ok(repository)
    }

    /// Asks the Hub for the commit and the names of its files, and keeps the names.
    fn ask(&mut self, revision: &str) -> Result<(), DataError> {
        let Hub { endpoint, .. } = self.hub;
        let revision = http::escaped(revision).replace('/', "%2F");
        let url = |kind| format!("{endpoint}/api/{}/{}/revision/{revision}", api(kind), self.path.repository);
        let text = self.client.text(&url(self.path.kind)).map_err(|failure| {
            // Is it there as the other kind? Only asked when it may be.
            let refused = matches!(failure, Failure::Status { status: 401 | 404, .. });
            let other = refused && self.client.text(&url(self.path.kind.other())).is_ok();
            explain::listing(self.hub, self.path, &failure, other)
        })?;
        let strange = |what: &str| {
            self.error(
                format!("{endpoint} answered {what}, not what the Hub says about a {}", self.path.kind),
                "Check HF_ENDPOINT, and whether a proxy stands between",
            )
        };
        let info: Value = serde_json::from_str(&text).map_err(|_| strange("something other than JSON"))?;
        let sha = info.get("sha").and_then(Value::as_str).filter(|sha| is_commit(sha));
        let sha = sha.ok_or_else(|| strange("without a commit"))?.to_owned();
        let siblings =
            info.get("siblings").and_then(Value::as_array).ok_or_else(|| strange("without a list of files"))?;
        let mut files = Vec::with_capacity(siblings.len());
        for sibling in siblings {
            let name =
                sibling.get("rfilename").and_then(Value::as_str).ok_or_else(|| strange("a file without a name"))?;
            // A name becomes a path in the cache.
            if !is_sound(name) {
                return Err(strange(&format!("the unsound file name `{name}`")));
            }
            files.push(name.to_owned());
        }
        files.sort();
        (self.sha, self.files) = (sha, files);
        let json = serde_json::to_vec(&self.files).unwrap_or_default();
        self.write(&self.list(&self.sha), &json)
    }

    /// The names of a commit's files, as this cache or Python's (`trees/<commit>.json`) has them; none where neither does.
    fn listed(&self, sha: &str) -> Vec<String> {
        let own = fs::read(self.list(sha)).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let pythons = || {
            let json = fs::read(self.folder.join("trees").join(format!("{sha}.json"))).ok()?;
            let tree: Value = serde_json::from_slice(&json).ok()?;
            Some(tree.get("files")?.as_object()?.keys().cloned().collect::<Vec<_>>())
        };
        let mut files: Vec<String> = own.or_else(pythons).unwrap_or_default();
        files.retain(|name| is_sound(name));
        files.sort();
        files
    }

    fn list(&self, sha: &str) -> PathBuf {
        self.folder.join(".temper").join(format!("{sha}.json"))
    }

    /// An error about the repository.
    pub fn error(&self, what: impl Into<String>, remedy: impl Into<String>) -> DataError {
        Place::file(&self.shown).error(what, remedy)
    }

    /// The folder that the files of this commit lie in.
    pub fn snapshot(&self) -> &Path {
        &self.snapshot
    }

    /// A file of the repository on this machine; fetched unless it is there already.
    pub fn fetch(&self, file: &str) -> Result<PathBuf, DataError> {
        let link = self.snapshot.join(file);
        if link.is_file() {
            return Ok(link);
        }
        if self.hub.offline {
            let what = format!("`{file}` is not in the cache ({})", self.hub.cache.display());
            return Err(self.error(what, OFFLINE));
        }
        let prefix = match self.path.kind {
            HubKind::Model => "",
            HubKind::Dataset => "datasets/",
        };
        let Hub { endpoint, .. } = self.hub;
        let url = format!("{endpoint}/{prefix}{}/resolve/{}/{}", self.path.repository, self.sha, http::escaped(file));
        let head = self.client.head(&url).map_err(|f| explain::file(self.hub, self.path, file, &f))?;
        let blob = self.folder.join("blobs").join(&head.etag);
        let complete = || fs::metadata(&blob).is_ok_and(|found| head.size.is_none_or(|size| found.len() == size));
        if !complete() {
            let _lock = self.lock(&head.etag)?;
            // Another process may have fetched it while this one waited.
            if !complete() {
                self.download(&url, file, &head, &blob)?;
            }
        }
        self.link(&blob, &link)?;
        Ok(link)
    }

    /// Fetches a blob: into a `.part` file, on from where an earlier download ended; checked before it gets its name.
    fn download(&self, url: &str, file: &str, head: &http::Head, blob: &Path) -> Result<(), DataError> {
        let part = blob.with_file_name(format!("{}.part", head.etag));
        make_folder(blob).map_err(|e| self.disk(blob, e))?;
        let (mut tries, mut restarted) = (0, false);
        loop {
            let before = fs::metadata(&part).map_or(0, |m| m.len());
            let before = if head.size.is_some_and(|size| before > size) { 0 } else { before };
            let whole = match self.receive(url, file, head, &part, before) {
                Ok(whole) => whole,
                Err(Stop::Error(error)) => return Err(*error),
                Err(Stop::Broken(failure)) => {
                    // New bytes are a reason to go on.
                    let gained = fs::metadata(&part).map_or(0, |m| m.len()) > before;
                    tries = if gained { 1 } else { tries + 1 };
                    if tries >= http::TRIES {
                        return Err(explain::file(self.hub, self.path, file, &failure));
                    }
                    std::thread::sleep(http::pause(tries));
                    continue;
                }
            };
            let found = fs::metadata(&part).map_err(|e| self.disk(&part, e))?.len();
            let problem = match whole {
                Some(whole) if whole != found => Some(format!("{found} bytes arrived of {whole}")),
                // Large files are named by their SHA-256.
                _ if head.etag.len() == 64 && is_hex(&head.etag) => {
                    let digest = digest(&part).map_err(|e| self.disk(&part, e))?;
                    (digest != head.etag).then(|| format!("its SHA-256 is {digest}, expected {}", head.etag))
                }
                _ => None,
            };
            let Some(problem) = problem else { break };
            let _ = fs::remove_file(&part);
            if restarted {
                return Err(self.error(
                    format!("`{file}` arrived damaged, twice: {problem}"),
                    "Nothing of it was kept. Try again; if it happens again, a proxy or mirror changes the file",
                ));
            }
            restarted = true;
        }
        fs::rename(&part, blob).map_err(|e| self.disk(blob, e))
    }

    /// Appends what arrives to the part; the whole length, where it is known.
    fn receive(&self, url: &str, file: &str, head: &http::Head, part: &Path, start: u64) -> Result<Option<u64>, Stop> {
        let disk = |e| Stop::Error(Box::new(self.disk(part, e)));
        if head.size == Some(start) && start > 0 {
            return Ok(head.size);
        }
        let (mut body, begin, whole) = match self.client.content(url, start) {
            Ok(answer) => answer,
            // The part is not a beginning of this file: begin anew.
            Err(Failure::Status { status: 416, .. }) if start > 0 => {
                fs::remove_file(part).map_err(disk)?;
                return self.receive(url, file, head, part, 0);
            }
            Err(failure) if failure.passes() => return Err(Stop::Broken(failure)),
            Err(failure) => {
                return Err(Stop::Error(Box::new(explain::file(self.hub, self.path, file, &failure))));
            }
        };
        if begin != 0 && begin != start {
            let failure = Failure::Strange(format!("it sent the bytes from {begin} on, not those from {start} on"));
            return Err(Stop::Error(Box::new(explain::file(self.hub, self.path, file, &failure))));
        }
        let mut out = OpenOptions::new().create(true).truncate(false).write(true).open(part).map_err(disk)?;
        out.set_len(begin).and_then(|()| io::Seek::seek(&mut out, io::SeekFrom::Start(begin))).map_err(disk)?;
        let whole = head.size.or(whole);
        let mut done = begin;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let report = Download { repository: &self.shown, file, done, whole };
            if (self.hub.report)(&report).is_break() {
                return Err(Stop::Error(Box::new(self.error(
                    format!("interrupted while `{file}` was downloaded"),
                    "What has arrived is kept; the same command goes on from there",
                ))));
            }
            let read = match body.read(&mut buffer) {
                Ok(0) if whole.is_some_and(|whole| done < whole) => {
                    let what = format!("the connection ended after {done} of {} bytes", whole.unwrap_or_default());
                    return Err(Stop::Broken(Failure::Connection { what, passing: true }));
                }
                Ok(0) => return out.sync_all().map_err(disk).map(|()| whole),
                Ok(read) => read,
                Err(e) => return Err(Stop::Broken(Failure::Connection { what: e.to_string(), passing: true })),
            };
            out.write_all(&buffer[..read]).map_err(disk)?;
            done += read as u64;
        }
    }

    /// Waits until no other process writes this blob.
    fn lock(&self, etag: &str) -> Result<File, DataError> {
        let name = self.folder.file_name().unwrap_or_default();
        let path = self.hub.cache.join(".locks").join(name).join(format!("{etag}.lock"));
        make_folder(&path).map_err(|e| self.disk(&path, e))?;
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = open().map_err(|e| self.disk(&path, e))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(200)),
                // A file system without locks: parts of two processes may then mix, which the check finds.
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => return Ok(lock),
                Err(TryLockError::Error(e)) => return Err(self.disk(&path, e)),
            }
        }
    }

    /// Makes the name in the snapshot that stands for a blob.
    fn link(&self, blob: &Path, link: &Path) -> Result<(), DataError> {
        make_folder(link).map_err(|e| self.disk(link, e))?;
        let depth = link.strip_prefix(&self.folder).map_or(0, |below| below.components().count() - 1);
        let mut target = PathBuf::from_iter(std::iter::repeat_n("..", depth));
        target.push("blobs");
        target.push(blob.file_name().unwrap_or_default());
        let beside = beside(link);
        let _ = fs::remove_file(&beside);
        symlink(&target, blob, &beside).and_then(|()| fs::rename(&beside, link)).map_err(|e| self.disk(link, e))
    }

    /// Writes a small file beside and renames it.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), DataError> {
        if fs::read(path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        let beside = beside(path);
        let write = || {
            make_folder(path)?;
            fs::write(&beside, bytes)?;
            fs::rename(&beside, path)
        };
        write().map_err(|e| self.disk(path, e))
    }

    fn disk(&self, path: &Path, error: io::Error) -> DataError {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "Free some space, or set HF_HOME to a folder on another disk; what has arrived is kept"
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "Check its rights, or set HF_HOME to a folder of your own"
            }
            _ => "Check the disk, or set HF_HOME to another folder",
        };
        self.error(format!("the cache file {} cannot be written: {error}", path.display()), remedy)
    }
}

/// Why a download does not go on as it is.
enum Stop {
    /// For good.
    Error(Box<DataError>),
    /// The connection; another one may do.
    Broken(Failure),
}

const OFFLINE: &str = "HF_HUB_OFFLINE is set: unset it to download, or run once with a connection";

/// The part of an address of the Hub's API.
fn api(kind: HubKind) -> &'static str {
    match kind {
        HubKind::Model => "models",
        HubKind::Dataset => "datasets",
    }
}

/// Whether a file's name stays where it is put.
fn is_sound(name: &str) -> bool {
    !name.contains('\\') && !name.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn make_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A name of this process's own in the same folder.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

#[cfg(unix)]
fn symlink(target: &Path, _blob: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Where links need rights that users do not have, the blob itself gets the name, as with `huggingface_hub`.
#[cfg(not(unix))]
fn symlink(_target: &Path, blob: &Path, link: &Path) -> io::Result<()> {
    fs::rename(blob, link)
}

/// The files below a folder, in the order of their names.
fn walk(folder: &Path) -> Vec<String> {
    fn into(folder: &Path, prefix: &str, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let path = entry.path();
            if path.is_dir() {
                into(&path, &format!("{name}/"), files);
            } else if path.is_file() && !name.ends_with(".tmp") {
                files.push(name);
            }
        }
    }
    let mut files = Vec::new();
    into(folder, "", &mut files);
    files.sort();
    files
}
