//! Chat templates, with the semantics that `transformers` gives them.
//!
//! Jinja with `trim_blocks` and `lstrip_blocks`, loop controls, Python's string and dictionary methods,
//! `raise_exception(message)`, `strftime_now(format)`, `{% generation %}` blocks (rendered as their content) and the filter
//! `tojson(ensure_ascii, indent, separators, sort_keys)` that prints what Python's `json.dumps` prints.

use crate::TextError;
use crate::json;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NAME: &str = "chat_template";
/// No date pinned: `strftime_now` gives the current time.
const NOW: i64 = i64::MIN;

/// A compiled chat template.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    special: Vec<(String, String)>,
    file: PathBuf,
    clock: Arc<AtomicI64>,
    reads_clock: bool,
}

impl ChatTemplate {
    /// Compiles `source`. `special` are the named special tokens that the template may print (`bos_token`, …); `file` is
    /// where the source came from, for messages.
    pub fn new(source: &str, special: Vec<(String, String)>, file: &Path) -> Result<Self, TextError> {
        let clock = Arc::new(AtomicI64::new(NOW));
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|e| compile_error(file, &e))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(python_method);
        environment.add_function("raise_exception", raise_exception);
        let now = clock.clone();
        environment.add_function("strftime_now", move |format: String| strftime_now(&now, &format));
        environment.add_filter("tojson", tojson);
        environment.add_template_owned(NAME, generation_as_content(source)).map_err(|e| compile_error(file, &e))?;
        Ok(Self { environment, special, file: file.to_owned(), clock, reads_clock: source.contains("strftime_now") })
    }

    /// Renders `messages` (an array of objects with `role` and `content`). `kwargs` are further template variables, such as
    /// `tools` or `enable_thinking`.
    pub fn render(
        &self,
        messages: &Json,
        add_generation_prompt: bool,
        kwargs: &Map<String, Json>,
    ) -> Result<String, TextError> {
        let none = || Value::from(());
        let mut context: Vec<(String, Value)> = vec![
            ("tools".into(), none()),
            ("documents".into(), none()),
            ("messages".into(), json::to_template(messages)),
            ("add_generation_prompt".into(), Value::from(add_generation_prompt)),
        ];
        let special = self.special.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str())));
        let kwargs = kwargs.iter().map(|(k, v)| (k.clone(), json::to_template(v)));
        context.extend(special.chain(kwargs));
        self.environment.get_template(NAME).and_then(|t| t.render(Value::from_pairs(context))).map_err(|e| {
            TextError::Template {
                file: self.file.clone(),
                what: format!("the chat template cannot render the dialogue: {}", describe(&e)),
                remedy: "Give turns in the order and with the roles that the template accepts, or correct the template"
                    .into(),
            }
        })
    }

    /// Whether the template prints the date or time, so that what it renders depends on when.
    pub fn reads_clock(&self) -> bool {
        self.reads_clock
    }

    /// Makes `strftime_now` print this moment (seconds since 1970, UTC) from now on, here and in clones, so that a
    /// resumed run renders what it rendered before.
    pub fn pin_clock(&self, unix_seconds: i64) {
        self.clock.store(unix_seconds, Ordering::Relaxed);
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

fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let separators = match options.get::<Option<Vec<String>>>("separators")?.as_deref() {
        None => None,
        Some([item, key]) => Some((item.clone(), key.clone())),
        Some(_) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators are two strings"));
        }
    };
    let style = json::Style {
        ensure_ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        indent: options.get::<Option<usize>>("indent")?,
        separators,
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    json::dumps(value, &style).map(Value::from)
}

/// Python's methods of strings and dictionaries: those of the template engine's compatibility layer, and a few more.
fn python_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = |v: Option<&Value>| v.and_then(|v| v.as_str().map(str::to_owned));
    if value.kind() == ValueKind::String
        && let (Some(s), Some(arg), 1) = (value.as_str(), text(args.first()), args.len())
    {
        match method {
            "removeprefix" => return Ok(Value::from(s.strip_prefix(arg.as_str()).unwrap_or(s))),
            "removesuffix" => return Ok(Value::from(s.strip_suffix(arg.as_str()).unwrap_or(s))),
            "rsplit" if !arg.is_empty() => return Ok(s.split(arg.as_str()).map(Value::from).collect()),
            _ => {}
        }
    }
    pycompat::unknown_method_callback(state, value, method, args)
}

/// `{% generation %}` blocks mark what the assistant wrote. They render as their content: each tag is replaced by an
/// `if true` or `endif` with the same white-space control.
fn generation_as_content(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(open) = rest.find("{%") {
        let (before, tag) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let inside = &tag[2..close];
        let body = inside.trim_start_matches(['-', '+']);
        let left = &inside[..inside.len() - body.len()];
        let name = body.trim_end_matches(['-', '+']);
        let right = &body[name.len()..];
        match name.trim() {
            "generation" => out.push_str(&format!("{{%{left} if true {right}%}}")),
            "endgeneration" => out.push_str(&format!("{{%{left} endif {right}%}}")),
            _ => out.push_str(&tag[..close + 2]),
        }
        rest = &tag[close + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str, messages: Json) -> Result<String, TextError> {
        let template =
            ChatTemplate::new(source, vec![("bos_token".into(), "<s>".into())], Path::new("chat_template.jinja"))?;
        template.render(&messages, true, &Map::new())
    }

    #[test]
    fn generation_blocks_render_as_their_content_and_keep_white_space_control() {
        let source = "{{ bos_token }}\n  {%- generation %}\n  a\n  {%- endgeneration -%}\n\n b";
        assert_eq!(render(source, json!([])).unwrap(), "<s>  ab");
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
        let e = render("a\nb {% if %}", json!([])).unwrap_err();
        assert!(e.to_string().contains("line 2"), "{e}");
    }

    #[test]
    fn the_clock_can_be_pinned() {
        let template = ChatTemplate::new("{{ strftime_now('%d %b %Y') }}", vec![], Path::new("t")).unwrap();
        assert!(template.reads_clock());
        template.clone().pin_clock(1_700_000_000);
        let text = template.render(&json!([]), false, &Map::new()).unwrap();
        assert_eq!(text, "14 Nov 2023");
    }

    #[test]
    fn python_string_methods() {
        let source = "{{ 'a-b-c'.rsplit('-')[-1] }}{{ 'xyz'.removeprefix('x').removesuffix('z') }}\
                      {{ messages[0].content.split('</think>')[-1].lstrip('\\n') }}";
        let out = render(source, json!([{"role": "user", "content": "t</think>\n\nanswer"}]));
        assert_eq!(out.unwrap(), "cyanswer");
    }
}
