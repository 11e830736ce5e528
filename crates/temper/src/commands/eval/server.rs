//! A model behind a server: from arguments to a subject, and what went over the wire.

use serde_json::{Map, Value};
use temper_endpoint::Endpoint;
use temper_eval::{EvalError, Served};
use temper_recipe::EndpointSpec;

use crate::args::ServerArgs;
use crate::error::CliError;

/// Whether a model is named by an address.
pub fn is_address(model: &str) -> bool {
    model.starts_with("http://") || model.starts_with("https://")
}

/// Refuses arguments that only a server could use.
pub fn refuse_without(model: &str, args: &ServerArgs) -> Result<(), CliError> {
    let given = [
        ("--model-name", args.model_name.is_some()),
        ("--api-key-env", args.api_key_env.is_some()),
        ("--max-connections", args.max_connections.is_some()),
        ("--requests-per-minute", args.requests_per_minute.is_some()),
        ("--timeout", args.timeout.is_some()),
        ("--retries", args.retries.is_some()),
        ("--extra", args.extra.is_some()),
        ("--keep-replies", args.keep_replies.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(CliError::message(format!(
            "{name} is for a model behind a server, but --model {model} is none; give an address such as http://localhost:8000/v1, or leave {name} out"
        ))),
    }
}

/// The model behind a server, after it said who it is.
pub fn connect(url: &str, args: &ServerArgs) -> Result<Served, CliError> {
    let default = EndpointSpec::default();
    let spec = EndpointSpec {
        url: url.to_owned(),
        model: args.model_name.clone().unwrap_or_default(),
        api_key_env: args.api_key_env.clone(),
        max_connections: args.max_connections.map_or(default.max_connections, usize::from),
        requests_per_minute: positive("--requests-per-minute", args.requests_per_minute)?,
        timeout: positive("--timeout", args.timeout)?.unwrap_or(default.timeout),
        retries: args.retries.unwrap_or(default.retries),
        extra: extra(args.extra.as_deref())?,
    };
    let failed = |source| EvalError::Endpoint { source: Box::new(source) };
    let mut endpoint = Endpoint::new(&spec).map_err(failed)?;
    if let Some(file) = &args.keep_replies {
        endpoint = endpoint.keeping(file).map_err(failed)?;
    }
    let served = Served::new(endpoint)?;
    let server = served.server();
    match (&server.listed, server.served.as_slice()) {
        (Some(_), _) => {}
        (None, []) => eprintln!("{url} gives no list of models; `{}` is known by its name alone.", server.model),
        (None, others) => eprintln!(
            "{url} does not list a model `{}`; it lists {}. It is asked all the same.",
            server.model,
            others.join(", ")
        ),
    }
    Ok(served)
}

fn positive(name: &str, value: Option<f64>) -> Result<Option<f64>, CliError> {
    match value {
        Some(value) if !(value > 0.0 && value.is_finite()) => {
            Err(CliError::message(format!("{name} {value}: expected a number above 0")))
        }
        value => Ok(value),
    }
}

fn extra(text: Option<&str>) -> Result<Map<String, Value>, CliError> {
    let Some(text) = text else { return Ok(Map::new()) };
    serde_json::from_str(text).map_err(|error| {
        CliError::message(format!("--extra: {error}; expected a JSON object, such as '{{\"min_p\": 0.1}}'"))
    })
}

/// What went over the wire.
pub fn traffic(served: &Served) -> String {
    let seen = served.endpoint().traffic();
    let mut text = format!("{}: {} requests", served.server().host, seen.requests);
    let parts = [
        (seen.retries, "of them sent again"),
        (seen.too_many, "refused as too many"),
        (seen.cached, "answered by kept replies instead"),
        (seen.not_kept, "replies could not be kept"),
    ];
    for (count, what) in parts {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text + &format!("; {} at a time in the end", seen.connections)
}
