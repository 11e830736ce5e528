//! Data sets and models on the Hugging Face Hub, fetched into the cache that Python's `huggingface_hub` uses.
//!
//! [`dataset_files`] and [`model_dir`] follow the environment as Python does: `HF_ENDPOINT`; `HF_TOKEN` or
//! `HUGGING_FACE_HUB_TOKEN`, else the file that `hf auth login` writes; `HF_HUB_CACHE`, `HF_HOME` or `XDG_CACHE_HOME`;
//! `HF_HUB_OFFLINE`. A [`Hub`] says the same explicitly.
//!
//! What is in the cache is not fetched again. A download that broke goes on from where it ended; a file gets its name in the
//! cache once its length, and its SHA-256 where the Hub gives one, are right. The token goes to the Hub's address only, not to
//! where its redirects lead.

mod card;
mod choose;
mod conventions;
mod explain;
mod http;
mod model;
mod store;

use crate::DataError;
use crate::error::Place;
use card::Card;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use store::Repository;
use temper_recipe::{HubKind, HubPath};

/// The Hub, and how to use it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its address, without `/` at the end.
    pub endpoint: String,
    /// A user's token.
    pub token: Option<String>,
    /// Folder of the cache (`…/huggingface/hub`).
    pub cache: PathBuf,
    /// Whether only the cache is used.
    pub offline: bool,
    /// Told what arrives; breaks to stop.
    pub report: Report,
}

/// Is told of a download now and then; `Break` ends it, and what has arrived is kept.
pub type Report = fn(&Download) -> ControlFlow<()>;

/// A download that is going on.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// The repository, as `hf://…`.
    pub repository: &'a str,
    /// The file's path in it.
    pub file: &'a str,
    /// Bytes that have arrived, in this download and the ones before that it goes on from.
    pub done: u64,
    /// Bytes in all, where they are known.
    pub whole: Option<u64>,
}

/// The files of a data set's split, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFiles {
    /// The files, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// Their paths in the repository.
    pub names: Vec<String>,
    /// Paths of files that belong to the split, but are in another format than most, or in no known one; not fetched.
    pub left_out: Vec<String>,
    /// The repository's name.
    pub repository: String,
    /// The commit.
    pub revision: String,
    /// The licence that README.md names.
    pub license: Option<String>,
    /// The languages that README.md names.
    pub languages: Vec<String>,
    /// The subset, where the data set has them.
    pub subset: Option<String>,
    /// The split; `None` where the path names the files.
    pub split: Option<String>,
}

static REPORT: OnceLock<Report> = OnceLock::new();

/// Whom to tell of downloads of [`Hub::from_env`]; the first call counts.
pub fn report_downloads(report: Report) {
    let _ = REPORT.set(report);
}

/// As [`Hub::dataset_files`], by the environment.
///
/// # Errors
/// As [`Hub::from_env`] and [`Hub::dataset_files`].
pub fn dataset_files(path: &HubPath, subset: Option<&str>, split: Option<&str>) -> Result<HubFiles, DataError> {
    Hub::from_env()?.dataset_files(path, subset, split)
}

/// As [`Hub::model_dir`], by the environment.
///
/// # Errors
/// As [`Hub::from_env`] and [`Hub::model_dir`].
pub fn model_dir(path: &HubPath) -> Result<(PathBuf, String), DataError> {
    Hub::from_env()?.model_dir(path)
}

/// As [`Hub::tokenizer_dir`], by the environment.
///
/// # Errors
/// As [`Hub::from_env`] and [`Hub::tokenizer_dir`].
pub fn tokenizer_dir(path: &HubPath) -> Result<PathBuf, DataError> {
    Hub::from_env()?.tokenizer_dir(path)
}

impl Hub {
    /// The Hub as the environment says.
    ///
    /// # Errors
    /// No folder for the cache; an address that is not one; a token that cannot be sent.
    pub fn from_env() -> Result<Self, DataError> {
        Self::from(&|name| std::env::var(name).ok())
    }

    fn from(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, DataError> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let is_true = |name: &str| {
            get(name).is_some_and(|v| ["1", "ON", "YES", "TRUE"].contains(&v.to_ascii_uppercase().as_str()))
        };
        let user = get("HOME").or_else(|| get("USERPROFILE")).map(PathBuf::from);
        let folder = |name: &str| {
            get(name).map(|path| match (path.strip_prefix("~/"), &user) {
                (Some(rest), Some(user)) => user.join(rest),
                _ => PathBuf::from(path),
            })
        };
        let home = folder("HF_HOME")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface")))
            .or_else(|| Some(user.as_ref()?.join(".cache").join("huggingface")));
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(home.as_ref()?.join("hub")))
            .ok_or_else(|| {
                Place::file("HF_HOME")
                    .error("there is no home folder for the cache of the Hub", "Set HF_HOME to a folder")
            })?;
        let file = folder("HF_TOKEN_PATH").or_else(|| Some(home?.join("token")));
        let token = get("HF_TOKEN")
            .or_else(|| get("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(file?).ok().filter(|_| !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Place::file("HF_TOKEN").error(
                "the token has spaces, line ends or characters beyond ASCII",
                "Copy it again from the Hub's settings",
            ));
        }
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        if !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
            return Err(Place::file("HF_ENDPOINT")
                .error(format!("`{endpoint}` is not an address"), "Write `https://HOST`, or unset HF_ENDPOINT"));
        }
        let offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
        // Links in the cache are relative, so it may be given relative to the current folder.
        let cache = std::path::absolute(&cache).unwrap_or(cache);
        let report = REPORT.get().copied().unwrap_or(|_| ControlFlow::Continue(()));
        Ok(Self { endpoint, token, cache, offline, report })
    }

    /// Fetches the files of a data set's split.
    ///
    /// A path in `path` names them, as a file or a glob; a folder is searched as if it were the repository. Without one, the
    /// `configs` of README.md name subsets (`subset`; without it the default one, or the only one) and their splits; without
    /// `configs`, splits are found by the names of files and folders, as Hugging Face `datasets` does. `split` is `train`, or
    /// the only one, where it is not given.
    ///
    /// # Errors
    /// A repository, revision, subset, split or file that is not there, with those that are; no access; a broken connection;
    /// a damaged download; a full disk; offline, what is not in the cache.
    pub fn dataset_files(
        &self,
        path: &HubPath,
        subset: Option<&str>,
        split: Option<&str>,
    ) -> Result<HubFiles, DataError> {
        self.of_kind(path, HubKind::Dataset)?;
        let repository = Repository::open(self, path)?;
        let readme = "README.md";
        let card = if repository.files.iter().any(|file| file == readme) {
            let text = std::fs::read(repository.fetch(readme)?)
                .map_err(|e| repository.error(format!("README.md cannot be read: {e}"), "Check its rights"))?;
            Card::parse(&String::from_utf8_lossy(&text))
        } else {
            Ok(Card::default())
        };
        let choice = choose::choose(path, &repository.files, &card, subset, split)
            .map_err(|wrong| repository.error(wrong.what, wrong.remedy))?;
        let one = matches!((&path.path, choice.files.as_slice()), (Some(named), [only]) if named == only);
        if repository.partly_known && !one {
            all_shards(&repository, &choice.files)?;
        }
        let files = choice.files.iter().map(|file| repository.fetch(file)).collect::<Result<_, _>>()?;
        let card = card.unwrap_or_default();
        Ok(HubFiles {
            files,
            names: choice.files,
            left_out: choice.left_out,
            repository: path.repository.clone(),
            revision: repository.sha,
            license: card.license,
            languages: card.languages,
            subset: choice.subset,
            split: choice.split,
        })
    }

    /// Fetches a model, or a PEFT adapter: configuration, tokenizer, chat template, weights as safetensors, README.md and
    /// licence. The folder that they lie in, and the commit.
    ///
    /// # Errors
    /// As [`dataset_files`](Self::dataset_files); a repository without safetensors.
    pub fn model_dir(&self, path: &HubPath) -> Result<(PathBuf, String), DataError> {
        self.of_kind(path, HubKind::Model)?;
        let repository = Repository::open(self, path)?;
        Ok((model::fetch(&repository)?, repository.sha))
    }

    /// Fetches what [`model_dir`](Self::model_dir) fetches but the weights.
    ///
    /// # Errors
    /// As [`dataset_files`](Self::dataset_files); a repository without tokenizer.json.
    pub fn tokenizer_dir(&self, path: &HubPath) -> Result<PathBuf, DataError> {
        self.of_kind(path, HubKind::Model)?;
        model::fetch_tokenizer(&Repository::open(self, path)?)
    }

    fn of_kind(&self, path: &HubPath, kind: HubKind) -> Result<(), DataError> {
        if path.kind == kind {
            return Ok(());
        }
        let remedy = match kind {
            HubKind::Model => "Write `hf://ORG/MODEL`",
            HubKind::Dataset => "Write `hf://datasets/ORG/NAME`",
        };
        Err(Place::file(&path.to_string()).error(format!("this names a {}, not a {kind}", path.kind), remedy))
    }
}

/// Of a cache that others filled, files may be missing; those with numbers in their names tell.
fn all_shards(repository: &Repository, files: &[String]) -> Result<(), DataError> {
    for file in files {
        let folder = Path::new(file).parent();
        let Some((name, _, count)) = conventions::shard(file) else { continue };
        let of_name = |other: &&String| {
            conventions::shard(other).is_some_and(|(n, _, c)| (n, c) == (name, count))
                && Path::new(other).parent() == folder
        };
        let found = repository.files.iter().filter(of_name).count();
        if found < count {
            return Err(repository.error(
                format!("only {found} of the {count} files `{name}-…-of-{count:05}` are in the cache"),
                "HF_HUB_OFFLINE is set: unset it to download, or run once with a connection",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(vars: &[(&str, &str)]) -> Result<Hub, String> {
        Hub::from(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string())).map_err(|e| e.to_string())
    }

    #[test]
    fn the_environment() {
        let plain = hub(&[("HOME", "/u")]).unwrap();
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert_eq!(
            (plain.cache.to_str(), plain.token, plain.offline),
            (Some("/u/.cache/huggingface/hub"), None, false)
        );
        let cache = |vars: &[(&str, &str)]| hub(vars).unwrap().cache.display().to_string();
        assert_eq!(cache(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(cache(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/h")]), "/u/h/hub");
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), "/c");
        let set =
            hub(&[("HF_HOME", "/h"), ("HF_ENDPOINT", "http://m/"), ("HF_TOKEN", " t\n"), ("HF_HUB_OFFLINE", "yes")]);
        let set = set.unwrap();
        assert_eq!((set.endpoint.as_str(), set.token.as_deref(), set.offline), ("http://m", Some("t"), true));
        assert_eq!(hub(&[("HF_HOME", "/h"), ("HUGGING_FACE_HUB_TOKEN", "o")]).unwrap().token.as_deref(), Some("o"));
        assert!(hub(&[]).unwrap_err().contains("Set HF_HOME"));
        assert!(hub(&[("HOME", "/u"), ("HF_ENDPOINT", "m")]).unwrap_err().contains("not an address"));
        assert!(hub(&[("HOME", "/u"), ("HF_TOKEN", "a b")]).unwrap_err().contains("Copy it again"));
    }

    #[test]
    fn the_token_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "secret\n").unwrap();
        let home = dir.path().to_str().unwrap();
        assert_eq!(hub(&[("HF_HOME", home)]).unwrap().token.as_deref(), Some("secret"));
        assert_eq!(hub(&[("HF_HOME", home), ("HF_TOKEN", "mine")]).unwrap().token.as_deref(), Some("mine"));
        assert_eq!(hub(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap().token, None);
    }
}
