//! The source that a command on data is about, and how its rows become tokens.

use std::path::Path;

use serde::de::DeserializeOwned;
use temper_data::{DataError, Encoding, Row, Rows};
use temper_recipe::{Check, Columns, DataSource, Lab, Location, LongRows, LossOn, Recipe, Sft, Stage, StageData};
use temper_run::Sources;
use temper_text::Tokenizer;

use crate::args::SourceArgs;
use crate::error::CliError;

/// A data source with a tokenizer, where one is given.
pub struct Source {
    /// What it is called: its path, or the recipe's name of it.
    pub name: String,
    /// The source.
    pub source: DataSource,
    /// The model's path.
    pub model: Option<String>,
    /// The model's tokenizer.
    pub tokenizer: Option<Tokenizer>,
    /// How its rows are learned.
    pub learning: Learning,
    sources: Sources,
}

/// How rows are learned.
#[derive(Clone, Debug, Default)]
pub struct Learning {
    /// Which tokens.
    pub loss_on: LossOn,
    /// Longest row in tokens.
    pub max_length: Option<usize>,
    /// What becomes of longer ones.
    pub long_rows: LongRows,
    /// Checks that only warn.
    pub allow: Vec<Check>,
    /// The stage that says so, or that somebody asked for it: every row needs something to learn.
    pub asked: Option<String>,
}

impl Source {
    /// The source that the arguments name.
    pub fn open(args: &SourceArgs) -> Result<Self, CliError> {
        match (&args.recipe, &args.source) {
            (Some(file), _) => {
                let recipe = Recipe::load(file, &args.set)?;
                let name = chosen(&recipe, args.data.as_deref(), file)?;
                Self::of_recipe(&recipe, &name, args)
            }
            (None, Some(path)) => Self::of_path(path, &args.columns, &args.set, args),
            (None, None) => Err(CliError::message("name a SOURCE, or a --recipe")),
        }
    }

    fn of_path(path: &str, columns: &[String], sets: &[String], args: &SourceArgs) -> Result<Self, CliError> {
        let source = DataSource::parse(path, &Columns::parse(columns)?, sets)?;
        let sources = Sources::new(&Lab::default());
        let learning = Learning { allow: source.allow.clone(), ..Learning::default() }.with(args)?;
        let tokenizer = tokenizer(args.model.as_deref(), args, &sources)?;
        Ok(Self { name: path.to_owned(), source, model: args.model.clone(), tokenizer, learning, sources })
    }

    /// An entry of a recipe's `data`, or the rows of one of its suites, with the recipe's tokenizer.
    pub fn of_recipe(recipe: &Recipe, name: &str, args: &SourceArgs) -> Result<Self, CliError> {
        let Some(source) = recipe.data.get(name).or_else(|| Some(&recipe.suites.get(name)?.data)).cloned() else {
            return Err(CliError::message(format!(
                "--data {name}: the recipe has no such data source or suite; it has {}",
                names(recipe).join(", ")
            )));
        };
        if let Some(mix) = &source.mix {
            let parts: Vec<&str> = mix.of.keys().map(String::as_str).collect();
            return Err(CliError::message(format!(
                "--data {name}: this is a mixture of {}. Name one of them, or write the mixture out with `temper data mix`",
                parts.join(", ")
            )));
        }
        let sources = Sources::new(&recipe.lab);
        let mut learning = Learning { allow: source.allow.clone(), ..Learning::default() };
        if let Some((label, sft)) = stage(recipe, name, args.stage.as_deref())? {
            learning.loss_on = sft.loss_on;
            learning.max_length = Some(sft.max_length);
            learning.long_rows = sft.long_rows;
            learning.asked = Some(label);
        }
        let model = args.model.clone().unwrap_or_else(|| recipe.model.path.clone());
        let tokenizer = tokenizer(Some(&model), args, &sources)?;
        Ok(Self {
            name: name.to_owned(),
            source,
            model: Some(model),
            tokenizer,
            learning: learning.with(args)?,
            sources,
        })
    }

    /// Takes only some of the rows: `skip` more are passed over, and at most `rows` taken.
    pub fn limit(&mut self, skip: usize, rows: Option<usize>) {
        self.source.skip += skip;
        let left = self.source.rows.map(|rows| rows.saturating_sub(skip));
        self.source.rows = [left, rows].into_iter().flatten().min();
    }

    /// Whether plain prompts become dialogues where the source does not say.
    pub fn chat(&self) -> bool {
        self.tokenizer.as_ref().is_some_and(Tokenizer::has_chat_template)
    }

    /// The rows, one by one.
    pub fn rows(&self) -> Result<Stream, CliError> {
        Ok(match self.source.location()? {
            Location::Lab(_) => Stream::Lab(self.sources.given(&self.source, self.chat())?.into_iter()),
            _ => Stream::Files(Box::new(Rows::open(&self.source, self.chat())?)),
        })
    }

    /// How rows become examples, where there is a tokenizer.
    pub fn encoding(&self) -> Option<Encoding<'_>> {
        Some(Encoding {
            tokenizer: self.tokenizer.as_ref()?,
            loss_on: self.learning.loss_on,
            max_length: self.learning.max_length,
            long_rows: self.learning.long_rows,
            vocab_size: None,
            allow: &self.learning.allow,
        })
    }

    /// What is not done to the rows that a run would do.
    pub fn not_applied(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.source.clean != temper_recipe::Clean::default() {
            out.push("the rows are shown as they are read; what `clean` removes in a run is among them".to_owned());
        }
        if self.source.part.is_some() {
            out.push("both sides of the split (`part`) are read".to_owned());
        }
        out
    }
}

/// Rows from files, or from the lab.
pub enum Stream {
    /// The lab's.
    Lab(std::vec::IntoIter<Row>),
    /// Those of files.
    Files(Box<Rows>),
}

impl Stream {
    /// What reading changed or left out, after the last row.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Lab(_) => &[],
            Self::Files(rows) => rows.notes(),
        }
    }
}

impl Iterator for Stream {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Lab(rows) => rows.next().map(Ok),
            Self::Files(rows) => rows.next(),
        }
    }
}

impl Learning {
    /// What the arguments say instead.
    fn with(mut self, args: &SourceArgs) -> Result<Self, CliError> {
        if let Some(text) = &args.loss_on {
            self.loss_on = word("--loss-on", text)?;
            self.asked = Some(format!("--loss-on {text}"));
        }
        if let Some(text) = &args.long_rows {
            self.long_rows = word("--long-rows", text)?;
        }
        if args.max_length.is_some_and(|tokens| tokens < 2) {
            return Err(CliError::message("--max-length: a row has at least 2 tokens, one given and one learned"));
        }
        self.max_length = args.max_length.or(self.max_length);
        for text in &args.allow {
            self.allow.push(word("--allow", text)?);
        }
        Ok(self)
    }
}

/// The names of a recipe's sources and suites.
fn names(recipe: &Recipe) -> Vec<&str> {
    recipe.data.keys().chain(recipe.suites.keys()).map(String::as_str).collect()
}

fn chosen(recipe: &Recipe, name: Option<&str>, file: &Path) -> Result<String, CliError> {
    let all = names(recipe);
    match (name, all.as_slice()) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err(CliError::message(format!("{} names no data", file.display()))),
        (None, many) => Err(CliError::message(format!(
            "{} has several sources; choose one with --data: {}",
            file.display(),
            many.join(", ")
        ))),
    }
}

/// The `sft` stage that learns from a source: the one asked for, or the first.
fn stage<'a>(recipe: &'a Recipe, source: &str, wanted: Option<&str>) -> Result<Option<(String, &'a Sft)>, CliError> {
    let mut known = Vec::new();
    for (arm, stages) in &recipe.arms {
        for (number, stage) in stages.stages.iter().enumerate() {
            let Stage::Sft(sft) = stage else { continue };
            let label = format!("{arm}/{}", stage.label());
            let asked = match wanted {
                Some(wanted) => wanted == label || wanted == format!("{arm}/{}", stage.folder(number)),
                None => learns_from(recipe, stage, source),
            };
            if asked {
                return Ok(Some((label, sft)));
            }
            known.push(label);
        }
    }
    match wanted {
        None => Ok(None),
        Some(wanted) => Err(CliError::message(format!(
            "--stage {wanted}: the recipe has no such `sft` stage; it has {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        ))),
    }
}

/// Whether a stage takes rows of a source, itself or in a mixture.
pub fn learns_from(recipe: &Recipe, stage: &Stage, source: &str) -> bool {
    let StageData::Source(name) = stage.data() else { return false };
    let mixed = recipe.data.get(name).and_then(|data| data.mix.as_ref()).is_some_and(|mix| mix.of.contains_key(source));
    name == source || mixed
}

fn tokenizer(model: Option<&str>, args: &SourceArgs, sources: &Sources) -> Result<Option<Tokenizer>, CliError> {
    let Some(model) = model else {
        return match &args.chat_template {
            Some(_) => Err(CliError::message("--chat-template needs --model, whose tokenizer it is used with")),
            None => Ok(None),
        };
    };
    let mut tokenizer = temper_run::tokenizer(model, sources)?;
    if let Some(template) = &args.chat_template {
        let file = Path::new(template);
        if file.is_file() {
            let source = std::fs::read_to_string(file).map_err(|e| CliError::io(file, e))?;
            tokenizer.set_chat_template(&source, file)?;
        } else {
            tokenizer.use_chat_template(template)?;
        }
    }
    Ok(Some(tokenizer))
}

/// A word of a recipe, such as `last_turn`, as an argument.
fn word<T: DeserializeOwned>(flag: &str, text: &str) -> Result<T, CliError> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|e| CliError::message(format!("{flag} {text}: {e}")))
}
