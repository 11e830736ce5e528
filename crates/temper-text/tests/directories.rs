//! Reading and writing tokenizer directories.

#![allow(clippy::unwrap_used)]

mod common;

use common::{files, tokenizer};
use serde_json::json;
use std::path::Path;
use temper_text::{TextError, Tokenizer};

fn directory(template: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files(template) {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn error(dir: &Path) -> String {
    Tokenizer::load(dir).unwrap_err().to_string()
}

#[test]
fn a_directory_is_written_byte_for_byte() {
    let dir = directory("qwen3");
    std::fs::write(dir.path().join("special_tokens_map.json"), b"{ \"pad_token\":  \"<|endoftext|>\" }\n").unwrap();
    std::fs::write(dir.path().join("generation_config.json"), b"{\"eos_token_id\": [0, 3]}").unwrap();
    std::fs::write(dir.path().join("model.safetensors"), b"not a tokenizer file").unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("new/checkpoint");
    tokenizer.save(&target).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&target).unwrap() {
        let name = entry.unwrap().file_name();
        assert_eq!(std::fs::read(dir.path().join(&name)).unwrap(), std::fs::read(target.join(&name)).unwrap());
        names.push(name.into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "chat_template.jinja",
            "generation_config.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
    let again = Tokenizer::load(&target).unwrap();
    assert_eq!(again.digest(), tokenizer.digest());
    assert_eq!(again.digest().len(), 64);
    assert_eq!(again.pad(), tokenizer.token_id("<|endoftext|>"));
}

#[test]
fn stop_tokens_come_from_the_tokenizer_and_the_generation_configuration() {
    let base = tokenizer("chatml");
    let ids = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>"].map(|t| base.token_id(t).unwrap());
    let mut files = files("chatml");
    let list = json!({"eos_token_id": [ids[1], ids[0], ids[2]]});
    files.insert("generation_config.json".into(), serde_json::to_vec(&list).unwrap());
    let tokenizer = Tokenizer::from_bytes(files.clone(), Path::new("model")).unwrap();
    assert_eq!(tokenizer.eos(), Some(ids[0]));
    assert_eq!(tokenizer.stop_ids(), ids);
    files.insert("generation_config.json".into(), format!("{{\"eos_token_id\": {}}}", ids[1]).into());
    assert_eq!(Tokenizer::from_bytes(files.clone(), Path::new("model")).unwrap().stop_ids(), ids[..2]);
    files.insert("generation_config.json".into(), b"{\"eos_token_id\": \"x\"}".to_vec());
    let message = Tokenizer::from_bytes(files, Path::new("model")).unwrap_err().to_string();
    assert!(message.contains("generation_config.json: `eos_token_id` has \"x\", not a token id"), "{message}");
}

#[test]
fn the_template_file_wins_over_the_configuration_which_may_hold_a_list() {
    let mut files = files("chatml");
    let render = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        let tokenizer = Tokenizer::from_bytes(files.clone(), Path::new("model"))?;
        tokenizer.render(&[temper_text::Message::user("a")], &Default::default(), false)
    };
    let config = |template: serde_json::Value| {
        serde_json::to_vec(&json!({"eos_token": "<|im_end|>", "chat_template": template})).unwrap()
    };
    files.insert("tokenizer_config.json".into(), config(json!("from configuration")));
    assert!(render(&files).unwrap().starts_with("<|im_start|>"));
    files.remove("chat_template.jinja");
    assert_eq!(render(&files).unwrap(), "from configuration");
    let list = json!([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]);
    files.insert("tokenizer_config.json".into(), config(list));
    assert_eq!(render(&files).unwrap(), "d");
    files.insert("tokenizer_config.json".into(), config(json!([{"name": "only", "template": "o"}])));
    assert_eq!(render(&files).unwrap(), "o");
    files.insert("tokenizer_config.json".into(), config(json!(5)));
    assert!(render(&files).unwrap_err().to_string().contains("tokenizer_config.json: `chat_template` is neither"));
}

#[test]
fn tokens_that_only_the_configuration_adds_are_added() {
    let mut files = files("chatml");
    let next = tokenizer("chatml").vocab_size();
    let config = |id: usize| {
        let added = json!({"content": "<|extra|>", "special": true});
        let config = json!({"eos_token": "<|im_end|>", "added_tokens_decoder": {id.to_string(): added}});
        serde_json::to_vec(&config).unwrap()
    };
    files.insert("tokenizer_config.json".into(), config(next));
    let tokenizer = Tokenizer::from_bytes(files.clone(), Path::new("model")).unwrap();
    assert_eq!(tokenizer.encode("a<|extra|>", false).unwrap().last(), Some(&(next as u32)));
    assert_eq!(tokenizer.vocab_size(), next + 1);
    files.insert("tokenizer_config.json".into(), config(next + 7));
    let message = Tokenizer::from_bytes(files, Path::new("model")).unwrap_err().to_string();
    assert!(message.contains("\"<|extra|>\""), "{message}");
}

#[test]
fn truncation_and_padding_of_the_file_are_ignored() {
    let mut files = files("chatml");
    let mut json: serde_json::Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
    json["truncation"] = json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"});
    files.insert("tokenizer.json".into(), serde_json::to_vec(&json).unwrap());
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    let text = "seven apples and three pears";
    assert_eq!(tokenizer.decode(&tokenizer.encode(text, false).unwrap(), false), text);
}

#[test]
fn decoding_can_leave_out_special_tokens() {
    let tokenizer = tokenizer("chatml");
    let ids = tokenizer.encode("<think>ten</think><|im_end|>", false).unwrap();
    assert_eq!(tokenizer.decode(&ids, true), "<think>ten</think>");
    assert_eq!(tokenizer.token(*ids.last().unwrap()), "<|im_end|>");
    assert!(tokenizer.is_special(*ids.last().unwrap()));
    assert_eq!(tokenizer.token(1_000_000), "<id 1000000>");
}

#[test]
fn what_is_missing_or_malformed_is_named_with_a_remedy() {
    let none = tempfile::tempdir().unwrap();
    let message = error(&none.path().join("nowhere"));
    assert!(message.contains("nowhere/tokenizer.json") && message.contains("does not exist"), "{message}");
    assert!(error(none.path()).contains("complete the download"));
    std::fs::write(none.path().join("tokenizer.model"), b"x").unwrap();
    assert!(error(none.path()).contains("save_pretrained"));

    let dir = directory("chatml");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("tokenizer_config.json", "{\"eos_token\": \"<|nope|>\"}");
    assert!(error(dir.path()).contains("`eos_token` is \"<|nope|>\", which is not in the vocabulary"));
    write("tokenizer_config.json", "[1");
    assert!(error(dir.path()).contains("tokenizer_config.json: not a JSON object"));
    write("tokenizer_config.json", "{}");
    write("chat_template.jinja", "{% for %}");
    let failed = Tokenizer::load(dir.path()).unwrap_err();
    assert!(matches!(failed, TextError::Template { .. }));
    assert!(failed.to_string().contains("chat_template.jinja: the chat template is not valid"), "{failed}");
    write("tokenizer.json", "{\"half\": ");
    assert!(error(dir.path()).contains("tokenizer.json: not a tokenizer"));
}
