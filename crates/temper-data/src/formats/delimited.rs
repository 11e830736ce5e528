//! CSV and TSV.

use super::{Record, Visit, unreadable, utf8, without_bom};
use crate::DataError;
use crate::error::{Place, excerpt};
use serde_json::{Map, Value};
use std::io::BufRead;

/// What separates and quotes values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Commas, double quotes (RFC 4180).
    Csv,
    /// Tabs; quotes are ordinary characters, as in IANA's `text/tab-separated-values`.
    Tsv,
}

/// Reads the whole file; values are texts. Quoted values may span lines; `line` is where a record begins.
pub(crate) fn read(
    reader: &mut dyn BufRead,
    shown: &str,
    dialect: Dialect,
    headerless: bool,
    visit: &mut Visit,
) -> Result<(), DataError> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|e| unreadable(Place::file(shown), &e))?;
    let bytes = without_bom(&bytes, shown)?;
    let mut lines = Lines { bytes, at: 0, line: 1 };
    let mut records = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if dialect == Dialect::Csv { b',' } else { b'\t' })
        .quoting(dialect == Dialect::Csv)
        .from_reader(bytes);
    let mut header: Option<Vec<String>> = None;
    let mut values = csv::ByteRecord::new();
    loop {
        let line = lines.of(records.position().byte() as usize);
        let more = records
            .read_byte_record(&mut values)
            .map_err(|e| Place::line(shown, line).error(format!("cannot read the record: {e}"), "Correct the line"))?;
        if !more {
            return Ok(());
        }
        let place = Place::line(shown, line);
        let texts = values.iter().map(|v| utf8(v, place)).collect::<Result<Vec<_>, _>>()?;
        let Some(header) = &header else {
            let first = header.insert(if headerless { numbers(texts.len()) } else { names(&texts, place)? });
            if headerless && visit(Record { line, fields: fields(first, &texts) })?.is_break() {
                return Ok(());
            }
            continue;
        };
        if texts.len() != header.len() {
            return Err(place.error(
                format!(
                    "found {} values, expected {} as on the first line; the record begins {:?}",
                    texts.len(),
                    header.len(),
                    excerpt(&texts.join(" | "))
                ),
                match dialect {
                    Dialect::Csv => {
                        "Put values with commas or line breaks between double quotes, and double the quotes inside"
                    }
                    Dialect::Tsv => "Replace tabs and line breaks inside values",
                },
            ));
        }
        if visit(Record { line, fields: fields(header, &texts) })?.is_break() {
            return Ok(());
        }
    }
}

/// Counts lines; the CSV reader's own count is one short where lines end in CR LF.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// Line of the first byte at or after `from` that is not a line end. `from` never goes back.
    fn of(&mut self, from: usize) -> usize {
        let ends = |b: &u8| matches!(b, b'\r' | b'\n');
        let from = from.max(self.at);
        let until = from + self.bytes[from..].iter().take_while(|b| ends(b)).count();
        self.line += self.bytes[self.at..until].iter().filter(|b| **b == b'\n').count();
        self.at = until;
        self.line
    }
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|i| i.to_string()).collect()
}

fn names(texts: &[&str], place: Place) -> Result<Vec<String>, DataError> {
    let mut out: Vec<String> = Vec::new();
    for text in texts {
        let mut name = text.trim().to_owned();
        if name.is_empty() {
            // Data frames are often written with a nameless column of row numbers.
            name = format!("column {}", out.len() + 1);
        }
        if out.contains(&name) {
            return Err(place.field(&name, "two columns have this name", "Rename one in the first line"));
        }
        out.push(name);
    }
    Ok(out)
}

fn fields(header: &[String], texts: &[&str]) -> Map<String, Value> {
    header.iter().cloned().zip(texts.iter().map(|text| Value::from(*text))).collect()
}
