//! Training rows: read, cleaned, split and mixed, with a data card for each source.
//!
//! A source is read twice: once to see which rows stay and that none is an item of a suite, and again where its rows are
//! needed. Between the two a bit for each row is kept, so that a source may be larger than the memory. Rows that are sampled
//! from, and mixtures of them, are held in memory.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use temper_data::hub::HubFiles;
use temper_data::mix::{Length, Mixture, Part, Unit};
use temper_data::split::Splitter;
use temper_data::{
    CardFile, Cleaned, Cleaner, DataCard, DataError, EncodeReport, Encoding, EvalIndex, Firewall, LeakIndex, Row, Rows,
    TokenWriter, Tokens, Transformer,
};
use temper_recipe::{Check, DataSource, Location, Mix, MixBy, MixUntil, Side};
use temper_text::Tokenizer;

use crate::error::RunError;
use crate::sources::Sources;

/// Rows that are cleaned at a time.
const BATCH: usize = 512;

/// One entry of a recipe's `data`, read and checked.
pub struct Dataset {
    /// Its card, without the encodings.
    pub card: DataCard,
    parts: Vec<Entry>,
    mix: Option<Mix>,
    rows: Option<usize>,
}

/// One source and which of its rows stay.
struct Entry {
    name: String,
    source: DataSource,
    chat: bool,
    /// Rows of the lab.
    held: Option<Vec<Row>>,
    /// Files of the Hub.
    found: Option<HubFiles>,
    /// Which of the rows that the source gives stay; empty where all do (`held`).
    stays: Vec<bool>,
    count: usize,
}

/// What training rows are held against: the suites by name, with their items.
pub struct HeldOut<'a> {
    suites: Vec<(&'a str, &'a [Row])>,
}

impl<'a> HeldOut<'a> {
    /// The items of these suites.
    pub fn new(suites: Vec<(&'a str, &'a [Row])>) -> Self {
        Self { suites }
    }
}

impl Dataset {
    /// Reads the source `name`: its rows once, cleaned and split as it says, and held against the items of every suite.
    /// `chat` is whether the model has a chat template.
    ///
    /// # Errors
    /// The first row that is not what was promised; no row that stays; a training row that is a suite's item.
    pub fn read(
        name: &str,
        all: &IndexMap<String, DataSource>,
        sources: &Sources,
        held_out: &HeldOut,
        chat: bool,
    ) -> Result<Self, RunError> {
        let Some(source) = all.get(name) else {
            return Err(RunError::Other(format!("there is no data source `{name}`. Name an entry of `data`")));
        };
        let mut card = DataCard { name: name.to_owned(), source: source.clone(), ..DataCard::default() };
        let names: Vec<&str> = match &source.mix {
            Some(mix) => mix.of.keys().map(String::as_str).collect(),
            None => vec![name],
        };
        // What the whole mixture leaves out, after what each entry does.
        let index = temper_data::eval_index(&source.clean, &held_out.suites);
        let mut outer = match &source.mix {
            Some(_) => Some(Cleaner::new(&source.clean, Some(&index)).map_err(|e| setting(name, &e))?),
            None => None,
        };
        let mut walls: Vec<LeakIndex> = held_out.suites.iter().map(|(_, items)| LeakIndex::of_rows(items)).collect();
        let mut parts = Vec::with_capacity(names.len());
        for entry in names {
            let Some(source) = all.get(entry) else { continue };
            parts.push(Entry::read(entry, source, sources, held_out, &mut outer, &mut walls, &mut card, chat)?);
        }
        if let Some(outer) = outer {
            merge(&mut card.cleaned, outer.finish());
        }
        for (wall, (suite, items)) in walls.into_iter().zip(&held_out.suites) {
            card.firewall.push(Firewall::of(suite, items.len(), &wall.finish()));
        }
        let rows = if source.mix.is_some() { source.rows } else { None };
        let made = Self { card, parts, mix: source.mix.clone(), rows };
        if made.parts.iter().all(|part| part.count == 0) {
            return Err(RunError::Other(format!(
                "{}: no row is left after `filter`, `skip`, `rows`, `clean` and `part`. Loosen them, or check the field names",
                if source.path.is_empty() { name } else { &source.path }
            )));
        }
        Ok(made)
    }

    /// Rows that stay, of all entries.
    pub fn count(&self) -> usize {
        self.parts.iter().map(|part| part.count).sum()
    }

    /// Checks that warn instead of stopping, of the source and the entries that it mixes.
    pub fn allow(&self) -> Vec<Check> {
        let parts = self.parts.iter().flat_map(|part| &part.source.allow);
        self.card.source.allow.iter().chain(parts).copied().collect()
    }

    /// The rows that stay, of all entries one after another.
    ///
    /// # Errors
    /// A file that changed since it was read.
    pub fn rows(&self) -> Result<Vec<Row>, RunError> {
        let mut out = Vec::with_capacity(self.count());
        for part in &self.parts {
            out.extend(part.rows()?.collect::<Result<Vec<Row>, DataError>>()?);
        }
        Ok(out)
    }

    /// All rows in memory; of a mixture as many and in the order that it says. `tokenizer` counts a mixture's tokens.
    ///
    /// # Errors
    /// A file that changed since it was read; a mixture that cannot be made.
    pub fn hold(&mut self, tokenizer: &Tokenizer) -> Result<Vec<Row>, RunError> {
        let Some(mix) = self.mix.clone() else {
            return self.rows();
        };
        let mut held = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            held.push(part.rows()?.collect::<Result<Vec<Row>, DataError>>()?);
        }
        let tokens = |rows: &Vec<Row>| -> Result<u64, RunError> {
            let mut sum = 0;
            for row in rows {
                sum += tokenizer.encode_prompt(&row.prompt)?.ids.len() as u64;
                sum += tokenizer.encode(&row.said(), false)?.len() as u64;
            }
            Ok(sum)
        };
        let counts = held
            .iter()
            .map(|rows| Ok((rows.len() as u64, if counts_tokens(&mix) { Some(tokens(rows)?) } else { None })))
            .collect::<Result<Vec<_>, RunError>>()?;
        let mixture = self.mixture(&mix, &counts)?;
        let row = |pick: temper_data::mix::Pick| {
            let mut row = held[pick.source][pick.row as usize].clone();
            row.id = format!("{}/{}", self.parts[pick.source].name, row.id);
            if pick.epoch > 0 {
                row.id += &format!("#{}", pick.epoch + 1);
            }
            row
        };
        let rows = mixture.starting_at(0).map(row).collect();
        self.card.mixture = mixture.summary();
        Ok(rows)
    }

    /// The rows as training examples, with what the checks found; a file for them, if they are many, is made in `folder`.
    ///
    /// # Errors
    /// What a check found that stops a run; as [`hold`](Self::hold).
    pub fn encode(&mut self, encoding: &Encoding, folder: &Path) -> Result<(Tokens, EncodeReport), RunError> {
        let mut allow = encoding.allow.to_vec();
        allow.extend(self.allow());
        let encoding = Encoding { allow: &allow, ..encoding.clone() };
        let (mut writer, mut report) = (TokenWriter::new(folder), EncodeReport::default());
        // For each entry its rows' examples, and its tokens.
        let mut counted: Vec<(Vec<std::ops::Range<u32>>, u64)> = Vec::new();
        let mut examples = 0u32;
        for part in &self.parts {
            let (mut ranges, mut tokens) = (Vec::new(), 0);
            temper_data::encode_each(part.rows()?, &encoding, |item| -> Result<(), RunError> {
                let (row, encoded) = item?;
                report.add(&row, &encoded, encoding.allow);
                let from = examples;
                for example in encoded.examples {
                    tokens += example.ids.len() as u64;
                    examples += 1;
                    writer.push(&example.into(), &row.file, row.line)?;
                }
                ranges.push(from..examples);
                Ok(())
            })?;
            counted.push((ranges, tokens));
        }
        report.stop(&self.card.name)?;
        let mut tokens = writer.finish()?;
        if let Some(mix) = self.mix.clone() {
            let counts: Vec<_> = counted.iter().map(|(ranges, tokens)| (ranges.len() as u64, Some(*tokens))).collect();
            let mixture = self.mixture(&mix, &counts)?;
            let picked = mixture.starting_at(0).flat_map(|pick| counted[pick.source].0[pick.row as usize].clone());
            tokens = tokens.select(picked.collect());
            self.card.mixture = mixture.summary();
        }
        Ok((tokens, report))
    }

    fn mixture(&self, mix: &Mix, counts: &[(u64, Option<u64>)]) -> Result<Mixture, RunError> {
        let unit = if mix.by == MixBy::Tokens { Unit::Tokens } else { Unit::Rows };
        let parts: Vec<Part> = mix
            .of
            .iter()
            .zip(counts)
            .map(|((name, part), (rows, tokens))| {
                let size = if unit == Unit::Tokens { tokens.unwrap_or(*rows) } else { *rows };
                Part {
                    tokens: *tokens,
                    max_rows: part.max_rows,
                    max_epochs: part.max_epochs,
                    ..Part::new(name, *rows, part.weight.unwrap_or(size as f64))
                }
            })
            .collect();
        let length = match (self.rows, mix.tokens, mix.until) {
            (Some(rows), _, _) => Length::Rows(rows as u64),
            (None, Some(tokens), _) => Length::Tokens(tokens),
            (None, None, MixUntil::First) => Length::FirstExhausted,
            (None, None, MixUntil::Last) => Length::LastExhausted,
        };
        Mixture::new(&parts, unit, length, mix.seed).map_err(|e| setting(&self.card.name, &e))
    }
}

fn counts_tokens(mix: &Mix) -> bool {
    mix.by == MixBy::Tokens || mix.tokens.is_some()
}

fn setting(name: &str, error: &temper_data::SettingError) -> RunError {
    RunError::Other(format!("data.{name}: {error}"))
}

/// Adds what another cleaner did after the first.
fn merge(cleaned: &mut Cleaned, later: Cleaned) {
    cleaned.removed.extend(later.removed.into_iter().map(|mut rule| {
        rule.rule = format!("{} (over the mixture)", rule.rule);
        rule
    }));
    cleaned.kept = later.kept;
    cleaned.overlaps.extend(later.overlaps);
}

impl Entry {
    #[allow(clippy::too_many_arguments)]
    fn read(
        name: &str,
        source: &DataSource,
        sources: &Sources,
        held_out: &HeldOut,
        outer: &mut Option<Cleaner>,
        walls: &mut [LeakIndex],
        card: &mut DataCard,
        chat: bool,
    ) -> Result<Self, RunError> {
        let held = match source.location()? {
            Location::Lab(_) => Some(sources.given(source, chat)?),
            Location::File(_) | Location::Hub(_) => None,
        };
        let found = sources.hub(source)?;
        let mut entry =
            Self { name: name.to_owned(), source: source.clone(), chat, held, found, stays: Vec::new(), count: 0 };
        entry.whence(card)?;
        // A mixture counts the overlap over all of it.
        let index: Option<EvalIndex> = match (&outer, source.clean.decontaminate) {
            (Some(_), None) => None,
            _ => Some(temper_data::eval_index(&source.clean, &held_out.suites)),
        };
        let mut cleaner = Cleaner::new(&source.clean, index.as_ref()).map_err(|e| setting(name, &e))?;
        let split = match &source.part {
            None => None,
            Some(part) => Some(entry.split(part)?),
        };
        let (mut stays, mut count) = (Vec::new(), 0);
        let mut guises = source.transform.as_ref().map(Transformer::new);
        let mut rows = entry.raw()?;
        loop {
            let batch = rows.by_ref().take(BATCH).collect::<Result<Vec<Row>, DataError>>()?;
            if batch.is_empty() {
                break;
            }
            let places: Vec<(std::sync::Arc<str>, usize)> = batch.iter().map(|r| (r.file.clone(), r.line)).collect();
            let first = stays.len();
            let mine = match &split {
                None => batch,
                Some(mine) => {
                    let side = batch.into_iter().enumerate().filter(|(i, _)| mine[first + i]);
                    side.map(|(_, row)| row).collect()
                }
            };
            let mut kept = cleaner.keep(mine);
            if let Some(outer) = outer {
                kept = outer.keep(kept);
            }
            let mut left = kept.iter().peekable();
            for (file, line) in places {
                let stay = left.next_if(|row| row.file == file && row.line == line);
                if let Some(row) = stay {
                    let made = match &mut guises {
                        Some(guises) => guises.apply(row)?,
                        None => vec![row.clone()],
                    };
                    // What a row was before it was changed counts too.
                    if guises.is_some() {
                        for wall in walls.iter_mut() {
                            wall.check_row(count, row);
                        }
                    }
                    for row in &made {
                        card.add(row);
                        for wall in walls.iter_mut() {
                            wall.check_row(count, row);
                        }
                        count += 1;
                    }
                }
                stays.push(stay.is_some());
            }
        }
        card.notes.extend(rows.notes());
        card.notes.extend(guises.iter().flat_map(Transformer::notes).map(|note| format!("{name}: {note}")));
        drop(rows);
        merge_entry(&mut card.cleaned, cleaner.finish());
        (entry.stays, entry.count) = (stays, count);
        if let Some(part) = &source.part {
            let side = if part.take == Side::Train { "what is not held out" } else { "what is held out" };
            card.part = Some(format!("{side}, with {:.1} % held out, seed {}", 100.0 * part.held_out, part.seed));
        }
        Ok(entry)
    }

    /// Which rows are on the side that the source takes.
    fn split(&self, part: &temper_recipe::Part) -> Result<Vec<bool>, RunError> {
        let parts = [("train", 1.0 - part.held_out), ("held_out", part.held_out)];
        let splitter = Splitter::new(&parts, part.seed).map_err(|e| setting(&self.name, &e))?;
        let mine = usize::from(part.take == Side::HeldOut);
        let rows = self.raw()?.collect::<Result<Vec<Row>, DataError>>();
        let sides = match (&part.stratify, part.clusters) {
            (Some(_), true) => {
                return Err(RunError::Other(format!(
                    "data.{}.part: `stratify` and `clusters` cannot both hold. Keep one of the two",
                    self.name
                )));
            }
            (None, false) => rows?.iter().map(|row| splitter.part(&row.id)).collect(),
            (Some(field), false) => {
                let rows = rows?;
                let strata: Vec<String> = rows
                    .iter()
                    .map(|row| {
                        row.fields.get(field).map(ToString::to_string).ok_or_else(|| {
                            RunError::Other(format!(
                                "{}: field `{field}`: the row has no such field. Correct `part.stratify`",
                                row.place()
                            ))
                        })
                    })
                    .collect::<Result<_, _>>()?;
                let keyed: Vec<(&str, &str)> =
                    rows.iter().zip(&strata).map(|(row, stratum)| (row.id.as_str(), stratum.as_str())).collect();
                splitter.stratified(&keyed)
            }
            (None, true) => {
                let rows = rows?;
                let texts: Vec<String> = rows.iter().map(|row| row.prompt.display()).collect();
                let clusters = temper_data::clusters(&texts, self.source.clean.similarity);
                let keyed: Vec<(&str, usize)> =
                    rows.iter().zip(clusters).map(|(row, c)| (row.id.as_str(), c)).collect();
                splitter.clustered(&keyed)
            }
        };
        Ok(sides.into_iter().map(|side| side == mine).collect())
    }

    /// Files with digests, and what is known of the licence.
    fn whence(&self, card: &mut DataCard) -> Result<(), RunError> {
        if let Some(found) = &self.found {
            card.repository = Some(format!("{} at commit {}", found.repository, found.revision));
            card.licence = found.license.as_ref().map(|licence| format!("{licence} (README.md of the repository)"));
        }
        let Raw::Files(rows) = self.raw()? else {
            card.licence = Some("Apache-2.0 (generated by Temper's lab)".into());
            return Ok(());
        };
        for file in rows.files() {
            if card.licence.is_none() {
                card.licence = temper_data::licence_beside(&file);
            }
            card.files.push(CardFile::of(&file)?);
        }
        Ok(())
    }

    /// Every row that the source gives.
    fn raw(&self) -> Result<Raw<'_>, DataError> {
        Ok(match (&self.held, &self.found) {
            (Some(rows), _) => Raw::Held(rows.iter()),
            (None, Some(found)) => Raw::Files(Box::new(Rows::of_hub(&self.source, found, self.chat)?)),
            (None, None) => Raw::Files(Box::new(Rows::open(&self.source, self.chat)?)),
        })
    }

    /// The rows that stay.
    fn rows(&self) -> Result<impl Iterator<Item = Result<Row, DataError>> + '_, DataError> {
        let stays = self.stays.iter().copied();
        let changed = {
            let file = self.source.path.clone();
            move || DataError {
                file,
                line: None,
                field: None,
                what: "the file has other rows than when the run began".into(),
                remedy: "Leave the data as it is while a run reads it, and start again".into(),
            }
        };
        let mut changed = Some(changed);
        let mut stays = stays.fuse();
        let stay = self.raw()?.filter_map(move |row| match (row, stays.next()) {
            (Err(error), _) => Some(Err(error)),
            (Ok(row), Some(true)) => Some(Ok(row)),
            (Ok(_), Some(false)) => None,
            (Ok(_), None) => changed.take().map(|error| Err(error())),
        });
        let mut guises = self.source.transform.as_ref().map(Transformer::new);
        Ok(stay.flat_map(move |row| match (row, &mut guises) {
            (Ok(row), Some(guises)) => match guises.apply(&row) {
                Ok(made) => made.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            },
            (row, _) => vec![row],
        }))
    }
}

/// Rows as the source gives them.
enum Raw<'a> {
    Held(std::slice::Iter<'a, Row>),
    Files(Box<Rows>),
}

impl Raw<'_> {
    fn notes(&self) -> Vec<String> {
        match self {
            Self::Held(_) => Vec::new(),
            Self::Files(rows) => rows.notes().to_vec(),
        }
    }
}

impl Iterator for Raw<'_> {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Held(rows) => rows.next().cloned().map(Ok),
            Self::Files(rows) => rows.next(),
        }
    }
}

fn merge_entry(cleaned: &mut Cleaned, entry: Cleaned) {
    cleaned.seen += entry.seen;
    cleaned.kept += entry.kept;
    cleaned.removed.extend(entry.removed);
    cleaned.overlaps.extend(entry.overlaps);
}

/// Where a file of tokens may be made: the nearest folder of `out` that is there, else the system's.
pub fn scratch(out: &str) -> PathBuf {
    let here = Path::new(out).ancestors().find(|folder| folder.is_dir() && !folder.as_os_str().is_empty());
    here.map_or_else(
        || if Path::new(out).is_relative() { PathBuf::from(".") } else { std::env::temp_dir() },
        Path::to_owned,
    )
}
