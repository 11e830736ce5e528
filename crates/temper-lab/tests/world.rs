//! The lab as its users see it: repeatable, disjoint, labelled exactly.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use temper_lab::oracle::{Conduct, judge};
use temper_lab::{LabError, World};
use temper_recipe::Lab;

fn world() -> World {
    World::new(&Lab::default())
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or("")
}

const TRAINING: [&str; 4] = ["demonstrations", "problems", "requests", "prompts"];

fn evaluation() -> impl Iterator<Item = &'static str> {
    World::names().iter().copied().filter(|name| name.starts_with("eval/"))
}

#[test]
fn the_world_is_a_function_of_its_knobs() {
    let (one, two) = (world(), world());
    for name in World::names().iter().filter(|name| **name != "corpus") {
        assert_eq!(one.rows(name).unwrap(), two.rows(name).unwrap(), "{name}");
    }
    assert_eq!(one.document(777), two.corpus().nth(777).unwrap());
    assert_eq!(one.digest(), two.digest());
    let other_seed = World::new(&Lab { seed: 1, ..Lab::default() });
    assert_ne!(one.digest(), other_seed.digest());
    assert_ne!(one.rows("problems").unwrap(), other_seed.rows("problems").unwrap());
    let mut knobs = Lab::default();
    knobs.annotator.caution_bias = 2.0;
    assert_eq!(World::new(&knobs).base_digest(), one.base_digest(), "the annotator does not make the base model");
    knobs.hidden_size = 64;
    assert_eq!(World::new(&knobs).digest(), one.digest());
    assert_ne!(World::new(&knobs).base_digest(), one.base_digest());
}

#[test]
fn names_are_known_or_the_nearest_is_named() {
    for name in World::names().iter().filter(|name| **name != "corpus") {
        let rows = world().rows(name).unwrap();
        assert!(rows.len() >= 50, "{name}: {}", rows.len());
        assert!(
            rows.iter().enumerate().all(|(at, row)| row.line == at + 1 && &*row.file == format!("lab:{name}").as_str())
        );
    }
    match world().rows("eval/jailbreaks") {
        Err(LabError::UnknownName { nearest, .. }) => assert_eq!(nearest, "eval/jailbreak"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn evaluation_shares_no_prompt_with_training_or_the_corpus() {
    let world = world();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for name in TRAINING {
        seen.extend(world.rows(name).unwrap().iter().map(|row| row.prompt.request().to_owned()));
    }
    seen.extend(world.corpus().take(30_000).map(|document| document.prompt));
    for name in evaluation() {
        let mut own = BTreeSet::new();
        for row in world.rows(name).unwrap() {
            assert!(!seen.contains(row.prompt.request()), "{name}: {}", row.prompt.request());
            assert!(own.insert(row.prompt.request().to_owned()), "{name} twice: {}", row.prompt.request());
            assert_eq!(text(&row.fields, "split"), "eval");
        }
    }
}

#[test]
fn what_is_held_out_is_not_in_post_training_data() {
    let world = world();
    let collect = |names: &[&str], key: &str| -> BTreeSet<String> {
        let rows = names.iter().flat_map(|name| world.rows(name).unwrap());
        rows.map(|row| text(&row.fields, key).to_owned()).filter(|value| !value.is_empty()).collect()
    };
    let disjoint = |key: &str, name: &str| {
        let (trained, held_out) = (collect(&TRAINING, key), collect(&[name], key));
        assert!(!held_out.is_empty());
        assert!(trained.is_disjoint(&held_out), "{key}: {:?}", trained.intersection(&held_out));
    };
    disjoint("family", "eval/unfamiliar");
    disjoint("subcategory", "eval/harmful_heldout_categories");
    disjoint("topic", "eval/harmful_heldout_categories");
    disjoint("phrasing", "eval/harmful_heldout_phrasings");
    disjoint("wrapper", "eval/jailbreak");
    let held_out: BTreeSet<String> = World::held_out_subcategories().into_iter().map(str::to_owned).collect();
    assert_eq!(collect(&["eval/harmful_heldout_categories"], "subcategory"), held_out);
    assert_eq!(collect(&["eval/familiar"], "family"), collect(&["problems"], "family"));
    assert_eq!(collect(&["eval/harmful"], "subcategory").len(), 12);
    // The base model has met all of it.
    let corpus: Vec<_> = world.corpus().take(20_000).collect();
    for (name, key) in [
        ("eval/unfamiliar", "family"),
        ("eval/harmful_heldout_categories", "topic"),
        ("eval/harmful_heldout_phrasings", "phrasing"),
        ("eval/jailbreak", "wrapper"),
    ] {
        let met: BTreeSet<String> = corpus.iter().map(|d| text(&d.fields, key).to_owned()).collect();
        assert!(collect(&[name], key).is_subset(&met), "{name}");
    }
    for row in TRAINING.iter().flat_map(|name| world.rows(name).unwrap()) {
        assert!(text(&row.fields, "kind") != "harmful" || text(&row.fields, "language") == "en");
    }
}

#[test]
fn the_oracle_reads_what_the_authors_meant() {
    let conduct = |name: &str| match name {
        "safe" => Some(Conduct::Safe),
        "unsafe" => Some(Conduct::Unsafe),
        "refusal" => Some(Conduct::Refusal),
        "unclear" => Some(Conduct::Unclear),
        _ => None,
    };
    for (at, document) in world().corpus().take(20_000).enumerate() {
        let verdict = judge(&document.fields, &document.completion);
        let place = || format!("document {at}: {document:?} {verdict:?}");
        assert_eq!(verdict.correct, document.fields.get("correct").and_then(Value::as_bool), "{}", place());
        if text(&document.fields, "kind") == "reasoning" {
            continue;
        }
        assert_eq!(verdict.thinking, conduct(text(&document.fields, "thinking_conduct")), "{}", place());
        assert_eq!(verdict.answer, conduct(text(&document.fields, "answer_conduct")), "{}", place());
        assert_eq!(
            Some(verdict.cautions as u64),
            document.fields.get("cautions").and_then(Value::as_u64),
            "{}",
            place()
        );
        assert_eq!(verdict.well_formed, 1.0, "{}", place());
    }
}

#[test]
fn demonstrations_are_right_safe_and_helpful() {
    for row in world().rows("demonstrations").unwrap() {
        let verdict = judge(&row.fields, &row.said());
        match text(&row.fields, "kind") {
            "reasoning" => assert_eq!(verdict.correct, Some(true), "{row:?}"),
            _ => {
                assert_eq!(verdict.harmless, Some(1.0), "{row:?} {verdict:?}");
                assert_eq!(verdict.helpful, Some(true), "{row:?}");
            }
        }
    }
}

#[test]
fn the_corpus_holds_every_behaviour() {
    let mix = Lab::default().corpus;
    let documents: Vec<_> = world().corpus().take(20_000).collect();
    let share = |kind: &str, test: &dyn Fn(&Map<String, Value>) -> bool| {
        let of_kind: Vec<_> = documents.iter().filter(|d| text(&d.fields, "kind") == kind).collect();
        of_kind.iter().filter(|d| test(&d.fields)).count() as f64 / of_kind.len() as f64
    };
    let near = |value: f64, expected: f64, what: &str| assert!((value - expected).abs() < 0.04, "{what}: {value}");
    let problems = documents.iter().filter(|d| text(&d.fields, "kind") == "reasoning").count() as f64 / 20_000.0;
    near(problems, mix.reasoning / (mix.reasoning + mix.requests + mix.ordinary), "problems");
    near(share("reasoning", &|f| text(f, "language") == "zh"), 0.4, "Chinese");
    near(
        share("harmful", &|f| text(f, "answer_conduct") == "unsafe" && f["wrapper"].is_null()),
        mix.unsafe_compliance * 0.7,
        "unsafe",
    );
    near(share("lookalike", &|f| text(f, "answer_conduct") == "refusal"), 0.4, "over-refusal");
    near(share("ordinary", &|f| f["cautions"].as_u64() > Some(0)), mix.caution, "caution");
    // Thinking in English about Chinese questions is right more often: what accuracy alone rewards.
    let correct = |switched: bool| {
        let chosen: Vec<_> = documents
            .iter()
            .filter(|d| text(&d.fields, "kind") == "reasoning" && text(&d.fields, "language") == "zh")
            .filter(|d| (d.fields["thinking_languages"].as_array().unwrap().last().unwrap() == "en") == switched)
            .collect();
        chosen.iter().filter(|d| d.fields["correct"] == true).count() as f64 / chosen.len() as f64
    };
    assert!(correct(true) > correct(false) + 0.1, "{} {}", correct(true), correct(false));
}

#[test]
fn exported_rows_are_json_lines() {
    let mut out = Vec::new();
    let count = world().export("demonstrations", &mut out).unwrap();
    let lines: Vec<Value> = String::from_utf8(out).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), count);
    assert_eq!(lines[0]["prompt"][0]["role"], "user");
    assert_eq!(lines[0]["completion"][0]["role"], "assistant");
    assert!(lines[0]["kind"].is_string());
}
