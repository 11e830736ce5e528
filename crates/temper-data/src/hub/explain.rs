//! What went wrong at the Hub, and what to do about it.

use super::Hub;
use super::http::Failure;
use crate::DataError;
use crate::error::Place;
use temper_recipe::{HubKind, HubPath};

/// Why the repository cannot be listed. `other`: a repository of this name exists as the other kind.
pub(crate) fn listing(hub: &Hub, path: &HubPath, failure: &Failure, other: bool) -> DataError {
    let shown = path.to_string();
    let here = Place::file(&shown);
    let HubPath { kind, repository, revision, .. } = path;
    if other {
        let right = HubPath { kind: kind.other(), path: None, ..path.clone() };
        return here.error(
            format!("there is no {kind} `{repository}`, but a {} of that name", kind.other()),
            format!("Write `{right}` where a {} is wanted, or correct the name", kind.other()),
        );
    }
    match failure {
        Failure::Status { status: 404, code, .. } if code.as_deref() == Some("RevisionNotFound") => here.error(
            format!("the {kind} has no revision `{}`", revision.as_deref().unwrap_or("main")),
            format!(
                "{}/tree/main lists its branches, tags and commits; without `@REVISION` it is `main`",
                page(hub, path)
            ),
        ),
        Failure::Status { status: 404, .. } => {
            let old = match repository.split_once('/') {
                Some((first, rest)) if *kind == HubKind::Dataset => format!(
                    ". The old data set `{first}` of one part, with a path in it, is written `hf://datasets/{first}@main/{rest}`"
                ),
                _ => String::new(),
            };
            here.error(
                format!("there is no {kind} `{repository}` at {}", hub.endpoint),
                format!(
                    "Check the spelling: {}{old}. A private one is only there with a token: {}",
                    page(hub, path),
                    token(hub)
                ),
            )
        }
        _ => any(hub, path, failure, "the repository"),
    }
}

/// Why a file cannot be fetched.
pub(crate) fn file(hub: &Hub, path: &HubPath, file: &str, failure: &Failure) -> DataError {
    any(hub, path, failure, &format!("`{file}`"))
}

fn any(hub: &Hub, path: &HubPath, failure: &Failure, what: &str) -> DataError {
    let shown = path.to_string();
    let here = Place::file(&shown);
    let kind = path.kind;
    match failure {
        Failure::Status { status: 401 | 403, code, message } if code.as_deref() == Some("GatedRepo") => here.error(
            format!("access to the {kind} must be asked for{}", said(message)),
            format!("Ask for it at {}, then {}", page(hub, path), token(hub)),
        ),
        Failure::Status { status: 401, message, .. } => here.error(
            format!("there is no such {kind}, or it is private{}", said(message)),
            format!("Check the spelling: {}. If it is private or gated: {}", page(hub, path), token(hub)),
        ),
        Failure::Status { status: 403, message, .. } => here.error(
            format!("access to {what} is refused{}", said(message)),
            format!("Look at {} with your account whether it may read the {kind}, then {}", page(hub, path), token(hub)),
        ),
        Failure::Status { status: 404, message, .. } => here.error(
            format!("{what} is not there{}", said(message)),
            format!("Check the name and the revision: {}", page(hub, path)),
        ),
        Failure::Status { status: 429, message, .. } => here.error(
            format!("{} is asked too often{}", hub.endpoint, said(message)),
            format!("Wait some minutes; with an account the limit is higher: {}", token(hub)),
        ),
        Failure::Status { status, message, .. } => here.error(
            format!("{} answered {status} for {what}{}", hub.endpoint, said(message)),
            "Try again later; what has arrived is kept",
        ),
        Failure::Connection { what: why, .. } if why.contains("certificate") => here.error(
            format!("{what} cannot be fetched from {}: {why}", hub.endpoint),
            "Something stands between, such as a company's proxy: set SSL_CERT_FILE to its certificates in PEM form, or check HF_ENDPOINT",
        ),
        Failure::Connection { what: why, .. } => here.error(
            format!("{what} cannot be fetched from {}: {why}", hub.endpoint),
            "Check the connection, HTTPS_PROXY and HF_ENDPOINT, then run the same command: what has arrived is kept. With HF_HUB_OFFLINE=1 only the cache is used",
        ),
        Failure::Strange(why) => here.error(
            format!("{what} cannot be fetched from {}: {why}", hub.endpoint),
            "Check HF_ENDPOINT, and whether a proxy stands between",
        ),
    }
}

fn said(message: &str) -> String {
    if message.trim().is_empty() { String::new() } else { format!(" ({})", message.trim().trim_end_matches('.')) }
}

/// Where a person can look at the repository.
fn page(hub: &Hub, path: &HubPath) -> String {
    let kind = if path.kind == HubKind::Dataset { "datasets/" } else { "" };
    format!("{}/{kind}{}", hub.endpoint, path.repository)
}

fn token(hub: &Hub) -> String {
    match hub.token {
        None => format!("set HF_TOKEN to a token of yours ({}/settings/tokens)", hub.endpoint),
        Some(_) => format!(
            "check that the token in HF_TOKEN, or in the file that `hf auth login` wrote, is yours and may read it ({}/settings/tokens)",
            hub.endpoint
        ),
    }
}
