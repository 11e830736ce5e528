//! Reading a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::Value;
use temper_score::Better;
use zip::ZipArchive;

use super::sample::{Around, Sample, record};
use super::{HEADER, OURS, SAMPLES, START};
use crate::log::place::read_error;
use crate::log::{Log, LogHead, LogStatus, Recorded, damage, tolerant};
use crate::{EvalError, Metric};

/// Bytes that one entry may have unpacked. A sample with its whole transcript is far smaller; a file that unpacks to more
/// is not a log.
const MOST: u64 = 1 << 30;

struct Archive<'a> {
    file: &'a Path,
    zip: ZipArchive<BufReader<File>>,
}

/// Reads a log, one sample in memory at a time besides the records.
pub(in crate::log) fn read(file: &Path) -> Result<Log, EvalError> {
    let open = File::open(file).map_err(|source| read_error(file, source))?;
    let zip = ZipArchive::new(BufReader::new(open)).map_err(|error| damage::archive(file, "the archive", &error))?;
    let mut archive = Archive { file, zip };
    let (mut head, scorers) = archive.head()?;
    let names: Vec<(usize, String)> = archive.samples()?;
    let mut records = Vec::with_capacity(names.len());
    let mut seen: BTreeMap<(String, String, usize), String> = BTreeMap::new();
    let mut left = 0;
    for (index, name) in names {
        let bytes = archive.bytes(index, &name)?;
        let json = tolerant::json(&bytes);
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(damage::broken(file, &name, "not a sample: expected an object"));
        }
        let sample: Sample = serde_json::from_slice(&json)
            .map_err(|error| damage::broken(file, &name, format!("not a sample: {error}")))?;
        let around = Around { task: &head.suite, scorers: &scorers };
        let (record, without) = record(sample, &around).map_err(|what| damage::broken(file, &name, what))?;
        left += without;
        let key = (record.suite.clone(), record.id.clone(), record.repeat);
        if let Some(first) = seen.insert(key, name.clone()) {
            let what = format!(
                "item `{}` of suite `{}`, repeat {}, stands in {first} already",
                record.id, record.suite, record.repeat
            );
            return Err(damage::broken(file, &name, what));
        }
        records.push(record);
    }
    if left > 0 {
        head.notes.push(format!("{left} metadata of samples are long or have parts, and are left out"));
    }
    Ok(Log { head, records })
}

impl Archive<'_> {
    /// The entries that are samples, in their order in the archive; of two of one name the later one, which replaces the other.
    fn samples(&self) -> Result<Vec<(usize, String)>, EvalError> {
        let mut found = Vec::new();
        for (index, name) in self.zip.file_names().enumerate() {
            let name = name.map_err(|error| damage::archive(self.file, "an entry's name", &error))?;
            if name.starts_with(SAMPLES) && name.ends_with(".json") {
                found.push((index, name.into_owned()));
            }
        }
        Ok(found)
    }

    fn bytes(&mut self, index: usize, name: &str) -> Result<Vec<u8>, EvalError> {
        let entry = self.zip.by_index(index).map_err(|error| damage::archive(self.file, name, &error))?;
        let mut bytes = Vec::new();
        entry
            .take(MOST + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| damage::broken(self.file, name, format!("cannot be unpacked: {error}")))?;
        if bytes.len() as u64 > MOST {
            return Err(damage::broken(self.file, name, format!("unpacks to more than {} MiB", MOST >> 20)));
        }
        Ok(bytes)
    }

    fn json(&mut self, name: &str) -> Result<Option<Value>, EvalError> {
        let Some(index) = self.zip.index_for_name(name) else { return Ok(None) };
        let bytes = self.bytes(index, name)?;
        let value = serde_json::from_slice(&tolerant::json(&bytes));
        value.map(Some).map_err(|error| damage::broken(self.file, name, format!("not JSON: {error}")))
    }

    /// The head, and the names of the scorers.
    fn head(&mut self) -> Result<(LogHead, Vec<String>), EvalError> {
        let (json, whole) = match self.json(HEADER)? {
            Some(header) => (header, true),
            None => match self.json(START)? {
                Some(start) => (start, false),
                None => {
                    let what = format!("there is neither {HEADER} nor {START}");
                    return Err(damage::at(self.file, "the archive", what, "give a log that Inspect or Temper wrote"));
                }
            },
        };
        match json.get("version").and_then(Value::as_u64) {
            Some(1 | 2) => {}
            other => {
                let found = other.map_or("none".to_owned(), |version| version.to_string());
                let what = format!("log version {found}, expected 2");
                return Err(damage::at(self.file, HEADER, what, "convert it with `inspect log convert`"));
            }
        }
        let mut head = head_of(&json);
        if !whole {
            head.status = LogStatus::Started;
            head.notes.push("the log has no header: the evaluation was not finished".to_owned());
        }
        let eval = |key: &str| json.pointer(&format!("/eval/{key}")).and_then(Value::as_array);
        let mut scorers: Vec<String> = head.recorded.iter().map(|recorded| recorded.scorer.clone()).collect();
        let named = eval("scorers").into_iter().flatten().filter_map(|scorer| scorer.get("name")?.as_str());
        scorers.extend(named.map(str::to_owned));
        scorers.sort();
        scorers.dedup();
        Ok((head, scorers))
    }
}

fn head_of(json: &Value) -> LogHead {
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let status = match json.get("status").and_then(Value::as_str) {
        Some("success") => LogStatus::Success,
        Some("cancelled") => LogStatus::Cancelled,
        Some("error") => LogStatus::Error(text("/error/message").unwrap_or_else(|| "no message".to_owned())),
        _ => LogStatus::Started,
    };
    let packages = json.pointer("/eval/packages").and_then(Value::as_object);
    let mut head = LogHead {
        suite: text("/eval/task").unwrap_or_default(),
        model: text("/eval/model").unwrap_or_default(),
        status,
        created: text("/eval/created"),
        seconds: seconds(json),
        writer: packages
            .and_then(|packages| packages.iter().next())
            .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default())),
        dataset: text("/eval/dataset/location").or(text("/eval/dataset/name")),
        repeats: json.pointer("/eval/config/epochs").and_then(Value::as_u64).map(|epochs| epochs as usize),
        recorded: recorded(json),
        ..LogHead::default()
    };
    if let Some(extra) = json.pointer(&format!("/eval/metadata/{OURS}")) {
        head.take_extra(extra);
    } else {
        // Of other scorers a log does not say which direction is the good one; of an accuracy one knows.
        let known: BTreeSet<&String> =
            head.recorded.iter().filter(|one| one.name == "accuracy").map(|one| &one.scorer).collect();
        let metric = |name: &String| Metric {
            name: name.clone(),
            title: name.clone(),
            better: Better::Higher,
            range: Some((0.0, 1.0)),
        };
        head.metrics = known.into_iter().map(metric).collect();
    }
    head
}

/// How long the evaluation took, where the log says.
fn seconds(json: &Value) -> Option<f64> {
    let time = |key: &str| json.pointer(&format!("/stats/{key}"))?.as_str()?.parse::<jiff::Timestamp>().ok();
    let took = time("completed_at")?.duration_since(time("started_at")?).as_secs_f64();
    (took > 0.0).then_some(took)
}

fn recorded(json: &Value) -> Vec<Recorded> {
    let mut out = Vec::new();
    for score in json.pointer("/results/scores").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| score.get(key).and_then(Value::as_str).map(str::to_owned);
        let metrics = score.get("metrics").and_then(Value::as_object);
        for (name, metric) in metrics.into_iter().flatten() {
            out.push(Recorded {
                scorer: text("name").unwrap_or_default(),
                reducer: text("reducer"),
                name: name.clone(),
                value: metric.get("value").and_then(Value::as_f64).unwrap_or(f64::NAN),
            });
        }
    }
    out
}
