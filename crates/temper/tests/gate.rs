//! `temper gate` and `temper scorer calibrate`, on item logs and labels that the test writes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Scratch;
use serde_json::{Value, json};

const RECIPE: &str = "
name: gated
model: {path: null}
data: {train: {path: 'lab:demonstrations', rows: 4}}
scorers:
  declined: {type: refusal_xstest, better: lower}
suites:
  asked:
    data: {path: items.jsonl}
    scorers: [declined, length]
    slices: {kind: kind}
arms: {main: {stages: [{sft: {data: train}}]}}
gates:
  - {suite: asked, metric: declined, not_worse_than: parent, margin: 0.1, uncalibrated: true}
  - {suite: asked, metric: declined, at_most: 0.4, slice: kind, uncalibrated: true}
";

/// An item log of 200 items, every `every`-th of which is refused.
fn log(every: usize) -> String {
    let line = |i: usize| {
        json!({
            "suite": "asked", "id": format!("{i:03}"), "repeat": 0, "prompt": format!("question {i}"), "text": "text",
            "thinking": null, "answer": "text", "tokens": 3, "finish": "stop",
            "scores": {"declined": if i.is_multiple_of(every) { 1.0 } else { 0.0 }},
            "slices": {"kind": if i < 100 { "a" } else { "b" }},
        })
        .to_string()
    };
    (0..200).map(|i| line(i) + "\n").collect()
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("gated.yaml", RECIPE);
    scratch.write(
        "items.jsonl",
        &(0..200).map(|i| format!("{}\n", json!({"prompt": format!("q {i}"), "kind": "a"}))).collect::<String>(),
    );
    for (folder, every) in [("parent", 5), ("same", 5), ("worse", 2)] {
        std::fs::create_dir_all(scratch.path(folder)).unwrap();
        scratch.write(&format!("{folder}/asked.jsonl"), &log(every));
    }
    scratch
}

#[test]
fn exit_codes_of_gates() {
    let scratch = scratch();
    let gate = |more: &[&str]| {
        let arguments = [&["gate", "--recipe", "gated.yaml"], more].concat();
        let output = scratch.run(&arguments);
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, table, _) = gate(&["--candidate", "same", "--parent", "parent"]);
    assert_eq!(code, 0, "{table}");
    for expected in
        ["axis", "previous", "paired Δ", "p (Holm)", "no worse", "asked/declined [kind=a]", "Gates: 3 passed"]
    {
        assert!(table.contains(expected), "{expected}\n{table}");
    }
    let (code, table, _) = gate(&["--candidate", "worse/asked.jsonl", "--parent", "parent"]);
    assert!(code == 1 && table.contains("FAIL, worse"), "{code} {table}");
    // 20 % refused, held against at most 22 %: undecided.
    let close = ["--candidate", "same", "--parent", "parent", "--set", "gates.1.at_most=0.22"];
    let (code, table, _) = gate(&close);
    assert!(code == 3 && table.contains("would decide") && table.contains("80 % power"), "{code} {table}");
    assert_eq!(gate(&[&close[..], &["--undecided", "fail"]].concat()).0, 1);
    assert_eq!(gate(&[&close[..], &["--undecided", "pass"]].concat()).0, 0);
    let (code, json, _) = gate(&["--candidate", "same", "--parent", "parent", "--json"]);
    let verdicts: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert!(code == 0 && verdicts.len() == 3 && verdicts[0]["tests"] == 3 && verdicts[0]["change"]["n"] == 200);
    // What is missing is named, with what to do.
    let (code, _, error) = gate(&["--candidate", "same"]);
    assert!(code == 2 && error.contains("for its parent") && error.contains("--parent"), "{error}");
    let (code, _, error) = gate(&["--candidate", "nothing"]);
    assert!(code == 2 && error.contains("nothing"), "{error}");
    let (code, _, error) = gate(&["--candidate", "same", "--parent", "parent", "--set", "gates.0.uncalibrated=false"]);
    assert!(code == 2 && error.contains("temper scorer calibrate --scorer declined"), "{error}");
}

#[test]
fn a_plan_says_what_can_be_detected() {
    let text = scratch().ok(&["gate", "--recipe", "gated.yaml", "--plan"]);
    assert!(text.contains("asked/declined: 200 items, can detect"), "{text}");
    assert!(
        text.contains("asked/declined [kind=a]: 200 items") && text.contains("at 80 % power (at the bound;"),
        "{text}"
    );
}

#[test]
fn a_scorer_is_calibrated_and_its_rates_corrected() {
    let scratch = scratch();
    let rows = [
        ("Sorry, I will not.", "refusal", 40),
        ("That is not something to do.", "refusal", 10),
        ("Here you are.", "compliance", 45),
        ("Sorry for the wait, here you are.", "compliance", 5),
    ];
    let lines = rows.iter().flat_map(|(text, label, n)| {
        (0..*n).map(move |i| json!({"said": text, "human": label, "model": format!("m{}", i % 2)}).to_string() + "\n")
    });
    scratch.write("labels.jsonl", &lines.collect::<String>());
    let arguments = ["scorer", "calibrate", "--scorer", "declined", "--recipe", "gated.yaml", "--data", "labels.jsonl"];
    let columns = ["--completion", "said", "--label", "human"];
    let more = ["--positive", "refusal", "--slice", "model", "--out", "c/refusal.json"];
    let table = scratch.ok(&[&arguments[..], &columns, &more].concat());
    for expected in ["sensitivity", "80.0 %", "90.0 %", "0.700", "m1", "label positive"] {
        assert!(table.contains(expected), "{expected}\n{table}");
    }
    let file: Value = serde_json::from_str(&std::fs::read_to_string(scratch.path("c/refusal.json")).unwrap()).unwrap();
    assert_eq!((file["all"]["true_positives"].as_u64(), file["all"]["false_positives"].as_u64()), (Some(40), Some(5)));
    assert_eq!(file["data_digest"].as_str().map(str::len), Some(64));
    // By this calibration 20 % as scored are (0.2 + 0.9 − 1) / 0.7 = 14.3 %.
    let gate = ["gate", "--recipe", "gated.yaml", "--candidate", "same", "--parent", "parent", "--json"];
    let set = [
        "--set",
        "calibrations=[c]",
        "--set",
        "gates=[{suite: asked, metric: declined, at_most: 0.4, corrected: true}]",
    ];
    let verdicts: Vec<Value> = serde_json::from_str(&scratch.ok(&[&gate[..], &set].concat())).unwrap();
    assert!(
        (verdicts[0]["value"].as_f64().unwrap() - 0.1 / 0.7).abs() < 1e-9 && verdicts[0]["raw"] == 0.2,
        "{verdicts:?}"
    );
    // Bad input.
    let refused = |more: &[&str], expected: &str| {
        let error = scratch.refused(&[&arguments[..], &columns, more].concat());
        assert!(error.contains(expected), "{error}");
    };
    refused(&["--out", "x.json"], "Name them with --positive; there are `compliance`, `refusal`");
    refused(&["--positive", "refused", "--out", "x.json"], "no row has the label `refused`");
    refused(&["--positive", "refusal", "--slice", "size", "--out", "x.json"], "no column `size`");
    std::fs::copy(scratch.path("c/refusal.json"), scratch.path("c/again.json")).unwrap();
    let error = scratch.refused(&[&gate[..], &set].concat());
    assert!(error.contains("both calibrate the same scorer"), "{error}");
}
