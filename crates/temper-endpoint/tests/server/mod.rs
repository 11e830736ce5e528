//! A small HTTP server for tests: every request is answered by a function, on a thread of its own per connection.

#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; not every test uses all of them")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `/v1/…`.
    pub path: String,
    /// Header lines, lower case.
    pub headers: Vec<String>,
    /// The body's JSON; null without one.
    pub body: Value,
}

impl Seen {
    /// The last turn's content, or the prompt.
    pub fn prompt(&self) -> String {
        let turn = self.body["messages"].as_array().and_then(|turns| turns.last()).map(|turn| &turn["content"]);
        turn.unwrap_or(&self.body["prompt"]).as_str().unwrap_or_default().to_owned()
    }
}

/// How a request is answered.
pub enum Answer {
    /// Status, further header lines, body.
    Http(u16, Vec<String>, String),
    /// Not at all: the connection stays open.
    Hang,
    /// Not at all: the connection is closed.
    Break,
}

/// A completion of this text, with counts of tokens.
pub fn said(text: &str) -> Answer {
    Answer::Http(200, Vec::new(), completion(text).to_string())
}

/// The JSON of a completion, in both shapes.
pub fn completion(text: &str) -> Value {
    json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": text.len() + 1}
    })
}

/// An error as servers send it.
pub fn error(status: u16, message: &str) -> Answer {
    Answer::Http(status, Vec::new(), json!({"error": {"message": message}}).to_string())
}

/// "Too many requests", to be tried again after some seconds.
pub fn too_many(seconds: u64) -> Answer {
    let body = json!({"error": {"message": "slow down"}}).to_string();
    Answer::Http(429, vec![format!("Retry-After: {seconds}")], body)
}

type Script = dyn Fn(usize, &Seen) -> Answer + Send + Sync;

/// A running server.
pub struct Server {
    /// Address up to `/v1`.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serves the model `tiny`. `script` is given the number of completions that were asked before, and the request.
    pub fn start(script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::serving(&["tiny"], script)
    }

    /// Serves these models; without any, the list is an error of the server.
    pub fn serving(models: &[&str], script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let list: Vec<Value> = models.iter().map(|id| json!({"id": id, "created": 1, "owned_by": "test"})).collect();
        let list = if list.is_empty() { String::new() } else { json!({"object": "list", "data": list}).to_string() };
        let (shared, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, script, list) = (Arc::clone(&shared), Arc::clone(&script), list.clone());
                thread::spawn(move || serve(stream, &seen, script.as_ref(), &list));
            }
        });
        Server { url, seen }
    }

    /// The completions that were asked so far, in the order of their arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Their number.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Seen>>, script: &Script, list: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let answer = if request.path == "/v1/models" && list.is_empty() {
            Answer::Http(500, Vec::new(), "Internal Server Error".to_owned())
        } else if request.path == "/v1/models" {
            Answer::Http(200, Vec::new(), list.to_owned())
        } else {
            let before = {
                let mut seen = seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            script(before, &request)
        };
        let mut stream = &stream;
        match answer {
            Answer::Http(status, headers, body) => {
                let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                    return;
                }
            }
            Answer::Hang => thread::sleep(Duration::from_secs(600)),
            Answer::Break => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim() {
            "" => break,
            line => headers.push(line.to_owned()),
        }
    }
    let length = headers.iter().find_map(|h| h.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { path, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
