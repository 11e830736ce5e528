//! A model behind a server as the one who answers.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use temper_data::Row;
use temper_endpoint::{Endpoint, EndpointError, Finish, Input, Reply, Request, ServerIdentity};
use temper_text::{Prompt, thinking};

use crate::EvalError;
use crate::records::{CONTENT_FILTER, ERROR, LENGTH, NOT_SAMPLED, OTHER, STOP};
use crate::subject::{Completed, Identity, Receive, Subject, Work};

/// The field of a request for variables of the chat template.
const TEMPLATE: &str = "chat_template_kwargs";
/// Variables of a dialogue that servers take as fields of the request.
const FIELDS: [&str; 3] = ["tools", "documents", "add_generation_prompt"];
/// A dialogue whose last turn is continued.
const CONTINUE: &str = "continue_final_message";

/// A model behind a server.
pub struct Served {
    endpoint: Endpoint,
    identity: ServerIdentity,
}

impl Served {
    /// Asks the server who it is.
    ///
    /// # Errors
    /// It cannot be reached or refuses; no model is named and it does not have exactly one.
    pub fn new(endpoint: Endpoint) -> Result<Self, EvalError> {
        let identity = endpoint.identity().map_err(failed)?;
        Ok(Served { endpoint, identity })
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the server says of itself.
    pub fn server(&self) -> &ServerIdentity {
        &self.identity
    }

    fn note(&self) -> String {
        let now = self.endpoint.traffic();
        let mut note = format!("{} at a time", now.connections);
        for (count, what) in
            [(now.retries, "sent again"), (now.too_many, "refused as too many"), (now.cached, "kept replies")]
        {
            if count > 0 {
                note.push_str(&format!(", {count} {what}"));
            }
        }
        note
    }
}

fn failed(source: EndpointError) -> EvalError {
    EvalError::Endpoint { source: Box::new(source) }
}

impl Subject for Served {
    fn identity(&self) -> Identity {
        // What else the server has is nothing that completions follow from.
        let server = ServerIdentity { served: Vec::new(), ..self.identity.clone() };
        Identity::Server { server, extra: self.endpoint.spec().extra.clone() }
    }

    fn complete(&self, work: &Work, to: &mut dyn Receive, stop: &AtomicBool) -> Result<bool, EvalError> {
        let samples: Vec<(usize, usize)> = work
            .items
            .iter()
            .enumerate()
            .flat_map(|(at, asked)| asked.repeats.iter().map(move |repeat| (at, *repeat)))
            .collect();
        let common = self.endpoint.spec().extra.get(TEMPLATE);
        let requests: Vec<Request> =
            samples.iter().map(|(at, repeat)| request(work, work.items[*at].row, *repeat, common)).collect();
        let halt = Cell::new(false);
        let mut error = None;
        to.stands(0.0, &self.note());
        self.endpoint.ask_while(&requests, &|| halt.get() || stop.load(Ordering::Relaxed), &mut |request, reply| {
            if halt.get() {
                return;
            }
            let (at, repeat) = samples[request];
            let row = work.items[at].row;
            let taken = match reply {
                Ok(reply) => to.take(at, repeat, completed(row, reply)),
                Err(source) if source.is_final() => Err(failed(source)),
                Err(source) => to.take(at, repeat, refused(row, &source)),
            };
            if let Err(problem) = taken {
                error = Some(problem);
                halt.set(true);
            }
            to.stands(0.0, &self.note());
        });
        match error {
            Some(error) => Err(error),
            None => Ok(!stop.load(Ordering::Relaxed)),
        }
    }

    fn flops(&self, _prompt: usize, _completions: &[usize]) -> f64 {
        0.0
    }
}

/// What one sample of an item asks of the server. Servers that take a seed draw differently for every sample.
fn request(work: &Work, row: &Row, repeat: usize, common: Option<&Value>) -> Request {
    let (input, extra) = match &row.prompt {
        Prompt::Text(text) => (Input::Prompt(text.clone()), Map::new()),
        Prompt::Chat(dialogue) => {
            let messages = dialogue.messages.iter().map(|message| message.to_template()).collect();
            (Input::Messages(messages), variables(&dialogue.variables, common))
        }
    };
    let sampling = work.sampling;
    Request {
        input,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        max_tokens: sampling.max_tokens,
        stop: Vec::new(),
        // 31 bits: the most that every server takes.
        seed: (sampling.temperature > 0.0).then(|| work.key(&row.id, repeat).bits() >> 33),
        top_logprobs: None,
        extra,
        repeat,
    }
}

/// The variables of a dialogue as fields of a request; `common` are those of every request.
fn variables(given: &Map<String, Value>, common: Option<&Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut template = common.and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in given {
        match name.as_str() {
            CONTINUE => {
                fields.insert(CONTINUE.to_owned(), value.clone());
                fields.insert("add_generation_prompt".to_owned(), json!(*value != json!(true)));
            }
            name if FIELDS.contains(&name) => {
                fields.insert(name.to_owned(), value.clone());
            }
            name => {
                template.insert(name.to_owned(), value.clone());
            }
        }
    }
    if given.keys().any(|name| name != CONTINUE && !FIELDS.contains(&name.as_str())) {
        fields.insert(TEMPLATE.to_owned(), Value::Object(template));
    }
    fields
}

/// What the prompt has opened of the completion: a text, or the turn that is continued.
fn prefill(row: &Row) -> &str {
    match &row.prompt {
        Prompt::Text(text) => thinking::prefill(text),
        Prompt::Chat(dialogue) => match (dialogue.variables.get(CONTINUE), dialogue.messages.last()) {
            (Some(Value::Bool(true)), Some(last)) => thinking::prefill(&last.content),
            _ => "",
        },
    }
}

/// A reply in the shape of the engine's completions: a reasoning that the server gives apart in think tags, left open where the
/// limit of tokens cut it.
fn completed(row: &Row, reply: Reply) -> Completed {
    let finish = match reply.finish {
        Finish::Stop => STOP,
        Finish::Length => LENGTH,
        Finish::ContentFilter => CONTENT_FILTER,
        Finish::Other => OTHER,
    };
    let text = match &reply.reasoning {
        None => format!("{}{}", prefill(row), reply.text),
        Some(reasoning) if reply.text.is_empty() && finish == LENGTH => format!("{}\n{reasoning}", thinking::OPEN),
        Some(reasoning) => thinking::join(reasoning, &reply.text),
    };
    Completed {
        text,
        finish: finish.to_owned(),
        tokens: reply.completion_tokens,
        prompt_tokens: reply.prompt_tokens,
        reason: None,
        fingerprint: reply.fingerprint,
    }
}

/// The server gives no completion of this item.
fn refused(row: &Row, error: &EndpointError) -> Completed {
    let finish = if error.is_context_overflow() { NOT_SAMPLED } else { ERROR };
    Completed::none(finish, None, format!("{}: {error}", row.place()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_recipe::Sampling;
    use temper_text::{Dialogue, Message};

    fn row(prompt: Prompt) -> Row {
        Row { id: "a".into(), prompt, ..Row::default() }
    }

    fn reply(text: &str, reasoning: Option<&str>, finish: Finish) -> Reply {
        Reply {
            text: text.into(),
            reasoning: reasoning.map(str::to_owned),
            finish,
            prompt_tokens: None,
            completion_tokens: Some(3),
            logprobs: Vec::new(),
            fingerprint: None,
        }
    }

    #[test]
    fn a_reasoning_comes_back_in_think_tags() {
        let chat = row(Prompt::user("q"));
        let text = |reply| completed(&chat, reply).text;
        assert_eq!(text(reply("42", Some("6·7"), Finish::Stop)), "<think>\n6·7\n</think>\n\n42");
        assert_eq!(text(reply("", Some("6·"), Finish::Length)), "<think>\n6·");
        assert_eq!(text(reply("42", None, Finish::Stop)), "42");
        let opened = row(Prompt::Text("2+2 = <think>\n".into()));
        assert_eq!(completed(&opened, reply("4</think>4", None, Finish::Stop)).text, "<think>\n4</think>4");
    }

    #[test]
    fn a_request_follows_from_suite_item_and_repeat() {
        let sampling = Sampling { temperature: 0.5, top_p: 0.9, top_k: 4, max_tokens: 7 };
        let work = Work { suite: "s", sampling: &sampling, seed: 1, items: &[] };
        let item = row(Prompt::Chat(Dialogue {
            messages: vec![Message::system("s"), Message::user("q")],
            variables: json!({"enable_thinking": false, "tools": [1], CONTINUE: true}).as_object().unwrap().clone(),
        }));
        let common = json!({"a": 1, "enable_thinking": true});
        let first = request(&work, &item, 0, Some(&common));
        let messages = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]);
        assert_eq!(first.input, Input::Messages(messages.as_array().unwrap().clone()));
        assert_eq!((first.temperature, first.top_p, first.top_k, first.max_tokens), (0.5, 0.9, 4, 7));
        let extra = json!({CONTINUE: true, "add_generation_prompt": false, "tools": [1], TEMPLATE: {"a": 1, "enable_thinking": false}});
        assert_eq!(Value::Object(first.extra.clone()), extra);
        let second = request(&work, &item, 1, Some(&common));
        assert!(first.seed.unwrap() < 1 << 31 && first.seed != second.seed);
        assert_eq!(request(&work, &item, 0, Some(&common)), first);
        let greedy = Work { sampling: &Sampling { temperature: 0.0, ..sampling.clone() }, ..work };
        assert_eq!(request(&greedy, &row(Prompt::user("q")), 0, Some(&common)).seed, None);
        assert!(request(&greedy, &row(Prompt::user("q")), 0, Some(&common)).extra.is_empty());
    }
}
