//! Errors of asking a server.

/// Why there is no answer, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("`{url}` is no address of a server; expected one such as http://localhost:8000/v1")]
    Address {
        /// What was given.
        url: String,
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
    /// The server did not answer.
    #[error("{url}: {what}; check that the server runs and that the address ends in /v1")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        what: String,
    },
    /// The server answered with an error.
    #[error("{url}: HTTP {status}: {message}")]
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
}
