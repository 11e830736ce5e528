//! One exchange with the server: the request's JSON, the answer's JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};
use temper_recipe::EndpointSpec;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::{EndpointError, Finish, Input, Reply, Request, TokenLogprob};

/// Largest answer that is read, in bytes.
const MOST: u64 = 64 << 20;
/// Longest time that the list of models may take.
const LISTING: Duration = Duration::from_secs(30);

/// A server with the key to it.
pub(crate) struct Wire {
    agent: Agent,
    /// Address up to `/v1`, without a slash at the end.
    url: String,
    key: Option<String>,
    timeout: f64,
}

impl Wire {
    pub(crate) fn new(spec: &EndpointSpec, key: Option<String>) -> Self {
        let places = spec.max_connections.max(1);
        let mut config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(spec.timeout.clamp(0.001, 1e6))))
            .max_idle_connections(places)
            .max_idle_connections_per_host(places)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false);
        if spec.url.starts_with("https://") {
            config = config.tls_config(TlsConfig::builder().root_certs(roots()).build());
        }
        let url = spec.url.trim_end_matches('/').to_owned();
        Wire { agent: config.build().into(), url, key, timeout: spec.timeout }
    }

    /// Sends a request's body to `chat/completions` or `completions`.
    pub(crate) fn complete(&self, input: &Input, body: &Value) -> Result<Reply, EndpointError> {
        let path = match input {
            Input::Messages(_) => "chat/completions",
            Input::Prompt(_) => "completions",
        };
        let url = format!("{}/{path}", self.url);
        let mut call = self.agent.post(&url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        let value = self.json(&url, call.send(body.to_string()), self.timeout)?;
        reply(&value).map_err(|what| EndpointError::Malformed { url, what: self.hidden(what) })
    }

    /// The answer of `GET /models`.
    pub(crate) fn models(&self) -> Result<Value, EndpointError> {
        let url = format!("{}/models", self.url);
        let mut call = self.agent.get(&url);
        if let Some(key) = &self.key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        let limit = LISTING.min(Duration::from_secs_f64(self.timeout.clamp(0.001, 1e6)));
        let call = call.config().timeout_global(Some(limit)).build();
        self.json(&url, call.call(), limit.as_secs_f64())
    }

    fn json(
        &self,
        url: &str,
        answer: Result<Response<Body>, ureq::Error>,
        timeout: f64,
    ) -> Result<Value, EndpointError> {
        let unreachable = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => EndpointError::Timeout { url: url.to_owned(), seconds: timeout.to_string() },
            error => EndpointError::Unreachable { url: url.to_owned(), what: self.hidden(error.to_string()) },
        };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header("retry-after").and_then(|value| retry_after(value, jiff::Timestamp::now()));
        let moved = header("location").map(|to| format!(" (to {to})")).unwrap_or_default();
        let text = answer.body_mut().with_config().limit(MOST).read_to_string().map_err(unreachable)?;
        if !(200..300).contains(&status) {
            let message = self.hidden(message(&text) + &moved);
            return Err(EndpointError::Status { url: url.to_owned(), status, message, retry_after });
        }
        serde_json::from_str(&text).map_err(|error| EndpointError::Malformed {
            url: url.to_owned(),
            what: self.hidden(format!("no JSON: {error}, in `{}`", start(&text, 80))),
        })
    }

    /// A text without the key, which some servers repeat in their errors.
    fn hidden(&self, text: String) -> String {
        match &self.key {
            Some(key) => text.replace(key.as_str(), "***"),
            None => text,
        }
    }
}

/// Whom to trust: the system's certificates (or those that `SSL_CERT_FILE` names), Mozilla's where the system has none.
fn roots() -> RootCerts {
    let of_system = rustls_native_certs::load_native_certs().certs;
    match of_system.is_empty() {
        true => RootCerts::WebPki,
        false => of_system.iter().map(|der| Certificate::from_der(der).to_owned()).collect::<Vec<_>>().into(),
    }
}

/// Seconds from now that a `Retry-After` asks for: a number of seconds, or a date.
fn retry_after(value: &str, now: jiff::Timestamp) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds >= 0.0).then_some(seconds.ceil() as u64);
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(u64::try_from(at.as_second() - now.as_second()).unwrap_or(0))
}

/// The first characters of a text.
fn start(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The request's JSON. A field that `extra` sets to `null` is left out, for servers that refuse it.
pub(crate) fn body(spec: &EndpointSpec, model: &str, request: &Request) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(model));
    match &request.input {
        Input::Messages(messages) => body.insert("messages".into(), json!(messages)),
        Input::Prompt(prompt) => body.insert("prompt".into(), json!(prompt)),
    };
    body.insert("temperature".into(), json!(request.temperature));
    body.insert("max_tokens".into(), json!(request.max_tokens));
    if request.top_p < 1.0 {
        body.insert("top_p".into(), json!(request.top_p));
    }
    if request.top_k > 0 {
        body.insert("top_k".into(), json!(request.top_k));
    }
    if !request.stop.is_empty() {
        body.insert("stop".into(), json!(request.stop));
    }
    if let Some(seed) = request.seed {
        body.insert("seed".into(), json!(seed));
    }
    if let Some(top) = request.top_logprobs {
        match request.input {
            Input::Messages(_) => {
                body.insert("logprobs".into(), json!(true));
                body.insert("top_logprobs".into(), json!(top));
            }
            Input::Prompt(_) => {
                body.insert("logprobs".into(), json!(top));
            }
        }
    }
    body.extend(spec.extra.clone());
    body.extend(request.extra.clone());
    body.retain(|_, value| !value.is_null());
    Value::Object(body)
}

/// The message of an error's body, with its code where it has one.
fn message(text: &str) -> String {
    let said = serde_json::from_str::<Value>(text).ok().map(|value| {
        let error = value.get("error").or_else(|| value.get("detail")).unwrap_or(&value);
        let message = error.get("message").unwrap_or(error);
        let message = message.as_str().map_or_else(|| start(&message.to_string(), 500), str::to_owned);
        let code = [error.get("code"), error.get("type")].into_iter().flatten().find_map(Value::as_str);
        match code {
            Some(code) if !message.contains(code) => format!("{message} ({code})"),
            _ => message,
        }
    });
    match said.unwrap_or_else(|| start(text.trim(), 300)) {
        nothing if nothing.is_empty() => "no message".to_owned(),
        said => said,
    }
}

/// The first choice of an answer.
pub(crate) fn reply(value: &Value) -> Result<Reply, String> {
    let Some(choice) = value.pointer("/choices/0") else {
        let said = value.get("error").map(|_| message(&value.to_string()));
        return Err(said.unwrap_or_else(|| "it has no `choices`".to_owned()));
    };
    let message = choice.get("message");
    let text = message.and_then(|m| m.get("content")).or_else(|| choice.get("text"));
    let text = match text {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        Some(Value::Null) | None if message.is_some() => String::new(),
        _ => return Err("its first choice has no text".to_owned()),
    };
    let reasoning = ["reasoning_content", "reasoning"]
        .iter()
        .find_map(|name| message?.get(name)?.as_str().filter(|text| !text.is_empty()));
    let finish = match choice.get("finish_reason").and_then(Value::as_str) {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        _ => Finish::Other,
    };
    let count = |name: &str| value.get("usage")?.get(name)?.as_u64().map(|count| count as usize);
    Ok(Reply {
        text,
        reasoning: reasoning.map(str::to_owned),
        finish,
        prompt_tokens: count("prompt_tokens"),
        completion_tokens: count("completion_tokens"),
        logprobs: logprobs(choice),
        fingerprint: value.get("system_fingerprint").and_then(Value::as_str).map(str::to_owned),
    })
}

/// Log-probabilities in the form of `/chat/completions`, or in the older one of `/completions`.
fn logprobs(choice: &Value) -> Vec<TokenLogprob> {
    let pair = |entry: &Value| Some((entry.get("token")?.as_str()?.to_owned(), entry.get("logprob")?.as_f64()?));
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(given) = choice.get("logprobs") else { return Vec::new() };
    if given.get("content").is_some() {
        let token = |entry: &Value| {
            let (token, logprob) = pair(entry)?;
            Some(TokenLogprob {
                token,
                logprob,
                top: list(entry.get("top_logprobs")).iter().filter_map(pair).collect(),
            })
        };
        return list(given.get("content")).iter().filter_map(token).collect();
    }
    let (tokens, values, tops) =
        (list(given.get("tokens")), list(given.get("token_logprobs")), list(given.get("top_logprobs")));
    let token = |(at, (token, value)): (usize, (&Value, &Value))| {
        let top = tops
            .get(at)
            .and_then(Value::as_object)
            .map(|top| top.iter().filter_map(|(token, value)| Some((token.clone(), value.as_f64()?))).collect());
        Some(TokenLogprob { token: token.as_str()?.to_owned(), logprob: value.as_f64()?, top: top.unwrap_or_default() })
    };
    tokens.iter().zip(&values).enumerate().filter_map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        let now: jiff::Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        assert_eq!(retry_after("7", now), Some(7));
        assert_eq!(retry_after(" 0.2 ", now), Some(1));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(30));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(0));
        assert_eq!((retry_after("soon", now), retry_after("-1", now)), (None, None));
    }

    #[test]
    fn the_body_has_what_differs_from_the_servers_defaults() {
        let mut spec = EndpointSpec { url: "http://h/v1".into(), ..EndpointSpec::default() };
        let mut request = Request::greedy(Input::Messages(vec![json!({"role": "user", "content": "q"})]), 8);
        let plain =
            json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "temperature": 0.0, "max_tokens": 8});
        assert_eq!(body(&spec, "m", &request), plain);
        (request.top_p, request.top_k, request.seed, request.repeat) = (0.9, 5, Some(3), 7);
        request.stop = vec!["x".into()];
        spec.extra.insert("max_tokens".into(), Value::Null);
        spec.extra.insert("max_completion_tokens".into(), json!(8));
        request.extra.insert("max_completion_tokens".into(), json!(9));
        let full = json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "temperature": 0.0, "top_p": 0.9, "top_k": 5,
            "stop": ["x"], "seed": 3, "max_completion_tokens": 9});
        assert_eq!(body(&spec, "m", &request), full);
        let prompt = Request { top_logprobs: Some(2), ..Request::greedy(Input::Prompt("p".into()), 8) };
        assert_eq!(body(&EndpointSpec::default(), "m", &prompt)["logprobs"], json!(2));
    }

    #[test]
    fn reasoning_is_read_under_both_names() {
        let given =
            |message: Value| reply(&json!({"choices": [{"message": message, "finish_reason": "stop"}]})).unwrap();
        assert_eq!(given(json!({"content": "a", "reasoning_content": "r"})).reasoning.as_deref(), Some("r"));
        assert_eq!(
            given(json!({"content": "a", "reasoning_content": null, "reasoning": "s"})).reasoning.as_deref(),
            Some("s")
        );
        assert_eq!(given(json!({"content": "a", "reasoning_content": ""})).reasoning, None);
        assert_eq!(given(json!({"content": null, "reasoning": "s"})).text, "");
        assert_eq!(
            given(json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})).text,
            "ab"
        );
    }

    #[test]
    fn answers_that_are_none_say_why() {
        assert_eq!(reply(&json!({"choices": []})).unwrap_err(), "it has no `choices`");
        assert_eq!(
            reply(&json!({"error": {"message": "overloaded", "code": "busy"}})).unwrap_err(),
            "overloaded (busy)"
        );
        assert_eq!(reply(&json!({"choices": [{"text": 3}]})).unwrap_err(), "its first choice has no text");
        assert_eq!(message("{\"detail\":\"Not Found\"}"), "Not Found");
        assert_eq!(message("{\"object\":\"error\",\"message\":\"m\",\"type\":\"T\"}"), "m (T)");
        assert_eq!((message("<html>"), message("")), ("<html>".to_owned(), "no message".to_owned()));
    }
}
