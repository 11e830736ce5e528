//! What is written reads back, here and in Python.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Map, Value, json};
use std::path::Path;
use temper_data::{DataError, Records, Writer, Written};

const NAMES: [&str; 13] = [
    "d.jsonl",
    "d.ndjson",
    "d.json",
    "d.csv",
    "d.tsv",
    "d.parquet",
    "d.jsonl.gz",
    "d.jsonl.zst",
    "d.json.gz",
    "d.json.zst",
    "d.csv.gz",
    "d.csv.zst",
    "d.tsv.zst",
];

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => panic!("not an object"),
    }
}

fn write(path: &Path, rows: &[Value]) -> Result<Written, DataError> {
    let mut writer = Writer::create(path)?;
    rows.iter().try_for_each(|row| writer.write(&object(row.clone())))?;
    writer.finish()
}

fn read(path: &Path) -> Vec<Value> {
    Records::open(path).unwrap().map(|record| Value::Object(record.unwrap().fields)).collect()
}

fn holds(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Rows with every kind of value, the same fields in each.
fn rows() -> Vec<Value> {
    let turn = |role: &str, content: Value| json!({"role": role, "content": content});
    (0..700)
        .map(|i| {
            json!({
                "id": i, "text": format!("line\nbreak, \"quote\" é漢\u{1f600}\\ {i}"), "empty": "",
                "messages": [turn("user", json!("q")), turn("assistant", json!("a")), turn("tool", Value::Null)],
                "large": u64::MAX - i, "small": i64::MIN, "float": 0.1 * i as f64, "flag": i % 2 == 0,
                "nothing": null, "none": [], "parts": [["a", null], []], "maybe": if i % 3 == 0 { Value::Null } else { json!({"a": [[i]], "b": "x"}) },
            })
        })
        .collect()
}

/// As a table of texts holds it.
fn texts(row: &Value) -> Value {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    object(row.clone())
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(text(value))))
        .collect::<Map<_, _>>()
        .into()
}

#[test]
fn rows_read_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let mut rows = rows();
        if name.contains(".tsv") {
            rows.iter_mut().for_each(|row| row["text"] = json!("no \"breaks\", é"));
        }
        let written = write(&path, &rows).unwrap();
        assert_eq!(written, Written { rows: 700, bytes: std::fs::metadata(&path).unwrap().len() });
        let expected = match name.contains(".csv") || name.contains(".tsv") {
            true => rows.iter().map(texts).collect(),
            false => rows,
        };
        let read = read(&path);
        assert_eq!(read.len(), expected.len(), "{name}");
        for (read, row) in read.iter().zip(&expected) {
            assert_eq!(read, row, "{name}");
        }
    }
    assert_eq!(holds(folder.path()).len(), NAMES.len());
}

#[test]
fn parquet_joins_the_fields_of_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.parquet");
    let rows = [json!({"a": null, "o": {"x": 1}}), json!({"b": [1.5, 2], "o": {"y": {"z": true}}}), json!({})];
    write(&path, &rows).unwrap();
    let expected = [
        json!({"a": null, "o": {"x": 1, "y": null}, "b": null}),
        json!({"a": null, "o": {"x": null, "y": {"z": true}}, "b": [1.5, 2.0]}),
        json!({"a": null, "o": null, "b": null}),
    ];
    assert_eq!(read(&path), expected);
}

#[test]
fn nothing_is_there_before_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&object(json!({"a": "1"}))).unwrap();
        assert!(!path.exists());
        drop(writer);
        assert_eq!(holds(folder.path()), Vec::<String>::new(), "{name}");
        std::fs::write(&path, "old").unwrap();
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&object(json!({"a": "1"}))).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        writer.finish().unwrap();
        assert_eq!(read(&path), [json!({"a": "1"})], "{name}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn no_rows() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES.iter().filter(|name| **name != "d.parquet") {
        let path = folder.path().join(name);
        assert_eq!(write(&path, &[]).unwrap().rows, 0);
        assert_eq!(read(&path), Vec::<Value>::new(), "{name}");
    }
    let e = write(&folder.path().join("d.parquet"), &[]).unwrap_err().to_string();
    assert!(e.contains("there is no row with a field"), "{e}");
}

#[test]
fn rows_that_do_not_fit_are_named_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = json!({"a": "x"});
    for (name, rows, expected) in [
        (
            "d.csv",
            vec![one.clone(), json!({"a": 1, "b": 2})],
            "d.csv:2: field `b`: the row has a field that is no column; the first row has `a`",
        ),
        ("d.csv", vec![json!({})], "d.csv:1: the first row has no fields"),
        ("d.csv", vec![json!({"a": "x\0"})], "d.csv:1: field `a`: the text has a NUL"),
        ("d.tsv", vec![one.clone(), json!({"a": "x\ty"})], "d.tsv:2: field `a`: the text has a tab or a line break"),
        ("d.tsv", vec![json!({"a": ""})], "d.tsv:1: field `a`: the only value is empty"),
        (
            "d.parquet",
            vec![one.clone(), json!({"a": 5})],
            "d.parquet:2: field `a`: found the number 5, and the rows before have texts",
        ),
        ("d.parquet", vec![json!({"m": [{"c": "x"}, {"c": ["y"]}]})], "d.parquet:1: field `m[].c`: found a list of 1"),
        ("d.parquet", vec![json!({"m": {"c": {}}})], "d.parquet: field `m.c`: the objects are empty in every row"),
        (
            "d.parquet",
            vec![json!({"n": 0.5}), json!({"n": i64::MAX})],
            "d.parquet:2: field `n`: the number 9223372036854775807 and",
        ),
        ("d.arrow", vec![one.clone()], "d.arrow: Arrow files are read, not written. Write `.parquet`"),
        ("d.txt", vec![one.clone()], "`.txt` is not a known format"),
        ("none/d.jsonl", vec![one.clone()], "cannot write the file: No such file or directory"),
    ] {
        let e = write(&folder.path().join(name), &rows).unwrap_err().to_string();
        assert!(e.contains(expected), "{e}");
        assert_eq!(holds(folder.path()), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn after_an_error_nothing_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("d.csv")).unwrap();
    writer.write(&object(json!({"a": 1}))).unwrap();
    let e = writer.write(&object(json!({"b": 1}))).unwrap_err();
    assert_eq!(writer.write(&object(json!({"a": 1}))), Err(e.clone()));
    assert_eq!(writer.finish(), Err(e));
}

/// Needs `TEMPER_PYTHON`: a Python with pandas, pyarrow and datasets.
#[test]
fn python_reads_what_was_written() {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rows = rows();
    for name in NAMES.iter().filter(|name| !name.contains(".tsv")) {
        write(&folder.path().join(name), &rows).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/fixtures/check_data_files.py");
    let out = std::process::Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.ends_with("all read\n"), "{said}");
}
