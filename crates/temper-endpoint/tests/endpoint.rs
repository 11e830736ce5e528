//! Retries, pace, cache and stopping, against a scripted server.

#![allow(clippy::unwrap_used, reason = "tests")]

mod server;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use server::{Answer, Server, completion, error, said, too_many};
use temper_endpoint::{Endpoint, EndpointError, Finish, Input, Reply, Request};
use temper_recipe::EndpointSpec;

fn spec(server: &Server) -> EndpointSpec {
    EndpointSpec { url: server.url.clone(), model: "tiny".into(), retries: 3, ..EndpointSpec::default() }
}

fn endpoint(server: &Server) -> Endpoint {
    Endpoint::new(&spec(server)).unwrap()
}

fn chat(text: &str) -> Request {
    Request::greedy(Input::Messages(vec![json!({"role": "user", "content": text})]), 16)
}

fn prompts(count: usize) -> Vec<Request> {
    (0..count).map(|i| chat(&format!("q{i}"))).collect()
}

fn ask_all(endpoint: &Endpoint, requests: &[Request]) -> BTreeMap<usize, Result<Reply, EndpointError>> {
    let mut answers = BTreeMap::new();
    endpoint.ask_all(requests, &AtomicBool::new(false), &mut |at, answer| {
        assert!(answers.insert(at, answer).is_none(), "{at} twice");
    });
    answers
}

#[test]
fn what_may_pass_is_asked_again_and_nothing_else() {
    let broken = |n: usize, _: &server::Seen| match n {
        0 => too_many(0),
        1 => error(500, "oops"),
        2 => Answer::Break,
        _ => said("hello"),
    };
    let server = Server::start(broken);
    let one = endpoint(&server);
    let reply = one.ask(&chat("q")).unwrap();
    assert_eq!((reply.text.as_str(), reply.finish, reply.completion_tokens), ("hello", Finish::Stop, Some(6)));
    let traffic = one.traffic();
    assert_eq!((server.count(), traffic.requests, traffic.retries, traffic.too_many), (4, 4, 3, 1));

    for (status, asked) in [(503, 4), (429, 4), (400, 1), (401, 1), (403, 1), (404, 1), (422, 1)] {
        let server = Server::start(move |_, _| Answer::Http(status, vec!["Retry-After: 0".into()], "{}".into()));
        let problem = endpoint(&server).ask(&chat("q")).unwrap_err();
        assert!(matches!(problem, EndpointError::Status { status: s, .. } if s == status), "{problem}");
        assert_eq!(server.count(), asked, "{status}");
    }
    let server = Server::start(|_, _| Answer::Http(200, Vec::new(), "{\"choices\": [{".into()));
    let problem = endpoint(&server).ask(&chat("q")).unwrap_err();
    assert!(matches!(problem, EndpointError::Malformed { .. }), "{problem}");
    assert!(problem.to_string().contains("no JSON") && server.count() == 1, "{problem}");
}

#[test]
fn a_server_that_is_too_slow_is_a_timeout() {
    let server = Server::start(|_, _| Answer::Hang);
    let slow = Endpoint::new(&EndpointSpec { timeout: 0.3, retries: 1, ..spec(&server) }).unwrap();
    let problem = slow.ask(&chat("q")).unwrap_err().to_string();
    assert!(problem.contains("no answer within 0.3 s; raise `timeout`"), "{problem}");
    assert_eq!((server.count(), slow.traffic().retries), (2, 1));
}

#[test]
fn every_request_is_answered_once_in_whatever_order() {
    let server = Server::start(|n, seen| match n % 7 {
        3 => error(502, "bad gateway"),
        _ => said(&format!("to {}", seen.prompt())),
    });
    let many = Endpoint::new(&EndpointSpec { max_connections: 8, ..spec(&server) }).unwrap();
    let answers = ask_all(&many, &prompts(60));
    assert_eq!(answers.len(), 60);
    for (at, answer) in &answers {
        assert_eq!(answer.as_ref().unwrap().text, format!("to q{at}"));
    }
    assert_eq!(server.count(), 60 + many.traffic().retries);
    assert!(many.traffic().retries > 0);
    assert!(ask_all(&many, &[]).is_empty());
}

/// How many requests are under way at once, at most.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn pass(&self, time: Duration) -> usize {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(time);
        self.now.fetch_sub(1, Ordering::SeqCst);
        now
    }
}

#[test]
fn concurrency_shrinks_to_what_the_server_takes_and_no_request_is_lost() {
    let gauge = Arc::new(Gauge::default());
    let inner = Arc::clone(&gauge);
    // Takes four at a time.
    let server = Server::start(move |_, _| match inner.pass(Duration::from_millis(30)) {
        1..=4 => said("ok"),
        _ => too_many(0),
    });
    let many = Endpoint::new(&EndpointSpec { max_connections: 50, retries: 40, ..spec(&server) }).unwrap();
    assert_eq!(many.traffic().connections, 20);
    let answers = ask_all(&many, &prompts(120));
    assert!(answers.len() == 120 && answers.values().all(Result::is_ok));
    let traffic = many.traffic();
    assert!(traffic.connections <= 12 && traffic.too_many > 0, "{traffic:?}");
    assert_eq!(server.count(), 120 + traffic.too_many);
    assert!(gauge.most.load(Ordering::SeqCst) <= 20);
}

#[test]
fn concurrency_grows_to_the_most_that_is_allowed_and_server_errors_do_not_shrink_it() {
    let gauge = Arc::new(Gauge::default());
    let inner = Arc::clone(&gauge);
    let server = Server::start(move |n, _| {
        inner.pass(Duration::from_millis(10));
        if n % 10 == 0 { Answer::Http(503, vec!["Retry-After: 0".into()], "{}".into()) } else { said("ok") }
    });
    let many = Endpoint::new(&EndpointSpec { max_connections: 32, ..spec(&server) }).unwrap();
    assert_eq!(ask_all(&many, &prompts(300)).len(), 300);
    assert_eq!(many.traffic().connections, 32);
    assert!(gauge.most.load(Ordering::SeqCst) <= 32);
}

#[test]
fn a_pause_that_the_server_asks_for_holds_all_requests() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let inner = Arc::clone(&times);
    let server = Server::start(move |n, _| {
        inner.lock().unwrap().push(Instant::now());
        if n == 0 { too_many(1) } else { said("ok") }
    });
    let one = Endpoint::new(&EndpointSpec { max_connections: 1, ..spec(&server) }).unwrap();
    assert!(ask_all(&one, &prompts(3)).values().all(Result::is_ok));
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 4);
    assert!(times[1] - times[0] >= Duration::from_secs(1));
    // A pause of hours is an error that says so, not a hang.
    let server = Server::start(|_, _| too_many(86_400));
    let problem = endpoint(&server).ask(&chat("q")).unwrap_err();
    assert!(matches!(problem, EndpointError::Status { retry_after: Some(86_400), .. }), "{problem}");
    assert_eq!(server.count(), 1);
}

#[test]
fn the_limit_per_minute_is_shared_by_clones_and_threads() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let inner = Arc::clone(&times);
    let server = Server::start(move |_, _| {
        inner.lock().unwrap().push(Instant::now());
        said("ok")
    });
    // One every 50 ms.
    let one = Endpoint::new(&EndpointSpec { requests_per_minute: Some(1200.0), ..spec(&server) }).unwrap();
    let other = one.clone();
    let thread = std::thread::spawn(move || ask_all(&other, &prompts(5)).len());
    assert_eq!(ask_all(&one, &prompts(5)).len() + thread.join().unwrap(), 10);
    let times = times.lock().unwrap();
    assert_eq!((times.len(), one.traffic().requests), (10, 10));
    assert!(*times.iter().max().unwrap() - times[0] >= Duration::from_millis(9 * 50 - 40));
}

#[test]
fn stopping_does_not_wait_for_requests_that_hang() {
    let server = Server::start(|n, _| if n < 3 { said("ok") } else { Answer::Hang });
    let many = Endpoint::new(&EndpointSpec { max_connections: 6, ..spec(&server) }).unwrap();
    let stop = AtomicBool::new(false);
    let (mut answers, mut asked) = (0, None);
    many.ask_all(&prompts(50), &stop, &mut |_, answer| {
        assert!(answer.is_ok());
        answers += 1;
        if answers == 3 {
            stop.store(true, Ordering::Relaxed);
            asked = Some(Instant::now());
        }
    });
    assert_eq!(answers, 3);
    assert!(asked.unwrap().elapsed() < Duration::from_secs(1));
    // Also while waiting to ask again.
    let server = Server::start(|_, _| too_many(300));
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let count = Arc::new(server);
    let seen = Arc::clone(&count);
    let thread = std::thread::spawn(move || {
        while seen.count() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        flag.store(true, Ordering::Relaxed);
        Instant::now()
    });
    endpoint(&count).ask_all(&prompts(4), &stop, &mut |_, answer| panic!("{answer:?}"));
    assert!(thread.join().unwrap().elapsed() < Duration::from_secs(1));
}

#[test]
fn kept_replies_are_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("replies.sqlite");
    let server = Server::start(|n, seen| match seen.prompt().as_str() {
        "filtered" => {
            let mut body = completion("cut");
            body["choices"][0]["finish_reason"] = json!("content_filter");
            Answer::Http(200, Vec::new(), body.to_string())
        }
        "bad" => error(400, "no"),
        _ => said(&format!("{n}")),
    });
    let first = endpoint(&server).keeping(&file).unwrap();
    let said = |endpoint: &Endpoint, request: &Request| endpoint.ask(request).unwrap().text;
    assert_eq!(
        (said(&first, &chat("q")), said(&first, &chat("q")), first.traffic().cached),
        ("0".into(), "0".into(), 1)
    );
    let again = Request { repeat: 1, ..chat("q") };
    assert_eq!(said(&first, &again), "1");
    let warmer = Request { temperature: 0.5, ..chat("q") };
    assert_eq!(said(&first, &warmer), "2");
    // Another process, another address of the same model.
    let second = endpoint(&server).keeping(&file).unwrap();
    assert_eq!((said(&second, &again), said(&second, &warmer), server.count()), ("1".into(), "2".into(), 3));
    for (prompt, asked) in [("filtered", 2), ("bad", 2)] {
        let before = server.count();
        for _ in 0..2 {
            let _ = second.ask(&chat(prompt));
        }
        assert_eq!(server.count() - before, asked, "{prompt}");
    }
    let many = endpoint(&server).keeping(&file).unwrap();
    let before = server.count();
    ask_all(&many, &[chat("q"), again, warmer, chat("new")]);
    assert_eq!((server.count() - before, many.traffic().cached), (1, 3));
    // A model of another name has answers of its own.
    let other = EndpointSpec { model: "other".into(), ..spec(&server) };
    let other = Endpoint::new(&other).unwrap().keeping(&file).unwrap();
    let before = server.count();
    other.ask(&chat("q")).unwrap();
    assert_eq!(server.count() - before, 1);
}

#[test]
fn the_only_model_needs_no_name() {
    let server = Server::start(|_, _| said("ok"));
    let nameless = |server: &Server| Endpoint::new(&EndpointSpec { model: String::new(), ..spec(server) }).unwrap();
    let one = nameless(&server);
    one.ask(&chat("q")).unwrap();
    assert_eq!(server.seen()[0].body["model"], json!("tiny"));
    assert_eq!(one.identity().unwrap().model, "tiny");
    assert_eq!(one.models().unwrap()[0].id, "tiny");
    let two = Server::serving(&["a", "b"], |_, _| said("ok"));
    let problem = nameless(&two).ask(&chat("q")).unwrap_err().to_string();
    assert!(problem.ends_with("no model is named and the server has 2: a, b; name the model"), "{problem}");
    let unlisted = Server::serving(&[], |_, _| said("ok"));
    assert!(nameless(&unlisted).ask(&chat("q")).unwrap_err().to_string().contains("HTTP 500"));
    let named = endpoint(&unlisted);
    assert_eq!((named.identity().unwrap().listed, named.ask(&chat("q")).unwrap().text), (None, "ok".to_owned()));
    let unknown = Server::serving(&["a", "b"], |_, _| error(404, "The model `c` does not exist."));
    let named = Endpoint::new(&EndpointSpec { model: "c".into(), ..spec(&unknown) }).unwrap();
    let problem = named.ask(&chat("q")).unwrap_err().to_string();
    assert!(problem.contains("The model `c` does not exist.; the server has a, b"), "{problem}");
}

#[test]
fn a_key_is_sent_and_shown_nowhere() {
    let key = "sk-very-secret-0123";
    // SAFETY: no other thread of this test binary reads or writes this variable.
    unsafe { std::env::set_var("TEMPER_TEST_ENDPOINT_KEY", format!("{key}\n")) };
    let echo = move |_: usize, seen: &server::Seen| {
        assert!(
            seen.headers.iter().any(|header| header == &format!("authorization: Bearer {key}")),
            "{:?}",
            seen.headers
        );
        error(401, &format!("Incorrect API key provided: {key}"))
    };
    let server = Server::start(echo);
    let with = EndpointSpec { api_key_env: Some("TEMPER_TEST_ENDPOINT_KEY".into()), ..spec(&server) };
    let one = Endpoint::new(&with).unwrap();
    let problem = one.ask(&chat("q")).unwrap_err();
    assert_eq!(server.count(), 1);
    assert!(problem.to_string().contains("Incorrect API key provided: ***"), "{problem}");
    for shown in [format!("{problem:?}"), problem.to_string(), format!("{one:?}")] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    let message = |spec: EndpointSpec| Endpoint::new(&spec).unwrap_err().to_string();
    let unset = message(EndpointSpec { api_key_env: Some("TEMPER_TEST_NO_SUCH_KEY".into()), ..spec(&server) });
    assert!(unset.contains("TEMPER_TEST_NO_SUCH_KEY, which should hold the key, is not set"), "{unset}");
    let inside = message(EndpointSpec { url: "http://me:secret@host/v1".into(), ..EndpointSpec::default() });
    assert!(inside.contains("the address of host has a user or a key") && !inside.contains("secret"), "{inside}");
    assert!(
        message(EndpointSpec { url: "localhost:8000".into(), ..EndpointSpec::default() }).contains("is no address")
    );
}

#[test]
fn a_server_that_is_down_is_named() {
    // A port that was just given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/v1");
    let down = Endpoint::new(&EndpointSpec { url, model: "m".into(), retries: 1, ..EndpointSpec::default() }).unwrap();
    let problem = down.ask(&chat("q")).unwrap_err();
    assert!(problem.may_pass() && problem.to_string().contains("check that the server runs"), "{problem}");
    assert_eq!(down.traffic().retries, 1);
    assert!(down.identity().unwrap_err().to_string().contains("check that the server runs"));
}
