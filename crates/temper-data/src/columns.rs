//! The columns of rows: how often they are there, of which types, with which values.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Columns that are counted; rows with keys of their own would take memory without bound.
const COLUMNS: usize = 256;
/// Different values of a column that are counted; a column with more is no category.
const VALUES: usize = 64;
/// Values that are shown.
const SHOWN: usize = 8;
/// Characters of the longest value of a category.
const LONGEST: usize = 40;

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Rows that have it, with a value other than null.
    pub rows: usize,
    /// How often it has which type: `text`, `number`, `boolean`, `list` or `object`.
    pub types: BTreeMap<&'static str, usize>,
    /// How many different values it has, of a column with few short ones.
    pub different: Option<usize>,
    /// The most frequent of them, with counts.
    pub top: Vec<(String, usize)>,
}

/// Counts columns over many rows.
#[derive(Default)]
pub(crate) struct Columns {
    names: HashMap<String, usize>,
    columns: Vec<(Column, Option<HashMap<String, usize>>)>,
    /// Whether there were more columns than are counted.
    pub more: bool,
}

impl Columns {
    pub fn add(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            let at = match self.names.get(name) {
                Some(at) => *at,
                None if self.columns.len() == COLUMNS => {
                    self.more = true;
                    continue;
                }
                None => {
                    self.names.insert(name.clone(), self.columns.len());
                    self.columns.push((Column { name: name.clone(), ..Column::default() }, Some(HashMap::new())));
                    self.columns.len() - 1
                }
            };
            let (column, values) = &mut self.columns[at];
            let Some(kind) = kind(value) else { continue };
            column.rows += 1;
            *column.types.entry(kind).or_default() += 1;
            if let Some(counted) = values {
                match category(value) {
                    Some(value) if counted.len() < VALUES || counted.contains_key(&value) => {
                        *counted.entry(value).or_default() += 1;
                    }
                    _ => *values = None,
                }
            }
        }
    }

    pub fn finish(self) -> Vec<Column> {
        let finish = |(mut column, values): (Column, Option<HashMap<String, usize>>)| {
            // Where nearly every row has its own value there is no category, however few the rows are.
            if let Some(values) = values.filter(|values| 2 * values.len() <= column.rows.max(2)) {
                column.different = Some(values.len());
                let mut top: Vec<(String, usize)> = values.into_iter().collect();
                top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                top.truncate(SHOWN);
                column.top = top;
            }
            column
        };
        self.columns.into_iter().map(finish).collect()
    }
}

fn kind(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    })
}

/// A value that may be one of a few.
fn category(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.chars().nth(LONGEST).is_none() => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_counted_with_types_and_values() {
        let mut columns = Columns::default();
        for i in 0..100 {
            let kind = ["a", "b", "b"][i % 3];
            let n = if i == 5 { json!("x") } else { json!(i % 2) };
            let row = json!({"id": i, "kind": kind, "text": format!("text {i}"), "odd": null, "n": n});
            columns.add(row.as_object().unwrap());
        }
        columns.add(json!({"list": [1], "long": "x".repeat(60)}).as_object().unwrap());
        let found = columns.finish();
        let of = |name: &str| found.iter().find(|column| column.name == name).unwrap();
        assert_eq!((of("kind").rows, of("kind").different), (100, Some(2)));
        assert_eq!(of("kind").top, [("b".to_owned(), 66), ("a".to_owned(), 34)]);
        assert_eq!((of("id").different, of("text").different, of("odd").rows), (None, None, 0));
        assert_eq!(of("n").types, BTreeMap::from([("number", 99), ("text", 1)]));
        assert_eq!((of("list").types["list"], of("list").different, of("long").different), (1, None, None));
    }

    #[test]
    fn rows_with_keys_of_their_own_take_bounded_memory() {
        let mut columns = Columns::default();
        for i in 0..1000 {
            columns.add(&Map::from_iter([(format!("k{i}"), json!(1))]));
        }
        assert!(columns.more && columns.finish().len() == COLUMNS);
    }
}
