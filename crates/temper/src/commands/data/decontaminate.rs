//! `temper data decontaminate`: rows that held-out rows must not be among.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use temper_data::{
    Cleaned, Cleaner, DataCard, Firewall, Leak, LeakIndex, LeakKind, Removed, Row, Rows, Writer, eval_index,
};
use temper_recipe::{Clean, Columns, DataSource, Duplicates, Lab, Location};
use temper_run::Sources;

use super::records;
use super::source::{Source, Stream};
use super::table::table;
use crate::args::DecontaminateArgs;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Rows that are judged at a time.
const BATCH: usize = 512;
/// Pairs of a held-out row and a row that are shown.
const PAIRS: usize = 3;

/// A set of held-out rows and the rows that repeat one of them.
struct Wall {
    name: String,
    items: usize,
    index: LeakIndex,
    /// Rows that repeat an item.
    rows: usize,
}

/// What was found in one set.
#[derive(serde::Serialize)]
struct Found {
    /// Shared n-grams.
    overlap: temper_data::Overlap,
    /// Items that are rows or nearly.
    leaks: Firewall,
    /// Rows that are items or nearly.
    leaking_rows: usize,
    /// The first leaks.
    examples: Vec<Leak>,
}

/// Reports what a source shares with held-out rows, and writes the rows that stay where a file is named.
pub fn decontaminate(args: &DecontaminateArgs) -> Result<ExitCode, CliError> {
    let source = Source::open(&args.source)?;
    let clean = rules(args, &source.source.clean)?;
    interrupt::leave_nothing()?;
    let held_out =
        args.against.iter().map(|path| items(path, &args.against_columns, &source)).collect::<Result<Vec<_>, _>>()?;
    let sets: Vec<(&str, &[Row])> =
        args.against.iter().map(String::as_str).zip(held_out.iter().map(Vec::as_slice)).collect();
    let index = eval_index(&clean, &sets);
    let mut walls: Vec<Wall> = sets
        .iter()
        .map(|(name, items)| Wall {
            name: (*name).to_owned(),
            items: items.len(),
            index: LeakIndex::of_rows(items),
            rows: 0,
        })
        .collect();
    let cleaner = Cleaner::new(&clean, Some(&index)).map_err(|e| CliError::message(e.to_string()))?;
    let mut rows = source.rows()?;
    let files = rows.files();
    let mut writer = args.out.as_deref().map(Writer::create).transpose()?;
    let mut card = match writer {
        Some(_) => records::card(&source, &files)?,
        None => DataCard::default(),
    };
    card.source.clean = clean;
    let cleaned = sift(&mut rows, cleaner, &mut walls, |row, fields| {
        card.add(row);
        writer.as_mut().map_or(Ok(()), |writer| writer.write(fields))
    })?;
    let found = found(&cleaned, walls);
    card.cleaned = cleaned;
    card.notes = rows.notes().to_vec();
    card.firewall = found.iter().map(|set| Firewall::of(&set.leaks.suite, set.leaks.items, &[])).collect();
    let written = match writer {
        None => None,
        Some(_) if card.cleaned.kept == 0 => {
            return Err(CliError::message(
                "no row is left; nothing was written. Loosen the rules, or see the report without --out",
            ));
        }
        Some(writer) => Some(writer.finish()?),
    };
    if let (Some(out), Some(_)) = (&args.out, &written) {
        write_text(&beside(out, "card.md"), &card.markdown())?;
        write_text(&beside(out, "card.json"), &json_text(&card)?)?;
    }
    let report = json!({
        "source": source.name, "rows": card.cleaned.seen, "kept": card.cleaned.kept, "sets": found,
        "removed": card.cleaned.removed, "out": args.out, "notes": card.notes,
    });
    if let Some(file) = &args.report {
        write_text(file, &json_text(&report)?)?;
    }
    if args.source.json {
        commands::print_json(&report)?;
    } else {
        commands::print(&shown(&source.name, &card, &found, args.out.as_deref()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules of the source with those of the command line.
fn rules(args: &DecontaminateArgs, clean: &Clean) -> Result<Clean, CliError> {
    let mut clean = Clean { decontaminate: Some(usize::from(args.ngram)), ..clean.clone() };
    match args.duplicates.as_deref() {
        None => {}
        Some("keep") => clean.duplicates = Duplicates::Keep,
        Some("exact") => clean.duplicates = Duplicates::Exact,
        Some("near") => clean.duplicates = Duplicates::Near,
        Some(other) => return Err(CliError::message(format!("--duplicates {other}: use exact, near or keep"))),
    }
    if let Some(similarity) = args.similarity {
        if !(0.3..=1.0).contains(&similarity) {
            return Err(CliError::message(format!("--similarity {similarity}: give a number from 0.3 to 1")));
        }
        if clean.duplicates != Duplicates::Near {
            return Err(CliError::message("--similarity is for near duplicates; add --duplicates near"));
        }
        clean.similarity = similarity;
    }
    if !args.languages.is_empty() {
        clean.languages.clone_from(&args.languages);
    }
    clean.min_chars = args.min_chars.or(clean.min_chars);
    clean.max_chars = args.max_chars.or(clean.max_chars);
    if let (Some(least), Some(most)) = (clean.min_chars, clean.max_chars)
        && least > most
    {
        return Err(CliError::message(format!(
            "--min-chars {least} is more than --max-chars {most}; no row would stay"
        )));
    }
    Ok(clean)
}

/// The rows of a held-out source.
fn items(path: &str, columns: &[String], source: &Source) -> Result<Vec<Row>, CliError> {
    let held_out = DataSource::parse(path, &Columns::parse(columns)?, &[])?;
    Ok(match held_out.location()? {
        Location::Lab(_) => Sources::new(&Lab::default()).rows(&held_out, source.chat())?,
        _ => Rows::open(&held_out, source.chat())?.collect::<Result<_, _>>()?,
    })
}

/// Gives the rows that stay to `keep`, with their fields.
fn sift(
    rows: &mut Stream,
    mut cleaner: Cleaner,
    walls: &mut [Wall],
    mut keep: impl FnMut(&Row, &Map<String, Value>) -> Result<(), temper_data::DataError>,
) -> Result<Cleaned, CliError> {
    let mut repeats = Removed::new("rows that are held-out rows, or nearly");
    let mut number = 0;
    loop {
        interrupt::check()?;
        let mut batch = Vec::with_capacity(BATCH);
        let mut rest: VecDeque<(Map<String, Value>, Option<String>)> = VecDeque::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(item) = rows.next_with_fields()
        {
            let (row, fields) = item?;
            rest.push_back((fields, repeated(&row, number, walls)));
            number += 1;
            batch.push(row);
        }
        if batch.is_empty() {
            break;
        }
        let places: Vec<(std::sync::Arc<str>, usize)> = batch.iter().map(|row| (row.file.clone(), row.line)).collect();
        let mut kept = cleaner.keep(batch).into_iter().peekable();
        for (file, line) in places {
            let Some((fields, why)) = rest.pop_front() else { break };
            let Some(row) = kept.next_if(|row| row.file == file && row.line == line) else { continue };
            let text = format!("{} {}", row.prompt.display(), row.said());
            if repeats.note(&row.place(), &text, why) {
                keep(&row, &fields)?;
            }
        }
    }
    let mut cleaned = cleaner.finish();
    cleaned.kept = repeats.kept();
    cleaned.removed.push(repeats);
    Ok(cleaned)
}

/// Why a row may not be trained on: the closest item of the first set that it repeats.
fn repeated(row: &Row, number: usize, walls: &mut [Wall]) -> Option<String> {
    let mut why = None;
    for wall in walls {
        let Some((item, kind)) = wall.index.check_row(number, row) else { continue };
        wall.rows += 1;
        why.get_or_insert_with(|| match kind {
            LeakKind::Exact => format!("the prompt of {item}"),
            LeakKind::Near(share) => format!("has {:.0} % of {item}", 100.0 * share),
            LeakKind::Edited(share) => format!("{:.0} % the words of {item}", 100.0 * share),
        });
    }
    why
}

fn found(cleaned: &Cleaned, walls: Vec<Wall>) -> Vec<Found> {
    let set = |(wall, overlap): (Wall, &temper_data::Overlap)| {
        let mut leaks = wall.index.finish();
        let firewall = Firewall::of(&wall.name, wall.items, &leaks);
        leaks.truncate(PAIRS);
        Found { overlap: overlap.clone(), leaks: firewall, leaking_rows: wall.rows, examples: leaks }
    };
    walls.into_iter().zip(&cleaned.overlaps).map(set).collect()
}

fn shown(name: &str, card: &DataCard, found: &[Found], out: Option<&Path>) -> String {
    let headings =
        ["held out", "items", "items touched", "rows touched", "same", "near", "edited", "rows that repeat one"];
    let lines: Vec<Vec<String>> = found
        .iter()
        .map(|set| {
            let counts = [
                set.overlap.items,
                set.overlap.items_touched,
                set.overlap.rows_touched,
                set.leaks.exact,
                set.leaks.near,
                set.leaks.edited,
                set.leaking_rows,
            ];
            std::iter::once(set.leaks.suite.clone()).chain(counts.iter().map(usize::to_string)).collect()
        })
        .collect();
    let n = found.first().map_or(0, |set| set.overlap.ngram);
    let mut text = format!("{name}: {} rows\n\n{}", card.cleaned.seen, table(&headings, &lines));
    text += &format!(
        "\ntouched: shares {n} words in a row. same, near, edited: items that are a row's prompt, that a row has in large part, \
         or that one repeats with a few words changed.\n"
    );
    for set in found {
        for example in set.overlap.examples.iter().take(PAIRS) {
            text += &format!("  {} and {}: {:?}\n", example.row, example.item, example.words);
        }
        for leak in &set.examples {
            text += &format!("  {} and {}: {}\n", leak.train_place, leak.held_out_place, alike(leak.kind));
        }
    }
    text.push('\n');
    let rules: Vec<Vec<String>> = card
        .cleaned
        .removed
        .iter()
        .map(|rule| vec![rule.rule.clone(), rule.count.to_string(), rule.seen.to_string()])
        .collect();
    text += &table(&["rule", "removed", "of"], &rules);
    for (rule, example) in
        card.cleaned.removed.iter().flat_map(|rule| rule.examples.iter().take(PAIRS).map(move |e| (rule, e)))
    {
        text += &format!("  {}: {}: {} ({})\n", rule.rule, example.place, example.excerpt, example.why);
    }
    card.notes.iter().for_each(|note| text += &format!("  {note}\n"));
    text += &match out {
        Some(out) => format!("\n{} rows stay: {}\n", card.cleaned.kept, out.display()),
        None => format!("\n{} rows would stay; --out FILE writes them.\n", card.cleaned.kept),
    };
    text
}

fn alike(kind: LeakKind) -> String {
    match kind {
        LeakKind::Exact => "the same prompt".into(),
        LeakKind::Near(share) => format!("{:.0} % of the item", 100.0 * share),
        LeakKind::Edited(share) => format!("edited, {:.0} % of the item's words", 100.0 * share),
    }
}

fn beside(out: &Path, extension: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Indented JSON with a line end.
pub fn json_text(value: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|e| CliError::message(format!("the result cannot be turned into JSON: {e}")))? + "\n")
}

/// Writes a text beside its place and renames it.
pub fn write_text(path: &Path, text: &str) -> Result<(), CliError> {
    commands::write_file(path, |out| out.write_all(text.as_bytes()).map_err(|e| CliError::io(path, e)))
}
