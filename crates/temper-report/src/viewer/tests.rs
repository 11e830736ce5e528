use temper_eval::{ItemRecord, Log, LogHead};
use temper_score::Score;

use super::*;

/// A record of an invented suite. Nothing of it was ever measured.
fn record(id: usize, answer: &str, right: Score) -> ItemRecord {
    ItemRecord {
        suite: "sums".to_owned(),
        id: format!("sum-{id:04}"),
        repeat: 0,
        prompt: format!("What is {id} + {id}?"),
        text: format!("<think>\nI add {id}.\n</think>\n\n{answer}"),
        thinking: Some(format!("I add {id}.")),
        answer: answer.to_owned(),
        tokens: 12 + id % 7,
        finish: if id % 11 == 3 { "length" } else { "stop" }.to_owned(),
        scores: [("right".to_owned(), right), ("length".to_owned(), Score::Value(0.25 + (id % 5) as f64 / 8.0))].into(),
        answers: [("right".to_owned(), (2 * id).to_string())].into(),
        explanations: Default::default(),
        slices: [("parity".to_owned(), if id.is_multiple_of(2) { "even" } else { "odd" }.to_owned())].into(),
        cluster: None,
        tags: if id.is_multiple_of(5) { vec!["right:no_box".to_owned()] } else { Vec::new() },
        fields: serde_json::json!({"target": (2 * id).to_string(), "n": id}).as_object().cloned().unwrap(),
    }
}

fn log(records: Vec<ItemRecord>, model: &str) -> Log {
    let metrics =
        [("right", "Right answer", temper_score::Better::Higher), ("length", "Length", temper_score::Better::Neither)];
    let metrics = metrics.map(|(name, title, better)| temper_eval::Metric {
        name: name.to_owned(),
        title: title.to_owned(),
        better,
        range: Some((0.0, 1.0)),
    });
    let head =
        LogHead { suite: "sums".to_owned(), model: model.to_owned(), metrics: metrics.to_vec(), ..LogHead::default() };
    Log { head, records }
}

fn json(html: &str) -> serde_json::Value {
    let start = html.find("type=\"application/json\">").unwrap() + "type=\"application/json\">".len();
    let end = start + html[start..].find("</script>").unwrap();
    serde_json::from_str(&html[start..end]).unwrap()
}

const HOSTILE: &str = "</script><script>document.title = 'broken'</script><!-- <script> ]]> \u{2028} \u{202E} &lt; \"'\u{0} <img src=x onerror=alert(1)>";

#[test]
fn what_a_model_wrote_stays_text() {
    let mut hostile = record(1, HOSTILE, Score::Unscored(HOSTILE.to_owned()));
    hostile.id = HOSTILE.to_owned();
    hostile.prompt = HOSTILE.to_owned();
    hostile.fields.insert(HOSTILE.to_owned(), HOSTILE.into());
    let log = log(vec![hostile], HOSTILE);
    let html = render_viewer(HOSTILE, &[(HOSTILE.to_owned(), &log)]).html;
    assert_eq!(html.matches("<script").count(), 2, "the data and the page's own script");
    assert_eq!(html.matches("</script").count(), 2);
    assert!(!html.contains("<img") && !html.contains("<!--"));
    let data = json(&html);
    assert_eq!(data["items"][0]["id"], HOSTILE);
    let answer = data["items"][0]["logs"][0]["answer"].as_u64().unwrap() as usize;
    assert_eq!(data["texts"][answer], HOSTILE);
}

#[test]
fn the_page_fetches_nothing_and_runs_its_own_script_alone() {
    let html = render_viewer("t", &[("a".to_owned(), &log(vec![], "a"))]).html;
    for absent in ["http://", "https://", "src=", "innerHTML", "eval("] {
        assert!(!html.contains(absent), "{absent}");
    }
    let digest = format!("'sha256-{}'", base64(&Sha256::digest(SCRIPT.as_bytes())));
    assert!(html.contains(&format!("script-src {}", digest.replace('\'', "&#39;"))));
    assert!(html.contains(&format!("<script>{SCRIPT}</script>")), "the digest is of what stands there");
    assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
}

#[test]
fn logs_are_joined_and_texts_stand_once() {
    let a = log((0..4).map(|i| record(i, "4", Score::flag(i == 2))).collect(), "a");
    let mut b = log((1..5).map(|i| record(i, "4", Score::NotApplicable)).collect(), "b");
    b.records[0].scores.insert("extra".to_owned(), Score::Error("exit code 1".to_owned()));
    let page = render_viewer("sums", &[("a".to_owned(), &a), ("b".to_owned(), &b)]);
    let data = json(&page.html);
    assert_eq!(page.items, 5);
    let column = |item: usize, log: usize| &data["items"][item]["logs"][log];
    assert!(column(0, 1).is_null() && column(4, 0).is_null());
    let metrics: Vec<&str> =
        data["suites"][0]["metrics"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["right", "length", "extra"]);
    assert_eq!(column(1, 1)["scores"], serde_json::json!([null, 0.375, ["error", "exit code 1"]]));
    assert_eq!(column(1, 0)["prompt"], column(1, 1)["prompt"]);
    let texts = data["texts"].as_array().unwrap();
    assert_eq!(texts.iter().filter(|text| **text == "4").count(), 1);
}

#[test]
fn a_long_text_is_cut_and_counted() {
    let long = "ä".repeat(60_000);
    let page = render_viewer("t", &[("a".to_owned(), &log(vec![record(1, &long, Score::flag(true))], "a"))]);
    assert_eq!(page.notes, ["1 texts are longer than 100000 bytes and cut there"]);
    assert!(page.html.contains("more bytes are in the log]"));
}

/// With `TEMPER_REPORT_SHOW=dir` a page of 5,000 items of 4 kB each, in two logs, is left in that directory.
#[test]
fn five_thousand_items() {
    let filler = "Then I carry the one and check the sum again. ".repeat(80);
    let of = |shift: usize| -> Vec<ItemRecord> {
        (0..5000)
            .map(|i| {
                let score = match (i + shift) % 13 {
                    0 => Score::Unscored("no number".to_owned()),
                    1 => Score::Error("exit code 1".to_owned()),
                    k => Score::flag(k > 4 + shift * (i % 4)),
                };
                let mut record = record(i, &format!("It is **{}**. 漢字", 2 * i), score);
                record.thinking = Some(format!("{filler}{i} {shift}"));
                record
            })
            .collect()
    };
    let (a, b) = (log(of(0), "base"), log(of(1), "hybrid-02-grpo"));
    let start = std::time::Instant::now();
    let page = render_viewer("Sums", &[("base".to_owned(), &a), ("hybrid".to_owned(), &b)]);
    println!("{} items, {} MiB, {:?}", page.items, page.html.len() >> 20, start.elapsed());
    assert_eq!(page.items, 5000);
    if let Some(dir) = std::env::var_os("TEMPER_REPORT_SHOW") {
        std::fs::write(std::path::Path::new(&dir).join("items.html"), page.html).unwrap();
    }
}
