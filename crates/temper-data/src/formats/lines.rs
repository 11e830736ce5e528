//! JSON Lines: one object per line.

use super::open::Text;
use super::{LONGEST_RECORD, Record, too_long, unreadable, utf8};
use crate::DataError;
use crate::error::{Place, excerpt, kind};
use serde_json::Value;
use std::io::{BufRead, Read};

/// Reads line by line. Empty lines are passed over; lines may end in CR LF. A wrong line is an item of its own, and the next
/// line follows. Where an object has a key twice, the last value counts, as in Python and JavaScript; an integer beyond 64
/// bits becomes the nearest float.
pub(crate) struct Lines {
    /// `None` after an error of the file.
    text: Option<Text>,
    shown: String,
    line: usize,
    bytes: Vec<u8>,
}

impl Lines {
    pub fn new(text: Text, shown: String) -> Self {
        Self { text: Some(text), shown, line: 0, bytes: Vec::new() }
    }
}

impl Iterator for Lines {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.line += 1;
            let place = Place::line(&self.shown, self.line);
            self.bytes.clear();
            let read = self.text.as_mut()?.take(LONGEST_RECORD as u64 + 1).read_until(b'\n', &mut self.bytes);
            let failed = match read {
                Ok(0) => return None,
                Ok(read) if read > LONGEST_RECORD => too_long(place, "Write one object per line"),
                Ok(_) => match utf8(&self.bytes, place).map(str::trim) {
                    Ok("") => continue,
                    Ok(text) => return Some(record(text, self.line, place)),
                    Err(e) => return Some(Err(e)),
                },
                Err(e) => unreadable(place, &e),
            };
            self.text = None;
            return Some(Err(failed));
        }
    }
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
            if let Some(at) = memchr::memchr(0, text.as_bytes()) {
                let what = format!("byte {} of the line is NUL, which is not text", at + 1);
                return Err(place.error(what, "The file is damaged; copy or write it anew"));
            }
            let (what, remedy) = match e.is_eof() {
                true => (
                    "the JSON ends too early",
                    "Write each object on one line; if it is the last line, the file is cut off",
                ),
                false if text.contains('\r') => {
                    ("this is not JSON", "If lines end in CR alone, convert them: `tr '\\r' '\\n' < FILE > NEW`")
                }
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
