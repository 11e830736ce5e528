//! One exchange with the server: the request's JSON, the answer's JSON.

use serde_json::{Map, Value, json};
use temper_recipe::EndpointSpec;

use crate::{EndpointError, Finish, Input, Reply, Request, TokenLogprob};

/// Largest answer that is read, in bytes.
const MOST: u64 = 64 << 20;

pub(crate) fn post(
    agent: &ureq::Agent,
    spec: &EndpointSpec,
    key: Option<&str>,
    request: &Request,
) -> Result<Reply, EndpointError> {
    let path = match request.input {
        Input::Messages(_) => "chat/completions",
        Input::Prompt(_) => "completions",
    };
    let url = format!("{}/{path}", spec.url.trim_end_matches('/'));
    let unreachable = |what: String| EndpointError::Unreachable { url: url.clone(), what };
    let mut call = agent.post(&url).header("content-type", "application/json");
    if let Some(key) = key {
        call = call.header("authorization", format!("Bearer {key}"));
    }
    let mut answer = call.send(body(spec, request).to_string()).map_err(|error| unreachable(error.to_string()))?;
    let retry_after = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let status = answer.status().as_u16();
    let text =
        answer.body_mut().with_config().limit(MOST).read_to_string().map_err(|error| unreachable(error.to_string()))?;
    if !(200..300).contains(&status) {
        return Err(EndpointError::Status { url, status, message: message(&text), retry_after });
    }
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| EndpointError::Malformed { url: url.clone(), what: error.to_string() })?;
    reply(&value).map_err(|what| EndpointError::Malformed { url, what })
}

/// The request's JSON.
pub(crate) fn body(spec: &EndpointSpec, request: &Request) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(spec.model));
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
    Value::Object(body)
}

/// The message of an error's body.
fn message(text: &str) -> String {
    let said = serde_json::from_str::<Value>(text).ok().and_then(|value| {
        let error = value.get("error").or_else(|| value.get("detail"))?;
        Some(error.get("message").unwrap_or(error).as_str()?.to_owned())
    });
    said.unwrap_or_else(|| text.chars().take(300).collect())
}

/// The first choice of an answer.
pub(crate) fn reply(value: &Value) -> Result<Reply, String> {
    let choice = value.pointer("/choices/0").ok_or("it has no `choices`")?;
    let message = choice.get("message");
    let text = message.and_then(|m| m.get("content")).or_else(|| choice.get("text"));
    let text = match text {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None if message.is_some() => String::new(),
        _ => return Err("its first choice has no text".to_owned()),
    };
    let reasoning = message.and_then(|m| m.get("reasoning_content").or_else(|| m.get("reasoning")));
    let finish = match choice.get("finish_reason").and_then(Value::as_str) {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        _ => Finish::Other,
    };
    let count = |name: &str| value.get("usage")?.get(name)?.as_u64().map(|count| count as usize);
    Ok(Reply {
        text,
        reasoning: reasoning.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned),
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
