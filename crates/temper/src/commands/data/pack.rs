//! `temper data pack`: rows to full batches of tokens, in a file.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use temper_data::{CardEncoding, DataError, Finding, Row, Severity, pack_each};
use temper_engine::peak_memory_bytes;

use super::decontaminate::{json_text, write_text};
use super::records;
use super::source::Source;
use super::table::{bytes, percent};
use crate::args::PackArgs;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Tokenises, packs and writes the rows.
pub fn pack(args: &PackArgs) -> Result<ExitCode, CliError> {
    let begun = Instant::now();
    let mut source = Source::open(&args.source)?;
    source.limit(0, args.rows);
    let Some(limit) = args.batch_tokens.or(source.learning.max_length) else {
        return Err(CliError::message("--max-length or --batch-tokens: say how many tokens a packed batch has"));
    };
    // Nothing longer than a batch goes into one.
    let longest = source.learning.max_length.map_or(limit, |length| length.min(limit));
    if longest < 2 {
        return Err(CliError::message("--batch-tokens: a row has at least 2 tokens, one given and one learned"));
    }
    source.learning.max_length = Some(longest);
    let Some(encoding) = source.encoding() else {
        return Err(CliError::message("--model: name the model whose tokenizer and chat template are used"));
    };
    let about = temper_data::tokenizer_findings(encoding.tokenizer, source.chat(), encoding.allow);
    if let Some(stop) = about.iter().find(|finding| finding.severity == Severity::Stop) {
        return Err(CliError::message(stop.to_string()));
    }
    commands::check_empty(&args.out)?;
    interrupt::leave_nothing()?;
    std::fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e))?;
    let file = args.out.join("train.parquet");
    let tidy = || {
        // Only where it is empty.
        let _ = std::fs::remove_dir(&args.out);
    };
    let mut rows = source.rows().inspect_err(|_| tidy())?;
    let files = rows.files();
    let mut card = records::card(&source, &files).inspect_err(|_| tidy())?;
    let each = |row: Result<&Row, &DataError>| -> Result<(), CliError> {
        if let Ok(row) = row {
            card.add(row);
        }
        interrupt::check()
    };
    let packed = pack_each(&mut rows, &encoding, limit, &file, &source.name, each).inspect_err(|_| tidy())?;
    let (packed, report) = packed;
    let settings =
        format!("loss_on {}, longest {longest}, packed into batches of {limit}", source.learning.loss_on.name());
    card.encodings.push(CardEncoding::of(settings, &report, &packed.digest));
    card.notes = rows.notes().to_vec();
    write_text(&args.out.join("README.md"), &card.markdown())?;
    write_text(&args.out.join("card.json"), &json_text(&card)?)?;

    let seconds = begun.elapsed().as_secs_f64();
    let (read, peak) = (records::size(&source, &files), peak_memory_bytes());
    let findings: Vec<Finding> = about.into_iter().chain(report.findings()).collect();
    if args.source.json {
        commands::print_json(&json!({
            "source": source.name, "out": args.out, "rows": report.rows, "examples": report.examples,
            "tokens": report.tokens, "targets": report.targets, "batches": packed.batches, "batch_tokens": limit,
            "fill_rate": packed.fill_rate, "cut": report.cut, "dropped": report.dropped, "digest": packed.digest,
            "bytes_in": read, "bytes_out": packed.bytes, "seconds": seconds,
            "rows_per_second": report.rows as f64 / seconds, "bytes_per_second": read.map(|read| read as f64 / seconds),
            "peak_memory_bytes": peak, "findings": findings,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = format!(
        "{} rows, {} examples, {} tokens, {} of them learned\n{} batches of {limit} tokens, {} full: {} ({})\n",
        report.rows,
        report.examples,
        report.tokens,
        report.targets,
        packed.batches,
        percent(packed.fill_rate),
        file.display(),
        bytes(packed.bytes),
    );
    out += &format!(
        "{seconds:.1} s: {:.0} rows/s, {}{:.0} tokens/s, peak memory {}\n",
        report.rows as f64 / seconds,
        read.map_or(String::new(), |read| format!("{:.1} MB/s, ", read as f64 / 1e6 / seconds)),
        report.tokens as f64 / seconds,
        bytes(peak)
    );
    findings.iter().for_each(|finding| out += &format!("  {finding}\n"));
    rows.notes().iter().chain(&source.not_applied()).for_each(|note| out += &format!("  {note}\n"));
    commands::print(&out)?;
    Ok(ExitCode::SUCCESS)
}
