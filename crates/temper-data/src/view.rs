//! A row as the model will see it, to be looked at.

use crate::{Encoding, Row};
use serde::Serialize;
use temper_recipe::{Check, DataSource, Shape};
use temper_text::{Completion, Example, Message, Pieces, Prompt};

/// A row with its turns, its tokens and what the checks say of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowView {
    /// `file:line`.
    pub place: String,
    /// Its id.
    pub id: String,
    /// How it was understood.
    pub shape: Shape,
    /// By what.
    pub recognised: String,
    /// What is said, in order.
    pub turns: Vec<TurnView>,
    /// What it becomes in training; of a row that only asks, the prompt; empty without a tokenizer.
    pub examples: Vec<ExampleView>,
    /// What the checks found.
    pub problems: Vec<ProblemView>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// One turn, or a plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnView {
    /// `prompt`, `completion` or `rejected`.
    pub part: &'static str,
    /// The role; `text` for a plain text.
    pub role: String,
    /// What is said, with reasoning that is held apart in think tags.
    pub text: String,
    /// The functions that it calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// Whether the data marks it as to be learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<bool>,
}

/// One training example, or a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExampleView {
    /// The text of all tokens.
    pub text: String,
    /// Tokens before the first turn that is learned.
    pub prompt_tokens: usize,
    /// Tokens that are learned.
    pub learned: usize,
    /// The tokens.
    pub tokens: Vec<TokenView>,
    /// The turns that are learned.
    pub turns: Vec<LearnedView>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// Its id.
    pub id: u32,
    /// Its text; bytes that are a part of a character are written `⟨E5⟩`.
    pub text: String,
    /// Whether it is a special token.
    pub special: bool,
    /// Whether it is learned.
    pub learned: bool,
}

/// A turn that is learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LearnedView {
    /// Its place among the turns of prompt and completion, from 0.
    pub turn: usize,
    /// Its first token.
    pub begin: usize,
    /// The token after its last one.
    pub end: usize,
    /// How many of them are learned.
    pub learned: usize,
    /// The stop token that it ends with; none where it was cut.
    pub stop: Option<String>,
    /// That token's id.
    pub stop_id: Option<u32>,
    /// Whether the stop token is learned.
    pub stop_learned: bool,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemView {
    /// The check.
    pub check: Check,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Whether it stops a run.
    pub stops: bool,
}

impl RowView {
    /// The row without tokens.
    pub fn of(row: &Row, source: &DataSource) -> Self {
        let mut turns = match &row.prompt {
            Prompt::Text(text) if text.is_empty() => Vec::new(),
            Prompt::Text(text) => vec![TurnView::text("prompt", "text", text)],
            Prompt::Chat(dialogue) => dialogue.messages.iter().map(|m| TurnView::of("prompt", m)).collect(),
        };
        let chat = matches!(row.prompt, Prompt::Chat(_));
        for (part, completion) in [("completion", &row.completion), ("rejected", &row.rejected)] {
            match completion {
                None => {}
                Some(Completion::Text(text)) => {
                    turns.push(TurnView::text(part, if chat { "assistant" } else { "text" }, text));
                }
                Some(Completion::Turns(messages)) => turns.extend(messages.iter().map(|m| TurnView::of(part, m))),
            }
        }
        Self {
            place: row.place(),
            id: row.id.clone(),
            shape: row.shape,
            recognised: recognised(row, source),
            turns,
            examples: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The row with its tokens: the examples that are trained on; where the checks leave none, those that would have been; of
    /// a row without a completion the prompt as it is sampled from.
    pub fn encoded(row: &Row, source: &DataSource, encoding: &Encoding, pieces: &Pieces) -> Self {
        let mut view = Self::of(row, source);
        let encoded = encoding.row_or_prompt(row);
        view.problems = encoded
            .problems
            .iter()
            .map(|problem| ProblemView {
                check: problem.check,
                what: problem.what.clone(),
                remedy: problem.remedy.clone(),
                stops: !encoding.allow.contains(&problem.check),
            })
            .collect();
        let mut note = |yes: bool, text: String| {
            if yes {
                view.notes.push(text);
            }
        };
        let limit = encoding.max_length.unwrap_or(usize::MAX);
        note(row.completion.is_none(), "nothing is learned: the row only asks, and this is what it asks with".into());
        note(row.rejected.is_some(), "a preference: the chosen completion is shown; the rejected one is not".into());
        note(
            encoded.cut > 0,
            format!("cut at {limit} of {} tokens; the end and its stop token are not learned", encoded.tokens),
        );
        note(encoded.dropped > 0, format!("left out: longer than {limit} tokens"));
        note(
            encoded.other_ids,
            "retokenised: the completion's text would give other ids; the sampled ids, which the row brings, are learned".into(),
        );
        note(
            encoded.drift,
            "drift: the text in one piece would give other ids where prompt and completion meet; they are tokenised apart, as \
             in sampling"
                .into(),
        );
        note(
            encoded.closed_thinking,
            "the completion has no thinking; an empty one stands before it, closed and not learned".into(),
        );
        let mut examples = encoded.examples;
        if examples.is_empty() {
            examples = match &row.completion {
                Some(completion) => encoding
                    .tokenizer
                    .encode_row(&row.prompt, completion, row.completion_ids.as_deref(), encoding.loss_on)
                    .unwrap_or_default(),
                None => encoding
                    .tokenizer
                    .encode_prompt(&row.prompt)
                    .map(|prompt| vec![unlearned(prompt.ids)])
                    .unwrap_or_default(),
            };
        }
        if examples.len() > 1 {
            view.notes.push(format!(
                "{} examples: the chat template renders what precedes a turn otherwise than it was when the earlier turns were \
                 written",
                examples.len()
            ));
        }
        view.examples = examples.iter().map(|example| ExampleView::of(example, encoding, pieces)).collect();
        view
    }
}

fn unlearned(ids: Vec<u32>) -> Example {
    Example { trainable: vec![false; ids.len()], prompt_len: ids.len(), ids, ..Example::default() }
}

impl TurnView {
    fn text(part: &'static str, role: &str, text: &str) -> Self {
        Self { part, role: role.into(), text: text.into(), calls: Vec::new(), train: None }
    }

    fn of(part: &'static str, message: &Message) -> Self {
        Self {
            part,
            role: message.role.clone(),
            text: message.text().into_owned(),
            calls: message.calls().into_iter().map(str::to_owned).collect(),
            train: message.train,
        }
    }
}

impl ExampleView {
    fn of(example: &Example, encoding: &Encoding, pieces: &Pieces) -> Self {
        let tokenizer = encoding.tokenizer;
        let stops = tokenizer.stop_ids();
        let count = example.ids.len();
        let tokens = example.ids.iter().zip(&example.trainable).map(|(id, learned)| TokenView {
            id: *id,
            text: shown(&pieces.bytes(*id)),
            special: tokenizer.is_special(*id),
            learned: *learned,
        });
        let turns = example.turns.iter().map(|turn| {
            let (begin, end) = (turn.tokens.start.min(count), turn.tokens.end.min(count));
            let last =
                (end == turn.tokens.end && end > begin).then(|| end - 1).filter(|at| stops.contains(&example.ids[*at]));
            LearnedView {
                turn: turn.turn,
                begin,
                end,
                learned: example.trainable[begin..end].iter().filter(|mark| **mark).count(),
                stop: last.map(|at| tokenizer.token(example.ids[at])),
                stop_id: last.map(|at| example.ids[at]),
                stop_learned: last.is_some_and(|at| example.trainable[at]),
            }
        });
        Self {
            text: tokenizer.decode(&example.ids, false),
            prompt_tokens: example.prompt_len.min(count),
            learned: example.targets(),
            tokens: tokens.collect(),
            turns: turns.collect(),
        }
    }
}

/// Bytes as text, those that are no whole character in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.push_str(&format!("⟨{byte:02X}⟩"));
        }
    }
    out
}

/// What told how to understand a row.
fn recognised(row: &Row, source: &DataSource) -> String {
    if row.file.starts_with("lab:") {
        return "as the lab makes it".into();
    }
    if source.template.is_some() {
        return "by the source's `template`".into();
    }
    if source.shape.is_some() {
        return "as the source's `shape` says".into();
    }
    let columns = serde_json::to_value(&source.columns).unwrap_or_default();
    let about = ["id", "answer", "system", "tools", "chat_template_kwargs"];
    let named: Vec<String> = columns
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(part, _)| !about.contains(&part.as_str()))
        .filter_map(|(part, column)| Some(format!("{part}={}", column.as_str()?)))
        .collect();
    if !named.is_empty() {
        return format!("by the columns {}", named.join(", "));
    }
    let fields: Vec<&str> = row.shape.fields().iter().copied().filter(|name| row.fields.contains_key(*name)).collect();
    format!("by the fields {}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_of_characters_are_written_as_bytes() {
        let bytes = "a出".as_bytes();
        assert_eq!(shown(&bytes[..2]), "a⟨E5⟩");
        assert_eq!(shown(&bytes[2..]), "⟨87⟩⟨BA⟩");
        assert_eq!(shown(bytes), "a出");
    }

    #[test]
    fn a_row_says_how_it_was_understood() {
        let fields = json!({"question": "1+1?", "prompt": "x", "completion": "2"});
        let row = Row {
            file: "f.jsonl".into(),
            line: 3,
            shape: Shape::PromptCompletion,
            prompt: Prompt::user("1+1?"),
            completion: Some("2".into()),
            fields: fields.as_object().unwrap().clone(),
            ..Row::default()
        };
        let mut source = DataSource::default();
        let view = RowView::of(&row, &source);
        assert_eq!((view.place.as_str(), view.recognised.as_str()), ("f.jsonl:3", "by the fields prompt, completion"));
        let turns: Vec<_> = view.turns.iter().map(|t| (t.part, t.role.as_str(), t.text.as_str())).collect();
        assert_eq!(turns, [("prompt", "user", "1+1?"), ("completion", "assistant", "2")]);
        source.columns.prompt = Some("question".into());
        source.columns.id = Some("n".into());
        assert_eq!(RowView::of(&row, &source).recognised, "by the columns prompt=question");
        source.template = Some("{question}".into());
        assert_eq!(RowView::of(&row, &source).recognised, "by the source's `template`");
    }
}
