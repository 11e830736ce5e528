//! A model behind a server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A model behind an OpenAI-compatible server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub struct EndpointSpec {
    /// Address up to and including `/v1`, such as `http://localhost:8000/v1`.
    pub url: String,
    /// Name of the model that the server knows it by; empty for the only one that it serves.
    pub model: String,
    /// Environment variable that holds the key; `null` for none. The key itself is written nowhere.
    pub api_key_env: Option<String>,
    /// Requests at a time at most. Fewer are sent while the server says that it has too many.
    #[schemars(range(min = 1))]
    pub max_connections: usize,
    /// Requests a minute at most; `null` for no limit.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub requests_per_minute: Option<f64>,
    /// Seconds that one answer may take.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub timeout: f64,
    /// How often a request is sent again after an answer that may pass: too many requests, a server error, a broken connection.
    pub retries: usize,
    /// Other fields of every request's body, such as `chat_template_kwargs: {enable_thinking: false}`.
    pub extra: Map<String, Value>,
}

impl Default for EndpointSpec {
    fn default() -> Self {
        EndpointSpec {
            url: String::new(),
            model: String::new(),
            api_key_env: None,
            max_connections: 20,
            requests_per_minute: None,
            timeout: 300.0,
            retries: 5,
            extra: Map::new(),
        }
    }
}
