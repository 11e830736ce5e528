//! JSON: an array of objects, or an object with one.

use super::boundary::Walker;
use super::lines::{Lines, reason};
use super::open::{self, Text};
use super::{Notes, Record, Rows};
use crate::DataError;
use crate::error::{Place, kind, list};
use serde_json::Value;
use std::path::Path;

/// Members that are part of a row, so that a file with one object that has such a list holds one row, not a list of them.
const OF_A_ROW: [&str; 9] =
    ["messages", "conversations", "prompt", "completion", "completions", "chosen", "rejected", "tools", "tool_calls"];

const REMEDY: &str = "Write the rows as an array `[{…}, {…}]`, or one object per line";

/// The records of a file: the elements of an array; of the one array of objects that a single object has; or the lines of a
/// file with one object per line. Which of them it is, a first pass finds out: at the first byte for an array, at the second
/// object for lines, and only for a single object at the end of the file.
pub(crate) fn records(path: &Path, shown: String, notes: &Notes) -> Result<Rows, DataError> {
    let layout = layout(open::text(path, &shown)?, &shown)?;
    let text = open::text(path, &shown)?;
    let member = match layout {
        Layout::Lines => return Ok(Box::new(Lines::new(text, shown))),
        Layout::Array => None,
        Layout::Member { name, others } => {
            let beside = list(others.iter().map(String::as_str));
            notes.say(match others.is_empty() {
                true => format!("{shown}: the rows are those of its member `{name}`"),
                false => format!("{shown}: the rows are those of its member `{name}`; not read are {beside}"),
            });
            Some(name)
        }
    };
    Ok(Box::new(Elements::new(text, shown, member)?))
}

enum Layout {
    Array,
    Lines,
    Member { name: String, others: Vec<String> },
}

/// What is wrong with the JSON at a walker's place.
fn wrong(walker: &Walker<Text>, shown: &str, why: &str) -> DataError {
    malformed(shown, walker.line, walker.column + 1, why)
}

fn malformed(shown: &str, line: usize, column: usize, why: &str) -> DataError {
    Place::line(shown, line).error(
        format!("this is not a JSON array of objects, column {column}: {why}"),
        "Correct the file; rows stand in an array `[{…}, {…}]`",
    )
}

/// The first pass.
fn layout(text: Text, shown: &str) -> Result<Layout, DataError> {
    let mut walker = Walker::new(text);
    match walker.peek(shown)? {
        None => return Ok(Layout::Lines),
        Some(b'[') => return Ok(Layout::Array),
        Some(b'{') => walker.take(),
        Some(_) => return Err(wrong(&walker, shown, "expected `[`")),
    }
    let begin = walker.line;
    let (mut arrays, mut others) = (Vec::new(), Vec::new());
    let ended = loop {
        let Some(name) = member(&mut walker, shown)? else {
            break walker.peek(shown)? == Some(b'}');
        };
        let is_array = walker.peek(shown)? == Some(b'[');
        if is_array {
            walker.take();
        }
        let of_objects = is_array && walker.peek(shown)? == Some(b'{');
        if of_objects && !OF_A_ROW.contains(&name.as_str()) {
            arrays.push(name);
        } else {
            others.push(name);
        }
        walker.skip(shown, usize::from(is_array))?;
    };
    let several_lines = walker.line > begin;
    if ended {
        walker.take();
    }
    // Further bytes are further objects; or this one is not JSON, which reading it as a line says best.
    if walker.peek(shown)?.is_some() || (!ended && arrays.is_empty()) {
        return Ok(Layout::Lines);
    }
    let here = Place::file(shown);
    match (arrays.as_slice(), several_lines) {
        ([name], _) => Ok(Layout::Member { name: name.clone(), others }),
        ([], false) => Ok(Layout::Lines),
        ([], true) => {
            let what = list(others.iter().map(String::as_str));
            Err(here.error(format!("the file holds one object with {what}, expected an array of objects"), REMEDY))
        }
        (several, _) => {
            let names = list(several.iter().map(String::as_str));
            let what = format!("the file holds one object with several arrays of objects, {names}, expected one");
            Err(here.error(what, "Write each array into a file of its own"))
        }
    }
}

/// The next member's name of an object, with the colon after it; `None` where no member begins.
fn member(walker: &mut Walker<Text>, shown: &str) -> Result<Option<String>, DataError> {
    if walker.peek(shown)? == Some(b',') {
        walker.take();
    }
    if walker.peek(shown)? != Some(b'"') {
        return Ok(None);
    }
    let mut key = Vec::new();
    walker.value(shown, &mut key)?;
    let Ok(name) = serde_json::from_slice(&key) else { return Ok(None) };
    if walker.peek(shown)? != Some(b':') {
        return Ok(None);
    }
    walker.take();
    Ok(Some(name))
}

/// Reads the elements of an array, one at a time. An element that is no object is an item of its own, and the next element
/// follows; what is not JSON ends the file.
struct Elements {
    walker: Walker<Text>,
    shown: String,
    /// The array, for messages.
    array: String,
    read: usize,
    bytes: Vec<u8>,
    ended: bool,
    /// The array is the whole file.
    whole: bool,
}

impl Elements {
    /// At the first element of the array, which is the file or one of its members.
    fn new(text: Text, shown: String, inside: Option<String>) -> Result<Self, DataError> {
        let mut walker = Walker::new(text);
        walker.peek(&shown)?;
        walker.take();
        if let Some(wanted) = &inside {
            while let Some(name) = member(&mut walker, &shown)? {
                walker.peek(&shown)?;
                if name == *wanted {
                    walker.take();
                    break;
                }
                walker.skip(&shown, 0)?;
            }
        }
        let whole = inside.is_none();
        let array = inside.map_or("the array".into(), |name| format!("`{name}`"));
        Ok(Self { walker, shown, array, read: 0, bytes: Vec::new(), ended: false, whole })
    }

    /// Reads an element with what stands before it; `None` after the last.
    fn element(&mut self) -> Result<Option<Value>, DataError> {
        let Self { walker, shown, .. } = self;
        let early = "it ends too early";
        match walker.peek(shown)? {
            Some(b']') => {
                walker.take();
                return match self.whole && walker.peek(shown)?.is_some() {
                    true => Err(wrong(walker, shown, "something stands after the array")),
                    false => Ok(None),
                };
            }
            Some(b',') if self.read > 0 => {
                walker.take();
                if walker.peek(shown)? == Some(b']') {
                    return Err(wrong(walker, shown, "a comma stands after the last row"));
                }
            }
            Some(_) if self.read > 0 => return Err(wrong(walker, shown, "expected `,` or `]`")),
            _ => {}
        }
        match walker.peek(shown)? {
            None => return Err(wrong(walker, shown, early)),
            Some(b',' | b':' | b'}') => return Err(wrong(walker, shown, "expected a row")),
            Some(_) => {}
        }
        let (line, column) = (walker.line, walker.column);
        walker.value(shown, &mut self.bytes)?;
        // The parser counts from the element's first byte.
        let at = |l: usize, c: usize| (line + l.max(1) - 1, if l <= 1 { column + c } else { c });
        let text = std::str::from_utf8(&self.bytes).map_err(|e| {
            let before = &self.bytes[..e.valid_up_to()];
            let breaks = memchr::memchr_iter(b'\n', before).count();
            let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |last| last + 1);
            let (line, column) = at(breaks + 1, column + 1);
            super::not_utf8(Place::line(shown, line), column)
        })?;
        let value = serde_json::from_str(text).map_err(|e| {
            let (line, column) = at(e.line(), e.column());
            let why = if e.is_eof() { early.to_owned() } else { reason(&e) };
            malformed(shown, line, column, &why)
        })?;
        self.read += 1;
        Ok(Some(value))
    }
}

impl Iterator for Elements {
    type Item = Result<Record, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.element() {
            Ok(Some(Value::Object(fields))) => Some(Ok(Record { line: self.read, fields })),
            Ok(Some(other)) => Some(Err(Place::file(&self.shown).error(
                format!("item {} of {} is {}, expected an object", self.read, self.array, kind(&other)),
                "Write each row as an object `{…}`",
            ))),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(e) => {
                self.ended = true;
                Some(Err(e))
            }
        }
    }
}
