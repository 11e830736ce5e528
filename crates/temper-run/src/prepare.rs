//! Everything that can be wrong before the first step: rows, scorers, suites, overlap between training and measuring.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use temper_data::{CardEncoding, DataCard, EncodeReport, Encoding, Row, Severity, Tokens};
use temper_engine::{ModelConfig, Precision};
use temper_recipe::{Check, LongRows, LossOn, Recipe, Sft, Stage, StageData, Suite};
use temper_score::Scorer;
use temper_text::Tokenizer;
use temper_train::Demand;

use crate::calibrations::{check_calibrated, read_calibrations};
use crate::datasets::{Dataset, HeldOut, scratch};
use crate::error::RunError;
use crate::sources::Sources;
use crate::summary::DataSummary;

/// A suite with its items and scorers.
pub struct PreparedSuite {
    /// The recipe's entry.
    pub suite: Suite,
    /// The items.
    pub rows: Vec<Row>,
    /// Its scorers, in the recipe's order.
    pub scorers: Vec<Arc<dyn Scorer>>,
}

/// All rows and scorers of a recipe, read and checked.
pub struct Prepared {
    /// Training data by name of the source.
    pub data: BTreeMap<String, Dataset>,
    /// Suites in the recipe's order.
    pub suites: IndexMap<String, PreparedSuite>,
    /// Scorers that stages reward or select by.
    pub scorers: BTreeMap<String, Arc<dyn Scorer>>,
    /// What a reader should know: commits of the Hub, near duplicates between training rows and items.
    pub notes: Vec<String>,
    /// Calibrations by the digest of their scorer.
    pub calibrations: temper_eval::Calibrations,
    rows: BTreeMap<String, Vec<Row>>,
    encoded: BTreeMap<String, Encoded>,
}

/// Training examples of a source, and what a reader of the report should know of them.
pub struct Encoded {
    /// The examples.
    pub tokens: Tokens,
    /// Warnings of the checks.
    pub notes: Vec<String>,
}

/// Reads every source that a stage or a suite uses, builds every scorer, and refuses training rows that are suite items.
///
/// # Errors
/// The first thing that is wrong, with file, row and field.
pub fn prepare(recipe: &Recipe, sources: &Sources, chat: bool) -> Result<Prepared, RunError> {
    recipe.validate(&temper_score::known_types())?;
    check_firewall(recipe)?;
    let scorer = |name: &str| temper_score::build(name, &recipe.scorers, &recipe.lab);

    let calibrations = read_calibrations(recipe)?;
    check_calibrated(recipe, &calibrations, &|name| Ok(scorer(name)?))?;

    let mut suites = IndexMap::new();
    for (name, suite) in &recipe.suites {
        let scorers = suite.scorers.iter().map(|name| scorer(name)).collect::<Result<Vec<_>, _>>()?;
        suites.insert(
            name.clone(),
            PreparedSuite { rows: sources.rows(&suite.data, chat)?, suite: suite.clone(), scorers },
        );
    }
    let mut scorers = BTreeMap::new();
    let mut used: Vec<&str> = Vec::new();
    for stage in recipe.arms.values().flat_map(|arm| &arm.stages) {
        if let StageData::Source(name) = stage.data() {
            used.push(name);
        }
        if let Stage::Reject(reject) = stage {
            used.extend(reject.mix.iter().map(String::as_str));
        }
        for name in stage.scorers() {
            if !scorers.contains_key(name) {
                scorers.insert(name.to_owned(), scorer(name)?);
            }
        }
    }
    // What an item was before a transform is held out, too.
    let guarded: IndexMap<&str, Vec<Row>> = suites
        .iter()
        .filter(|(_, suite)| suite.suite.data.transform.is_some())
        .map(|(name, suite)| {
            let originals = temper_data::transform::originals(&suite.rows);
            (name.as_str(), suite.rows.iter().cloned().chain(originals).collect())
        })
        .collect();
    let held_out = HeldOut::new(
        suites
            .iter()
            .map(|(name, suite)| {
                (name.as_str(), guarded.get(name.as_str()).map_or(suite.rows.as_slice(), Vec::as_slice))
            })
            .collect::<Vec<_>>(),
    );
    let mut data = BTreeMap::new();
    let mut notes = Vec::new();
    for name in used {
        if !data.contains_key(name) && recipe.data.contains_key(name) {
            let dataset = Dataset::read(name, &recipe.data, sources, &held_out, chat)?;
            notes.extend(check_leaks(&dataset.card)?);
            notes.extend(dataset.card.notes.iter().cloned());
            data.insert(name.to_owned(), dataset);
        }
    }
    let mut all = sources.notes();
    all.extend(notes);
    Ok(Prepared { data, suites, scorers, notes: all, calibrations, rows: BTreeMap::new(), encoded: BTreeMap::new() })
}

impl Prepared {
    /// Brings the rows into the form in which the stages take them: those that are sampled from into memory, those of `sft`
    /// stages to tokens, with every check. `tokenizer` and `config` are the base model's.
    ///
    /// # Errors
    /// What a check found that stops a run, with the number of rows, their share and where they are.
    pub fn encode(&mut self, recipe: &Recipe, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<(), RunError> {
        self.rows.clear();
        self.encoded.clear();
        self.data.values_mut().for_each(|dataset| dataset.card.encodings.clear());
        let allow: Vec<Check> = self.data.values().flat_map(Dataset::allow).collect();
        for finding in temper_data::tokenizer_findings(tokenizer, tokenizer.has_chat_template(), &allow) {
            let said = format!("{}: {finding}", recipe.model.path);
            match finding.severity {
                Severity::Stop => return Err(RunError::Other(said)),
                Severity::Warning if !self.notes.contains(&said) => self.notes.push(said),
                Severity::Warning | Severity::Note => {}
            }
        }
        let scratch = scratch(&recipe.out);
        for stage in recipe.arms.values().flat_map(|arm| &arm.stages) {
            if let Stage::Reject(reject) = stage {
                for name in &reject.mix {
                    self.hold(name, tokenizer)?;
                }
            }
            let StageData::Source(name) = stage.data() else { continue };
            let Stage::Sft(spec) = stage else {
                self.hold(name, tokenizer)?;
                continue;
            };
            let key = encoding_key(name, spec);
            let Some(dataset) = self.data.get_mut(name).filter(|_| !self.encoded.contains_key(&key)) else { continue };
            let encoding = temper_train::sft_encoding(spec, config, tokenizer, &[]);
            let (tokens, report) = dataset.encode(&encoding, &scratch)?;
            let settings = format!("loss_on {}, max_length {}", spec.loss_on.name(), encoding.max_length.unwrap_or(0));
            dataset.card.encodings.push(CardEncoding::of(settings, &report, tokens.digest()));
            self.encoded.insert(key, Encoded { tokens, notes: temper_train::encode_notes(&report) });
        }
        Ok(())
    }

    fn hold(&mut self, name: &str, tokenizer: &Tokenizer) -> Result<(), RunError> {
        if let (Some(dataset), false) = (self.data.get_mut(name), self.rows.contains_key(name)) {
            let rows = dataset.hold(tokenizer)?;
            check_prompts(name, &rows, tokenizer, &dataset.allow())?;
            self.rows.insert(name.to_owned(), rows);
        }
        Ok(())
    }

    /// The rows of a source that is sampled from or mixed in.
    pub fn rows(&self, name: &str) -> &[Row] {
        self.rows.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sources in short.
    pub fn summaries(&self) -> Vec<DataSummary> {
        let summary = |(name, dataset): (&String, &Dataset)| {
            let card = &dataset.card;
            let mixed = || card.mixture.iter().map(|taken| taken.name.as_str()).collect::<Vec<_>>().join(", ");
            let whence = match &card.repository {
                Some(repository) => repository.clone(),
                None if card.source.path.is_empty() => format!("mixture of {}", mixed()),
                None => card.source.path.clone(),
            };
            DataSummary {
                name: name.clone(),
                whence,
                licence: card.licence.clone(),
                rows: card.rows,
                removed: card.cleaned.removed.iter().map(|rule| rule.count).sum(),
                learned: card.encodings.iter().map(|encoding| encoding.targets).collect(),
                near_items: card.firewall.iter().map(|wall| (wall.suite.clone(), wall.near + wall.edited)).collect(),
                card: format!("data/{name}.md"),
            }
        };
        self.data.iter().map(summary).collect()
    }

    /// The cards of the sources, by name.
    pub fn cards(&self) -> impl Iterator<Item = &DataCard> {
        self.data.values().map(|dataset| &dataset.card)
    }

    /// Writes each source's data card, `data/NAME.md` and `data/NAME.json`, into the run's directory.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_cards(&self, dir: &Path) -> Result<(), RunError> {
        let folder = dir.join("data");
        std::fs::create_dir_all(&folder).map_err(|e| RunError::io(&folder, e))?;
        for (name, dataset) in &self.data {
            let json = serde_json::to_string_pretty(&dataset.card).unwrap_or_default();
            for (extension, text) in [("md", dataset.card.markdown()), ("json", json + "\n")] {
                let file = folder.join(format!("{name}.{extension}"));
                std::fs::write(&file, text).map_err(|e| RunError::io(&file, e))?;
            }
        }
        Ok(())
    }

    /// What a stage on the source `name` needs of memory; `None` for one that does not train.
    ///
    /// # Errors
    /// Prompts that cannot be used.
    pub fn demand(
        &self,
        name: &str,
        stage: &Stage,
        precision: Precision,
        config: &ModelConfig,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Demand>, RunError> {
        Ok(match stage {
            Stage::Sft(spec) => {
                self.encoded(name, spec).map(|encoded| Demand::sft_on(spec, precision, &encoded.tokens))
            }
            _ => Demand::of(stage, precision, config, tokenizer, self.rows(name))?,
        })
    }

    /// The examples of an `sft` stage on the source `name`.
    pub fn encoded(&self, name: &str, spec: &Sft) -> Option<&Encoded> {
        self.encoded.get(&encoding_key(name, spec))
    }
}

/// Refuses prompts that a check stops, as a stage that samples from them will see them.
fn check_prompts(name: &str, rows: &[Row], tokenizer: &Tokenizer, allow: &[Check]) -> Result<(), RunError> {
    let (loss_on, long_rows) = (LossOn::default(), LongRows::default());
    let encoding = Encoding { tokenizer, loss_on, max_length: None, long_rows, vocab_size: None, allow };
    let mut report = EncodeReport::default();
    for row in rows {
        let asked = Row { file: row.file.clone(), line: row.line, prompt: row.prompt.clone(), ..Row::default() };
        report.add(&asked, &encoding.row_or_prompt(&asked), allow);
    }
    match report.findings().first().filter(|finding| finding.severity == Severity::Stop) {
        Some(finding) => Err(RunError::Other(format!("data.{name}: {finding}"))),
        None => Ok(()),
    }
}

/// What of a stage its examples depend on.
fn encoding_key(name: &str, spec: &Sft) -> String {
    format!("{name} {} {} {:?}", spec.loss_on.name(), spec.max_length, spec.long_rows)
}

/// A gate's metric and whatever it is made of must differ from every reward and keep rule of the arms it applies to. The
/// recipe's own check compares names and spelt-out parameters; this one compares what the scorers are, so that a title or a
/// default written out does not hide anything.
fn check_firewall(recipe: &Recipe) -> Result<(), RunError> {
    let identities = |name: &str| temper_score::identities(name, &recipe.scorers, &recipe.lab);
    for gate in &recipe.gates {
        let judged = identities(&gate.metric)?;
        for (arm, stages) in recipe.arms.iter().filter(|(name, _)| gate.applies_to_arm(name)) {
            for stage in &stages.stages {
                for name in stage.scorers() {
                    if identities(name)?.iter().any(|identity| judged.contains(identity)) {
                        return Err(RunError::Other(format!(
                            "gate {}: its metric `{}` is, or is made of, the scorer `{name}` that arm `{arm}`, stage `{}` trains on, so passing it would show nothing. Gate on a scorer that no stage of the arm uses, or take `{name}` out of the stage",
                            gate.label(),
                            gate.metric,
                            stage.label()
                        )));
                    }
                }
            }
        }
    }
    Ok(())
}

/// A suite item that is also a training row is an error; near duplicates are reported.
fn check_leaks(card: &DataCard) -> Result<Vec<String>, RunError> {
    let mut notes = Vec::new();
    for wall in &card.firewall {
        let (source, suite, items) = (&card.name, &wall.suite, wall.items);
        let example = wall.examples.first();
        if let (true, Some((item, row))) = (wall.exact > 0, example) {
            return Err(RunError::Leak(format!(
                "{} of {items} items of suite `{suite}` are also training rows of `{source}`: item {item} has the same prompt as {row}. A measurement on them would mean nothing; leave them out of `data.{source}` (`clean: {{decontaminate: 10}}`, `filter`, `skip`) or take them out of the suite",
                wall.exact
            )));
        }
        if let (true, Some((item, row))) = (wall.near + wall.edited > 0, example) {
            notes.push(format!(
                "{} of {items} items of suite `{suite}` nearly are training rows of `{source}`: {} share 80 % or more of their 8-grams with one, {} are one with a few words changed (for example {item} and {row}). `clean: {{decontaminate: 10}}` on `data.{source}` leaves out rows that share a 10-gram",
                wall.near + wall.edited,
                wall.near,
                wall.edited
            ));
        }
    }
    Ok(notes)
}
