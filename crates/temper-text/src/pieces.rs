//! The bytes that each token stands for, one token at a time.
//!
//! [`Tokenizer::decode`] gives the text of many ids. What a single token contributes is not the text of that token alone: a
//! character may be spread over several tokens, and some decoders take away a space at the beginning. Here the token is read as
//! the vocabulary writes it, by the way in which the tokenizer writes bytes.

use crate::Tokenizer;
use crate::words::byte_characters;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The bytes of single tokens of one tokenizer.
pub struct Pieces<'a> {
    tokenizer: &'a Tokenizer,
    added: HashSet<u32>,
    writing: Writing,
}

/// How a vocabulary writes bytes.
enum Writing {
    /// Each byte as one character (GPT-2, Llama 3, Qwen).
    Bytes(HashMap<char, u8>),
    /// `▁` for a space, `<0xE5>` for a byte that is in no token (SentencePiece).
    Spaces,
    /// As text.
    Plain,
}

impl Tokenizer {
    /// The bytes of its single tokens.
    pub fn pieces(&self) -> Pieces<'_> {
        let decoder = self.inner().get_decoder().and_then(|decoder| serde_json::to_value(decoder).ok());
        let decoder = decoder.unwrap_or_default();
        let writing = if names(&decoder, "ByteLevel") {
            Writing::Bytes(byte_characters().into_iter().zip(0..=u8::MAX).collect())
        } else if names(&decoder, "Metaspace") || names(&decoder, "ByteFallback") || decoder.to_string().contains('▁')
        {
            Writing::Spaces
        } else {
            Writing::Plain
        };
        let added = self.inner().get_added_tokens_decoder().keys().copied().collect();
        Pieces { tokenizer: self, added, writing }
    }
}

impl Pieces<'_> {
    /// The bytes of a token. Those of all tokens of a text, one after the other, are the text.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let token = self.tokenizer.token(id);
        if self.added.contains(&id) {
            return token.into_bytes();
        }
        match &self.writing {
            Writing::Bytes(of) => {
                let bytes: Option<Vec<u8>> = token.chars().map(|c| of.get(&c).copied()).collect();
                bytes.unwrap_or_else(|| token.into_bytes())
            }
            Writing::Spaces => match token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')) {
                Some(hex) if hex.len() == 2 => match u8::from_str_radix(hex, 16) {
                    Ok(byte) => vec![byte],
                    Err(_) => token.into_bytes(),
                },
                _ => token.replace('▁', " ").into_bytes(),
            },
            Writing::Plain => token.into_bytes(),
        }
    }
}

/// Whether a decoder, or one of a sequence of them, is of this type.
fn names(decoder: &Value, kind: &str) -> bool {
    match decoder {
        Value::Object(map) => {
            map.get("type").is_some_and(|found| found == kind)
                || map.get("decoders").is_some_and(|inner| names(inner, kind))
        }
        Value::Array(list) => list.iter().any(|inner| names(inner, kind)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn tokenizer(json: Value) -> Tokenizer {
        let files = BTreeMap::from([("tokenizer.json".to_owned(), serde_json::to_vec(&json).unwrap())]);
        Tokenizer::from_bytes(files, Path::new("model")).unwrap()
    }

    #[test]
    fn byte_level_tokens_are_bytes_and_added_ones_are_text() {
        let tokenizer = tokenizer(json!({
            "version": "1.0",
            "added_tokens": [{"id": 5, "content": "<|é|>", "special": true, "single_word": false, "lstrip": false,
                              "rstrip": false, "normalized": false}],
            "model": {"type": "BPE", "vocab": {"a": 0, "Ġ": 1, "å": 2, "ħ": 3, "ħå": 4}, "merges": []},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        }));
        let pieces = tokenizer.pieces();
        assert_eq!(pieces.bytes(0), b"a");
        assert_eq!(pieces.bytes(1), b" ");
        assert_eq!(pieces.bytes(2), [0xE5]);
        assert_eq!(pieces.bytes(4), [0x85, 0xE5]);
        assert_eq!(pieces.bytes(5), "<|é|>".as_bytes());
    }

    #[test]
    fn sentencepiece_tokens_are_text_with_spaces_or_single_bytes() {
        let tokenizer = tokenizer(json!({
            "version": "1.0",
            "model": {"type": "BPE", "vocab": {"▁a": 0, "<0xE5>": 1, "<0xZZ>": 2}, "merges": [], "byte_fallback": true},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            ]},
        }));
        let pieces = tokenizer.pieces();
        assert_eq!((pieces.bytes(0), pieces.bytes(1)), (b" a".to_vec(), vec![0xE5]));
        assert_eq!(pieces.bytes(2), b"<0xZZ>");
    }
}
