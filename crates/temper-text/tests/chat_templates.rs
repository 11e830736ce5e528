//! Chat templates and token ids agree with `transformers`; the fixtures come from `tools/fixtures/chat_templates.py`.

#![allow(clippy::unwrap_used)]

mod common;

use common::{fixtures, tokenizer};
use serde_json::{Map, Value};
use temper_text::{ChatTemplate, Message};

#[test]
fn rendered_dialogues_and_their_ids_are_those_of_transformers() {
    let mut compared = 0;
    for case in fixtures()["cases"].as_array().unwrap() {
        let name = case["template"].as_str().unwrap();
        let tokenizer = tokenizer(name);
        let template: &ChatTemplate = tokenizer.chat_template().unwrap();
        let what = format!("{name}, {}, {}", case["dialogue"], case["add_generation_prompt"]);
        let kwargs: &Map<String, Value> = case["kwargs"].as_object().unwrap();
        let got = match kwargs.contains_key("continue_final_message") {
            true => template.render_continued(&case["messages"], kwargs),
            false => template.render(&case["messages"], case["add_generation_prompt"] == true, kwargs),
        };
        match (got, case.get("error")) {
            (Ok(text), None) => {
                assert_eq!(text, case["text"].as_str().unwrap(), "{what}");
                let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
                assert_eq!(tokenizer.encode(&text, false).unwrap(), ids, "{what}");
                assert_eq!(tokenizer.decode(&ids, false), text, "{what}");
            }
            (Err(e), Some(expected)) => assert!(e.to_string().contains(expected.as_str().unwrap()), "{what}: {e}"),
            (got, expected) => panic!("{what}: {got:?}, expected error {expected:?}"),
        }
        compared += 1;
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn the_methods_of_the_tokenizer_render_the_same() {
    let cases = fixtures();
    let plain = |case: &&Value| case["error"].is_null() && case["kwargs"].as_object().unwrap().is_empty();
    for case in cases["cases"].as_array().unwrap().iter().filter(plain) {
        let tokenizer = tokenizer(case["template"].as_str().unwrap());
        let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
        let generation = case["add_generation_prompt"] == true;
        // `transformers` loses a reasoning that the template does not read; as part of the content it is the template's to keep.
        if messages.iter().any(|m| m.reasoning().is_some()) && !tokenizer.chat_template().unwrap().reads_reasoning() {
            assert!(
                ["r1", "deepseek"].iter().any(|name| case["template"] == *name)
                    || tokenizer
                        .render(&messages, &Map::new(), generation)
                        .unwrap()
                        .contains(messages[1].reasoning().unwrap())
            );
            continue;
        }
        assert_eq!(tokenizer.render(&messages, &Map::new(), generation).unwrap(), case["text"].as_str().unwrap());
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let got = match generation {
            true => tokenizer.encode_prompt(&temper_text::Prompt::chat(messages)).unwrap().ids,
            false => tokenizer.encode_dialogue(&messages.into()).unwrap(),
        };
        assert_eq!(got, ids);
    }
}

#[test]
fn plain_text_has_the_ids_of_transformers() {
    let tokenizer = tokenizer("chatml");
    for case in fixtures()["encoded"].as_array().unwrap() {
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text, false).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids, false), text);
    }
}
