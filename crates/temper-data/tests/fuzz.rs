//! Valid files of every format, damaged at random: the readers end without a panic, and every error says where.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;
use temper_data::{Records, Writer};

/// A change of a file's bytes; places are parts of the length, in 65536ths.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u16, u8),
    Cut(u16),
    Insert(u16, Vec<u8>),
    Remove(u16, u16),
    Repeat(u16, u16),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |part: u16| bytes.len() * usize::from(part) / 65536;
        match self {
            Self::Flip(part, bit) => {
                let at = at(*part);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Cut(part) => bytes.truncate(at(*part)),
            Self::Insert(part, new) => {
                let at = at(*part);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(a, b) => {
                let (a, b) = (at(*a.min(b)), at(*a.max(b)));
                bytes.drain(a..b);
            }
            Self::Repeat(a, b) => {
                let (a, b) = (at(*a.min(b)), at(*a.max(b)));
                let part = bytes[a..b].to_vec();
                bytes.splice(b..b, part);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let new = prop_oneof![
        Just(b"\0".to_vec()),
        Just(b"\xff".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"{[,]}".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\xff\xff\xff\xff\0\0\0\0".to_vec()),
        proptest::collection::vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        6 => (any::<u16>(), 0_u8..8).prop_map(|(part, bit)| Damage::Flip(part, bit)),
        2 => any::<u16>().prop_map(Damage::Cut),
        4 => (any::<u16>(), new).prop_map(|(part, new)| Damage::Insert(part, new)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(a, b)| Damage::Remove(a, b)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(a, b)| Damage::Repeat(a, b)),
    ]
}

/// Rows that every format holds.
fn rows(table: bool) -> Vec<Map<String, Value>> {
    let row = |i: usize| match table {
        true => json!({"prompt": format!("what, {i}?"), "note": "say \"é\"", "n": i}),
        false => json!({
            "prompt": [{"role": "user", "content": format!("line\n{i} \"é\"")}], "n": i, "x": i as f64 / 3.0, "none": null,
            "tags": (0..i % 4).map(|t| format!("t{t}")).collect::<Vec<_>>(),
        }),
    };
    let object = |value: Value| value.as_object().cloned().unwrap();
    (0..30).map(|i| object(row(i))).collect()
}

/// Name and bytes of a valid file of every format, and whether its errors have a line.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for format in ["jsonl", "json", "csv", "tsv"] {
        for compression in ["", ".gz", ".zst"] {
            let name = format!("d.{format}{compression}");
            let path = folder.path().join(&name);
            let mut writer = Writer::create(&path).unwrap();
            rows(matches!(format, "csv" | "tsv")).iter().for_each(|row| writer.write(row).unwrap());
            writer.finish().unwrap();
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
    let member = json!({"version": 1, "data": rows(false), "more": {"a": [1]}}).to_string();
    files.push(("d.json".into(), member.into_bytes()));
    let path = folder.path().join("d.parquet");
    let mut writer = Writer::create(&path).unwrap();
    rows(false).iter().for_each(|row| writer.write(row).unwrap());
    writer.finish().unwrap();
    files.push(("d.parquet".into(), std::fs::read(path).unwrap()));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in [
        "types.parquet",
        "datasets.parquet",
        "gzip.parquet",
        "lz4.parquet",
        "snappy.parquet",
        "none.parquet",
        "types.arrow",
        "saved/data-00000-of-00001.arrow",
    ] {
        files.push((format!("d.{}", name.rsplit('.').next().unwrap()), std::fs::read(fixtures.join(name)).unwrap()));
    }
    files
});

/// Reads a file to its end and checks what is said.
fn check(path: &Path, bytes: &[u8]) -> Result<(), TestCaseError> {
    /// A damaged file has no more records than this; a reader that gives more does not end.
    const MOST: usize = 200_000;
    std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
    let name = path.to_str().unwrap();
    let mut records = match Records::open(path) {
        Ok(records) => records,
        Err(e) => {
            prop_assert!(e.file == name && !e.what.is_empty() && !e.remedy.is_empty(), "{e}");
            return Ok(());
        }
    };
    let mut count = 0;
    let mut last = 0;
    for item in records.by_ref() {
        count += 1;
        prop_assert!(count < MOST, "it does not end");
        match item {
            Ok(record) => {
                prop_assert!(record.line > last, "line {} after line {last}", record.line);
                last = record.line;
            }
            Err(e) => {
                prop_assert!(e.file == name && !e.what.is_empty() && !e.remedy.is_empty(), "{e}");
                // The element of an array is known by its number.
                prop_assert!(e.line.is_some() || e.what.starts_with("item "), "{e}");
                prop_assert!(e.to_string().starts_with(name), "{e}");
            }
        }
    }
    prop_assert!(records.next().is_none(), "it goes on after its end");
    Ok(())
}

#[test]
fn what_is_not_damaged_reads() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter() {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let count = Records::open(&path).unwrap().map(|record| record.unwrap()).count();
        assert!(count == 30 || count == 8 || count == 3, "{name}: {count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_errors_with_a_place(
        which in any::<prop::sample::Index>(),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        thread_local!(static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap());
        let (name, bytes) = which.get(&FILES);
        let mut bytes = bytes.clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        FOLDER.with(|folder| check(&folder.path().join(name), &bytes))?;
    }

    /// Damage inside of compression that is itself whole.
    #[test]
    fn damaged_text_inside_of_compression(
        which in any::<prop::sample::Index>(),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        thread_local!(static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap());
        let texts: Vec<_> = FILES.iter().filter(|(name, _)| name.matches('.').count() == 1 && !name.ends_with("t") && !name.ends_with("w")).collect();
        let (name, bytes) = which.get(&texts);
        let mut bytes = bytes.clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        FOLDER.with(|folder| check(&folder.path().join(format!("{name}.gz")), &gzip.finish().unwrap()))?;
    }
}
