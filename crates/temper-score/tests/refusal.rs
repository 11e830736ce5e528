//! Classes of refusals, on sentences of the authors' own.

#![allow(clippy::unwrap_used, reason = "tests")]

use temper_score::refusal::{Class, classify};

/// `compliance`, `partial` or `full`, with the request where it matters, and the completion.
const CASES: &str = include_str!("fixtures/refusals.txt");

#[test]
fn own_sentences() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in CASES.split("\n%%\n") {
        let (head, text) = case.split_once('|').unwrap();
        let (class, request) = match head.split_once('?') {
            Some((class, request)) => (class.trim(), Some(format!("{request}?"))),
            None => (head.trim(), None),
        };
        let expected = match class {
            "compliance" => Some(Class::Compliance),
            "partial" => Some(Class::Partial),
            "full" => Some(Class::Full),
            "none" => None,
            other => panic!("class {other}"),
        };
        let found = classify(text, request.as_deref());
        cases += 1;
        if found.as_ref().map(|verdict| verdict.class) != expected {
            wrong.push(format!("expected {expected:?}, found {found:?}: {text}"));
        }
    }
    assert!(cases >= 60);
    assert!(wrong.is_empty(), "{} of {cases}\n{}", wrong.len(), wrong.join("\n"));
}
