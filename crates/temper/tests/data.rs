//! `temper data inspect`, `stats` and `validate`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Scratch;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Six lines: a dialogue, a row of the wrong type, a special token in a user's text, no JSON, a long row, a row that only asks.
fn rows() -> String {
    let dialogue = json!({"id": "d1", "messages": [
        {"role": "user", "content": "什么?"}, {"role": "assistant", "content": "<think>\nso\n</think>\n\nNothing."},
    ]});
    let special = json!({"prompt": "evil <|im_end|> text", "completion": "yes"});
    let long = json!({"prompt": "long ".repeat(400), "completion": "ok"});
    [
        dialogue.to_string(),
        r#"{"messages": 3}"#.into(),
        special.to_string(),
        "no json".into(),
        long.to_string(),
        r#"{"prompt": "asks"}"#.into(),
    ]
    .join("\n")
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("rows.jsonl", &rows());
    scratch.write(
        "good.jsonl",
        &(0..50).map(|i| json!({"q": format!("What is {i} plus {}?", i + 1), "a": format!("It is {}.", 2 * i + 1), "kind": if i % 5 == 0 { "x" } else { "y" }}).to_string() + "\n").collect::<String>(),
    );
    scratch
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const GOOD: [&str; 4] = ["good.jsonl", "--columns", "prompt=q,completion=a", "--model"];

#[test]
fn rows_are_shown_token_by_token_and_the_rest_goes_on() {
    let scratch = scratch();
    let text = scratch.ok(&["data", "inspect", "rows.jsonl", "--rows", "6", "--model", "lab:base"]);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}\n{text}"));
    assert!(at("rows.jsonl:1 · id d1") < at("rows.jsonl:2 · not readable"));
    assert!(at("field `messages`: found the number 3") < at("rows.jsonl:3 ─"));
    assert!(at("special_in_text") < at("rows.jsonl:4 · not readable"));
    assert!(at("rows.jsonl:5 ─") < at("tokens …\n") && at("tokens …\n") < at("rows.jsonl:6 ─"));
    assert!(
        text.contains("<|im_end|>⟧\n") && text.contains("ends with <|im_end|>") && text.contains("⟦<think>│↵"),
        "{text}"
    );
    assert!(text.contains("none learned") && text.contains("ends a turn with <|im_end|>"), "{text}");
    assert!(!text.contains('\x1b'));
    let full = scratch.ok(&["data", "inspect", "rows.jsonl", "--row", "5", "--full", "--model", "lab:base"]);
    assert!(!full.contains("tokens …") && full.matches("rows.jsonl:").count() == 1, "{full}");
}

#[test]
fn the_tokens_are_those_of_training() {
    let scratch = scratch();
    let out = json_of(&scratch.ok(&["data", "inspect", "rows.jsonl", "--row", "d1", "--model", "lab:base", "--json"]));
    let example = &out["rows"][0]["examples"][0];
    let tokens = example["tokens"].as_array().unwrap();
    let text: String =
        tokens.iter().map(|token| token["text"].as_str().unwrap()).filter(|text| !text.contains('⟨')).collect();
    assert!(text.contains("<|im_start|>") && text.ends_with("Nothing.<|im_end|>"), "{text}");
    assert_eq!(
        example["text"],
        "<|im_start|>user\n什么?<|im_end|>\n<|im_start|>assistant\n<think>\nso\n</think>\n\nNothing.<|im_end|>"
    );
    let learned: Vec<bool> = tokens.iter().map(|token| token["learned"].as_bool().unwrap()).collect();
    let prompt = example["prompt_tokens"].as_u64().unwrap() as usize;
    assert!(learned[..prompt].iter().all(|mark| !mark) && learned[prompt..].iter().all(|mark| *mark));
    assert_eq!(tokens.last().unwrap()["id"], example["turns"][0]["stop_id"]);
    assert_eq!(out["rows"][0]["recognised"], "by the fields messages");
    let thinking =
        ["data", "inspect", "rows.jsonl", "--row", "d1", "--model", "lab:base", "--json", "--loss-on", "thinking"];
    let thinking = json_of(&scratch.ok(&thinking));
    let fewer = &thinking["rows"][0]["examples"][0];
    assert_eq!(fewer["tokens"].as_array().unwrap().len(), tokens.len());
    assert!(fewer["learned"].as_u64() < example["learned"].as_u64());
}

#[test]
fn without_a_tokenizer_the_turns_are_shown() {
    let scratch = scratch();
    let text = scratch.ok(&[
        "data",
        "inspect",
        "good.jsonl",
        "--columns",
        "prompt=q,completion=a",
        "--skip",
        "2",
        "--rows",
        "1",
    ]);
    assert!(text.contains("What is 2 plus 3?") && text.contains("It is 5.") && text.contains("--model"), "{text}");
    assert!(text.contains("prompt_completion, by the columns prompt=q, completion=a"), "{text}");
    let text = scratch.ok(&["data", "inspect", "lab:problems", "--rows", "1"]);
    assert!(text.contains("as the lab makes it"), "{text}");
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_a_remedy() {
    let scratch = scratch();
    for (arguments, expected) in [
        (&["nothing.jsonl"][..], "there is no `nothing.jsonl`"),
        (&["rows.jsonl", "--row", "77"], "has no such row"),
        (&["rows.jsonl", "--set", "sytem=x"], "did you mean `system`"),
        (&["rows.jsonl", "--loss-on", "all"], "expected one of `completion`"),
        (&["rows.jsonl", "--model", "lab:other"], "Use `lab:base`"),
        (&["rows.jsonl", "--chat-template", "x"], "--model"),
        (&["--recipe", "recipe.yaml"], "choose one with --data: demonstrations, problems, familiar"),
        (&["--recipe", "recipe.yaml", "--data", "none"], "it has demonstrations"),
        (&["--recipe", "recipe.yaml", "--data", "problems", "--stage", "a/b"], "sft_only/sft"),
    ] {
        let said = scratch.refused(&[&["data", "inspect"], arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn a_recipe_says_how_its_rows_are_learned() {
    let scratch = scratch();
    let of = |more: &[&str]| {
        let arguments = ["data", "inspect", "--recipe", "recipe.yaml", "--data", "demonstrations", "--json"];
        json_of(&scratch.ok(&[&arguments[..], more].concat()))
    };
    let found = of(&["--set", "arms.hybrid.stages.0.sft.loss_on=answer", "--stage", "hybrid/cold"]);
    assert_eq!(
        (&found["loss_on"], &found["max_length"], &found["model"]),
        (&json!("answer"), &json!(1024), &json!("lab:base"))
    );
    assert_eq!(of(&["--max-length", "40"])["max_length"], 40);
    assert_eq!(of(&[])["loss_on"], "completion");
}

#[test]
fn statistics_count_every_row() {
    let scratch = scratch();
    let out =
        json_of(&scratch.ok(&[&["data", "stats"], &GOOD[..], &["lab:base", "--json", "--max-length", "20"]].concat()));
    let stats = &out["stats"];
    assert_eq!((&stats["rows"], &stats["shapes"]), (&json!(50), &json!({"prompt_completion": 50})));
    assert_eq!(
        stats["characters"]["completion"]["total"],
        (0..50).map(|i| format!("It is {}.", 2 * i + 1).len()).sum::<usize>()
    );
    let tokens = &stats["tokens"];
    assert_eq!((&tokens["examples"], &tokens["tokens"]), (&json!(50), &tokens["whole"]["total"]));
    assert_eq!(tokens["targets"], tokens["learned"]["total"]);
    assert_eq!(tokens["longer"][0], 20);
    assert!(tokens["fill"][2].as_f64() >= tokens["fill"][1].as_f64());
    let kind = stats["columns"].as_array().unwrap().iter().find(|column| column["name"] == "kind").unwrap();
    assert_eq!(kind["top"], json!([["y", 40], ["x", 10]]));
    let text = scratch.ok(&["data", "stats", "rows.jsonl"]);
    assert!(text.contains("unreadable  2 rows; the first: rows.jsonl:2"), "{text}");
}

#[test]
fn validation_finds_everything_and_says_so_by_its_exit_code() {
    let scratch = scratch();
    let good = scratch.ok(&[&["data", "validate"], &GOOD[..], &["lab:base"]].concat());
    assert!(good.ends_with("✓ Nothing stops a run.\n"), "{good}");
    let bad = scratch.run(&["data", "validate", "rows.jsonl", "--model", "lab:base", "--json", "--max-length", "64"]);
    assert_eq!(bad.status.code(), Some(1));
    let out = json_of(&String::from_utf8(bad.stdout).unwrap());
    assert_eq!(out["passes"], false);
    let found = &out["sources"][0]["validation"];
    assert_eq!((&found["rows"], &found["unreadable"]), (&json!(6), &json!(2)));
    let stops: Vec<(&str, u64)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "stop")
        .map(|finding| (finding["check"].as_str().unwrap(), finding["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(stops, [("unreadable", 1), ("unreadable", 1), ("special_in_text", 1), ("target_cut", 1)]);
    let allowed = ["data", "validate", "rows.jsonl", "--model", "lab:base", "--allow", "special_in_text"];
    let allowed = scratch.run(&allowed);
    let text = String::from_utf8(allowed.stdout).unwrap();
    assert!(text.contains("✗ A run would stop: 2 checks fail"), "{text}");
    assert!(text.find("Warnings") < text.find("special_in_text"), "{text}");
    let without = scratch.run(&["data", "validate", "rows.jsonl"]);
    let text = String::from_utf8(without.stdout).unwrap();
    assert!(text.contains("give a tokenizer with --model") && text.contains("not JSON"), "{text}");
}

#[test]
fn held_out_rows_among_the_training_rows_stop_a_run() {
    let scratch = scratch();
    scratch.write("test.jsonl", &json!({"q": "WHAT is 3 plus 4"}).to_string());
    scratch.write("other.jsonl", &json!({"q": "Name a river in Africa."}).to_string());
    let against = |file: &str| {
        let more = ["lab:base", "--against", file, "--against-columns", "prompt=q"];
        scratch.run(&[&["data", "validate"], &GOOD[..], &more[..]].concat())
    };
    let found = against("test.jsonl");
    let text = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.status.code(), Some(1), "{text}");
    assert!(
        text.contains("1 of 1 item of test.jsonl are training rows") && text.contains("test.jsonl:1 is good.jsonl:4"),
        "{text}"
    );
    assert_eq!(against("other.jsonl").status.code(), Some(0));
}

#[test]
fn all_sources_and_suites_of_a_recipe_are_checked_as_their_stages_use_them() {
    let scratch = scratch();
    let out = json_of(&scratch.ok(&["data", "validate", "--recipe", "recipe.yaml", "--json"]));
    let uses: Vec<(&str, &str, &str)> = out["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| {
            let text = |value: &Value| value.as_str().unwrap().to_owned().leak() as &str;
            (text(&source["source"]), text(&source["used_by"]), text(&source["validation"]["purpose"]))
        })
        .collect();
    assert_eq!(
        uses,
        [
            ("familiar", "suite", "ask"),
            ("demonstrations", "sft_only/sft, hybrid/cold", "learn"),
            ("problems", "hybrid/grpo, hybrid/reject", "ask"),
        ]
    );
    // The suite's own rows as training data, by way of a file.
    scratch.ok(&["lab", "export", "eval/familiar", "--recipe", "recipe.yaml", "--out", "leak.jsonl"]);
    let leak = ["data", "validate", "--recipe", "recipe.yaml", "--set", "data.problems={path: leak.jsonl}"];
    let leak = scratch.run(&leak);
    let text = String::from_utf8(leak.stdout).unwrap();
    assert_eq!(leak.status.code(), Some(1), "{text}");
    assert!(text.contains("12 of 12 items of familiar are training rows"), "{text}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let scratch = scratch();
    let mut command =
        scratch.command(&["data", "inspect", "lab:demonstrations", "--rows", "2000", "--model", "lab:base"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && line.starts_with("source"), "{line}");
    assert!(!String::from_utf8_lossy(&out.stderr).contains("panicked"));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let scratch = scratch();
    let mut command = scratch.command(&["data", "inspect", "rows.jsonl", "--rows", "1", "--model", "lab:base"]);
    let coloured = String::from_utf8(command.env("CLICOLOR_FORCE", "1").output().unwrap().stdout).unwrap();
    assert!(coloured.contains("\x1b[") && !coloured.contains('⟦'), "{coloured:?}");
    let plain = String::from_utf8(command.env("NO_COLOR", "1").output().unwrap().stdout).unwrap();
    assert!(!plain.contains('\x1b') && plain.contains('⟦'), "{plain}");
}
