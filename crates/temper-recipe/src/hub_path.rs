//! `hf://…`: repositories on the Hugging Face Hub, by name.

use std::fmt;

use crate::RecipeError;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HubKind {
    /// A model: `hf://ORG/MODEL`.
    Model,
    /// A data set: `hf://datasets/ORG/NAME`.
    Dataset,
}

impl HubKind {
    /// The other kind.
    pub fn other(self) -> Self {
        match self {
            Self::Model => Self::Dataset,
            Self::Dataset => Self::Model,
        }
    }
}

impl fmt::Display for HubKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "data set",
        })
    }
}

/// A repository on the Hugging Face Hub, and perhaps files in it.
///
/// `hf://datasets/ORG/NAME[@REVISION][/PATH]` and `hf://ORG/MODEL[@REVISION]`, as Python's `huggingface_hub` writes them. A
/// revision is a branch, a tag, a commit, `refs/pr/N` or `refs/convert/parquet`; a `/` in any other name is written `%2F`.
/// Old names of one part (`hf://gpt2`, `hf://datasets/squad`) take a path only after a revision:
/// `hf://datasets/squad@main/PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubPath {
    /// What the repository holds.
    pub kind: HubKind,
    /// `ORG/NAME`, or the one part of an old name.
    pub repository: String,
    /// Branch, tag or commit; `None` for `main`.
    pub revision: Option<String>,
    /// A file, a folder or a glob in the repository.
    pub path: Option<String>,
}

impl HubPath {
    /// How such a path begins.
    pub const SCHEME: &str = "hf://";

    /// Whether a text names a repository, well-formed or not.
    pub fn is(text: &str) -> bool {
        text.starts_with(Self::SCHEME)
    }

    /// Reads `hf://…`.
    ///
    /// # Errors
    /// [`RecipeError::HubPath`]: what is malformed, and what to write.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let wrong = |message: String| RecipeError::HubPath { text: text.to_owned(), message };
        let Some(body) = text.strip_prefix(Self::SCHEME) else {
            return Err(wrong(format!("it does not begin with `hf://`; {SHAPES}")));
        };
        let (kind, body) = match body.split_once('/') {
            Some(("datasets", rest)) => (HubKind::Dataset, rest),
            Some(("models", rest)) => (HubKind::Model, rest),
            Some((other @ ("spaces" | "buckets" | "kernels"), _)) => {
                return Err(wrong(format!("`{other}` hold neither models nor data sets; {SHAPES}")));
            }
            None if body == "datasets" || body == "models" => {
                return Err(wrong(format!("the name is missing; {SHAPES}")));
            }
            _ => (HubKind::Model, body),
        };
        let body = body.strip_suffix('/').unwrap_or(body);
        let (name, revision, path) = split(body);
        check_name(name).map_err(|what| wrong(format!("{what}; {SHAPES}")))?;
        let revision = revision.map(decode);
        if revision.as_deref().is_some_and(|r| !sound(r)) {
            return Err(wrong(
                "the revision after `@` is empty or malformed; write a branch, a tag or a commit".into(),
            ));
        }
        if let Some(path) = path {
            if kind == HubKind::Model {
                return Err(wrong(format!("a model is a whole repository; remove `/{path}`")));
            }
            if !sound(path) {
                return Err(wrong(
                    "the path in the repository has an empty part, `.`, `..` or `\\`; write `FOLDER/FILE`".into(),
                ));
            }
        }
        Ok(Self { kind, repository: name.to_owned(), revision, path: path.map(str::to_owned) })
    }
}

const SHAPES: &str =
    "write `hf://datasets/ORG/NAME`, with `@REVISION` and `/PATH` after it where wanted, or `hf://ORG/MODEL`";

/// Name, revision and path of what follows the kind.
fn split(body: &str) -> (&str, Option<&str>, Option<&str>) {
    let second = body.match_indices('/').nth(1).map_or(body.len(), |(at, _)| at);
    let Some(at) = body[..second].find('@') else {
        let path = body.get(second + 1..);
        return (&body[..second], None, path);
    };
    let after = &body[at + 1..];
    // The Hub's own references are the only revisions with `/` that need no `%2F`.
    let parts = match after.split('/').collect::<Vec<_>>().as_slice() {
        ["refs", "pr" | "convert", _, ..] => 3,
        _ => 1,
    };
    let end = after.match_indices('/').nth(parts - 1).map_or(after.len(), |(at, _)| at);
    (&body[..at], Some(&after[..end]), after.get(end + 1..))
}

fn decode(revision: &str) -> String {
    revision.replace("%2F", "/").replace("%2f", "/")
}

/// Names go into addresses and folder names.
fn check_name(name: &str) -> Result<(), String> {
    let parts: Vec<&str> = name.split('/').collect();
    if name.is_empty() || parts.contains(&"") {
        return Err("the name is missing, or a part of it is empty".into());
    }
    if let Some(odd) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_./".contains(*c))) {
        return Err(format!("`{odd}` is not in any name on the Hub"));
    }
    let edge = |part: &&str| part.starts_with(['.', '-']) || part.ends_with(['.', '-']);
    if name.contains("..") || name.contains("--") || parts.iter().any(edge) {
        return Err("no name on the Hub has `..` or `--`, or begins or ends with `.` or `-`".into());
    }
    Ok(())
}

/// Whether a relative path stays where it is put.
fn sound(path: &str) -> bool {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    !path.split('/').any(odd) && !path.contains(|c: char| c == '\\' || c.is_control())
}

impl fmt::Display for HubPath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.kind == HubKind::Dataset { "datasets/" } else { "" };
        write!(f, "{}{kind}{}", Self::SCHEME, self.repository)?;
        if let Some(revision) = &self.revision {
            let special = revision.starts_with("refs/pr/") || revision.starts_with("refs/convert/");
            let plain = if special { revision.clone() } else { revision.replace('/', "%2F") };
            write!(f, "@{plain}")?;
        }
        match &self.path {
            Some(path) => write!(f, "/{path}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (HubKind, String, Option<String>, Option<String>) {
        let path = HubPath::parse(text).unwrap();
        assert_eq!(path.to_string(), text.trim_end_matches('/').replace("hf://models/", "hf://"));
        (path.kind, path.repository, path.revision, path.path)
    }

    #[test]
    fn names_revisions_and_paths() {
        let some = |text: &str| Some(text.to_owned());
        use HubKind::{Dataset, Model};
        assert_eq!(parsed("hf://datasets/openai/gsm8k"), (Dataset, "openai/gsm8k".into(), None, None));
        assert_eq!(parsed("hf://datasets/squad/"), (Dataset, "squad".into(), None, None));
        assert_eq!(parsed("hf://gpt2"), (Model, "gpt2".into(), None, None));
        assert_eq!(parsed("hf://models/a/b@v1.0"), (Model, "a/b".into(), some("v1.0"), None));
        assert_eq!(parsed("hf://gpt2@main"), (Model, "gpt2".into(), some("main"), None));
        assert_eq!(parsed("hf://datasets/a/b/data/*.parquet"), (Dataset, "a/b".into(), None, some("data/*.parquet")));
        assert_eq!(parsed("hf://datasets/a/b@x/y@z.csv"), (Dataset, "a/b".into(), some("x"), some("y@z.csv")));
        assert_eq!(parsed("hf://datasets/squad@x/y.csv"), (Dataset, "squad".into(), some("x"), some("y.csv")));
        assert_eq!(
            parsed("hf://datasets/a/b@refs/convert/parquet/main/train"),
            (Dataset, "a/b".into(), some("refs/convert/parquet"), some("main/train"))
        );
        assert_eq!(parsed("hf://a/b@refs/pr/3"), (Model, "a/b".into(), some("refs/pr/3"), None));
        assert_eq!(parsed("hf://a/b@x%2Fy"), (Model, "a/b".into(), some("x/y"), None));
        assert_eq!(parsed("hf://datasets/a/b/x@y.csv"), (Dataset, "a/b".into(), None, some("x@y.csv")));
    }

    #[test]
    fn what_is_malformed_says_what_to_write() {
        for (text, what) in [
            ("hf://", "the name is missing"),
            ("hf://datasets", "the name is missing"),
            ("hf://datasets/", "the name is missing"),
            ("hf://a//b", "is empty"),
            ("hf://spaces/a/b", "neither models nor data sets"),
            ("hf://a/b/config.json", "remove `/config.json`"),
            ("hf://a/b@", "after `@`"),
            ("hf://datasets/a/b/../c", "`..`"),
            ("hf://datasets/a/b@x%2F..%2Fy", "after `@`"),
            ("hf://../b", "`..`"),
            ("hf://a b/c", "` `"),
            ("hf://a--b/c", "`--`"),
            ("hf:/a/b", "does not begin"),
        ] {
            let error = HubPath::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(what) && error.contains(text) && error.contains("rite") | error.contains("emove"),
                "{error}"
            );
        }
    }
}
