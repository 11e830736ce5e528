//! The files of a data source: environment variables, folders, wildcards.

use crate::DataError;
use crate::error::{Place, list, nearest};
use crate::formats::Format;
use globset::GlobBuilder;
use std::path::{Component, Path, PathBuf};
use temper_recipe::RecipeError;

/// One file to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub path: PathBuf,
    /// Name in row ids: the file's name, or its path below the folder or wildcard.
    pub name: String,
    pub format: Format,
}

/// Files beside the rows in folders that `datasets` writes; no folder or wildcard stands for them.
const ABOUT_ROWS: [&str; 4] = ["dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json"];

/// The files that `path` stands for, in the order of their names, hidden ones left out.
///
/// `path` is a file; a folder: every file in it of a known format, not deeper, and of a folder that `datasets.save_to_disk`
/// wrote, the files that its `state.json` names; or has wildcards: `*` and `?` within a name, `**` for any folders,
/// `[a-c]`, `{train,test}`.
pub(crate) fn files(path: &str) -> Result<Vec<File>, DataError> {
    let here = Place::file(path);
    if path.trim().is_empty() {
        return Err(here.error("the path is empty", "Name a file, a folder or `lab:NAME`"));
    }
    if path.starts_with("lab:") {
        return Err(here.error("this names data of the lab, not a file", "Write it out with `temper lab export`"));
    }
    let expanded = temper_recipe::expand_env(path).map_err(|e| match &e {
        RecipeError::Environment { name, .. } => here.error(
            format!("the environment variable {name} is not set"),
            format!("Set it (`{name}=… temper …`), or write the path out"),
        ),
        other => here.error(other.to_string(), "Correct the path"),
    })?;
    let shown = Path::new(&expanded);
    let here = Place::file(&expanded);
    if shown.is_file() {
        let name = shown.file_name().map_or(expanded.clone(), |n| n.to_string_lossy().into_owned());
        Ok(vec![File { path: shown.to_owned(), name, format: Format::of(shown, &expanded)? }])
    } else if shown.is_dir() {
        folder(shown, here)
    } else if is_wild(&expanded) {
        wildcard(shown, here)
    } else {
        Err(missing(shown, here))
    }
}

fn folder(path: &Path, here: Place) -> Result<Vec<File>, DataError> {
    let inside = entries(path).map_err(|e| here.error(format!("cannot read the folder: {e}"), "Check its rights"))?;
    let inside = match saved(path)? {
        Some(files) => files,
        None => inside,
    };
    let known: Vec<File> = inside.into_iter().filter_map(|file| known_file(path, file)).collect();
    if known.is_empty() {
        return Err(here.error(
            format!("the folder holds no file of a known format ({})", Format::NAMES),
            format!(
                "It has {}. Name the folder that holds the data, or a file; `{}` stands for all files below it",
                names(path),
                path.join("**/*").display()
            ),
        ));
    }
    Ok(known)
}

/// The files that `state.json` names in a folder that `datasets.save_to_disk` wrote; other Arrow files in it are caches.
fn saved(folder: &Path) -> Result<Option<Vec<PathBuf>>, DataError> {
    #[derive(serde::Deserialize)]
    struct State {
        #[serde(rename = "_data_files")]
        files: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        filename: PathBuf,
    }
    let path = folder.join("state.json");
    if !path.is_file() || !folder.join("dataset_info.json").is_file() {
        return Ok(None);
    }
    let shown = path.display().to_string();
    let failed = |why: String| {
        Place::file(&shown).error(
            format!("cannot read which files belong to the data set: {why}"),
            "Name the Arrow files with a wildcard, or save the data set anew",
        )
    };
    let text = std::fs::read(&path).map_err(|e| failed(e.to_string()))?;
    let state: State = serde_json::from_slice(&text).map_err(|e| failed(e.to_string()))?;
    let named = state.files.into_iter().map(|named| folder.join(named.filename));
    let present = |file: PathBuf| match file.is_file() {
        true => Ok(file),
        false => Err(failed(format!("it names {}, which is not there", file.display()))),
    };
    named.map(present).collect::<Result<_, _>>().map(Some)
}

fn wildcard(path: &Path, here: Place) -> Result<Vec<File>, DataError> {
    let wild = |c: &Component| is_wild(&c.as_os_str().to_string_lossy());
    let base = path.components().take_while(|c| !wild(c)).collect::<PathBuf>();
    let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
    if !base.exists() {
        return Err(missing(&base, here));
    }
    let pattern = path.components().skip_while(|c| !wild(c)).map(|c| c.as_os_str().to_string_lossy());
    let pattern = pattern.collect::<Vec<_>>().join("/");
    let matcher = GlobBuilder::new(&pattern)
        .literal_separator(true)
        .build()
        .map_err(|e| here.error(format!("the wildcards are wrong: {}", e.kind()), "Correct the path"))?
        .compile_matcher();
    let depth = if pattern.contains("**") { usize::MAX } else { pattern.split('/').count() };
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = walkdir::WalkDir::new(&base).min_depth(1).max_depth(depth).follow_links(true).sort_by_file_name();
    let mut known = Vec::new();
    for entry in walk.into_iter().filter_entry(visible) {
        let entry = entry.map_err(|e| here.error(format!("cannot look for files: {e}"), "Check its rights"))?;
        if matcher.is_match(below(&base, entry.path())) {
            known.extend(known_file(&base, entry.into_path()));
        }
    }
    if known.is_empty() {
        return Err(here.error(
            format!("no file of a known format ({}) matches", Format::NAMES),
            format!("{} has {}", base.display(), names(&base)),
        ));
    }
    Ok(known)
}

fn known_file(base: &Path, path: PathBuf) -> Option<File> {
    let format = Format::of_extension(&path)?;
    let about = path.file_name().is_some_and(|name| ABOUT_ROWS.iter().any(|about| name == *about));
    (path.is_file() && !about).then(|| File { name: below(base, &path), path, format })
}

/// A path below `base`, with slashes.
fn below(base: &Path, path: &Path) -> String {
    let below = path.strip_prefix(base).unwrap_or(path);
    below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// What a folder holds, in the order of the names, without hidden entries.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    out.sort();
    Ok(out)
}

/// The names in a folder, for messages.
fn names(folder: &Path) -> String {
    const SHOWN: usize = 12;
    let all: Vec<String> = entries(folder)
        .unwrap_or_default()
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let more = if all.len() > SHOWN { format!(" and {} more", all.len() - SHOWN) } else { String::new() };
    list(all.iter().take(SHOWN).map(String::as_str)) + &more
}

/// The error for a path that is not there: the nearest name in the folder that is.
fn missing(path: &Path, here: Place) -> DataError {
    let mut whole = PathBuf::new();
    for component in path.components() {
        let next = whole.join(component);
        if next.exists() {
            whole = next;
            continue;
        }
        let folder = if whole.as_os_str().is_empty() { Path::new(".") } else { &whole };
        let word = component.as_os_str().to_string_lossy();
        let all: Vec<String> = entries(folder)
            .unwrap_or_default()
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        let remedy = match nearest(&word, all.iter().map(String::as_str)) {
            Some(near) => format!("Did you mean `{}`?", folder.join(near).display()),
            None => format!("{} has {}", folder.display(), names(folder)),
        };
        return here.error(format!("there is no `{word}` in {}", folder.display()), remedy);
    }
    here.error("this is neither a file nor a folder", "Name a file, a folder or `lab:NAME`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        for name in ["b.jsonl", "a.csv", "README.md", ".hidden.jsonl", "sub/c.jsonl", "train.jsonl"] {
            std::fs::write(dir.path().join(name), "{}").unwrap();
        }
        dir
    }

    fn names(path: &str) -> Result<Vec<String>, String> {
        files(path).map(|f| f.into_iter().map(|f| f.name).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn files_folders_and_wildcards() {
        let dir = folder();
        let at = |tail: &str| format!("{}/{tail}", dir.path().display());
        assert_eq!(names(&at("b.jsonl")).unwrap(), ["b.jsonl"]);
        assert_eq!(names(&at("")).unwrap(), ["a.csv", "b.jsonl", "train.jsonl"]);
        assert_eq!(names(&at("*.jsonl")).unwrap(), ["b.jsonl", "train.jsonl"]);
        assert_eq!(names(&at("*/?.jsonl")).unwrap(), ["sub/c.jsonl"]);
        assert!(names(&at("*.tsv")).unwrap_err().contains("matches"));
        assert_eq!(names(&at("**/*.jsonl")).unwrap(), ["b.jsonl", "sub/c.jsonl", "train.jsonl"]);
        assert_eq!(names(&at("{train,b}.jsonl")).unwrap(), ["b.jsonl", "train.jsonl"]);
        assert_eq!(names(&at("[a-c].*")).unwrap(), ["a.csv", "b.jsonl"]);
        assert_eq!(names(&at("*")).unwrap(), ["a.csv", "b.jsonl", "train.jsonl"]);
        assert!(names(&at("[a.jsonl")).unwrap_err().contains("the wildcards are wrong: unclosed character class"));
    }

    #[test]
    fn a_folder_without_data_says_what_it_has() {
        let dir = folder();
        std::fs::create_dir(dir.path().join("above")).unwrap();
        std::fs::create_dir(dir.path().join("above/train")).unwrap();
        let e = names(&format!("{}/above", dir.path().display())).unwrap_err();
        assert!(
            e.contains("no file of a known format") && e.contains("It has `train`.") && e.contains("/**/*`"),
            "{e}"
        );
    }

    #[test]
    fn of_a_saved_data_set_only_its_own_files() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        for name in ["data-00000-of-00001.arrow", "cache-1.arrow", "dataset_info.json"] {
            write(name, "{}");
        }
        let path = dir.path().to_str().unwrap();
        assert_eq!(names(path).unwrap(), ["cache-1.arrow", "data-00000-of-00001.arrow"]);
        write("state.json", r#"{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": "train"}"#);
        assert_eq!(names(path).unwrap(), ["data-00000-of-00001.arrow"]);
        assert_eq!(names(&format!("{path}/*")).unwrap(), ["cache-1.arrow", "data-00000-of-00001.arrow"]);
        write("state.json", r#"{"_data_files": [{"filename": "data-1.arrow"}]}"#);
        let e = names(path).unwrap_err();
        assert!(e.contains("data-1.arrow, which is not there"), "{e}");
    }

    #[test]
    fn what_is_missing_is_named_with_its_nearest() {
        let dir = folder();
        let at = |tail: &str| format!("{}/{tail}", dir.path().display());
        let e = names(&at("trian.jsonl")).unwrap_err();
        assert!(e.contains("there is no `trian.jsonl` in ") && e.contains("train.jsonl`?"), "{e}");
        let e = names(&at("elsewhere/x.jsonl")).unwrap_err();
        assert!(e.contains("there is no `elsewhere`") && e.contains("`README.md`"), "{e}");
        let e = names("${TEMPER_NO_SUCH_VARIABLE}/x.jsonl").unwrap_err();
        assert!(e.contains("the environment variable TEMPER_NO_SUCH_VARIABLE is not set"), "{e}");
        assert!(names("lab:problems").unwrap_err().contains("the lab"));
        assert!(names("").unwrap_err().contains("empty"));
        assert!(names(&at("README.md")).unwrap_err().contains("`.md` is not a known format"));
    }
}
