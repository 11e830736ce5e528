//! Small templates render as `transformers` renders them; the fixtures come from `tools/fixtures/chat_templates.py`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use serde_json::{Map, Value};
use std::path::Path;
use temper_text::ChatTemplate;

/// What the template engine has otherwise, or not at all; no chat template of the families is known to need it.
const DIFFERENT: [&str; 17] = [
    "{{ 'x'.encode is defined }}",
    "{{ '%s=%d' % ('a', 3) }}",
    "{{ '%s' % 'b' }}",
    "{{ '%05.2f' % 3.14159 }}",
    "{{ 'a\\tb'.expandtabs(4) }}",
    "{{ [1, 2, 3][3:0:-1] }}",
    "{{ dict([('a', 1)]) }}",
    "{{ {'x': 1.0, 'y': 1e20, 'z': 1e-7, 'n': -0.5, 'b': true, 'u': none} }}",
    "{{ 'abcdef' | truncate(3, true, '') }}",
    "{{ '<b>x</b>' | striptags }}",
    "{{ 'a b' | urlencode }}",
    "{{ 'ab' | center(6) }}",
    "{{ {1: 2, true: 3} | tojson }}",
    "{{ {'a': 1} | xmlattr }}",
    "{{ [1, 2] | pprint }}",
    "{{ 1000000 | filesizeformat }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}",
];

#[test]
fn the_language_is_that_of_transformers() {
    let bytes = std::fs::read(common::folder().join("chat_expressions.json")).unwrap();
    let fixtures: Value = serde_json::from_slice(&bytes).unwrap();
    let variables = Map::from_iter([("schema".to_owned(), fixtures["schema"].clone())]);
    let (mut compared, mut different, mut wrong) = (0, 0, Vec::new());
    for case in fixtures["expressions"].as_array().unwrap() {
        let source = case["source"].as_str().unwrap();
        let got = ChatTemplate::new(source, vec![], Path::new("t"))
            .and_then(|template| template.render(&fixtures["messages"], false, &variables));
        compared += 1;
        match (got, case["text"].as_str()) {
            (got, expected) if DIFFERENT.contains(&source) => {
                assert_ne!(got.ok().as_deref(), expected, "{source} does not differ");
                different += 1;
            }
            (Ok(got), Some(expected)) if got == expected => {}
            (Err(_), None) => {}
            (Ok(got), Some(expected)) => wrong.push(format!("{source}\n    got {got:?}\n    not {expected:?}")),
            (Ok(got), None) => wrong.push(format!("{source}\n    got {got:?}\n    not the error {}", case["error"])),
            (Err(e), Some(expected)) => wrong.push(format!("{source}\n    got the error {e}\n    not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(different, DIFFERENT.len());
    assert!(compared > 300, "{compared}");
}
