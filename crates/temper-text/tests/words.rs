//! Ids of the fast way are those of the general way.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::files;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use temper_text::Tokenizer;

/// The expression of Qwen2.
const QWEN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The fixtures' tokenizer as it is (GPT-2's way), and cutting as Qwen2 does, with its normal form.
fn tokenizers() -> Vec<Tokenizer> {
    let mut files = files("qwen3");
    let gpt2 = Tokenizer::from_bytes(files.clone(), Path::new("gpt2")).unwrap();
    let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
    json["normalizer"] = json!({"type": "NFC"});
    json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
    ]});
    files.insert("tokenizer.json".into(), serde_json::to_vec(&json).unwrap());
    vec![gpt2, Tokenizer::from_bytes(files, Path::new("qwen")).unwrap()]
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "the answer",
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "it's",
            "I'LL",
            "12345",
            "3.5%",
            "先算七加三",
            "e\u{301}",
            "\u{301}",
            "é",
            "<|im_end|>",
            "<|im_start|>",
            "<|im_",
            "<think>",
            "</think>\n\n",
            "[INST]",
            "🍎🍐",
            "각",
            "\u{1100}\u{1161}",
            "\u{a0}",
            "!!\n",
            "\u{0}",
            "ⅷ½",
            "apples apples",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        "[a-z ]{0,12}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ids_are_those_of_the_library(text in text()) {
        for tokenizer in tokenizers() {
            // With special tokens asked for, of which this tokenizer adds none, every text goes the library's way.
            let general = tokenizer.encode(&text, true).unwrap();
            prop_assert_eq!(&tokenizer.encode(&text, false).unwrap(), &general);
            // The second time the words are remembered.
            prop_assert_eq!(&tokenizer.encode(&text, false).unwrap(), &general);
        }
    }
}
