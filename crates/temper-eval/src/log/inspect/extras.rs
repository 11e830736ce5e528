//! What a sample of Inspect's has no field for, so that a record reads back as it was.
//!
//! A record is written as a sample that anyone can read. Reading that sample gives a record again; where it differs from the
//! first, the difference is put into the sample's metadata. Whatever a record holds is therefore kept, by construction.

use serde_json::{Map, Value, json};

use crate::ItemRecord;

const VERSION: u64 = 1;

/// What has to be said besides so that `derived` becomes `record`.
pub(super) fn of(record: &ItemRecord, derived: &ItemRecord) -> Result<Value, String> {
    let (mut wanted, found) = (map(record)?, map(derived)?);
    let mut out = Map::from_iter([("version".to_owned(), VERSION.into())]);
    // The text is thinking and answer with something around them: only that is written, where it is so.
    if record.text != derived.text
        && let Some(frame) = frame(record)
    {
        out.insert("frame".to_owned(), json!(frame));
        wanted.shift_remove("text");
    }
    let mut differs = Map::new();
    for key in found.keys().filter(|key| !wanted.contains_key(*key) && *key != "text") {
        differs.insert(key.clone(), Value::Null);
    }
    for (key, value) in wanted {
        if found.get(&key) != Some(&value) {
            differs.insert(key, value);
        }
    }
    out.insert("record".to_owned(), Value::Object(differs));
    Ok(Value::Object(out))
}

/// The record that [`of`] was told of.
pub(super) fn apply(derived: ItemRecord, ours: &Value) -> Result<ItemRecord, String> {
    match ours.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        other => {
            let found = other.map_or("none".to_owned(), |version| version.to_string());
            return Err(format!(
                "written by another version of Temper (record version {found}, this one reads {VERSION})"
            ));
        }
    }
    let mut map = map(&derived)?;
    let differs = ours.get("record").and_then(Value::as_object).ok_or("`metadata.temper.record` is missing")?;
    for (key, value) in differs {
        match value {
            Value::Null => map.shift_remove(key),
            value => map.insert(key.clone(), value.clone()),
        };
    }
    let mut record: ItemRecord =
        serde_json::from_value(Value::Object(map)).map_err(|e| format!("not an item record: {e}"))?;
    if let Some(frame) = ours.get("frame") {
        let [before, between, after]: [String; 3] =
            serde_json::from_value(frame.clone()).map_err(|e| format!("`metadata.temper.frame`: {e}"))?;
        let thinking = record.thinking.as_deref().unwrap_or_default();
        record.text = format!("{before}{thinking}{between}{}{after}", record.answer);
    }
    Ok(record)
}

fn map(record: &ItemRecord) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(record) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("a record is no object".to_owned()),
        Err(error) => Err(format!("a record cannot be written: {error}")),
    }
}

/// What stands before the thinking, between it and the answer, and after the answer; `None` where the text is not made of them.
fn frame(record: &ItemRecord) -> Option<[&str; 3]> {
    let text = record.text.as_str();
    let thinking = record.thinking.as_deref().unwrap_or_default();
    let start = text.find(thinking)?;
    let rest = start + thinking.len();
    let answer = rest + text[rest..].rfind(record.answer.as_str())?;
    Some([&text[..start], &text[rest..answer], &text[answer + record.answer.len()..]])
}
