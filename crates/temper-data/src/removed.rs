//! What a cleaning step took out.

use crate::error::excerpt;
use serde::{Deserialize, Serialize};

/// How many rows a rule removed, and the first of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// The rule, as a reader should see it: `language en, zh`.
    pub rule: String,
    /// Rows that the rule was applied to.
    pub seen: usize,
    /// Rows that it removed.
    pub count: usize,
    /// The first of them.
    pub examples: Vec<RemovedExample>,
}

/// A row that was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemovedExample {
    /// Where the row is, `file:line`.
    pub place: String,
    /// Why it was removed: `language de, confidence 0.98`.
    pub why: String,
    /// The beginning of its text.
    pub excerpt: String,
}

impl Removed {
    /// Examples that are kept.
    pub const EXAMPLES: usize = 5;

    /// Nothing seen yet.
    pub fn new(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), seen: 0, count: 0, examples: Vec::new() }
    }

    /// Notes a row: `why` says what is wrong with it, `None` that it stays. Returns whether it stays.
    pub fn note(&mut self, place: &str, text: &str, why: Option<String>) -> bool {
        self.seen += 1;
        let Some(why) = why else { return true };
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            let line = text.split_whitespace().take(60).collect::<Vec<_>>().join(" ");
            self.examples.push(RemovedExample { place: place.to_owned(), why, excerpt: excerpt(&line) });
        }
        false
    }

    /// Rows that stay.
    pub fn kept(&self) -> usize {
        self.seen - self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_shown() {
        let mut removed = Removed::new("length of at most 3 characters");
        for row in 0..20 {
            let why = (row % 2 == 1).then(|| format!("{row} characters"));
            assert_eq!(removed.note(&format!("f:{row}"), &format!("a\n  {}", "b".repeat(row * 10)), why), row % 2 == 0);
        }
        assert_eq!((removed.seen, removed.count, removed.kept(), removed.examples.len()), (20, 10, 10, 5));
        assert_eq!((removed.examples[4].place.as_str(), removed.examples[0].excerpt.as_str()), ("f:9", "a bbbbbbbbbb"));
        assert!(removed.examples[4].excerpt.ends_with('…'));
        let json = serde_json::to_string(&removed).unwrap();
        assert_eq!(serde_json::from_str::<Removed>(&json).unwrap(), removed);
    }
}
