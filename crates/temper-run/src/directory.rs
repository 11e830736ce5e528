//! A run's directory: created, found again, locked while in use.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use temper_recipe::Recipe;

use crate::error::RunError;
use crate::summary::{RunSummary, SUMMARY_FILE};

/// The resolved recipe of a run, in its directory.
pub const RECIPE_FILE: &str = "recipe.yaml";
const IDENTITY_FILE: &str = "run.json";
/// Held while a process works in the directory.
const LOCK: &str = ".lock";

/// What a run's directory says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the recipe.
    pub name: String,
    /// Digest of the resolved recipe.
    pub recipe_digest: String,
    /// When the run began, RFC 3339.
    pub started: String,
}

/// The directory of one run, locked against a second process for as long as this value lives.
#[derive(Debug)]
pub struct RunDir {
    /// The directory.
    pub path: PathBuf,
    /// Who it belongs to.
    pub identity: Identity,
    _lock: File,
}

/// Where a run's directory comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A new one: the given directory, or `<out>/<name>/<time>-<seed>`.
    New(Option<PathBuf>),
    /// An existing one: the given directory, or the newest unfinished run of the recipe.
    Resume(Option<PathBuf>),
}

impl RunDir {
    /// Creates or finds the directory of a run of `recipe`.
    ///
    /// # Errors
    /// The directory already holds a run or other files; there is nothing to resume; it belongs to another recipe; another
    /// process is using it.
    pub fn open(recipe: &Recipe, place: &Place) -> Result<Self, RunError> {
        match place {
            Place::New(Some(path)) => Self::create(recipe, path.clone()),
            Place::New(None) => {
                let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
                let folder = Path::new(&recipe.out).join(&recipe.name);
                let mut path = folder.join(format!("{time}-{}", recipe.seed));
                for n in 2.. {
                    if !path.exists() {
                        break;
                    }
                    path = folder.join(format!("{time}-{}.{n}", recipe.seed));
                }
                Self::create(recipe, path)
            }
            Place::Resume(Some(path)) => Self::reopen(recipe, path.clone()),
            Place::Resume(None) => Self::reopen(recipe, newest_unfinished(recipe)?),
        }
    }

    fn create(recipe: &Recipe, path: PathBuf) -> Result<Self, RunError> {
        if let Some(identity) = read_identity(&path)? {
            return Err(RunError::Occupied(format!(
                "{} already holds the run `{}` begun {}. Continue it with --resume={}, or choose another directory with --out",
                path.display(),
                identity.name,
                identity.started,
                path.display()
            )));
        }
        if !begun_only(&path) {
            return Err(RunError::Occupied(format!(
                "{} is not empty and holds no run of Temper. Choose another directory with --out; nothing was written",
                path.display()
            )));
        }
        fs::create_dir_all(&path).map_err(|e| RunError::io(&path, e))?;
        let lock = lock(&path)?;
        let identity = Identity {
            name: recipe.name.clone(),
            recipe_digest: recipe.digest(),
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        write(&path.join(RECIPE_FILE), recipe.to_yaml().as_bytes())?;
        write(&path.join(IDENTITY_FILE), &serde_json::to_vec_pretty(&identity).map_err(RunError::json)?)?;
        Ok(Self { path, identity, _lock: lock })
    }

    fn reopen(recipe: &Recipe, path: PathBuf) -> Result<Self, RunError> {
        let identity = read_identity(&path)?.ok_or_else(|| {
            RunError::Other(format!(
                "{} holds no run that could be resumed ({IDENTITY_FILE} is missing). Check the path, or start a run without --resume",
                path.display()
            ))
        })?;
        if identity.recipe_digest != recipe.digest() {
            return Err(RunError::Other(format!(
                "{} was begun with another recipe (digest {} there, {} here). Resume it with its own: temper run {} --resume={}",
                path.display(),
                &identity.recipe_digest[..identity.recipe_digest.len().min(12)],
                &recipe.digest()[..12],
                path.join(RECIPE_FILE).display(),
                path.display()
            )));
        }
        let lock = lock(&path)?;
        Ok(Self { path, identity, _lock: lock })
    }

    /// A file or folder inside, by its relative path.
    pub fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path.join(relative)
    }
}

/// Whether a directory holds nothing, or only what a run leaves that was killed before its identity was written.
fn begun_only(path: &Path) -> bool {
    let ours = |name: &str| name == LOCK || [RECIPE_FILE, IDENTITY_FILE].iter().any(|file| name.starts_with(file));
    let Ok(entries) = fs::read_dir(path) else { return true };
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.is_empty() || (names.iter().any(|name| name == LOCK) && names.iter().all(|name| ours(name)))
}

fn read_identity(path: &Path) -> Result<Option<Identity>, RunError> {
    let file = path.join(IDENTITY_FILE);
    match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            RunError::Other(format!(
                "{} is damaged: {e}. Restore it, or start a new run in another directory",
                file.display()
            ))
        }),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(RunError::io(&file, e)),
    }
}

fn newest_unfinished(recipe: &Recipe) -> Result<PathBuf, RunError> {
    let folder = Path::new(&recipe.out).join(&recipe.name);
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = matches!(read_identity(&path), Ok(Some(id)) if id.recipe_digest == recipe.digest());
        let finished =
            path.join(SUMMARY_FILE).exists() && RunSummary::read(&path).is_ok_and(|summary| summary.finished.is_some());
        if ours && !finished {
            found.push(path);
        }
    }
    found.sort();
    found.pop().ok_or_else(|| {
        RunError::Other(format!(
            "{} holds no unfinished run of this recipe (same keys, same seed). Name one with --resume=DIR, or start a run without --resume",
            folder.display()
        ))
    })
}

fn lock(path: &Path) -> Result<File, RunError> {
    let file = path.join(LOCK);
    let lock = File::create(&file).map_err(|e| RunError::io(&file, e))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(RunError::Occupied(format!(
            "{} is in use by another process of Temper. Wait for it, or choose another directory with --out",
            path.display()
        ))),
        Err(TryLockError::Error(e)) => Err(RunError::io(&file, e)),
    }
}

/// Writes a file beside its place and renames it.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), RunError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|e| RunError::io(folder, e))?;
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes).map_err(|e| RunError::io(&beside, e))?;
    fs::rename(&beside, file).map_err(|e| RunError::io(file, e))
}

/// SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(out: &Path) -> Recipe {
        Recipe { name: "r".into(), out: out.display().to_string(), ..Recipe::default() }
    }

    #[test]
    fn a_directory_is_made_once_and_found_again() {
        let out = tempfile::tempdir().unwrap();
        let recipe = recipe(out.path());
        let first = RunDir::open(&recipe, &Place::New(None)).unwrap();
        let path = first.path.clone();
        let again = RunDir::open(&recipe, &Place::New(Some(path.clone()))).unwrap_err().to_string();
        assert!(again.contains("already holds the run `r`") && again.contains("--resume="), "{again}");
        let busy = RunDir::open(&recipe, &Place::Resume(None)).unwrap_err().to_string();
        assert!(busy.contains("another process"), "{busy}");
        drop(first);
        assert_eq!(RunDir::open(&recipe, &Place::Resume(None)).unwrap().path, path);
        let other = Recipe { seed: 5, ..recipe.clone() };
        let error = RunDir::open(&other, &Place::Resume(Some(path))).unwrap_err().to_string();
        assert!(error.contains("another recipe"), "{error}");
    }

    #[test]
    fn a_run_killed_in_its_first_moment_may_be_begun_again() {
        let out = tempfile::tempdir().unwrap();
        let place = Place::New(Some(out.path().to_owned()));
        for name in [LOCK, "recipe.yaml", "run.json.tmp"] {
            fs::write(out.path().join(name), "half").unwrap();
        }
        drop(RunDir::open(&recipe(out.path()), &place).unwrap());
        fs::remove_file(out.path().join(IDENTITY_FILE)).unwrap();
        fs::write(out.path().join("thesis.tex"), "x").unwrap();
        assert!(RunDir::open(&recipe(out.path()), &place).is_err());
    }

    #[test]
    fn foreign_files_are_left_alone() {
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join("thesis.tex"), "x").unwrap();
        let error = RunDir::open(&recipe(out.path()), &Place::New(Some(out.path().to_owned()))).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
        let error = RunDir::open(&recipe(out.path()), &Place::Resume(Some(out.path().to_owned()))).unwrap_err();
        assert!(error.to_string().contains("no run"), "{error}");
    }
}
