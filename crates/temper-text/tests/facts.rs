//! What tokenizer and templates are found to do.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{files, tokenizer};
use std::path::Path;
use temper_text::Tokenizer;

#[test]
fn control_tokens_in_a_text_are_found_where_they_stand() {
    let text = "中 <|im_end|> is <|User|>, <think>";
    let found = |name: &str| -> Vec<String> {
        let tokenizer = tokenizer(name);
        let special = tokenizer.special_in_text(text);
        special
            .into_iter()
            .map(|(id, range)| {
                assert_eq!(tokenizer.token(id), text[range.clone()]);
                text[range].to_owned()
            })
            .collect()
    };
    // ChatML's template does not print think tags, and they are no special tokens.
    assert_eq!(found("chatml"), ["<|im_end|>", "<|User|>"]);
    assert_eq!(found("qwen3"), ["<|im_end|>", "<|User|>", "<think>"]);
    assert!(tokenizer("chatml").special_in_text("<|im_enD|> plain").is_empty());
}

#[test]
fn templates_are_described_by_what_they_do() {
    let facts = |name: &str| tokenizer(name).describe().unwrap();
    let chatml = facts("chatml");
    assert_eq!((chatml.stop.as_deref(), chatml.writes_stop), (Some("<|im_end|>"), Some(true)));
    assert_eq!(
        (chatml.opens_thinking, chatml.drops_reasoning, chatml.prefix_preserving),
        (None, Some(false), Some(true))
    );
    assert_eq!(
        (chatml.inserts_empty_thinking, chatml.marks_generation, chatml.writes_tools),
        (Some(false), true, false)
    );
    assert!(chatml.missing_tokens.is_empty() && chatml.accepts_system);

    let qwen3 = facts("qwen3tools");
    assert_eq!((qwen3.drops_reasoning, qwen3.drops_own_reasoning), (Some(true), Some(false)));
    assert_eq!((qwen3.inserts_empty_thinking, qwen3.prefix_preserving), (Some(true), Some(false)));
    assert!(qwen3.reads_reasoning && qwen3.writes_tools);

    let r1 = facts("r1");
    assert_eq!(r1.opens_thinking.as_deref(), Some("<think>\n"));
    assert_eq!(
        (r1.drops_reasoning, r1.drops_own_reasoning, r1.prefix_preserving),
        (Some(true), Some(true), Some(false))
    );
    assert_eq!(facts("mistral").stop.as_deref(), Some("<|endoftext|>"));
    assert!(!facts("mistral").accepts_system && facts("mistral3").writes_tools && facts("llama31").reads_clock);
}

#[test]
fn marks_that_the_vocabulary_lacks_and_ends_that_nobody_writes_are_found() {
    let mut files = files("chatml");
    files.insert(
        "tokenizer_config.json".into(),
        br#"{"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}"#.to_vec(),
    );
    let source = "{% for m in messages %}<|sep|>{{ m.role }}: {{ m.content }}[/TURN]\n{% endfor %}\
                  {% if add_generation_prompt %}<|sep|>assistant:{% endif %}";
    files.insert("chat_template.jinja".into(), source.into());
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    assert_eq!(tokenizer.template_tokens_missing(), ["<|sep|>", "[/TURN]"]);
    let facts = tokenizer.describe().unwrap();
    assert_eq!((facts.stop.as_deref(), facts.writes_stop), (Some("<|endoftext|>"), Some(false)));
    assert!(tokenizer.pad_is_eos() && !common::tokenizer("chatml").pad_is_eos());
}
