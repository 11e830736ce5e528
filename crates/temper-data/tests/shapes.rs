//! The shapes of rows: what is asked and what is learned.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, error, rows};
use serde_json::{Value, json};
use temper_data::{Row, Rows};
use temper_recipe::{DataSource, Shape};
use temper_text::{Completion, Message, Prompt};

fn one(row: Value) -> Row {
    rows("d.jsonl", row.to_string(), json!({})).remove(0)
}

fn failed(row: Value, expected: &str) {
    let e = error("d.jsonl", row.to_string(), json!({}));
    assert!(e.starts_with("d.jsonl:1: ") && e.contains(expected), "{row}: {e}");
}

#[test]
fn preferences_in_every_form() {
    let explicit = one(json!({"prompt": "p", "chosen": "a", "rejected": "b"}));
    assert_eq!((explicit.shape, explicit.prompt), (Shape::Preference, Prompt::user("p")));
    assert_eq!((explicit.completion, explicit.rejected), (Some("a".into()), Some("b".into())));
    let turn = |role: &str, content: &str| json!({"role": role, "content": content});
    let implicit = one(json!({
        "chosen": [turn("user", "p"), turn("assistant", "a")], "rejected": [turn("user", "p"), turn("assistant", "b")]}));
    assert_eq!(
        (implicit.prompt, implicit.completion, implicit.rejected),
        (Prompt::user("p"), Some("a".into()), Some("b".into()))
    );
    // TRL takes the space before the first difference to the completions.
    let text = one(json!({"chosen": "The sky is blue.", "rejected": "The sky is green."}));
    assert_eq!((text.prompt, text.completion), (Prompt::user("The sky is"), Some(" blue.".into())));
    let hh = one(json!({
        "chosen": "\n\nHuman: p\n\nAssistant: q\n\nHuman: r\n\nAssistant: a",
        "rejected": "\n\nHuman: p\n\nAssistant: q\n\nHuman: r\n\nAssistant: b"}));
    let turns = vec![Message::user("p"), Message::assistant("q"), Message::user("r")];
    assert_eq!((hh.shape, hh.prompt, hh.rejected), (Shape::HhRlhf, Prompt::chat(turns), Some("b".into())));
    let pku = one(json!({"prompt": "p", "response_0": "a", "response_1": "b", "better_response_id": 1}));
    assert_eq!((pku.shape, pku.completion, pku.rejected), (Shape::PkuSaferlhf, Some("b".into()), Some("a".into())));
    let unpaired = one(json!({"prompt": "p", "completion": "c", "label": false}));
    assert_eq!((unpaired.shape, unpaired.label), (Shape::UnpairedPreference, Some(false)));
    let steps = one(json!({"prompt": "p", "completions": ["a", "b"], "labels": [true, false]}));
    assert_eq!((steps.shape, steps.completion, steps.steps.len()), (Shape::Stepwise, Some("a\nb".into()), 2));
    // A label that is no truth is a column like any other.
    assert_eq!(one(json!({"prompt": "p", "completion": "c", "label": "safe"})).shape, Shape::PromptCompletion);

    failed(json!({"prompt": "p", "chosen": "a", "rejected": "a"}), "the same");
    failed(json!({"chosen": "abc", "rejected": "xyz"}), "do not begin alike");
    failed(json!({"prompt": "p", "completions": ["a"], "labels": []}), "1 steps and 0 labels");
    failed(json!({"prompt": "p", "response_0": "a", "response_1": "b", "better_response_id": 2}), "expected 0 or 1");
}

#[test]
fn dialogues_with_tools_and_flags() {
    let call = json!([{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]);
    let tools = json!([{"type": "function", "function": {"name": "add"}}]);
    let row = one(json!({
        "messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": null, "tool_calls": call, "weight": 0},
            {"role": "tool", "name": "add", "content": "2"}, {"role": "assistant", "content": "2"}],
        "tools": tools.to_string(), "chat_template_kwargs": {"enable_thinking": false}}));
    let Prompt::Chat(dialogue) = &row.prompt else { panic!("{:?}", row.prompt) };
    assert_eq!(dialogue.variables, *json!({"enable_thinking": false, "tools": tools}).as_object().unwrap());
    assert_eq!(dialogue.messages[1].train, Some(false));
    assert_eq!(dialogue.messages[1].to_template(), json!({"role": "assistant", "content": null, "tool_calls": call}));
    assert_eq!(dialogue.messages[2].more["name"], "add");
    let again = rows("d.jsonl", Value::Object(row.to_json()).to_string(), json!({})).remove(0);
    assert_eq!((&again.prompt, &again.completion), (&row.prompt, &row.completion));

    let sharegpt = one(json!({"system": "s", "conversations": [
        {"from": "human", "value": "1+1?"}, {"from": "function_call", "value": "{\"name\": \"add\", \"arguments\": {}}"},
        {"from": "observation", "value": "2"}, {"from": "gpt", "value": "2"}]}));
    let roles: Vec<&str> = sharegpt.prompt.messages().iter().map(|m| m.role.as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(sharegpt.prompt.messages()[2].more["tool_calls"][0]["function"]["name"], "add");
    let several = one(json!({"prompt": [{"role": "user", "content": "a"}], "completion": [
        {"role": "assistant", "content": null, "tool_calls": call}, {"role": "tool", "content": "2"}, {"role": "assistant", "content": "2"}]}));
    assert!(matches!(several.completion, Some(Completion::Turns(turns)) if turns.len() == 3));
    failed(json!({"messages": [{"role": "user", "content": "a"}], "tools": "[{"}), "field `tools`: not JSON");
    failed(json!({"conversations": [{"from": "function_call", "value": "add(1)"}]}), "not JSON of {name, arguments}");
}

#[test]
fn alpaca_with_history_and_verl() {
    let alpaca = one(json!({"instruction": "and 2?", "output": "3", "history": [["1?", "2"]], "system": "s"}));
    let turns = vec![Message::system("s"), Message::user("1?"), Message::assistant("2"), Message::user("and 2?")];
    assert_eq!((alpaca.shape, alpaca.prompt), (Shape::Alpaca, Prompt::chat(turns)));
    let verl = one(json!({"data_source": "gsm8k", "prompt": [{"role": "user", "content": "1+1?"}], "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "2"}, "extra_info": {"split": "train"}}));
    assert_eq!((verl.shape, verl.fields["answer"].clone()), (Shape::Verl, json!("2")));
    failed(json!({"instruction": "a", "output": "b", "history": [["c"]]}), "expected [request, answer]");
    failed(json!({"data_source": "d", "prompt": "p", "reward_model": {"style": "rule"}}), "no `ground_truth`");
}

#[test]
fn a_shape_that_is_named_wins() {
    let text = json!({"prompt": "p", "completion": "c", "text": "t"}).to_string();
    let read = |keys: Value| rows("d.jsonl", &text, keys).remove(0);
    assert_eq!(read(json!({"shape": "text"})).completion, Some("t".into()));
    assert_eq!(read(json!({"shape": "prompt_only"})).completion, None);
    // Parts that are not named are looked for under their usual names.
    assert_eq!(read(json!({"columns": {"prompt": "text"}})).completion, Some("c".into()));
    assert!(error("d.jsonl", &text, json!({"shape": "preference"})).contains("field `chosen`"));
    let kwargs = json!({"chat_template_kwargs": {"enable_thinking": false}});
    let Prompt::Chat(dialogue) = read(kwargs).prompt else { panic!("not a dialogue") };
    assert_eq!(dialogue.variables["enable_thinking"], false);
}

#[test]
fn sampled_ids_come_with_the_row() {
    assert_eq!(
        one(json!({"prompt": "p", "completion": "c", "completion_ids": [5, 6]})).completion_ids,
        Some(vec![5, 6])
    );
    failed(json!({"prompt": "p", "completion": "c", "completion_ids": [-5]}), "expected a list of token ids");
}

#[test]
fn reading_goes_on_after_a_row_that_is_wrong() {
    let folder = Folder::new();
    let path = folder.write("d.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": 5}\n{\"prompt\": \"b\"}\n");
    let source = DataSource { path: path.to_str().unwrap().to_owned(), ..DataSource::default() };
    let rows: Vec<bool> = Rows::open(&source, true).unwrap().map(|row| row.is_ok()).collect();
    assert_eq!(rows, [true, false, true]);
}
