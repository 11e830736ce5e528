//! What a server serves, and what a model is known by.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members of a listing that change from call to call or from start to start, and say nothing of the weights.
const FLEETING: [&str; 2] = ["created", "permission"];

/// One model of a server's list (`GET /v1/models`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedModel {
    /// The name under which it is asked.
    pub id: String,
    /// What else the list says of it: owner, root, sizes, … Without what changes from call to call.
    #[serde(flatten)]
    pub about: Map<String, Value>,
}

/// Who answers, as far as the server tells: two endpoints of one identity are taken to be one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    /// Host and port of the address.
    pub host: String,
    /// The model's name.
    pub model: String,
    /// The model's entry in the server's list; `None` where the server has no list or does not list it.
    pub listed: Option<ServedModel>,
    /// Names of all models of the list, in its order.
    #[serde(skip)]
    pub served: Vec<String>,
}

/// The models of a list: `{"data": […]}` or the list alone.
pub(crate) fn list(value: &Value) -> Result<Vec<ServedModel>, String> {
    let entries = value.get("data").unwrap_or(value).as_array().ok_or("it has no list `data`")?;
    let model = |entry: &Value| {
        let mut about = entry.as_object()?.clone();
        let id = about.shift_remove("id")?.as_str()?.to_owned();
        about.retain(|name, value| !FLEETING.contains(&name.as_str()) && !value.is_null());
        Some(ServedModel { id, about })
    };
    entries.iter().map(|entry| model(entry).ok_or_else(|| "an entry has no `id`".to_owned())).collect()
}

/// Host and port of an address.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_is_read_without_what_changes_from_call_to_call() {
        let models = list(&json!({"object": "list", "data": [
            {"id": "a", "created": 17, "owned_by": "vllm", "root": "org/a", "parent": null, "permission": [{"id": "x"}]},
            {"id": "b"}
        ]}))
        .unwrap();
        assert_eq!(models[0].id, "a");
        assert_eq!(Value::Object(models[0].about.clone()), json!({"owned_by": "vllm", "root": "org/a"}));
        assert_eq!(models[1].id, "b");
        assert!(list(&json!({"data": [{}]})).is_err() && list(&json!({"error": "x"})).is_err());
    }

    #[test]
    fn hosts() {
        assert_eq!(host("http://localhost:8000/v1"), "localhost:8000");
        assert_eq!(host("https://api.example.org"), "api.example.org");
    }
}
