//! Rows as the model will see them.

use temper_data::{DataError, ExampleView, RowView, TurnView};
use temper_text::TemplateFacts;

use super::look::{Look, Paint};
use super::table::{pad, width, wrap};
use super::tokens::{self, visible};
use crate::number;

/// Characters of a turn that are shown where its tokens follow, and where they do not.
const BRIEF: usize = 160;
const LONG: usize = 1200;

/// How rows are shown.
#[derive(Clone, Copy, Debug)]
pub struct RowOptions {
    /// Width and colours.
    pub look: Look,
    /// Ids under the tokens.
    pub ids: bool,
    /// Nothing is left out.
    pub full: bool,
}

/// What a chat template does, in a few lines; `facts` is none where there is no template.
pub fn render_template(facts: Option<&TemplateFacts>, look: Look) -> String {
    let Some(facts) = facts else {
        return wrap("template  ", "none: prompts are plain text", look.width);
    };
    let mut said: Vec<String> = Vec::new();
    let yes = |fact: Option<bool>| fact == Some(true);
    match (&facts.stop, facts.writes_stop) {
        (Some(stop), Some(true)) => said.push(format!("ends a turn with {stop}")),
        (Some(stop), _) => said.push(format!("writes no token at the end of a turn; {stop} is added")),
        (None, _) => said.push("has no end of a turn that can be found".into()),
    }
    if let Some(opens) = &facts.opens_thinking {
        said.push(format!("opens the thinking: {}", opens.chars().map(visible).collect::<String>()));
    }
    if yes(facts.drops_own_reasoning) {
        said.push("drops the thinking of every turn (learned turns get theirs back)".into());
    } else if yes(facts.drops_reasoning) {
        said.push("drops the thinking of earlier turns".into());
    }
    if yes(facts.inserts_empty_thinking) {
        said.push("puts an empty thinking before answers without one (not learned)".into());
    }
    if facts.prefix_preserving == Some(false) {
        said.push("rewrites earlier turns, so that each learned turn is an example of its own".into());
    }
    if !facts.accepts_system {
        said.push("takes no system turn".into());
    }
    if facts.writes_tools {
        said.push("writes tools".into());
    }
    if facts.reads_clock {
        said.push("writes the date".into());
    }
    let mut out = wrap("template  ", &said.join("; "), look.width);
    if !facts.missing_tokens.is_empty() {
        let text = format!("prints {}, for which the tokenizer has no single token", facts.missing_tokens.join(", "));
        out.push_str(&look.paint(Paint::Bad, &wrap("          ", &text, look.width)));
    }
    out
}

/// One row.
pub fn render_row(row: &RowView, options: RowOptions) -> String {
    let look = options.look;
    let title =
        if row.place.ends_with(&row.id) { row.place.clone() } else { format!("{} · id {}", row.place, row.id) };
    let mut out = look.rule(&title);
    out.push_str(&wrap("", &format!("{}, {}", row.shape.name(), row.recognised), look.width));
    out.push('\n');
    let brief = !row.examples.is_empty();
    let names = row.turns.iter().map(|turn| width(&turn.role)).max().unwrap_or(0);
    let mut part = "";
    for turn in &row.turns {
        if turn.part != part && !brief && !part.is_empty() {
            out.push('\n');
        }
        part = turn.part;
        out.push_str(&turn_lines(turn, names, brief, options));
    }
    for (number, example) in row.examples.iter().enumerate() {
        out.push('\n');
        if row.examples.len() > 1 {
            let title = format!("example {} of {}", number + 1, row.examples.len());
            out.push_str(&format!("  {}\n", look.paint(Paint::Bold, &title)));
        }
        out.push_str(&tokens::render(&example.tokens, tokens::Options { look, ids: options.ids, full: options.full }));
        out.push('\n');
        out.push_str(&counts(example, row, look));
    }
    for note in &row.notes {
        out.push_str(&look.paint(Paint::Dim, &wrap("  note   ", note, look.width)));
    }
    for problem in &row.problems {
        let (paint, word) = if problem.stops { (Paint::Bad, "  STOP   ") } else { (Paint::Warn, "  warn   ") };
        let what = problem.what.trim_end_matches('.');
        let text = format!("{}: {what}. {}", problem.check.name(), problem.remedy);
        out.push_str(&look.paint(paint, &wrap(word, text.trim(), look.width)));
    }
    out
}

/// A row that could not be read.
pub fn render_unreadable(error: &DataError, look: Look) -> String {
    let place = error.line.map_or(error.file.clone(), |line| format!("{}:{line}", error.file));
    let field = error.field.as_ref().map_or(String::new(), |field| format!("field `{field}`: "));
    let text = format!("{field}{}. {}", error.what.trim_end_matches('.'), error.remedy);
    look.rule(&format!("{place} · not readable")) + &look.paint(Paint::Bad, &wrap("  STOP   ", &text, look.width))
}

/// A turn in one line where its tokens follow, else as a paragraph.
fn turn_lines(turn: &TurnView, names: usize, brief: bool, options: RowOptions) -> String {
    let look = options.look;
    let mark = if turn.part == "prompt" { " " } else { "→" };
    let mut text = turn.text.clone();
    if !turn.calls.is_empty() {
        text = format!("{text} [calls {}]", turn.calls.join(", "));
    }
    if let Some(train) = turn.train {
        text = format!("[train: {train}] {text}");
    }
    let name = format!("{mark} {}  ", pad(&turn.role, names));
    let columns = look.width.saturating_sub(width(&name)).max(16);
    let painted = look.paint(if turn.part == "prompt" { Paint::Name } else { Paint::Good }, &name);
    if brief {
        let line: String = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .flat_map(|c| visible(c).chars().collect::<Vec<_>>())
            .collect();
        let size = format!("  ({})", number::count(turn.text.chars().count(), "character"));
        let line = shorten(&line, BRIEF.min(columns.saturating_sub(width(&size))));
        return format!("{painted}{line}{}\n", look.paint(Paint::Dim, &size));
    }
    let text = if options.full { text } else { middle(&text, LONG) };
    let lines: Vec<String> =
        text.lines().map(|line| wrap("", &line.chars().map(visible).collect::<String>(), columns)).collect();
    let lines = lines.concat();
    let indent = " ".repeat(width(&name));
    let mut out = String::new();
    for (number, line) in lines.lines().enumerate() {
        let before = if number == 0 { painted.as_str() } else { indent.as_str() };
        out.push_str(format!("{before}{line}").trim_end());
        out.push('\n');
    }
    if out.is_empty() { format!("{painted}{}\n", look.paint(Paint::Dim, "(empty)")) } else { out }
}

/// A text of at most so many columns, with its end left out.
fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > columns {
            break;
        }
        out.push(c);
    }
    out + "…"
}

/// A text with its middle left out, and how much that is.
fn middle(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most + most / 10 {
        return text.to_owned();
    }
    let head: String = text.chars().take(most * 2 / 3).collect();
    let tail: String = text.chars().skip(count - most / 3).collect();
    format!("{head} … {} … {tail}", number::count(count - most * 2 / 3 - most / 3, "character"))
}

/// How many tokens there are, and how the learned turns end.
fn counts(example: &ExampleView, row: &RowView, look: Look) -> String {
    let all = example.tokens.len();
    let share = if all == 0 { 0.0 } else { 100.0 * example.learned as f64 / all as f64 };
    let text = match example.learned {
        0 => format!("{}, none learned", number::count(all, "token")),
        learned => format!(
            "{}: {} before what is learned, {} learned ({share:.0} %)",
            number::count(all, "token"),
            number::grouped(example.prompt_tokens as f64),
            number::grouped(learned as f64)
        ),
    };
    let mut out = wrap("  ", &text, look.width);
    for turn in &example.turns {
        let role = row.turns.get(turn.turn).map_or("text", |turn| turn.role.as_str());
        let end = match (&turn.stop, turn.stop_id) {
            (Some(stop), Some(id)) if turn.stop_learned => format!("ends with {stop} ({id}), learned"),
            (Some(stop), Some(id)) => format!("ends with {stop} ({id}), not learned"),
            _ => "is cut: no stop token at its end".into(),
        };
        let text = format!(
            "turn {} ({role}): tokens {} to {}, {} learned, {end}",
            turn.turn + 1,
            turn.begin + 1,
            turn.end,
            turn.learned
        );
        out.push_str(&look.paint(Paint::Dim, &wrap("  ", &text, look.width)));
    }
    out
}
