//! JSON Lines: one object per line.

use super::{Record, Visit, unreadable, utf8, without_bom};
use crate::DataError;
use crate::error::{Place, excerpt, kind};
use serde_json::Value;
use std::io::BufRead;

/// Reads line by line. Empty lines are passed over; lines may end in CR LF; a byte-order mark is dropped.
pub(crate) fn read(reader: &mut dyn BufRead, shown: &str, visit: &mut Visit) -> Result<(), DataError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let place = Place::line(shown, line);
        if reader.read_until(b'\n', &mut bytes).map_err(|e| unreadable(place, &e))? == 0 {
            break;
        }
        let bytes = if line == 1 { without_bom(&bytes, shown)? } else { &bytes };
        let text = utf8(bytes, place)?.trim();
        if text.is_empty() {
            continue;
        }
        if visit(record(text, line, place)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The record of one line.
pub(crate) fn record(text: &str, line: usize, place: Place) -> Result<Record, DataError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(Record { line, fields }),
        Ok(other) => Err(place.error(
            format!("found {}, expected a JSON object", kind(&other)),
            "Write one object per line, such as {\"prompt\": …, \"completion\": …}",
        )),
        Err(e) => {
            let (what, remedy) = match e.is_eof() {
                true => (
                    "the JSON ends too early",
                    "Write each object on one line; if it is the last line, the file is cut off",
                ),
                false => ("this is not JSON", "Correct the line; each is one JSON object with double quotes"),
            };
            Err(place.error(format!("{what}, column {}: {} in {:?}", e.column(), reason(&e), excerpt(text)), remedy))
        }
    }
}

/// What the parser said, without its own count of lines.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}
