//! What building a judge checks, and what its identity is made of.

use serde_json::{Value, json};

use crate::server::{Server, shown};
use crate::{fixture, judge, row, scorer, try_scorer};

fn endpoint(model: &str, url: &str) -> Value {
    json!({"url": url, "model": model})
}

fn error(kind: &str, params: Value) -> String {
    try_scorer(kind, params).err().unwrap()
}

#[test]
fn a_judge_has_one_model_that_is_there() {
    let served = endpoint("m", "http://localhost:1/v1");
    assert!(error("llama_guard", json!({})).contains("a judge needs a model; give `model: DIR`"));
    assert!(error("rubric", json!({"rubric": "x", "model": "m", "endpoint": served})).contains("two judges"));
    assert!(error("monitor", json!({"model": "/nowhere/at/all"})).contains("/nowhere/at/all"));
    assert!(error("monitor", json!({"endpoint": {"url": "http://localhost:1/v1"}})).contains("names no model"));
    assert!(error("monitor", json!({"endpoint": endpoint("m", "localhost")})).contains("no address"));
    assert!(error("monitor", json!({"endpoint": served, "weights": "bf16"})).contains("the server decides"));
    assert!(error("monitor", json!({"endpoint": served, "part": "answer"})).contains("`sees:"));
    assert!(error("monitor", json!({"endpoint": served, "max_tokens": 0})).contains("at least one token"));
    let classifier = fixture();
    assert!(error("llama_guard", json!({"model": classifier})).contains("use the scorer `reward_model`"));
    let empty = tempfile::tempdir().unwrap();
    assert!(error("llama_guard", json!({"model": empty.path()})).contains("config.json"));
    let unknown = error("qwen3guard", json!({"endpoint": served, "mod": "loose"}));
    assert!(
        unknown.contains("unknown field `mod`, expected `reads` or `mode`") && unknown.contains("endpoint"),
        "{unknown}"
    );
    assert!(error("qwen3guard", json!({"endpoint": served, "part": "all"})).contains("unknown variant `all`"));
}

#[test]
fn a_rubric_is_needed_and_its_examples_are_on_the_scale() {
    let with = |more: Value| {
        let mut params = more;
        params["endpoint"] = endpoint("m", "http://localhost:1/v1");
        params
    };
    assert!(error("rubric", with(json!({}))).contains("one rubric"));
    assert!(error("rubric", with(json!({"rubric": " "}))).contains("empty"));
    assert!(error("rubric", with(json!({"rubric_file": "/nowhere"}))).contains("/nowhere"));
    assert!(error("rubric", with(json!({"rubric": "x", "scale": "1-7"}))).contains("unknown variant `1-7`"));
    let example = json!([{"response": "a", "verdict": 9}]);
    let said = error("rubric", with(json!({"rubric": "x", "scale": "1-5", "examples": example})));
    assert!(said.ends_with("example 1 has the verdict \"9\"; its scale has 1, 2, 3, 4, 5"), "{said}");
}

#[test]
fn a_template_of_the_user_takes_the_place_of_tempers() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let server = Server::saying("yes");
    let bad = json!({"endpoint": server.endpoint(), "template_file": file("bad", "Only {behavior}")});
    let said = error("harmbench", bad);
    assert!(said.contains("has no `{generation}`"), "{said}");
    let good = file("good", "<s>[INST] {behavior} || {generation} || {x} [/INST]");
    let with = |more: &[(&str, &str)]| {
        let mut params = json!({"endpoint": server.endpoint()});
        for (key, value) in more {
            params[*key] = json!(value);
        }
        scorer("harmbench", params)
    };
    let own = with(&[]);
    let given = with(&[("template_file", &good)]);
    assert_ne!(own.digest(), given.digest());
    assert!(own.title().contains("Temper's wording") && !given.title().contains("Temper"));
    judge(&given, &row("Q", json!({})), "{behavior}");
    assert_eq!(shown(&server.only().1), "[INST] Q || {behavior} || {x} [/INST]");
    // A row with a context needs a template that has a place for it.
    let context = row("Q", json!({"ContextString": "C"}));
    let said = format!("{:?}", judge(&given, &context, "A").score);
    assert!(said.contains("test.jsonl:3") && said.contains("context_template_file"), "{said}");
    let both = [
        ("template_file", good.as_str()),
        ("context_template_file", &file("c", "{context_str}{behavior}{generation}")),
    ];
    judge(&with(&both), &context, "A");
    assert_eq!(shown(&server.asked.lock().unwrap()[1].1), "CQA");
    assert!(
        error("harmbench", json!({"endpoint": server.endpoint(), "context_template_file": both[1].1}))
            .contains("alone")
    );

    let chat = file("chat", "You are strict.\n[user]\n{goal} -> {response}");
    let server = Server::saying("safe");
    judge(
        &scorer("jailbreakbench", json!({"endpoint": server.endpoint(), "template_file": chat})),
        &row("Q", json!({})),
        "A",
    );
    let turns = json!([{"role": "system", "content": "You are strict."}, {"role": "user", "content": "Q -> A"}]);
    assert_eq!(server.only().1["messages"], turns);
}

#[test]
fn the_identity_is_all_that_makes_the_score_and_no_address() {
    let base = json!({"endpoint": endpoint("m", "http://localhost:1/v1"), "rubric": "Polite?"});
    let digest = |key: &str, value: Value| {
        let mut params = base.clone();
        params[key] = value;
        scorer("rubric", params).digest()
    };
    let same = scorer("rubric", base.clone()).digest();
    assert_eq!(same, digest("endpoint", endpoint("m", "https://elsewhere.example/v1")));
    assert_eq!(same, digest("max_tokens", json!(1024)));
    assert_eq!(same, digest("part", json!("answer")));
    assert_eq!(same, digest("title", json!("Politeness")));
    let others = [
        digest("endpoint", endpoint("m2", "http://localhost:1/v1")),
        digest("endpoint", json!({"url": "http://localhost:1/v1", "model": "m", "extra": {"min_p": 0.1}})),
        digest("rubric", json!("Kind?")),
        digest("scale", json!("grade")),
        digest("max_tokens", json!(99)),
        digest("part", json!("thinking")),
        digest("request", json!("goal")),
        digest("chat_template_kwargs", json!({"enable_thinking": false})),
        digest("examples", json!([{"response": "a", "verdict": true}])),
    ];
    let all: std::collections::BTreeSet<&String> = others.iter().chain([&same]).collect();
    assert_eq!(all.len(), others.len() + 1);
}
