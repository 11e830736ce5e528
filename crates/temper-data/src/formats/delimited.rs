//! CSV and TSV.

use super::open::Text;
use super::{LONGEST_RECORD, Record, too_long, unreadable, utf8};
use crate::DataError;
use crate::error::{Place, excerpt};
use csv_core::ReadRecordResult;
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

/// Reads record by record; values are texts. Quoted values may span lines; a record's line is where it begins. Lines end in
/// LF, CR LF or CR. A record that is wrong is an item of its own, and the next one follows.
pub(crate) struct Delimited {
    raw: Raw,
    dialect: Dialect,
    headerless: bool,
    header: Option<Vec<String>>,
    ended: bool,
}

impl Delimited {
    pub fn new(text: Text, shown: String, dialect: Dialect, headerless: bool) -> Self {
        Self { raw: Raw::new(text, shown, dialect), dialect, headerless, header: None, ended: false }
    }

    /// The next record, whose values [`Raw`] holds.
    fn record(&mut self, line: usize) -> Result<Option<Record>, DataError> {
        let place = Place::line(&self.raw.shown, line);
        let texts = self.raw.values().map(|value| text(value, place)).collect::<Result<Vec<_>, _>>();
        let Some(header) = &self.header else {
            // Without its header the file cannot be read.
            self.ended = true;
            let texts = texts?;
            let first = self.header.insert(if self.headerless { numbers(texts.len()) } else { names(&texts, place)? });
            self.ended = false;
            return Ok(self.headerless.then(|| Record { line, fields: fields(first, &texts) }));
        };
        let texts = texts?;
        if texts.len() == header.len() {
            return Ok(Some(Record { line, fields: fields(header, &texts) }));
        }
        Err(place.error(
            format!(
                "found {} values, expected {} as on the first line; the record begins {:?}",
                texts.len(),
                header.len(),
                excerpt(&texts.join(" | "))
            ),
            match self.dialect {
                Dialect::Csv => {
                    "Put values with commas or line breaks between double quotes, and double the quotes inside"
                }
                Dialect::Tsv => "Replace tabs and line breaks inside values",
            },
        ))
    }
}

impl Iterator for Delimited {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.raw.read() {
                Ok(Some(line)) => match self.record(line) {
                    Ok(None) => {}
                    Ok(Some(record)) => return Some(Ok(record)),
                    Err(e) => return Some(Err(e)),
                },
                Ok(None) => self.ended = true,
                Err(e) => {
                    self.ended = true;
                    return Some(Err(e));
                }
            }
        }
        None
    }
}

/// Splits bytes into records of values, and counts lines.
struct Raw {
    text: Text,
    shown: String,
    parser: csv_core::Reader,
    /// Values of the last record, one after another, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
    line: usize,
    /// The last byte was a CR outside of values, which ends a line unless LF follows.
    after_cr: bool,
}

impl Raw {
    fn new(text: Text, shown: String, dialect: Dialect) -> Self {
        let parser = csv_core::ReaderBuilder::new()
            .delimiter(if dialect == Dialect::Csv { b',' } else { b'\t' })
            .quoting(dialect == Dialect::Csv)
            .build();
        let (bytes, ends) = (vec![0; 1 << 12], vec![0; 1 << 5]);
        Self { text, shown, parser, bytes, ends, count: 0, line: 1, after_cr: false }
    }

    /// Reads a record and gives the line on which it begins; `None` at the end of the file.
    fn read(&mut self) -> Result<Option<usize>, DataError> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let begin = self.line;
        let place = Place::line(&self.shown, begin);
        let (mut filled, mut ended) = (0, 0);
        loop {
            let input = self.text.fill_buf().map_err(|e| unreadable(place, &e))?;
            let last = input.is_empty();
            // A record is ended by a line end, so that one which is still open after this has an open quote.
            let input = if last { b"\n" } else { input };
            let (result, read, wrote, values) =
                self.parser.read_record(input, &mut self.bytes[filled..], &mut self.ends[ended..]);
            self.line += memchr::memchr_iter(b'\n', &input[..read]).count();
            self.after_cr = read > 0 && input[read - 1] == b'\r';
            (filled, ended) = (filled + wrote, ended + values);
            if !last {
                self.text.consume(read);
            }
            match result {
                ReadRecordResult::Record => {
                    self.count = ended;
                    return Ok(Some(begin));
                }
                ReadRecordResult::InputEmpty if last => {
                    return Err(place.error(
                        "a quote in this record is not closed",
                        "Close it, and double the quotes inside quoted values; or the file is cut off",
                    ));
                }
                ReadRecordResult::OutputFull if filled >= LONGEST_RECORD => {
                    return Err(too_long(place, "Look for a quote that is not closed"));
                }
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            }
        }
    }

    /// Passes over empty lines; `false` at the end of the file.
    fn skip_line_ends(&mut self) -> Result<bool, DataError> {
        loop {
            let place = Place::line(&self.shown, self.line);
            let input = self.text.fill_buf().map_err(|e| unreadable(place, &e))?;
            if input.is_empty() {
                return Ok(false);
            }
            let ends = input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            for byte in &input[..ends] {
                self.line += usize::from(*byte == b'\n' || self.after_cr);
                self.after_cr = *byte == b'\r';
            }
            let more = ends < input.len();
            self.text.consume(ends);
            if more {
                self.line += usize::from(std::mem::take(&mut self.after_cr));
                return Ok(true);
            }
        }
    }

    /// The values of the last record.
    fn values(&self) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[..self.count];
        ends.iter().scan(0, |begin, end| Some(&self.bytes[std::mem::replace(begin, *end)..*end]))
    }
}

fn text<'a>(value: &'a [u8], place: Place) -> Result<&'a str, DataError> {
    let text = utf8(value, place)?;
    match memchr::memchr(0, value) {
        None => Ok(text),
        Some(at) => Err(place.error(
            format!("byte {} of a value is NUL, which is not text: {:?}", at + 1, excerpt(text)),
            "The file is damaged; copy or write it anew",
        )),
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
