//! Where rows come from: files, the Hugging Face Hub, or the lab for `lab:` names.

use std::cell::{OnceCell, RefCell};

use indexmap::IndexMap;
use temper_data::Row;
use temper_data::hub::{self, HubFiles};
use temper_lab::World;
use temper_recipe::{Clean, Columns, DataSource, Lab, Location};

use crate::datasets::{Dataset, HeldOut};
use crate::error::RunError;

/// Reads data sources. Builds the lab's world once, when the first `lab:` name is asked for.
pub struct Sources {
    lab: Lab,
    world: OnceCell<World>,
    notes: RefCell<Vec<String>>,
}

impl Sources {
    /// Sources over the world of these knobs.
    pub fn new(lab: &Lab) -> Self {
        Self { lab: lab.clone(), world: OnceCell::new(), notes: RefCell::default() }
    }

    /// The lab's world.
    pub fn world(&self) -> &World {
        self.world.get_or_init(|| World::new(&self.lab))
    }

    /// What a reader should know about the rows that were asked for: which commits of the Hub they are from.
    pub fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }

    /// The files of a source on the Hub, fetched; `None` for a source that is not there.
    ///
    /// # Errors
    /// What cannot be found or fetched.
    pub fn hub(&self, source: &DataSource) -> Result<Option<HubFiles>, RunError> {
        let Location::Hub(path) = source.location()? else { return Ok(None) };
        let found = hub::dataset_files(&path, source.subset.as_deref(), source.split.as_deref())?;
        let note = origin(&source.path, &found);
        self.note([note]);
        Ok(Some(found))
    }

    /// The rows of a source, after everything that it says of them: `filter`, `skip`, `rows`, `part`, `clean`. `chat`: whether
    /// plain prompts become dialogues where the source does not say; true when the model has a chat template.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn rows(&self, source: &DataSource, chat: bool) -> Result<Vec<Row>, RunError> {
        if source.part.is_none() && source.clean == Clean::default() {
            let rows = self.given(source, chat)?;
            let Some(transform) = &source.transform else { return Ok(rows) };
            let (rows, notes) = temper_data::transform(&rows, transform, &source.path)?;
            self.note(notes.into_iter().map(|note| format!("{}: {note}", source.path)));
            return Ok(rows);
        }
        let name = source.path.clone();
        let all = IndexMap::from([(name.clone(), source.clone())]);
        let dataset = Dataset::read(&name, &all, self, &HeldOut::new(Vec::new()), chat)?;
        if source.transform.is_some() {
            self.note(dataset.card.notes.iter().cloned());
        }
        dataset.rows()
    }

    /// Adds what a reader should know, once.
    fn note(&self, notes: impl IntoIterator<Item = String>) {
        let mut all = self.notes.borrow_mut();
        for note in notes {
            if !all.contains(&note) {
                all.push(note);
            }
        }
    }

    /// The rows of a source before `part` and `clean`: filtered, skipped, capped. `chat`: whether plain prompts become dialogues where the source
    /// does not say; true when the model has a chat template.
    ///
    /// # Errors
    /// Unknown lab name, missing file, a row that is not what was promised; a source without any row.
    pub fn given(&self, source: &DataSource, chat: bool) -> Result<Vec<Row>, RunError> {
        let location = source.location().map_err(|error| match &source.about {
            Some(about) => RunError::Other(format!("{error}. These rows are {about}")),
            None => error.into(),
        })?;
        let rows = match location {
            Location::Lab(name) => {
                refuse_file_keys(source)?;
                temper_data::select(self.world().rows(&name)?, source)
            }
            Location::File(_) => temper_data::read(source, chat)?,
            Location::Hub(_) => match self.hub(source)? {
                Some(found) => temper_data::Rows::of_hub(source, &found, chat)?.collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
        };
        if rows.is_empty() {
            return Err(RunError::Other(format!(
                "{}: no row is left after `filter`, `skip` and `rows`. Loosen them, or check the field names",
                source.path
            )));
        }
        Ok(rows)
    }
}

/// Which commit, subset and split were read, and what was not.
fn origin(path: &str, found: &HubFiles) -> String {
    let named = [("subset", &found.subset), ("split", &found.split)];
    let named = named.iter().filter_map(|(what, name)| Some(format!("{what} `{}`, ", name.as_ref()?)));
    let count = found.names.len();
    let files = if count == 1 { "file" } else { "files" };
    let mut note = format!("{path}: {}commit {}, {count} {files}", named.collect::<String>(), found.revision);
    if !found.left_out.is_empty() {
        note.push_str(&format!(" (not read, since in another format: {})", found.left_out.join(", ")));
    }
    note
}

/// The lab's rows have their prompts and completions already; keys that shape a file's rows would do nothing.
fn refuse_file_keys(source: &DataSource) -> Result<(), RunError> {
    let keys = [
        ("columns", source.columns != Columns::default()),
        ("file_pattern", source.file_pattern.is_some()),
        ("template", source.template.is_some()),
        ("system", source.system.is_some()),
        ("chat", source.chat.is_some()),
        ("subset", source.subset.is_some()),
        ("split", source.split.is_some()),
        ("shape", source.shape.is_some()),
        ("chat_template_kwargs", !source.chat_template_kwargs.is_empty()),
    ];
    match keys.iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((key, _)) => Err(RunError::Other(format!(
            "{}: `{key}` shapes rows of files and does nothing on the lab's. Remove it, or write the rows out with `temper lab export` and name the file",
            source.path
        ))),
    }
}
