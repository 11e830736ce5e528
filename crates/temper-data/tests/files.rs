//! Files of every format and shape, and what is said about those that are wrong.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, error, rows};
use serde_json::{Value, json};
use temper_data::{InputKind, Row, read, read_inputs};
use temper_recipe::DataSource;
use temper_text::{Message, Prompt};

#[test]
fn json_lines_with_mark_carriage_returns_and_empty_lines() {
    let text = "\u{feff}{\"prompt\": \"a\", \"completion\": \"b\", \"n\": 1}\r\n\r\n{\"prompt\": \"c\"}";
    let rows = rows("d.jsonl", text, json!({}));
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].prompt.clone(), rows[0].completion.clone()), (Prompt::user("a"), Some("b".into())));
    assert_eq!((rows[0].line, rows[1].line, rows[1].id.as_str()), (1, 3, "d.jsonl:3"));
    assert_eq!((rows[0].fields["n"].clone(), rows[1].completion.clone()), (json!(1), None));
    assert!(rows[1].place().ends_with("d.jsonl:3"));
}

#[test]
fn json_arrays_and_json_lines_under_that_name() {
    assert_eq!(rows("d.json", "[{\"prompt\": \"a\"},\n {\"prompt\": \"b\"}]", json!({})).len(), 2);
    assert_eq!(rows("d.json", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n", json!({})).len(), 2);
    assert_eq!(rows("d.json", "{\"prompt\": \"a\"}", json!({})).len(), 1);
    assert!(error("d.json", "{\n\"a\": 1\n}", json!({})).contains("one object with `a`, expected an array"));
    assert!(
        error("d.json", "[{\"prompt\": \"a\"},\n {\"prompt\":", json!({}))
            .starts_with("d.json:2: this is not a JSON array of objects")
    );
    assert!(error("d.json", "[{\"prompt\": \"a\"}, 5]", json!({})).contains("item 2 of the array is the number 5"));
}

#[test]
fn csv_with_quotes_line_breaks_and_mark() {
    let text = "\u{feff}id,prompt,note\r\n1,\"a, \"\"b\"\"\nc\",\r\nx2,d,e\r\n";
    let rows = rows("d.csv", text, json!({"chat": false}));
    assert_eq!(rows[0].prompt, Prompt::Text("a, \"b\"\nc".into()));
    assert_eq!((rows[0].id.as_str(), rows[1].id.as_str(), rows[1].line), ("1", "x2", 4));
    assert_eq!(rows[1].fields["note"], "e");
    let e = error("d.csv", "prompt,n\na,1\nb,2,3\n", json!({}));
    assert!(
        e.starts_with("d.csv:3: found 3 values, expected 2 as on the first line; the record begins \"b | 2 | 3\""),
        "{e}"
    );
    assert!(error("d.csv", "prompt,prompt\na,1\n", json!({})).contains("two columns have this name"));
}

#[test]
fn tsv_keeps_quotes_and_may_have_no_header() {
    let rows = rows("d.tsv", "say \"x\"\t18\n\"y\t2\n", json!({"columns": {"prompt": "1", "answer": "2"}}));
    assert_eq!((rows[0].prompt.request(), rows[0].fields["answer"].clone()), ("say \"x\"", json!("18")));
    assert_eq!((rows[1].prompt.request(), rows[1].line), ("\"y", 2));
}

#[test]
fn dialogues_split_before_the_assistants_last_turn() {
    let row = json!({"messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c", "reasoning_content": "t"},
        {"role": "user", "content": "d"},
        {"role": "assistant", "content": "e"}]});
    let row = &rows("d.jsonl", row.to_string(), json!({}))[0];
    let turns = vec![
        Message::system("s"),
        Message::user("ab"),
        Message { more: json!({"reasoning_content": "t"}).as_object().unwrap().clone(), ..Message::assistant("c") },
        Message::user("d"),
    ];
    assert_eq!((row.prompt.clone(), row.completion.clone()), (Prompt::chat(turns), Some("e".into())));
    let open = &rows("d.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", json!({}))[0];
    assert_eq!((open.prompt.clone(), open.completion.clone()), (Prompt::user("a"), None));
}

#[test]
fn the_other_shapes() {
    let one = |row: Value| rows("d.jsonl", row.to_string(), json!({})).remove(0);
    let text = one(json!({"text": "all of it"}));
    assert_eq!((text.prompt, text.completion.clone()), (Prompt::Text(String::new()), Some("all of it".into())));
    let turn = |role: &str, content: &str| json!([{"role": role, "content": content}]);
    let lists = one(json!({"prompt": turn("user", "a"), "completion": turn("assistant", "b")}));
    assert_eq!((lists.prompt, lists.completion.clone()), (Prompt::user("a"), Some("b".into())));
    let sharegpt = one(json!({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}));
    assert_eq!((sharegpt.prompt, sharegpt.completion.clone()), (Prompt::user("a"), Some("b".into())));
    let alpaca = one(json!({"instruction": "add", "input": "1 2", "output": "3"}));
    assert_eq!((alpaca.prompt, alpaca.completion.clone()), (Prompt::user("add\n1 2"), Some("3".into())));
}

#[test]
fn columns_templates_and_system() {
    let text = "{\"question\": \"1+1?\", \"answer\": \"is 2\\n#### 2\", \"key\": 9}";
    let keys = json!({"columns": {"prompt": "question", "completion": "answer", "id": "key"}, "system": "be brief"});
    let row = rows("d.jsonl", text, keys).remove(0);
    assert_eq!(row.prompt, Prompt::chat(vec![Message::system("be brief"), Message::user("1+1?")]));
    assert_eq!((row.completion.clone(), row.id.as_str()), (Some("is 2\n#### 2".into()), "9"));
    assert_eq!(row.fields["answer"], "is 2\n#### 2");

    let row = rows("d.jsonl", text, json!({"template": "{question} In \\boxed{}."})).remove(0);
    assert_eq!((row.prompt, row.completion), (Prompt::user("1+1? In \\boxed{}."), None));
    let keys = json!({"template": "{question}", "columns": {"completion": "answer", "answer": "key"}});
    let row = rows("d.jsonl", text, keys).remove(0);
    assert_eq!((row.fields["answer"].clone(), row.completion.clone()), (json!(9), Some("is 2\n#### 2".into())));

    let fails = |keys: Value, expected: &[&str]| {
        let e = error("d.jsonl", text, keys);
        assert!(expected.iter().all(|part| e.contains(part)), "{e}");
    };
    let fields = "field `questions`: the row has no such field; it has `question`, `answer`, `key`";
    fails(json!({"template": "{questions}"}), &[fields]);
    fails(json!({"columns": {"prompt": "Question"}}), &["field `Question`", "Did you mean `question`?"]);
    fails(json!({"columns": {"prompt": "question", "answer": "gold"}}), &["field `gold`"]);
    fails(json!({}), &["it has `question`, `answer`, `key`, expected one of: text {text}", "columns: {prompt:"]);
    fails(json!({"columns": {"prompt": "question"}, "system": "s", "chat": false}), &["Set `chat: true`"]);
    fails(
        json!({"columns": {"prompt": "question", "text": "answer"}}),
        &["names `prompt` and `text`, which belong to rows of different shapes"],
    );
}

#[test]
fn filter_skip_and_rows() {
    let line = |i: usize| format!("{{\"prompt\": \"p{i}\", \"kind\": \"{}\", \"n\": {i}}}\n", i % 2);
    let text: String = (0..20).map(line).collect();
    let lines = |keys| rows("d.jsonl", &text, keys).iter().map(|r| r.line).collect::<Vec<_>>();
    assert_eq!(lines(json!({"skip": 3, "rows": 2})), [4, 5]);
    assert_eq!(lines(json!({"filter": {"kind": 1}, "skip": 1, "rows": 2})), [4, 6]);
    assert_eq!(lines(json!({"filter": {"n": [3, 5, "7"]}})), [4, 6, 8]);
    assert_eq!(lines(json!({"rows": 100})).len(), 20);
    // Rows after the last that is wanted are not looked at.
    assert_eq!(rows("d.jsonl", format!("{text}not json"), json!({"rows": 20})).len(), 20);
    let e = error("d.jsonl", &text, json!({"filter": {"kind": "2"}}));
    assert!(e.contains("`filter` keeps none of 20 rows: `kind` is the text \"0\" or the text \"1\""), "{e}");
    let e = error("d.jsonl", &text, json!({"filter": {"sort": "2"}}));
    assert!(e.contains("`sort` is no such field"), "{e}");
    assert!(error("d.jsonl", &text, json!({"skip": 20})).contains("`skip: 20` leaves none of 20 rows of `d.jsonl`"));
}

#[test]
fn ids_are_unique() {
    let text = "{\"id\": \"a\", \"prompt\": \"p\"}\n{\"id\": \"a\", \"prompt\": \"q\"}";
    assert_eq!(rows("d.jsonl", text, json!({}))[1].id, "d.jsonl:2");
    let e = error("d.jsonl", text, json!({"columns": {"id": "id"}}));
    assert!(e.starts_with("d.jsonl:2: field `id`: an earlier row has the id \"a\" too"), "{e}");
}

#[test]
fn a_folder_and_a_wildcard_read_every_file_in_order() {
    let folder = Folder::new();
    folder.write("b.csv", "prompt\nfrom b\n");
    folder.write("a.jsonl", "{\"prompt\": \"from a\"}");
    folder.write("notes.txt", "not data");
    for (path, ids) in [("", vec!["a.jsonl:1", "b.csv:2"]), ("*.csv", vec!["b.csv:2"])] {
        let path = folder.0.path().join(path).to_str().unwrap().to_owned();
        let rows = read(&DataSource { path, ..DataSource::default() }, true).unwrap();
        assert_eq!(rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ids);
    }
}

#[test]
fn lines_that_are_wrong_are_named() {
    let good = "{\"prompt\": \"p\"}\n";
    let assistant = "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}";
    let image = "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}";
    for (line, expected) in [
        ("{\"prompt\": 'p'}", "d.jsonl:2: this is not JSON, column 12:"),
        ("{\"prompt\": \"p\"", "d.jsonl:2: the JSON ends too early, column 14:"),
        ("[1]", "d.jsonl:2: found a list of 1, expected a JSON object"),
        ("{\"promt\": \"p\"}", "d.jsonl:2: the row's shape is not known; it has `promt`"),
        ("{\"prompt\": 5}", "field `prompt`: found the number 5, expected a text or a list of turns"),
        ("{\"prompt\": \" \"}", "d.jsonl:2: field `prompt`: the prompt is empty"),
        ("{\"prompt\": []}", "field `prompt`: the list of turns is empty"),
        ("{\"prompt\": \"p\", \"completion\": 5}", "field `completion`: found the number 5, expected a text"),
        (assistant, "field `messages`: nothing comes before"),
        ("{\"messages\": [{\"rol\": \"user\", \"content\": \"a\"}]}", "field `messages[0].role`: the row has no such"),
        ("{\"messages\": \"x\"}", "field `messages`: found the text \"x\", expected a list of turns"),
        (image, "field `messages[0].content`: found an object with `type`, expected a part"),
    ] {
        let e = error("d.jsonl", format!("{good}{line}"), json!({}));
        assert!(e.starts_with("d.jsonl:2: ") && e.contains(expected), "{line}: {e}");
    }
    let bytes = b"{\"prompt\": \"\xff\"}";
    assert!(error("d.jsonl", bytes, json!({})).contains("d.jsonl:1: byte 13 of the line is not UTF-8"));
    assert!(error("d.jsonl", b"\xff\xfe{\0", json!({})).contains("UTF-16"));
    assert!(error("d.jsonl", "", json!({})).contains("the file has no rows"));
    assert!(error("d.csv", "prompt\n", json!({})).contains("the file has no rows"));
    assert!(error("d.csv", b"prompt\n\xff\n", json!({})).contains("d.csv:2: byte 1 of the line is not UTF-8"));
    let e = error("d.parquet", "x", json!({}));
    assert!(e.contains("expected a Parquet file, but this is something else"), "{e}");
}

#[test]
fn a_row_reads_back_as_it_was_written() {
    let text = "{\"id\": \"i\", \"prompt\": \"p\", \"completion\": \"c\", \"kind\": \"k\"}";
    let row = rows("d.jsonl", text, json!({})).remove(0);
    let copy: Row = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
    assert_eq!(copy, row);
    let flat = Value::Object(row.to_json());
    let turns = json!([{"role": "user", "content": "p"}]);
    let said = json!([{"role": "assistant", "content": "c"}]);
    assert_eq!(flat, json!({"id": "i", "prompt": turns, "completion": said, "kind": "k"}));
    let again = rows("d.jsonl", flat.to_string(), json!({})).remove(0);
    assert_eq!((again.prompt, again.completion, again.id), (row.prompt, row.completion, row.id));
    let text = rows("d.jsonl", "{\"text\": \"t\"}", json!({})).remove(0).to_json();
    assert_eq!(text["text"], "t");
}

#[test]
fn inputs_of_the_command_line() {
    let folder = Folder::new();
    let turns = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]);
    let text = format!("{{\"text\": \"t\"}}\n{{\"messages\": {turns}}}\n{{\"prompt\": \"p\", \"tag\": 1}}\n");
    let path = folder.write("in.jsonl", text);
    let inputs = read_inputs(&path, true).unwrap();
    let kinds: Vec<InputKind> = inputs.iter().map(|i| i.kind).collect();
    assert_eq!(kinds, [InputKind::Text, InputKind::Messages, InputKind::Prompt]);
    assert_eq!(inputs[0].prompt, Prompt::Text("t".into()));
    assert_eq!(inputs[1].prompt, Prompt::chat(vec![Message::user("a"), Message::assistant("b")]));
    assert_eq!((inputs[2].prompt.clone(), inputs[2].fields["tag"].clone()), (Prompt::user("p"), json!(1)));
    assert_eq!(read_inputs(&path, false).unwrap()[2].prompt, Prompt::Text("p".into()));
    let failed = |text: &str| read_inputs(&folder.write("in.jsonl", text), true).unwrap_err().to_string();
    assert!(failed("{\"question\": \"x\"}").contains("in.jsonl:1: found the fields `question`, expected `text`"));
    assert!(failed("{\"text\": \"x\", \"prompt\": \"y\"}").contains("both `text` and `prompt`"));
    assert!(failed("{\"text\": 5}").contains("field `text`: found the number 5"));
    assert!(failed("").contains("no rows"));
}
