//! Which tokens of a row are learned, by incremental rendering.
//!
//! A learned assistant turn is what the template writes between the turns before it, rendered with the generation prompt, and
//! its own end: exactly the context in which the model will produce the turn, and exactly what it must write there, the stop
//! token included. Three things may stand in between:
//!
//! - A template that drops the turn's own text (R1 keeps only what follows `</think>`) is not followed: the turn is taken as it
//!   would have been generated, the generation prompt, the text and the stop token.
//! - An empty thinking that the template inserts (Qwen3) stands in the ids and is no target.
//! - What the template writes after the stop token belongs to the next turn.
//!
//! As long as the context of the next learned turn begins with everything so far, the turns of a row share one example. Where
//! it does not (Qwen3 and R1 drop earlier thinking), a new example begins, with the context as the model will see it.

use crate::chat::Turns;
use crate::error::excerpt;
use crate::example::CONTINUE;
use crate::thinking::{self, CLOSE, OPEN};
use crate::{Completion, Dialogue, Example, LearnedTurn, Message, Prompt, TextError, Tokenizer};
use serde_json::Value;
use temper_recipe::LossOn;

/// Tokens on either side of a seam that are tokenised together to see whether the seam changes them.
const SEAM: usize = 8;

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
    /// A row as training examples: one, or one for each learned turn where the template renders what precedes a turn otherwise
    /// than it was when the earlier turns were written. `sampled` are the ids of the completion as they were sampled, stop
    /// token included: they are taken as they are.
    ///
    /// What `loss_on` asks for and the row does not have (a thinking, a flag) gives an example without targets. The thinking
    /// ends with the token that completes `</think>`, even if that token holds the beginning of the answer.
    ///
    /// A plain prompt is continued by the completion and the end-of-sequence token; of a row without prompt every token is
    /// learned that another precedes.
    ///
    /// # Errors
    /// A dialogue without a chat template or that the template refuses; no stop token is known; a learned turn is empty, has a
    /// stop token before its end or begins with BOS; double BOS; the template drops what is to be learned and it cannot be put
    /// back (tool calls); `sampled` is not the completion.
    pub fn encode_row(
        &self,
        prompt: &Prompt,
        completion: &Completion,
        sampled: Option<&[u32]>,
        loss_on: LossOn,
    ) -> Result<Vec<Example>, TextError> {
        match prompt {
            Prompt::Text(text) => Ok(vec![self.encode_plain(text, completion, sampled, loss_on)?]),
            Prompt::Chat(dialogue) => self.encode_chat(dialogue, completion, sampled, loss_on),
        }
    }

    fn encode_chat(
        &self,
        dialogue: &Dialogue,
        completion: &Completion,
        sampled: Option<&[u32]>,
        loss_on: LossOn,
    ) -> Result<Vec<Example>, TextError> {
        if dialogue.variables.get(CONTINUE) == Some(&Value::Bool(true)) {
            return Err(TextError::Completion {
                what: format!("the prompt asks for `{CONTINUE}`, and a row to learn from has whole turns"),
                remedy: format!("Leave out `{CONTINUE}`, and give the whole last turn as the completion"),
            });
        }
        let written;
        let answer: &[Message] = match completion {
            Completion::Text(text) => {
                written = [Message::assistant(self.without_stop(text))];
                &written
            }
            Completion::Turns(turns) => turns,
        };
        let messages: Vec<&Message> = dialogue.messages.iter().chain(answer).collect();
        let turns =
            Turns::of_messages(self.template_for(&dialogue.variables)?, messages.iter().copied(), &dialogue.variables);
        let learned = learned(&messages, dialogue.messages.len(), loss_on);
        if sampled.is_some() && answer.iter().filter(|message| message.is_assistant()).count() != 1 {
            return Err(TextError::Completion {
                what: "the row has sampled ids, and its completion is not one assistant turn".into(),
                remedy: "Give sampled ids to rows of one assistant turn only".into(),
            });
        }
        let (mut done, mut example, mut text) = (Vec::new(), Example::default(), String::new());
        for turn in learned {
            let message = messages[turn];
            let context = turns.render(turn, true)?;
            let sampled = sampled.filter(|_| turn >= dialogue.messages.len());
            let target = self.target(&turns, turn, message, &context, sampled, loss_on)?;
            self.check_tags(&turns, turn, message, &target, loss_on)?;
            match context.strip_prefix(text.as_str()).filter(|_| !example.ids.is_empty()) {
                Some(between) => {
                    let ids = self.ids(between, false)?;
                    example.drift |= self.seam((&text, &example.ids), (between, &ids))?;
                    example.ids.extend(ids);
                }
                None => {
                    if !example.ids.is_empty() {
                        done.push(std::mem::take(&mut example));
                    }
                    example.ids = self.ids(&context, false)?;
                    self.check_bos(&example.ids, "prompt", &context)?;
                }
            }
            example.trainable.resize(example.ids.len(), false);
            let mask = (message.train != Some(false)).then_some(loss_on);
            text = self.push_target(&mut example, &context, &target, turn, mask)?;
        }
        if example.ids.is_empty() {
            let text = turns.render(turns.len(), false)?;
            example.ids = self.ids(&text, false)?;
            self.check_bos(&example.ids, "dialogue", &text)?;
            example.trainable = vec![false; example.ids.len()];
            example.prompt_len = example.ids.len();
        }
        done.push(example);
        Ok(done)
    }

    /// Refuses to tell thinking from answer where the template writes the thinking without think tags.
    fn check_tags(
        &self,
        turns: &Turns,
        turn: usize,
        message: &Message,
        target: &Target,
        loss_on: LossOn,
    ) -> Result<(), TextError> {
        let said = message.text();
        let thought = thinking::split(&said).thinking.filter(|thought| !thought.is_empty());
        let untagged =
            |thought: &str| target.text.contains(thought) && !target.text.contains(CLOSE) && said.contains(CLOSE);
        if !matches!(loss_on, LossOn::Thinking | LossOn::Answer) || !thought.is_some_and(untagged) {
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

    /// A text without the stop token at its end, which is added again.
    fn without_stop<'t>(&self, text: &'t str) -> &'t str {
        self.stop_texts().iter().find_map(|stop| text.strip_suffix(stop.as_str())).unwrap_or(text)
    }

    /// What the model is to write as a turn, after `context`.
    fn target<'a>(
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

    /// Adds a target to an example whose ids are those of `context`. `mask` is what is learned of it; nothing if `None`.
    /// Returns the text so far.
    pub(crate) fn push_target(
        &self,
        example: &mut Example,
        context: &str,
        target: &Target,
        turn: usize,
        mask: Option<LossOn>,
    ) -> Result<String, TextError> {
        let mut text = context.to_owned();
        let given = if target.sampled.is_some() { "" } else { target.given.as_str() };
        if !given.is_empty() {
            let ids = self.ids(given, false)?;
            example.drift |= self.seam((&text, &example.ids), (given, &ids))?;
            example.ids.extend(ids);
            example.closed_thinking = true;
            text.push_str(given);
        }
        let start = example.ids.len();
        if example.turns.is_empty() {
            example.prompt_len = start;
        }
        let mut ids = self.ids(&target.text, false)?;
        self.check_target(&ids, &target.text)?;
        let mut written = target.text.clone();
        if let Some(stop) = target.stop.filter(|_| ids.last().is_none_or(|last| !self.is_stop(*last))) {
            ids.push(stop);
            written.push_str(&self.token(stop));
        }
        if let Some(sampled) = target.sampled {
            let sampled_text = self.decode(sampled, false);
            self.check_sampled(sampled, &sampled_text, &written, &target.given)?;
            example.retokenised |= sampled != ids && ids.split_last().is_none_or(|(_, ids)| sampled != ids);
            ids = sampled.to_vec();
            written = sampled_text;
        }
        example.drift |= self.seam((&text, &example.ids), (&written, &ids))?;
        // A sample that went on in the thinking that its prompt opened, and never closed it, has no tag at all.
        let open = target.sampled.is_some() && !thinking::prefill(context).is_empty();
        let learned = match mask {
            None => 0..0,
            Some(LossOn::Thinking) => 0..self.thinking_tokens(&ids, &written, open),
            Some(LossOn::Answer) => self.thinking_tokens(&ids, &written, open)..ids.len(),
            Some(_) => 0..ids.len(),
        };
        example.trainable.resize(start, false);
        example.trainable.extend((0..ids.len()).map(|i| learned.contains(&i)));
        example.ids.extend(ids);
        example.turns.push(LearnedTurn { turn, tokens: start..example.ids.len() });
        Ok(text + &written)
    }

    /// Number of leading ids that are the thinking, `</think>` included. Of a thinking that is never closed, all but the stop
    /// token.
    fn thinking_tokens(&self, ids: &[u32], text: &str, open: bool) -> usize {
        let closed = text.matches(CLOSE).count();
        if closed == 0 {
            let stop = usize::from(ids.last().is_some_and(|id| self.is_stop(*id)));
            return if open || text.contains(OPEN) { ids.len() - stop } else { 0 };
        }
        let counts: Vec<usize> = (0..=ids.len()).collect();
        counts.partition_point(|n| self.decode(&ids[..*n], false).matches(CLOSE).count() < closed)
    }

    /// Whether two texts, tokenised apart, give other ids than at once. The tokens next to the seam tell, where they are the same
    /// when they are tokenised again; else the whole texts do.
    fn seam(&self, left: (&str, &[u32]), right: (&str, &[u32])) -> Result<bool, TextError> {
        let added = |id: &u32| self.is_added(*id);
        let ((Some(last), Some(first)), false) = ((left.1.last(), right.1.first()), left.0.is_empty()) else {
            return Ok(false);
        };
        if added(last) || added(first) {
            return Ok(false);
        }
        let before = left.1.iter().rev().take(SEAM).take_while(|id| !added(id)).count();
        let after = right.1.iter().take(SEAM).take_while(|id| !added(id)).count();
        let near = [&left.1[left.1.len() - before..], &right.1[..after]].concat();
        if self.ids(&self.decode(&near, false), false)? == near {
            return Ok(false);
        }
        let apart = [self.ids(left.0, false)?, right.1.to_vec()].concat();
        Ok(self.ids(&[left.0, right.0].concat(), false)? != apart)
    }

    fn check_sampled(&self, sampled: &[u32], text: &str, written: &str, given: &str) -> Result<(), TextError> {
        let stop =
            sampled.last().filter(|id| self.is_stop(**id)).map(|id| self.decode(&[*id], false)).unwrap_or_default();
        let bare = |text: &str, stop: &str| -> String {
            text.strip_suffix(stop).unwrap_or(text).chars().filter(|c| !c.is_whitespace()).collect()
        };
        let written_stop =
            self.ids(written, false)?.last().filter(|id| self.is_stop(**id)).map(|id| self.decode(&[*id], false));
        let (got, expected) = (bare(text, &stop), bare(written, &written_stop.unwrap_or_default()));
        // The text of a sample that never closed the thinking that its prompt opened may lack all tags.
        let opened = got.strip_prefix(OPEN).unwrap_or(&got);
        if got == expected || opened == expected || (!given.is_empty() && got == bare(&[given, written].concat(), "")) {
            return Ok(());
        }
        Err(TextError::Completion {
            what: format!("the sampled ids decode to {:?}, the completion is {:?}", excerpt(text), excerpt(written)),
            remedy: "Give the ids that belong to the text, or leave them out".into(),
        })
    }

    fn check_target(&self, target: &[u32], text: &str) -> Result<(), TextError> {
        let inside = target.iter().take(target.len().saturating_sub(1)).find(|id| self.is_stop(**id));
        if let Some(id) = inside {
            return Err(TextError::Completion {
                what: format!(
                    "the completion {:?} has the stop token {} before its end",
                    excerpt(text),
                    self.token(*id)
                ),
                remedy: "Remove it from the text; the stop token is added after the completion".into(),
            });
        }
        match (self.bos(), target.first()) {
            (Some(bos), Some(first)) if bos == *first && !self.is_stop(bos) => Err(TextError::Completion {
                what: format!("the completion {:?} begins with {}", excerpt(text), self.token(bos)),
                remedy: "Remove it from the text".into(),
            }),
            _ => Ok(()),
        }
    }
}

const TOOLS: &str =
    "Use a chat template that writes `tool_calls` (`chat_template` of the model), or write the calls into the content";
const TEXT: &str = "Use a chat template that writes content and tool calls, or remove the turn's content";
const REASONING: &str = "Use a chat template that keeps it, or learn the answer alone (`loss_on: answer`)";
const OFF: &str = "Leave out `enable_thinking: false`, or learn the answer alone (`loss_on: answer`)";
const PROMPT: &str =
    "Correct the template so that a prompt rendered with add_generation_prompt begins the whole dialogue";

/// The indices of the assistant turns that `loss_on` chooses; of the turns from `first` on is the completion.
fn learned(messages: &[&Message], first: usize, loss_on: LossOn) -> Vec<usize> {
    let assistant = |from: usize| (from..messages.len()).filter(|turn| messages[*turn].is_assistant());
    let chosen: Vec<usize> = match loss_on {
        LossOn::Completion => assistant(first).collect(),
        LossOn::Assistant => assistant(0).collect(),
        LossOn::Flagged => assistant(0).filter(|turn| messages[*turn].train == Some(true)).collect(),
        LossOn::LastTurn | LossOn::Thinking | LossOn::Answer => assistant(first).next_back().into_iter().collect(),
    };
    chosen.into_iter().filter(|turn| messages[*turn].train != Some(false)).collect()
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
