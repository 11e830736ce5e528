//! What a data set's README.md says in its front matter: licence, languages, and which files make up which subset.
//!
//! The fields are those of the Hub's data set cards (`license`, `language`, `configs`).

use serde_json::Value;
use std::collections::BTreeMap;

/// Front matter of a README.md.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Card {
    pub license: Option<String>,
    pub languages: Vec<String>,
    pub subsets: Vec<Subset>,
}

/// An entry of `configs`.
#[derive(Debug, PartialEq)]
pub(crate) struct Subset {
    pub name: String,
    /// The entry says `default: true`.
    pub default: bool,
    /// Folder that the patterns are relative to.
    pub folder: Option<String>,
    /// Splits in their order, each with patterns; `None` where files are found by their names.
    pub splits: Option<Vec<(String, Vec<String>)>>,
}

impl Card {
    /// Reads the front matter of a README.md; nothing where there is none.
    ///
    /// # Errors
    /// What is malformed, in words.
    pub fn parse(readme: &str) -> Result<Self, String> {
        let Some(yaml) = front_matter(readme) else { return Ok(Self::default()) };
        let fields: BTreeMap<String, Value> =
            serde_saphyr::from_str(&yaml).map_err(|e| format!("its front matter is not valid YAML: {e}"))?;
        let licenses = fields.get("license").map(texts).unwrap_or_default();
        // `license: other` has the name beside it.
        let named = fields.get("license_name").and_then(Value::as_str);
        let license = if licenses == ["other"] { named.map(str::to_owned) } else { None };
        let subsets = match fields.get("configs") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries.iter().map(subset).collect::<Result<_, _>>()?,
            Some(_) => return Err("`configs` in its front matter is not a list".into()),
        };
        Ok(Self {
            license: license.or_else(|| (!licenses.is_empty()).then(|| licenses.join(", "))),
            languages: fields.get("language").map(texts).unwrap_or_default(),
            subsets,
        })
    }
}

/// The lines between the `---` of the first line and the next.
fn front_matter(readme: &str) -> Option<String> {
    let mut lines = readme.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let mut yaml = String::new();
    for line in lines {
        if line.trim_end() == "---" {
            return Some(yaml);
        }
        yaml.push_str(line);
        yaml.push('\n');
    }
    None
}

/// One text or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect(),
        _ => Vec::new(),
    }
}

fn subset(entry: &Value) -> Result<Subset, String> {
    let name = match entry.get("config_name") {
        Some(Value::String(name)) => name.clone(),
        // A name such as 2024 is a number in YAML.
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err("an entry of `configs` in its front matter has no `config_name`".into()),
    };
    let splits = match entry.get("data_files") {
        None | Some(Value::Null) => None,
        Some(files) => Some(splits(files).ok_or_else(|| format!("`data_files` of the subset `{name}` is malformed"))?),
    };
    let folder = entry.get("data_dir").and_then(Value::as_str).map(|f| f.trim_matches('/').to_owned());
    let default = entry.get("default").and_then(Value::as_bool).unwrap_or(false);
    Ok(Subset { default, folder: folder.filter(|f| !f.is_empty() && f != "."), splits, name })
}

/// `data_files`: a pattern or a list of patterns (then the split is `train`), a list of `{split, path}`, or a map from splits
/// to patterns.
fn splits(files: &Value) -> Option<Vec<(String, Vec<String>)>> {
    let patterns = |value: &Value| match texts(value) {
        found if found.is_empty() => None,
        found => Some(found),
    };
    match files {
        Value::String(_) => Some(vec![("train".into(), patterns(files)?)]),
        Value::Array(entries) if entries.iter().any(Value::is_object) => entries
            .iter()
            .map(|entry| Some((entry.get("split")?.as_str()?.to_owned(), patterns(entry.get("path")?)?)))
            .collect(),
        Value::Array(_) => Some(vec![("train".into(), patterns(files)?)]),
        Value::Object(map) => map.iter().map(|(split, paths)| Some((split.clone(), patterns(paths)?))).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_languages_and_subsets() {
        let readme = "---\r\nlicense: mit\nlanguage:\n- en\n- zh\nconfigs:\n- config_name: main\n  default: true\n  data_files:\n  - split: train\n    path: main/train-*\n  - split: test\n    path: [a.csv, b.csv]\n- config_name: one\n  data_files: x.csv\n- config_name: many\n  data_files: [x.csv, y.csv]\n- config_name: map\n  data_dir: sub/\n  data_files: {dev: z.csv}\n- config_name: 2024\n  data_dir: year\n---\n# Title\n";
        let card = Card::parse(readme).unwrap();
        assert_eq!((card.license.as_deref(), card.languages.join(" ").as_str()), (Some("mit"), "en zh"));
        let names: Vec<&str> = card.subsets.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["main", "one", "many", "map", "2024"]);
        assert!(card.subsets[0].default && !card.subsets[1].default);
        let split = |n: usize| card.subsets[n].splits.clone().unwrap();
        let pair =
            |split: &str, patterns: &[&str]| (split.to_owned(), patterns.iter().map(|p| p.to_string()).collect());
        assert_eq!(split(0), [pair("train", &["main/train-*"]), pair("test", &["a.csv", "b.csv"])]);
        assert_eq!(split(1), [pair("train", &["x.csv"])]);
        assert_eq!(split(2), [pair("train", &["x.csv", "y.csv"])]);
        assert_eq!(split(3), [pair("dev", &["z.csv"])]);
        assert_eq!(card.subsets[3].folder.as_deref(), Some("sub"));
        assert_eq!((card.subsets[4].folder.as_deref(), &card.subsets[4].splits), (Some("year"), &None));
    }

    #[test]
    fn no_front_matter_and_a_bad_one() {
        assert_eq!(Card::parse("# Title\n---\nlicense: mit\n---\n").unwrap(), Card::default());
        assert_eq!(Card::parse("").unwrap(), Card::default());
        assert_eq!(Card::parse("---\nlicense: mit\n").unwrap(), Card::default());
        let named = Card::parse("---\nlicense: other\nlicense_name: llama3\n---\n").unwrap();
        assert_eq!(named.license.as_deref(), Some("llama3"));
        assert!(Card::parse("---\na: [b\n---\n").unwrap_err().contains("not valid YAML"));
        assert!(Card::parse("---\nconfigs: {a: b}\n---\n").unwrap_err().contains("not a list"));
        assert!(Card::parse("---\nconfigs:\n- data_dir: b\n---\n").unwrap_err().contains("config_name"));
        assert!(Card::parse("---\nconfigs:\n- {config_name: a, data_files: 3}\n---\n").unwrap_err().contains("`a`"));
    }
}
