//! JSON: an array of objects.

use super::{Record, Visit, lines, unreadable, utf8, without_bom};
use crate::DataError;
use crate::error::{Place, kind};
use serde_json::Value;
use std::io::BufRead;

/// Reads the whole file. A file that begins with `{` is read as JSON Lines, which some tools write under this name.
pub(crate) fn read(reader: &mut dyn BufRead, shown: &str, visit: &mut Visit) -> Result<(), DataError> {
    let place = Place::file(shown);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|e| unreadable(place, &e))?;
    let text = utf8(without_bom(&bytes, shown)?, place)?;
    if text.trim_start().starts_with('{') {
        let whole: Result<Value, _> = serde_json::from_str(text);
        if let Ok(Value::Object(fields)) = &whole
            && text.trim().contains('\n')
        {
            let keys = fields.keys().map(String::as_str);
            return Err(place.error(
                format!("the file holds one object with {}, expected an array of objects", crate::error::list(keys)),
                "Write the rows as an array `[{…}, {…}]`, or one object per line",
            ));
        }
        return lines::read(&mut text.as_bytes(), shown, visit);
    }
    let items: Vec<Value> = serde_json::from_str(text).map_err(|e| {
        Place::line(shown, e.line()).error(
            format!("this is not a JSON array of objects, column {}: {}", e.column(), lines::reason(&e)),
            "Correct the file; rows stand in an array `[{…}, {…}]`",
        )
    })?;
    for (i, item) in items.into_iter().enumerate() {
        let line = i + 1;
        let Value::Object(fields) = item else {
            return Err(place.error(
                format!("item {line} of the array is {}, expected an object", kind(&item)),
                "Write each row as an object `{…}`",
            ));
        };
        if visit(Record { line, fields })?.is_break() {
            break;
        }
    }
    Ok(())
}
