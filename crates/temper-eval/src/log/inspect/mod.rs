//! Inspect's `.eval`: a ZIP archive with a header, summaries and one JSON file per sample, as `inspect view` and
//! `inspect_ai.log.read_eval_log` open it.
//!
//! What Temper writes reads back as it was, exactly: what a sample has no field for lies in its metadata under `temper`. What
//! others wrote is read as far as it is a prompt, a completion and scores.

mod completion;
mod extras;
mod read;
mod results;
mod sample;
mod score;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// Key of Temper's part in the metadata of headers, samples and scores.
const OURS: &str = "temper";
/// Folder of the samples in the archive.
const SAMPLES: &str = "samples/";
const HEADER: &str = "header.json";
const START: &str = "_journal/start.json";
const SUMMARIES: &str = "summaries.json";
const REDUCTIONS: &str = "reductions.json";

/// Name of a sample's entry.
fn entry(id: &str, epoch: usize) -> String {
    // A name ends at a NUL for some readers.
    format!("{SAMPLES}{}_epoch_{epoch}.json", id.replace('\0', "\u{fffd}"))
}

#[cfg(test)]
mod tests;
