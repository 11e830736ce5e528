//! Encodings of a text, each with the way back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Letters and the signs that stand for them.
pub type Table = &'static [(char, char)];

/// The table of each leetspeak variant.
pub const LEET: [Table; 2] = [
    &[('a', '4'), ('e', '3'), ('i', '1'), ('o', '0'), ('s', '5'), ('t', '7')],
    &[('a', '@'), ('e', '€'), ('i', '|'), ('o', '°'), ('s', '§'), ('t', '+')],
];

/// The text's UTF-8 bytes in base64 (RFC 4648, with padding).
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Undoes [`base64()`]; `None` for a text that is not base64 of UTF-8.
pub fn from_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Moves the letters a–z and A–Z on by 13. Its own way back.
pub fn rot13(text: &str) -> String {
    let turned = |c: char, first: u8| char::from((c as u8 - first + 13) % 26 + first);
    text.chars()
        .map(|c| match c {
            'a'..='z' => turned(c, b'a'),
            'A'..='Z' => turned(c, b'A'),
            other => other,
        })
        .collect()
}

/// Small letters replaced by the signs of the table. `None` for a text that has one of the signs: it could not be told from a
/// letter.
pub fn leet(text: &str, table: Table) -> Option<String> {
    if text.chars().any(|c| table.iter().any(|(_, sign)| *sign == c)) {
        return None;
    }
    let sign = |c: char| table.iter().find(|(letter, _)| *letter == c).map_or(c, |(_, sign)| *sign);
    Some(text.chars().map(sign).collect())
}

/// Undoes [`leet`].
pub fn from_leet(text: &str, table: Table) -> String {
    let letter = |c: char| table.iter().find(|(_, sign)| *sign == c).map_or(c, |(letter, _)| *letter);
    text.chars().map(letter).collect()
}

/// The table in words: `4 is a, 3 is e`.
pub(super) fn spell(table: Table) -> String {
    let pairs: Vec<String> = table.iter().map(|(letter, sign)| format!("{sign} = {letter}")).collect();
    pairs.join(", ")
}
