//! Where a JSON value ends, found without parsing it.

use super::{LONGEST_RECORD, too_long, unreadable};
use crate::DataError;
use crate::error::Place;
use std::io::{self, BufRead};

/// Walks over the JSON of a stream, value by value, and counts lines and columns.
pub(crate) struct Walker<R> {
    text: R,
    /// Line of the next byte, from 1.
    pub line: usize,
    /// Bytes of that line before the next byte.
    pub column: usize,
}

impl<R: BufRead> Walker<R> {
    pub fn new(text: R) -> Self {
        Self { text, line: 1, column: 0 }
    }

    /// The next byte that is not white space, left unread; `None` at the end.
    pub fn peek(&mut self, shown: &str) -> Result<Option<u8>, DataError> {
        self.look().map_err(|e| unreadable(Place::line(shown, self.line), &e))
    }

    fn look(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.text.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let space = buffer.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
            let found = buffer.get(space).copied();
            self.pass(space);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Reads `count` bytes of the buffer and counts their lines.
    fn pass(&mut self, count: usize) {
        let Ok(buffer) = self.text.fill_buf() else { return };
        let bytes = &buffer[..count];
        match memchr::memrchr(b'\n', bytes) {
            Some(last) => {
                self.line += memchr::memchr_iter(b'\n', bytes).count();
                self.column = count - last - 1;
            }
            None => self.column += count,
        }
        self.text.consume(count);
    }

    /// Reads one byte, which [`peek`](Self::peek) has seen.
    pub fn take(&mut self) {
        self.pass(1);
    }

    /// Reads the value that begins at the next byte into `out`: up to the end of an object, list or text, else up to a
    /// separator. At the end of the file it ends too. It is not checked; that is the parser's part.
    pub fn value(&mut self, shown: &str, out: &mut Vec<u8>) -> Result<(), DataError> {
        out.clear();
        self.scan(shown, Scan::default(), Some(out))
    }

    /// Passes over a value of any length, from within `depth` brackets.
    pub fn skip(&mut self, shown: &str, depth: usize) -> Result<(), DataError> {
        self.scan(shown, Scan { depth, ..Scan::default() }, None)
    }

    fn scan(&mut self, shown: &str, mut state: Scan, mut out: Option<&mut Vec<u8>>) -> Result<(), DataError> {
        let begin = self.line;
        loop {
            let buffer = self.text.fill_buf().map_err(|e| unreadable(Place::line(shown, self.line), &e))?;
            if buffer.is_empty() {
                return Ok(());
            }
            let (read, done) = state.read(buffer);
            if let Some(out) = &mut out {
                out.extend_from_slice(&buffer[..read]);
                if out.len() > LONGEST_RECORD {
                    return Err(too_long(Place::line(shown, begin), "Look for a quote or bracket that is not closed"));
                }
            }
            self.pass(read);
            if done {
                return Ok(());
            }
        }
    }
}

/// How far into a value the bytes are.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// How many of the bytes belong to the value, and whether it ends there.
    fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_text {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                let Some(next) = memchr::memchr2(b'"', b'\\', &bytes[at..]) else { return (bytes.len(), false) };
                at += next + 1;
                match bytes[at - 1] {
                    b'\\' => self.escaped = true,
                    _ => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return (at, true);
                        }
                    }
                }
                continue;
            }
            match bytes[at] {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return (at, true),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return (at, true),
                _ => {}
            }
            at += 1;
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end_whatever_the_buffer() {
        let text = r#" {"a": "}\"\\", "b": [1, {"c": "]"}]} , "x, y" ,true,
 -1.5e3, [[]] , {"#;
        for size in 1..text.len() {
            let mut walker = Walker::new(io::BufReader::with_capacity(size, text.as_bytes()));
            let (mut values, mut out) = (Vec::new(), Vec::new());
            while walker.peek("f").unwrap().is_some() {
                let (line, column) = (walker.line, walker.column);
                walker.value("f", &mut out).unwrap();
                values.push((line, column, String::from_utf8(out.clone()).unwrap()));
                if walker.peek("f").unwrap() == Some(b',') {
                    walker.take();
                }
            }
            let expected = [
                (1, 1, r#"{"a": "}\"\\", "b": [1, {"c": "]"}]}"#),
                (1, 40, r#""x, y""#),
                (1, 48, "true"),
                (2, 1, "-1.5e3"),
                (2, 9, "[[]]"),
                (2, 16, "{"),
            ];
            assert_eq!(values, expected.map(|(l, c, v)| (l, c, v.to_owned())), "buffer of {size}");
        }
    }
}
