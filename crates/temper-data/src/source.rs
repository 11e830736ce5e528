//! The files of a data source: environment variables, folders, wildcards.

use crate::DataError;
use crate::error::{Place, list, nearest};
use crate::formats::Format;
use crate::hub::{self, HubFiles};
use std::path::{Component, Path, PathBuf};
use temper_recipe::{HubPath, RecipeError};

/// One file to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub path: PathBuf,
    /// Name in row ids: the file's name, or its path below the folder or wildcard.
    pub name: String,
    pub format: Format,
}

/// The files that `path` stands for, in the order of their names.
///
/// `path` is a file, a folder (every file in it of a known format, not deeper) or has the wildcards `*` and `?`; or it names
/// a data set on the Hub, of which the split `train` or the only one counts.
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
    if HubPath::is(&expanded) {
        let path = HubPath::parse(&expanded).map_err(|e| here.error(e.to_string(), "Correct the path"))?;
        return of_hub(&hub::dataset_files(&path, None, None)?);
    }
    let shown = Path::new(&expanded);
    if shown.is_file() {
        let name = shown.file_name().map_or(expanded.clone(), |n| n.to_string_lossy().into_owned());
        return Ok(vec![File { path: shown.to_owned(), name, format: Format::of(shown, &expanded)? }]);
    }
    let here = Place::file(&expanded);
    let found = if shown.is_dir() {
        let inside =
            entries(shown).map_err(|e| here.error(format!("cannot read the folder: {e}"), "Check its rights"))?;
        let known: Vec<File> = inside.into_iter().filter_map(|path| known_file(shown, path)).collect();
        if known.is_empty() {
            return Err(here.error(
                format!("the folder holds no file of a known format ({})", Format::NAMES),
                "Name the folder that holds the data, or the file itself",
            ));
        }
        known
    } else if expanded.contains(['*', '?']) {
        let base = shown.components().take_while(|c| !is_wild(c)).collect::<PathBuf>();
        let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
        let mut matching = vec![base.clone()];
        for component in shown.components().skip_while(|c| !is_wild(c)) {
            let pattern = component.as_os_str().to_string_lossy();
            if pattern.contains("**") {
                return Err(here.error("`**` is not a wildcard here", "Write one `*` for each level of folders"));
            }
            let step = |folder: &PathBuf| entries(folder).unwrap_or_default();
            let named = |path: &PathBuf| path.file_name().is_some_and(|n| matches(&pattern, &n.to_string_lossy()));
            matching = matching.iter().flat_map(step).filter(named).collect();
        }
        let known: Vec<File> = matching.into_iter().filter_map(|path| known_file(&base, path)).collect();
        if known.is_empty() {
            return Err(here.error(
                format!("no file of a known format ({}) matches", Format::NAMES),
                format!("{} has {}", base.display(), names(&base)),
            ));
        }
        known
    } else {
        return Err(missing(shown, here));
    };
    Ok(found)
}

/// Files that were fetched from the Hub, by their paths in the repository.
pub(crate) fn of_hub(found: &HubFiles) -> Result<Vec<File>, DataError> {
    let file = |(path, name): (&PathBuf, &String)| {
        Ok(File { path: path.clone(), name: name.clone(), format: Format::of(path, name)? })
    };
    found.files.iter().zip(&found.names).map(file).collect()
}

fn known_file(base: &Path, path: PathBuf) -> Option<File> {
    let format = Format::of_extension(&path)?;
    if !path.is_file() {
        return None;
    }
    let below = path.strip_prefix(base).unwrap_or(&path);
    let name = below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    Some(File { path, name, format })
}

fn is_wild(component: &Component) -> bool {
    component.as_os_str().to_string_lossy().contains(['*', '?'])
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

/// Whether `name` matches `pattern`, where `*` stands for any characters and `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            back = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            (p, n) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        assert!(matches("*.jsonl", "train.jsonl") && matches("t?ain*", "train.jsonl") && matches("*", ""));
        assert!(matches("*a*b", "xaxbxb") && matches("train.jsonl", "train.jsonl"));
        assert!(!matches("*.json", "train.jsonl") && !matches("?", "") && !matches("a", "ab"));
    }

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
        assert!(names(&at("**/c.jsonl")).unwrap_err().contains("one `*` for each level"));
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
