//! Data sources to rows.

use crate::error::{Place, kind, list};
use crate::formats::Record;
use crate::hub::{self, HubFiles};
use crate::shape::{self, Names, Parts};
use crate::source::{self, File};
use crate::template::Template;
use crate::{DataError, Row, filter};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use temper_recipe::{Columns, DataSource, Location};
use temper_text::{Message, Prompt};

/// Reads the rows of a data source's files, in the order of the files: `filter` first, then `skip`, then `rows`.
///
/// A row's shape is known by its fields (`{prompt, completion}`, `{prompt}`, `{messages}`, `{text}`, ShareGPT's
/// `{conversations}`, Alpaca's `{instruction, input, output}`) or given by `columns` and `template`. Of a dialogue, the
/// assistant's last turn is the completion. A plain prompt becomes a `user` turn when the source's `chat` says so, and where
/// it says nothing, when `has_chat_template`. `{text}` rows stay plain. `system` goes before the turns.
///
/// CSV and TSV files have a header, unless every column that the source names is a number: then the first line is a row, and
/// the columns are called `1`, `2`, ….
///
/// # Errors
/// See [`DataError`]: anything that is not as expected, with file, line and field; also a source without a single row.
pub fn read(source: &DataSource, has_chat_template: bool) -> Result<Vec<Row>, DataError> {
    match source.location() {
        Ok(Location::Hub(path)) => {
            let found = hub::dataset_files(&path, source.subset.as_deref(), source.split.as_deref())?;
            read_hub(source, &found, has_chat_template)
        }
        _ => rows(source, &source::files(&source.path)?, has_chat_template),
    }
}

/// As [`read`], of files that were fetched from the Hub already.
///
/// # Errors
/// As [`read`].
pub fn read_hub(source: &DataSource, found: &HubFiles, has_chat_template: bool) -> Result<Vec<Row>, DataError> {
    rows(source, &source::of_hub(found)?, has_chat_template)
}

fn rows(source: &DataSource, files: &[File], has_chat_template: bool) -> Result<Vec<Row>, DataError> {
    let mut reader = Reader::new(source, has_chat_template);
    for file in files {
        if reader.full() {
            break;
        }
        reader.file(file)?;
    }
    reader.finish(files)
}

struct Reader<'a> {
    source: &'a DataSource,
    chat: bool,
    template: Option<Template>,
    headerless: bool,
    rows: Vec<Row>,
    /// Rows before and after the filter.
    seen: usize,
    kept: usize,
    /// Values of the filter's fields in rows that were not kept, for the message when none was.
    others: BTreeMap<String, BTreeSet<String>>,
    ids: BTreeMap<String, String>,
    /// No id column is named, and the usual one is missing or repeats itself: rows are known by file and line.
    number: bool,
    /// Name of the file and line, for each row.
    places: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(source: &'a DataSource, has_chat_template: bool) -> Self {
        let template = source.template.as_deref().map(Template::parse);
        Self {
            source,
            chat: source.chat.unwrap_or(has_chat_template),
            headerless: headerless(&source.columns, template.as_ref()),
            template,
            rows: Vec::new(),
            seen: 0,
            kept: 0,
            others: BTreeMap::new(),
            ids: BTreeMap::new(),
            number: false,
            places: Vec::new(),
        }
    }

    fn full(&self) -> bool {
        self.source.rows.is_some_and(|rows| self.rows.len() >= rows)
    }

    fn file(&mut self, file: &File) -> Result<(), DataError> {
        let shown: Arc<str> = file.path.display().to_string().into();
        let before = self.seen;
        file.format.read(&file.path, self.headerless, &mut |record| {
            self.seen += 1;
            if self.keeps(&record.fields) {
                self.kept += 1;
                if self.kept > self.source.skip {
                    self.row(&shown, &file.name, record)?;
                }
            }
            Ok(if self.full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if self.seen == before {
            return Err(Place::file(&shown).error("the file has no rows", "Name a file with rows, or leave it out"));
        }
        Ok(())
    }

    fn keeps(&mut self, fields: &Map<String, Value>) -> bool {
        const REMEMBERED: usize = 8;
        for (name, wanted) in &self.source.filter {
            if !filter::keeps(fields, name, wanted) {
                let others = self.others.entry(name.clone()).or_default();
                if self.kept == 0 && others.len() < REMEMBERED {
                    others.insert(fields.get(name).map_or("no such field".into(), kind));
                }
                return false;
            }
        }
        true
    }

    fn row(&mut self, file: &Arc<str>, name: &str, record: Record) -> Result<(), DataError> {
        let Record { line, mut fields } = record;
        let place = Place::line(file, line);
        let columns = &self.source.columns;
        let parts = self.parts(&fields, place)?;
        let Parts { prompt, completion } = self.addressed(parts, place)?;
        let here = format!("{name}:{line}");
        let id = self.id(&fields, &here, place)?;
        if let Some(column) = columns.answer.as_deref().filter(|column| *column != "answer") {
            match fields.get(column).cloned() {
                Some(answer) => fields.insert("answer".into(), answer),
                None => return Err(place.missing(column, &fields, "Correct the row, or `columns.answer`")),
            };
        } else if columns.answer.is_some() && !fields.contains_key("answer") {
            return Err(place.missing("answer", &fields, "Correct the row, or `columns.answer`"));
        }
        self.rows.push(Row { file: file.clone(), line, id, prompt, completion, fields });
        self.places.push(here);
        Ok(())
    }

    fn parts(&self, fields: &Map<String, Value>, place: Place) -> Result<Parts, DataError> {
        let columns = &self.source.columns;
        if let Some(template) = &self.template {
            let prompt = template.fill(fields, place)?;
            if prompt.trim().is_empty() {
                return Err(
                    place.error("the prompt is empty", "Correct the data source's `template`, or leave the row out")
                );
            }
            let completion = shape::completion(fields, columns.completion.as_deref(), place)?;
            return Ok(Parts { prompt: Prompt::Text(prompt), completion });
        }
        let names = Names {
            prompt: columns.prompt.as_deref(),
            completion: columns.completion.as_deref(),
            messages: columns.messages.as_deref(),
            text: columns.text.as_deref(),
        };
        shape::parts(fields, names, place)
    }

    /// Applies `chat` and `system`.
    fn addressed(&self, parts: Parts, place: Place) -> Result<Parts, DataError> {
        let prompt = match parts.prompt {
            Prompt::Text(text) if text.is_empty() || !self.chat => Prompt::Text(text),
            Prompt::Text(text) => Prompt::user(text),
            Prompt::Chat(_) if self.source.chat == Some(false) => {
                return Err(place.error(
                    "the row is a dialogue, and the data source says `chat: false`",
                    "Remove `chat: false`, or give plain prompts",
                ));
            }
            chat => chat,
        };
        let prompt = match (prompt, &self.source.system) {
            (prompt, None) => prompt,
            (Prompt::Text(_), Some(_)) => {
                return Err(place.error(
                    "the data source has a `system` message, and the prompt is plain text",
                    "Set `chat: true`, or put the message into `template`",
                ));
            }
            (Prompt::Chat(turns), Some(_)) if turns.first().is_some_and(|first| first.role == "system") => {
                return Err(place.error(
                    "the data source has a `system` message, and the row has its own",
                    "Remove one of the two",
                ));
            }
            (Prompt::Chat(mut turns), Some(system)) => {
                turns.insert(0, Message::system(system.as_str()));
                Prompt::Chat(turns)
            }
        };
        Ok(Parts { prompt, ..parts })
    }

    fn id(&mut self, fields: &Map<String, Value>, here: &str, place: Place) -> Result<String, DataError> {
        let named = self.source.columns.id.as_deref();
        let name = named.unwrap_or("id");
        let id = match fields.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(other) if named.is_some() => {
                return Err(place.wrong_type(name, other, "a text or a number", "Correct the row, or `columns.id`"));
            }
            None if named.is_some() => {
                return Err(place.missing(name, fields, "Correct `columns.id`, or leave it out"));
            }
            _ => {
                self.number = true;
                here.to_owned()
            }
        };
        if let Some(first) = self.ids.insert(id.clone(), here.to_owned()) {
            if named.is_some() {
                let what = format!("the id {id:?} was already that of {first}; ids tell items apart");
                return Err(place.field(name, what, "Choose another column for `columns.id`, or leave it out"));
            }
            self.number = true;
        }
        Ok(id)
    }

    fn finish(mut self, files: &[File]) -> Result<Vec<Row>, DataError> {
        let place = Place::file(&self.source.path);
        if self.kept == 0 && !self.source.filter.is_empty() {
            let others = self.others.iter().map(|(name, values)| {
                format!("`{name}` is {}", values.iter().cloned().collect::<Vec<_>>().join(" or "))
            });
            let what = format!("`filter` keeps none of {} rows: {}", self.seen, others.collect::<Vec<_>>().join("; "));
            return Err(place.error(what, "Correct the data source's `filter`"));
        }
        if self.rows.is_empty() {
            let names = list(files.iter().map(|f| f.name.as_str()));
            let what = format!("`skip: {}` leaves none of {} rows of {names}", self.source.skip, self.kept);
            return Err(place.error(what, "Skip fewer rows"));
        }
        if self.number && self.source.columns.id.is_none() {
            for (row, here) in self.rows.iter_mut().zip(self.places) {
                row.id = here;
            }
        }
        Ok(self.rows)
    }
}

/// Whether the source names its columns by number, which only a file without a header needs.
fn headerless(columns: &Columns, template: Option<&Template>) -> bool {
    let named = [&columns.prompt, &columns.completion, &columns.messages, &columns.text, &columns.answer, &columns.id];
    let named = named.into_iter().flatten().map(String::as_str);
    let mut all = named.chain(template.into_iter().flat_map(Template::fields)).peekable();
    all.peek().is_some() && all.all(|name| name.parse::<usize>().is_ok_and(|n| n > 0))
}
