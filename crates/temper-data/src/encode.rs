//! Rows to token ids, with the checks that stand between a file and a gradient.

use crate::error::excerpt;
use crate::{DataError, Row, TokenWriter, Tokens};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use temper_recipe::{Check, LongRows, LossOn};
use temper_text::{Example, TextError, Tokenizer};

/// Rows that are encoded at a time, on all threads.
const BATCH: usize = 512;
/// Rows that a finding names.
const NAMED: usize = 5;

/// How rows become examples.
#[derive(Clone, Debug)]
pub struct Encoding<'a> {
    /// The model's tokenizer and chat template.
    pub tokenizer: &'a Tokenizer,
    /// Which tokens are learned.
    pub loss_on: LossOn,
    /// Longest example in tokens.
    pub max_length: Option<usize>,
    /// What becomes of longer ones.
    pub long_rows: LongRows,
    /// Rows of the model's embedding; an id beyond them is an error.
    pub vocab_size: Option<usize>,
    /// Checks that warn instead of stopping.
    pub allow: &'a [Check],
}

/// One row after encoding.
#[derive(Debug)]
pub struct EncodedRow {
    /// Its examples, cut to the longest length: usually one, several where the chat template renders earlier turns otherwise
    /// than they were when they were said, none where nothing of the row can be learned or the row is left out.
    pub examples: Vec<Example>,
    /// What the checks found.
    pub problems: Vec<Problem>,
    /// Examples that were longer than the longest length and were cut.
    pub cut: usize,
    /// Examples that were left out because they were longer.
    pub dropped: usize,
    /// Tokens before anything was cut.
    pub tokens: usize,
    /// Whether the completion was learned as the ids that the row brought, and its text would have given others.
    pub other_ids: bool,
    /// Whether the whole text in one piece would have given other ids than prompt and completion apart.
    pub drift: bool,
    /// Whether the prompt opened a thinking that the completion does not have, so that it was closed, empty, unlearned.
    pub closed_thinking: bool,
}

/// What a check found in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The check.
    pub check: Check,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    fn new(check: Check, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, what: what.into(), remedy: remedy.into() }
    }
}

impl Encoding<'_> {
    /// Encodes one row and checks it.
    pub fn row(&self, row: &Row) -> EncodedRow {
        let mut out = EncodedRow {
            examples: Vec::new(),
            problems: Vec::new(),
            cut: 0,
            dropped: 0,
            tokens: 0,
            other_ids: false,
            drift: false,
            closed_thinking: false,
        };
        if let Some(problem) = self.special_in_text(row) {
            out.problems.push(problem);
        }
        match self.examples(row) {
            Err(problem) => out.problems.push(problem),
            Ok(examples) => {
                let mut problems: Vec<Problem> = Vec::new();
                for example in examples {
                    out.tokens += example.ids.len();
                    out.other_ids |= example.retokenised;
                    out.drift |= example.drift;
                    out.closed_thinking |= example.closed_thinking;
                    self.check(example, &mut out.examples, &mut out.cut, &mut out.dropped, &mut problems);
                }
                // One row is counted once for each check.
                problems.dedup_by_key(|problem| problem.check);
                out.problems.extend(problems);
            }
        }
        out
    }

    /// As [`row`](Self::row); of a row without a completion the prompt is tokenised and checked, as it is for sampling.
    pub fn row_or_prompt(&self, row: &Row) -> EncodedRow {
        let mut encoded = self.row(row);
        if row.completion.is_none() {
            encoded.problems.retain(|problem| problem.check != Check::Unencodable);
            match self.tokenizer.encode_prompt(&row.prompt) {
                Ok(prompt) => encoded.tokens = prompt.ids.len(),
                Err(error) => encoded.problems.push(unencodable(&error)),
            }
        }
        encoded
    }

    fn examples(&self, row: &Row) -> Result<Vec<Example>, Problem> {
        let wrong = |what: &str, remedy: &str| Problem::new(Check::Unencodable, what, remedy);
        let Some(completion) = &row.completion else {
            return Err(wrong(
                "the row has no completion to learn",
                "Give a `completion` field or a dialogue that ends in an assistant turn, or map one with `columns`",
            ));
        };
        if row.label == Some(false) || row.steps.iter().any(|step| !step.label) {
            return Err(wrong(
                "the completion is labelled as not good, and would be learned",
                "Keep the good ones with `filter`, such as `filter: {label: true}`",
            ));
        }
        let sampled = row.completion_ids.as_deref();
        let examples = self
            .tokenizer
            .encode_row(&row.prompt, completion, sampled, self.loss_on)
            .map_err(|error| unencodable(&error))?;
        let known = self.vocab_size.unwrap_or(usize::MAX);
        match examples.iter().flat_map(|example| &example.ids).find(|id| **id as usize >= known) {
            None => Ok(examples),
            Some(id) => Err(wrong(
                &format!("the tokenizer gives id {id}, but the model has {known} embeddings"),
                "Use the tokenizer that belongs to the model",
            )),
        }
    }

    fn check(
        &self,
        mut example: Example,
        kept: &mut Vec<Example>,
        cut: &mut usize,
        dropped: &mut usize,
        problems: &mut Vec<Problem>,
    ) {
        let targets = |example: &Example| example.trainable.iter().skip(1).filter(|mark| **mark).count();
        if targets(&example) == 0 {
            problems.push(Problem::new(
                Check::NoTarget,
                format!("no token is learned with `loss_on: {}`", self.loss_on.name()),
                "Choose another `loss_on`, correct the rows, or leave them out with `filter`",
            ));
            return;
        }
        let stops = self.tokenizer.stop_ids();
        let learned = example.ids.iter().zip(&example.trainable).filter(|(_, mark)| **mark).map(|(id, _)| id);
        if self.loss_on != LossOn::Thinking && !learned.into_iter().any(|id| stops.contains(id)) {
            problems.push(Problem::new(
                Check::StopNotLearned,
                "the token that ends the turn is not learned, so the model would not learn to stop",
                "Correct the chat template, so that an assistant turn ends with a stop token",
            ));
        }
        let Some(limit) = self.max_length.filter(|limit| example.ids.len() > *limit) else {
            kept.push(example);
            return;
        };
        let length = example.ids.len();
        match self.long_rows {
            LongRows::Drop => *dropped += 1,
            LongRows::Refuse => problems.push(Problem::new(
                Check::TargetCut,
                format!("the row has {length} tokens, more than `max_length` ({limit})"),
                "Raise `max_length`, or say what becomes of longer rows with `long_rows: cut` or `long_rows: drop`",
            )),
            LongRows::Cut => {
                let prompt = example.prompt_len;
                example.ids.truncate(limit);
                example.trainable.truncate(limit);
                example.prompt_len = prompt.min(limit);
                *cut += 1;
                if targets(&example) == 0 {
                    problems.push(Problem::new(
                        Check::TargetCut,
                        format!(
                            "cut at `max_length` ({limit}), nothing is left to learn of {length} tokens: the prompt alone has {prompt}"
                        ),
                        "Raise `max_length` above the prompts' lengths, or leave such rows out with `long_rows: drop`",
                    ));
                } else {
                    kept.push(example);
                }
            }
        }
    }

    /// Special tokens written out in what others than the assistant say.
    fn special_in_text(&self, row: &Row) -> Option<Problem> {
        for message in row.prompt.messages().iter().filter(|message| !message.is_assistant()) {
            let found = self.tokenizer.special_in_text(&message.content);
            if let Some((id, range)) = found.first() {
                let from = message.content[..range.start].char_indices().rev().nth(20).map_or(0, |(at, _)| at);
                return Some(Problem::new(
                    Check::SpecialInText,
                    format!(
                        "the {} turn has the special token {} in its text: {:?}",
                        message.role,
                        self.tokenizer.token(*id),
                        excerpt(&message.content[from..])
                    ),
                    "Take it out of the text, since the model would read it as the end or beginning of a turn; or let it \
                     pass with `allow: [special_in_text]` on the data source",
                ));
            }
        }
        None
    }
}

fn unencodable(error: &TextError) -> Problem {
    let check = match error {
        TextError::DoubleBos { .. } => Check::DoubleBos,
        TextError::Sampled { .. } => Check::Retokenised,
        _ => Check::Unencodable,
    };
    Problem::new(check, error.to_string(), "")
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A run does not begin.
    Stop,
    /// A run goes on; something is lost or unusual.
    Warning,
    /// Good to know.
    Note,
}

/// What the checks found, over many rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The check's name, or what the finding is about.
    pub check: String,
    /// How serious it is.
    pub severity: Severity,
    /// Rows it is about.
    pub count: usize,
    /// Rows in all.
    pub of: usize,
    /// What was found in the first of them.
    pub what: String,
    /// What to do; empty where there is nothing to do.
    pub remedy: String,
    /// The first rows, as `file:line`.
    pub places: Vec<String>,
}

impl Finding {
    /// `N of M rows (P %)`.
    pub fn share(&self) -> String {
        format!("{} of {} rows ({:.1} %)", self.count, self.of, 100.0 * self.count as f64 / self.of.max(1) as f64)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 => write!(f, "{}", self.what)?,
            _ => write!(f, "{}: {}", self.share(), self.what)?,
        }
        if !self.places.is_empty() {
            let more = if self.count > self.places.len() { ", …" } else { "" };
            write!(f, " ({}{more})", self.places.join(", "))?;
        }
        if !self.remedy.is_empty() {
            write!(f, ". {}", self.remedy)?;
        }
        Ok(())
    }
}

/// What became of many rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EncodeReport {
    /// Rows.
    pub rows: usize,
    /// Examples that are kept.
    pub examples: usize,
    /// Tokens of them.
    pub tokens: u64,
    /// Tokens of them that are learned.
    pub targets: u64,
    /// Examples that were cut at the longest length.
    pub cut: usize,
    /// Examples that were left out because they were longer.
    pub dropped: usize,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Rows that make several examples.
    pub split: usize,
    #[serde(skip)]
    counts: BTreeMap<(Severity, String), Counted>,
}

/// Rows with the same finding.
#[derive(Clone, Debug, PartialEq)]
struct Counted {
    count: usize,
    what: String,
    remedy: String,
    places: Vec<String>,
}

impl EncodeReport {
    /// Counts a row.
    pub fn add(&mut self, row: &Row, encoded: &EncodedRow, allow: &[Check]) {
        self.rows += 1;
        self.examples += encoded.examples.len();
        self.split += usize::from(encoded.examples.len() > 1);
        self.cut += encoded.cut;
        self.dropped += encoded.dropped;
        for example in &encoded.examples {
            self.tokens += example.ids.len() as u64;
            self.targets += example.trainable.iter().skip(1).filter(|mark| **mark).count() as u64;
        }
        for problem in &encoded.problems {
            let severity = if allow.contains(&problem.check) { Severity::Warning } else { Severity::Stop };
            self.count(severity, problem.check.name(), &problem.what, &problem.remedy, row.place());
        }
        if encoded.cut > 0 {
            let what = "longer than `max_length` and cut; the end of the completion and its stop token are not learned";
            self.count(Severity::Warning, "cut", what, "", row.place());
        }
        if encoded.dropped > 0 {
            self.count(Severity::Warning, "dropped", "longer than `max_length` and left out", "", row.place());
        }
        if encoded.other_ids {
            let what =
                "the completion's text would be tokenised otherwise than it was sampled; the sampled ids are learned";
            self.count(Severity::Note, "sampled_ids", what, "", row.place());
        }
        if encoded.drift {
            let what = "the text in one piece would be tokenised otherwise where prompt and completion meet; they are \
                        tokenised apart, as in sampling";
            self.count(Severity::Note, "drift", what, "", row.place());
        }
        if encoded.closed_thinking {
            let what = "the chat template opens the thinking and the completion has none; an empty thinking is closed before \
                        it and not learned";
            self.count(Severity::Warning, "no_thinking", what, "", row.place());
        }
        if row.rejected.is_some() {
            let what = "a preference; the chosen completion is learned and the rejected one is not looked at";
            self.count(Severity::Warning, "chosen", what, "", row.place());
        }
    }

    /// Counts a row that could not be read.
    pub fn add_unreadable(&mut self, error: &DataError) {
        self.rows += 1;
        self.unreadable += 1;
        let place = error.line.map_or(error.file.clone(), |line| format!("{}:{line}", error.file));
        let what = match &error.field {
            Some(field) => format!("field `{field}`: {}", error.what),
            None => error.what.clone(),
        };
        self.count(Severity::Stop, "unreadable", &what, &error.remedy, place);
    }

    fn count(&mut self, severity: Severity, check: &str, what: &str, remedy: &str, place: String) {
        let new = || Counted { count: 0, what: what.to_owned(), remedy: remedy.to_owned(), places: Vec::new() };
        let counted = self.counts.entry((severity, check.to_owned())).or_insert_with(new);
        counted.count += 1;
        if counted.places.len() < NAMED {
            counted.places.push(place);
        }
    }

    /// Everything that was found, the most serious first, then the most frequent.
    pub fn findings(&self) -> Vec<Finding> {
        let mut out: Vec<Finding> = self
            .counts
            .iter()
            .map(|((severity, check), counted)| Finding {
                check: check.clone(),
                severity: *severity,
                count: counted.count,
                of: self.rows,
                what: counted.what.clone(),
                remedy: counted.remedy.clone(),
                places: counted.places.clone(),
            })
            .collect();
        out.sort_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.count)));
        out
    }

    /// Fails when a check that stops a run found something, or when nothing is left to learn.
    ///
    /// # Errors
    /// The first such finding, with the number of rows, their share and where the first of them are, and the names of the
    /// other checks that failed.
    pub fn stop(&self, source: &str) -> Result<(), DataError> {
        let findings = self.findings();
        let stops: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Stop).collect();
        let Some(first) = stops.first() else {
            return match self.examples {
                0 => Err(DataError {
                    file: source.to_owned(),
                    line: None,
                    field: None,
                    what: format!("none of {} rows is left to train on", self.rows),
                    remedy: "Raise `max_length`, or loosen `filter` and `clean`".into(),
                }),
                _ => Ok(()),
            };
        };
        let mut others: Vec<String> = stops[1..].iter().map(|f| format!("{} ({} rows)", f.check, f.count)).collect();
        others.dedup();
        let also = if others.is_empty() { String::new() } else { format!("; also found: {}", others.join(", ")) };
        let more = if first.count > first.places.len() { ", …" } else { "" };
        let remedy = match first.remedy.is_empty() {
            true => "Correct the rows, or leave them out with `filter`; `temper data validate` shows all of them",
            false => first.remedy.as_str(),
        };
        Err(DataError {
            file: source.to_owned(),
            line: None,
            field: None,
            what: format!(
                "{}: {} ({}{more}){also}",
                first.share(),
                first.what.trim_end_matches('.'),
                first.places.join(", ")
            ),
            remedy: remedy.to_owned(),
        })
    }
}

/// Encodes rows as they come, on all threads and in order, and hands each to `take`.
///
/// # Errors
/// What `take` returns.
pub fn encode_each<E>(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    encoding: &Encoding,
    mut take: impl FnMut(Result<(Row, EncodedRow), DataError>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let batch: Vec<Result<Row, DataError>> = rows.by_ref().take(BATCH).collect();
        let encoded: Vec<_> = batch
            .into_par_iter()
            .map(|row| {
                row.map(|row| {
                    let encoded = encoding.row(&row);
                    (row, encoded)
                })
            })
            .collect();
        for item in encoded {
            take(item)?;
        }
    }
    Ok(())
}

/// The examples of all rows, and what the checks found. `folder` is where a file may be made for them. `source` names the
/// rows in an error.
///
/// # Errors
/// The tokens cannot be kept. What the checks found is in the report and is no error here.
pub fn encode(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    encoding: &Encoding,
    folder: &std::path::Path,
) -> Result<(Tokens, EncodeReport), DataError> {
    let (mut writer, mut report) = (TokenWriter::new(folder), EncodeReport::default());
    encode_each(rows, encoding, |item| -> Result<(), DataError> {
        match item {
            Err(error) => report.add_unreadable(&error),
            Ok((row, encoded)) => {
                report.add(&row, &encoded, encoding.allow);
                for example in encoded.examples {
                    writer.push(&example.into(), &row.file, row.line)?;
                }
            }
        }
        Ok(())
    })?;
    Ok((writer.finish()?, report))
}

/// What is to be said of a tokenizer and its chat template before any row is looked at.
pub fn tokenizer_findings(tokenizer: &Tokenizer, chat: bool, allow: &[Check]) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut add = |check: &str, severity, what: String, remedy: &str| {
        out.push(Finding {
            check: check.into(),
            severity,
            count: 0,
            of: 0,
            what,
            remedy: remedy.into(),
            places: vec![],
        });
    };
    let missing: BTreeSet<String> =
        if chat { tokenizer.template_tokens_missing().into_iter().collect() } else { BTreeSet::new() };
    if !missing.is_empty() {
        let severity = if allow.contains(&Check::TemplateTokens) { Severity::Warning } else { Severity::Stop };
        let names: Vec<String> = missing.into_iter().collect();
        add(
            Check::TemplateTokens.name(),
            severity,
            format!("the chat template prints {}, which the tokenizer has no single token for", names.join(", ")),
            "Add the tokens to the tokenizer and the model, or use a chat template that belongs to the tokenizer",
        );
    }
    if tokenizer.pad_is_eos() {
        add(
            "pad_is_eos",
            Severity::Note,
            "the padding token is the end-of-sequence token; targets are marked by position, so the end is learned all the same"
                .into(),
            "A trainer that leaves out padding by its id would not learn to stop: give pad_token a token of its own before using \
             one",
        );
    }
    out
}
