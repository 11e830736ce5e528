//! What tokenizer and chat template do, found by trying it, for checks and for people.

use crate::turn::TurnEnd;
use crate::{Completion, Example, Message, Prompt, Tokenizer, thinking};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::ops::Range;
use temper_recipe::LossOn;
use tokenizers::{OffsetReferential, OffsetType};

/// How a chat template behaves; `None` where it refuses the dialogue that would show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateFacts {
    /// The token that ends an assistant turn.
    pub stop: Option<String>,
    /// Whether the template writes that token itself; otherwise it is the end-of-sequence token, added after the turn.
    pub writes_stop: Option<bool>,
    /// The generation prompt opens the thinking; what it writes, e.g. `"<think>\n"`.
    pub opens_thinking: Option<String>,
    /// Earlier turns lose their thinking.
    pub drops_reasoning: Option<bool>,
    /// The last turn loses its thinking too; it is learned as it would be generated.
    pub drops_own_reasoning: Option<bool>,
    /// A turn without thinking gets an empty one; it is not learned.
    pub inserts_empty_thinking: Option<bool>,
    /// What follows a turn begins with what the turn was: all turns of a dialogue make one example.
    pub prefix_preserving: Option<bool>,
    /// A system turn is accepted.
    pub accepts_system: bool,
    /// Tools of the dialogue and calls of a turn are written.
    pub writes_tools: bool,
    /// A reasoning that a turn holds apart is read; otherwise it is put into the content in think tags.
    pub reads_reasoning: bool,
    /// What the assistant wrote is marked by `{% generation %}` blocks.
    pub marks_generation: bool,
    /// What is rendered depends on the date.
    pub reads_clock: bool,
    /// Marks that the template writes and the vocabulary lacks.
    pub missing_tokens: Vec<String>,
}

const REQUEST: &str = "probe request";
const THOUGHT: &str = "probe thought";
const ANSWER: &str = "probe answer";

/// The turns of the probes.
fn user() -> Message {
    Message::user(REQUEST)
}

fn plain() -> Message {
    Message::assistant(ANSWER)
}

fn thoughtful() -> Message {
    Message::assistant(thinking::join(THOUGHT, ANSWER))
}

fn call() -> Message {
    let mut turn = Message::assistant("");
    let function = json!({"name": "probe_function", "arguments": {"probe": "value"}});
    turn.more.insert("tool_calls".into(), json!([{"type": "function", "id": "probe0000", "function": function}]));
    turn
}

fn tools() -> Map<String, Value> {
    let parameters = json!({"type": "object", "properties": {"probe": {"type": "string"}}});
    let function = json!({"name": "probe_tool", "description": "probes", "parameters": parameters});
    Map::from_iter([("tools".to_owned(), json!([{"type": "function", "function": function}]))])
}

impl Tokenizer {
    /// Control tokens written out in a text, with their byte ranges: special tokens, and added tokens that the chat template
    /// prints. In a user's text they end the turn or begin another.
    pub fn special_in_text(&self, text: &str) -> Vec<(u32, Range<usize>)> {
        let split = self.inner().get_added_vocabulary().extract_and_normalize(self.inner().get_normalizer(), text);
        let splits = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let tokens =
            splits.into_iter().filter_map(|(_, (start, end), tokens)| Some((tokens.as_ref()?.first()?.id, start..end)));
        tokens.filter(|(id, _)| self.is_control(*id)).collect()
    }

    /// Whether padding and end-of-sequence are one token: a mask by token id, as other tools have it, would never learn the end.
    pub fn pad_is_eos(&self) -> bool {
        self.pad().is_some() && self.pad() == self.eos()
    }

    /// Marks like `<|im_start|>` or `[INST]` that the chat template writes and the tokenizer cuts into several tokens, each once.
    /// A model that was not trained with them must learn them as text, and nothing keeps a user from writing them.
    pub fn template_tokens_missing(&self) -> Vec<String> {
        let none = Map::new();
        let tools = tools();
        let mut out: Vec<String> = Vec::new();
        for (messages, variables) in [
            (vec![Message::system(REQUEST), user(), plain(), user()], &none),
            (vec![user(), thoughtful()], &none),
            (vec![user(), call(), Message::new("tool", ANSWER)], &tools),
        ] {
            for generation in [false, true] {
                let text = self.render(&messages, variables, generation).unwrap_or_default();
                for mark in marks(&text) {
                    let single = self.ids(mark, false).is_ok_and(|ids| ids.len() == 1);
                    if !single && !out.iter().any(|m| m == mark) {
                        out.push(mark.to_owned());
                    }
                }
            }
        }
        out
    }

    /// How the chat template behaves; `None` without one.
    pub fn describe(&self) -> Option<TemplateFacts> {
        let template = self.chat_template()?;
        let none = Map::new();
        let render = |messages: &[Message], generation| self.render(messages, &none, generation).ok();
        let context = render(&[user()], true);
        let own = render(&[user(), thoughtful()], false);
        let history = render(&[user(), thoughtful(), user()], true);
        let calls = self.render(&[user(), call()], &tools(), false).unwrap_or_default();
        let examples = |turn: fn() -> Message| self.examples_of(vec![user(), turn(), user(), turn()]);
        let (stop, writes_stop) = match self.turn_end() {
            TurnEnd::Known { stop, written, .. } => (Some(self.token(*stop)), Some(*written)),
            TurnEnd::Unknown { .. } => (None, None),
        };
        Some(TemplateFacts {
            stop,
            writes_stop,
            opens_thinking: context
                .map(|text| thinking::prefill(&text).to_owned())
                .filter(|prefill| !prefill.is_empty()),
            drops_reasoning: history.map(|text| !text.contains(THOUGHT)),
            drops_own_reasoning: own.map(|text| !text.contains(THOUGHT)),
            inserts_empty_thinking: self
                .examples_of(vec![user(), plain()])
                .map(|examples| examples.iter().any(|example| example.closed_thinking)),
            prefix_preserving: examples(plain).zip(examples(thoughtful)).map(|(a, b)| a.len() == 1 && b.len() == 1),
            accepts_system: render(&[Message::system(REQUEST), user()], true)
                .is_some_and(|text| text.matches(REQUEST).count() == 2),
            writes_tools: calls.contains("probe_tool") && calls.contains("probe_function"),
            reads_reasoning: template.reads_reasoning(),
            marks_generation: template.marks_generation(),
            reads_clock: template.reads_clock(),
            missing_tokens: self.template_tokens_missing(),
        })
    }
}

impl Tokenizer {
    /// All assistant turns as examples.
    fn examples_of(&self, messages: Vec<Message>) -> Option<Vec<Example>> {
        self.encode_row(&Prompt::chat(messages), &Completion::Turns(Vec::new()), None, LossOn::Assistant).ok()
    }
}

/// Literals in a text that look like control tokens: `<|…|>`, `<｜…｜>`, and upper-case words in brackets.
fn marks(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for (open, close) in [("<|", "|>"), ("<｜", "｜>"), ("[", "]")] {
        for (at, _) in text.match_indices(open) {
            let inside = &text[at + open.len()..];
            let Some(end) = inside.find(close) else { continue };
            let word = inside[..end].trim_start_matches('/');
            let fits = match open {
                "[" => !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'),
                _ => !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '<'),
            };
            if fits {
                out.push(&text[at..at + open.len() + end + close.len()]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_from_text() {
        let found = marks("<|im_start|>user\n[INST] a [/INST] <| no |> [\"city\"] [1] <｜end▁of▁sentence｜> x[Y");
        assert_eq!(found, ["<|im_start|>", "<｜end▁of▁sentence｜>", "[INST]", "[/INST]"]);
    }
}
