//! Data sources to rows.

use crate::error::{Place, kind, list};
use crate::file_pattern;
use crate::formats::{Record, Records};
use crate::hub::{self, HubFiles};
use crate::shape::{self, Fields, Parts};
use crate::source::{self, File};
use crate::template::Template;
use crate::{DataError, Row, filter};
use serde_json::{Map, Value};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use temper_recipe::{Columns, DataSource, Location, Shape};
use temper_text::{Completion, Message, Prompt};

/// All rows of a data source's files; see [`Rows`].
///
/// # Errors
/// The first thing that is not as expected.
pub fn read(source: &DataSource, has_chat_template: bool) -> Result<Vec<Row>, DataError> {
    Rows::open(source, has_chat_template)?.collect()
}

/// The rows of a data source's files one by one, in the order of the files: `filter` first, then `skip`, then `rows`. A file
/// is read as the rows are asked for; what stays in memory is a number for each row's id.
///
/// How a row's fields make up prompt and completion is told by `shape`, `columns` and `template`, and where they say nothing,
/// by the fields (see [`Shape`]). Of a dialogue in one list, the assistant's last turn is the completion. A plain prompt
/// becomes a `user` turn when the source's `chat` says so, and where it says nothing, when there is a chat template. `{text}`
/// rows stay plain. `system` goes before the turns.
///
/// A row's id is its `id` field (or the column that `columns.id` names); where there is none, or an earlier row had the same,
/// its file and line.
///
/// CSV and TSV files have a header, unless every column that the source names is a number: then the first line is a row, and
/// the columns are called `1`, `2`, ….
///
/// An item that is an error says what is wrong with one row, with file, line and field, and the next item is the next row, as
/// far as the format allows to go on; an error about a file ends it. A source without a single row ends with an error.
pub struct Rows {
    source: DataSource,
    chat: bool,
    template: Option<Template>,
    headerless: bool,
    files: std::vec::IntoIter<File>,
    names: Vec<String>,
    current: Option<Current>,
    /// Records read, kept by the filter, and given out.
    seen: usize,
    kept: usize,
    given: usize,
    failed: bool,
    ended: bool,
    /// Values of the filter's fields in rows that were not kept, for the message when none was.
    others: BTreeMap<String, BTreeSet<String>>,
    ids: HashSet<u64>,
    notes: Vec<String>,
}

/// A row, and its fields as the file has them.
pub type RowAndFields = (Row, Map<String, Value>);

/// A record, its file as it is shown, and the file's name in ids.
type Found = (Record, Arc<str>, String);

/// The file that is being read.
struct Current {
    records: Records,
    shown: Arc<str>,
    name: String,
    empty: bool,
}

impl Rows {
    /// Finds the source's files, fetched first where they are on the Hub. `has_chat_template` is what `chat` means where the
    /// source does not say.
    ///
    /// # Errors
    /// There is no such file, or its format is not known; on the Hub, as [`hub::dataset_files`].
    pub fn open(source: &DataSource, has_chat_template: bool) -> Result<Self, DataError> {
        Self::found(source, has_chat_template).map_err(|mut error| {
            if let Some(about) = &source.about {
                error.remedy = format!("{}. These rows are {about}", error.remedy);
            }
            error
        })
    }

    fn found(source: &DataSource, has_chat_template: bool) -> Result<Self, DataError> {
        let files = match source.location() {
            Ok(Location::Hub(path)) => {
                source::of_hub(&hub::dataset_files(&path, source.subset.as_deref(), source.split.as_deref())?)?
            }
            _ => source::files(&source.path)?,
        };
        Ok(Self::of(source, files, has_chat_template))
    }

    /// As [`open`](Self::open), of files that were fetched from the Hub already.
    ///
    /// # Errors
    /// A file's format is not known.
    pub fn of_hub(source: &DataSource, found: &HubFiles, has_chat_template: bool) -> Result<Self, DataError> {
        Ok(Self::of(source, source::of_hub(found)?, has_chat_template))
    }

    /// The files that are read, in their order.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.as_slice().iter().map(|file| file.path.clone()).collect()
    }

    fn of(source: &DataSource, files: Vec<File>, has_chat_template: bool) -> Self {
        let template = source.template.as_deref().map(Template::parse);
        Self {
            chat: source.chat.unwrap_or(has_chat_template),
            headerless: headerless(&source.columns, template.as_ref()),
            template,
            names: files.iter().map(|file| file.name.clone()).collect(),
            files: files.into_iter(),
            source: source.clone(),
            current: None,
            seen: 0,
            kept: 0,
            given: 0,
            failed: false,
            ended: false,
            others: BTreeMap::new(),
            ids: HashSet::new(),
            notes: Vec::new(),
        }
    }

    /// The next row as the file has it, field by field. No prompt or completion is made of it, so it may be of any shape.
    pub fn next_record(&mut self) -> Option<Result<Record, DataError>> {
        self.step(|_, record, _, _| Ok(record))
    }

    /// The next row, and its fields as the file has them.
    pub fn next_with_fields(&mut self) -> Option<Result<RowAndFields, DataError>> {
        self.step(|rows, record, file, name| {
            let fields = record.fields.clone();
            Ok((rows.row(record, file, name)?, fields))
        })
    }

    fn step<T>(
        &mut self,
        make: impl FnOnce(&mut Self, Record, Arc<str>, &str) -> Result<T, DataError>,
    ) -> Option<Result<T, DataError>> {
        if self.ended || self.source.rows.is_some_and(|rows| self.given >= rows) {
            return None;
        }
        let result = match self.record() {
            Some(Ok((record, file, name))) => {
                self.given += 1;
                make(self, record, file, &name)
            }
            Some(Err(error)) => Err(error),
            None => {
                self.ended = true;
                return (self.given == 0 && !self.failed).then(|| Err(self.nothing()));
            }
        };
        self.failed |= result.is_err();
        Some(result)
    }

    /// What the files that were read to their end changed or left out, in sentences to show.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The next record that `filter` and `skip` keep, with its file.
    fn record(&mut self) -> Option<Result<Found, DataError>> {
        loop {
            let current = match &mut self.current {
                Some(current) => current,
                none => {
                    let file = self.files.next()?;
                    let shown: Arc<str> = file.path.display().to_string().into();
                    match file.format.records(&file.path, self.headerless) {
                        Err(error) => return Some(Err(error)),
                        Ok(records) => none.insert(Current { records, shown, name: file.name, empty: true }),
                    }
                }
            };
            match current.records.next() {
                Some(Err(error)) => {
                    current.empty = false;
                    return Some(Err(error));
                }
                Some(Ok(record)) => {
                    current.empty = false;
                    let (shown, name) = (current.shown.clone(), current.name.clone());
                    self.seen += 1;
                    if self.keeps(&record.fields) {
                        self.kept += 1;
                        if self.kept > self.source.skip {
                            return Some(Ok((record, shown, name)));
                        }
                    }
                }
                None => {
                    let (shown, empty) = (current.shown.clone(), current.empty);
                    let said = current.records.notes().into_iter().map(|note| format!("{shown}: {note}"));
                    self.notes.extend(said);
                    self.current = None;
                    if empty {
                        let remedy = "Name a file with rows, or leave it out";
                        return Some(Err(Place::file(&shown).error("the file has no rows", remedy)));
                    }
                }
            }
        }
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

    fn row(&mut self, record: Record, file: Arc<str>, name: &str) -> Result<Row, DataError> {
        let Record { line, mut fields } = record;
        let place = Place::line(&file, line);
        if let Some(pattern) = &self.source.file_pattern {
            file_pattern::add(pattern, name, line, &mut fields, place)?;
        }
        let columns = &self.source.columns;
        let parts = self.parts(&fields, place)?;
        let Parts { shape, prompt, completion, rejected, label, steps, answer } =
            self.addressed(parts, &fields, place)?;
        let completion_ids = completion_ids(&fields, completion.as_ref(), place)?;
        let here = format!("{name}:{line}");
        if let Some(column) = columns.answer.as_deref() {
            let Some(answer) = fields.get(column).cloned() else {
                return Err(place.missing(column, &fields, "Correct the row, or `columns.answer`"));
            };
            fields.insert("answer".into(), answer);
        } else if let (Some(answer), false) = (answer, fields.contains_key("answer")) {
            fields.insert("answer".into(), answer);
        }
        let id = self.id(&fields, here, Place::line(&file, line))?;
        Ok(Row { file, line, id, shape, prompt, completion, completion_ids, rejected, label, steps, fields })
    }

    fn parts(&self, fields: &Map<String, Value>, place: Place) -> Result<Parts, DataError> {
        let row = Fields { fields, columns: &self.source.columns, place };
        let Some(template) = &self.template else {
            return shape::parts(row, self.source.shape);
        };
        let prompt = template.fill(fields, place)?;
        if prompt.trim().is_empty() {
            return Err(
                place.error("the prompt is empty", "Correct the data source's `template`, or leave the row out")
            );
        }
        let completion = row.completion(false)?;
        let shape = if completion.is_some() { Shape::PromptCompletion } else { Shape::PromptOnly };
        Ok(Parts { shape, prompt: Prompt::Text(prompt), completion, ..Parts::default() })
    }

    /// Applies `chat`, `system` and `chat_template_kwargs`.
    fn addressed(&self, parts: Parts, fields: &Map<String, Value>, place: Place) -> Result<Parts, DataError> {
        let prompt = match parts.prompt {
            Prompt::Text(text) if text.is_empty() || !self.chat => Prompt::Text(text),
            Prompt::Text(text) => {
                let mut prompt = Prompt::user(text);
                let row = Fields { fields, columns: &self.source.columns, place };
                shape::variables(&mut prompt, row)?;
                prompt
            }
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
            (Prompt::Chat(dialogue), Some(_)) if dialogue.messages.first().is_some_and(|m| m.role == "system") => {
                return Err(place.error(
                    "the data source has a `system` message, and the row has its own",
                    "Remove one of the two",
                ));
            }
            (Prompt::Chat(mut dialogue), Some(system)) => {
                dialogue.messages.insert(0, Message::system(system.as_str()));
                Prompt::Chat(dialogue)
            }
        };
        let prompt = match prompt {
            Prompt::Chat(mut dialogue) => {
                for (name, value) in &self.source.chat_template_kwargs {
                    dialogue.variables.entry(name.clone()).or_insert_with(|| value.clone());
                }
                Prompt::Chat(dialogue)
            }
            text => text,
        };
        Ok(Parts { prompt, ..parts })
    }

    fn id(&mut self, fields: &Map<String, Value>, here: String, place: Place) -> Result<String, DataError> {
        let named = self.source.columns.id.as_deref();
        let name = named.unwrap_or("id");
        let id = match fields.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(other) if named.is_some() => {
                return Err(place.wrong_type(name, other, "a text or a number", "Correct the row, or `columns.id`"));
            }
            None if named.is_some() => {
                return Err(place.missing(name, fields, "Correct `columns.id`, or leave it out"));
            }
            _ => None,
        };
        match id {
            Some(id) if self.ids.insert(hash(&id)) => Ok(id),
            Some(id) if named.is_some() => {
                let what = format!("an earlier row has the id {id:?} too; ids tell items apart");
                Err(place.field(name, what, "Choose another column for `columns.id`, or leave it out"))
            }
            _ => {
                self.ids.insert(hash(&here));
                Ok(here)
            }
        }
    }

    /// What is wrong when nothing was given out.
    fn nothing(&self) -> DataError {
        let place = Place::file(&self.source.path);
        if self.kept == 0 && !self.source.filter.is_empty() {
            let others = self.others.iter().map(|(name, values)| {
                format!("`{name}` is {}", values.iter().cloned().collect::<Vec<_>>().join(" or "))
            });
            let what = format!("`filter` keeps none of {} rows: {}", self.seen, others.collect::<Vec<_>>().join("; "));
            return place.error(what, "Correct the data source's `filter`");
        }
        let names = list(self.names.iter().map(String::as_str));
        let what = format!("`skip: {}` leaves none of {} rows of {names}", self.source.skip, self.kept);
        place.error(what, "Skip fewer rows")
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(|rows, record, file, name| rows.row(record, file, name))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// TRL's `completion_ids`: the ids of a sampled completion.
fn completion_ids(
    fields: &Map<String, Value>,
    completion: Option<&Completion>,
    place: Place,
) -> Result<Option<Vec<u32>>, DataError> {
    const NAME: &str = "completion_ids";
    let (Some(value), Some(_)) = (fields.get(NAME).filter(|value| !value.is_null()), completion) else {
        return Ok(None);
    };
    let ids: Option<Vec<u32>> = value
        .as_array()
        .and_then(|ids| ids.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect());
    match ids {
        Some(ids) if !ids.is_empty() => Ok(Some(ids)),
        _ => Err(place.wrong_type(NAME, value, "a list of token ids", "Correct the row, or remove the column")),
    }
}

/// Whether the source names its columns by number, which only a file without a header needs.
fn headerless(columns: &Columns, template: Option<&Template>) -> bool {
    let named = columns.named();
    let mut all = named.iter().map(String::as_str).chain(template.into_iter().flat_map(Template::fields)).peekable();
    all.peek().is_some() && all.all(|name| name.parse::<usize>().is_ok_and(|n| n > 0))
}
