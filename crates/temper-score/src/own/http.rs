//! A scorer behind an HTTP address: the same JSON as a process, posted.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batches::{Batches, Channel, Failure, Reader};
use super::process::limit;
use super::settings::Settings;
use super::wire::{Refused, cut};
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, ScoreError};

pub(crate) const HTTP: Family = Family {
    info: ScorerInfo {
        r#type: "http",
        title: "HTTP scorer",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Estimate,
        needs: &[],
        summary: "What the server at `url` answers: the same JSON as for `process`, posted",
    },
    version: 1,
    make: http,
};

/// Largest answer that is read, in bytes.
const MOST: u64 = 256 << 20;
/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpParameters {
    url: String,
    /// Attempts after the first, where the server cannot be reached, is overloaded or fails.
    #[serde(default = "retries")]
    retries: u32,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers whose values environment variables hold.
    #[serde(default)]
    headers_env: BTreeMap<String, String>,
}

fn retries() -> u32 {
    3
}

fn http(given: &Parameters) -> Result<Made, ScoreError> {
    let (settings, own) = Settings::take(given)?;
    let own: HttpParameters = serde_json::from_value(Value::Object(own))
        .map_err(|error| given.error(error.to_string(), "write `url: http://host:port/path`".into()))?;
    if !own.url.starts_with("http://") && !own.url.starts_with("https://") {
        return Err(given.error(
            format!("`url` is `{}`", own.url),
            "write an address that begins with `http://` or `https://`".into(),
        ));
    }
    let identity = json!({
        "settings": settings.identity(), "url": own.url, "headers": own.headers, "headers_env": own.headers_env,
    });
    let mut headers: Vec<(String, String)> = own.headers.into_iter().collect();
    for (header, variable) in own.headers_env {
        match std::env::var(&variable) {
            Ok(value) if !value.is_empty() => headers.push((header, value)),
            _ => {
                return Err(given.error(
                    format!("the environment variable {variable}, which should hold the header `{header}`, is not set"),
                    "set it, or remove the header".into(),
                ));
            }
        }
    }
    let timeout = limit(given, "timeout", settings.timeout)?;
    let agent = ureq::Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false).build().into();
    let server = Server { agent, url: own.url, headers, retries: own.retries, timeout };
    let batches =
        Batches::new(server, settings.workers, settings.batch_size, settings.restarts, settings.part, settings.range);
    Ok(settings.apply(Made::batched(&HTTP, identity, move |samples| batches.judge(samples))))
}

struct Server {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(String, String)>,
    retries: u32,
    timeout: Duration,
}

/// What one attempt came to.
enum Attempt {
    Answer(String),
    Failed(Failure),
    /// Worth another attempt, after the time that the server asks for.
    Again(String, Option<Duration>),
}

impl Server {
    fn attempt(&self, body: &str) -> Attempt {
        let mut call = self.agent.post(&self.url).header("content-type", "application/json");
        for (header, value) in &self.headers {
            call = call.header(header, value);
        }
        let lost = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => Attempt::Failed(Failure::Hung(format!(
                "{} gave no answer within {} s; raise `timeout` if it only needs longer",
                self.url,
                self.timeout.as_secs_f64()
            ))),
            error => Attempt::Again(format!("{} cannot be reached: {error}", self.url), None),
        };
        let mut answer = match call.send(body) {
            Ok(answer) => answer,
            Err(error) => return lost(error),
        };
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let text = match answer.body_mut().with_config().limit(MOST).read_to_string() {
            Ok(text) => text,
            Err(error) => return lost(error),
        };
        let says = format!("{} answered with status {status}: {}", self.url, cut(&text));
        match status {
            200..=299 => Attempt::Answer(text),
            429 | 500..=599 => Attempt::Again(says, wait.map(Duration::from_secs)),
            400 | 413 | 422 => Attempt::Failed(Failure::Told(says)),
            _ => Attempt::Failed(Failure::Broke(says)),
        }
    }
}

impl Channel for Server {
    fn exchange(&self, batch: &Value, read: &Reader) -> Result<Vec<Judged>, Failure> {
        let body = batch.to_string();
        let mut tried = 0;
        loop {
            match self.attempt(&body) {
                Attempt::Answer(text) => {
                    return read(&text).map_err(|refused| match refused {
                        Refused::Told(reason) => Failure::Told(reason),
                        Refused::Garbled(reason) => Failure::Broke(reason),
                    });
                }
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again(reason, _) if tried >= self.retries => {
                    return Err(Failure::Broke(format!("{reason} ({} attempts)", tried + 1)));
                }
                Attempt::Again(_, wait) => {
                    let usual = Duration::from_millis(500) * 2_u32.pow(tried.min(6));
                    thread::sleep(wait.unwrap_or(usual).min(LONGEST_WAIT));
                    tried += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::testing::{row, score, scorer};
    use crate::{Sample, Score};

    /// Answers the requests of one after another with these statuses and bodies; the requests' heads and bodies come back.
    fn server(answers: Vec<(u16, &'static str)>) -> (String, Receiver<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/score", listener.local_addr().unwrap());
        let (tell, told) = channel();
        thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let length = head.to_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                let mut sent = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut sent).unwrap();
                tell.send((head, serde_json::from_slice(&sent).unwrap())).unwrap();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nretry-after: 0\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        (url, told)
    }

    #[test]
    fn a_batch_is_posted_and_its_answer_read() {
        let (url, told) = server(vec![(500, "busy"), (200, r#"{"rewards": [0.5, null]}"#)]);
        let scorer = scorer("http", json!({"url": url, "headers": {"x-key": "abc"}, "retries": 1}));
        let row = row(json!({"answer": "4"}));
        let samples = [Sample::new(&row, "4", 1, false), Sample::new(&row, "5", 1, false)];
        assert_eq!(scorer.score(&samples), [Score::Value(0.5), Score::NotApplicable]);
        for (head, body) in [told.recv().unwrap(), told.recv().unwrap()] {
            assert!(head.starts_with("POST /score") && head.to_lowercase().contains("x-key: abc"), "{head}");
            assert_eq!((&body["answer"], &body["completions"][1][0]["content"]), (&json!(["4", "4"]), &json!("5")));
        }
    }

    #[test]
    fn a_server_that_fails_or_is_not_there_is_an_error() {
        let row = row(json!({}));
        let reason = |scorer: &std::sync::Arc<dyn crate::Scorer>| match score(scorer, &row, "x") {
            Score::Error(reason) => reason,
            other => panic!("{other:?}"),
        };
        let (url, _told) =
            server(vec![(422, "no field"), (404, "nothing"), (404, "nothing"), (200, "hello"), (200, "hello")]);
        let scorer_at = |url: &str| scorer("http", json!({"url": url, "retries": 0, "timeout": 5}));
        let scorer = scorer_at(&url);
        assert!(reason(&scorer).contains("status 422: no field"));
        assert!(reason(&scorer).contains("status 404: nothing"));
        assert!(reason(&scorer).contains("answered `hello`, which is no JSON object"));
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", silent.local_addr().unwrap());
        let hung = crate::testing::scorer("http", json!({"url": address, "timeout": 0.2}));
        assert!(reason(&hung).contains("gave no answer within 0.2 s"));
        drop(silent);
        assert!(reason(&scorer_at(&address)).contains("cannot be reached"));
    }
}
