//! Which files of a repository make up a data set: those of a path, of a subset in README.md, or found by their names.

use super::card::{Card, Subset};
use super::conventions::{self, Family, Split};
use crate::error::{list, nearest};
use temper_recipe::HubPath;

/// The files that were chosen.
#[derive(Debug, PartialEq)]
pub(crate) struct Choice {
    /// Paths in the repository, in the order in which they are read.
    pub files: Vec<String>,
    /// Files of the split in another format, which are not read.
    pub left_out: Vec<String>,
    pub subset: Option<String>,
    pub split: Option<String>,
}

/// What stands in the way, and what to do about it.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub what: String,
    pub remedy: String,
}

fn wrong(what: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    Wrong { what: what.into(), remedy: remedy.into() }
}

const KNOWN: &str = ".jsonl, .ndjson, .json, .csv, .tsv (also .gz and .zst), .parquet, .arrow";

/// Chooses among `files`, all that the repository has.
///
/// A path names a file or is a glob; a folder is searched as if it were the repository. Without one, `configs` of README.md
/// count, and where there are none the names of files and folders.
pub(crate) fn choose(
    path: &HubPath,
    files: &[String],
    card: &Result<Card, String>,
    subset: Option<&str>,
    split: Option<&str>,
) -> Result<Choice, Wrong> {
    match &path.path {
        Some(inner) => of_path(path, inner, files, subset, split),
        None => of_repository(path, files, card, subset, split),
    }
}

fn of_path(
    path: &HubPath,
    inner: &str,
    files: &[String],
    subset: Option<&str>,
    split: Option<&str>,
) -> Result<Choice, Wrong> {
    if subset.is_some() {
        return Err(wrong(
            format!("`subset` is given, and the path names files itself (`{inner}`)"),
            format!("Remove `subset`, or `/{inner}` from the path"),
        ));
    }
    let found: Vec<String> = if files.iter().any(|file| file == inner) {
        vec![inner.to_owned()]
    } else if wild(inner) {
        glob(inner, files)?
    } else {
        let inside = below(inner, files);
        if !inside.is_empty() {
            let splits = prefixed(inner, conventions::splits(&known(&inside)));
            if splits.is_empty() {
                return Err(no_known(&format!("the folder `{inner}`"), &inside));
            }
            return of_splits(path, None, splits, split);
        }
        Vec::new()
    };
    if split.is_some() {
        return Err(wrong(
            format!("`split` is given, and the path names files itself (`{inner}`)"),
            format!("Remove `split`, or `/{inner}` from the path"),
        ));
    }
    if found.is_empty() {
        let near = nearest(inner, files.iter().map(String::as_str));
        let remedy = match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("The repository has {}", shown(files)),
        };
        return Err(wrong(format!("the repository has no file `{inner}`"), remedy));
    }
    let rows = readable(&found);
    if rows.is_empty() {
        return Err(no_known(&format!("`{inner}`"), &found));
    }
    let left_out = found.into_iter().filter(|file| !rows.contains(file)).collect();
    Ok(Choice { files: rows, left_out, subset: None, split: None })
}

fn of_repository(
    path: &HubPath,
    files: &[String],
    card: &Result<Card, String>,
    subset: Option<&str>,
    split: Option<&str>,
) -> Result<Choice, Wrong> {
    if path.revision.as_deref() == Some("refs/convert/parquet") {
        let subsets = conventions::converted(&known(files));
        let names: Vec<&str> = subsets.iter().map(|(name, _)| name.as_str()).collect();
        let name = subset_name(&names, subset, None)?;
        let splits = subsets.iter().find(|(known, _)| known == name).map(|(_, splits)| splits.clone());
        return of_splits(path, Some(name), splits.unwrap_or_default(), split);
    }
    let card = card.as_ref().map_err(|what| {
        let example = files.iter().find(|file| Family::of(file).is_some()).map_or("FILE", String::as_str);
        wrong(
            format!("README.md cannot be understood: {what}"),
            format!("Name the files: `{path}/{example}`, or have the data set corrected"),
        )
    })?;
    if !card.subsets.is_empty() {
        let names: Vec<&str> = card.subsets.iter().map(|subset| subset.name.as_str()).collect();
        let mut defaults = card.subsets.iter().filter(|subset| subset.default || subset.name == "default");
        let default = defaults.next().filter(|_| defaults.next().is_none()).map(|subset| subset.name.as_str());
        let name = subset_name(&names, subset, default)?;
        let Some(subset) = card.subsets.iter().find(|subset| subset.name == name) else {
            return Err(wrong(format!("there is no subset `{name}`"), format!("The data set has {}", list(names))));
        };
        return of_splits(path, Some(name), declared(subset, files)?, split);
    }
    let rows = known(files);
    let script = path.repository.rsplit('/').next().map(|name| format!("{name}.py"));
    if let Some(script) = script.filter(|script| files.contains(script)) {
        let files = match rows.first() {
            Some(first) => format!(", or name its files: `{path}/{first}`"),
            None => String::new(),
        };
        let converted = HubPath { revision: Some("refs/convert/parquet".into()), path: None, ..path.clone() };
        return Err(wrong(
            format!("the data set is made by a script (`{script}`), which is not run"),
            format!("Most such data sets have a converted copy: write `{converted}`{files}"),
        ));
    }
    if let Some(subset) = subset.filter(|subset| *subset != "default") {
        return Err(wrong(
            format!("there is no subset `{subset}`: README.md declares none"),
            format!("Remove `subset`, or name a folder or a file: `{path}/PATH`"),
        ));
    }
    if rows.is_empty() {
        return Err(no_known("the repository", files));
    }
    of_splits(path, None, conventions::splits(&rows), split)
}

/// The subset that is asked for, or the one that counts without asking.
fn subset_name<'a>(names: &[&'a str], wanted: Option<&str>, default: Option<&'a str>) -> Result<&'a str, Wrong> {
    let all = || list(names.iter().copied());
    match wanted {
        Some(wanted) => names.iter().copied().find(|name| *name == wanted).ok_or_else(|| {
            let near = nearest(wanted, names.iter().copied());
            let hint = near.map_or(String::new(), |near| format!("Did you mean `{near}`? "));
            wrong(format!("there is no subset `{wanted}`"), format!("{hint}The data set has {}", all()))
        }),
        None => match (names, default) {
            ([only], _) => Ok(only),
            (_, Some(default)) => Ok(default),
            _ => Err(wrong(
                "the data set has several subsets, and none is the default",
                format!("Add `subset`: one of {}", all()),
            )),
        },
    }
}

/// The split that is asked for, or `train`, or the only one.
fn of_splits(path: &HubPath, subset: Option<&str>, splits: Vec<Split>, split: Option<&str>) -> Result<Choice, Wrong> {
    let names: Vec<String> = splits.iter().map(|(name, _)| name.clone()).collect();
    let all = || list(names.iter().map(String::as_str));
    let place = subset.map_or(String::new(), |subset| format!(" in the subset `{subset}`"));
    let wanted = match (split, names.as_slice()) {
        (Some(split), _) => split,
        (None, [only]) => only,
        (None, names) if names.iter().any(|name| name == "train") => "train",
        (None, []) => return Err(wrong(format!("no split is found{place}"), format!("Name the files: `{path}/PATH`"))),
        (None, _) => {
            return Err(wrong(
                format!("there are several splits{place}, and none is called `train`"),
                format!("Add `split`: one of {}", all()),
            ));
        }
    };
    let Some((_, files)) = splits.into_iter().find(|(name, _)| name == wanted) else {
        let near = nearest(wanted, names.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("Did you mean `{near}`? "));
        return Err(wrong(format!("there is no split `{wanted}`{place}"), format!("{hint}The splits are {}", all())));
    };
    if files.is_empty() {
        return Err(wrong(
            format!("no file of a known format ({KNOWN}) is in the split `{wanted}`{place}"),
            "Choose another split, or have the data set corrected",
        ));
    }
    let (files, left_out) = Family::majority(files);
    Ok(Choice { files, left_out, subset: subset.map(str::to_owned), split: Some(wanted.to_owned()) })
}

/// The splits of a subset as README.md declares it.
fn declared(subset: &Subset, files: &[String]) -> Result<Vec<Split>, Wrong> {
    let folder = subset.folder.as_deref();
    let inside = match folder {
        Some(folder) => below(folder, files),
        None => files.to_vec(),
    };
    let place = |what: String| match folder {
        Some(folder) => format!("{what} in its folder `{folder}`"),
        None => what,
    };
    let splits = match &subset.splits {
        None => {
            let found = conventions::splits(&known(&inside));
            if found.is_empty() {
                let what = place(format!("the subset `{}` has no file of a known format", subset.name));
                return Err(wrong(format!("{what} ({KNOWN})"), format!("The repository has {}", shown(files))));
            }
            found
        }
        Some(splits) => {
            let mut found: Vec<Split> = Vec::new();
            for (split, patterns) in splits {
                let mut of_split: Vec<String> = Vec::new();
                for pattern in patterns {
                    if pattern.contains("://") {
                        return Err(wrong(
                            format!("the files of the subset `{}` lie elsewhere: `{pattern}`", subset.name),
                            "Name that data set, or download the files",
                        ));
                    }
                    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
                    let matching = if wild(pattern) {
                        glob(pattern, &inside)?
                    } else {
                        inside.iter().filter(|file| *file == pattern).cloned().collect()
                    };
                    of_split.extend(
                        readable(&matching).into_iter().filter(|file| !of_split.contains(file)).collect::<Vec<_>>(),
                    );
                }
                found.push((split.clone(), of_split));
            }
            found
        }
    };
    Ok(match folder {
        Some(folder) => prefixed(folder, splits),
        None => splits,
    })
}

/// Files in a folder, by their paths below it.
fn below(folder: &str, files: &[String]) -> Vec<String> {
    let inside = |file: &String| Some(file.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
    files.iter().filter_map(inside).collect()
}

fn prefixed(folder: &str, splits: Vec<Split>) -> Vec<Split> {
    let whole = |file: String| format!("{folder}/{file}");
    splits.into_iter().map(|(split, files)| (split, files.into_iter().map(whole).collect())).collect()
}

/// Files that hold rows in a known format and are not hidden.
fn known(files: &[String]) -> Vec<String> {
    readable(files).into_iter().filter(|file| hidden(file) == 0).collect()
}

/// Files that hold rows in a known format.
fn readable(files: &[String]) -> Vec<String> {
    files.iter().filter(|file| Family::of(file).is_some()).cloned().collect()
}

/// How many parts of a path begin with `.` or `__`; such files count only where a pattern names these parts.
fn hidden(path: &str) -> usize {
    path.split('/').filter(|part| part.starts_with('.') || part.starts_with("__")).count()
}

fn wild(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Files that match a glob: `*` and `?` stay within a name, `**` goes through folders, `[0-9]` is one character.
fn glob(pattern: &str, files: &[String]) -> Result<Vec<String>, Wrong> {
    // Braces are plain characters in the Hub's globs.
    let escaped = pattern.replace('{', "[{]").replace('}', "[}]");
    let matcher = globset::GlobBuilder::new(&escaped).literal_separator(true).build().map_err(|e| {
        wrong(
            format!("the glob `{pattern}` is malformed: {}", e.kind()),
            "Correct it; `*`, `?`, `**` and `[0-9]` are known",
        )
    })?;
    let matcher = matcher.compile_matcher();
    let matching = |file: &&String| matcher.is_match(file.as_str()) && hidden(file) == hidden(pattern);
    Ok(files.iter().filter(matching).cloned().collect())
}

fn no_known(place: &str, files: &[String]) -> Wrong {
    let what = format!("{place} has no file of a known format ({KNOWN})");
    wrong(what, format!("It has {}; convert the data to one of these formats", shown(files)))
}

/// The first names, and how many more there are.
pub(crate) fn shown(files: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if files.len() > SHOWN { format!(" and {} more", files.len() - SHOWN) } else { String::new() };
    list(files.iter().take(SHOWN).map(String::as_str)) + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        path: &str,
        files: &[&str],
        readme: &str,
        subset: Option<&str>,
        split: Option<&str>,
    ) -> Result<Choice, String> {
        let files: Vec<String> = files.iter().map(|f| f.to_string()).collect();
        let path = HubPath::parse(&format!("hf://datasets/org/name{path}")).unwrap();
        choose(&path, &files, &Card::parse(readme), subset, split).map_err(|w| format!("{}. {}", w.what, w.remedy))
    }

    fn files(found: Result<Choice, String>) -> String {
        found.unwrap().files.join(" ")
    }

    const GSM8K: &str = "---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: train, path: main/train-*}\n  - {split: test, path: main/test-*}\n- config_name: socratic\n  data_files:\n  - {split: train, path: socratic/train-*}\n---\n";
    const FILES: [&str; 5] = [
        "README.md",
        "main/test-00000-of-00001.parquet",
        "main/train-00000-of-00001.parquet",
        "socratic/train-00000-of-00001.parquet",
        ".gitattributes",
    ];

    #[test]
    fn subsets_and_splits_of_the_readme() {
        let found = run("", &FILES, GSM8K, Some("main"), None).unwrap();
        assert_eq!(found.files, ["main/train-00000-of-00001.parquet"]);
        assert_eq!((found.subset.as_deref(), found.split.as_deref()), (Some("main"), Some("train")));
        assert_eq!(files(run("", &FILES, GSM8K, Some("main"), Some("test"))), "main/test-00000-of-00001.parquet");
        let e = run("", &FILES, GSM8K, None, None).unwrap_err();
        assert!(e.contains("several subsets") && e.contains("`main`, `socratic`"), "{e}");
        let e = run("", &FILES, GSM8K, Some("mian"), None).unwrap_err();
        assert!(e.contains("no subset `mian`") && e.contains("mean `main`?") && e.contains("`socratic`"), "{e}");
        let e = run("", &FILES, GSM8K, Some("main"), Some("dev")).unwrap_err();
        assert!(e.contains("no split `dev` in the subset `main`") && e.contains("`train`, `test`"), "{e}");
        let default = GSM8K.replace("config_name: socratic", "config_name: socratic\n  default: true");
        assert_eq!(files(run("", &FILES, &default, None, None)), "socratic/train-00000-of-00001.parquet");
    }

    #[test]
    fn folders_of_the_readme() {
        let readme = "---\nconfigs:\n- config_name: default\n  data_dir: v2\n- config_name: old\n  data_dir: v1\n  data_files: '*.csv'\n- config_name: far\n  data_files: https://x/y.csv\n- config_name: none\n  data_files: gone/*.csv\n---\n";
        let all = ["v1/b.csv", "v1/a.csv", "v2/test.csv", "v2/train.csv"];
        assert_eq!(files(run("", &all, readme, None, None)), "v2/train.csv");
        assert_eq!(files(run("", &all, readme, Some("old"), None)), "v1/b.csv v1/a.csv");
        assert!(run("", &all, readme, Some("far"), None).unwrap_err().contains("elsewhere"));
        assert!(run("", &all, readme, Some("none"), None).unwrap_err().contains("no file of a known format"));
    }

    #[test]
    fn conventions_without_a_readme() {
        assert_eq!(files(run("", &["train.jsonl", "test.jsonl", "x.py"], "", None, None)), "train.jsonl");
        assert_eq!(files(run("", &["test.jsonl"], "", None, None)), "test.jsonl");
        let e = run("", &["test.jsonl", "dev.jsonl"], "", None, None).unwrap_err();
        assert!(e.contains("none is called `train`") && e.contains("`validation`, `test`"), "{e}");
        let found = run("", &["a.csv", "a.parquet", "b.csv"], "", None, None).unwrap();
        assert_eq!((found.files.join(" "), found.left_out.join(" ")), ("a.csv b.csv".into(), "a.parquet".into()));
        assert!(run("", &["a.csv"], "", Some("x"), None).unwrap_err().contains("README.md declares none"));
        assert!(run("", &["a.png", "README.md"], "", None, None).unwrap_err().contains("`a.png`"));
        assert_eq!(files(run("", &[".x/a.csv", "__y/b.csv", "c.csv"], "", None, None)), "c.csv");
        let e = run("", &["a.csv"], "---\na: [\n---\n", None, None).unwrap_err();
        assert!(e.contains("README.md cannot be understood") && e.contains("hf://datasets/org/name/a.csv"), "{e}");
    }

    #[test]
    fn paths() {
        let all = ["data/a/train.csv", "data/a/test.csv", "data/b/x.csv", "c.csv", "d.png", ".h/e.csv"];
        assert_eq!(files(run("/c.csv", &all, "---\n[\n---\n", None, None)), "c.csv");
        assert_eq!(files(run("/data/*/t*.csv", &all, "", None, None)), "data/a/train.csv data/a/test.csv");
        assert_eq!(
            files(run("/**/*.csv", &all, "", None, None)),
            "data/a/train.csv data/a/test.csv data/b/x.csv c.csv"
        );
        assert_eq!(files(run("/data/**", &all, "", None, None)), "data/a/train.csv data/a/test.csv data/b/x.csv");
        assert_eq!(files(run("/.h/*.csv", &all, "", None, None)), ".h/e.csv");
        assert_eq!(files(run("/data/a", &all, "", None, Some("test"))), "data/a/test.csv");
        assert_eq!(run("/*", &all, "", None, None).unwrap().left_out, ["d.png"]);
        assert!(run("/c.csv", &all, "", None, Some("test")).unwrap_err().contains("Remove `split`"));
        assert!(run("/c.csv", &all, "", Some("x"), None).unwrap_err().contains("Remove `subset`"));
        assert!(run("/data/a/tarin.csv", &all, "", None, None).unwrap_err().contains("mean `data/a/train.csv`?"));
        assert!(run("/d.png", &all, "", None, None).unwrap_err().contains("no file of a known format"));
        assert!(run("/[", &all, "", None, None).unwrap_err().contains("malformed"));
    }

    #[test]
    fn scripts_and_converted_branches() {
        let e = run("", &["name.py", "raw.csv"], "", None, None).unwrap_err();
        assert!(e.contains("`name.py`") && e.contains("`hf://datasets/org/name@refs/convert/parquet`"), "{e}");
        assert!(e.contains("`hf://datasets/org/name/raw.csv`"), "{e}");
        let at = "@refs/convert/parquet";
        let all = ["main/test/0000.parquet", "main/train/0000.parquet", "more/partial-train/0000.parquet"];
        assert_eq!(files(run(at, &all, "", Some("main"), None)), "main/train/0000.parquet");
        assert_eq!(run(at, &all, "", Some("more"), None).unwrap().split.as_deref(), Some("partial-train"));
        assert!(run(at, &all, "", None, None).unwrap_err().contains("`main`, `more`"));
    }
}
