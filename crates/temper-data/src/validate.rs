//! All checks of a source's rows at once, so that everything that is wrong is known after one look.

use crate::{
    DataError, EncodeReport, EncodedRow, Encoding, EvalIndex, Finding, Firewall, LeakIndex, Overlap, Overlaps, Row,
    Severity, clean::whole, eval_index, tokenizer_findings,
};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use temper_recipe::Clean;

/// Rows that are looked at together, on all threads.
const BATCH: usize = 512;
/// Rows that a finding names.
const NAMED: usize = 5;
/// Reasons for which rows cannot be read that are told apart.
const REASONS: usize = 12;

/// What rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A stage learns them: every row needs a completion.
    Learn,
    /// Completions are sampled for them; the rows' own are not looked at.
    Ask,
    /// Not known: rows with a completion are checked as for learning, others as for sampling.
    Unknown,
}

/// Rows that must not be trained on.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    /// What they are called.
    pub name: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What the checks found in one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// What the rows are for.
    pub purpose: Purpose,
    /// Rows.
    pub rows: usize,
    /// Rows that cannot be read.
    pub unreadable: usize,
    /// Rows with something to learn.
    pub completions: usize,
    /// What they become, where there is a tokenizer.
    pub encoded: Option<EncodeReport>,
    /// Everything that was found, the most serious first, then the most frequent.
    pub findings: Vec<Finding>,
    /// Items of held-out sets that the rows hold, one entry per set.
    pub leaks: Vec<Firewall>,
    /// 10-grams that the rows share with held-out sets, one entry per set.
    pub overlaps: Vec<Overlap>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
}

impl Validation {
    /// How many findings stop a run; a leak of exact items is one.
    pub fn stops(&self) -> usize {
        self.severe(Severity::Stop) + self.leaks.iter().filter(|leak| leak.exact > 0).count()
    }

    /// How many findings only warn.
    pub fn warnings(&self) -> usize {
        self.severe(Severity::Warning) + self.leaks.iter().filter(|leak| leak.near + leak.edited > 0).count()
    }

    fn severe(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Checks every row. `seen` is told after each batch how many rows there were. With a tokenizer, rows are encoded as for
/// training or sampling; held-out rows are looked for as the firewall and decontamination do.
///
/// # Errors
/// What `seen` returns.
pub fn validate<E>(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    purpose: Purpose,
    encoding: Option<&Encoding>,
    held_out: &[HeldOut],
    mut seen: impl FnMut(usize) -> Result<(), E>,
) -> Result<Validation, E> {
    let mut rows = rows.peekable();
    let mut counts = Counts::new(purpose, encoding, held_out);
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        let index = counts.index.as_ref();
        let checked: Vec<_> = batch
            .into_par_iter()
            .map(|row| {
                row.map(|row| {
                    let encoded = encoding.map(|encoding| encode(encoding, &row, purpose));
                    let hits = index.map_or(Vec::new(), |index| index.hits(&whole(&row)));
                    (row, encoded, hits)
                })
            })
            .collect();
        for item in checked {
            match item {
                Err(error) => counts.unreadable(&error),
                Ok((row, encoded, hits)) => {
                    if let Some(overlaps) = &mut counts.overlaps {
                        overlaps.add(&row.place(), &hits);
                    }
                    counts.add(&row, encoded.as_ref());
                }
            }
        }
        seen(counts.rows)?;
    }
    Ok(counts.finish())
}

fn encode(encoding: &Encoding, row: &Row, purpose: Purpose) -> EncodedRow {
    match purpose {
        Purpose::Learn => encoding.row(row),
        Purpose::Unknown => encoding.row_or_prompt(row),
        Purpose::Ask => encoding.row_or_prompt(&Row { completion: None, rejected: None, ..row.clone() }),
    }
}

/// Rows with one reason.
#[derive(Default)]
struct Reason {
    count: usize,
    remedy: String,
    places: Vec<String>,
}

impl Reason {
    fn add(&mut self, place: String) {
        self.count += 1;
        if self.places.len() < NAMED {
            self.places.push(place);
        }
    }
}

struct Counts<'a> {
    purpose: Purpose,
    encoding: Option<&'a Encoding<'a>>,
    held_out: &'a [HeldOut],
    rows: usize,
    unreadable: usize,
    reasons: BTreeMap<String, Reason>,
    without: Reason,
    with: usize,
    report: EncodeReport,
    leaks: Vec<LeakIndex>,
    index: Option<EvalIndex>,
    overlaps: Option<Overlaps>,
}

impl<'a> Counts<'a> {
    fn new(purpose: Purpose, encoding: Option<&'a Encoding<'a>>, held_out: &'a [HeldOut]) -> Self {
        let sets: Vec<(&str, &[Row])> = held_out.iter().map(|set| (set.name.as_str(), set.rows.as_slice())).collect();
        let index = (!sets.is_empty()).then(|| eval_index(&Clean::default(), &sets));
        Self {
            purpose,
            encoding,
            held_out,
            rows: 0,
            unreadable: 0,
            reasons: BTreeMap::new(),
            without: Reason::default(),
            with: 0,
            report: EncodeReport::default(),
            leaks: held_out.iter().map(|set| LeakIndex::of_rows(&set.rows)).collect(),
            overlaps: index.as_ref().map(Overlaps::new),
            index,
        }
    }

    fn unreadable(&mut self, error: &DataError) {
        self.rows += 1;
        self.unreadable += 1;
        self.report.rows += 1;
        self.report.unreadable += 1;
        let what = error.field.as_ref().map_or(error.what.clone(), |field| format!("`{field}`: {}", error.what));
        let known = self.reasons.contains_key(&what) || self.reasons.len() < REASONS;
        let what = if known { what } else { "other reasons".to_owned() };
        let reason = self.reasons.entry(what).or_default();
        if known {
            reason.remedy.clone_from(&error.remedy);
        }
        reason.add(error.line.map_or(error.file.clone(), |line| format!("{}:{line}", error.file)));
    }

    fn add(&mut self, row: &Row, encoded: Option<&EncodedRow>) {
        for leaks in &mut self.leaks {
            leaks.check_row(self.rows, row);
        }
        self.rows += 1;
        match &row.completion {
            Some(_) => self.with += 1,
            None => self.without.add(row.place()),
        }
        if let (Some(encoding), Some(encoded)) = (self.encoding, encoded) {
            let asked = self.purpose == Purpose::Ask && row.rejected.is_some();
            let plain = asked.then(|| Row { rejected: None, ..row.clone() });
            self.report.add(plain.as_ref().unwrap_or(row), encoded, encoding.allow);
        }
    }

    fn finish(self) -> Validation {
        let of = self.rows;
        let mut findings: Vec<Finding> = Vec::new();
        let mut add = |check: &str, severity, reason: Reason, what: String| {
            findings.push(Finding {
                check: check.into(),
                severity,
                count: reason.count,
                of,
                what,
                remedy: reason.remedy,
                places: reason.places,
            });
        };
        for (what, reason) in self.reasons {
            add("unreadable", Severity::Stop, reason, what);
        }
        let mut without = self.without;
        if of == 0 {
            let remedy = "Name a source with rows".into();
            add("no_rows", Severity::Stop, Reason { remedy, ..Reason::default() }, "there is no row".into());
        } else if self.purpose == Purpose::Learn && self.encoding.is_none() && without.count > 0 {
            without.remedy = "Give a completion, or map the column that holds it with `columns`".into();
            add("no_completion", Severity::Stop, without, "the row has no completion to learn".into());
        } else if self.purpose == Purpose::Unknown && without.count > 0 {
            let (severity, what) = match self.with {
                0 => (Severity::Note, "the rows only ask: they are for sampling (grpo, reject) and for suites"),
                _ => (Severity::Warning, "some rows have a completion and these have none; an sft stage refuses them"),
            };
            without.remedy = "If the completion is there under another name, map it with `columns`".into();
            add("no_completion", severity, without, what.into());
        }
        if let Some(encoding) = self.encoding {
            findings.extend(self.report.findings());
            let tokenizer = encoding.tokenizer;
            findings.extend(tokenizer_findings(tokenizer, tokenizer.has_chat_template(), encoding.allow));
            let nothing = self.purpose == Purpose::Learn && self.report.examples == 0 && of > self.unreadable;
            if nothing && !findings.iter().any(|finding| finding.severity == Severity::Stop) {
                findings.push(Finding {
                    check: "nothing_left".into(),
                    severity: Severity::Stop,
                    count: of,
                    of,
                    what: "no row is left to train on".into(),
                    remedy: "Raise `max_length`, or loosen `filter`".into(),
                    places: Vec::new(),
                });
            }
        }
        findings.sort_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.count)));
        let mut not_checked = Vec::new();
        if self.encoding.is_none() {
            not_checked.push("tokens, chat template and what is learned: give a tokenizer with --model".to_owned());
        }
        if self.held_out.is_empty() && self.purpose != Purpose::Ask {
            not_checked.push("leaks of held-out items: name them with --against".to_owned());
        }
        let leaks = self.leaks.into_iter().zip(self.held_out);
        Validation {
            purpose: self.purpose,
            rows: of,
            unreadable: self.unreadable,
            completions: self.with,
            encoded: self.encoding.map(|_| self.report),
            findings,
            leaks: leaks.map(|(index, set)| Firewall::of(&set.name, set.rows.len(), &index.finish())).collect(),
            overlaps: self.overlaps.map_or(Vec::new(), Overlaps::finish),
            not_checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use temper_text::Prompt;

    const ITEM: &str =
        "A farmer has twelve hens and every hen lays two eggs a day, so how many eggs are there after a week?";

    fn row(line: usize, prompt: &str, said: Option<&str>) -> Row {
        Row {
            file: "f".into(),
            line,
            id: line.to_string(),
            prompt: Prompt::user(prompt),
            completion: said.map(Into::into),
            ..Row::default()
        }
    }

    fn error(line: usize, what: &str) -> DataError {
        DataError { file: "f".into(), line: Some(line), field: None, what: what.into(), remedy: "Mend it".into() }
    }

    fn check(rows: Vec<Result<Row, DataError>>, purpose: Purpose, held_out: &[HeldOut]) -> Validation {
        let Ok(found) = validate(rows.into_iter(), purpose, None, held_out, |_| Ok::<(), Infallible>(()));
        found
    }

    #[test]
    fn every_unreadable_row_is_counted_by_its_reason() {
        let mut rows: Vec<_> =
            (1..=20).map(|line| Err(error(line, if line % 4 == 0 { "odd" } else { "even" }))).collect();
        rows.push(Ok(row(21, "a", Some("b"))));
        let found = check(rows, Purpose::Unknown, &[]);
        let counts: Vec<_> = found.findings.iter().map(|f| (f.what.as_str(), f.count, f.of, f.places.len())).collect();
        assert_eq!(counts, [("even", 15, 21, 5), ("odd", 5, 21, 5)]);
        assert_eq!((found.rows, found.unreadable, found.completions, found.stops()), (21, 20, 1, 2));
        let many = (1..=30).map(|line| Err(error(line, &format!("reason {line}")))).collect();
        let found = check(many, Purpose::Unknown, &[]);
        assert_eq!(
            (found.findings.len(), found.findings[0].what.as_str(), found.findings[0].count),
            (13, "other reasons", 18)
        );
    }

    #[test]
    fn rows_without_a_completion_are_judged_by_what_they_are_for() {
        let rows = || vec![Ok(row(1, "a", Some("b"))), Ok(row(2, "c", None))];
        let of = |purpose| check(rows(), purpose, &[]).findings.first().map(|f| (f.severity, f.count));
        assert_eq!(of(Purpose::Learn), Some((Severity::Stop, 1)));
        assert_eq!(of(Purpose::Unknown), Some((Severity::Warning, 1)));
        assert_eq!(of(Purpose::Ask), None);
        let asks = check(vec![Ok(row(1, "a", None))], Purpose::Unknown, &[]);
        assert_eq!((asks.findings[0].severity, asks.stops()), (Severity::Note, 0));
        assert_eq!(check(Vec::new(), Purpose::Unknown, &[]).stops(), 1);
    }

    #[test]
    fn held_out_items_among_the_rows_stop_a_run() {
        let held_out =
            [HeldOut { name: "test".into(), rows: vec![row(1, ITEM, None), row(2, "What is a hen?", None)] }];
        let found = check(
            vec![Ok(row(7, &ITEM.to_uppercase(), Some("168"))), Ok(row(8, "x", Some("y")))],
            Purpose::Learn,
            &held_out,
        );
        assert_eq!((found.leaks[0].exact, found.leaks[0].items, found.stops()), (1, 2, 1));
        assert_eq!((found.overlaps[0].items_touched, found.overlaps[0].rows_touched), (1, 1));
        let clean = check(vec![Ok(row(8, "x", Some("y")))], Purpose::Learn, &held_out);
        assert_eq!((clean.stops(), clean.leaks[0].exact), (0, 0));
    }
}
