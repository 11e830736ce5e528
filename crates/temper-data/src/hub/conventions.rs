//! Splits by the names of files and folders, where a data set does not say which files belong to which: the conventions of
//! Hugging Face `datasets` (its documentation, "Structure your repository").

/// A split and its files.
pub(crate) type Split = (String, Vec<String>);

/// The formats whose readers are known, by the first extension after compression is taken off.
const FAMILIES: [(Family, &[&str]); 4] = [
    (Family::Parquet, &["parquet"]),
    (Family::Arrow, &["arrow"]),
    (Family::Json, &["jsonl", "ndjson", "json"]),
    (Family::Delimited, &["csv", "tsv"]),
];

/// Formats that `datasets` reads as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Parquet,
    Arrow,
    Json,
    Delimited,
}

impl Family {
    /// Of a file by its name; `None` for files that hold no rows or have no known format.
    pub fn of(name: &str) -> Option<Self> {
        /// Descriptions that have an extension of data.
        const NOT_DATA: [&str; 5] =
            ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        if NOT_DATA.contains(&name.as_str()) {
            return None;
        }
        let text = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
        let (_, extension) = text.unwrap_or(&name).rsplit_once('.')?;
        let (family, _) = FAMILIES.iter().find(|(_, known)| known.contains(&extension))?;
        let whole = matches!(family, Self::Parquet | Self::Arrow);
        (text.is_none() || !whole).then_some(*family)
    }

    /// The family of most files, and the files of the others.
    pub fn majority(files: Vec<String>) -> (Vec<String>, Vec<String>) {
        let count = |family: Family| files.iter().filter(|file| Self::of(file) == Some(family)).count();
        // The first of equals wins.
        let most = FAMILIES.iter().map(|(family, _)| *family).rev().max_by_key(|family| count(*family));
        files.into_iter().partition(|file| Self::of(file) == most)
    }
}

/// Words that name a split, the split's own name first.
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// The splits of files, which are paths below one folder: shards in `data/` (`data/NAME-00000-of-00005.parquet`), else folders
/// named after splits, else files named after splits, else everything as `train`.
pub(crate) fn splits(files: &[String]) -> Vec<Split> {
    let sharded = by(files, &mut |file| {
        let name = file.strip_prefix("data/").filter(|rest| !rest.contains('/'))?;
        Some(shard(name)?.0.to_owned())
    });
    if !sharded.is_empty() {
        return sharded;
    }
    for folders in [true, false] {
        let named: Vec<Split> = SPLITS
            .iter()
            .map(|(split, words)| {
                let of_split = |file: &&String| words.iter().any(|word| named(file, word, folders));
                (split.to_string(), files.iter().filter(of_split).cloned().collect::<Vec<_>>())
            })
            .filter(|(_, files)| !files.is_empty())
            .collect();
        if !named.is_empty() {
            return named;
        }
    }
    if files.is_empty() { Vec::new() } else { vec![("train".into(), files.to_vec())] }
}

/// The splits of a branch that the Hub converts to Parquet: `SUBSET/SPLIT/0000.parquet`.
pub(crate) fn converted(files: &[String]) -> Vec<(String, Vec<Split>)> {
    let mut subsets: Vec<(String, Vec<String>)> = Vec::new();
    for file in files {
        let Some((subset, _)) = file.split_once('/') else { continue };
        match subsets.iter_mut().find(|(name, _)| name == subset) {
            Some((_, files)) => files.push(file.clone()),
            None => subsets.push((subset.to_owned(), vec![file.clone()])),
        }
    }
    let of = |files: &[String]| {
        by(files, &mut |file| file.split('/').nth(1).filter(|s| !s.contains('.')).map(str::to_owned))
    };
    subsets.into_iter().map(|(name, files)| (name, of(&files))).collect()
}

/// Files by split: `train`, `validation`, `test`, then the others by name.
fn by(files: &[String], split: &mut dyn FnMut(&str) -> Option<String>) -> Vec<Split> {
    let mut found: Vec<Split> = Vec::new();
    for file in files {
        let Some(name) = split(file) else { continue };
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, files)) => files.push(file.clone()),
            None => found.push((name, vec![file.clone()])),
        }
    }
    let rank = |name: &str| SPLITS.iter().position(|(known, _)| *known == name).unwrap_or(SPLITS.len());
    found.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    found
}

/// `NAME-00001-of-00005…`: the name, the number and how many there are.
pub(crate) fn shard(file: &str) -> Option<(&str, usize, usize)> {
    let number = |text: &str| text.get(..5).filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?.parse().ok();
    file.rmatch_indices("-of-").find_map(|(at, _)| {
        let (name, index) = file[..at].rsplit_once('-')?;
        let index = (index.len() == 5).then(|| number(index)).flatten()?;
        let count = number(&file[at + "-of-".len()..])?;
        (!name.is_empty()).then_some((name, index, count))
    })
}

/// Whether a file (or one of its folders) has `word` in its name, between separators. A file's name does not end in one.
fn named(path: &str, word: &str, folders: bool) -> bool {
    let separates = |c: char| c.is_ascii_digit() || "-._ ".contains(c);
    let has = |part: &str| {
        part.match_indices(word).any(|(at, _)| {
            let before = part[..at].chars().next_back();
            let after = part[at + word.len()..].chars().next();
            before.is_none_or(separates) && after.map_or(folders, separates)
        })
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop();
    if folders { parts.into_iter().any(has) } else { file.is_some_and(has) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str]) -> Vec<(String, Vec<String>)> {
        splits(&files.iter().map(|f| f.to_string()).collect::<Vec<_>>())
    }

    fn names(files: &[&str]) -> Vec<String> {
        of(files).into_iter().map(|(split, files)| format!("{split}: {}", files.join(" "))).collect()
    }

    #[test]
    fn shards_in_data() {
        assert_eq!(
            names(&[
                "data/test-00000-of-00001.parquet",
                "data/dev_x-00000-of-00001-abc.parquet",
                "data/train-00000-of-00002.parquet",
                "data/train-00001-of-00002.parquet",
                "other.csv"
            ]),
            [
                "train: data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet",
                "test: data/test-00000-of-00001.parquet",
                "dev_x: data/dev_x-00000-of-00001-abc.parquet"
            ]
        );
    }

    #[test]
    fn folders_then_names_then_everything() {
        assert_eq!(
            names(&["a/train/1.csv", "a/my-dev/2.csv", "test.csv"]),
            ["train: a/train/1.csv", "validation: a/my-dev/2.csv"]
        );
        assert_eq!(
            names(&["train_1.csv", "x-training.csv", "valid.csv", "contest.csv", "eval2.csv"]),
            ["train: train_1.csv x-training.csv", "validation: valid.csv", "test: eval2.csv"]
        );
        assert_eq!(names(&["contest.csv", "a/b.csv"]), ["train: contest.csv a/b.csv"]);
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn converted_branches() {
        let files = [
            "main/test/0000.parquet",
            "main/train/0000.parquet",
            "main/train/0001.parquet",
            "socratic/partial-train/0000.parquet",
        ];
        let found = converted(&files.map(str::to_owned));
        assert_eq!(found[0].0, "main");
        assert_eq!(found[0].1[0], ("train".into(), vec![files[1].into(), files[2].into()]));
        assert_eq!(found[0].1[1].0, "test");
        assert_eq!(found[1].1[0].0, "partial-train");
    }

    #[test]
    fn formats_and_the_most_common_one() {
        assert_eq!(Family::of("a/b.JSONL.gz"), Some(Family::Json));
        assert_eq!(Family::of("b.tsv.zst"), Some(Family::Delimited));
        assert_eq!(Family::of("b.parquet"), Some(Family::Parquet));
        for none in ["b.parquet.gz", "README.md", "b.gz", "a.json/x.txt", "dataset_infos.json", "json"] {
            assert_eq!(Family::of(none), None, "{none}");
        }
        let split = |files: &[&str]| Family::majority(files.iter().map(|f| f.to_string()).collect());
        assert_eq!(split(&["a.csv", "a.parquet"]), (vec!["a.parquet".into()], vec!["a.csv".into()]));
        assert_eq!(split(&["a.csv", "b.tsv", "a.parquet"]).1, ["a.parquet"]);
    }

    #[test]
    fn shard_names() {
        assert_eq!(shard("train-00001-of-00005.parquet"), Some(("train", 1, 5)));
        assert_eq!(shard("a-b-00001-of-00005-0ab.parquet"), Some(("a-b", 1, 5)));
        assert_eq!(shard("train-1-of-5.parquet"), None);
        assert_eq!(shard("-00001-of-00005"), None);
    }
}
