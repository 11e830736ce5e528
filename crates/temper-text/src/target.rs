//! What the model is to write as a turn: what the template writes of it, or the turn as it would be generated.

use crate::chat::Turns;
use crate::error::excerpt;
use crate::thinking::{self, CLOSE, OPEN};
use crate::{Message, TextError, Tokenizer};
use temper_recipe::LossOn;

const TOOLS: &str =
    "Use a chat template that writes `tool_calls` (`chat_template` of the model), or write the calls into the content";
const TEXT: &str = "Use a chat template that writes content and tool calls, or remove the turn's content";
const REASONING: &str = "Use a chat template that keeps it, or learn the answer alone (`loss_on: answer`)";
const OFF: &str = "Leave out `enable_thinking: false`, or learn the answer alone (`loss_on: answer`)";
const PROMPT: &str =
    "Correct the template so that a prompt rendered with add_generation_prompt begins the whole dialogue";

/// What follows a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// An empty thinking, or its end, that is not in the data; in the ids, never learned.
    pub given: String,
    /// What the model writes.
    pub text: String,
    /// The token that ends it; `None` where the template has written one at the end of `text`.
    pub stop: Option<u32>,
    /// Ids to take instead of those of `text`.
    pub sampled: Option<&'a [u32]>,
}

impl Target<'_> {
    /// A text as the model would write it after a prompt that has written `prefill` of it. A `<think>` is not opened twice;
    /// where the text has no thinking, the one that the prompt opened is closed.
    pub fn continuing(prefill: &str, separator: &str, said: &str, stop: u32) -> Self {
        let learn = |given: &str, text: String| Self { given: given.to_owned(), text, stop: Some(stop), sampled: None };
        if prefill.is_empty() {
            return learn("", format!("{separator}{said}"));
        }
        let opened_space = &prefill[OPEN.len()..];
        if let Some(rest) = said.trim_start().strip_prefix(OPEN) {
            return learn("", rest.strip_prefix(opened_space).unwrap_or(rest).to_owned());
        }
        if said.contains(CLOSE) {
            return learn("", said.to_owned());
        }
        learn(if opened_space.ends_with('\n') { "\n</think>\n\n" } else { "</think>\n\n" }, said.to_owned())
    }
}

impl Tokenizer {
    /// What the model is to write as a turn, after `context`.
    pub(crate) fn target<'a>(
        &self,
        turns: &Turns,
        turn: usize,
        message: &Message,
        context: &str,
        sampled: Option<&'a [u32]>,
        loss_on: LossOn,
    ) -> Result<Target<'a>, TextError> {
        let said = message.text();
        let calls = message.calls();
        if calls.is_empty() {
            self.check_said(&said, context)?;
        }
        let prefill = thinking::prefill(context);
        let generated = || {
            let (stop, separator) = self.turn_stop()?;
            Ok(Target::continuing(prefill, separator, &said, stop))
        };
        if sampled.is_some() && calls.is_empty() {
            return Ok(Target { sampled, ..generated()? });
        }
        let whole = turns.render(turn + 1, false)?;
        let obstacle = |what: &str, remedy: &str| {
            let turn = turn + 1;
            turns.template().obstacle(format!("the chat template{what} (turn {turn}, {:?})", excerpt(&said)), remedy)
        };
        let stop = || match self.turn_stop() {
            Ok((stop, _)) => Ok(stop),
            Err(e) => self.configured_stops().first().copied().ok_or(e),
        };
        let rendered = |given: &str, tail: &str| -> Result<Target<'a>, TextError> {
            // What follows the token that ends the turn is the next turn's.
            let text = tail.trim_end();
            let ends = |token: &String| text.ends_with(token.as_str()) && !said.trim_end().ends_with(token.as_str());
            let stop = if self.special_texts().iter().any(ends) { None } else { Some(stop()?) };
            Ok(Target { given: given.to_owned(), text: text.to_owned(), stop, sampled })
        };
        let called = |tail: &str| calls.iter().all(|name| tail.contains(name));
        let thought = said.contains(CLOSE);
        let answer_only = loss_on == LossOn::Answer;

        if let Some(tail) = whole.strip_prefix(context) {
            let (given, tail) = tail.split_at(if thought { 0 } else { empty_thinking(tail, prefill, &said) });
            let lost = lost(&said, tail);
            if calls.is_empty() {
                // A thinking that the prompt opened and the template then neither uses nor closes.
                let open = !prefill.is_empty() && !thought && given.is_empty();
                return if lost == Lost::Nothing && !open { rendered(given, tail) } else { generated() };
            }
            return match lost {
                _ if !called(tail) => Err(obstacle(" drops the turn's tool calls", TOOLS)),
                Lost::Answer => Err(obstacle(" drops the text of a turn with tool calls", TEXT)),
                Lost::Thinking if !answer_only => {
                    Err(obstacle(" drops the reasoning of a turn with tool calls", REASONING))
                }
                _ => rendered(given, tail),
            };
        }
        if let Some(tail) =
            whole.strip_prefix(&context[..context.len() - prefill.len()]).filter(|_| !prefill.is_empty())
        {
            return match lost(&said, tail) {
                _ if calls.is_empty() => generated(),
                _ if !called(tail) => Err(obstacle(" drops the turn's tool calls", TOOLS)),
                Lost::Answer => Err(obstacle(" drops the text of a turn with tool calls", TEXT)),
                Lost::Thinking if !answer_only => {
                    Err(obstacle(" drops the reasoning of a turn with tool calls", REASONING))
                }
                _ => rendered(&Target::continuing(prefill, "", "", 0).given, tail),
            };
        }
        let closed = context.trim_end().strip_suffix(CLOSE).map(str::trim_end).and_then(|c| c.strip_suffix(OPEN));
        if let Some(tail) = closed.and_then(|base| whole.strip_prefix(base)) {
            let (_, answer) = tail.rsplit_once(CLOSE).unwrap_or(("", tail));
            return match thinking::split(&said).thinking.is_some_and(|t| !t.is_empty()) {
                true if !answer_only => {
                    Err(obstacle(" closes the thinking in its generation prompt, and the turn has one", OFF))
                }
                _ if !called(answer) => Err(obstacle(" drops the turn's tool calls", TOOLS)),
                _ => rendered("", answer.trim_start()),
            };
        }
        // The template renders the turns before otherwise once this one follows (Mistral moves the system text); the model
        // writes the turn after the generation prompt all the same.
        match calls.is_empty() {
            true => generated(),
            false => Err(obstacle("'s generation prompt is not how a turn with tool calls begins", PROMPT)),
        }
    }

    /// Refuses to tell thinking from answer where the template writes the thinking without think tags.
    pub(crate) fn check_tags(
        &self,
        turns: &Turns,
        turn: usize,
        message: &Message,
        target: &Target,
        loss_on: LossOn,
    ) -> Result<(), TextError> {
        if !matches!(loss_on, LossOn::Thinking | LossOn::Answer) {
            return Ok(());
        }
        let said = message.text();
        let thought = thinking::split(&said).thinking.filter(|thought| !thought.is_empty());
        let untagged =
            |thought: &str| target.text.contains(thought) && !target.text.contains(CLOSE) && said.contains(CLOSE);
        if !thought.is_some_and(untagged) {
            return Ok(());
        }
        let what = format!(
            "the chat template writes the thinking of turn {} without {CLOSE}, so that it cannot be told from the answer ({:?})",
            turn + 1,
            excerpt(&target.text)
        );
        Err(turns
            .template()
            .obstacle(what, "Learn the whole completion (`loss_on: completion`), or use another chat template"))
    }
}

/// What of a turn's text a template leaves out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    Thinking,
    Answer,
}

/// Whether every piece of `said` between think tags stands in `tail`, in order, white space around it aside.
fn lost(said: &str, tail: &str) -> Lost {
    // Most templates write a turn as it is, and to see that takes no search.
    if tail.trim_start().starts_with(said.trim()) {
        return Lost::Nothing;
    }
    let answer = said.rsplit(CLOSE).next().unwrap_or(said).trim();
    if !tail.contains(answer) {
        return Lost::Answer;
    }
    let mut rest = tail;
    for piece in said.split(CLOSE).flat_map(|piece| piece.split(OPEN)).map(str::trim).filter(|piece| !piece.is_empty())
    {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return Lost::Thinking,
        }
    }
    Lost::Nothing
}

/// Length of an empty thinking at the beginning of what a template wrote of a turn that has none; after a prefill, of the end
/// of one.
fn empty_thinking(tail: &str, prefill: &str, said: &str) -> usize {
    let inside = match prefill.is_empty() {
        true if said.trim_start().starts_with(OPEN) => return 0,
        true => tail.trim_start().strip_prefix(OPEN),
        false => Some(tail),
    };
    let Some(after) = inside.and_then(|inside| inside.trim_start().strip_prefix(CLOSE)) else {
        return 0;
    };
    let space = after.len() - after.trim_start().len();
    // White space with which the turn's own text begins is the turn's.
    let own = said.len() - said.trim_start().len();
    let own = if after[..space].ends_with(&said[..own]) { own } else { 0 };
    tail.len() - after.len() + space - own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinking_that_the_prompt_opened_is_not_opened_twice() {
        let learned = |prefill, said| {
            let target = Target::continuing(prefill, " ", said, 0);
            (target.given, target.text)
        };
        let pair = |given: &str, text: &str| (given.to_owned(), text.to_owned());
        assert_eq!(learned("", "a"), pair("", " a"));
        assert_eq!(learned("<think>\n", "<think>\nt</think>a"), pair("", "t</think>a"));
        assert_eq!(learned("<think>\n", "<think>t</think>a"), pair("", "t</think>a"));
        assert_eq!(learned("<think>", "\n<think>\nt</think>a"), pair("", "\nt</think>a"));
        assert_eq!(learned("<think>\n", "t</think>a"), pair("", "t</think>a"));
        assert_eq!(learned("<think>\n", "a"), pair("\n</think>\n\n", "a"));
    }

    #[test]
    fn an_inserted_thinking_ends_where_the_text_begins() {
        assert_eq!(empty_thinking("<think>\n\n</think>\n\nten", "", "ten"), 19);
        assert_eq!(empty_thinking("<think>\n\n</think>\n\n\nten", "", "\nten"), 19);
        assert_eq!(empty_thinking("<think>a</think>ten", "", "ten"), 0);
        assert_eq!(empty_thinking("\n</think>\n\nten", "<think>\n", "ten"), 11);
        assert_eq!(empty_thinking("ten", "<think>\n", "ten"), 0);
    }
}
