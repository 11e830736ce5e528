//! A judge behind an OpenAI-compatible server.

use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use temper_endpoint::{Endpoint, EndpointError, Finish, Input as Sent, Request, TokenLogprob};
use temper_recipe::EndpointSpec;

use super::model::{Failure, How, Input, Reply};

/// Alternatives per token that are asked for: as many as servers commonly give.
const ALTERNATIVES: usize = 20;

/// A judge behind a server.
pub(crate) struct ServedJudge {
    endpoint: Endpoint,
}

impl ServedJudge {
    /// Nothing is sent yet.
    pub(crate) fn new(spec: &EndpointSpec) -> Result<Self, EndpointError> {
        Ok(ServedJudge { endpoint: Endpoint::new(spec)? })
    }

    pub(crate) fn name(&self) -> String {
        format!("served model {}", self.endpoint.spec().model)
    }

    pub(crate) fn identity(&self) -> Value {
        let spec = self.endpoint.spec();
        json!({"served": spec.model, "extra": spec.extra, "temperature": 0})
    }

    pub(crate) fn ask(&self, inputs: &[Input], how: &How) -> Vec<Result<Reply, Failure>> {
        let requests: Vec<Request> = inputs.iter().map(|input| request(input, how)).collect();
        let lost = || Err(Failure::Error("the server was not asked: the judging was stopped; run it again".to_owned()));
        let mut replies: Vec<Result<Reply, Failure>> = requests.iter().map(|_| lost()).collect();
        self.endpoint.ask_all(&requests, &AtomicBool::new(false), &mut |at, answer| {
            replies[at] = match answer {
                Err(error) => Err(Failure::Error(error.to_string())),
                Ok(reply) if reply.finish == Finish::ContentFilter => {
                    Err(Failure::Unscored("the server's content filter stopped the judge's reply".to_owned()))
                }
                Ok(reply) if reply.text.trim().is_empty() && reply.reasoning.is_some() => Err(Failure::Unscored(format!(
                    "the judge reasoned and gave no reply within {} tokens; raise `max_tokens`, or switch its thinking off",
                    how.max_tokens
                ))),
                Ok(reply) => Ok(Reply {
                    // Of what follows a reasoning, the first token is not known.
                    words: words(&reply.logprobs, how.words).filter(|_| reply.reasoning.is_none()),
                    text: reply.text,
                    cut: reply.finish == Finish::Length,
                }),
            };
        });
        replies
    }
}

fn request(input: &Input, how: &How) -> Request {
    let sent = match input {
        Input::Chat(messages) => Sent::Messages(messages.iter().map(|message| message.to_template()).collect()),
        Input::Raw(text) => Sent::Prompt(text.clone()),
    };
    let mut request = Request::greedy(sent, how.max_tokens);
    if !how.words.is_empty() {
        request.top_logprobs = Some(ALTERNATIVES);
    }
    if !how.chat_template_kwargs.is_empty() && matches!(input, Input::Chat(_)) {
        request.extra.insert("chat_template_kwargs".into(), Value::Object(how.chat_template_kwargs.clone()));
    }
    request
}

/// Probabilities of the words among the alternatives to the first token that is not blank. A word that is not among them has
/// less than the least of them, and counts as 0.
fn words(tokens: &[TokenLogprob], words: &[&str]) -> Option<Vec<f64>> {
    if words.is_empty() {
        return None;
    }
    let first = tokens.iter().find(|token| !letters(&token.token).is_empty())?;
    let chosen = (first.token.clone(), first.logprob);
    let listed = first.top.iter().any(|(token, _)| *token == first.token);
    let all: Vec<&(String, f64)> = first.top.iter().chain((!listed).then_some(&chosen)).collect();
    let begins = |word: &str, token: &str| !token.is_empty() && word.starts_with(token);
    let probability = |word: &&str| {
        let of = |(token, _): &&&(String, f64)| {
            let token = letters(token);
            begins(word, token) && words.iter().filter(|other| begins(other, token)).count() == 1
        };
        all.iter().filter(of).map(|(_, logprob)| logprob.exp()).sum::<f64>().min(1.0)
    };
    Some(words.iter().map(probability).collect())
}

/// A token's text without the marks that tokenizers write for white space.
fn letters(token: &str) -> &str {
    token.trim_matches(|c: char| c.is_whitespace() || matches!(c, '▁' | 'Ġ' | 'Ċ'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(token: &str, top: &[(&str, f64)]) -> TokenLogprob {
        let top: Vec<(String, f64)> = top.iter().map(|(token, p)| ((*token).to_owned(), p.ln())).collect();
        let logprob = top.iter().find(|(name, _)| name == token).map_or(0.5f64.ln(), |(_, logprob)| *logprob);
        TokenLogprob { token: token.to_owned(), logprob, top }
    }

    #[test]
    fn a_words_probability_is_that_of_the_tokens_it_begins_with() {
        let near = |found: Option<Vec<f64>>, expected: [f64; 2]| {
            let found = found.unwrap();
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
        };
        let of = |tokens: &[TokenLogprob]| words(tokens, &["safe", "unsafe"]);
        near(of(&[token("safe", &[("safe", 0.75), ("unsafe", 0.25)])]), [0.75, 0.25]);
        // Blank tokens come first; a word may be cut; other words do not count.
        let cut = [("▁un", 0.5), ("▁safe", 0.25), ("Sorry", 0.125), ("u", 0.0625), ("unclear", 0.05)];
        near(of(&[token("\n\n", &[("\n\n", 0.9), ("unsafe", 0.1)]), token("▁un", &cut)]), [0.25, 0.5625]);
        // The chosen token counts where the list lacks it.
        near(of(&[token("unsafe", &[("safe", 0.25)])]), [0.25, 0.5]);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[token("\n", &[])]), None);
        assert_eq!(words(&[token("safe", &[])], &[]), None);
    }
}
