//! `temper data convert`: rows in another format or shape.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use temper_data::{DataError, Row, Writer};
use temper_text::{Completion, Message, Prompt};

use super::records::size;
use super::source::{Source, Stream};
use super::table::bytes;
use crate::args::{ConvertArgs, WrittenAs};
use crate::error::CliError;
use crate::{commands, interrupt};

/// Errors that are shown of rows that are left out.
const SHOWN: usize = 5;

/// What could not be written as it was.
#[derive(Default)]
pub struct Lost {
    /// By what is lost, rows that had it.
    pub counts: Vec<(&'static str, usize)>,
}

impl Lost {
    fn count(&mut self, what: &'static str, had: bool) {
        if !had {
            return;
        }
        match self.counts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }
}

/// Writes the rows of a source. Exit code 1 when rows were left out because they could not be read.
pub fn convert(args: &ConvertArgs) -> Result<ExitCode, CliError> {
    let mut source = Source::open(&args.source)?;
    source.limit(0, args.rows);
    interrupt::leave_nothing()?;
    let mut writer = Writer::create(&args.out)?;
    let mut rows = source.rows()?;
    let files = rows.files();
    let in_cells = cells(&args.out);
    let (mut lost, mut errors, mut skipped) = (Lost::default(), Vec::new(), 0usize);
    while let Some(row) = next(&mut rows, args.shape, &mut lost) {
        interrupt::check()?;
        match row {
            Ok(row) => {
                lost.count("lists and objects became text in JSON", in_cells && row.values().any(is_nested));
                writer.write(&row)?;
            }
            Err(error) if args.continue_on_error => {
                skipped += 1;
                if errors.len() < SHOWN {
                    errors.push(error.to_string());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let written = writer.finish()?;
    let code = if skipped > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let read = size(&source, &files);
    if args.source.json {
        let lost: Map<String, Value> = lost.counts.iter().map(|(what, rows)| ((*what).into(), json!(rows))).collect();
        commands::print_json(&json!({
            "source": source.name, "out": args.out, "rows": written.rows, "bytes_in": read, "bytes_out": written.bytes,
            "left_out": skipped, "errors": errors, "changed": lost, "notes": rows.notes(),
            "not_applied": source.not_applied(),
        }))?;
        return Ok(code);
    }
    let mut out = format!(
        "{} rows, {}{} written: {}\n",
        written.rows,
        read.map_or(String::new(), |read| format!("{} read, ", bytes(read))),
        bytes(written.bytes),
        args.out.display()
    );
    lost.counts.iter().for_each(|(what, rows)| out += &format!("  {rows} rows: {what}\n"));
    rows.notes().iter().chain(&source.not_applied()).for_each(|note| out += &format!("  {note}\n"));
    if skipped > 0 {
        out += &format!("  {skipped} rows were left out because they could not be read:\n");
        errors.iter().for_each(|error| out += &format!("    {error}\n"));
        if skipped > errors.len() {
            out += &format!("    … and {} more\n", skipped - errors.len());
        }
    }
    commands::print(&out)?;
    Ok(code)
}

fn next(rows: &mut Stream, shape: WrittenAs, lost: &mut Lost) -> Option<Result<Map<String, Value>, DataError>> {
    match shape {
        WrittenAs::Raw => rows.next_fields(),
        WrittenAs::Trl => rows.next().map(|row| row.map(|row| row.to_json())),
        WrittenAs::Messages => rows.next().map(|row| row.and_then(|row| messages(&row, lost))),
    }
}

/// Whether a file has cells of text instead of values.
fn cells(path: &std::path::Path) -> bool {
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    name.ends_with(".csv") || name.ends_with(".tsv")
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Prompt and completion as one list of turns, and the other fields.
pub fn messages(row: &Row, lost: &mut Lost) -> Result<Map<String, Value>, DataError> {
    let mut turns: Vec<Message> = match &row.prompt {
        Prompt::Chat(dialogue) => dialogue.messages.clone(),
        Prompt::Text(text) if text.is_empty() => {
            return Err(DataError {
                file: row.file.to_string(),
                line: Some(row.line),
                field: None,
                what: "the row is a plain text without turns".into(),
                remedy: "Write it with `--as trl`, or name the columns of prompt and completion with --columns".into(),
            });
        }
        Prompt::Text(text) => vec![Message::user(text.as_str())],
    };
    match &row.completion {
        None => {}
        Some(Completion::Text(text)) => turns.push(Message::assistant(text.as_str())),
        Some(Completion::Turns(more)) => turns.extend(more.iter().cloned()),
    }
    lost.count("the completion that was not chosen is left out", row.rejected.is_some());
    lost.count("whether the completion is good is left out", row.label.is_some());
    lost.count("the labels of the steps are left out", !row.steps.is_empty());
    lost.count("the sampled token ids of the completion are left out", row.completion_ids.is_some());
    // What holds the turns, and what only belongs to rows of another shape; a field of the same name that is neither stays.
    let part = |name: &str| match name {
        "completion" | "chosen" => row.completion.is_some(),
        "rejected" => row.rejected.is_some(),
        "label" => row.label.is_some(),
        "completions" | "labels" => !row.steps.is_empty(),
        "completion_ids" => row.completion_ids.is_some(),
        _ => false,
    };
    let mut out = Map::new();
    for (name, value) in row.to_json() {
        if name == "prompt" {
            out.insert("messages".into(), json!(turns));
        } else if !part(&name) {
            out.insert(name, value);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_into_one_list_and_what_is_lost_is_counted() {
        let mut lost = Lost::default();
        let row = Row {
            prompt: Prompt::user("1 + 1?"),
            completion: Some("2".into()),
            rejected: Some("3".into()),
            fields: [("label".to_owned(), json!("safe"))].into_iter().collect(),
            ..Row::default()
        };
        let out = Value::Object(messages(&row, &mut lost).unwrap());
        assert_eq!(
            out["messages"],
            json!([{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}])
        );
        // A field that only shares its name with a part stays.
        assert_eq!(out["label"], "safe");
        assert!(out.get("rejected").is_none() && out.get("chosen").is_none() && out.get("prompt").is_none());
        assert_eq!(lost.counts, [("the completion that was not chosen is left out", 1)]);
        let text = Row { completion: Some("once".into()), ..Row::default() };
        assert!(messages(&text, &mut lost).unwrap_err().to_string().contains("--as trl"));
    }
}
