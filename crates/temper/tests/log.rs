//! `temper log`: item logs shown, converted, made into a page.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Scratch, log};

/// Two lines of an item log.
fn lines(right: [&str; 2]) -> String {
    let line = |id: usize, right: &str| {
        format!(
            "{{\"suite\":\"sums\",\"id\":\"{id}\",\"repeat\":0,\"prompt\":\"1+{id}?\",\"text\":\"<think>\\nx\\n</think>\\n{id}</script>\",\
             \"thinking\":\"x\",\"answer\":\"{id}</script>\",\"tokens\":5,\"finish\":\"stop\",\"scores\":{{\"right\":{right}}},\
             \"fields\":{{\"answer\":\"{id}\"}}}}\n"
        )
    };
    line(1, right[0]) + &line(2, right[1])
}

#[test]
fn shown_converted_and_viewed() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &lines(["1.0", "0.0"]));
    scratch.write("b.jsonl", &lines(["1.0", "{\"unscored\":\"no number\"}"]));
    let table = scratch.ok(&["log", "show", "a.jsonl"]);
    assert!(table.contains("2 samples of 2 items") && table.contains("50.0 %"), "{table}");
    let said = scratch.ok(&["log", "convert", "a.jsonl", "b.jsonl", "--to", "eval", "--out", "logs"]);
    assert_eq!(said.matches(", 2 samples").count(), 2, "{said}");
    for name in ["a", "b"] {
        assert!(
            log(&scratch.path(&format!("{name}.jsonl"))) == log(&scratch.path(&format!("logs/{name}.eval"))),
            "{name}"
        );
    }
    scratch.ok(&["log", "convert", "logs/b.eval", "--to", "jsonl", "--out", "back.jsonl"]);
    assert!(log(&scratch.path("back.jsonl")) == log(&scratch.path("b.jsonl")));
    let json: serde_json::Value = serde_json::from_str(&scratch.ok(&["log", "show", "logs/b.eval", "--json"])).unwrap();
    assert_eq!((&json["model"], &json["samples"], &json["status"]), (&"b".into(), &2.into(), &"success".into()));
    assert_eq!((&json["measurements"][0]["unscored"], &json["measurements"][0]["value"]), (&1.into(), &1.0.into()));
    let said = scratch.ok(&["log", "convert", "logs/b.eval", "--to", "lm-eval", "--out", "lm"]);
    assert!(said.contains("lm/b/results_") && said.contains("1 scores without a value are left out"), "{said}");
    let said = scratch.ok(&["log", "view", "logs/a.eval", "logs/b.eval", "--out", "page/items.html"]);
    assert!(said.contains("page/items.html: 2 items"), "{said}");
    let html = std::fs::read_to_string(scratch.path("page/items.html")).unwrap();
    assert_eq!(html.matches("</script").count(), 2);
    let compared = scratch.ok(&["compare", "logs/a.eval", "b.jsonl"]);
    assert!(compared.contains("right"), "{compared}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let scratch = Scratch::new();
    scratch.write("a.jsonl", &lines(["1.0", "0.0"]));
    scratch.write("bad.eval", "PK\u{3}\u{4} and no more");
    std::fs::create_dir(scratch.path("other")).unwrap();
    scratch.write("other/a.jsonl", &lines(["0.0", "0.0"]));
    for (arguments, expected) in [
        (&["log", "show", "none.eval"][..], "none.eval: cannot read"),
        (&["log", "show", "bad.eval"], "bad.eval: the archive: not a whole ZIP archive"),
        (&["log", "convert", "a.jsonl", "--to", "eval", "--out", "a.zip"], "name a file that ends in .eval"),
        (&["log", "convert", "a.jsonl", "--to", "jsonl", "--out", "a.jsonl"], "a.jsonl is taken"),
        (&["log", "convert", "a.jsonl", "other/a.jsonl", "--to", "eval", "--out", "x"], "x/a.eval is taken by another"),
        (
            &["log", "convert", "a.jsonl", "other/a.jsonl", "--to", "lm-eval", "--out", "x"],
            "two logs hold suite `sums`",
        ),
        (&["log", "view", "a.jsonl", "--out", "page"], "name a file that ends in .html"),
    ] {
        let error = scratch.refused(arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    assert!(!scratch.path("x").exists() && log(&scratch.path("a.jsonl")).len() > 10);
}
