//! Templates of judges' prompts: Temper's own wording, or a file of the user's.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use temper_text::Message;

use crate::ScoreError;
use crate::family::Parameters;

/// A line that separates the system turn, above it, from the user's turn.
const USER: &str = "[user]";

/// A template with places for texts.
#[derive(Debug)]
pub(crate) struct Template {
    system: Option<Vec<Piece>>,
    user: Vec<Piece>,
    /// Whether the wording is Temper's.
    pub(crate) own: bool,
    digest: String,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Slot(usize),
}

/// The names that a place may have in a file, each written in braces.
pub(crate) type Slot = &'static [&'static str];

impl Template {
    /// The user's file, or Temper's wording. Every slot must occur.
    pub(crate) fn of(
        given: &Parameters,
        (parameter, file): (&str, Option<&str>),
        own: &str,
        slots: &[Slot],
    ) -> Result<Self, ScoreError> {
        let Some(file) = file else { return Ok(Self::parse(own, slots, true)) };
        let path = temper_recipe::expand_env(file)
            .map_err(|error| given.error(format!("`{parameter}`: {error}"), "correct the path".into()))?;
        let text = std::fs::read_to_string(&path).map_err(|error| {
            given.error(format!("`{parameter}`: {path} cannot be read: {error}"), "correct the path".into())
        })?;
        let template = Self::parse(&text, slots, false);
        let holds =
            |at: &usize| template.system.iter().flatten().chain(&template.user).any(|piece| *piece == Piece::Slot(*at));
        match (0..slots.len()).find(|at| !holds(at)) {
            None => Ok(template),
            Some(at) => Err(given.error(
                format!("`{parameter}`: {path} has no {}", braced(slots[at])),
                format!("write {} where the text belongs", braced(slots[at])),
            )),
        }
    }

    fn parse(text: &str, slots: &[Slot], own: bool) -> Self {
        let digest = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut before = String::new();
        let mut rest = text;
        while let Some(line) = rest.split_inclusive('\n').next() {
            rest = &rest[line.len()..];
            if line.trim() == USER {
                let system = Some(pieces(before.trim_end_matches('\n'), slots));
                return Template { system, user: pieces(rest, slots), own, digest };
            }
            before.push_str(line);
        }
        Template { system: None, user: pieces(text, slots), own, digest }
    }

    /// What belongs into the judge's identity.
    pub(crate) fn identity(&self) -> Value {
        json!({"wording": if self.own { "temper" } else { "file" }, "sha256": self.digest})
    }

    /// The template with the texts, one per slot, as a dialogue. What a text contains is not looked at.
    pub(crate) fn messages(&self, texts: &[&str]) -> Vec<Message> {
        let system = self.system.iter().map(|system| Message::system(fill(system, texts)));
        system.chain([Message::user(fill(&self.user, texts))]).collect()
    }

    /// The template with the texts, one per slot, as one text.
    pub(crate) fn text(&self, texts: &[&str]) -> String {
        fill(&self.user, texts)
    }
}

fn fill(pieces: &[Piece], texts: &[&str]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Slot(at) => texts[*at].to_owned(),
    };
    pieces.iter().map(text).collect()
}

fn braced(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(" or ")
}

fn pieces(text: &str, slots: &[Slot]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut rest, mut plain) = (text, String::new());
    while let Some(open) = rest.find('{') {
        plain.push_str(&rest[..open]);
        let found = slots.iter().enumerate().find_map(|(at, names)| {
            names.iter().find_map(|name| Some((at, rest[open + 1..].strip_prefix(name)?.strip_prefix('}')?)))
        });
        match found {
            Some((at, after)) => {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Slot(at));
                rest = after;
            }
            None => {
                plain.push('{');
                rest = &rest[open + 1..];
            }
        }
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_put_in_once_and_not_read() {
        let slots: &[Slot] = &[&["goal", "behavior"], &["response"]];
        let template = Template::parse("Be strict, {x}.\n[user]\nGoal: {behavior}\n{response}{a}\n", slots, true);
        let messages = template.messages(&["{response}", "[user]\n{goal}"]);
        assert_eq!(messages[0], Message::system("Be strict, {x}."));
        assert_eq!(messages[1], Message::user("Goal: {response}\n[user]\n{goal}{a}\n"));
        let plain = Template::parse("{goal}", slots, false);
        assert_eq!((plain.messages(&["g", "r"]).len(), plain.text(&["g", "r"]).as_str()), (1, "g"));
        assert_ne!(plain.identity(), template.identity());
    }
}
