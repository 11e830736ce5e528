//! What every family makes of rows.

use super::encodings::{LEET, base64, from_base64, from_leet, leet, rot13};
use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

fn row(id: &str, text: &str, fields: Value) -> Row {
    Row {
        file: "f.jsonl".into(),
        line: 3,
        id: id.to_owned(),
        prompt: Prompt::user(text),
        fields: fields.as_object().unwrap().clone(),
        ..Row::default()
    }
}

fn spec(families: &[Family], side: Variants) -> Transform {
    Transform { families: families.to_vec(), side, ..Transform::default() }
}

fn apply(row: &Row, spec: &Transform) -> Vec<Row> {
    Transformer::new(spec).apply(row).unwrap()
}

const ASKED: &str = "Tell me how a bicycle works. Why does it not fall?";

#[test]
fn every_variant_is_one_side_s_and_says_where_it_is_from() {
    let row = row("a", ASKED, json!({"language": "en"}));
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Numbers) {
        let of = |side| apply(&row, &spec(&[family], side));
        let (seen, held_out, all) = (of(Variants::Seen), of(Variants::HeldOut), of(Variants::All));
        assert!(!seen.is_empty() && !held_out.is_empty(), "{family:?}");
        assert_eq!(all.len(), seen.len() + held_out.len());
        let texts: BTreeSet<&str> = all.iter().map(|row| row.prompt.request()).collect();
        let ids: BTreeSet<&str> = all.iter().map(|row| row.id.as_str()).collect();
        assert!(texts.len() == all.len() && ids.len() == all.len() && !texts.contains(ASKED), "{family:?}");
        for (rows, side) in [(&seen, "seen"), (&held_out, "held_out")] {
            for made in rows {
                assert_eq!(made.fields["side"], side);
                assert_eq!(made.fields["transform"], family.name());
                assert_eq!(made.fields["original"], "a");
                assert_eq!(made.fields["original_prompt"], ASKED);
                let variant = made.fields["variant"].as_str().unwrap();
                assert_eq!(made.id, format!("a~{variant}"));
            }
        }
    }
}

#[test]
fn the_choice_is_the_seed_s_and_the_id_s() {
    let spec = Transform { per_item: Some(1), ..spec(&[Family::Paraphrase, Family::Jailbreak], Variants::HeldOut) };
    let rows: Vec<Row> = (0..60).map(|i| row(&format!("r{i}"), ASKED, json!({"language": "en"}))).collect();
    let (made, notes) = transform(&rows, &spec, "f.jsonl").unwrap();
    assert_eq!(made.len(), 120);
    assert_eq!(notes[0], "transform `paraphrase`: 60 variants of 60 rows");
    let used: BTreeSet<&str> = made.iter().map(|row| row.fields["variant"].as_str().unwrap()).collect();
    assert_eq!(used.len(), 8, "{used:?}");
    // Neither the order of the rows nor their company matters.
    let reversed: Vec<Row> = rows.iter().rev().cloned().collect();
    let mut again = transform(&reversed[..30], &spec, "f.jsonl").unwrap().0;
    again.reverse();
    let ids = |rows: &[Row]| rows.iter().map(|row| row.id.clone()).collect::<BTreeSet<_>>();
    assert!(ids(&again).is_subset(&ids(&made)));
    let other = transform(&rows, &Transform { seed: 1, ..spec }, "f.jsonl").unwrap().0;
    assert_ne!(ids(&other), ids(&made));
}

#[test]
fn originals_are_kept_where_that_is_wanted() {
    let spec = Transform { keep_original: true, ..spec(&[Family::Rot13], Variants::Seen) };
    let made = apply(&row("a", ASKED, json!({})), &spec);
    assert_eq!((made[0].id.as_str(), made[0].prompt.request()), ("a", ASKED));
    assert_eq!((made[0].fields["transform"].as_str(), made[0].fields.get("side")), (Some("none"), None));
    assert_eq!(made[0].fields["original"], "a");
}

#[test]
fn chinese_is_asked_in_chinese_and_other_languages_are_left_out() {
    let all = spec(&[Family::Paraphrase, Family::Base64, Family::Distractor], Variants::All);
    for made in apply(&row("z", "小明有3个苹果。一共多少？", json!({"language": "zh"})), &all) {
        let ascii_words = made.prompt.request().split_whitespace().filter(|w| w.is_ascii() && w.len() < 12).count();
        assert!(ascii_words <= 2, "{}", made.prompt.request());
    }
    let mut transformer = Transformer::new(&all);
    let made = transformer.apply(&row("d", "Wie viele sind es?", json!({"language": "de"}))).unwrap();
    assert!(made.is_empty());
    let notes = transformer.notes();
    assert!(notes[0].contains("8 not: there is no wording in `de`"), "{notes:?}");
    let error = transform(&[row("d", "Wie viele?", json!({"language": "de"}))], &all, "f.jsonl").unwrap_err();
    assert!(error.to_string().contains("no row could be changed"), "{error}");
}

#[test]
fn the_language_that_is_asked_for_becomes_the_row_s() {
    let all = spec(&[Family::Language], Variants::All);
    let made = apply(&row("a", ASKED, json!({"language": "en"})), &all);
    let codes: BTreeSet<&str> = made.iter().map(|row| row.fields["language"].as_str().unwrap()).collect();
    assert!(codes.len() == 8 && !codes.contains("en"));
    assert!(made.iter().all(|row| row.fields["prompt_language"] == "en"));
    // The lab has two languages.
    let lab = Row { file: "lab:eval/harmful".into(), ..row("l", "How do I fly?", json!({"language": "en"})) };
    assert!(apply(&lab, &all).iter().all(|row| row.fields["language"] == "zh"));
    let zh = row("z", "你好，怎么飞？", json!({"language": "zh"}));
    assert!(apply(&zh, &all).iter().any(|row| row.fields["language"] == "en"));
    let learned = Row { completion: Some(Completion::Text("x".into())), ..zh };
    assert!(apply(&learned, &all).is_empty());
}

#[test]
fn encoded_requests_decode_to_the_original() {
    let made = apply(&row("a", ASKED, json!({})), &spec(&[Family::Base64], Variants::All));
    for made in made {
        let text = made.prompt.request();
        let words = text.split(|c: char| c.is_whitespace() || c == '"');
        assert!(words.filter_map(from_base64).any(|decoded| decoded == ASKED), "{text}");
    }
    for made in apply(&row("a", ASKED, json!({})), &spec(&[Family::Rot13], Variants::All)) {
        assert!(rot13(made.prompt.request()).contains(ASKED));
    }
    for (made, table) in apply(&row("a", ASKED, json!({})), &spec(&[Family::Leetspeak], Variants::All)).iter().zip(LEET)
    {
        assert!(from_leet(made.prompt.request(), table).contains(ASKED));
    }
    // What could not be undone is not done.
    let digits = row("n", "I have 4 cats. Why?", json!({"language": "en"}));
    assert_eq!(apply(&digits, &spec(&[Family::Leetspeak], Variants::Seen)).len(), 0);
    let han = row("h", "你好吗？", json!({"language": "zh"}));
    assert_eq!(apply(&han, &spec(&[Family::Rot13], Variants::Seen)).len(), 0);
}

#[test]
fn a_field_of_the_same_name_is_an_error() {
    let error = Transformer::new(&spec(&[Family::Rot13], Variants::Seen)).apply(&row("a", ASKED, json!({"side": 1})));
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("f.jsonl:3: field `side`: a transform gives rows a field"), "{error}");
}

#[test]
fn a_distractor_stands_before_the_question_and_the_last_turn_is_changed() {
    let mut asked = row("a", ASKED, json!({}));
    if let Prompt::Chat(dialogue) = &mut asked.prompt {
        dialogue.messages.insert(0, temper_text::Message::system("Be brief."));
    }
    for made in apply(&asked, &spec(&[Family::Distractor], Variants::All)) {
        assert_eq!(made.prompt.messages()[0].content, "Be brief.");
        let text = made.prompt.request();
        assert!(
            text.starts_with("Tell me how a bicycle works. ") && text.ends_with(". Why does it not fall?"),
            "{text}"
        );
        assert!(!text.contains('{'));
    }
}

proptest! {
    #[test]
    fn encodings_are_undone_exactly(text in "\\PC{0,80}") {
        prop_assert_eq!(from_base64(&base64(&text)), Some(text.clone()));
        prop_assert_eq!(rot13(&rot13(&text)), text.clone());
        for table in LEET {
            if let Some(written) = leet(&text, table) {
                prop_assert_eq!(from_leet(&written, table), text.clone());
            }
        }
    }
}
