//! Which chat template a model directory means.
//!
//! As `transformers` has it: `chat_template.jinja` wins over `chat_template` of tokenizer_config.json, which is a text or a list
//! of `{name, template}`; `additional_chat_templates/NAME.jinja` stand beside the file. Of several the one named `default` is
//! taken, and for a dialogue with tools the one named `tool_use`.

use crate::chat::ChatTemplate;
use crate::files::{self, Files};
use crate::{TextError, Tokenizer};
use serde_json::{Map, Value};
use std::path::PathBuf;

const DEFAULT: &str = "default";
const TOOLS: &str = "tool_use";

/// A template by name.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    file: PathBuf,
    source: String,
}

/// The templates of a directory, and those in use.
#[derive(Clone, Default)]
pub(crate) struct Templates {
    all: Vec<Named>,
    special: Vec<(String, String)>,
    usual: Option<ChatTemplate>,
    with_tools: Option<ChatTemplate>,
}

impl Templates {
    /// Finds the templates and compiles those that are used. `special` are the named special tokens.
    pub fn find(files: &Files, config: &Map<String, Value>, special: Vec<(String, String)>) -> Result<Self, TextError> {
        let mut out = Self { all: sources(files, config)?, special, ..Self::default() };
        out.usual = out.compiled(DEFAULT)?;
        if out.usual.is_none()
            && let [only] = out.all.as_slice()
        {
            out.usual = Some(out.compile(only)?);
        }
        if out.usual.is_none() && !out.all.is_empty() {
            return Err(TextError::Format {
                file: out.all[0].file.clone(),
                what: format!("the chat templates are named {}, and none \"{DEFAULT}\"", out.names()),
                remedy: "Name the one to use (`chat_template` of the model), or correct the file".into(),
            });
        }
        out.with_tools = out.compiled(TOOLS)?;
        out.share_clock();
        Ok(out)
    }

    /// The template for a dialogue, with tools or without.
    pub fn of(&self, tools: bool) -> Option<&ChatTemplate> {
        self.with_tools.as_ref().filter(|_| tools).or(self.usual.as_ref())
    }

    /// Whether this text stands in one of the templates in use.
    pub fn print(&self, text: &str) -> bool {
        self.usual.iter().chain(&self.with_tools).any(|template| template.source().contains(text))
    }

    fn names(&self) -> String {
        self.all.iter().map(|named| format!("{:?}", named.name)).collect::<Vec<_>>().join(", ")
    }

    fn compiled(&self, name: &str) -> Result<Option<ChatTemplate>, TextError> {
        self.all.iter().find(|named| named.name == name).map(|named| self.compile(named)).transpose()
    }

    fn compile(&self, named: &Named) -> Result<ChatTemplate, TextError> {
        ChatTemplate::new(&named.source, self.special.clone(), &named.file)
    }

    fn share_clock(&mut self) {
        if let (Some(usual), Some(with_tools)) = (&self.usual, &mut self.with_tools) {
            with_tools.share_clock(usual);
        }
    }
}

impl Tokenizer {
    /// The names of the model's chat templates; a single one is named `default`.
    pub fn chat_template_names(&self) -> Vec<&str> {
        self.templates.all.iter().map(|named| named.name.as_str()).collect()
    }

    /// Uses the template of this name for every dialogue. What [`save`](Self::save) writes has it as its only one.
    ///
    /// # Errors
    /// There is no template of this name, or it does not compile.
    pub fn use_chat_template(&mut self, name: &str) -> Result<(), TextError> {
        let Some(named) = self.templates.all.iter().find(|named| named.name == name) else {
            return Err(TextError::Format {
                file: self.dir().to_owned(),
                what: match self.templates.all.is_empty() {
                    true => format!("there is no chat template, and {name:?} is asked for"),
                    false => format!("there is no chat template {name:?}; there are {}", self.templates.names()),
                },
                remedy: "Give one of these names, or the path of a template file".into(),
            });
        };
        self.replace_template(named.clone())
    }

    /// Uses this template for every dialogue; `file` is where it came from, for messages. What [`save`](Self::save) writes has
    /// it as its only one.
    ///
    /// # Errors
    /// It does not compile.
    pub fn set_chat_template(&mut self, source: &str, file: impl Into<PathBuf>) -> Result<(), TextError> {
        self.replace_template(Named { name: DEFAULT.into(), file: file.into(), source: source.into() })
    }

    fn replace_template(&mut self, named: Named) -> Result<(), TextError> {
        let mut template = self.templates.compile(&named)?;
        if let Some(usual) = &self.templates.usual {
            template.share_clock(usual);
        }
        self.files.bytes.retain(|name, _| !name.starts_with(files::MORE_TEMPLATES));
        self.files.bytes.insert(files::TEMPLATE.into(), named.source.clone().into_bytes());
        let special = std::mem::take(&mut self.templates.special);
        self.templates = Templates { all: vec![named], special, usual: Some(template), with_tools: None };
        self.find_turn_end();
        Ok(())
    }
}

/// The templates of a directory by name.
fn sources(files: &Files, config: &Map<String, Value>) -> Result<Vec<Named>, TextError> {
    let mut out = Vec::new();
    for (file, bytes) in &files.bytes {
        let additional = file.strip_prefix(files::MORE_TEMPLATES).and_then(|name| name.strip_suffix(".jinja"));
        let Some(name) = additional.or((file == files::TEMPLATE).then_some(DEFAULT)) else {
            continue;
        };
        match std::str::from_utf8(bytes) {
            Ok(source) => {
                out.push(Named { name: name.into(), file: files.dir.join(file), source: source.into() });
            }
            Err(e) => return Err(files.malformed(file, format!("not UTF-8: {e}"))),
        }
    }
    if !out.is_empty() {
        return Ok(out);
    }
    let named = |name: &str, source: &str| Named {
        name: name.into(),
        file: files.dir.join(files::CONFIG),
        source: source.into(),
    };
    let entry = |entry: &Value| Some(named(entry.get("name")?.as_str()?, entry.get("template")?.as_str()?));
    let listed = match config.get("chat_template") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(source)) => Some(vec![named(DEFAULT, source)]),
        Some(Value::Array(list)) => list.iter().map(entry).collect(),
        Some(_) => None,
    };
    listed.ok_or_else(|| {
        let what = "`chat_template` is neither a text nor a list of {name, template}".into();
        files.malformed(files::CONFIG, what)
    })
}
