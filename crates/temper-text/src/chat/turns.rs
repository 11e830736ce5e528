//! A dialogue as the values that a template reads, made once and rendered as often as needed.

use super::{ChatTemplate, NAME, describe, generation};
use crate::message::REASONING;
use crate::{Message, TextError, json};
use minijinja::Value;
use serde_json::{Map, Value as Json};

/// Turns and variables of a dialogue, for one template.
pub(crate) struct Turns<'a> {
    template: &'a ChatTemplate,
    turns: Vec<Value>,
    variables: Vec<(&'a str, Value)>,
}

impl<'a> Turns<'a> {
    /// Of messages. A reasoning that the template does not read is put into the content in think tags, so that it is not lost.
    pub fn of_messages(
        template: &'a ChatTemplate,
        messages: impl IntoIterator<Item = &'a Message>,
        variables: &'a Map<String, Json>,
    ) -> Self {
        let turns = messages.into_iter().map(|message| turn(template, message)).collect();
        Self { template, turns, variables: values(template, variables) }
    }

    /// Of an array of objects, as `transformers` is given it: a reasoning that the template does not read is lost.
    pub fn of_json(template: &'a ChatTemplate, messages: &Json, variables: &'a Map<String, Json>) -> Self {
        let turns = messages.as_array().into_iter().flatten().map(|message| match message {
            Json::Object(members) => {
                with_reasoning(members.iter().map(|(name, value)| (name.as_str(), json::to_template(value))).collect())
            }
            other => json::to_template(other),
        });
        Self { template, turns: turns.collect(), variables: values(template, variables) }
    }

    /// Number of turns.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// The template.
    pub fn template(&self) -> &'a ChatTemplate {
        self.template
    }

    /// The text of the first `count` turns.
    pub fn render(&self, count: usize, add_generation_prompt: bool) -> Result<String, TextError> {
        self.render_with(count, add_generation_prompt, None)
    }

    /// As [`render`](Self::render), with marks around generation blocks.
    pub fn render_with(
        &self,
        count: usize,
        add_generation_prompt: bool,
        marks: Option<&str>,
    ) -> Result<String, TextError> {
        let turns: Value = self.turns[..count].iter().cloned().collect();
        let context = self.variables.iter().map(|(name, value)| (*name, value.clone()));
        let mut context: Vec<(&str, Value)> = context.collect();
        context.push(("messages", turns));
        context.push(("add_generation_prompt", Value::from(add_generation_prompt)));
        context.extend(marks.map(|marks| (generation::MARKS, Value::from(marks))));
        let template = self.template.environment.get_template(NAME);
        template
            .and_then(|template| template.render(Value::from_pairs(context)))
            .map_err(|e| self.template.refusal(&describe(&e)))
    }
}

/// The named special tokens, then what the dialogue has; a variable of the dialogue wins.
fn values<'a>(template: &'a ChatTemplate, variables: &'a Map<String, Json>) -> Vec<(&'a str, Value)> {
    let mut out = vec![("tools", Value::from(())), ("documents", Value::from(()))];
    out.extend(template.special.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str()))));
    out.extend(variables.iter().map(|(name, value)| (name.as_str(), json::to_template(value))));
    out
}

fn turn(template: &ChatTemplate, message: &Message) -> Value {
    let fold = !template.reads_reasoning && message.reasoning().is_some();
    let mut members = Vec::with_capacity(message.more.len() + 4);
    members.push(("role", Value::from(message.role.as_str())));
    if fold {
        members.push(("content", Value::from(message.text().as_ref())));
    } else if !message.more.contains_key("content") {
        members.push(("content", Value::from(message.content.as_str())));
    }
    for (name, value) in &message.more {
        if !(fold && (name == "content" || REASONING.contains(&name.as_str()))) {
            members.push((name, json::to_template(value)));
        }
    }
    with_reasoning(members)
}

/// A turn's members as a template gets them: none that is null, and the reasoning under the names `thinking` and
/// `reasoning_content`.
fn with_reasoning(mut members: Vec<(&str, Value)>) -> Value {
    members.retain(|(_, value)| !value.is_none());
    let find = |members: &[(&str, Value)], name: &str| members.iter().position(|(n, _)| *n == name);
    let reasoning = REASONING.iter().find_map(|name| find(&members, name));
    if let Some(reasoning) = reasoning.map(|at| members[at].1.clone()) {
        match find(&members, "reasoning_content") {
            Some(at) => members[at].1 = reasoning.clone(),
            None => members.push(("reasoning_content", reasoning.clone())),
        }
        if find(&members, "thinking").is_none() {
            members.insert(0, ("thinking", reasoning));
        }
    }
    Value::from_pairs(members)
}
