//! `temper data split`: rows to train on and rows to hold out.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};
use temper_data::split::Splitter;
use temper_data::{Clusters, DataError, Leak, LeakIndex, Row, Writer};

use super::source::Source;
use super::table::{bytes, percent, table};
use crate::args::SplitArgs;
use crate::error::CliError;
use crate::{commands, interrupt};

/// The sides, in the order of the split's parts.
const SIDES: [&str; 2] = ["train", "held_out"];
/// Leaks that are shown.
const SHOWN: usize = 5;
/// Rows of which clusters are made at a time.
const BATCH: usize = 512;

/// Where every row goes.
enum Sides {
    /// By the row's id alone.
    Drawn,
    /// By its position: side, and the name of its stratum.
    Listed { sides: Vec<usize>, strata: Vec<u32>, names: Vec<String> },
}

/// How rows hang together.
struct Grouped {
    clusters: usize,
    largest: usize,
}

/// Writes both sides. Exit code 1 when a near duplicate is on both though clusters were to stay whole.
pub fn split(args: &SplitArgs) -> Result<ExitCode, CliError> {
    if !(args.held_out > 0.0 && args.held_out < 1.0) {
        return Err(CliError::message(format!(
            "--held-out {}: give a share between 0 and 1, such as 0.1",
            args.held_out
        )));
    }
    let source = Source::open(&args.source)?;
    commands::check_empty(&args.out)?;
    interrupt::leave_nothing()?;
    let parts = [(SIDES[0], 1.0 - args.held_out), (SIDES[1], args.held_out)];
    let splitter = Splitter::new(&parts, args.seed).map_err(|e| CliError::message(e.to_string()))?;
    let (sides, grouped) = match (&args.stratify, args.clusters) {
        (Some(column), _) => (stratified(&source, column, &splitter)?, None),
        (None, true) => clustered(&source, &splitter)?,
        (None, false) => (Sides::Drawn, None),
    };
    let made = std::fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e));
    let wrote = made.and_then(|()| write(args, &source, &splitter, &sides));
    if wrote.is_err() {
        // Only where it is empty.
        let _ = std::fs::remove_dir(&args.out);
    }
    let (counts, sizes, notes) = wrote?;
    let leaks = match grouped {
        Some(_) => Some(crossing(&source, &splitter, &sides)?),
        None => None,
    };
    let strata = by_stratum(&sides);
    let files = SIDES.map(|side| args.out.join(format!("{side}.{}", args.format)));
    let crossed = leaks.as_ref().is_some_and(|leaks| !leaks.is_empty());
    let code = if crossed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if args.source.json {
        let strata: BTreeMap<String, Value> = strata
            .iter()
            .map(|(name, [train, held])| (plain(name), json!({"train": train, "held_out": held})))
            .collect();
        commands::print_json(&json!({
            "source": source.name, "seed": args.seed, "train": {"file": files[0], "rows": counts[0]},
            "held_out": {"file": files[1], "rows": counts[1]}, "strata": strata,
            "clusters": grouped.as_ref().map(|g| g.clusters), "largest_cluster": grouped.as_ref().map(|g| g.largest),
            "leaks": leaks, "notes": notes, "not_applied": source.not_applied(),
        }))?;
        return Ok(code);
    }
    let all = (counts[0] + counts[1]).max(1) as f64;
    let line = |side: usize| {
        vec![
            SIDES[side].to_owned(),
            counts[side].to_string(),
            percent(counts[side] as f64 / all),
            bytes(sizes[side]),
            files[side].display().to_string(),
        ]
    };
    let mut out = table(&["side", "rows", "share", "size", "file"], &[line(0), line(1)]);
    if !strata.is_empty() {
        let line = |(name, [train, held]): (&&str, &[usize; 2])| {
            let share = *held as f64 / (train + held).max(1) as f64;
            vec![plain(name), train.to_string(), held.to_string(), percent(share)]
        };
        out += "\n";
        out +=
            &table(&["stratum", "train", "held out", "share held out"], &strata.iter().map(line).collect::<Vec<_>>());
    }
    if let (Some(grouped), Some(leaks)) = (grouped, leaks) {
        out += &format!("\n{} clusters, the largest of {} rows\n", grouped.clusters, grouped.largest);
        out += &crossing_text(&leaks, counts[1]);
    }
    notes.iter().chain(&source.not_applied()).for_each(|note| out += &format!("  {note}\n"));
    commands::print(&out)?;
    Ok(code)
}

fn crossing_text(leaks: &[Leak], held_out: usize) -> String {
    if leaks.is_empty() {
        return format!("none of the {held_out} held-out prompts is, or nearly is, a training prompt\n");
    }
    let mut out = format!(
        "{} of the {held_out} held-out prompts are, or nearly are, training prompts; a lower `--set clean.similarity=` makes \
         larger clusters:\n",
        leaks.len()
    );
    for leak in leaks.iter().take(SHOWN) {
        out += &format!("  {} and {} ({:?})\n", leak.held_out_place, leak.train_place, leak.kind);
    }
    out
}

/// Ids and strata of all rows, and the sides that follow.
fn stratified(source: &Source, column: &str, splitter: &Splitter) -> Result<Sides, CliError> {
    let (mut ids, mut strata, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    for row in source.rows()? {
        interrupt::check()?;
        let row = row?;
        let Some(value) = row.fields.get(column) else {
            let has: Vec<&str> = row.fields.keys().map(String::as_str).collect();
            return Err(CliError::message(format!(
                "{}: field `{column}`: the row has no such field; it has {}. Correct --stratify",
                row.place(),
                has.join(", ")
            )));
        };
        // As in a recipe's `part`, so that both give the same split.
        let name = value.to_string();
        let stratum = *known.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            names.len() as u32 - 1
        });
        ids.push(row.id);
        strata.push(stratum);
    }
    let keyed: Vec<(&str, &str)> =
        ids.iter().zip(&strata).map(|(id, stratum)| (id.as_str(), names[*stratum as usize].as_str())).collect();
    let sides = splitter.stratified(&keyed);
    Ok(Sides::Listed { sides, strata, names })
}

/// Clusters of the prompts of all rows, and the sides that follow.
fn clustered(source: &Source, splitter: &Splitter) -> Result<(Sides, Option<Grouped>), CliError> {
    let mut clusters = Clusters::new(source.source.clean.similarity);
    let mut ids = Vec::new();
    let mut rows = source.rows()?;
    loop {
        interrupt::check()?;
        let batch = rows.by_ref().take(BATCH).collect::<Result<Vec<Row>, DataError>>()?;
        if batch.is_empty() {
            break;
        }
        clusters.add_all(&batch.iter().map(|row| row.prompt.display()).collect::<Vec<_>>());
        ids.extend(batch.into_iter().map(|row| row.id));
    }
    let clusters = clusters.finish();
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    clusters.iter().for_each(|cluster| *sizes.entry(*cluster).or_default() += 1);
    let keyed: Vec<(&str, usize)> = ids.iter().map(String::as_str).zip(clusters).collect();
    let sides = splitter.clustered(&keyed);
    let grouped = Grouped { clusters: sizes.len(), largest: sizes.values().copied().max().unwrap_or(0) };
    Ok((Sides::Listed { sides, strata: Vec::new(), names: Vec::new() }, Some(grouped)))
}

impl Sides {
    fn of(&self, position: usize, row: &Row, splitter: &Splitter) -> Result<usize, CliError> {
        match self {
            Self::Drawn => Ok(splitter.part(&row.id)),
            Self::Listed { sides, .. } => sides.get(position).copied().ok_or_else(|| {
                CliError::message("the source has other rows than a moment ago. Leave it as it is, and start again")
            }),
        }
    }
}

type Wrote = ([usize; 2], [u64; 2], Vec<String>);

/// Writes both files; counts and sizes by side, and what reading had to say.
fn write(args: &SplitArgs, source: &Source, splitter: &Splitter, sides: &Sides) -> Result<Wrote, CliError> {
    let file = |side: usize| args.out.join(format!("{}.{}", SIDES[side], args.format));
    let mut writers = [Writer::create(&file(0))?, Writer::create(&file(1))?];
    let mut counts = [0; 2];
    let mut rows = source.rows()?;
    let mut position = 0;
    while let Some(item) = rows.next_with_fields() {
        interrupt::check()?;
        let (row, fields) = item?;
        let side = sides.of(position, &row, splitter)?;
        writers[side].write(&fields)?;
        counts[side] += 1;
        position += 1;
    }
    if let Some(empty) = counts.iter().position(|count| *count == 0) {
        return Err(CliError::message(format!(
            "of {position} rows none is on the side `{}`. Give more rows, another share, or another --seed",
            SIDES[empty]
        )));
    }
    let [train, held_out] = writers;
    let first = train.finish()?;
    let second = held_out.finish().inspect_err(|_| {
        let _ = std::fs::remove_file(file(0));
    })?;
    Ok((counts, [first.bytes, second.bytes], rows.notes().to_vec()))
}

/// Held-out prompts that are, or nearly are, training prompts.
fn crossing(source: &Source, splitter: &Splitter, sides: &Sides) -> Result<Vec<Leak>, CliError> {
    let on = |side: usize| -> Result<_, CliError> {
        let rows = source.rows()?.enumerate();
        Ok(rows.filter_map(move |(position, row)| match row {
            Err(error) => Some(Err(CliError::from(error))),
            Ok(row) => match sides.of(position, &row, splitter) {
                Err(error) => Some(Err(error)),
                Ok(found) => (found == side).then_some(Ok((position, row))),
            },
        }))
    };
    let held_out = on(1)?.map(|item| item.map(|(_, row)| row)).collect::<Result<Vec<Row>, CliError>>()?;
    let mut index = LeakIndex::of_rows(&held_out);
    drop(held_out);
    for item in on(0)? {
        interrupt::check()
            .map_err(|_| CliError::message("interrupted; both files are there, and were not compared"))?;
        let (position, row) = item?;
        index.check_row(position, &row);
    }
    Ok(index.finish())
}

/// A stratum's name without the quotes that a text has as JSON.
fn plain(name: &str) -> String {
    serde_json::from_str::<String>(name).unwrap_or_else(|_| name.to_owned())
}

fn by_stratum(sides: &Sides) -> BTreeMap<&str, [usize; 2]> {
    let mut out: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    if let Sides::Listed { sides, strata, names } = sides {
        for (side, stratum) in sides.iter().zip(strata) {
            out.entry(names[*stratum as usize].as_str()).or_default()[*side] += 1;
        }
    }
    out
}
