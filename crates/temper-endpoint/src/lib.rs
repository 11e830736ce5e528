//! Models behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp, `transformers serve`, …): as models under test and as
//! judges.
//!
//! [`Endpoint::ask`] answers one request, [`Endpoint::ask_all`] many at once.

mod error;
mod request;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use temper_recipe::EndpointSpec;

pub use error::EndpointError;
pub use request::{Finish, Input, Reply, Request, TokenLogprob};

/// A model behind a server, with everything that is known of how to ask it.
#[derive(Debug)]
pub struct Endpoint {
    spec: EndpointSpec,
    key: Option<String>,
    agent: ureq::Agent,
}

impl Endpoint {
    /// An endpoint from its specification. Nothing is sent yet.
    ///
    /// # Errors
    /// The environment variable that should hold the key is not set; the address is no `http(s)://` one.
    pub fn new(spec: &EndpointSpec) -> Result<Self, EndpointError> {
        if !spec.url.starts_with("http://") && !spec.url.starts_with("https://") {
            return Err(EndpointError::Address { url: spec.url.clone() });
        }
        let key = match &spec.api_key_env {
            None => None,
            Some(name) => match std::env::var(name) {
                Ok(key) if !key.is_empty() => Some(key),
                _ => return Err(EndpointError::Key { url: spec.url.clone(), name: name.clone() }),
            },
        };
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(spec.timeout)))
            .http_status_as_error(false)
            .build()
            .into();
        Ok(Endpoint { spec: spec.clone(), key, agent })
    }

    /// The specification.
    pub fn spec(&self) -> &EndpointSpec {
        &self.spec
    }

    /// The answer to one request. Thread-safe.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else than a completion.
    pub fn ask(&self, request: &Request) -> Result<Reply, EndpointError> {
        wire::post(&self.agent, &self.spec, self.key.as_deref(), request)
    }

    /// The answers to many requests, given to `each` with the request's position as they arrive. Ends early when `stop` is set;
    /// requests that were not answered are not reported then.
    pub fn ask_all(
        &self,
        requests: &[Request],
        stop: &AtomicBool,
        each: &mut dyn FnMut(usize, Result<Reply, EndpointError>),
    ) {
        for (at, request) in requests.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            each(at, self.ask(request));
        }
    }
}
