use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use temper_score::{Better, Score};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::log::{Log, LogHead, LogStatus, open_log, read_log, write_log, write_log_with};
use crate::testing::record;
use crate::{ItemRecord, LENGTH, Metric, NOT_SAMPLED};

/// Records with everything that a record can hold.
fn strange() -> Vec<ItemRecord> {
    let scores = [
        ("right", Score::Value(1.0)),
        ("tenth", Score::Value(0.1)),
        ("tiny", Score::Value(-4.9e-324)),
        ("none", Score::NotApplicable),
        ("open", Score::Unscored("the judge did not answer".to_owned())),
        ("broke", Score::Error("exit code 1".to_owned())),
    ];
    let mut a = record("suite", "a/../b \"x\" 漢", 0, &scores);
    a.prompt = "user: a\n\nassistant: b".to_owned();
    a.text = "before <think>\nfirst\n</think> x\n</think>\n\n\\boxed{4} \n".to_owned();
    a.thinking = Some("first\n</think> x".to_owned());
    a.answer = "\\boxed{4}".to_owned();
    a.tags = vec!["no_close_tag".to_owned(), "right:no_box".to_owned()];
    a.answers =
        [("right", "4"), ("open", "?"), ("not a metric", "y")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    a.explanations =
        [("open", "the judge did not answer"), ("broke", "other")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    a.slices = [("language".to_owned(), "zh".to_owned())].into();
    a.cluster = Some("c1".to_owned());
    a.fields =
        json!({"target": "4", "n": 18446744073709551615u64, "x": 1e300, "yes": true, "temper": "mine", "z": null})
            .as_object()
            .cloned()
            .unwrap();
    let mut b = record("suite", "a/../b \"x\" 漢", 1, &scores[..1]);
    b.finish = LENGTH.to_owned();
    b.text = "<think>\n\n</think>\n\n".to_owned();
    b.thinking = Some(String::new());
    b.answer = String::new();
    let mut c = record("suite", "", 0, &[]);
    c.finish = NOT_SAMPLED.to_owned();
    (c.text, c.answer, c.tokens) = (String::new(), String::new(), 0);
    let mut d = record("suite", "d", 7, &[("right", Score::Value(0.0))]);
    d.finish = "aborted by a server".to_owned();
    (d.thinking, d.answer) = (Some("nowhere in the text".to_owned()), "nor this".to_owned());
    let mut e = record("suite", "e\u{0}", 0, &[("right", Score::Value(1e22))]);
    e.text = "text without thinking, <b>&\u{2028}\u{7f}".to_owned();
    e.answer = e.text.clone();
    vec![a, b, c, d, e]
}

fn written(records: &[ItemRecord]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/er/base.eval");
    write_log(&file, records).unwrap();
    (folder, file)
}

fn entry(file: &Path, name: &str) -> String {
    let mut zip = ZipArchive::new(fs::File::open(file).unwrap()).unwrap();
    let mut text = String::new();
    zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// An archive of these entries.
fn archive(entries: &[(&str, &str)], method: CompressionMethod) -> (tempfile::TempDir, std::path::PathBuf) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.eval");
    fs::write(&file, zip.finish().unwrap().into_inner()).unwrap();
    (folder, file)
}

const HEAD: &str = r#"{"version": 2, "status": "success", "eval": {"created": "2026-01-01T00:00:00+00:00", "task": "t", "model": "m",
  "dataset": {}, "config": {}, "scorers": [{"name": "s"}]}}"#;

fn log_of(samples: &[&str]) -> Log {
    let names: Vec<String> = (0..samples.len()).map(|i| format!("samples/{i}_epoch_1.json")).collect();
    let mut entries = vec![("header.json", HEAD)];
    entries.extend(names.iter().map(String::as_str).zip(samples.iter().copied()));
    let (_folder, file) = archive(&entries, CompressionMethod::Deflated);
    open_log(&file).unwrap()
}

#[test]
fn nothing_is_lost() {
    let records = strange();
    let (_folder, file) = written(&records);
    assert_eq!(read_log(&file).unwrap(), records);
    // The same through lines of JSON.
    let lines = file.with_extension("jsonl");
    write_log(&lines, &records).unwrap();
    assert_eq!(read_log(&lines).unwrap(), read_log(&file).unwrap());
    // Several suites with items of one identity.
    let several = [record("x", "1", 0, &[]), record("y", "1", 0, &[])];
    let (_folder, file) = written(&several);
    assert_eq!(read_log(&file).unwrap(), several);
    let (_folder, file) = written(&[]);
    assert_eq!(read_log(&file).unwrap(), []);
}

#[test]
fn the_head_comes_back() {
    let metric = |range| Metric { name: "right".to_owned(), title: "Right".to_owned(), better: Better::Higher, range };
    for range in [None, Some((0.0, 1.0)), Some((f64::NEG_INFINITY, 0.0))] {
        let head = LogHead {
            suite: "suite".to_owned(),
            model: "org/model".to_owned(),
            status: LogStatus::Error("out of memory".to_owned()),
            created: Some("2026-01-02T03:04:05+00:00".to_owned()),
            seconds: Some(61.25),
            dataset: Some("lab:problems".to_owned()),
            repeats: Some(2),
            sampling: Some(temper_recipe::Sampling::default()),
            seed: Some(7),
            metrics: vec![metric(range)],
            provenance: Some(json!({"weights": "sha256:1"})),
            ..LogHead::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.eval");
        write_log_with(&file, &head, &strange()).unwrap();
        let mut read = open_log(&file).unwrap().head;
        assert!(read.writer.take().unwrap().starts_with("temper "));
        let recorded = std::mem::take(&mut read.recorded);
        assert_eq!(read, head);
        // Items: the first has (1 + 1) / 2 = 1, d has 0, e has 1e22.
        let right: Vec<_> =
            recorded.iter().filter(|r| r.scorer == "right").map(|r| (r.name.as_str(), r.value)).collect();
        assert_eq!(right[0], ("mean", 1e22 / 3.0 + 1.0 / 3.0));
        assert_eq!(right[1].0, "stderr");
        assert!(!recorded.iter().any(|r| r.scorer == "none"), "no value, no result");
    }
}

#[test]
fn what_inspect_reads_is_what_it_expects() {
    let (_folder, file) = written(&strange());
    let name = "samples/a/../b \"x\" 漢_epoch_1.json";
    let sample = entry(&file, name);
    for bare in [
        "\"open\":{\"value\":NaN,",
        "\"none\":{\"value\":NaN,",
        "\"broke\":{\"value\":NaN,",
        "\"right\":{\"value\":1.0,",
    ] {
        assert!(sample.contains(bare), "{bare} in {sample}");
    }
    assert!(sample.contains("\"reason\":\"scoring_failed\""));
    assert!(sample.contains("{\"type\":\"reasoning\",\"reasoning\":\"first"));
    assert_eq!(sample.matches("boxed").count(), 3, "messages, output and completion, not once more for the text");
    let header: Value = serde_json::from_str(&entry(&file, "header.json")).unwrap();
    assert_eq!(header["status"], "success");
    assert_eq!((&header["results"]["total_samples"], &header["results"]["completed_samples"]), (&json!(5), &json!(4)));
    let start: Value = serde_json::from_str(&entry(&file, "_journal/start.json")).unwrap();
    assert_eq!(start["eval"], header["eval"]);
    // Entries without a time: what is equal is equal in bytes, but for when it was written.
    let zip = ZipArchive::new(fs::File::open(&file).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names[0], "_journal/start.json");
    assert_eq!(names.last().unwrap(), "header.json");
}

#[test]
fn golden_files() {
    let Some(folder) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set (inspect_logs)");
        return;
    };
    let cases = [
        ("log_formats", 1, &[0.0][..], 0.0, 0.0, 0.0),
        ("log_read_sample", 1, &[1.0], 1.0, 0.0, 1.0),
        ("log_streaming", 4, &[1.0, 1.0, 1.0, 0.0], 0.75, 0.25, 0.75),
    ];
    for (name, n, values, accuracy, stderr, mean) in cases {
        let file = Path::new(&folder).join(format!("inspect_logs/{name}.eval"));
        let log = open_log(&file).unwrap();
        assert_eq!(log.records.len(), n, "{name}");
        assert_eq!((log.head.suite.as_str(), &log.head.status), ("popularity", &LogStatus::Success));
        let mut found: Vec<_> =
            log.records.iter().map(|r| (r.id.clone(), r.repeat, r.scores["match"].value().unwrap())).collect();
        found.sort_by(|a, b| b.partial_cmp(a).unwrap());
        assert_eq!(found.iter().map(|(_, _, value)| *value).collect::<Vec<_>>(), values, "{found:?}");
        let recorded: Vec<_> = log.head.recorded.iter().map(|r| (r.name.as_str(), r.value)).collect();
        assert_eq!(recorded, [("accuracy", accuracy), ("stderr", stderr)], "{name}");
        assert_eq!(log.head.metrics_of(&log.records)[0].better, Better::Higher);
        // What we compute from the items is what Inspect recorded; one item has no error of ours.
        let items: Vec<f64> =
            crate::item_values(&log.records, "match", temper_recipe::Reducer::Mean, temper_score::Better::Higher)
                .into_values()
                .collect();
        let (ours, sd) = crate::stats::mean_sd(&items).unwrap();
        assert_eq!(ours, mean);
        if items.len() > 1 {
            assert_eq!(sd / (items.len() as f64).sqrt(), stderr);
        }
        for record in &log.records {
            assert!(record.prompt.starts_with("system: "), "{}", record.prompt);
            assert!(record.prompt.contains("\n\nuser: Is the following statement"));
            assert!(!record.prompt.contains("attachment://") && !record.text.is_empty());
            assert_eq!((record.finish.as_str(), record.tokens > 0), ("stop", true));
            assert!(record.fields["label_confidence"].is_f64() && record.fields["target"].is_string());
        }
        // Read and written again, nothing is lost, and Inspect's numbers are found again.
        let (_folder, copy) = written(&log.records);
        let again = open_log(&copy).unwrap();
        assert_eq!(again.records, log.records);
        assert_eq!(again.head.recorded[0].value, accuracy);
    }
}

#[test]
fn foreign_values() {
    let sample = r#"{"id": 12345678901234567890123, "epoch": 3, "input": [{"role": "system", "content": "S"}, {"role": "user", "content": "attachment://k"}],
      "target": ["a", "b"], "attachments": {"k": "long question"},
      "messages": null,
      "output": {"choices": [{"message": {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "why"},
         {"type": "text", "text": "attachment://k"}, {"type": "image", "image": "data:"}],
         "tool_calls": [{"id": "1", "function": "f", "arguments": {"x": 1}}]}, "stop_reason": "model_length"}], "usage": {"output_tokens": 9}},
      "scores": {"c": {"value": "C"}, "i": {"value": "I"}, "p": {"value": "P"}, "n": {"value": "N", "answer": "A", "explanation": "E"},
        "nan": {"value": NaN, "metadata": {"unscored_reason": "grader_failed"}}, "inf": {"value": Infinity}, "yes": {"value": true},
        "num": {"value": " 0.5 "}, "word": {"value": "maybe"}, "parts": {"value": {"x": 1, "y": null}}, "list": {"value": [0, 1]}},
      "metadata": {"long": [1], "big": 123456789012345678901234567890, "nan": NaN}, "limit": {"type": "token", "limit": 5},
      "events": [{"deep": [[[[NaN]]]]}]}"#;
    let log = log_of(&[sample]);
    let record = &log.records[0];
    assert_eq!(
        (record.id.as_str(), record.repeat, record.tokens, record.finish.as_str()),
        ("12345678901234567890123", 2, 9, LENGTH)
    );
    assert_eq!(record.prompt, "system: S\n\nuser: long question");
    assert_eq!(record.answer, "long question\n[image]\n[tool call f({\"x\":1})]");
    assert_eq!(record.thinking.as_deref(), Some("why"));
    assert_eq!(record.text, format!("<think>\nwhy\n</think>\n\n{}", record.answer));
    let value = |name: &str| record.scores[name].value();
    assert_eq!(
        ["c", "i", "p", "n", "yes", "num", "parts/x", "list/0", "list/1"].map(value),
        [1.0, 0.0, 0.5, 0.0, 1.0, 0.5, 1.0, 0.0, 1.0].map(Some)
    );
    assert_eq!(record.scores["nan"], Score::Unscored("grader_failed".to_owned()));
    assert!(matches!(&record.scores["inf"], Score::Error(_) | Score::Unscored(_)));
    assert!(matches!(&record.scores["word"], Score::Unscored(what) if what.contains("`maybe` is no number")));
    assert!(matches!(&record.scores["parts/y"], Score::Unscored(_)));
    assert_eq!((record.answers["n"].as_str(), record.explanations["n"].as_str()), ("A", "E"));
    assert_eq!(record.tags, ["limit:token", "n:no_answer"]);
    assert_eq!(
        Value::Object(record.fields.clone()),
        json!({"big": "123456789012345678901234567890", "nan": "NaN", "target": "a | b"})
    );
    assert_eq!(log.head.notes, ["1 metadata of samples are long or have parts, and are left out"]);
}

#[test]
fn a_failed_sample_is_an_error_of_every_scorer() {
    let log = log_of(&[r#"{"id": 1, "epoch": 1, "input": "q", "target": "", "error": {"message": "refused"}}"#]);
    let record = &log.records[0];
    assert_eq!(record.scores["s"], Score::Error("the sample failed: refused".to_owned()));
    assert_eq!((record.finish.as_str(), record.prompt.as_str()), (NOT_SAMPLED, "q"));
    assert_eq!(record.tags, ["sample_error"]);
}

#[test]
fn an_unfinished_log_and_zstd() {
    let start = HEAD.replace("\"status\": \"success\", ", "");
    let sample = r#"{"id": "x", "epoch": 1, "input": "q", "target": ""}"#;
    let (_folder, file) =
        archive(&[("_journal/start.json", &start), ("samples/x_epoch_1.json", sample)], CompressionMethod::Zstd);
    let log = open_log(&file).unwrap();
    assert_eq!((log.head.status.word(), log.records.len()), ("started", 1));
    assert!(log.head.notes[0].contains("not finished"));
}

#[test]
fn damage_is_an_error_with_a_place() {
    let (folder, file) = written(&strange());
    let whole = fs::read(&file).unwrap();
    let broken = folder.path().join("broken.eval");
    // Cut off anywhere, and single bytes spoilt: an error or, where the byte does not matter, the records; never a panic.
    let (mut errors, mut reads) = (0, 0);
    let mut check = |bytes: &[u8], place: usize| {
        fs::write(&broken, bytes).unwrap();
        match read_log(&broken) {
            Ok(_) => reads += 1,
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("broken.eval") && message.contains("; "), "{place}: {message}");
                errors += 1;
            }
        }
    };
    for end in (0..whole.len()).step_by(97) {
        check(&whole[..end], end);
    }
    for place in (0..whole.len()).step_by(41) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        check(&bytes, place);
    }
    assert!(errors > whole.len() / 97, "{errors} errors, {reads} reads");
    let says = |entries: &[(&str, &str)], expected: &str| {
        let (_folder, file) = archive(entries, CompressionMethod::Deflated);
        let message = read_log(&file).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    says(&[("x.txt", "")], "neither header.json nor _journal/start.json");
    says(&[("header.json", "{\"version\": 3}")], "log version 3, expected 2");
    says(&[("header.json", "{")], "header.json: not JSON");
    says(&[("header.json", HEAD), ("samples/1_epoch_1.json", "[1]")], "samples/1_epoch_1.json: not a sample");
    says(&[("header.json", HEAD), ("samples/1_epoch_1.json", "{\"input\": \"\"}")], "`id` is null");
    says(&[("header.json", HEAD), ("samples/1_epoch_1.json", "{\"id\": 1, \"epoch\": 0}")], "`epoch` is 0");
    let two = "{\"id\": 1, \"epoch\": 1}";
    says(
        &[("header.json", HEAD), ("samples/1.json", two), ("samples/2.json", two)],
        "stands in samples/1.json already",
    );
    fs::write(&broken, "not a zip").unwrap();
    assert!(read_log(&broken).unwrap_err().to_string().contains("not a whole ZIP archive"));
    let message = write_log(&file, &[record("s", "a", 0, &[]), record("s", "a", 0, &[])]).unwrap_err().to_string();
    assert!(message.contains("samples/a_epoch_1.json: cannot be written"), "{message}");
    assert_eq!(read_log(&file).unwrap(), strange(), "the log that was there is still there");
}
