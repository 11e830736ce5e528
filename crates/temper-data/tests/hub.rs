//! Fetching from a server that answers as the Hugging Face Hub does.
//!
//! Set `TEMPER_PYTHON` to a Python with huggingface_hub to run the tests of the shared cache; without it they say that they
//! were skipped.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/hub_server.rs"]
mod hub_server;

use hub_server::{Fault, LARGE, Repo, Server, TOKEN, commit, files, sha};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use temper_data::hub::{Download, Hub, HubFiles};
use temper_recipe::HubPath;

const README: &[u8] = b"---\nlicense: mit\nlanguage: [en, zh]\nconfigs:\n- config_name: main\n  default: true\n  data_files:\n  - {split: train, path: main/train-*}\n  - {split: test, path: main/test.jsonl}\n---\n";

fn rows(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|n| format!("{{\"prompt\": \"question {n}\", \"completion\": \"{n}\"}}\n").into_bytes())
        .collect()
}

struct Lab {
    server: Server,
    cache: tempfile::TempDir,
    hub: Hub,
    sha: String,
}

/// A server with `datasets/org/sums`, whose `train-1` is large, and an empty cache.
fn lab() -> Lab {
    let server = Server::start();
    let sha = server.add(
        "datasets/org/sums",
        &[
            ("README.md", README),
            ("main/train-0 a+b.jsonl", &rows(3)),
            ("main/train-1.jsonl", &rows(900)),
            ("main/test.jsonl", &rows(2)),
            ("other.png", b"png"),
        ],
    );
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub {
        endpoint: server.endpoint.clone(),
        token: None,
        cache: cache.path().join("hub"),
        offline: false,
        report: |_| ControlFlow::Continue(()),
    };
    Lab { server, cache, hub, sha }
}

fn path(text: &str) -> HubPath {
    HubPath::parse(text).unwrap()
}

fn get(hub: &Hub, text: &str) -> Result<HubFiles, String> {
    hub.dataset_files(&path(text), None, None).map_err(|e| e.to_string())
}

fn large(lab: &Lab) -> PathBuf {
    lab.hub.cache.join("datasets--org--sums/blobs").join(sha(&rows(900)))
}

/// Names in the folder of blobs that are not whole ones.
fn leftovers(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains('.')).collect()
}

#[test]
fn a_data_set_arrives_in_pythons_layout_and_only_once() {
    let lab = lab();
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(found.names, ["main/train-0 a+b.jsonl", "main/train-1.jsonl"]);
    assert_eq!(found.left_out, [""; 0]);
    assert_eq!((found.subset.as_deref(), found.split.as_deref()), (Some("main"), Some("train")));
    assert_eq!((found.revision.as_str(), found.repository.as_str()), (lab.sha.as_str(), "org/sums"));
    assert_eq!((found.license.as_deref(), found.languages.join(" ")), (Some("mit"), "en zh".into()));
    assert_eq!(std::fs::read(&found.files[0]).unwrap(), rows(3));
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));

    let folder = lab.hub.cache.join("datasets--org--sums");
    assert_eq!(std::fs::read_to_string(folder.join("refs/main")).unwrap(), lab.sha);
    let link = folder.join("snapshots").join(&lab.sha).join("main/train-1.jsonl");
    assert_eq!(found.files[1], link);
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("../../../blobs").join(sha(&rows(900))));
    assert!(!folder.join("snapshots").join(&lab.sha).join("main/test.jsonl").exists());

    // Metadata at the Hub, content elsewhere, nothing twice.
    let first = lab.server.log();
    assert!(first.iter().any(|r| r.at == "large" && r.method == "GET"), "{first:?}");
    assert_eq!(get(&lab.hub, "hf://datasets/org/sums").unwrap(), found);
    let again: Vec<String> = lab.server.log().into_iter().map(|r| r.path).collect();
    assert_eq!(again, ["/api/datasets/org/sums/revision/main"]);
    // A commit needs no question at all.
    let pinned = get(&lab.hub, &format!("hf://datasets/org/sums@{}", lab.sha)).unwrap();
    assert_eq!(pinned.files, found.files);
    assert!(lab.server.log().is_empty());
    drop(lab.cache);
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let lab = lab();
    let hub = Hub { token: Some(TOKEN.into()), ..lab.hub.clone() };
    get(&hub, "hf://datasets/org/sums").unwrap();
    let log = lab.server.log();
    assert!(log.iter().filter(|r| r.at == "hub").all(|r| r.token.as_deref() == Some(TOKEN)), "{log:?}");
    assert!(log.iter().filter(|r| r.at == "large").all(|r| r.token.is_none()), "{log:?}");
    assert!(log.iter().any(|r| r.at == "large"));
}

#[test]
fn a_broken_connection_is_resumed() {
    let lab = lab();
    lab.server.fail("/large/", 2, Fault::Break(5000));
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
    let ranges: Vec<Option<String>> =
        lab.server.log().into_iter().filter(|r| r.at == "large" && r.method == "GET").map(|r| r.range).collect();
    assert_eq!(ranges, [None, Some("bytes=5000-".into()), Some("bytes=10000-".into())]);
    assert!(leftovers(large(&lab).parent().unwrap()).is_empty());
}

#[test]
fn what_arrived_before_a_kill_is_not_fetched_again() {
    let lab = lab();
    lab.server.fail("/large/", 1, Fault::Break(5000));
    lab.server.fail("/large/", 4, Fault::Status(503));
    let e = get(&lab.hub, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("503") && e.contains("what has arrived is kept"), "{e}");
    assert!(!large(&lab).exists());
    assert_eq!(leftovers(large(&lab).parent().unwrap()), [format!("{}.part", sha(&rows(900)))]);
    lab.server.log();
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
    assert!(lab.server.log().iter().any(|r| r.range.as_deref() == Some("bytes=5000-")));
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let lab = lab();
    lab.server.fail("/large/", 1, Fault::Break(5000));
    lab.server.fail("/large/", 1, Fault::Whole);
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
}

#[test]
fn a_part_of_something_else_is_noticed() {
    let lab = lab();
    let blob = large(&lab);
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    let part = blob.with_extension("part");
    for content in [vec![b'x'; 700], vec![b'x'; rows(900).len()], vec![b'x'; 100_000]] {
        std::fs::write(&part, content).unwrap();
        let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
        assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
        assert!(!part.exists());
        std::fs::remove_file(&blob).unwrap();
    }
    // A blob of another length is not the file.
    std::fs::write(&blob, "short").unwrap();
    std::fs::remove_file(lab.hub.cache.join("datasets--org--sums/snapshots").join(&lab.sha).join("main/train-1.jsonl"))
        .unwrap();
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
}

#[test]
fn damage_is_found_and_leaves_nothing() {
    let lab = lab();
    lab.server.fail("/large/", 1, Fault::Corrupt);
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));

    let lab = self::lab();
    lab.server.fail("/large/", 9, Fault::Corrupt);
    let e = get(&lab.hub, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("`main/train-1.jsonl` arrived damaged, twice: its SHA-256 is"), "{e}");
    assert!(!large(&lab).exists() && leftovers(large(&lab).parent().unwrap()).is_empty());
}

#[test]
fn errors_that_pass_are_waited_out() {
    let lab = lab();
    lab.server.fail("/api/", 1, Fault::Status(502));
    lab.server.fail("/resolve/", 1, Fault::Status(429));
    assert_eq!(get(&lab.hub, "hf://datasets/org/sums").unwrap().files.len(), 2);
}

#[test]
fn names_that_are_not_there() {
    let lab = lab();
    lab.server.add("models/org/tiny", &[("config.json", b"{}")]);
    let hub = Hub { token: Some(TOKEN.into()), ..lab.hub.clone() };
    for hub in [&hub, &lab.hub] {
        let e = get(hub, "hf://datasets/org/smus").unwrap_err();
        assert!(e.starts_with("hf://datasets/org/smus: there is no ") && e.contains("Check the spelling"), "{e}");
        let e = get(hub, "hf://datasets/org/tiny").unwrap_err();
        assert!(e.contains("but a model of that name") && e.contains("`hf://org/tiny`"), "{e}");
        let e = hub.model_dir(&path("hf://org/sums")).unwrap_err().to_string();
        assert!(e.contains("`hf://datasets/org/sums`"), "{e}");
    }
    let e = get(&hub, "hf://datasets/squad/plain_text").unwrap_err();
    assert!(e.contains("`hf://datasets/squad@main/plain_text`"), "{e}");
    let e = get(&hub, "hf://datasets/org/sums@v9").unwrap_err();
    assert!(e.contains("no revision `v9`") && e.contains("/datasets/org/sums/tree/main"), "{e}");
    let e = get(&hub, "hf://datasets/org/sums/main/train.jsonl").unwrap_err();
    assert!(e.contains("no file `main/train.jsonl`") && e.contains("Did you mean `main/train-1.jsonl`?"), "{e}");
    let e = hub.dataset_files(&path("hf://datasets/org/sums"), None, Some("tset")).unwrap_err().to_string();
    assert!(e.contains("no split `tset`") && e.contains("Did you mean `test`?"), "{e}");
    let e = get(&hub, "hf://org/tiny").unwrap_err();
    assert!(e.contains("Write `hf://datasets/ORG/NAME`"), "{e}");
}

#[test]
fn private_and_gated() {
    let lab = lab();
    let repo = |private, gated| Repo {
        files: files(&[("train.jsonl", &rows(1))]),
        private,
        gated,
        revisions: Default::default(),
    };
    lab.server.put("datasets/org/mine", repo(true, false));
    lab.server.put("datasets/org/asked", repo(false, true));
    let e = get(&lab.hub, "hf://datasets/org/mine").unwrap_err();
    assert!(e.contains("or it is private") && e.contains("set HF_TOKEN"), "{e}");
    let e = get(&lab.hub, "hf://datasets/org/asked").unwrap_err();
    let page = format!("Ask for it at {}/datasets/org/asked, then set HF_TOKEN", lab.server.endpoint);
    assert!(e.contains("must be asked for") && e.contains(&page), "{e}");
    let stranger = Hub { token: Some("other".into()), ..lab.hub.clone() };
    let e = get(&stranger, "hf://datasets/org/asked").unwrap_err();
    assert!(e.contains("must be asked for") && e.contains("check that the token"), "{e}");
    assert!(!e.contains("other"), "a token does not belong into a message: {e}");
    let known = Hub { token: Some(TOKEN.into()), ..lab.hub.clone() };
    assert_eq!(get(&known, "hf://datasets/org/mine").unwrap().names, ["train.jsonl"]);
    assert_eq!(get(&known, "hf://datasets/org/asked").unwrap().names, ["train.jsonl"]);
}

#[test]
fn revisions() {
    let lab = lab();
    let old = files(&[("train.jsonl", &rows(1))]);
    let converted = files(&[("main/test/0000.csv", b"prompt\na\n"), ("main/train/0000.csv", b"prompt\nb\n")]);
    let repo = Repo {
        files: files(&[("train.jsonl", &rows(2)), ("v.py", b"")]),
        private: false,
        gated: false,
        revisions: [("branch/old".to_owned(), old.clone()), ("refs/convert/parquet".to_owned(), converted)].into(),
    };
    lab.server.put("datasets/org/v", repo);
    let found = get(&lab.hub, "hf://datasets/org/v@branch%2Fold").unwrap();
    assert_eq!((found.revision, std::fs::read(&found.files[0]).unwrap()), (commit(&old), rows(1)));
    assert!(lab.hub.cache.join("datasets--org--v/refs/branch/old").is_file());
    let e = get(&lab.hub, "hf://datasets/org/v").unwrap_err();
    assert!(e.contains("`hf://datasets/org/v@refs/convert/parquet`"), "{e}");
    let found = get(&lab.hub, "hf://datasets/org/v@refs/convert/parquet").unwrap();
    assert_eq!(found.names, ["main/train/0000.csv"]);
}

#[test]
fn a_repository_that_was_renamed() {
    let lab = lab();
    lab.server.rename("datasets/old/sums", "datasets/org/sums");
    let hub = Hub { token: Some(TOKEN.into()), ..lab.hub.clone() };
    let found = get(&hub, "hf://datasets/old/sums").unwrap();
    assert_eq!((found.names.len(), found.revision.as_str()), (2, lab.sha.as_str()));
    assert!(lab.server.log().iter().filter(|r| r.at == "hub").all(|r| r.token.is_some()));
}

#[test]
fn offline_only_the_cache_counts() {
    let lab = lab();
    let off = Hub { offline: true, endpoint: "http://127.0.0.1:1".into(), ..lab.hub.clone() };
    let e = get(&off, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("not in the cache") && e.contains("unset it to download"), "{e}");
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(get(&off, "hf://datasets/org/sums").unwrap(), found);
    assert_eq!(get(&off, &format!("hf://datasets/org/sums@{}", lab.sha)).unwrap().files, found.files);
    // The list of files is known, so that what was never fetched is missed.
    let e = off.dataset_files(&path("hf://datasets/org/sums"), None, Some("test")).unwrap_err().to_string();
    assert!(e.contains("`main/test.jsonl` is not in the cache"), "{e}");
    let e = get(&off, "hf://datasets/org/sums@v2").unwrap_err();
    assert!(e.contains("at `v2` is not in the cache"), "{e}");
}

#[test]
fn a_cache_of_others_with_shards_missing() {
    let lab = lab();
    let names = ["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"];
    let bytes = rows(1);
    lab.server.add("datasets/org/shards", &names.map(|n| (n, bytes.as_slice())));
    let off = Hub { offline: true, ..lab.hub.clone() };
    get(&lab.hub, "hf://datasets/org/shards").unwrap();
    let folder = lab.hub.cache.join("datasets--org--shards");
    std::fs::remove_dir_all(folder.join(".temper")).unwrap();
    assert_eq!(get(&off, "hf://datasets/org/shards").unwrap().names, names);
    let snapshot = folder.join("snapshots").join(std::fs::read_to_string(folder.join("refs/main")).unwrap());
    std::fs::remove_file(snapshot.join(names[1])).unwrap();
    let e = get(&off, "hf://datasets/org/shards").unwrap_err();
    assert!(e.contains("only 1 of the 2 files `data/train-…-of-00002`"), "{e}");
    assert_eq!(get(&off, &format!("hf://datasets/org/shards/{}", names[0])).unwrap().names, [names[0]]);
}

#[test]
fn no_server_and_no_hub() {
    let lab = lab();
    let gone = Hub { endpoint: "http://127.0.0.1:1".into(), ..lab.hub.clone() };
    let e = get(&gone, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("cannot be fetched from http://127.0.0.1:1") && e.contains("HF_HUB_OFFLINE=1"), "{e}");
    lab.server.fail("/resolve/", 1, Fault::NoEtag);
    let e = get(&lab.hub, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("no ETag") && e.contains("HF_ENDPOINT"), "{e}");
    lab.server.add("datasets/org/evil", &[("../../evil.jsonl", b"{}")]);
    let e = get(&lab.hub, "hf://datasets/org/evil").unwrap_err();
    assert!(e.contains("unsound file name"), "{e}");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let lab = lab();
    let file = lab.cache.path().join("file");
    std::fs::write(&file, "").unwrap();
    let hub = Hub { cache: file, ..lab.hub.clone() };
    let e = get(&hub, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("cannot be written") && e.contains("HF_HOME"), "{e}");
}

#[test]
fn an_interrupted_download_goes_on() {
    static STOP: AtomicBool = AtomicBool::new(true);
    fn report(download: &Download) -> ControlFlow<()> {
        let stop = STOP.load(Ordering::SeqCst) && download.file == "main/train-1.jsonl" && download.done > 0;
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    let lab = lab();
    let hub = Hub { report, ..lab.hub.clone() };
    let e = get(&hub, "hf://datasets/org/sums").unwrap_err();
    assert!(e.contains("interrupted while `main/train-1.jsonl`") && e.contains("goes on from there"), "{e}");
    assert!(!large(&lab).exists());
    STOP.store(false, Ordering::SeqCst);
    let found = get(&hub, "hf://datasets/org/sums").unwrap();
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
}

#[test]
fn two_at_once_fetch_a_file_once() {
    let lab = lab();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(get(&lab.hub, "hf://datasets/org/sums").unwrap().files.len(), 2));
        }
    });
    let log = lab.server.log();
    assert_eq!(log.iter().filter(|r| r.at == "large" && r.method == "GET").count(), 1, "{log:?}");
}

#[test]
fn models() {
    let lab = lab();
    let weights = vec![7_u8; LARGE + 1];
    let index =
        br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    let sha = lab.server.add(
        "models/org/m",
        &[
            ("config.json", b"{}"),
            ("tokenizer.json", b"{}"),
            ("chat_template.jinja", b"{{ messages }}"),
            ("LICENSE.txt", b"MIT"),
            ("README.md", b"# M"),
            ("model.safetensors.index.json", index),
            ("model-00001-of-00002.safetensors", &weights),
            ("model-00002-of-00002.safetensors", b"two"),
            ("consolidated.safetensors", b"x"),
            ("pytorch_model.bin", b"x"),
            ("onnx/model.onnx", b"x"),
        ],
    );
    let (dir, commit) = lab.hub.model_dir(&path("hf://org/m")).unwrap();
    assert_eq!(commit, sha);
    let mut names: Vec<String> =
        std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "LICENSE.txt",
            "README.md",
            "chat_template.jinja",
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json"
        ]
    );
    assert_eq!(std::fs::read(dir.join("model-00001-of-00002.safetensors")).unwrap(), weights);
    let off = Hub { offline: true, ..lab.hub.clone() };
    assert_eq!(off.model_dir(&path("hf://org/m")).unwrap(), (dir, sha));

    let files = |name: &str, of: &[(&str, &[u8])]| {
        lab.server.add(&format!("models/{name}"), of);
        lab.hub.model_dir(&path(&format!("hf://{name}"))).map(|(dir, _)| dir).map_err(|e| e.to_string())
    };
    let dir = files("org/lora", &[("adapter_config.json", b"{}"), ("adapter_model.safetensors", b"a")]).unwrap();
    assert!(dir.join("adapter_model.safetensors").is_file() && dir.join("adapter_config.json").is_file());
    assert!(
        files("old", &[("config.json", b"{}"), ("model.safetensors", b"w")]).unwrap().ends_with(lab_sha(&lab, "old"))
    );
    let e = files("org/pickle", &[("config.json", b"{}"), ("pytorch_model.bin", b"x")]).unwrap_err();
    assert!(e.contains("pickled") && e.contains("save_pretrained"), "{e}");
    let e = files("org/q", &[("m.gguf", b"x")]).unwrap_err();
    assert!(e.contains("GGUF"), "{e}");
    let e = files("org/half", &[("model.safetensors.index.json", index)]).unwrap_err();
    assert!(e.contains("`model-00001-of-00002.safetensors`, which the repository does not have"), "{e}");
    let e = files("org/odd", &[("model.safetensors.index.json", b"[]")]).unwrap_err();
    assert!(e.contains("no map from weights"), "{e}");
}

fn lab_sha(lab: &Lab, name: &str) -> String {
    std::fs::read_to_string(lab.hub.cache.join(format!("models--{name}")).join("refs/main")).unwrap()
}

/// Runs Python's huggingface_hub on this server and cache; `None` where there is no Python.
fn python(lab: &Lab, offline: bool, script: &str) -> Option<String> {
    let Some(python) = std::env::var_os("TEMPER_PYTHON") else {
        println!("skipped: TEMPER_PYTHON names no Python with huggingface_hub");
        return None;
    };
    let out = Command::new(python)
        .args(["-c", script])
        .env("HF_ENDPOINT", &lab.server.endpoint)
        .env("HF_HOME", lab.cache.path())
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{stdout}\n{stderr}");
    Some(stdout.trim().to_owned())
}

#[test]
fn python_uses_what_was_fetched() {
    let lab = lab();
    let found = get(&lab.hub, "hf://datasets/org/sums").unwrap();
    let script = "\
from huggingface_hub import hf_hub_download, scan_cache_dir
print(hf_hub_download('org/sums', 'main/train-1.jsonl', repo_type='dataset'))
scan = scan_cache_dir()
print(len(scan.repos), scan.warnings)
";
    let Some(out) = python(&lab, true, script) else { return };
    assert_eq!(out, format!("{}\n1 []", found.files[1].display()));
    lab.server.log();
    let Some(_) = python(&lab, false, script) else { return };
    let log = lab.server.log();
    assert!(log.iter().all(|r| r.method == "HEAD" && r.at == "hub"), "fetched again: {log:?}");
}

#[test]
fn what_python_fetched_is_used() {
    let lab = lab();
    let script = "\
from huggingface_hub import snapshot_download
print(snapshot_download('org/sums', repo_type='dataset'))
";
    let Some(out) = python(&lab, false, script) else { return };
    assert!(out.ends_with(&lab.sha), "{out}");
    for request in lab.server.log() {
        println!("{} {} {} {:?}", request.at, request.method, request.path, request.range);
    }
    // Python keeps its own list of the files.
    let off = Hub { offline: true, ..lab.hub.clone() };
    let found = get(&off, "hf://datasets/org/sums").unwrap();
    assert_eq!(get(&lab.hub, "hf://datasets/org/sums").unwrap(), found);
    let log: Vec<String> = lab.server.log().into_iter().map(|r| r.path).collect();
    assert_eq!(log, ["/api/datasets/org/sums/revision/main"]);
    assert_eq!(std::fs::read(&found.files[1]).unwrap(), rows(900));
    // Without any list, what is there counts.
    for list in [".temper", "trees"] {
        let _ = std::fs::remove_dir_all(lab.hub.cache.join("datasets--org--sums").join(list));
    }
    assert_eq!(get(&off, "hf://datasets/org/sums").unwrap(), found);
}

#[test]
fn huggingface_datasets_finds_the_same_files() {
    let lab = lab();
    let one = rows(1);
    let layouts: [(&str, &[&str]); 7] = [
        (
            "shards",
            &["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl", "data/dev_x-00000-of-00001.jsonl"],
        ),
        ("folders", &["train/a.jsonl", "train/b.jsonl", "my-test/c.jsonl"]),
        ("names", &["train_1.jsonl", "x-training.jsonl", "valid.jsonl", "contest.jsonl", "sub/evaluation.jsonl"]),
        ("plain", &["contest.jsonl", "sub/other.jsonl", ".hidden/train.jsonl", "__x/train.jsonl"]),
        ("one", &["only-test.jsonl", "dataset_infos.json"]),
        ("numbers", &["test2.jsonl", "dev.2.jsonl", "train 3.jsonl", "trainer.jsonl"]),
        ("deep", &["a/val/b/c.jsonl", "a/test_2/c.jsonl", "a/x.train/d.jsonl"]),
    ];
    for (name, paths) in layouts {
        lab.server
            .add(&format!("datasets/org/{name}"), &paths.iter().map(|p| (*p, one.as_slice())).collect::<Vec<_>>());
    }
    let names: Vec<&str> = layouts.iter().map(|(name, _)| *name).collect();
    let script = format!(
        "\
import json, os
from datasets.data_files import get_data_patterns, DataFilesPatternsDict, DataFilesDict
from huggingface_hub import snapshot_download
out = {{}}
for name in {names:?}:
    path = snapshot_download('org/' + name, repo_type='dataset')
    files = DataFilesDict.from_patterns(get_data_patterns(path), base_path=path)
    out[name] = {{str(k): sorted(os.path.relpath(f, path) for f in v) for k, v in files.items()}}
print(json.dumps(out))
"
    );
    let Some(out) = python(&lab, false, &script) else { return };
    let expected: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    for name in names {
        for (split, files) in expected[name].as_object().unwrap() {
            let found = lab.hub.dataset_files(&path(&format!("hf://datasets/org/{name}")), None, Some(split)).unwrap();
            assert_eq!(serde_json::json!(found.names), *files, "{name}: {split}");
        }
        let e = lab.hub.dataset_files(&path(&format!("hf://datasets/org/{name}")), None, Some("none")).unwrap_err();
        let count = expected[name].as_object().unwrap().len();
        assert_eq!(e.remedy.matches('`').count() / 2, count, "{name}: {e}");
    }
}

#[test]
fn huggingface_datasets_finds_the_same_by_globs() {
    let lab = lab();
    let one = rows(1);
    let paths = [
        "a.jsonl",
        "train-1.jsonl",
        "train-x.jsonl",
        "{a}.jsonl",
        "data/a.jsonl",
        "data/b/a.jsonl",
        "data/b/c/a.jsonl",
        "data/.h/a.jsonl",
        ".g/a.jsonl",
        "__p/a.jsonl",
        "data/b/x.csv",
    ];
    lab.server.add("datasets/org/globs", &paths.map(|path| (path, one.as_slice())));
    let globs = [
        "*",
        "**",
        "**/*.jsonl",
        "*.jsonl",
        "?.jsonl",
        "train-[0-9].jsonl",
        "train-[!0-9].jsonl",
        "data/*",
        "data/**",
        "data/**/a.jsonl",
        "*/b/*",
        "{*}.jsonl",
        ".g/*",
        "*/.h/*",
        "__p/*",
        "data/b/[a-c]/*",
    ];
    let script = format!(
        "\
import json, os
from datasets.data_files import resolve_pattern
from huggingface_hub import snapshot_download
path = snapshot_download('org/globs', repo_type='dataset')
out = [sorted(os.path.relpath(f, path) for f in resolve_pattern(glob, path)) for glob in {globs:?}]
print(json.dumps(out))
"
    );
    let Some(out) = python(&lab, false, &script) else { return };
    let expected: Vec<Vec<String>> = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    for (glob, expected) in globs.iter().zip(expected) {
        let found = get(&lab.hub, &format!("hf://datasets/org/globs/{glob}")).unwrap();
        assert_eq!(found.names, expected, "{glob}");
    }
}

#[test]
fn huggingface_datasets_understands_configs_alike() {
    let lab = lab();
    let one = rows(1);
    let readme = "---\nlicense: mit\nconfigs:\n- config_name: main\n  data_files:\n  - {split: train, path: main/train-*}\n  - {split: test, path: [main/test.jsonl, 'v?/test/**']}\n- config_name: one\n  data_files: v1/x.jsonl\n- config_name: many\n  data_files: ['v*/x.jsonl', main/test.jsonl]\n- config_name: folder\n  data_dir: v2\n- config_name: both\n  data_dir: v2\n  data_files: '**/*.jsonl'\n- config_name: default\n  data_dir: main\n---\n";
    let paths =
        ["main/train-0.jsonl", "main/train-1.jsonl", "main/test.jsonl", "v1/x.jsonl", "v2/x.jsonl", "v2/test/y.jsonl"];
    let mut files = vec![("README.md", readme.as_bytes())];
    files.extend(paths.map(|path| (path, one.as_slice())));
    lab.server.add("datasets/org/configs", &files);
    let script = "\
import json, os
from datasets import load_dataset_builder
from huggingface_hub import snapshot_download
path = snapshot_download('org/configs', repo_type='dataset')
out = {}
for name in ['main', 'one', 'many', 'folder', 'both', 'default', None]:
    config = load_dataset_builder(path, name).config
    out[name or ''] = {str(k): sorted(os.path.relpath(f, path) for f in v) for k, v in config.data_files.items()}
print(json.dumps(out))
";
    let Some(out) = python(&lab, false, script) else { return };
    let expected: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    for (name, splits) in expected.as_object().unwrap() {
        let subset = Some(name.as_str()).filter(|name| !name.is_empty());
        for (split, files) in splits.as_object().unwrap() {
            let found = lab.hub.dataset_files(&path("hf://datasets/org/configs"), subset, Some(split)).unwrap();
            let mut names = found.names;
            names.sort();
            assert_eq!(serde_json::json!(names), *files, "{name}: {split}");
        }
    }
}
