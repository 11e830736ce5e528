//! A scorer that is a process: one JSON object per line in, one per line out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batches::{Batches, Channel, Failure, Reader, lock};
use super::code;
use super::settings::{Settings, TIME, seconds};
use super::wire::Refused;
use super::worker::{Launch, Lost, Worker};
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, ScoreError};

pub(crate) const PROCESS: Family = Family {
    info: ScorerInfo {
        r#type: "process",
        title: "Process",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Estimate,
        needs: &[],
        summary: "What the program `command` answers: one JSON object per line in, {\"rewards\": [...]} per line out",
    },
    version: 1,
    make: process,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessParameters {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// Whether the program writes `{"ready": true}` once it is.
    #[serde(default)]
    ready: bool,
    #[serde(default = "start_timeout")]
    start_timeout: f64,
}

/// Seconds that a process may take until it is ready.
pub(crate) fn start_timeout() -> f64 {
    120.0
}

fn process(given: &Parameters) -> Result<Made, ScoreError> {
    let (settings, own) = Settings::take(given)?;
    let own: ProcessParameters = serde_json::from_value(Value::Object(own)).map_err(|error| {
        given.error(error.to_string(), "write `command` as a list, [program, argument, ...]".into())
    })?;
    if own.command.first().is_none_or(String::is_empty) {
        return Err(given.error("`command` is empty".into(), "write a list, [program, argument, ...]".into()));
    }
    let files = code::digests(own.command.iter().map(String::as_str), own.cwd.as_deref());
    let identity = json!({
        "settings": settings.identity(), "command": own.command, "env": own.env, "cwd": own.cwd, "files": files,
    });
    let launch = Launch {
        command: own.command,
        env: own.env.into_iter().collect(),
        cwd: own.cwd,
        says_ready: own.ready,
        start_timeout: limit(given, "start_timeout", own.start_timeout)?,
        timeout: limit(given, "timeout", settings.timeout)?,
    };
    Ok(made(&PROCESS, identity, &settings, launch))
}

/// A parameter as a time limit.
pub(crate) fn limit(given: &Parameters, name: &str, value: f64) -> Result<Duration, ScoreError> {
    seconds(value).map_err(|what| given.error(format!("`{name}` is {what}"), TIME.into()))
}

/// A scorer that runs these processes.
pub(crate) fn made(family: &Family, identity: Value, settings: &Settings, launch: Launch) -> Made {
    let pool = Pool { launch, most: settings.workers, idle: Mutex::default(), returned: Condvar::new() };
    let batches =
        Batches::new(pool, settings.workers, settings.batch_size, settings.restarts, settings.part, settings.range);
    settings.apply(Made::batched(family, identity, move |samples| batches.judge(samples)))
}

/// Processes that are started when they are needed and kept for the next batch.
struct Pool {
    launch: Launch,
    /// Processes at a time.
    most: usize,
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Default)]
struct Idle {
    workers: Vec<Worker>,
    /// Places of processes in work.
    busy: usize,
}

impl Pool {
    /// A worker that waits, or the place for a new one, once there is one.
    fn acquire(&self) -> Option<Worker> {
        let mut idle = lock(&self.idle);
        while idle.busy >= self.most {
            idle = self.returned.wait(idle).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        idle.busy += 1;
        idle.workers.pop()
    }

    fn release(&self, worker: Option<Worker>) {
        let mut idle = lock(&self.idle);
        idle.busy -= 1;
        idle.workers.extend(worker);
        self.returned.notify_one();
    }
}

impl Channel for Pool {
    fn exchange(&self, batch: &Value, read: &Reader) -> Result<Vec<Judged>, Failure> {
        let worker = self.acquire();
        let worker = worker.map_or_else(|| Worker::start(&self.launch), Ok);
        let (worker, outcome) = match worker {
            Err(lost) => (None, Err(lost.into())),
            Ok(mut worker) => match worker.ask(batch.to_string()) {
                Err(lost) => (None, Err(lost.into())),
                Ok(line) => match read(&line) {
                    Ok(judged) => (Some(worker), Ok(judged)),
                    Err(Refused::Told(reason)) => (Some(worker), Err(Failure::Told(reason))),
                    Err(Refused::Garbled(reason)) => (None, Err(Failure::Broke(reason))),
                },
            },
        };
        self.release(worker);
        outcome
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Hung(reason) => Failure::Hung(reason),
            Lost::Broke(reason) => Failure::Broke(reason),
        }
    }
}
