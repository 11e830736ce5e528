//! How the chat template begins and ends an assistant turn, found by rendering one.

use crate::{Message, Tokenizer, thinking};

/// The words of the probe; nothing a template would change or a tokenizer would merge with what stands around it.
const REQUEST: &str = "probe request";
const ANSWER: &str = "probe answer";

/// The end of an assistant turn.
#[derive(Clone, Debug)]
pub(crate) enum TurnEnd {
    /// Found.
    Known {
        /// White space that the template puts between generation prompt and content; the model writes it.
        separator: String,
        /// The token that ends the turn.
        stop: u32,
    },
    /// Not found, and why.
    Unknown {
        /// Why.
        what: String,
        /// What to do.
        remedy: String,
    },
}

impl Default for TurnEnd {
    fn default() -> Self {
        unknown("there is no chat template", "Add chat_template.jinja to the model directory")
    }
}

fn unknown(what: impl Into<String>, remedy: impl Into<String>) -> TurnEnd {
    TurnEnd::Unknown { what: what.into(), remedy: remedy.into() }
}

impl TurnEnd {
    /// Renders a dialogue of two turns and reads off what follows the answer: the first special or stop token there ends a
    /// turn; where the template writes none, the end-of-sequence token does.
    pub fn find(tokenizer: &Tokenizer) -> Self {
        if !tokenizer.has_chat_template() {
            return Self::default();
        }
        let none = serde_json::Map::new();
        let prompt = [Message::user(REQUEST)];
        let whole = [Message::user(REQUEST), Message::assistant(ANSWER)];
        let (prompt, whole) = match (tokenizer.render(&prompt, &none, true), tokenizer.render(&whole, &none, false)) {
            (Ok(prompt), Ok(whole)) => (prompt, whole),
            (Err(e), _) | (_, Err(e)) => return unknown(e.to_string(), "Correct the template"),
        };
        let Some(at) = whole.rfind(ANSWER) else {
            return unknown(
                format!("the chat template leaves out the assistant's answer: it renders {whole:?}"),
                "Correct the template",
            );
        };
        let (before, after) = (&whole[..at], &whole[at + ANSWER.len()..]);
        let base = &prompt[..prompt.len() - thinking::prefill(&prompt).len()];
        let Some(between) = before.strip_prefix(base) else {
            return unknown(
                format!(
                    "the chat template's generation prompt is not how an assistant turn begins: with \
                     add_generation_prompt it renders {prompt:?}, with an answer {before:?}"
                ),
                "Correct the template so that a prompt rendered with add_generation_prompt begins the whole dialogue",
            );
        };
        let separator = if between.trim().is_empty() { between } else { "" };
        let stops = tokenizer.configured_stops();
        let ends = |id: &u32| stops.contains(id) || tokenizer.is_special(*id);
        let stop = match tokenizer.ids(after, false) {
            Ok(ids) => ids.into_iter().find(ends).or(stops.first().copied()),
            Err(e) => return unknown(e.to_string(), "Correct the template"),
        };
        match stop {
            Some(stop) => Self::Known { separator: separator.to_owned(), stop },
            None => unknown(
                format!("the chat template ends an assistant turn with {after:?}, and no `eos_token` is set"),
                "Set `eos_token` in tokenizer_config.json to the token that ends a turn",
            ),
        }
    }

    /// The token that ends a turn, where it is known.
    pub fn stop(&self) -> Option<u32> {
        match self {
            Self::Known { stop, .. } => Some(*stop),
            Self::Unknown { .. } => None,
        }
    }
}
