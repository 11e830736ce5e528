//! What a data source is, whence it comes and what was done to it.

use crate::error::Place;
use crate::{Cleaned, DataError, EncodeReport, Finding, Leak, LeakKind, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use temper_recipe::{DataSource, Shape};

/// Texts whose language is identified: the first of a source, then every 16th, every 256th, ….
const SAMPLED: usize = 2000;

/// Characters of a text that its language is told by.
const TOLD_BY: usize = 500;

/// The beginning of a text, enough to tell its language.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(TOLD_BY).map_or(text, |(end, _)| &text[..end])
}

/// The data card of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// The source's name in the recipe.
    pub name: String,
    /// The source as the recipe has it.
    pub source: DataSource,
    /// Its files, in the order in which they are read.
    pub files: Vec<CardFile>,
    /// Repository and revision, of a source on the Hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// What is said of the licence, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Rows that are used.
    pub rows: usize,
    /// How they were understood, with counts.
    pub shapes: BTreeMap<Shape, usize>,
    /// Characters of prompts and completions.
    pub characters: u64,
    /// Languages of a sample of the completions (of the requests, where there are none), with counts.
    pub languages: BTreeMap<String, usize>,
    /// What cleaning removed, and what is shared with evaluation sets.
    pub cleaned: Cleaned,
    /// What a split held back or took, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Of a mixture, what it took of each entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixture: Vec<crate::mix::Taken>,
    /// What the firewall found, one entry per suite.
    pub firewall: Vec<Firewall>,
    /// How the rows were tokenised, one entry per stage that trains on them.
    pub encodings: Vec<CardEncoding>,
    /// What reading changed or left out.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardFile {
    /// Its path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The firewall's evidence about one suite: how many of its items are, or nearly are, training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Firewall {
    /// The suite.
    pub suite: String,
    /// Its items.
    pub items: usize,
    /// Items whose prompt is that of a training row.
    pub exact: usize,
    /// Items that a training row holds in large part.
    pub near: usize,
    /// Items that a training row repeats with a few words changed.
    pub edited: usize,
    /// The first of them: item and training row.
    pub examples: Vec<(String, String)>,
}

/// One way in which the rows were tokenised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardEncoding {
    /// Which tokens are learned, and the longest length.
    pub settings: String,
    /// Examples.
    pub examples: usize,
    /// Tokens.
    pub tokens: u64,
    /// Tokens that are learned.
    pub targets: u64,
    /// Warnings and notes of the checks.
    pub findings: Vec<String>,
    /// SHA-256 of ids and marks.
    pub digest: String,
}

impl Firewall {
    /// Counts the leaks into a suite of `items` items.
    pub fn of(suite: &str, items: usize, leaks: &[Leak]) -> Self {
        // The worst first.
        let mut examples: Vec<&Leak> = leaks.iter().collect();
        examples.sort_by_key(|leak| leak.kind != LeakKind::Exact);
        let count = |is: fn(&LeakKind) -> bool| leaks.iter().filter(|leak| is(&leak.kind)).count();
        Self {
            suite: suite.to_owned(),
            items,
            exact: count(|kind| matches!(kind, LeakKind::Exact)),
            near: count(|kind| matches!(kind, LeakKind::Near(_))),
            edited: count(|kind| matches!(kind, LeakKind::Edited(_))),
            examples: examples.iter().take(3).map(|l| (l.held_out_place.clone(), l.train_place.clone())).collect(),
        }
    }
}

impl CardEncoding {
    /// From the report of an encoding.
    pub fn of(settings: String, report: &EncodeReport, digest: &str) -> Self {
        Self {
            settings,
            examples: report.examples,
            tokens: report.tokens,
            targets: report.targets,
            findings: report.findings().iter().map(Finding::to_string).collect(),
            digest: digest.to_owned(),
        }
    }
}

impl CardFile {
    /// Size and digest of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let shown = path.display().to_string();
        let failed =
            |e: std::io::Error| Place::file(&shown).error(format!("cannot read the file: {e}"), "Check its rights");
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    hash.update(&buffer[..n]);
                    bytes += n as u64;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(e)),
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path: shown, bytes, sha256 })
    }
}

/// What a licence file beside a data file says in its first line.
pub fn licence_beside(file: &Path) -> Option<String> {
    let folder = file.parent()?;
    ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING"].iter().find_map(|name| {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        let line = text.lines().map(|line| line.trim().trim_start_matches('#').trim()).find(|line| !line.is_empty())?;
        Some(format!("{line} ({})", folder.join(name).display()))
    })
}

/// Whether the language of the row at this position is identified. The further on, the sparser: any number of rows costs at
/// most a few thousand identifications.
pub(crate) fn is_sampled(at: usize) -> bool {
    at.is_multiple_of(16usize.pow((at / SAMPLED).checked_ilog2().map_or(0, |log| log + 1).min(7)))
}

impl DataCard {
    /// Counts a row that is used.
    pub fn add(&mut self, row: &Row) {
        let at = self.rows;
        self.rows += 1;
        *self.shapes.entry(row.shape).or_default() += 1;
        let said = row.said();
        let request = row.prompt.request();
        self.characters += (row.prompt.display().chars().count() + said.chars().count()) as u64;
        if is_sampled(at) {
            let text = if said.trim().is_empty() { request } else { &said };
            let code = temper_text::language::identify(beginning(text)).map_or("none", |found| found.code);
            *self.languages.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// The card as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# Data: {}\n\n", self.name);
        let mut line = |what: &str, text: String| {
            if !text.is_empty() {
                let _ = writeln!(out, "- **{what}**: {text}");
            }
        };
        let counts = |map: &BTreeMap<String, usize>| {
            let mut sorted: Vec<(&String, &usize)> = map.iter().collect();
            sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            sorted.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        let shapes = self.shapes.iter().map(|(shape, count)| (shape.name().to_owned(), *count)).collect();
        line("what", format!("{} rows ({}), {} characters", self.rows, counts(&shapes), self.characters));
        line("whence", self.repository.clone().unwrap_or_else(|| self.source.path.clone()));
        line("licence", self.licence.clone().unwrap_or_else(|| "not stated".into()));
        let sampled: usize = self.languages.values().sum();
        line("languages", format!("{} (of {sampled} rows that were looked at)", counts(&self.languages)));
        let filters: Vec<String> = self.source.filter.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        line("filter", filters.join(", "));
        if self.source.skip > 0 || self.source.rows.is_some() {
            let rows = self.source.rows.map_or("all".into(), |rows| rows.to_string());
            line("rows", format!("{rows}, after the first {}", self.source.skip));
        }
        line("split", self.part.clone().unwrap_or_default());
        out.push_str("\n## Files\n\n| file | bytes | SHA-256 |\n|---|---|---|\n");
        for file in &self.files {
            let _ = writeln!(out, "| {} | {} | `{}` |", file.path, file.bytes, file.sha256);
        }
        self.cleaning(&mut out);
        if !self.mixture.is_empty() {
            out.push_str(
                "\n## Mixture\n\n| entry | rows | taken | epochs | share asked | share |\n|---|---|---|---|---|---|\n",
            );
            for taken in &self.mixture {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {:.2} | {:.1} % | {:.1} % |",
                    taken.name,
                    taken.rows,
                    taken.taken,
                    taken.epochs,
                    100.0 * taken.share_asked,
                    100.0 * taken.share
                );
            }
        }
        if !self.firewall.is_empty() {
            out.push_str(
                "\n## Firewall\n\nItems of each suite that are training rows, that a training row holds in large part, or that one \
                 repeats with a few words changed.\n\n| suite | items | same | near | edited | for example |\n|---|---|---|---|---|---|\n",
            );
            for wall in &self.firewall {
                let example = wall.examples.first().map_or(String::new(), |(item, row)| format!("{item} and {row}"));
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} | {} | {example} |",
                    wall.suite, wall.items, wall.exact, wall.near, wall.edited
                );
            }
        }
        for encoding in &self.encodings {
            let _ = write!(
                out,
                "\n## Tokens ({})\n\n{} examples, {} tokens, {} of them learned. SHA-256 of ids and marks: `{}`.\n\n",
                encoding.settings, encoding.examples, encoding.tokens, encoding.targets, encoding.digest
            );
            encoding.findings.iter().for_each(|finding| {
                let _ = writeln!(out, "- {finding}");
            });
        }
        if !self.notes.is_empty() {
            out.push_str("\n## Notes\n\n");
            self.notes.iter().for_each(|note| {
                let _ = writeln!(out, "- {note}");
            });
        }
        out
    }

    fn cleaning(&self, out: &mut String) {
        let Cleaned { seen, kept, removed, overlaps } = &self.cleaned;
        if !removed.is_empty() {
            let _ =
                write!(out, "\n## Cleaning\n\n{kept} of {seen} rows stay.\n\n| rule | removed | of |\n|---|---|---|\n");
            for rule in removed {
                let _ = writeln!(out, "| {} | {} | {} |", rule.rule, rule.count, rule.seen);
            }
            out.push('\n');
            for (rule, example) in removed.iter().flat_map(|rule| rule.examples.iter().map(move |e| (&rule.rule, e))) {
                let _ = writeln!(out, "- {rule}: {}: {} ({})", example.place, example.excerpt, example.why);
            }
        }
        if !overlaps.is_empty() {
            out.push_str(
                "\n## Overlap with evaluation sets\n\nBefore rows were removed for it.\n\n| set | items | n | items touched | rows touched | for example |\n|---|---|---|---|---|---|\n",
            );
            for overlap in overlaps {
                let example = overlap
                    .examples
                    .first()
                    .map_or(String::new(), |e| format!("{} and {}: {:?}", e.row, e.item, e.words));
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} | {} | {} |",
                    overlap.set,
                    overlap.items,
                    overlap.ngram,
                    overlap.items_touched,
                    overlap.rows_touched,
                    example.replace('|', "\\|")
                );
            }
        }
    }
}
