//! Chat templates, with the semantics that `transformers` gives them.
//!
//! Jinja with `trim_blocks` and `lstrip_blocks`, loop controls, Python's methods, filters and tests ([`python`]),
//! `raise_exception(message)`, `strftime_now(format)`, `{% generation %}` blocks ([`generation`]) and the filter
//! `tojson(ensure_ascii, indent, separators, sort_keys)` that prints what Python's `json.dumps` prints.

mod generation;
mod methods;
mod python;
mod reasoning;
mod turns;

use crate::TextError;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
pub(crate) use turns::Turns;

const NAME: &str = "chat_template";
/// No date pinned: `strftime_now` gives the current time.
const NOW: i64 = i64::MIN;
/// Stands at the end of a turn that is to be continued, until it is found again in the rendered text.
const CONTINUED: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// A compiled chat template.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: Arc<str>,
    special: Vec<(String, String)>,
    file: PathBuf,
    clock: Arc<AtomicI64>,
    reads_reasoning: bool,
    marks_generation: bool,
}

impl ChatTemplate {
    /// Compiles `source`. `special` are the named special tokens that the template may print (`bos_token`, …); `file` is
    /// where the source came from, for messages.
    ///
    /// # Errors
    /// The source is not a template.
    pub fn new(source: &str, special: Vec<(String, String)>, file: &Path) -> Result<Self, TextError> {
        let clock = Arc::new(AtomicI64::new(NOW));
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| compile_error(file, &e))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        python::install(&mut environment);
        environment.add_function("raise_exception", raise_exception);
        let now = clock.clone();
        environment.add_function("strftime_now", move |format: String| strftime_now(&now, &format));
        environment.add_function(generation::FUNCTION, generation::block);
        let (rewritten, marks_generation) = generation::as_calls(source);
        environment.add_template_owned(NAME, rewritten).map_err(|e| compile_error(file, &e))?;
        Ok(Self {
            environment,
            source: source.into(),
            special,
            file: file.to_owned(),
            clock,
            reads_reasoning: reasoning::is_read(source),
            marks_generation,
        })
    }

    /// Renders `messages` (an array of objects with `role` and `content`) as `apply_chat_template(tokenize=False)` does:
    /// members that are null are left out, and a reasoning goes by the names `reasoning_content` and `thinking`. `variables`
    /// are further template variables, such as `tools` or `enable_thinking`.
    ///
    /// # Errors
    /// The template refuses the dialogue.
    pub fn render(
        &self,
        messages: &Json,
        add_generation_prompt: bool,
        variables: &Map<String, Json>,
    ) -> Result<String, TextError> {
        let turns = Turns::of_json(self, messages, variables);
        turns.render(turns.len(), add_generation_prompt)
    }

    /// As [`render`](Self::render) without a generation prompt, with the byte ranges of the text that stand in
    /// `{% generation %}` blocks: what `return_assistant_tokens_mask` marks. No range where the template has no such block.
    ///
    /// # Errors
    /// The template refuses the dialogue.
    pub fn render_with_spans(
        &self,
        messages: &Json,
        variables: &Map<String, Json>,
    ) -> Result<(String, Vec<Range<usize>>), TextError> {
        let turns = Turns::of_json(self, messages, variables);
        let plain = turns.render(turns.len(), false)?;
        if !self.marks_generation {
            return Ok((plain, Vec::new()));
        }
        let marks = generation::marks(&plain);
        let marked = turns.render_with(turns.len(), false, Some(&marks))?;
        generation::spans(&marked, &marks, &plain)
            .map(|spans| (plain, spans))
            .ok_or_else(|| self.refusal("the text of a `{% generation %}` block is changed after the block"))
    }

    /// As [`render`](Self::render) with `continue_final_message=True`: the text ends with the content of the last turn, which
    /// the model goes on with.
    ///
    /// # Errors
    /// The template refuses the dialogue; there is no last turn with a text; the template does not print that text.
    pub fn render_continued(&self, messages: &Json, variables: &Map<String, Json>) -> Result<String, TextError> {
        let last = messages.as_array().and_then(|turns| turns.last());
        let Some(content) = last.and_then(|turn| turn.get("content")).and_then(Json::as_str) else {
            return Err(self.refusal("`continue_final_message` is set, and the last turn has no text to continue"));
        };
        let mut tagged = messages.clone();
        if let Some(slot) = tagged.as_array_mut().and_then(|turns| turns.last_mut()?.get_mut("content")) {
            *slot = Json::from(format!("{content}{CONTINUED}"));
        }
        let mut text = self.render(&tagged, false, variables)?;
        match text.rfind(CONTINUED.trim_end()) {
            Some(at) if text.contains(content.trim()) => {
                let kept = text[at..].starts_with(CONTINUED);
                text.truncate(at);
                if !kept {
                    text.truncate(text.trim_end().len());
                }
                Ok(text)
            }
            _ => {
                Err(self
                    .refusal("`continue_final_message` is set, and the template does not print the last turn's text"))
            }
        }
    }

    /// The source, as it was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the template marks what the assistant wrote with `{% generation %}` blocks.
    pub fn marks_generation(&self) -> bool {
        self.marks_generation
    }

    /// Whether the template reads a reasoning that a turn holds apart from its content.
    pub fn reads_reasoning(&self) -> bool {
        self.reads_reasoning
    }

    /// Whether the template prints the date or time, so that what it renders depends on when.
    pub fn reads_clock(&self) -> bool {
        self.source.contains("strftime_now")
    }

    /// Makes `strftime_now` print this moment (seconds since 1970, UTC) from now on, here and in clones, so that a
    /// resumed run renders what it rendered before.
    pub fn pin_clock(&self, unix_seconds: i64) {
        self.clock.store(unix_seconds, Ordering::Relaxed);
    }

    /// The template refuses a dialogue.
    pub(crate) fn refusal(&self, what: &str) -> TextError {
        TextError::Template {
            file: self.file.clone(),
            what: format!("the chat template cannot render the dialogue: {what}"),
            remedy: "Give turns in the order and with the roles that the template accepts, or correct the template"
                .into(),
        }
    }

    /// What a template does to a dialogue that makes it impossible to learn from.
    pub(crate) fn obstacle(&self, what: String, remedy: &str) -> TextError {
        TextError::Template { file: self.file.clone(), what, remedy: remedy.into() }
    }
}

fn compile_error(file: &Path, error: &Error) -> TextError {
    TextError::Template {
        file: file.to_owned(),
        what: format!("the chat template is not valid: {}", describe(error)),
        remedy: "Correct the template, or take the file from the model's authors".into(),
    }
}

/// An error of the template engine with its line, without its excerpt of the source.
fn describe(error: &Error) -> String {
    let text = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("{text} (line {line} of the template)"),
        None => text,
    }
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime_now(clock: &AtomicI64, format: &str) -> Result<String, Error> {
    let invalid = |e: jiff::Error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now({format:?}): {e}"));
    let moment = match clock.load(Ordering::Relaxed) {
        NOW => jiff::Zoned::now(),
        seconds => jiff::Timestamp::from_second(seconds).map_err(invalid)?.to_zoned(jiff::tz::TimeZone::UTC),
    };
    jiff::fmt::strtime::format(format, &moment).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::new(source, vec![("bos_token".into(), "<s>".into())], Path::new("chat_template.jinja")).unwrap()
    }

    fn render(source: &str, messages: Json) -> Result<String, TextError> {
        template(source).render(&messages, true, &Map::new())
    }

    #[test]
    fn an_exception_of_the_template_is_shown_with_its_line() {
        let e = render("x\n{{ raise_exception('turns must alternate') }}", json!([])).unwrap_err();
        let text = e.to_string();
        assert!(text.contains("turns must alternate (line 2"), "{text}");
        assert!(text.contains("chat_template.jinja"), "{text}");
    }

    #[test]
    fn a_template_that_does_not_compile_names_the_line() {
        let e = ChatTemplate::new("a\nb {% if %}", vec![], Path::new("t")).err().unwrap();
        assert!(e.to_string().contains("line 2"), "{e}");
    }

    #[test]
    fn the_clock_can_be_pinned() {
        let template = template("{{ strftime_now('%d %b %Y') }}");
        assert!(template.reads_clock());
        template.clone().pin_clock(1_700_000_000);
        let text = template.render(&json!([]), false, &Map::new()).unwrap();
        assert_eq!(text, "14 Nov 2023");
    }

    #[test]
    fn a_last_turn_is_continued_where_it_ends() {
        let source = "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}";
        let go = |content| template(source).render_continued(&json!([{"role": "a", "content": content}]), &Map::new());
        assert_eq!(go("one").unwrap(), "[one");
        assert_eq!(go("one ").unwrap(), "[one");
        let gone = template("nothing").render_continued(&json!([{"role": "a", "content": "x"}]), &Map::new());
        assert!(gone.unwrap_err().to_string().contains("does not print the last turn's text"));
        assert!(template(source).render_continued(&json!([]), &Map::new()).is_err());
    }
}
