//! Training examples: what is a target, and what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use common::{files, tokenizer};
use serde_json::{Value, json};
use std::path::Path;
use temper_text::{Message, Prompt, TextError, Tokenizer};

const THOUGHT: &str = "<think>\nseven and three\n</think>\n\nten";

/// Texts of context and target.
fn parts(tokenizer: &Tokenizer, prompt: &Prompt, completion: &str) -> (String, String) {
    let example = tokenizer.encode_example(prompt, completion).unwrap();
    assert_eq!(example.ids.len(), example.trainable.len());
    assert!(example.trainable[..example.prompt_len].iter().all(|t| !t));
    assert!(example.trainable[example.prompt_len.max(1)..].iter().all(|t| *t));
    let (context, target) = example.ids.split_at(example.prompt_len);
    (tokenizer.decode(context, false), tokenizer.decode(target, false))
}

/// The fixtures' tokenizer, which puts a BOS before every text, as most Llama tokenizers do.
fn with_bos(template: &str) -> Tokenizer {
    let mut files = files(template);
    let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
    let bos = "<|begin_of_text|>";
    let id = tokenizer(template).token_id(bos).unwrap();
    json["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {bos: {"id": bos, "ids": [id], "tokens": [bos]}}
    });
    files.insert("tokenizer.json".into(), serde_json::to_vec(&json).unwrap());
    Tokenizer::from_bytes(files, Path::new("model")).unwrap()
}

#[test]
fn completion_and_turn_end_are_targets_in_every_family() {
    for (template, stop) in
        [("chatml", "<|im_end|>"), ("llama3", "<|eot_id|>"), ("qwen3", "<|im_end|>"), ("mistral", "<|endoftext|>")]
    {
        let tokenizer = tokenizer(template);
        let prompt = Prompt::user("seven and three?");
        let encoded = tokenizer.encode_prompt(&prompt).unwrap();
        assert_eq!(encoded.prefill, "", "{template}");
        let (context, target) = parts(&tokenizer, &prompt, THOUGHT);
        assert_eq!(context, encoded.text, "{template}");
        // Mistral's template writes a space between the instruction and the answer; the model writes it when sampled.
        let space = if template == "mistral" { " " } else { "" };
        assert_eq!(target, format!("{space}{THOUGHT}{stop}"), "{template}");
        assert!(tokenizer.stop_ids().contains(&tokenizer.token_id(stop).unwrap()));
    }
}

#[test]
fn what_is_trained_is_the_rendered_dialogue_where_the_template_keeps_it() {
    for template in ["chatml", "llama3", "mistral"] {
        let tokenizer = tokenizer(template);
        let turns = vec![Message::user("seven and three?"), Message::assistant(THOUGHT)];
        let whole = tokenizer.encode_dialogue(&turns.clone().into()).unwrap();
        let example = tokenizer.encode_example(&Prompt::chat(turns[..1].to_vec()), THOUGHT).unwrap();
        assert!(example.ids.len() + 1 >= whole.len(), "{template}: only a line break may follow the stop token");
        if template != "mistral" {
            assert_eq!(whole[..example.ids.len()], example.ids, "{template}");
        }
    }
}

#[test]
fn a_prompt_that_opens_the_thinking_has_a_prefill_and_the_completion_does_not_repeat_it() {
    let tokenizer = tokenizer("r1");
    let prompt = Prompt::user("seven and three?");
    assert_eq!(tokenizer.encode_prompt(&prompt).unwrap().prefill, "<think>\n");
    let open = "<|begin_of_text|><|User|>seven and three?<|Assistant|><think>\n";
    let learned = "seven and three\n</think>\n\nten<|endoftext|>";
    for completion in [THOUGHT, "seven and three\n</think>\n\nten"] {
        assert_eq!(parts(&tokenizer, &prompt, completion), (open.to_owned(), learned.to_owned()));
    }
    let example = tokenizer.encode_example(&prompt, "ten").unwrap();
    assert!(example.closed_thinking);
    let (context, target) = parts(&tokenizer, &prompt, "ten");
    assert_eq!((context, target.as_str()), (format!("{open}\n</think>\n\n"), "ten<|endoftext|>"));
}

#[test]
fn plain_text_gets_the_bos_of_the_tokenizer_and_the_end_of_sequence() {
    let tokenizer = with_bos("llama3");
    let prompt = Prompt::Text("seven and three is".into());
    let (context, target) = parts(&tokenizer, &prompt, " ten");
    assert_eq!(context, "<|begin_of_text|>seven and three is");
    assert_eq!(target, " ten<|eot_id|>");
    assert_eq!(tokenizer.encode("ten", true).unwrap()[0], tokenizer.bos().unwrap());
}

#[test]
fn two_bos_are_an_error() {
    let tokenizer = with_bos("llama3");
    let error = tokenizer.encode("<|begin_of_text|>ten", true).unwrap_err();
    assert!(matches!(error, TextError::DoubleBos { .. }), "{error}");
    assert!(error.to_string().contains("Remove <|begin_of_text|> from the text"), "{error}");
    assert!(tokenizer.encode_prompt(&Prompt::Text("<|begin_of_text|>ten".into())).is_err());
    // The chat template writes the BOS, and the tokenizer is not asked for another.
    let ids = tokenizer.encode_prompt(&Prompt::user("ten")).unwrap().ids;
    assert_eq!(ids.iter().filter(|id| Some(**id) == tokenizer.bos()).count(), 1);

    let mut files = files("llama3");
    let doubled = [b"{{ bos_token }}".to_vec(), files["chat_template.jinja"].clone()].concat();
    files.insert("chat_template.jinja".into(), doubled);
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    assert!(matches!(tokenizer.encode_prompt(&Prompt::user("ten")), Err(TextError::DoubleBos { .. })));
    assert!(matches!(tokenizer.encode_dialogue(&vec![Message::user("ten")].into()), Err(TextError::DoubleBos { .. })));
}

#[test]
fn completions_that_cannot_be_learned_are_errors() {
    let tokenizer = tokenizer("chatml");
    let prompt = Prompt::user("seven and three?");
    let message = |completion: &str| tokenizer.encode_example(&prompt, completion).unwrap_err().to_string();
    assert!(message("").contains("is empty"));
    assert!(message(" \n").contains("is empty"));
    assert!(message("ten<|im_end|>eleven").contains("stop token <|im_end|> before its end"));
    // One at the end is not doubled.
    let (_, target) = parts(&tokenizer, &prompt, "ten<|im_end|>");
    assert_eq!(target, "ten<|im_end|>");
    // A single token that nothing stands before; the stop token after it is still learned.
    let example = tokenizer.encode_example(&Prompt::Text(String::new()), "ten").unwrap();
    assert_eq!(example.targets(), example.ids.len() - 1);
    assert!(matches!(tokenizer.encode_prompt(&Prompt::Text(String::new())), Err(TextError::EmptyPrompt)));
}

#[test]
fn the_turn_end_of_the_template_is_a_stop_token_beside_the_configured_one() {
    let mut files = files("chatml");
    files.insert("tokenizer_config.json".into(), br#"{"eos_token": "<|endoftext|>"}"#.to_vec());
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    let ids = ["<|endoftext|>", "<|im_end|>"].map(|t| tokenizer.token_id(t).unwrap());
    assert_eq!(tokenizer.stop_ids(), ids);
    let (_, target) = parts(&tokenizer, &Prompt::user("seven and three?"), "ten");
    assert_eq!(target, "ten<|im_end|>");
    let (_, target) = parts(&tokenizer, &Prompt::Text("seven and three is".into()), " ten");
    assert_eq!(target, " ten<|endoftext|>");
}

#[test]
fn a_turn_that_no_special_token_ends_is_ended_by_the_end_of_sequence_or_refused() {
    let plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    let mut files = files("chatml");
    files.insert("chat_template.jinja".into(), plain.into());
    let tokenizer = Tokenizer::from_bytes(files.clone(), Path::new("model")).unwrap();
    let (context, target) = parts(&tokenizer, &Prompt::user("seven?"), "ten");
    assert_eq!((context.as_str(), target.as_str()), ("user: seven?\nassistant:", " ten<|im_end|>"));

    files.insert("tokenizer_config.json".into(), b"{}".to_vec());
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    assert!(tokenizer.stop_ids().is_empty());
    for prompt in [Prompt::user("seven?"), Prompt::Text("seven?".into())] {
        let error = tokenizer.encode_example(&prompt, "ten").unwrap_err();
        assert!(matches!(error, TextError::NoStop { .. }), "{error}");
        assert!(error.to_string().contains("Set `eos_token` in tokenizer_config.json"), "{error}");
    }
}

#[test]
fn a_generation_prompt_that_does_not_begin_the_turn_is_refused() {
    let mut files = files("chatml");
    let template = "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>model {% endif %}";
    files.insert("chat_template.jinja".into(), template.into());
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    let error = tokenizer.encode_example(&Prompt::user("seven?"), "ten").unwrap_err().to_string();
    assert!(error.contains("generation prompt is not how an assistant turn begins"), "{error}");
}

#[test]
fn a_dialogue_needs_a_chat_template() {
    let mut files = files("chatml");
    files.remove("chat_template.jinja");
    let tokenizer = Tokenizer::from_bytes(files, Path::new("model")).unwrap();
    assert!(!tokenizer.has_chat_template());
    for result in [
        tokenizer.encode_prompt(&Prompt::user("a")).map(drop),
        tokenizer.encode_example(&Prompt::user("a"), "b").map(drop),
        tokenizer.encode_dialogue(&vec![Message::user("a")].into()).map(drop),
    ] {
        assert!(matches!(result, Err(TextError::NoChatTemplate { .. })));
    }
}
