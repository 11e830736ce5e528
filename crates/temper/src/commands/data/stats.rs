//! `temper data stats`: what a source is like.

use std::process::ExitCode;

use serde_json::json;

use super::progress::Counter;
use super::source::Source;
use crate::args::StatsArgs;
use crate::commands;
use crate::error::CliError;

/// Counts and measures all rows.
pub fn stats(args: &StatsArgs) -> Result<ExitCode, CliError> {
    let mut source = Source::open(&args.source)?;
    source.limit(0, args.rows);
    let counter = Counter::new(&source.name);
    let encoding = source.encoding();
    let mut rows = source.rows()?;
    let stats = temper_data::stats(rows.by_ref(), encoding.as_ref(), args.batch_tokens as usize, |rows| {
        counter.set(rows);
        Ok::<(), CliError>(())
    })?;
    counter.end();
    let notes: Vec<String> = rows.notes().iter().cloned().chain(source.not_applied()).collect();
    if args.source.json {
        commands::print_json(&json!({
            "source": source.name, "model": source.model, "loss_on": source.learning.loss_on, "stats": stats, "notes": notes,
        }))?;
    } else {
        let mut text = format!("source      {}\n", source.name);
        text += &temper_report::render_stats(&stats, commands::look());
        for note in notes {
            text += &format!("\nnote: {note}\n");
        }
        commands::print(&text)?;
    }
    Ok(if stats.rows == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
