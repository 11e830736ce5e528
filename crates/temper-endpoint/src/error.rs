//! Errors of asking a server.

use std::path::PathBuf;

/// Why there is no answer, and what to do. No error holds the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("`{url}` is no address of a server; expected one such as http://localhost:8000/v1")]
    Address {
        /// What was given.
        url: String,
    },
    /// An address with a user or a key in it, which would be written into logs.
    #[error(
        "the address of {host} has a user or a key before the `@`; put the key into an environment variable and name that in `api_key_env`"
    )]
    Secret {
        /// The server.
        host: String,
    },
    /// No key.
    #[error(
        "{url}: the environment variable {name}, which should hold the key, is not set; set it, or remove `api_key_env`"
    )]
    Key {
        /// The server.
        url: String,
        /// The variable.
        name: String,
    },
    /// A key that cannot be sent.
    #[error(
        "{url}: the environment variable {name} holds white space or control characters; it should hold the key alone"
    )]
    BadKey {
        /// The server.
        url: String,
        /// The variable.
        name: String,
    },
    /// No model is named, and the server does not serve exactly one.
    #[error("{url}: {}; name the model", if served.is_empty() { "no model is named and the server lists none".to_owned() } else { format!("no model is named and the server has {}: {}", served.len(), served.join(", ")) })]
    NoModel {
        /// The server.
        url: String,
        /// What it serves.
        served: Vec<String>,
    },
    /// The server did not answer.
    #[error("{url}: {what}; check that the server runs and that the address ends in /v1")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        what: String,
    },
    /// The answer took too long.
    #[error("{url}: no answer within {seconds} s; raise `timeout`, or lower `max_connections`")]
    Timeout {
        /// The server.
        url: String,
        /// How long was waited.
        seconds: String,
    },
    /// The server answered with an error.
    #[error("{url}: HTTP {status}: {message}{}", remedy(*status))]
    Status {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
        /// Seconds after which to try again, where the server says.
        retry_after: Option<u64>,
    },
    /// The answer is no completion.
    #[error("{url}: the answer is not a completion: {what}; is this an OpenAI-compatible server?")]
    Malformed {
        /// The server.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// The file of kept replies cannot be used.
    #[error("{}: the kept replies cannot be used: {what}; name another file, or delete this one", file.display())]
    Cache {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        what: String,
    },
}

fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "; give the address that the server redirects to",
        401 => "; set the server's key in an environment variable and name that in `api_key_env`",
        403 => "; the key has no right to this, or the server refuses the request",
        404 => "; check the model's name, and that the address ends in /v1",
        429 => "; try again later, with fewer connections or requests per minute",
        408 | 500.. => "; see the server's log, and try again",
        _ => "; the server does not take this request: compare it with what the server supports",
    }
}

/// Ways in which servers say that prompt and completion do not fit the model's context: OpenAI, vLLM, SGLang, llama.cpp,
/// llama-cpp-python, TGI.
const OVERFLOW: [&str; 8] = [
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context size",
    "context window",
    "maximum model length",
    "max_model_len",
    "`inputs` tokens + `max_new_tokens`",
];

impl EndpointError {
    /// Whether the same request may be answered another time: too many requests, a server error, a broken connection, no
    /// answer in time.
    pub fn may_pass(&self) -> bool {
        match self {
            EndpointError::Unreachable { .. } | EndpointError::Timeout { .. } => true,
            EndpointError::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    /// Whether the server says that the request does not fit the model's context (HTTP 400, 413 or 422).
    pub fn is_context_overflow(&self) -> bool {
        let EndpointError::Status { status: 400 | 413 | 422, message, .. } = self else { return false };
        let message = message.to_lowercase();
        OVERFLOW.iter().any(|said| message.contains(said))
    }

    /// Whether every other request would fail in the same way: a wrong address, model or key.
    pub fn is_final(&self) -> bool {
        match self {
            EndpointError::Status { status, .. } => matches!(status, 300..=399 | 401 | 404 | 405),
            EndpointError::Address { .. }
            | EndpointError::Secret { .. }
            | EndpointError::Key { .. }
            | EndpointError::BadKey { .. }
            | EndpointError::NoModel { .. }
            | EndpointError::Cache { .. } => true,
            EndpointError::Unreachable { .. } | EndpointError::Timeout { .. } | EndpointError::Malformed { .. } => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, message: &str) -> EndpointError {
        EndpointError::Status { url: "u".into(), status, message: message.into(), retry_after: None }
    }

    #[test]
    fn what_may_pass_and_what_will_not() {
        for code in [408, 429, 500, 502, 503, 529] {
            assert!(status(code, "").may_pass() && !status(code, "").is_final(), "{code}");
        }
        for code in [400, 403, 409, 422] {
            assert!(!status(code, "").may_pass() && !status(code, "").is_final(), "{code}");
        }
        for code in [308, 401, 404, 405] {
            assert!(!status(code, "").may_pass() && status(code, "").is_final(), "{code}");
        }
        assert!(EndpointError::Timeout { url: "u".into(), seconds: "1".into() }.may_pass());
    }

    #[test]
    fn contexts_that_are_too_small_are_told_from_other_bad_requests() {
        for said in [
            "This model's maximum context length is 1024 tokens. However, you requested 1500 tokens (context_length_exceeded)",
            "the request exceeds the available context size, try increasing it",
            "Requested tokens (3000) exceed context window of 2048",
            "The decoder prompt (length 4000) is longer than the maximum model length of 2048",
        ] {
            assert!(status(400, said).is_context_overflow(), "{said}");
        }
        assert!(!status(400, "top_k is not a number").is_context_overflow());
        assert!(!status(500, "maximum context length").is_context_overflow());
    }
}
