//! Tokenising word by word, with the ids of each word remembered.
//!
//! Byte-level BPE, which GPT-2, Llama 3 and the Qwen models use, cuts a text into words by one regular expression and each word
//! into tokens on its own. A word that comes again has the same tokens, so a table of words gives them without running the
//! merges, and without the alignment of every byte that the general way keeps. Tokenizers of another build take the general
//! way; so does a text that is not in the normal form that the tokenizer asks for.

use ahash::AHashMap;
use aho_corasick::{AhoCorasick, MatchKind};
use regex_automata::meta::{Cache, Regex};
use regex_automata::{Anchored, Input};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokenizers::{Model, ModelWrapper, Tokenizer};
use unicode_normalization_alignments::{IsNormalized, is_nfc_quick};

/// How GPT-2 cuts words, where a tokenizer leaves it to its byte-level step.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// How the expressions of all these tokenizers end: of white space, the last character goes with what follows it.
const SPACES: &str = r"|\s+(?!\S)|\s+";
/// Parts of the table, so that threads seldom wait for each other.
const SHARDS: usize = 64;
/// Words that a part remembers at most.
const WORDS: usize = 8192;
/// Bytes of the longest word that is remembered.
const LONGEST: usize = 48;

type Shard = Mutex<AHashMap<Box<str>, Box<[u32]>>>;

/// The fast way of one tokenizer.
#[derive(Clone)]
pub(crate) struct Words(Arc<Inner>);

struct Inner {
    /// Expressions that no thread is using: one that two threads share makes them wait for each other.
    idle: Mutex<Vec<Cutter>>,
    cutter: Cutter,
    added: Option<(AhoCorasick, Vec<u32>)>,
    nfc: bool,
    characters: [char; 256],
    shards: Vec<Shard>,
}

impl Words {
    /// The fast way of a tokenizer, if it has one.
    pub fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let ModelWrapper::BPE(model) = tokenizer.get_model() else { return None };
        let nfc = match tokenizer.get_normalizer().map(|normalizer| serde_json::to_value(normalizer).ok()) {
            None => false,
            Some(normalizer) if normalizer.as_ref()?["type"] == "NFC" => true,
            Some(_) => return None,
        };
        let pattern = pattern(&serde_json::to_value(tokenizer.get_pre_tokenizer()?).ok()?)?;
        let added = tokenizer.get_added_tokens_decoder();
        let isolated =
            added.values().all(|t| !(t.lstrip || t.rstrip || t.single_word || t.normalized || t.content.is_empty()));
        if model.dropout.is_some_and(|p| p > 0.0) || !isolated {
            return None;
        }
        let added = match added.is_empty() {
            true => None,
            false => {
                let mut search = AhoCorasick::builder();
                let search = search
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(added.values().map(|token| &token.content))
                    .ok()?;
                Some((search, added.keys().copied().collect()))
            }
        };
        let cutter = Cutter::new(&pattern)?;
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Some(Self(Arc::new(Inner {
            idle: Mutex::default(),
            cutter,
            added,
            nfc,
            characters: byte_characters(),
            shards,
        })))
    }

    /// The ids of a text; `None` where only the general way is right.
    pub fn ids(&self, tokenizer: &Tokenizer, text: &str) -> Option<Vec<u32>> {
        let inner = &*self.0;
        if inner.nfc && !text.is_ascii() && is_nfc_quick(text.chars()) != IsNormalized::Yes {
            return None;
        }
        let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut cutter = idle.unwrap_or_else(|| inner.cutter.clone());
        let mut out = Vec::with_capacity(text.len() / 3 + 4);
        let mut from = 0;
        for (found, ids) in
            inner.added.iter().flat_map(|(search, ids)| search.find_iter(text).map(move |found| (found, ids)))
        {
            inner.piece(tokenizer, &mut cutter, &text[from..found.start()], &mut out)?;
            out.push(ids[found.pattern().as_usize()]);
            from = found.end();
        }
        inner.piece(tokenizer, &mut cutter, &text[from..], &mut out)?;
        inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(cutter);
        Some(out)
    }
}

/// A tokenizer's expression without its look-ahead, which is done by hand, with what a search needs. A clone belongs to one
/// thread at a time.
#[derive(Clone)]
struct Cutter {
    /// The expression up to [`SPACES`], or white space.
    word: Regex,
    /// The expression up to [`SPACES`].
    other: Regex,
    of_word: Cache,
    of_other: Cache,
}

impl Cutter {
    fn new(pattern: &str) -> Option<Self> {
        let other = pattern.strip_suffix(SPACES)?;
        let word = Regex::new(&format!(r"{other}|\s+")).ok()?;
        let other = Regex::new(other).ok()?;
        Some(Self { of_word: word.create_cache(), of_other: other.create_cache(), word, other })
    }

    /// The next word from a position on.
    fn next(&mut self, text: &str, from: usize) -> Option<(usize, usize)> {
        // A word mostly begins where the one before ends, and a search that may not look further is faster.
        let rest = Input::new(text).range(from..);
        let here = rest.clone().anchored(Anchored::Yes);
        let found = self.word.search_with(&mut self.of_word, &here);
        let found = found.or_else(|| self.word.search_with(&mut self.of_word, &rest))?;
        let (start, end) = (found.start(), found.end());
        let word = &text[start..end];
        let mut back = word.chars().rev();
        let last = back.next()?;
        // The look-ahead leaves the last character of white space to a word that follows it.
        let spaces = last.is_whitespace() && back.next().is_some() && word.chars().all(char::is_whitespace);
        if spaces && end < text.len() {
            let other = Input::new(&text[start..]).anchored(Anchored::Yes);
            if self.other.search_with(&mut self.of_other, &other).is_none() {
                return Some((start, end - last.len_utf8()));
            }
        }
        Some((start, end))
    }
}

impl Inner {
    /// Appends the ids of a text without added tokens.
    fn piece(&self, tokenizer: &Tokenizer, cutter: &mut Cutter, text: &str, out: &mut Vec<u32>) -> Option<()> {
        let mut from = 0;
        while let Some((start, end)) = cutter.next(text, from) {
            self.word(tokenizer, &text[from..start], out)?;
            self.word(tokenizer, &text[start..end], out)?;
            from = end;
        }
        self.word(tokenizer, &text[from..], out)
    }

    fn word(&self, tokenizer: &Tokenizer, word: &str, out: &mut Vec<u32>) -> Option<()> {
        let bytes = word.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return Some(()) };
        let remembered = bytes.len() <= LONGEST;
        let at =
            (usize::from(*first) * 7 + usize::from(*last) * 31 + usize::from(bytes[bytes.len() / 2]) * 3 + bytes.len())
                % SHARDS;
        if remembered && let Some(ids) = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner).get(word) {
            out.extend_from_slice(ids);
            return Some(());
        }
        let mapped: String = bytes.iter().map(|byte| self.characters[usize::from(*byte)]).collect();
        let ids: Box<[u32]> = tokenizer.get_model().tokenize(&mapped).ok()?.iter().map(|token| token.id).collect();
        out.extend_from_slice(&ids);
        if remembered {
            let mut shard = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner);
            if shard.len() < WORDS {
                shard.insert(word.into(), ids);
            }
        }
        Some(())
    }
}

/// The regular expression that cuts words: of the byte-level step itself, or of a `Split` before it.
fn pattern(pre_tokenizer: &Value) -> Option<String> {
    let byte_level = |step: &Value, cuts: bool| {
        step["type"] == "ByteLevel"
            && step["add_prefix_space"] == false
            && step["use_regex"].as_bool().unwrap_or(true) == cuts
    };
    if byte_level(pre_tokenizer, true) {
        return Some(GPT2.to_owned());
    }
    match pre_tokenizer["pretokenizers"].as_array()?.as_slice() {
        [split, bytes]
            if split["type"] == "Split"
                && split["behavior"] == "Isolated"
                && split["invert"] == false
                && byte_level(bytes, false) =>
        {
            split["pattern"]["Regex"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// The character that stands for each byte: itself where it can be printed, else one from U+0100 on.
pub(crate) fn byte_characters() -> [char; 256] {
    let mut out = ['\0'; 256];
    let mut next = 0x100;
    for byte in 0..=255_u8 {
        let printed = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        out[usize::from(byte)] = if printed { char::from(byte) } else { char::from_u32(next).unwrap_or_default() };
        next += u32::from(!printed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokenizers_of_this_build_have_the_fast_way_and_others_do_not() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tokenizer.json");
        let json: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let way = |change: &dyn Fn(&mut Value)| {
            let mut json = json.clone();
            change(&mut json);
            let tokenizer = Tokenizer::from_bytes(serde_json::to_vec(&json).unwrap()).unwrap();
            let words = Words::of(&tokenizer)?;
            let text = "two  words\n\n <|im_end|>先算 e\u{301}";
            let general = tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
            words.ids(&tokenizer, text).inspect(|ids| assert_eq!(*ids, general)).map(|ids| ids.len())
        };
        let split = |pattern: &str| {
            let split =
                json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
            let bytes =
                json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
            json!({"type": "Sequence", "pretokenizers": [split, bytes]})
        };
        assert!(way(&|_| {}).is_some());
        assert!(way(&|json| json["pre_tokenizer"] = split(GPT2)).is_some());
        // A text that is not normal takes the general way.
        assert!(way(&|json| json["normalizer"] = json!({"type": "NFC"})).is_none());
        assert!(way(&|json| json["normalizer"] = json!({"type": "Lowercase"})).is_none());
        assert!(way(&|json| json["pre_tokenizer"] = split(r"\w+|\s+")).is_none());
        assert!(way(&|json| json["pre_tokenizer"]["add_prefix_space"] = json!(true)).is_none());
        assert!(way(&|json| json["added_tokens"][0]["lstrip"] = json!(true)).is_none());
        assert!(way(&|json| json["model"]["dropout"] = json!(0.1)).is_none());
    }
}
