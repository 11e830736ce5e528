//! Models behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp, `transformers serve`, …): as models under test and as
//! judges.
//!
//! [`Endpoint::ask`] answers one request, [`Endpoint::ask_all`] many at once. Both send a request again after what may pass,
//! keep to the number of requests at a time that the server can take, and to the number a minute that the specification
//! allows. [`Endpoint::keeping`] keeps replies in a file.

mod cache;
mod error;
mod many;
mod models;
mod pace;
mod request;
mod retry;
mod wire;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use temper_recipe::EndpointSpec;

pub use error::EndpointError;
pub use models::{ServedModel, ServerIdentity};
pub use request::{Finish, Input, Reply, Request, TokenLogprob};

use cache::Cache;
use pace::{GLANCE, Pace};
use wire::Wire;

/// A model behind a server, with everything that is known of how to ask it. Clones share connections, pace and counts.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    spec: EndpointSpec,
    wire: Wire,
    pace: Pace,
    cache: Option<Cache>,
    identity: Mutex<Option<ServerIdentity>>,
    /// What the server called its weights last.
    fingerprint: Mutex<Option<String>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    retries: AtomicUsize,
    too_many: AtomicUsize,
    cached: AtomicUsize,
    not_kept: AtomicUsize,
}

/// What went to and from the server so far, and how it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Requests at a time that the server is thought to take.
    pub connections: usize,
    /// Requests that are under way.
    pub in_flight: usize,
    /// Requests that were sent, repeated ones included.
    pub requests: usize,
    /// Requests that were sent again.
    pub retries: usize,
    /// Answers of "too many requests" (HTTP 429).
    pub too_many: usize,
    /// Replies that were found among the kept ones.
    pub cached: usize,
    /// Replies that could not be kept.
    pub not_kept: usize,
}

impl Endpoint {
    /// An endpoint from its specification. Nothing is sent yet.
    ///
    /// # Errors
    /// The environment variable that should hold the key is not set; the address is no `http(s)://` one, or has a key in it.
    pub fn new(spec: &EndpointSpec) -> Result<Self, EndpointError> {
        let host = models::host(&spec.url);
        if !(spec.url.starts_with("http://") || spec.url.starts_with("https://")) || host.is_empty() {
            return Err(EndpointError::Address { url: spec.url.clone() });
        }
        if let Some((_, host)) = host.rsplit_once('@') {
            return Err(EndpointError::Secret { host: host.to_owned() });
        }
        let key = match &spec.api_key_env {
            None => None,
            Some(name) => Some(key(&spec.url, name)?),
        };
        let shared = Shared {
            wire: Wire::new(spec, key),
            pace: Pace::new(spec.max_connections, spec.requests_per_minute),
            spec: spec.clone(),
            cache: None,
            identity: Mutex::default(),
            fingerprint: Mutex::default(),
            counts: Counts::default(),
        };
        Ok(Endpoint { shared: Arc::new(shared) })
    }

    /// The same endpoint with replies kept in `file` (SQLite, created where there is none; processes may share it): a request
    /// that was answered is not sent again. Errors and what a filter cut are not kept. To be called before the first request.
    ///
    /// # Errors
    /// The file cannot be opened, or the endpoint is in use already.
    pub fn keeping(self, file: &Path) -> Result<Self, EndpointError> {
        let cache = Cache::open(file)?;
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(Endpoint { shared: Arc::new(Shared { cache: Some(cache), ..shared }) }),
            Err(_) => {
                let what = "the endpoint was copied before its replies were to be kept".to_owned();
                Err(EndpointError::Cache { file: file.to_owned(), what })
            }
        }
    }

    /// The specification.
    pub fn spec(&self) -> &EndpointSpec {
        &self.shared.spec
    }

    /// What the server lists (`GET /models`).
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else than a list.
    pub fn models(&self) -> Result<Vec<ServedModel>, EndpointError> {
        let mut failures = 0;
        let value = loop {
            match self.shared.wire.models() {
                Ok(value) => break value,
                // A server that cannot be reached is told at once; one that is still loading says so.
                Err(error @ EndpointError::Status { status: 429 | 503, .. }) => {
                    failures += 1;
                    let wait = retry::wait(&error, failures, self.shared.spec.retries, b"models").ok_or(error)?;
                    std::thread::sleep(wait);
                }
                Err(error) => return Err(error),
            }
        };
        let malformed = |what| EndpointError::Malformed { url: format!("{}/models", self.shared.spec.url), what };
        models::list(&value).map_err(malformed)
    }

    /// Who answers: the model's name (the only one that the server has, where none is named) and what the server says of it.
    /// Asked once.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the key; no model is named and the server does not have exactly one.
    pub fn identity(&self) -> Result<ServerIdentity, EndpointError> {
        let mut known = self.shared.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = known.as_ref() {
            return Ok(identity.clone());
        }
        let spec = &self.shared.spec;
        let models = match self.models() {
            Ok(models) => models,
            // A server without a list, or whose list is broken: a model that is named can be asked all the same.
            Err(
                EndpointError::Status { status: 400 | 404 | 405 | 500..=599, .. } | EndpointError::Malformed { .. },
            ) if !spec.model.is_empty() => Vec::new(),
            Err(error) => return Err(error),
        };
        let served: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
        let model = match (spec.model.as_str(), &served[..]) {
            ("", [only]) => only.clone(),
            ("", _) => return Err(EndpointError::NoModel { url: spec.url.clone(), served }),
            (named, _) => named.to_owned(),
        };
        let identity = ServerIdentity {
            host: models::host(&spec.url).to_owned(),
            listed: models.into_iter().find(|listed| listed.id == model),
            model,
            served,
        };
        Ok(known.insert(identity).clone())
    }

    /// The answer to one request, which is sent again after what may pass. Thread-safe.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else than a completion.
    pub fn ask(&self, request: &Request) -> Result<Reply, EndpointError> {
        loop {
            if let Some(answer) = self.ask_until(request, &|| false) {
                return answer;
            }
        }
    }

    /// The answers to many requests, given to `each` with the request's position as they arrive. Ends within a second when
    /// `stop` is set, even while requests hang; requests that were not answered are not reported then.
    pub fn ask_all(
        &self,
        requests: &[Request],
        stop: &AtomicBool,
        each: &mut dyn FnMut(usize, Result<Reply, EndpointError>),
    ) {
        self.ask_while(requests, &|| stop.load(Ordering::Relaxed), each);
    }

    /// The same until `stop` says so, which is asked ten times a second at least.
    pub fn ask_while(
        &self,
        requests: &[Request],
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(usize, Result<Reply, EndpointError>),
    ) {
        many::ask_while(self, requests, stop, each);
    }

    /// What went to and from the server so far.
    pub fn traffic(&self) -> Traffic {
        let (connections, in_flight) = self.shared.pace.now();
        let counts = &self.shared.counts;
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        Traffic {
            connections,
            in_flight,
            requests: read(&counts.requests),
            retries: read(&counts.retries),
            too_many: read(&counts.too_many),
            cached: read(&counts.cached),
            not_kept: read(&counts.not_kept),
        }
    }

    /// The answer to one request; `None` when it is to stop.
    pub(crate) fn ask_until(
        &self,
        request: &Request,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Result<Reply, EndpointError>> {
        let shared = &self.shared;
        // The list is asked for only where something depends on it.
        let identity = match (&shared.cache, shared.spec.model.as_str()) {
            (None, named) if !named.is_empty() => None,
            _ => match self.identity() {
                Ok(identity) => Some(identity),
                Err(error) => return Some(Err(error)),
            },
        };
        let model = identity.as_ref().map_or(shared.spec.model.as_str(), |identity| identity.model.as_str());
        let body = wire::body(&shared.spec, model, request);
        let kept = match (&shared.cache, &identity) {
            (Some(cache), Some(identity)) => Some((cache, cache::key(identity, request, &body))),
            _ => None,
        };
        if let Some((cache, key)) = &kept {
            let fingerprint = shared.fingerprint.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match cache.get(key, fingerprint.as_deref()) {
                Ok(Some(reply)) => {
                    shared.counts.cached.fetch_add(1, Ordering::Relaxed);
                    return Some(Ok(reply));
                }
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        let answer = self.exchange(request, &body, stopped)?;
        if let Ok(reply) = &answer {
            if reply.fingerprint.is_some() {
                *shared.fingerprint.lock().unwrap_or_else(PoisonError::into_inner) = reply.fingerprint.clone();
            }
            if kept.is_some_and(|(cache, key)| cache.put(&key, reply).is_err()) {
                shared.counts.not_kept.fetch_add(1, Ordering::Relaxed);
            }
        }
        Some(answer.map_err(|error| self.explained(error)))
    }

    /// Sends a request until it is answered, as often as the specification allows.
    fn exchange(
        &self,
        request: &Request,
        body: &serde_json::Value,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Result<Reply, EndpointError>> {
        let shared = &self.shared;
        let mut failures = 0;
        loop {
            let permit = shared.pace.enter(stopped)?;
            shared.counts.requests.fetch_add(1, Ordering::Relaxed);
            let error = match shared.wire.complete(&request.input, body) {
                Ok(reply) => {
                    permit.fine();
                    return Some(Ok(reply));
                }
                Err(error) => error,
            };
            failures += 1;
            let bytes = format!("{body}{}", request.repeat);
            let wait = retry::wait(&error, failures, shared.spec.retries, bytes.as_bytes());
            match &error {
                EndpointError::Status { status: 429, retry_after, .. } => {
                    shared.counts.too_many.fetch_add(1, Ordering::Relaxed);
                    permit.too_many(retry_after.and(wait));
                }
                EndpointError::Status { .. } => permit.fine(),
                _ => {}
            }
            drop(permit);
            let Some(wait) = wait else { return Some(Err(error)) };
            shared.counts.retries.fetch_add(1, Ordering::Relaxed);
            let until = Instant::now() + wait;
            while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                if stopped() {
                    return None;
                }
                std::thread::sleep(left.min(GLANCE));
            }
        }
    }

    /// An error of a name or path that the server does not know, with what it serves.
    fn explained(&self, error: EndpointError) -> EndpointError {
        let EndpointError::Status { url, status: 404, message, retry_after } = error else { return error };
        let served = self.identity().map(|identity| identity.served).unwrap_or_default();
        let message = match served.is_empty() {
            true => message,
            false => format!("{message}; the server has {}", served.join(", ")),
        };
        EndpointError::Status { url, status: 404, message, retry_after }
    }
}

/// The key that an environment variable holds.
fn key(url: &str, name: &str) -> Result<String, EndpointError> {
    let key = std::env::var(name).unwrap_or_default().trim().to_owned();
    if key.is_empty() {
        return Err(EndpointError::Key { url: url.to_owned(), name: name.to_owned() });
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EndpointError::BadKey { url: url.to_owned(), name: name.to_owned() });
    }
    Ok(key)
}

impl fmt::Debug for Endpoint {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("spec", &self.shared.spec)
            .field("traffic", &self.traffic())
            .finish_non_exhaustive()
    }
}
