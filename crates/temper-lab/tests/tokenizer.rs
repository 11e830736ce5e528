//! The lab's tokenizer: the same bytes every time, any text there and back, documents short.

#![allow(clippy::unwrap_used)]

use std::str::FromStr;
use std::sync::OnceLock;

use temper_lab::{LabError, TokenizerFiles, World};
use temper_recipe::Lab;
use tokenizers::Tokenizer;

fn files() -> &'static TokenizerFiles {
    static FILES: OnceLock<TokenizerFiles> = OnceLock::new();
    FILES.get_or_init(|| World::new(&Lab::default()).train_tokenizer().unwrap())
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_str(&files().tokenizer).unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, false).unwrap().get_ids().to_vec()
}

#[test]
fn training_gives_the_same_bytes_and_the_size_asked_for() {
    let again = World::new(&Lab::default()).train_tokenizer().unwrap();
    assert_eq!(files(), &again);
    assert_eq!(files().vocab_size, 1024);
    assert_eq!(tokenizer().get_vocab_size(true), 1024);
    let other = World::new(&Lab { seed: 5, ..Lab::default() }).train_tokenizer().unwrap();
    assert_eq!(other.vocab_size, 1024);
    let tiny = World::new(&Lab { vocab_size: 260, ..Lab::default() }).train_tokenizer();
    assert!(matches!(tiny, Err(LabError::VocabularyTooSmall { asked: 260, least: 261 })));
}

#[test]
fn any_text_comes_back() {
    let tokenizer = tokenizer();
    let every_char: String = (0..0x3000u32).step_by(7).filter_map(char::from_u32).collect();
    for text in [
        "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.\n#### 72",
        "<think>\n7+5=12.\n</think>\nThe answer is \\boxed{12}.",
        "从7开始。加5。翻两倍。",
        "emoji 😀 \u{0}\t\r\n  spaces   é ß Ω Ж ع हिन्दी 한국어 日本語",
        "  leading and trailing  ",
        "",
        &every_char,
    ] {
        assert_eq!(tokenizer.decode(&ids(&tokenizer, text), false).unwrap(), text);
    }
}

#[test]
fn marked_tokens_are_single_and_thinking_survives_decoding() {
    let tokenizer = tokenizer();
    for mark in ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"] {
        assert_eq!(ids(&tokenizer, mark).len(), 1, "{mark}");
    }
    assert_eq!(ids(&tokenizer, "<|im_end|>"), [files().eos_token_id]);
    assert_eq!(ids(&tokenizer, "<|endoftext|>"), [files().pad_token_id]);
    let text = "<think>\nok\n</think>\nyes<|im_end|>";
    assert_eq!(tokenizer.decode(&ids(&tokenizer, text), true).unwrap(), "<think>\nok\n</think>\nyes");
    assert_eq!(ids(&tokenizer, "2024").len(), 4, "digits stand alone");
}

#[test]
fn documents_are_short_and_their_mean_length_is_known() {
    let (world, tokenizer) = (World::new(&Lab::default()), tokenizer());
    let (mut total, n) = (0, 3_000);
    for document in world.corpus().take(n) {
        // Five tokens around the user's turn with its role, five around the assistant's, as the chat template writes them.
        let length = ids(&tokenizer, &document.prompt).len() + ids(&tokenizer, &document.completion).len() + 10;
        assert!(length < 140, "{length}: {document:?}");
        total += length;
    }
    let expected = 5_000_000.0 / world.corpus_documents() as f64;
    let mean = total as f64 / n as f64;
    assert!((mean - expected).abs() < 0.05 * expected, "mean {mean}, expected {expected}");
    let longest = |name: &str| {
        let rows = world.rows(name).unwrap();
        rows.iter().map(|row| ids(&tokenizer, &row.said()).len()).max().unwrap()
    };
    assert!(longest("demonstrations") <= 88, "{}", longest("demonstrations"));
}

#[test]
fn transformers_gives_the_same_ids() {
    // Written by fixtures/tokenizer_ids.py with transformers' AutoTokenizer, from files that the lab wrote.
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/tokenizer_ids.json")).unwrap();
    let tokenizer = Tokenizer::from_str(&fixture["tokenizer"].to_string()).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(ids(&tokenizer, text), expected, "{text:?}");
    }
}
