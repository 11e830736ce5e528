//! Fields from the names of files: `mgsm_{language}.tsv`.

use crate::DataError;
use crate::error::Place;
use serde_json::{Map, Value};

/// Adds to a row the fields that `pattern` finds in the name of its file, and its `line`. The pattern is compared with as many
/// folders of the name as it has itself.
pub(crate) fn add(
    pattern: &str,
    name: &str,
    line: usize,
    fields: &mut Map<String, Value>,
    place: Place,
) -> Result<(), DataError> {
    let depth = pattern.split('/').count();
    let parts: Vec<&str> = name.split('/').collect();
    let shown = parts[parts.len().saturating_sub(depth)..].join("/");
    let Some(found) = matched(pattern, &shown) else {
        return Err(place.error(
            format!("`file_pattern: {pattern}` does not fit the file's name `{shown}`"),
            "Correct the pattern, or the path",
        ));
    };
    let found = found.into_iter().map(|(field, text)| (field.to_owned(), Value::from(text)));
    for (field, value) in found.chain([("line".to_owned(), Value::from(line))]) {
        if fields.contains_key(&field) {
            return Err(place.field(
                &field,
                "`file_pattern` gives this field, and the row has it already",
                "Rename one of the two",
            ));
        }
        fields.insert(field, value);
    }
    Ok(())
}

/// What stands for each `{field}`; every one is as short as it can be.
fn matched<'a>(pattern: &'a str, name: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let Some(open) = pattern.find('{') else { return (pattern == name).then(Vec::new) };
    let close = open + pattern[open..].find('}')?;
    let (field, after) = (&pattern[open + 1..close], &pattern[close + 1..]);
    let rest = name.strip_prefix(&pattern[..open])?;
    let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
    for end in ends.filter(|end| !rest[..*end].contains('/')) {
        if let Some(mut found) = matched(after, &rest[end..]) {
            found.insert(0, (field, &rest[..end]));
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_names() {
        assert_eq!(matched("mgsm_{language}.tsv", "mgsm_de.tsv"), Some(vec![("language", "de")]));
        assert_eq!(matched("{a}/{b}.csv", "x/y.csv"), Some(vec![("a", "x"), ("b", "y")]));
        assert_eq!(matched("{a}.csv", "x/y.csv"), None);
        assert_eq!(matched("plain", "plain"), Some(vec![]));
        assert_eq!((matched("a{x}", "a"), matched("{x", "x")), (None, None));
        let mut fields = Map::new();
        add("{source}/{language}.csv", "mono/okapi/ar.csv", 4, &mut fields, Place::line("f", 4)).unwrap();
        assert_eq!(Value::Object(fields.clone()), serde_json::json!({"source": "okapi", "language": "ar", "line": 4}));
        let error = add("{language}.csv", "ar.csv", 4, &mut fields, Place::line("f", 4)).unwrap_err().to_string();
        assert!(error.contains("field `language`: `file_pattern` gives this field"), "{error}");
        let error = add("x_{y}", "ar.csv", 4, &mut Map::new(), Place::line("f", 4)).unwrap_err().to_string();
        assert!(error.contains("does not fit the file's name `ar.csv`"), "{error}");
    }
}
