//! `temper data mix`: several sources in one file, by weights.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use temper_data::mix::{Length, Mixture, Part, Taken, Unit};
use temper_data::{Row, Writer};
use temper_recipe::{Clean, Columns, DataSource, Lab, Location, Mix, MixBy, MixPart, MixUntil, Recipe};
use temper_run::Sources;
use temper_text::Tokenizer;

use super::convert::{Lost, messages};
use super::source::Stream;
use super::table::{bytes, percent, table};
use crate::args::{MixArgs, MixEnd, MixUnit, WrittenAs};
use crate::error::CliError;
use crate::{commands, interrupt};

/// Rows whose tokens are counted at a time.
const BATCH: usize = 512;

/// What is mixed.
struct Plan {
    mix: Mix,
    rows: Option<u64>,
    sources: IndexMap<String, DataSource>,
    lab: Lab,
    /// The recipe's model.
    model: Option<String>,
}

/// Writes the mixture.
pub fn mix(args: &MixArgs) -> Result<ExitCode, CliError> {
    let plan = match (&args.recipe, &args.data) {
        (Some(file), Some(name)) => of_recipe(&Recipe::load(file, &args.set)?, name)?,
        _ => of_arguments(args)?,
    };
    interrupt::leave_nothing()?;
    let mut writer = Writer::create(&args.out)?;
    let lab = Sources::new(&plan.lab);
    let tokenizer = match counts_tokens(&plan.mix) {
        false => None,
        true => {
            let model = args.model.as_ref().or(plan.model.as_ref());
            let model =
                model.ok_or_else(|| CliError::message("--model: name the model whose tokenizer counts tokens"))?;
            Some(temper_run::tokenizer(model, &lab)?)
        }
    };
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What a recipe says of its sources (a template, a system message) is in the parts of a row, not in its fields.
    let shape = args.shape.unwrap_or(if args.recipe.is_some() { WrittenAs::Trl } else { WrittenAs::Raw });
    let (mut spools, mut notes, mut lost) = (Vec::new(), Vec::new(), Lost::default());
    for (name, source) in &plan.sources {
        let mut spool = Spool::new(folder, name, &args.source_column)?;
        spool.fill(source, &lab, tokenizer.as_ref(), shape, &mut lost, &mut notes)?;
        spools.push(spool);
    }
    notes.extend(lost.counts.iter().map(|(what, rows)| format!("{rows} rows: {what}")));
    let mixture = planned(&plan, &spools, tokenizer.is_some())?;
    for pick in mixture.starting_at(0) {
        interrupt::check()?;
        writer.write(&spools[pick.source].row(pick.row as usize)?)?;
    }
    let written = writer.finish()?;
    let taken = mixture.summary();
    if args.json {
        commands::print_json(&json!({
            "out": args.out, "rows": written.rows, "bytes": written.bytes, "sources": taken, "notes": notes,
        }))?;
    } else {
        let mut out = shown(&taken);
        out += &format!("\n{} rows, {}: {}\n", written.rows, bytes(written.bytes), args.out.display());
        notes.iter().for_each(|note| out += &format!("  {note}\n"));
        commands::print(&out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(taken: &[Taken]) -> String {
    let line = |taken: &Taken| {
        vec![
            taken.name.clone(),
            taken.rows.to_string(),
            taken.usable.to_string(),
            taken.taken.to_string(),
            format!("{:.2}", taken.epochs),
            taken.tokens.map_or("—".into(), |tokens| tokens.to_string()),
            percent(taken.share_asked),
            percent(taken.share),
        ]
    };
    let headings = ["source", "rows", "usable", "taken", "epochs", "tokens", "share asked", "share"];
    table(&headings, &taken.iter().map(line).collect::<Vec<_>>())
}

fn counts_tokens(mix: &Mix) -> bool {
    mix.by == MixBy::Tokens || mix.tokens.is_some()
}

fn of_recipe(recipe: &Recipe, name: &str) -> Result<Plan, CliError> {
    let Some(entry) = recipe.data.get(name) else {
        let names: Vec<&str> = recipe.data.keys().map(String::as_str).collect();
        return Err(CliError::message(format!(
            "--data {name}: the recipe has no such entry; it has {}",
            names.join(", ")
        )));
    };
    let Some(mix) = &entry.mix else {
        return Err(CliError::message(format!(
            "--data {name}: this is one source, not a mixture. Name an entry with `mix`"
        )));
    };
    let mut sources = IndexMap::new();
    for part in mix.of.keys() {
        let source = recipe.data.get(part).cloned().unwrap_or_default();
        sources.insert(part.clone(), source);
    }
    let whole = std::iter::once((name, entry)).chain(sources.iter().map(|(name, source)| (name.as_str(), source)));
    for (name, source) in whole {
        if source.clean != Clean::default() || source.part.is_some() {
            return Err(CliError::message(format!(
                "data.{name}: `clean` and `part` are done in a run, not here. Write the rows with `temper data decontaminate` \
                 and `temper data split` first, or take them out with --set"
            )));
        }
    }
    Ok(Plan {
        mix: mix.clone(),
        rows: entry.rows.map(|rows| rows as u64),
        sources,
        lab: recipe.lab.clone(),
        model: Some(recipe.model.path.clone()),
    })
}

fn of_arguments(args: &MixArgs) -> Result<Plan, CliError> {
    let mut mix = Mix {
        by: if args.by == Some(MixUnit::Tokens) { MixBy::Tokens } else { MixBy::Rows },
        tokens: args.tokens,
        until: if args.until == Some(MixEnd::Last) { MixUntil::Last } else { MixUntil::First },
        seed: args.seed.unwrap_or_default(),
        ..Mix::default()
    };
    let mut sources = IndexMap::new();
    for text in &args.parts {
        let (name, path, part, columns) = part(text)?;
        if mix.of.insert(name.to_owned(), part).is_some() {
            return Err(CliError::message(format!(
                "{text}: there is a source `{name}` already. Give each its own name"
            )));
        }
        sources.insert(name.to_owned(), DataSource::parse(path, &Columns::parse(&columns)?, &[])?);
    }
    Ok(Plan { mix, rows: args.rows, sources, lab: Lab::default(), model: None })
}

/// `NAME=SOURCE[,weight=…][,max_rows=…][,max_epochs=…][,ROLE=COLUMN]…`: name, path, settings and columns.
fn part(text: &str) -> Result<(&str, &str, MixPart, Vec<&str>), CliError> {
    let form = "expected NAME=SOURCE, with ,weight=2 or ,max_rows=1000 or ,max_epochs=3 or ,prompt=COLUMN after it";
    let wrong = |what: String| CliError::message(format!("{text}: {what}"));
    let (name, mut path) = text.split_once('=').ok_or_else(|| wrong(form.into()))?;
    let (mut part, mut columns) = (MixPart::default(), Vec::new());
    while let Some((before, setting)) = path.rsplit_once(',') {
        let Some((key, value)) = setting.split_once('=') else { break };
        let number = || value.parse::<u64>().map_err(|_| wrong(format!("{key}: give a whole number, not {value:?}")));
        match key {
            "weight" => {
                let weight = value.parse::<f64>();
                part.weight = Some(weight.map_err(|_| wrong(format!("weight: give a number, not {value:?}")))?);
            }
            "max_rows" => part.max_rows = Some(number()?),
            "max_epochs" => part.max_epochs = Some(number()?),
            // Whether there is such a role is seen when the columns are read.
            _ => columns.push(setting),
        }
        path = before;
    }
    if name.is_empty() || path.is_empty() {
        return Err(wrong(form.into()));
    }
    Ok((name, path, part, columns))
}

/// As a run plans it.
fn planned(plan: &Plan, spools: &[Spool], counted: bool) -> Result<Mixture, CliError> {
    let unit = if plan.mix.by == MixBy::Tokens { Unit::Tokens } else { Unit::Rows };
    let parts: Vec<Part> = plan
        .mix
        .of
        .iter()
        .zip(spools)
        .map(|((name, part), spool)| {
            let rows = spool.ends.len() as u64;
            let size = if unit == Unit::Tokens { spool.tokens } else { rows };
            Part {
                tokens: counted.then_some(spool.tokens),
                max_rows: part.max_rows,
                max_epochs: part.max_epochs,
                ..Part::new(name, rows, part.weight.unwrap_or(size as f64))
            }
        })
        .collect();
    let length = match (plan.rows, plan.mix.tokens, plan.mix.until) {
        (Some(rows), _, _) => Length::Rows(rows),
        (None, Some(tokens), _) => Length::Tokens(tokens),
        (None, None, MixUntil::First) => Length::FirstExhausted,
        (None, None, MixUntil::Last) => Length::LastExhausted,
    };
    Mixture::new(&parts, unit, length, plan.mix.seed).map_err(|e| CliError::message(e.to_string()))
}

/// The rows of a source, as they will be written, in a file without a name, so that any of them can be had again.
struct Spool<'a> {
    name: &'a str,
    /// The column that gets the name.
    column: &'a str,
    file: BufWriter<File>,
    /// Where each row ends.
    ends: Vec<u64>,
    tokens: u64,
    folder: PathBuf,
    line: Vec<u8>,
}

impl<'a> Spool<'a> {
    fn new(folder: &Path, name: &'a str, column: &'a str) -> Result<Self, CliError> {
        let file = tempfile::tempfile_in(folder).map_err(|e| CliError::io(folder, e))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { name, column, file, ends: Vec::new(), tokens: 0, folder: folder.to_owned(), line: Vec::new() })
    }

    fn fill(
        &mut self,
        source: &DataSource,
        lab: &Sources,
        tokenizer: Option<&Tokenizer>,
        shape: WrittenAs,
        lost: &mut Lost,
        notes: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let chat = tokenizer.is_some_and(Tokenizer::has_chat_template);
        let mut rows = match source.location()? {
            Location::Lab(_) => Stream::Lab(lab.rows(source, chat)?.into_iter()),
            _ => Stream::Files(Box::new(temper_data::Rows::open(source, chat)?)),
        };
        if let (None, WrittenAs::Raw) = (tokenizer, shape) {
            // Rows that nothing is made of need no shape.
            while let Some(fields) = rows.next_fields() {
                interrupt::check()?;
                self.push(fields?)?;
            }
        } else {
            let mut batch: Vec<Row> = Vec::with_capacity(BATCH);
            while let Some(item) = rows.next_with_fields() {
                interrupt::check()?;
                let (row, fields) = item?;
                self.push(match shape {
                    WrittenAs::Raw => fields,
                    WrittenAs::Trl => row.to_json(),
                    WrittenAs::Messages => messages(&row, lost)?,
                })?;
                batch.push(row);
                if batch.len() == BATCH {
                    self.count(tokenizer, &mut batch)?;
                }
            }
            self.count(tokenizer, &mut batch)?;
        }
        notes.extend(rows.notes().iter().cloned());
        self.file.flush().map_err(|e| CliError::io(&self.folder, e))
    }

    fn count(&mut self, tokenizer: Option<&Tokenizer>, batch: &mut Vec<Row>) -> Result<(), CliError> {
        if let Some(tokenizer) = tokenizer {
            let counts = batch.par_iter().map(|row| tokens(tokenizer, row)).collect::<Result<Vec<u64>, _>>()?;
            self.tokens += counts.iter().sum::<u64>();
        }
        batch.clear();
        Ok(())
    }

    fn push(&mut self, mut fields: Map<String, Value>) -> Result<(), CliError> {
        if fields.insert(self.column.to_owned(), Value::from(self.name)).is_some() {
            return Err(CliError::message(format!(
                "row {} of `{}` has a field `{}`, which would be lost. Choose another name with --source-column",
                self.ends.len() + 1,
                self.name,
                self.column
            )));
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, &fields)
            .map_err(|e| CliError::message(format!("a row cannot be turned into JSON: {e}")))?;
        self.file.write_all(&self.line).map_err(|e| CliError::io(&self.folder, e))?;
        self.ends.push(self.ends.last().copied().unwrap_or(0) + self.line.len() as u64);
        Ok(())
    }

    fn row(&mut self, number: usize) -> Result<Map<String, Value>, CliError> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        let mut line = vec![0; (self.ends[number] - start) as usize];
        let file = self.file.get_mut();
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut line));
        read.map_err(|e| CliError::io(&self.folder, e))?;
        serde_json::from_slice(&line).map_err(|e| CliError::message(format!("a kept row cannot be read again: {e}")))
    }
}

/// Tokens of prompt and completion, as a run counts them.
fn tokens(tokenizer: &Tokenizer, row: &Row) -> Result<u64, CliError> {
    let at = |e: &dyn std::fmt::Display| commands::at(&row.place(), e);
    let prompt = tokenizer.encode_prompt(&row.prompt).map_err(|e| at(&e))?.ids.len();
    let said = tokenizer.encode(&row.said(), false).map_err(|e| at(&e))?.len();
    Ok((prompt + said) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_with_its_settings() {
        let (name, path, settings, columns) = part("a=x,y.jsonl,weight=2.5,prompt=question,max_rows=10").unwrap();
        assert_eq!((name, path, columns), ("a", "x,y.jsonl", vec!["prompt=question"]));
        assert_eq!((settings.weight, settings.max_rows, settings.max_epochs), (Some(2.5), Some(10), None));
        let (_, path, _, _) = part("a=d/{b,c}.jsonl").unwrap();
        assert_eq!(path, "d/{b,c}.jsonl");
        let error = |text: &str| part(text).err().unwrap().to_string();
        assert!(error("x.jsonl").contains("NAME=SOURCE"));
        assert!(error("a=x,max_rows=-1").contains("whole number"));
    }
}
