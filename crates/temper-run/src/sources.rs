//! Where rows come from: files, or the lab for `lab:` names.

use std::cell::OnceCell;

use temper_data::Row;
use temper_lab::World;
use temper_recipe::{Columns, DataSource, Lab, Location};

use crate::error::RunError;

/// Reads data sources. Builds the lab's world once, when the first `lab:` name is asked for.
pub struct Sources {
    lab: Lab,
    world: OnceCell<World>,
}

impl Sources {
    /// Sources over the world of these knobs.
    pub fn new(lab: &Lab) -> Self {
        Self { lab: lab.clone(), world: OnceCell::new() }
    }

    /// The lab's world.
    pub fn world(&self) -> &World {
        self.world.get_or_init(|| World::new(&self.lab))
    }

    /// The rows of a source: filtered, skipped, capped. `chat`: whether plain prompts become dialogues where the source
    /// does not say; true when the model has a chat template.
    ///
    /// # Errors
    /// Unknown lab name, missing file, a row that is not what was promised; a source without any row.
    pub fn rows(&self, source: &DataSource, chat: bool) -> Result<Vec<Row>, RunError> {
        let rows = match source.location()? {
            Location::Lab(name) => {
                refuse_file_keys(source)?;
                temper_data::select(self.world().rows(&name)?, source)
            }
            Location::File(_) => temper_data::read(source, chat)?,
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

/// The lab's rows have their prompts and completions already; keys that shape a file's rows would do nothing.
fn refuse_file_keys(source: &DataSource) -> Result<(), RunError> {
    let keys = [
        ("columns", source.columns != Columns::default()),
        ("template", source.template.is_some()),
        ("system", source.system.is_some()),
        ("chat", source.chat.is_some()),
    ];
    match keys.iter().find(|(_, set)| *set) {
        None => Ok(()),
        Some((key, _)) => Err(RunError::Other(format!(
            "{}: `{key}` shapes rows of files and does nothing on the lab's. Remove it, or write the rows out with `temper lab export` and name the file",
            source.path
        ))),
    }
}
