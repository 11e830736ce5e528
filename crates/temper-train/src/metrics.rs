//! `metrics.jsonl`: one JSON object per logged step, under TRL's metric names.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::TrainError;

/// Name of the metrics file in a stage's folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// The metrics of one step. A value that is missing or not finite is null.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Map<String, Value>);

impl Record {
    /// Sets a metric.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<Option<f64>>) {
        let value = value.into().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number);
        self.0.insert(name.into(), value);
    }

    /// Sets a counter.
    pub fn count(&mut self, name: impl Into<String>, value: u64) {
        self.0.insert(name.into(), value.into());
    }

    /// A metric's value.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }
}

/// The metrics file of a stage.
pub(crate) struct MetricsLog {
    path: PathBuf,
}

impl MetricsLog {
    /// Opens the file in `dir`; keeps the lines of steps up to `through` and drops the others and unfinished lines.
    pub fn open(dir: &Path, through: usize) -> Result<Self, TrainError> {
        let path = dir.join(METRICS_FILE);
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(TrainError::io(&path, "read"))?;
            let kept: String = text
                .lines()
                .filter(|line| {
                    serde_json::from_str::<Value>(line)
                        .ok()
                        .and_then(|v| v.get("step")?.as_u64())
                        .is_some_and(|step| step <= through as u64)
                })
                .flat_map(|line| [line, "\n"])
                .collect();
            if kept != text {
                fs::write(&path, kept).map_err(TrainError::io(&path, "write"))?;
            }
        }
        Ok(Self { path })
    }

    /// Appends one line.
    pub fn write(&self, record: &Record) -> Result<(), TrainError> {
        append_line(&self.path, &Value::Object(record.0.clone()))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Appends `value` and a line feed to a file, in one write.
pub(crate) fn append_line(path: &Path, value: &Value) -> Result<(), TrainError> {
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(TrainError::io(path, "write"))?;
    file.write_all(format!("{value}\n").as_bytes()).map_err(TrainError::io(path, "write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_drops_later_and_broken_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = MetricsLog::open(dir.path(), 0).unwrap();
        for step in 1..=4 {
            let mut record = Record::default();
            record.count("step", step);
            record.put("loss", if step == 2 { f64::NAN } else { 0.5 });
            log.write(&record).unwrap();
        }
        let path = dir.path().join(METRICS_FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"{"step":2,"loss":null}"#));
        text.push_str("{\"step\":1,\"lo");
        fs::write(&path, &text).unwrap();
        MetricsLog::open(dir.path(), 3).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
