//! JSON as Python writes it.
//!
//! Python's `json` writes `NaN`, `Infinity` and `-Infinity` bare, whole numbers of any length, and halves of surrogate pairs.
//! None of that is JSON. Here each becomes what says the same: a text of its own spelling, and U+FFFD for half a pair.

use std::borrow::Cow;

/// The same bytes as JSON, unchanged where they are JSON already.
pub(super) fn json(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Out { bytes, from: 0, changed: None };
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string(&mut out, at + 1),
            b'N' | b'I' | b'-' | b'0'..=b'9' => {
                let end = at + bytes[at..].iter().take_while(|byte| is_part_of_token(**byte)).count();
                if !is_json(&bytes[at..end]) {
                    out.replace(at, end, &[b"\"", &bytes[at..end], b"\""]);
                }
                at = end.max(at + 1);
            }
            _ => at += 1,
        }
    }
    out.done()
}

fn is_part_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// Whether a token is a number that JSON knows and that keeps its value when it is read. A token that is neither that nor
/// one of Python's is left for the parser to complain about.
fn is_json(token: &[u8]) -> bool {
    match token {
        b"NaN" | b"Infinity" | b"-Infinity" => return false,
        _ if token.len() < 19 && !token.iter().any(|byte| matches!(byte, b'e' | b'E')) => return true,
        _ => {}
    }
    let Ok(text) = std::str::from_utf8(token) else { return true };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    }
    text.parse::<f64>().map_or(true, f64::is_finite)
}

/// Passes over a string from behind its opening quote; gives the place behind the closing one.
fn string(out: &mut Out, mut at: usize) -> usize {
    let bytes = out.bytes;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => match unit(bytes, at) {
                Some(0xD800..=0xDBFF) if matches!(unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
                Some(0xD800..=0xDFFF) => {
                    out.replace(at, at + 6, &[b"\\ufffd"]);
                    at += 6;
                }
                _ => at += 2,
            },
            _ => at += 1,
        }
    }
    at
}

/// The number of a `\uXXXX` that begins at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The bytes so far, copied only from the first change on.
struct Out<'a> {
    bytes: &'a [u8],
    from: usize,
    changed: Option<Vec<u8>>,
}

impl<'a> Out<'a> {
    fn replace(&mut self, start: usize, end: usize, with: &[&[u8]]) {
        let out = self.changed.get_or_insert_default();
        out.extend_from_slice(&self.bytes[self.from..start]);
        with.iter().for_each(|part| out.extend_from_slice(part));
        self.from = end;
    }

    fn done(self) -> Cow<'a, [u8]> {
        match self.changed {
            None => Cow::Borrowed(self.bytes),
            Some(mut out) => {
                out.extend_from_slice(&self.bytes[self.from..]);
                Cow::Owned(out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> serde_json::Value {
        serde_json::from_slice(&json(text.as_bytes())).unwrap()
    }

    #[test]
    fn what_is_json_is_left_alone() {
        let text = r#"{"a\"NaN": [1, -2.5e10, 18446744073709551615, -9223372036854775808, true, null, "\u00e9\ud83d\ude00\\"]}"#;
        assert!(matches!(json(text.as_bytes()), Cow::Borrowed(_)));
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    }

    #[test]
    fn what_only_python_writes_becomes_text() {
        let value = read(
            r#"[NaN, Infinity,-Infinity,{"a":NaN}, "NaN", 123456789012345678901234567890, 1e999, -18446744073709551616]"#,
        );
        let expected = serde_json::json!([
            "NaN",
            "Infinity",
            "-Infinity",
            {"a": "NaN"},
            "NaN",
            "123456789012345678901234567890",
            "1e999",
            "-18446744073709551616"
        ]);
        assert_eq!(value, expected);
        assert_eq!(
            read(r#"["\ud83d", "a\udc00b", "\ud83dx"]"#),
            serde_json::json!(["\u{fffd}", "a\u{fffd}b", "\u{fffd}x"])
        );
        assert_eq!(read("[0.1, 1.7976931348623157e308]"), serde_json::json!([0.1, f64::MAX]));
    }

    #[test]
    fn broken_text_stays_broken() {
        for text in ["{\"a\": NaN", "\"abc", "\"\\", "\"\\u12", "[N]", "[-]", "nul", "[1 2]", "\"\\ud83d\\"] {
            assert!(serde_json::from_slice::<serde_json::Value>(&json(text.as_bytes())).is_err(), "{text}");
        }
    }
}
