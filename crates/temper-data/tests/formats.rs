//! What is read from each format, and what is said of files that are damaged or mislabelled.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use temper_data::{DataError, Record, Records, read};
use temper_recipe::DataSource;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Records and errors of a file, in order.
fn items(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Result<Record, DataError>> {
    let folder = Folder::new();
    match Records::open(&folder.write(name, bytes)) {
        Ok(records) => records.collect(),
        Err(e) => vec![Err(e)],
    }
}

/// Line of each record, or the error's text from the file's name on.
fn told(name: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
    let told = |item: Result<Record, DataError>| match item {
        Ok(record) => record.line.to_string(),
        Err(e) => {
            let text = e.to_string();
            assert!(text.ends_with(|c: char| !c.is_whitespace()) && !e.remedy.is_empty(), "{text}");
            text[text.find(name).unwrap()..].to_owned()
        }
    };
    items(name, bytes).into_iter().map(told).collect()
}

#[track_caller]
fn check(name: &str, bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let told = told(name, bytes);
    let fits = told.len() == expected.len() && told.iter().zip(expected).all(|(told, part)| told.contains(part));
    assert!(fits, "{told:#?}");
}

fn fields(path: &Path) -> Vec<Map<String, Value>> {
    Records::open(path).unwrap().map(|record| record.unwrap().fields).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn files_of_python_read_as_python_reads_them() {
    let expected: Map<String, Value> = serde_json::from_slice(&std::fs::read(fixture("rows.json")).unwrap()).unwrap();
    assert!(expected.len() > 15);
    for (name, rows) in &expected {
        let read = fields(&fixture(name));
        let rows = rows.as_array().unwrap();
        assert_eq!(read.len(), rows.len(), "{name}");
        for (i, (read, row)) in read.iter().zip(rows).enumerate() {
            for (field, value) in row.as_object().unwrap() {
                assert_eq!(read.get(field), Some(value), "{name}, row {i}, field {field}");
            }
            assert_eq!(read.len(), row.as_object().unwrap().len(), "{name}, row {i}");
        }
    }
}

#[test]
fn what_was_changed_or_left_out_is_told() {
    let notes = |path: &Path| {
        let mut records = Records::open(path).unwrap();
        records.by_ref().for_each(|record| drop(record.unwrap()));
        records.notes().join("; ")
    };
    assert_eq!(notes(&fixture("types.parquet")), "2 numbers that are NaN or infinite were read as null");
    assert_eq!(notes(&fixture("datasets.parquet")), "");
    assert_eq!(notes(&fixture("saved/data-00000-of-00001.arrow")), "");
    let said = notes(&fixture("pandas.json"));
    assert!(said.ends_with("the rows are those of its member `data`; not read are `schema`"), "{said}");
    let folder = Folder::new();
    let stream = std::fs::read(fixture("saved/data-00000-of-00001.arrow")).unwrap();
    let said = notes(&folder.write("d.arrow", &stream[..stream.len() - 8]));
    assert!(said.contains("no end mark"), "{said}");
}

#[test]
fn a_folder_of_save_to_disk_is_a_source() {
    let path = fixture("saved").to_str().unwrap().to_owned();
    let source = json!({"path": path, "columns": {"prompt": "prompt", "id": "id"}});
    let source: DataSource = serde_json::from_value(source).unwrap();
    let rows = read(&source, true).unwrap();
    assert_eq!((rows.len(), rows[2].id.as_str(), rows[2].line), (3, "9007199254740994", 3));
}

#[test]
fn columns_without_a_json_form_are_named() {
    let e = |name: &str| match Records::open(&fixture(name)) {
        Ok(mut records) => records.find_map(Result::err).unwrap(),
        Err(e) => e,
    };
    let bytes = e("bytes.parquet");
    assert_eq!((bytes.field.as_deref(), bytes.line), (Some("image"), Some(1)));
    assert!(bytes.what.contains("holds bytes"));
    let brotli = e("brotli.parquet").to_string();
    let lz4 = e("lz4.arrow").to_string();
    assert!(lz4.contains("lz4") && lz4.contains("Write the file without compression"), "{lz4}");
    assert!(brotli.contains("brotli") && brotli.contains("Write the file with zstd"), "{brotli}");
}

#[test]
fn wrong_lines_are_items_and_the_next_one_follows() {
    check(
        "d.jsonl",
        b"{\"a\": 1}\nnot json\n[1]\n\n{\"a\": \"\xff\"}\r\n{\"a\": \"\0\"}\n{\"a\": 1e999}\n{\"a\": 1} {}\n{\"a\": 2}\n{\"a\":",
        &[
            "1",
            "d.jsonl:2: this is not JSON, column 2: expected ident",
            "d.jsonl:3: found a list of 1",
            "d.jsonl:5: byte 8 of the line is not UTF-8",
            "d.jsonl:6: byte 8 of the line is NUL",
            "d.jsonl:7: this is not JSON, column 11: number out of range",
            "d.jsonl:8: this is not JSON, column 10: trailing characters",
            "9",
            "d.jsonl:10: the JSON ends too early",
        ],
    );
    check("d.jsonl", "{\"a\": 1}\r{\"a\": 2}", &["d.jsonl:1: this is not JSON, column 10: trailing characters"]);
    assert!(told("d.jsonl", "{\"a\": 1}\r{\"a\": 2}")[0].contains("`tr '\\r' '\\n'"));
    check(
        "d.jsonl",
        format!("{{\"a\": {}", "[".repeat(100_000)),
        &["d.jsonl:1: this is not JSON, column 133: recursion limit"],
    );
    check("d.csv", "a,b\n1\n2,3\n4,5,6\n7,8", &["d.csv:2: found 1 values", "3", "d.csv:4: found 3 values", "5"]);
    check("d.csv", "a,b\r\n\"x\ny\",1\0\r\n2,3", &["d.csv:2: byte 2 of a value is NUL", "4"]);
    check("d.csv", "a,b\n1,\"2\n3,4\n", &["d.csv:2: a quote in this record is not closed"]);
    check("d.tsv", "a\tb\n1\t\"2\n3\t4\n", &["2", "3"]);
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_counts() {
    assert_eq!(items("d.jsonl", "{\"a\": 1, \"a\": 2}")[0].as_ref().unwrap().fields["a"], 2);
    assert_eq!(
        items("d.jsonl", "{\"a\": 12345678901234567890123}")[0].as_ref().unwrap().fields["a"],
        1.234_567_890_123_456_8e22
    );
}

#[test]
fn lines_of_tables_are_counted_whatever_ends_them() {
    for (text, lines) in [
        ("a\n1\n2\n", [2, 3]),
        ("a\r\n1\r\n2", [2, 3]),
        ("a\r1\r2\r", [2, 3]),
        ("\n\na\n\n1\n\n\n2", [5, 8]),
        ("\r\n\r\na\r\n\r\n1\r\n2", [5, 6]),
        ("a\n\"1\n\n\"\n2\n", [2, 5]),
        ("a\r\n\"1\r\n\"\r\n2\r\n", [2, 4]),
        ("\u{feff}a\n1\n2", [2, 3]),
    ] {
        for (name, bytes) in [("d.csv", text.as_bytes().to_vec()), ("d.csv.gz", gzip(text.as_bytes()))] {
            let read: Vec<usize> = items(name, bytes).into_iter().map(|item| item.unwrap().line).collect();
            assert_eq!(read, lines, "{text:?}");
        }
    }
}

#[test]
fn arrays_are_read_by_element() {
    let text = "[{\"a\": \"]}\\\"\"}, 5,\n {\"a\": [1, {\"b\": 2}]} ]\n";
    check("d.json", text, &["1", "d.json: item 2 of the array is the number 5", "3"]);
    for (text, expected) in [
        ("[{\"a\": 1}\n {\"a\": 2}]", "d.json:2: this is not a JSON array of objects, column 2: expected `,` or `]`"),
        ("[{\"a\": 1},\n\n {\"a\":\n 'x'}]", "d.json:4: this is not a JSON array of objects, column 2: expected value"),
        (
            "[{\"a\": 1},]",
            "d.json:1: this is not a JSON array of objects, column 11: a comma stands after the last row",
        ),
        (
            "[{\"a\": 1}] x",
            "d.json:1: this is not a JSON array of objects, column 12: something stands after the array",
        ),
        ("[{\"a\": 1}, {\"a\"", "d.json:1: this is not a JSON array of objects, column 15: it ends too early"),
        ("[{\"a\": 1}", "d.json:1: this is not a JSON array of objects, column 10: it ends too early"),
    ] {
        check("d.json", text, &["1", expected]);
    }
    check("d.json", "[,{\"a\": 1}]", &["column 2: expected a row"]);
    check("d.json", "[", &["column 2: it ends too early"]);
    check("d.json", "[]", &[]);
    check("d.json", "5", &["d.json:1: this is not a JSON array of objects, column 1: expected `[`"]);
    check("d.json", b"[{\"a\":\n \"\xff\"}]", &["d.json:2: byte 3 of the line is not UTF-8"]);
}

#[test]
fn an_object_with_one_array_of_objects_holds_its_rows() {
    let text =
        "{\"version\": \"1\", \"rows\": [\n{\"a\": 1},\n{\"a\": 2}], \"more\": {\"rows\": [{}]}, \"tags\": [\"x\"]}";
    check("d.json", text, &["1", "2"]);
    check("d.json", "{\"data\": [{\"a\": 1}, 5]}", &["1", "d.json: item 2 of `data` is the number 5"]);
    check("d.json", "{\"data\": [{\"a\": 1}, {\"a\"", &["1", "it ends too early"]);
    // A row with a dialogue is a row.
    let row = "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}";
    check("d.json", row, &["1"]);
    check("d.json", format!("{row}\n\n{row}"), &["1", "3"]);
    check("d.json", "{\"data\": [{\"a\": 1}]}\n{\"data\": [{\"a\": 1}]}", &["1", "2"]);
    check(
        "d.json",
        "{\n\"train\": [{}], \"test\": [{}]}",
        &["several arrays of objects, `train`, `test`, expected one"],
    );
    check("d.json", "{\n\"a\": 1\n}", &["one object with `a`, expected an array of objects"]);
    check("d.json", "{\"a\": oops}\n{\"a\": 1}", &["d.json:1: this is not JSON", "2"]);
}

#[test]
fn empty_files_have_no_records() {
    for name in ["d.jsonl", "d.json", "d.csv", "d.tsv"] {
        check(name, "", &[]);
        check(name, "\n\r\n\n", &[]);
        check(name, "\u{feff}", &[]);
        check(&format!("{name}.gz"), gzip(b""), &[]);
        check(&format!("{name}.zst"), zstd(b""), &[]);
        check(&format!("{name}.gz"), "", &["the name says gzip, but the file is empty"]);
        check(&format!("{name}.zst"), "", &["the name says Zstandard, but the file is empty"]);
    }
    check("d.parquet", "", &["expected a Parquet file, but this is empty"]);
    check("d.arrow", "", &["expected an Arrow file or stream, but this is empty"]);
}

#[test]
fn compressed_files_are_read_and_their_damage_is_told() {
    let text = "{\"a\": \"some text\"}\n".repeat(1000);
    for (name, bytes) in [("d.jsonl.gz", gzip(text.as_bytes())), ("d.jsonl.zst", zstd(text.as_bytes()))] {
        assert_eq!(told(name, &bytes).last().unwrap(), "1000");
        let twice: Vec<u8> = [bytes.as_slice(), &bytes].concat();
        assert_eq!(told(name, twice).last().unwrap(), "2000");
        let told = told(name, &bytes[..bytes.len() - 9]);
        let last = told.last().unwrap();
        assert!(last.contains("ends too early") && last.contains("cut off"), "{last}");
    }
    let mut damaged = gzip(text.as_bytes());
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert!(told("d.jsonl.gz", damaged).last().unwrap().contains("the gzip data is damaged"));
}

#[test]
fn a_mislabelled_file_says_what_it_is() {
    let text = b"{\"a\": 1}\n";
    let parquet = std::fs::read(fixture("snappy.parquet")).unwrap();
    let stream = std::fs::read(fixture("saved/data-00000-of-00001.arrow")).unwrap();
    check("d.jsonl", gzip(text), &["d.jsonl: this is not text but gzip data. Add `.gz` to its name"]);
    check("d.csv", zstd(text), &["this is not text but Zstandard data. Add `.zst`"]);
    check("d.jsonl.gz", text, &["the name says gzip, but the file is not compressed. Correct the end of its name"]);
    check("d.jsonl.gz", zstd(text), &["the name says gzip, but the file is Zstandard data"]);
    check("d.jsonl.zst", gzip(text), &["the name says Zstandard, but the file is gzip data"]);
    check("d.jsonl.gz", gzip(&gzip(text)), &["this is not text but gzip data"]);
    check("d.json", &parquet, &["this is not text but a Parquet file. Name it `.parquet`"]);
    check("d.csv", &stream, &["this is not text but an Arrow stream"]);
    check("d.parquet", &stream, &["expected a Parquet file, but this is an Arrow stream"]);
    check("d.arrow", &parquet, &["expected an Arrow file or stream, but this is a Parquet file"]);
    check("d.parquet", text, &["expected a Parquet file, but this is something else"]);
    check("d.jsonl", b"\xff\xfe{\0\"\0", &["d.jsonl:1: the file is in UTF-16"]);
    check("d.jsonl.gz", gzip(b"\xfe\xff\0{"), &["d.jsonl.gz:1: the file is in UTF-16"]);
    check("d.jsonl", b"PK\x03\x04", &["a zip archive. Unpack it first"]);
    for (name, expected) in [
        ("d.parquet.gz", "the name does not say which format is compressed"),
        ("d.gz", "Name it after both, such as `data.jsonl.gz`"),
        ("d.zip", "`.zip` is not a known format"),
        ("d", "the file's name has no extension"),
    ] {
        check(name, text, &[expected]);
    }
}

#[test]
fn damaged_columns_are_told() {
    for name in ["types.parquet", "types.arrow", "saved/data-00000-of-00001.arrow"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let file = format!("d.{}", name.rsplit('.').next().unwrap());
        let told = told(&file, &bytes[..bytes.len() / 2]);
        let last = told.last().unwrap();
        assert!(last.contains("cannot read the file: ") && last.contains("copy or write it anew"), "{last}");
    }
}

#[test]
fn a_line_of_50_mb_is_read_and_one_above_the_limit_is_an_error() {
    let long = "x".repeat(50 << 20);
    let line = format!("{{\"a\": \"{long}\"}}");
    for (name, text) in
        [("d.jsonl", format!("{line}\n{line}")), ("d.json", format!("[{line}]")), ("d.csv", format!("a\n{long}"))]
    {
        let items = items(name, text);
        assert!(items.iter().all(|item| item.as_ref().unwrap().fields["a"].as_str().unwrap().len() == long.len()));
        assert!(!items.is_empty());
    }
    // Zeros compress well, and the reader stops at the limit.
    let endless = |begin: &str| {
        let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
        out.write_all(begin.as_bytes()).unwrap();
        (0..300).for_each(|_| out.write_all(&vec![b'x'; 1 << 20]).unwrap());
        out.finish().unwrap()
    };
    let limit = "the record is longer than 256 MiB";
    check("d.jsonl.zst", endless("{\"a\": \""), &[&format!("d.jsonl.zst:1: {limit}. Write one object per line")]);
    check("d.json.zst", endless("[\n{\"a\": \""), &[&format!("d.json.zst:2: {limit}")]);
    check("d.csv.zst", endless("a\n1\n\""), &["2", &format!("d.csv.zst:3: {limit}. Look for a quote")]);
}
