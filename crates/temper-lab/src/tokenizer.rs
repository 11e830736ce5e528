//! The world's tokenizer: byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2), digits apart.
//!
//! The merges are learned here and not by the `tokenizers` crate, whose trainer breaks ties in the order of a randomly seeded hash
//! map: the same corpus gives the same bytes on disk every time.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer};

use crate::LabError;

/// Padding, and the end of a document.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// Before a turn's role.
pub const TURN_START: &str = "<|im_start|>";
/// After a turn: where sampling stops.
pub const TURN_END: &str = "<|im_end|>";

/// Marked tokens: text, whether it is special (left out when decoding without special tokens).
const MARKED: [(&str, bool); 5] =
    [(END_OF_TEXT, true), (TURN_START, true), (TURN_END, true), ("<think>", false), ("</think>", false)];

/// Longest token in bytes. Four Han characters, so that Chinese tokens stay near words.
const LONGEST: usize = 12;

/// ChatML.
const CHAT_TEMPLATE: &str = "{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + \
'<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";

/// The files of a Hugging Face tokenizer directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerFiles {
    /// `tokenizer.json`.
    pub tokenizer: String,
    /// `tokenizer_config.json`.
    pub config: String,
    /// `special_tokens_map.json`.
    pub special_tokens_map: String,
    /// `chat_template.jinja`.
    pub chat_template: String,
    /// `generation_config.json`.
    pub generation_config: String,
    /// Number of tokens, the marked ones included.
    pub vocab_size: usize,
    /// Id of the padding token.
    pub pad_token_id: u32,
    /// Id of the token that ends a turn.
    pub eos_token_id: u32,
}

impl TokenizerFiles {
    /// Writes the files into a directory, which is made where it does not exist.
    ///
    /// # Errors
    /// [`LabError::Io`] with the file.
    pub fn write(&self, dir: &Path) -> Result<(), LabError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| LabError::Io { path, source }
        };
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        for (name, text) in [
            ("tokenizer.json", &self.tokenizer),
            ("tokenizer_config.json", &self.config),
            ("special_tokens_map.json", &self.special_tokens_map),
            ("chat_template.jinja", &self.chat_template),
            ("generation_config.json", &self.generation_config),
        ] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(io(&path))?;
        }
        Ok(())
    }
}

/// Trains a tokenizer of exactly `vocab_size` tokens (fewer where the texts have no more pairs to merge).
pub(crate) fn train(texts: impl Iterator<Item = String>, vocab_size: usize) -> Result<TokenizerFiles, LabError> {
    let least = 256 + MARKED.len();
    if vocab_size < least {
        return Err(LabError::VocabularyTooSmall { asked: vocab_size, least });
    }
    let alphabet = alphabet();
    let splitter = tokenizer_of(&assemble(&alphabet, &[]))?;
    let words = count_words(&splitter, texts)?;
    let (vocabulary, merges) = learn(&alphabet, &words, vocab_size - MARKED.len());
    let tokenizer = assemble(&vocabulary, &merges);
    tokenizer_of(&tokenizer)?;
    let id = |at: usize| (vocabulary.len() + at) as u32;
    let added: Map<String, Value> = added_tokens(vocabulary.len())
        .into_iter()
        .map(|mut token| {
            let id = token.as_object_mut().and_then(|t| t.remove("id")).unwrap_or_default();
            (id.to_string(), token)
        })
        .collect();
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": added,
        "bos_token": null,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "unk_token": null,
        "add_prefix_space": false,
        "clean_up_tokenization_spaces": false,
        "model_max_length": 1024,
        "chat_template": CHAT_TEMPLATE,
    });
    let generation = json!({ "eos_token_id": id(2), "pad_token_id": id(0) });
    Ok(TokenizerFiles {
        tokenizer: pretty(&tokenizer),
        config: pretty(&config),
        special_tokens_map: pretty(&json!({ "eos_token": TURN_END, "pad_token": END_OF_TEXT })),
        chat_template: CHAT_TEMPLATE.to_owned(),
        generation_config: pretty(&generation),
        vocab_size: vocabulary.len() + MARKED.len(),
        pad_token_id: id(0),
        eos_token_id: id(2),
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The 256 characters that stand for bytes, in the order of the bytes. Printable bytes of Latin-1 stand for themselves, the others
/// for the characters from U+0100 on (GPT-2).
fn alphabet() -> Vec<String> {
    let itself = |b: u32| (0x21..=0x7e).contains(&b) || (0xa1..=0xac).contains(&b) || (0xae..=0xff).contains(&b);
    let mut moved = 0x100u32;
    (0..256u32)
        .map(|byte| {
            let code = if itself(byte) {
                byte
            } else {
                moved += 1;
                moved - 1
            };
            char::from_u32(code).unwrap_or('\u{fffd}').to_string()
        })
        .collect()
}

fn added_tokens(first: usize) -> Vec<Value> {
    MARKED
        .iter()
        .enumerate()
        .map(|(at, (content, special))| {
            json!({
                "id": first + at, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": special,
            })
        })
        .collect()
}

/// The content of `tokenizer.json`.
fn assemble(vocabulary: &[String], merges: &[(String, String)]) -> Value {
    let vocab: Map<String, Value> =
        vocabulary.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(vocabulary.len()),
        "normalizer": null,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{ "type": "Digits", "individual_digits": true }, byte_level],
        },
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges,
        },
    })
}

fn tokenizer_of(json: &Value) -> Result<Tokenizer, LabError> {
    Tokenizer::from_str(&json.to_string()).map_err(|e| LabError::Tokenizer(e.to_string()))
}

/// How often each word (a piece that no merge crosses) occurs, as characters that stand for bytes.
fn count_words(splitter: &Tokenizer, texts: impl Iterator<Item = String>) -> Result<BTreeMap<String, u64>, LabError> {
    let pre = splitter.get_pre_tokenizer().ok_or_else(|| LabError::Tokenizer("no pre-tokenizer".into()))?;
    let mut words = BTreeMap::new();
    for text in texts {
        let thinking: Vec<&str> = text.split("<think>").flat_map(|part| part.split("</think>")).collect();
        for part in thinking {
            let mut pieces = PreTokenizedString::from(part);
            pre.pre_tokenize(&mut pieces).map_err(|e| LabError::Tokenizer(e.to_string()))?;
            for (piece, _, _) in pieces.get_splits(OffsetReferential::Original, OffsetType::Byte) {
                *words.entry(piece.to_owned()).or_insert(0) += 1;
            }
        }
    }
    Ok(words)
}

/// Learns merges until the vocabulary has `size` tokens: each time the most frequent pair, of equally frequent ones the pair of
/// the smallest ids. Pairs that occur once are left, and those that [`may_merge`] excludes.
fn learn(alphabet: &[String], words: &BTreeMap<String, u64>, size: usize) -> (Vec<String>, Vec<(String, String)>) {
    let ids: BTreeMap<char, usize> =
        alphabet.iter().enumerate().filter_map(|(id, token)| Some((token.chars().next()?, id))).collect();
    let mut vocabulary = alphabet.to_vec();
    let mut known: BTreeMap<String, usize> = alphabet.iter().cloned().zip(0..).collect();
    let mut bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    let mut pieces: Vec<(Vec<usize>, u64)> =
        words.iter().map(|(word, n)| (word.chars().filter_map(|c| ids.get(&c).copied()).collect(), *n)).collect();
    let mut counts: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for (piece, n) in &pieces {
        for pair in piece.windows(2) {
            *counts.entry((pair[0], pair[1])).or_insert(0) += n;
        }
    }
    let mut merges = Vec::new();
    while vocabulary.len() < size {
        let best = counts
            .iter()
            .filter(|((a, b), n)| **n > 1 && may_merge(&bytes[*a], &bytes[*b]))
            .max_by(|(p, n), (q, m)| n.cmp(m).then(q.cmp(p)));
        let Some((&(a, b), _)) = best else { break };
        merges.push((vocabulary[a].clone(), vocabulary[b].clone()));
        // Two ways of merging may end in the same token.
        let token = format!("{}{}", vocabulary[a], vocabulary[b]);
        let new = *known.entry(token.clone()).or_insert_with(|| {
            vocabulary.push(token);
            bytes.push([&bytes[a][..], &bytes[b]].concat());
            vocabulary.len() - 1
        });
        for (piece, n) in &mut pieces {
            if !piece.windows(2).any(|pair| pair == [a, b]) {
                continue;
            }
            for pair in piece.windows(2) {
                if let Some(count) = counts.get_mut(&(pair[0], pair[1])) {
                    *count = count.saturating_sub(*n);
                }
            }
            *piece = merged(piece, a, b, new);
            for pair in piece.windows(2) {
                *counts.entry((pair[0], pair[1])).or_insert(0) += *n;
            }
        }
        counts.retain(|_, n| *n > 0);
    }
    (vocabulary, merges)
}

/// Whether two tokens may become one: at most [`LONGEST`] bytes, and whole characters or the beginning of a single one. Without
/// this rule frequent neighbours leave tokens that end in the middle of a Han character.
fn may_merge(a: &[u8], b: &[u8]) -> bool {
    let token = [a, b].concat();
    token.len() <= LONGEST
        && match std::str::from_utf8(&token) {
            Ok(_) => true,
            // `None`: the bytes end too early and are not wrong.
            Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
        }
}

/// Replaces each `a, b` from left to right.
fn merged(piece: &[usize], a: usize, b: usize, new: usize) -> Vec<usize> {
    let mut out = Vec::with_capacity(piece.len());
    let mut at = 0;
    while at < piece.len() {
        if piece[at] == a && piece.get(at + 1) == Some(&b) {
            out.push(new);
            at += 2;
        } else {
            out.push(piece[at]);
            at += 1;
        }
    }
    out
}
