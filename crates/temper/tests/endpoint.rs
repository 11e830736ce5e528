//! `temper eval` on a model behind a server: killed half-way and resumed, and what goes wrong.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "../../temper-endpoint/tests/server/mod.rs"]
mod server;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::Scratch;
use server::{Answer, Server, error, said};

const RECIPE: &str = "
name: served
model: {path: null}
suites:
  plain:
    data: {path: items.jsonl, columns: {prompt: question, answer: answer, id: id}}
    scorers: [gsm8k_flexible, length]
    sampling: {temperature: 0.0, max_tokens: 8}
    repeats: 2
data:
  demonstrations: {path: 'lab:demonstrations'}
arms:
  main: {stages: [sft: {data: demonstrations, max_steps: 1}]}
";

const ITEMS: usize = 60;

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("served.yaml", RECIPE);
    let item = |i: usize| format!("{{\"id\": \"n{i}\", \"question\": \"what is {i}?\", \"answer\": \"{i}\"}}\n");
    scratch.write("items.jsonl", &(0..ITEMS).map(item).collect::<String>());
    scratch
}

fn slow(_: usize, seen: &server::Seen) -> Answer {
    std::thread::sleep(Duration::from_millis(40));
    let number: String = seen.prompt().chars().filter(char::is_ascii_digit).collect();
    said(&format!("it is {number}"))
}

#[test]
fn a_killed_evaluation_goes_on_with_what_is_missing() {
    let (scratch, server) = (scratch(), Server::start(slow));
    let args = |out| {
        ["eval", "--model", &server.url, "--recipe", "served.yaml", "--max-connections", "4", "--out", out]
            .map(str::to_owned)
    };
    let command = |out| {
        let args = args(out);
        scratch.command(&args.each_ref().map(String::as_str))
    };
    let mut child = command("out").stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while server.count() < ITEMS {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} requests", server.count());
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was on its way has arrived.
    std::thread::sleep(Duration::from_millis(300));
    let before = server.count();
    assert!(!scratch.path("out/plain.eval").exists());
    let kept = std::fs::read_to_string(scratch.path("out/plain.partial.jsonl")).unwrap().lines().count() - 1;
    // What was under way is all that is lost.
    assert!(kept < before && before - kept <= 4 + 1, "{kept} of {before}");

    let again = command("out").output().unwrap();
    let (out, told) = (String::from_utf8(again.stdout).unwrap(), String::from_utf8(again.stderr).unwrap());
    assert!(again.status.success(), "{told}");
    let asked = 2 * ITEMS - kept;
    assert!(told.contains(&format!("{kept} from the journal of an interrupted call, {asked} asked now")), "{told}");
    assert!(told.contains(&format!("{asked} requests")), "{told}");
    assert!(out.contains("Item logs: out"), "{out}");
    assert_eq!(server.count(), before + asked);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for seen in server.seen() {
        *counts.entry(seen.prompt()).or_default() += 1;
    }
    assert_eq!(counts.len(), ITEMS);
    assert_eq!(counts.values().map(|n| n - 2).sum::<usize>(), before - kept);
    assert!(!scratch.path("out/plain.partial.jsonl").exists());

    let whole = command("whole").output().unwrap();
    assert!(whole.status.success());
    // A log says when it was written; its records do not.
    let records = |out: &str| {
        let (log, lines) = (format!("{out}/plain.eval"), format!("{out}.jsonl"));
        scratch.ok(&["log", "convert", &log, "--to", "jsonl", "--out", &lines]);
        std::fs::read(scratch.path(&lines)).unwrap()
    };
    assert_eq!(records("out"), records("whole"));
}

#[test]
fn what_is_wrong_is_said() {
    let scratch = scratch();
    let refused = |url: &str, more: &[&str]| {
        let mut args = vec!["eval", "--model", url, "--recipe", "served.yaml", "--out", "out"];
        args.extend(more);
        scratch.refused(&args)
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = refused(&format!("http://{free}/v1"), &[]);
    assert!(down.contains("check that the server runs and that the address ends in /v1"), "{down}");
    let two = Server::serving(&["a", "b"], |_, _| error(404, "The model `c` does not exist."));
    let nameless = refused(&two.url, &[]);
    assert!(nameless.contains("no model is named and the server has 2: a, b; name the model"), "{nameless}");
    let wrong = refused(&two.url, &["--model-name", "c"]);
    assert!(wrong.contains("does not list a model `c`; it lists a, b"), "{wrong}");
    assert!(wrong.contains("The model `c` does not exist.; the server has a, b"), "{wrong}");
    let key = Server::start(|_, _| error(401, "no key"));
    let unauthorised = refused(&key.url, &[]);
    assert!(unauthorised.contains("HTTP 401: no key; set the server's key"), "{unauthorised}");
    let unset = refused(&key.url, &["--api-key-env", "TEMPER_TEST_NO_SUCH_KEY"]);
    assert!(unset.contains("TEMPER_TEST_NO_SUCH_KEY, which should hold the key, is not set"), "{unset}");
    let local = refused("lab:base", &["--retries", "2"]);
    assert!(local.contains("--retries is for a model behind a server, but --model lab:base is none"), "{local}");
    let never = refused(&key.url, &["--timeout", "0"]);
    assert!(never.contains("--timeout 0: expected a number above 0"), "{never}");
    assert!(refused(&key.url, &["--extra", "[1]"]).contains("expected a JSON object"));
}
