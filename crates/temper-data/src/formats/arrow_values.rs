//! Arrow's columns as JSON values.
//!
//! | Arrow | JSON |
//! |---|---|
//! | integers, booleans, texts | themselves, exactly |
//! | floats | numbers; NaN and infinities, which JSON does not have, become null and are counted |
//! | dates, times, timestamps | ISO 8601 texts; a timestamp with a time zone in UTC with `Z` |
//! | durations | ISO 8601 texts (`PT0.5S`) |
//! | decimals | texts, exactly |
//! | lists of every kind | lists |
//! | structs, and maps with text keys | objects |
//! | dictionaries, run-ends | the values they stand for |
//! | bytes, unions, intervals | an error that names the column: they have no JSON form that could be taken for text |

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, ArrowTimestampType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Number, Value};
use std::sync::Arc;

/// A column without a JSON form.
pub(crate) struct Unreadable {
    /// Name of the column, with the names of what it is inside of.
    pub column: String,
    pub what: String,
    pub remedy: &'static str,
}

/// The rows of a batch. Adds to `not_numbers` the numbers that became null.
pub(crate) fn rows(batch: &RecordBatch, not_numbers: &mut usize) -> Result<Vec<Map<String, Value>>, Unreadable> {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = names.iter().zip(batch.columns()).map(|(name, column)| values(column, name, not_numbers));
    Ok(objects(&names, columns.collect::<Result<_, _>>()?, batch.num_rows()))
}

/// Rows out of columns.
fn objects(names: &[&str], columns: Vec<Vec<Value>>, rows: usize) -> Vec<Map<String, Value>> {
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let row = |_| {
        let mut fields = Map::with_capacity(names.len());
        for (name, column) in names.iter().zip(&mut columns) {
            fields.insert((*name).to_owned(), column.next().unwrap_or_default());
        }
        fields
    };
    (0..rows).map(row).collect()
}

/// The values of one column, `path` by name.
fn values(array: &ArrayRef, path: &str, not_numbers: &mut usize) -> Result<Vec<Value>, Unreadable> {
    use DataType as D;
    Ok(match array.data_type() {
        D::Null => vec![Value::Null; array.len()],
        D::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        D::Int8 => integers::<Int8Type>(array),
        D::Int16 => integers::<Int16Type>(array),
        D::Int32 => integers::<Int32Type>(array),
        D::Int64 => integers::<Int64Type>(array),
        D::UInt8 => integers::<UInt8Type>(array),
        D::UInt16 => integers::<UInt16Type>(array),
        D::UInt32 => integers::<UInt32Type>(array),
        D::UInt64 => integers::<UInt64Type>(array),
        D::Float16 => floats(array.as_primitive::<Float16Type>().iter().map(|v| v.map(f64::from)), not_numbers),
        D::Float32 => floats(array.as_primitive::<Float32Type>().iter().map(|v| v.map(shortest)), not_numbers),
        D::Float64 => floats(array.as_primitive::<Float64Type>().iter(), not_numbers),
        D::Utf8 => array.as_string::<i32>().iter().map(Value::from).collect(),
        D::LargeUtf8 => array.as_string::<i64>().iter().map(Value::from).collect(),
        D::Utf8View => array.as_string_view().iter().map(Value::from).collect(),
        D::Timestamp(unit, Some(_)) => texts(&in_utc(array, *unit), path)?,
        D::Timestamp(_, None) | D::Date32 | D::Date64 | D::Time32(_) | D::Time64(_) | D::Duration(_) => {
            texts(array, path)?
        }
        D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => texts(array, path)?,
        D::List(_) => lists(array, array.as_list::<i32>(), path, not_numbers)?,
        D::LargeList(_) => lists(array, array.as_list::<i64>(), path, not_numbers)?,
        D::FixedSizeList(_, size) => {
            let (size, inside) = (usize::try_from(*size).unwrap_or(0), array.as_fixed_size_list().values());
            let mut items = values(inside, path, not_numbers)?.into_iter();
            let lists = (0..array.len()).map(|i| {
                let list: Vec<Value> = items.by_ref().take(size).collect();
                if array.is_null(i) { Value::Null } else { Value::Array(list) }
            });
            lists.collect()
        }
        D::ListView(item) => values(&cast(array, &D::List(item.clone()), path)?, path, not_numbers)?,
        D::LargeListView(item) => values(&cast(array, &D::LargeList(item.clone()), path)?, path, not_numbers)?,
        D::Struct(fields) => {
            let array = array.as_struct();
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            let column = |(name, column): (&&str, &ArrayRef)| values(column, &format!("{path}.{name}"), not_numbers);
            let columns = names.iter().zip(array.columns()).map(column).collect::<Result<_, _>>()?;
            nullable(array, objects(&names, columns, array.len()).into_iter().map(Value::Object))
        }
        D::Map(..) => maps(array, path, not_numbers)?,
        D::Dictionary(_, inside) => values(&cast(array, inside, path)?, path, not_numbers)?,
        D::RunEndEncoded(_, inside) => values(&cast(array, inside.data_type(), path)?, path, not_numbers)?,
        _ if array.null_count() == array.len() => vec![Value::Null; array.len()],
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => {
            return Err(Unreadable {
                column: path.to_owned(),
                what: "the column holds bytes, which are not text".to_owned(),
                remedy: "Leave the column out when writing the file; or, if it is text, write it as strings",
            });
        }
        other => return Err(unknown(path, other)),
    })
}

fn unknown(path: &str, found: &DataType) -> Unreadable {
    Unreadable {
        column: path.to_owned(),
        what: format!("the column's type is {found}, which has no JSON form"),
        remedy: "Leave the column out when writing the file, or write it as strings",
    }
}

fn cast(array: &ArrayRef, to: &DataType, path: &str) -> Result<ArrayRef, Unreadable> {
    arrow_cast::cast(array, to).map_err(|_| unknown(path, array.data_type()))
}

fn nullable(array: &dyn Array, values: impl Iterator<Item = Value>) -> Vec<Value> {
    values.enumerate().map(|(i, value)| if array.is_null(i) { Value::Null } else { value }).collect()
}

fn integers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<Value>
where
    Value: From<T::Native>,
{
    array.as_primitive::<T>().iter().map(|v| v.map_or(Value::Null, Value::from)).collect()
}

fn floats(values: impl Iterator<Item = Option<f64>>, not_numbers: &mut usize) -> Vec<Value> {
    let value = |v: Option<f64>| match v.map(Number::from_f64) {
        None => Value::Null,
        Some(Some(number)) => Value::Number(number),
        Some(None) => {
            *not_numbers += 1;
            Value::Null
        }
    };
    values.map(value).collect()
}

/// The f64 with the digits of an f32: 0.1 and not 0.10000000149011612, as NumPy prints it.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Values by Arrow's own way of writing them.
fn texts(array: &ArrayRef, path: &str) -> Result<Vec<Value>, Unreadable> {
    let options = FormatOptions::new().with_display_error(false);
    let written = ArrayFormatter::try_new(array, &options).map_err(|_| unknown(path, array.data_type()))?;
    let value = |i| match array.is_null(i) {
        true => Ok(Value::Null),
        false => written.value(i).try_to_string().map(Value::from).map_err(|e| Unreadable {
            column: path.to_owned(),
            what: format!("a value of type {} cannot be written: {e}", array.data_type()),
            remedy: "Correct the value",
        }),
    };
    (0..array.len()).map(value).collect()
}

/// The same instants with the zone UTC: Arrow stores them so, and a zone's name would need a table of zones.
fn in_utc(array: &ArrayRef, unit: TimeUnit) -> ArrayRef {
    fn of<T: ArrowTimestampType>(array: &ArrayRef) -> ArrayRef {
        Arc::new(array.as_primitive::<T>().clone().with_timezone("+00:00"))
    }
    match unit {
        TimeUnit::Second => of::<TimestampSecondType>(array),
        TimeUnit::Millisecond => of::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => of::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => of::<TimestampNanosecondType>(array),
    }
}

fn lists<O: OffsetSizeTrait>(
    array: &ArrayRef,
    list: &arrow_array::GenericListArray<O>,
    path: &str,
    not_numbers: &mut usize,
) -> Result<Vec<Value>, Unreadable> {
    let ends = list.value_offsets();
    let (first, last) = (ends[0].as_usize(), ends[list.len()].as_usize());
    let mut items = values(&list.values().slice(first, last - first), path, not_numbers)?.into_iter();
    let lists = ends.windows(2).map(|pair| {
        // A null list may have items, which do not count.
        Value::Array(items.by_ref().take(pair[1].as_usize() - pair[0].as_usize()).collect())
    });
    Ok(nullable(array, lists))
}

fn maps(array: &ArrayRef, path: &str, not_numbers: &mut usize) -> Result<Vec<Value>, Unreadable> {
    let map = array.as_map();
    let keys = cast(map.keys(), &DataType::Utf8, path)?;
    // Offsets are never negative; the arrays check them when they are made.
    let ends: Vec<usize> = map.value_offsets().iter().map(|end| *end as usize).collect();
    let (first, last) = (ends[0], ends[map.len()]);
    let mut inside = values(&map.values().slice(first, last - first), path, not_numbers)?.into_iter();
    let keys = keys.as_string::<i32>();
    let objects = ends.windows(2).map(|pair| {
        let entry = |i: usize| (keys.value(i).to_owned(), inside.next().unwrap_or_default());
        Value::Object((pair[0]..pair[1]).map(entry).collect())
    });
    Ok(nullable(array, objects))
}
