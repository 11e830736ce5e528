//! An OpenAI-compatible server that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Path and body of a request.
pub type Asked = (String, Value);

pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers every request with what `answer` makes of its body: a status and a body.
    pub fn new(answer: impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || {
                    let _ = exchange(stream.unwrap(), &log, &*answer);
                });
            }
        });
        Server { url, asked }
    }

    /// Says the same to every request.
    pub fn saying(text: &str) -> Self {
        let reply = reply(text);
        Server::new(move |_| (200, reply.clone()))
    }

    /// The parameter `endpoint` of a judge.
    pub fn endpoint(&self) -> Value {
        json!({"url": self.url, "model": "judge-1", "timeout": 20, "retries": 0})
    }

    /// The only request so far.
    pub fn only(&self) -> Asked {
        let asked = self.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        asked[0].clone()
    }
}

/// A whole answer that serves chats and plain prompts.
pub fn reply(text: &str) -> Value {
    json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})
}

/// What the judge was given, as one text.
pub fn shown(body: &Value) -> String {
    match body.get("messages") {
        None => body["prompt"].as_str().unwrap().to_owned(),
        Some(messages) => {
            let texts = messages.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap());
            texts.collect::<Vec<_>>().join("\n")
        }
    }
}

fn exchange(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Value) -> (u16, Value),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let (status, said) = answer(&body);
    log.lock().unwrap().push((first.split(' ').nth(1).unwrap().to_owned(), body));
    let said = said.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
        said.len()
    )
}
