//! Integers that 64 bits do not hold, which JSON's parser reads as the nearest float.

use serde_json::{Map, Value};

/// Digits that an integer beyond 64 bits has at least; 18446744073709551615 is the largest that is held.
const DIGITS: usize = 20;

/// Numbers of a row, parsed from `text`, that were rounded because they are beyond 64 bits.
pub(crate) fn rounded(text: &str, fields: &Map<String, Value>) -> usize {
    if has_long_run(text.as_bytes()) { fields.values().map(beyond).sum() } else { 0 }
}

/// Whether as many digits stand in a row anywhere. Only every twentieth byte is looked at: a run cannot pass between.
fn has_long_run(bytes: &[u8]) -> bool {
    let digits = |part: &mut dyn Iterator<Item = &u8>| part.take_while(|b| b.is_ascii_digit()).count();
    let mut places = (DIGITS - 1..bytes.len()).step_by(DIGITS);
    places.any(|at| {
        bytes[at].is_ascii_digit()
            && digits(&mut bytes[..at].iter().rev()) + digits(&mut bytes[at..].iter().take(DIGITS)) >= DIGITS
    })
}

fn beyond(value: &Value) -> usize {
    match value {
        Value::Number(number) if number.is_f64() => {
            // 2^63 is exact, and every float above it is an integer.
            usize::from(number.as_f64().is_some_and(|n| n.abs() >= 9_223_372_036_854_775_808.0))
        }
        Value::Array(items) => items.iter().map(beyond).sum(),
        Value::Object(fields) => fields.values().map(beyond).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_wherever_they_stand() {
        for before in 0..45 {
            for (digits, long) in [(0, false), (1, false), (19, false), (20, true), (41, true)] {
                let text = format!("{}{}{}", "x".repeat(before), "7".repeat(digits), "x".repeat(before % 7));
                assert_eq!(has_long_run(text.as_bytes()), long, "{text}");
            }
        }
    }

    #[test]
    fn only_what_was_rounded_is_counted() {
        let count = |text: &str| rounded(text, serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
        assert_eq!(count("{\"a\": 18446744073709551615, \"b\": -9223372036854775808}"), 0);
        assert_eq!(count("{\"a\": 18446744073709551616, \"b\": [{\"c\": -99999999999999999999}]}"), 2);
        assert_eq!(count("{\"a\": \"123456789012345678901234\", \"b\": 0.12345678901234567890123}"), 0);
    }
}
