//! Masks of turns: against `return_assistant_tokens_mask`, against TRL's trainer, and by their properties on random dialogues.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{folder, tokenizer};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use temper_recipe::LossOn;
use temper_text::{Completion, Dialogue, Example, Message, Prompt, TextError, Tokenizer};

const FAMILIES: [&str; 10] =
    ["chatml", "llama3", "llama31", "mistral", "mistral3", "qwen25", "qwen3", "qwen3tools", "r1", "deepseek"];
const THOUGHT: &str = "<think>\nseven and three\n</think>\n\nten";

fn fixtures() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("chat_masks.json")).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn date() -> Map<String, Value> {
    Map::from_iter([("date_string".to_owned(), json!("1 Jan 2025"))])
}

fn rows(
    tokenizer: &Tokenizer,
    prompt: Vec<Message>,
    completion: Vec<Message>,
    loss_on: LossOn,
) -> Result<Vec<Example>, TextError> {
    let prompt = Prompt::Chat(Dialogue { messages: prompt, variables: date() });
    tokenizer.encode_row(&prompt, &Completion::Turns(completion), None, loss_on)
}

fn one(tokenizer: &Tokenizer, prompt: Vec<Message>, completion: Vec<Message>, loss_on: LossOn) -> Example {
    let mut rows = rows(tokenizer, prompt, completion, loss_on).unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// The texts of runs of tokens that are learned.
fn targets(tokenizer: &Tokenizer, example: &Example) -> Vec<String> {
    assert_eq!(example.ids.len(), example.trainable.len());
    let (mut out, mut run) = (Vec::new(), Vec::new());
    for (id, learned) in example.ids.iter().zip(&example.trainable).chain([(&0, &false)]) {
        match learned {
            true => run.push(*id),
            false if !run.is_empty() => out.push(tokenizer.decode(&std::mem::take(&mut run), false)),
            false => {}
        }
    }
    out
}

fn question() -> Vec<Message> {
    vec![Message::user("seven and three?")]
}

fn with(mut message: Message, name: &str, value: Value) -> Message {
    message.more.insert(name.into(), value);
    message
}

fn call(name: &str) -> Value {
    json!([{"type": "function", "id": "call00000", "function": {"name": name, "arguments": {"city": "Paris"}}}])
}

#[test]
fn assistant_turns_are_those_of_the_generation_blocks() {
    let tokenizer = tokenizer("chatml");
    let mut compared = 0;
    for case in fixtures()["masks"].as_array().unwrap() {
        let template = tokenizer.chat_template().unwrap();
        let (text, spans) = template.render_with_spans(&case["messages"], &Map::new()).unwrap();
        let marked: Vec<&str> = spans.iter().map(|span| &text[span.clone()]).collect();
        let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
        if messages.iter().any(|message| message.reasoning().is_some()) {
            continue;
        }
        let assistant = messages.iter().any(Message::is_assistant);
        let rows = rows(&tokenizer, messages, vec![], LossOn::Assistant).unwrap();
        let (ids, mask) = (ids(&case["ids"]), ids(&case["mask"]));
        let [example] = rows.as_slice() else { panic!("{} examples", rows.len()) };
        // What follows the last learned turn is not part of the example.
        assert_eq!(example.ids, ids[..example.ids.len()], "{}", case["dialogue"]);
        let expected: Vec<bool> = mask.iter().map(|m| *m == 1).collect();
        assert_eq!(example.trainable, expected[..example.ids.len()], "{}", case["dialogue"]);
        assert_eq!(assistant, expected.contains(&true));
        assert!(!expected[example.ids.len()..].contains(&true));
        assert_eq!(targets(&tokenizer, example), marked, "{}", case["dialogue"]);
        compared += 1;
    }
    assert!(compared > 8, "{compared}");
}

#[test]
fn rows_train_what_trl_trains() {
    let mut compared = 0;
    for case in fixtures()["rows"].as_array().unwrap() {
        let (name, row) = (case["template"].as_str().unwrap(), &case["row"]);
        let tokenizer = tokenizer(name);
        let messages = |name: &str| serde_json::from_value::<Vec<Message>>(row[name].clone()).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let (prompt, completion, loss_on) = match (row.get("messages"), row.get("text"), &row["prompt"]) {
            (Some(_), ..) => (Prompt::chat(messages("messages")), Completion::Turns(vec![]), LossOn::Assistant),
            (_, Some(_), _) => (Prompt::default(), Completion::Text(text("text")), LossOn::Completion),
            (.., Value::String(_)) => {
                (Prompt::Text(text("prompt")), Completion::Text(text("completion")), LossOn::Completion)
            }
            _ => (Prompt::chat(messages("prompt")), Completion::Turns(messages("completion")), LossOn::Completion),
        };
        let rows = tokenizer.encode_row(&prompt, &completion, None, loss_on).unwrap();
        let what = format!("{name} {row}");
        let [example] = rows.as_slice() else { panic!("{} examples of {what}", rows.len()) };
        let theirs: Vec<i64> = serde_json::from_value(case["labels"].clone()).unwrap();
        let their_ids = ids(&case["ids"]);
        let mut expected: Vec<bool> = theirs.iter().map(|label| *label != -100).collect();
        // Two differences. TRL counts the first token of a sequence, which its loss then drops.
        expected[0] = false;
        // It learns what the template writes after the stop token, and the empty thinking that a template inserts.
        let after = their_ids.len() - example.ids.len();
        assert!(tokenizer.decode(&their_ids[example.ids.len()..], false).trim().is_empty(), "{what}");
        let inserted = tokenizer.decode(&their_ids, false).contains("<think>\n\n</think>\n\n");
        assert_eq!(example.closed_thinking, inserted, "{what}");
        if inserted {
            let trained = |mask: &[bool]| -> Vec<u32> {
                their_ids.iter().zip(mask).filter(|(_, m)| **m).map(|(id, _)| *id).collect()
            };
            let theirs = tokenizer.decode(&trained(&expected), false);
            let ours = tokenizer.decode(&trained(&example.trainable), false);
            assert_eq!(theirs.trim_end(), format!("<think>\n\n</think>\n\n{ours}"), "{what}");
            assert_eq!(tokenizer.decode(&example.ids, false), tokenizer.decode(&their_ids, false).trim_end());
        } else if !example.drift {
            assert_eq!(example.ids, their_ids[..example.ids.len()], "{what}");
            assert_eq!(example.trainable, expected[..example.ids.len()], "{what} {after}");
        } else {
            assert_eq!(
                tokenizer.decode(&example.ids, false),
                tokenizer.decode(&their_ids[..], false).trim_end(),
                "{what}"
            );
        }
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn what_each_choice_learns() {
    let tokenizer = tokenizer("chatml");
    let mut flagged = Message::assistant("first");
    flagged.train = Some(true);
    let mut not = Message::assistant("second");
    not.train = Some(false);
    let prompt = vec![Message::user("a"), flagged, Message::user("b"), not, Message::user("c")];
    let learned = |loss_on| {
        let example = one(&tokenizer, prompt.clone(), vec![Message::assistant(THOUGHT)], loss_on);
        targets(&tokenizer, &example)
    };
    let last = format!("{THOUGHT}<|im_end|>");
    assert_eq!(learned(LossOn::Completion), [last.as_str()]);
    assert_eq!(learned(LossOn::LastTurn), [last.as_str()]);
    assert_eq!(learned(LossOn::Assistant), ["first<|im_end|>", last.as_str()]);
    assert_eq!(learned(LossOn::Flagged), ["first<|im_end|>"]);
    assert_eq!(learned(LossOn::Thinking), ["<think>\nseven and three\n</think>"]);
    assert_eq!(learned(LossOn::Answer), ["\n\nten<|im_end|>"]);
}

#[test]
fn what_a_row_does_not_have_is_no_target_and_no_error() {
    let tokenizer = tokenizer("chatml");
    for loss_on in [LossOn::Thinking, LossOn::Flagged] {
        let example = one(&tokenizer, question(), vec![Message::assistant("ten")], loss_on);
        assert_eq!(example.targets(), 0, "{loss_on:?}");
        assert!(tokenizer.decode(&example.ids, false).contains("ten"));
    }
    let example = one(&tokenizer, question(), vec![Message::assistant("ten")], LossOn::Answer);
    assert_eq!(targets(&tokenizer, &example), ["ten<|im_end|>"]);
    // A thinking that is never closed has no answer.
    let open = || vec![Message::assistant("<think>\nseven")];
    assert_eq!(one(&tokenizer, question(), open(), LossOn::Answer).targets(), 1);
    let example = one(&tokenizer, question(), open(), LossOn::Thinking);
    assert_eq!(targets(&tokenizer, &example), ["<think>\nseven"]);
}

#[test]
fn an_empty_thinking_of_the_template_is_context() {
    for name in ["qwen3", "qwen3tools"] {
        let tokenizer = tokenizer(name);
        let example = one(&tokenizer, question(), vec![Message::assistant("ten")], LossOn::Completion);
        assert!(example.closed_thinking);
        assert_eq!(targets(&tokenizer, &example), ["ten<|im_end|>"]);
        assert!(tokenizer.decode(&example.ids, false).ends_with("assistant\n<think>\n\n</think>\n\nten<|im_end|>"));
        // One that the data has is learned.
        let example =
            one(&tokenizer, question(), vec![Message::assistant("<think>\n\n</think>\n\nten")], LossOn::Completion);
        assert_eq!(targets(&tokenizer, &example), ["<think>\n\n</think>\n\nten<|im_end|>"]);
    }
}

#[test]
fn each_turn_is_learned_in_the_context_in_which_it_is_written() {
    let turns = vec![
        Message::user("seven and three?"),
        Message::assistant(THOUGHT),
        Message::user("and two?"),
        Message::assistant("<think>\nplus two\n</think>\n\ntwelve"),
    ];
    for (name, kept) in [
        ("chatml", 1),
        ("llama3", 1),
        ("mistral", 1),
        ("qwen25", 1),
        ("qwen3", 2),
        ("qwen3tools", 2),
        ("r1", 2),
        ("deepseek", 2),
    ] {
        let tokenizer = tokenizer(name);
        let rows = rows(&tokenizer, turns.clone(), vec![], LossOn::Assistant).unwrap();
        assert_eq!(rows.len(), kept, "{name}");
        let learned: Vec<String> = rows.iter().flat_map(|example| targets(&tokenizer, example)).collect();
        for (target, thought) in
            learned.iter().zip(["seven and three\n</think>\n\nten", "plus two\n</think>\n\ntwelve"])
        {
            assert!(target.contains(thought), "{name}: {target:?}");
            assert!(tokenizer.is_special(*tokenizer.encode(target, false).unwrap().last().unwrap()));
        }
        if kept == 2 {
            // The second turn is written after the first one's answer, without its thinking.
            let context = tokenizer.decode(&rows[1].ids[..rows[1].prompt_len], false);
            assert!(context.contains("ten") && !context.contains("seven and three\n"), "{name}: {context}");
            let prompt = Prompt::Chat(Dialogue { messages: turns[..3].to_vec(), variables: date() });
            assert_eq!(tokenizer.encode_prompt(&prompt).unwrap().ids, rows[1].ids[..rows[1].prompt_len]);
        }
        assert_eq!(rows.iter().flat_map(|row| row.turns.iter().map(|t| t.turn)).collect::<Vec<_>>(), [1, 3]);
    }
}

#[test]
fn a_reasoning_held_apart_is_learned() {
    let turn = with(Message::assistant("ten"), "reasoning_content", json!("seven and three"));
    for name in FAMILIES {
        let tokenizer = tokenizer(name);
        let example = one(&tokenizer, question(), vec![turn.clone()], LossOn::Completion);
        let learned = targets(&tokenizer, &example).concat();
        assert!(learned.contains("seven and three\n</think>\n\nten"), "{name}: {learned:?}");
    }
}

#[test]
fn tool_calls_are_learned_as_the_template_writes_them_or_refused() {
    let turn = || with(Message::assistant(""), "tool_calls", call("get_weather"));
    let thought = || with(turn(), "reasoning_content", json!("look it up"));
    for name in ["llama31", "mistral3", "qwen25", "qwen3tools"] {
        let tokenizer = tokenizer(name);
        let example = one(&tokenizer, question(), vec![turn()], LossOn::Completion);
        let learned = targets(&tokenizer, &example).concat();
        assert!(learned.contains("get_weather") && learned.contains("{\"city\": \"Paris\"}"), "{name}: {learned:?}");
        assert!(
            learned.ends_with("<|im_end|>") || learned.ends_with("<|eot_id|>") || learned.ends_with("<|endoftext|>")
        );
    }
    let tokenizer = tokenizer("qwen3tools");
    let example = one(&tokenizer, question(), vec![thought()], LossOn::Completion);
    assert!(targets(&tokenizer, &example)[0].starts_with("<think>\nlook it up\n</think>\n\n<tool_call>"));

    let error = |name: &str, turn: Message, loss_on| {
        rows(&common::tokenizer(name), question(), vec![turn], loss_on).unwrap_err().to_string()
    };
    for name in ["chatml", "llama3", "mistral", "qwen3", "r1"] {
        let text = error(name, turn(), LossOn::Completion);
        assert!(text.contains("drops the turn's tool calls") || text.contains("cannot render"), "{name}: {text}");
    }
    let text =
        error("llama31", with(Message::assistant("I look."), "tool_calls", call("get_weather")), LossOn::Completion);
    assert!(text.contains("drops the text of a turn with tool calls"), "{text}");
    let text = error("llama31", thought(), LossOn::Completion);
    assert!(
        text.contains("drops the reasoning of a turn with tool calls") && text.contains("loss_on: answer"),
        "{text}"
    );
    let example = one(&common::tokenizer("llama31"), question(), vec![thought()], LossOn::Answer);
    assert!(targets(&common::tokenizer("llama31"), &example)[0].starts_with("{\"name\": \"get_weather\""));
}

#[test]
fn a_generation_prompt_that_closes_the_thinking_leaves_the_answer_to_learn() {
    let tokenizer = tokenizer("qwen3tools");
    let variables = Map::from_iter([("enable_thinking".to_owned(), json!(false))]);
    let prompt = Prompt::Chat(Dialogue { messages: question(), variables });
    let go = |text: &str, loss_on| tokenizer.encode_row(&prompt, &Completion::from(text), None, loss_on);
    for (text, loss_on) in [("ten", LossOn::Completion), (THOUGHT, LossOn::Answer)] {
        let rows = go(text, loss_on).unwrap();
        assert_eq!(targets(&tokenizer, &rows[0]), ["ten<|im_end|>"]);
        assert_eq!(rows[0].ids[..rows[0].prompt_len], tokenizer.encode_prompt(&prompt).unwrap().ids);
    }
    let error = go(THOUGHT, LossOn::Completion).unwrap_err().to_string();
    assert!(error.contains("closes the thinking") && error.contains("enable_thinking"), "{error}");
}

#[test]
fn a_turn_ends_with_the_token_that_the_template_writes() {
    let mut files = common::files("chatml");
    let source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{{ '<|eot_id|>' if m.role == 'assistant' else '' }}\n\
                  {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    for (source, text, learned) in [
        (source.to_owned(), "ten", "ten<|eot_id|>"),
        (source.to_owned(), "<|User|>", "<|User|><|eot_id|>"),
        // A template without end: the end-of-sequence token, after the text as well if the text ends in a special token.
        (source.replace("<|eot_id|>", ""), "ten", "ten<|im_end|>"),
        (source.replace("<|eot_id|>", ""), "ten<|User|>", "ten<|User|><|im_end|>"),
    ] {
        files.insert("chat_template.jinja".into(), source.into());
        let tokenizer = Tokenizer::from_bytes(files.clone(), std::path::Path::new("model")).unwrap();
        let example = one(&tokenizer, question(), vec![Message::assistant(text)], LossOn::Completion);
        assert_eq!(targets(&tokenizer, &example), [learned]);
    }
}

#[test]
fn sampled_ids_are_taken_as_they_are() {
    let tokenizer = tokenizer("chatml");
    let stop = tokenizer.token_id("<|im_end|>").unwrap();
    let prompt = Prompt::user("seven and three?");
    let go =
        |text: &str, ids: &[u32]| tokenizer.encode_row(&prompt, &Completion::from(text), Some(ids), LossOn::Completion);
    let usual = [tokenizer.encode("ten apples", false).unwrap(), vec![stop]].concat();
    let letters: Vec<u32> =
        "ten apples".chars().flat_map(|c| tokenizer.encode(&c.to_string(), false).unwrap()).chain([stop]).collect();
    assert_ne!(usual, letters);
    for (ids, retokenised) in [(&usual, false), (&letters, true)] {
        let example = go("ten apples", ids).unwrap().remove(0);
        assert_eq!((&example.ids[example.prompt_len..], example.retokenised), (ids.as_slice(), retokenised));
        assert!(example.trainable[example.prompt_len..].iter().all(|t| *t));
    }
    // Cut at a limit, it has no stop token to learn.
    let cut = go("ten apples", &letters[..letters.len() - 1]).unwrap().remove(0);
    assert_eq!(cut.ids[cut.prompt_len..], letters[..letters.len() - 1]);
    assert!(go("eleven apples", &usual).unwrap_err().to_string().contains("the sampled ids decode to"));

    let tokenizer = common::tokenizer("r1");
    let stop = tokenizer.eos().unwrap();
    let ids = [tokenizer.encode("seven\n</think>\n\nten", false).unwrap(), vec![stop]].concat();
    for text in ["<think>\nseven\n</think>\n\nten", "seven\n</think>\n\nten"] {
        let rows = tokenizer.encode_row(&prompt, &Completion::from(text), Some(&ids), LossOn::Completion).unwrap();
        assert_eq!(rows[0].ids[rows[0].prompt_len..], ids);
        assert!(!rows[0].retokenised && !rows[0].closed_thinking);
    }
}

#[test]
fn a_sample_that_never_closed_its_thinking_has_no_answer() {
    let tokenizer = tokenizer("r1");
    let (prompt, text) = (Prompt::user("seven and three?"), "seven and");
    let ids = tokenizer.encode(text, false).unwrap();
    let targets = |sampled, loss_on| {
        tokenizer.encode_row(&prompt, &Completion::from(text), sampled, loss_on).unwrap()[0].targets()
    };
    assert_eq!(targets(Some(ids.as_slice()), LossOn::Thinking), ids.len());
    assert_eq!(targets(Some(ids.as_slice()), LossOn::Answer), 0);
    // A text of the data without tags is an answer.
    assert_eq!(targets(None, LossOn::Thinking), 0);
    assert_eq!(targets(None, LossOn::Answer), ids.len() + 1);
}

#[test]
fn what_a_template_or_prompt_makes_impossible_is_said() {
    let mut files = common::files("chatml");
    let source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}\
                  {{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    files.insert("chat_template.jinja".into(), source.into());
    let tokenizer = Tokenizer::from_bytes(files, std::path::Path::new("model")).unwrap();
    let turn = || with(Message::assistant("ten"), "reasoning_content", json!("seven and three"));
    let example = one(&tokenizer, question(), vec![turn()], LossOn::Completion);
    assert_eq!(targets(&tokenizer, &example), ["(seven and three)ten<|im_end|>"]);
    let error = rows(&tokenizer, question(), vec![turn()], LossOn::Answer).unwrap_err().to_string();
    assert!(error.contains("without </think>") && error.contains("loss_on: completion"), "{error}");

    let variables = Map::from_iter([("continue_final_message".to_owned(), json!(true))]);
    let mut messages = question();
    messages.push(Message::assistant("ten is"));
    let prompt = Prompt::Chat(Dialogue { messages, variables });
    assert!(tokenizer.encode_prompt(&prompt).unwrap().text.ends_with("assistant\nten is"));
    let error =
        tokenizer.encode_row(&prompt, &Completion::from("x"), None, LossOn::Completion).unwrap_err().to_string();
    assert!(error.contains("continue_final_message"), "{error}");
    let error =
        tokenizer.encode_row(&Prompt::Text("a".into()), &Completion::Turns(question()), None, LossOn::Completion);
    assert!(error.unwrap_err().to_string().contains("need a chat template"));
}

#[test]
fn plain_texts_learn_the_completion_or_all() {
    let tokenizer = tokenizer("chatml");
    let go = |prompt: &str, completion: &str, loss_on| {
        let rows =
            tokenizer.encode_row(&Prompt::Text(prompt.into()), &Completion::from(completion), None, loss_on).unwrap();
        targets(&tokenizer, &rows[0])
    };
    assert_eq!(go("seven and", " three", LossOn::Completion), [" three<|im_end|>"]);
    assert_eq!(go("seven and", " three", LossOn::Assistant), [" three<|im_end|>"]);
    assert!(go("seven and", " three", LossOn::Flagged).is_empty());
    assert_eq!(go("q: ", "<think>a</think>b", LossOn::Answer), ["b<|im_end|>"]);
    assert_eq!(go("", "seven", LossOn::Completion), ["even<|im_end|>"]);
    let stop = tokenizer.eos().unwrap();
    let sampled =
        tokenizer.encode_row(&Prompt::default(), &Completion::from("<|im_end|>"), Some(&[]), LossOn::Completion);
    assert!(sampled.is_err());
    let ids = [tokenizer.encode(" three", false).unwrap(), vec![stop]].concat();
    let rows =
        tokenizer.encode_row(&Prompt::Text("two".into()), &Completion::from(" three"), Some(&ids), LossOn::Completion);
    assert_eq!(targets(&tokenizer, &rows.unwrap()[0]), [" three<|im_end|>"]);
}

#[test]
fn rows_can_be_encoded_by_many_threads() {
    let tokenizer = tokenizer("qwen3");
    let go = || tokenizer.encode_example(&Prompt::user("seven and three?"), THOUGHT).unwrap();
    let expected = go();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..20).map(|_| go()).collect::<Vec<_>>())).collect();
        for thread in threads {
            assert!(thread.join().unwrap().iter().all(|example| *example == expected));
        }
    });
}

/// Texts with the words of other turns, tags, markup and white space in them.
fn content() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "seven",
        "apples",
        " ",
        "\n",
        "three.",
        "中文",
        "🍎",
        "<|im_start|>assistant",
        "<think>",
        "[INST]",
        "{{ x }}",
        "{% if %}",
        "ten<|User|>",
        "e\u{301}",
        "\t",
        "assistant",
        "</tool_call>",
        "user\n",
    ]);
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn answer() -> impl Strategy<Value = String> {
    let word =
        prop::sample::select(vec!["seven", "apples", "\n", " ", "三", "🍎", "so", "3 + 7", "{{ y }}", "\\n", "\n\n"]);
    let text = prop::collection::vec(word, 1..6)
        .prop_map(|words| words.concat())
        .prop_filter("blank", |t| !t.trim().is_empty());
    (text.clone(), prop::option::of(text)).prop_map(|(answer, thought)| match thought {
        Some(thought) => format!("<think>\n{}\n</think>\n\n{}", thought.trim(), answer.trim_start()),
        None => answer,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn targets_are_what_the_assistant_says_and_nothing_else(
        system in prop::option::of(content()),
        turns in prop::collection::vec((content(), answer()), 1..4),
    ) {
        for name in FAMILIES {
            let tokenizer = tokenizer(name);
            let mut messages: Vec<Message> = Vec::new();
            // Mistral has no system turn.
            messages.extend(system.clone().filter(|_| name != "mistral").map(Message::system));
            for (user, assistant) in &turns {
                messages.extend([Message::user(user.as_str()), Message::assistant(assistant.as_str())]);
            }
            let rows = rows(&tokenizer, messages.clone(), vec![], LossOn::Assistant).unwrap();
            let mut said = turns.iter().map(|(_, assistant)| assistant);
            for example in &rows {
                let text = tokenizer.decode(&example.ids, false);
                // The ids are those of the text, but for seams that are told of.
                if !example.drift {
                    prop_assert_eq!(&tokenizer.encode(&text, false).unwrap(), &example.ids, "{}", name);
                }
                let found = targets(&tokenizer, example);
                prop_assert_eq!(found.len(), example.turns.len());
                for (target, turn) in found.iter().zip(&example.turns) {
                    let said = said.next().unwrap();
                    prop_assert_eq!(&messages[turn.turn].content, said);
                    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                    let stop = tokenizer.token(*example.ids[turn.tokens.clone()].last().unwrap());
                    prop_assert!(tokenizer.stop_ids().contains(&tokenizer.token_id(&stop).unwrap()));
                    // Templates trim or pad; what is left is the turn and its stop token. A prompt may have opened the thinking.
                    let opened = if name == "r1" { said.strip_prefix("<think>\n").unwrap_or(said) } else { said };
                    prop_assert_eq!(squeezed(target), squeezed(&format!("{opened}{stop}")), "{}", name);
                }
                // What precedes each learned turn is exactly the prompt of that moment, and an empty thinking.
                let last = example.turns.last().unwrap();
                let prompt = Prompt::Chat(Dialogue { messages: messages[..last.turn].to_vec(), variables: date() });
                let prompt = tokenizer.encode_prompt(&prompt).unwrap().text;
                let before = tokenizer.decode(&example.ids[..last.tokens.start], false);
                let rest = before.strip_prefix(prompt.as_str());
                prop_assert!(rest.is_some_and(|r| r.replace("<think>", "").replace("</think>", "").trim().is_empty()), "{}", name);
            }
            prop_assert!(said.next().is_none());
            let whole = tokenizer.render(&messages, &date(), false).unwrap();
            let last = tokenizer.decode(&rows[rows.len() - 1].ids, false);
            // Mistral v3 puts the system text before the last request, so a turn's context is not the beginning of the next.
            if ["chatml", "llama3", "qwen25", "mistral"].contains(&name) || (name == "mistral3" && system.is_none()) {
                prop_assert_eq!(rows.len(), 1);
                prop_assert!(whole.strip_prefix(last.as_str()).is_some_and(|rest| rest.trim().is_empty()), "{}", name);
            }
        }
    }

    #[test]
    fn thinking_and_answer_make_the_whole(turn in answer()) {
        for name in FAMILIES {
            let tokenizer = tokenizer(name);
            let learned = |loss_on| one(&tokenizer, question(), vec![Message::assistant(turn.as_str())], loss_on);
            let (whole, thinking, answer) = (learned(LossOn::Completion), learned(LossOn::Thinking), learned(LossOn::Answer));
            prop_assert_eq!(&whole.ids, &thinking.ids);
            prop_assert_eq!(&whole.ids, &answer.ids);
            for i in 0..whole.ids.len() {
                prop_assert_eq!(whole.trainable[i], thinking.trainable[i] != answer.trainable[i]);
            }
            prop_assert_eq!(thinking.targets() > 0, turn.contains("</think>"));
            if let [thought] = targets(&tokenizer, &thinking).as_slice() {
                prop_assert!(thought.contains("</think>") && thought.split("</think>").nth(1).unwrap().trim().is_empty());
            }
        }
    }
}
