//! The type of a column that fits the values of all rows.

use crate::error::kind;
use arrow_schema::{DataType, Field, Fields};
use indexmap::IndexMap;
use serde_json::{Map, Number, Value};
use std::sync::Arc;

/// What the values of a field have been.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Kind {
    /// Null, or nothing at all.
    #[default]
    Null,
    Bool,
    Integer(Range),
    Float,
    Text,
    List(Box<Kind>),
    Object(Members),
}

pub(super) type Members = IndexMap<String, Kind>;

/// What is known of integers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    /// One is below 0.
    negative: bool,
    /// One is above what a signed integer of 64 bits holds.
    large: bool,
    /// One has more digits than a float keeps.
    inexact: bool,
}

/// A value that does not fit those before it: where inside of the row, and why.
#[derive(Debug, PartialEq)]
pub(super) struct Misfit {
    pub field: String,
    pub what: String,
}

/// Adds a row.
pub(super) fn add(members: &mut Members, row: &Map<String, Value>) -> Result<(), Misfit> {
    add_members(members, row, "")
}

fn add_members(members: &mut Members, row: &Map<String, Value>, path: &str) -> Result<(), Misfit> {
    for (name, value) in row {
        let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match members.get_mut(name) {
            Some(kind) => kind.add(value, &inside)?,
            None => {
                let mut kind = Kind::Null;
                kind.add(value, &inside)?;
                members.insert(name.clone(), kind);
            }
        }
    }
    Ok(())
}

impl Kind {
    fn add(&mut self, value: &Value, path: &str) -> Result<(), Misfit> {
        if matches!(self, Self::Null) {
            *self = match value {
                Value::Null => Self::Null,
                Value::Bool(_) => Self::Bool,
                Value::Number(number) => Self::of(number),
                Value::String(_) => Self::Text,
                Value::Array(_) => Self::List(Box::default()),
                Value::Object(_) => Self::Object(Members::new()),
            };
        }
        match (&mut *self, value) {
            (_, Value::Null) | (Self::Bool, Value::Bool(_)) | (Self::Text, Value::String(_)) => {}
            (Self::List(inside), Value::Array(items)) => {
                for item in items {
                    inside.add(item, &format!("{path}[]"))?;
                }
            }
            (Self::Object(members), Value::Object(object)) => add_members(members, object, path)?,
            (Self::Integer(_) | Self::Float, Value::Number(number)) => {
                *self = self.with(number).ok_or_else(|| Misfit {
                    field: path.to_owned(),
                    what: format!(
                        "the number {number} and those of the rows before have no common type that keeps them exactly"
                    ),
                })?;
            }
            (_, value) => {
                let what = format!("found {}, and the rows before have {}", kind(value), self.name());
                return Err(Misfit { field: path.to_owned(), what });
            }
        }
        Ok(())
    }

    fn of(number: &Number) -> Self {
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        match (number.as_i64(), number.as_u64()) {
            (Some(i), _) => Self::Integer(Range { negative: i < 0, large: false, inexact: i.unsigned_abs() > EXACT }),
            (None, Some(_)) => Self::Integer(Range { negative: false, large: true, inexact: true }),
            (None, None) => Self::Float,
        }
    }

    /// The type of these numbers and one more.
    fn with(&self, number: &Number) -> Option<Self> {
        match (self, &Self::of(number)) {
            (Self::Integer(a), Self::Integer(b)) => {
                let both = Range {
                    negative: a.negative || b.negative,
                    large: a.large || b.large,
                    inexact: a.inexact || b.inexact,
                };
                (!(both.negative && both.large)).then_some(Self::Integer(both))
            }
            (Self::Integer(range), Self::Float) | (Self::Float, Self::Integer(range)) => {
                (!range.inexact).then_some(Self::Float)
            }
            _ => Some(Self::Float),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "booleans",
            Self::Integer(_) | Self::Float => "numbers",
            Self::Text => "texts",
            Self::List(_) => "lists",
            Self::Object(_) => "objects",
        }
    }

    /// The column's type. An object without a member in any row has none.
    fn arrow(&self, path: &str) -> Result<DataType, Misfit> {
        Ok(match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Integer(Range { large: true, .. }) => DataType::UInt64,
            Self::Integer(_) => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::List(inside) => {
                DataType::List(Arc::new(Field::new("element", inside.arrow(&format!("{path}[]"))?, true)))
            }
            Self::Object(members) if members.is_empty() => {
                let what = "the objects are empty in every row, which Parquet cannot hold".to_owned();
                return Err(Misfit { field: path.to_owned(), what });
            }
            Self::Object(members) => DataType::Struct(fields(members, path)?),
        })
    }
}

/// The columns for the members of rows, or of the objects at `path`.
pub(super) fn fields(members: &Members, path: &str) -> Result<Fields, Misfit> {
    let field = |(name, kind): (&String, &Kind)| {
        let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        Ok(Field::new(name, kind.arrow(&inside)?, true))
    };
    members.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn types(rows: &[Value]) -> Result<Vec<DataType>, Misfit> {
        let mut members = Members::new();
        for row in rows {
            add(&mut members, row.as_object().unwrap())?;
        }
        Ok(fields(&members, "")?.iter().map(|field| field.data_type().clone()).collect())
    }

    #[test]
    fn numbers_keep_their_value() {
        let of = |numbers: &[Value]| {
            let rows: Vec<Value> = numbers.iter().map(|n| json!({"n": n})).collect();
            types(&rows).map(|mut types| types.remove(0))
        };
        assert_eq!(of(&[json!(null), json!(1), json!(-1)]), Ok(DataType::Int64));
        assert_eq!(of(&[json!(1), json!(u64::MAX)]), Ok(DataType::UInt64));
        assert_eq!(of(&[json!(1), json!(0.5), json!(-3)]), Ok(DataType::Float64));
        assert_eq!(of(&[json!(1_u64 << 53), json!(0.5)]), Ok(DataType::Float64));
        for numbers in
            [[json!(-1), json!(u64::MAX)], [json!((1_u64 << 53) + 1), json!(0.5)], [json!(0.5), json!(i64::MAX)]]
        {
            assert!(of(&numbers).unwrap_err().what.contains("keeps them exactly"));
        }
    }

    #[test]
    fn what_is_mixed_is_named() {
        let rows = [json!({"m": [{"c": "x"}]}), json!({"m": [{"c": ["x"]}]})];
        let e = types(&rows).unwrap_err();
        assert_eq!((e.field.as_str(), e.what.as_str()), ("m[].c", "found a list of 1, and the rows before have texts"));
        let e = types(&[json!({"a": {"b": {}}})]).unwrap_err();
        assert_eq!(e.field, "a.b");
    }

    #[test]
    fn objects_get_the_members_of_all_rows() {
        let rows = [json!({"o": {"a": 1}}), json!({"o": {"b": []}}), json!({"p": true})];
        let list = DataType::List(Arc::new(Field::new("element", DataType::Null, true)));
        let object = Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", list, true)]);
        assert_eq!(types(&rows), Ok(vec![DataType::Struct(object), DataType::Boolean]));
    }
}
