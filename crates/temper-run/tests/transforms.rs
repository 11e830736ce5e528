//! Transforms on real problems.
#![allow(clippy::unwrap_used, reason = "tests")]

use temper_data::{Row, read, transform};
use temper_recipe::{Columns, DataSource, Family, Transform, Variants};

/// The value of `16-3*(4+1)`, in floating point and by another way than the crate's.
fn value(text: &str) -> f64 {
    fn sum(text: &[u8], at: &mut usize) -> f64 {
        let mut total = product(text, at);
        while *at < text.len() && (text[*at] == b'+' || text[*at] == b'-') {
            let plus = text[*at] == b'+';
            *at += 1;
            let next = product(text, at);
            total += if plus { next } else { -next };
        }
        total
    }
    fn product(text: &[u8], at: &mut usize) -> f64 {
        let mut total = factor(text, at);
        while *at < text.len() && (text[*at] == b'*' || text[*at] == b'/') {
            let times = text[*at] == b'*';
            *at += 1;
            let next = factor(text, at);
            total = if times { total * next } else { total / next };
        }
        total
    }
    fn factor(text: &[u8], at: &mut usize) -> f64 {
        if text[*at] == b'(' {
            *at += 1;
            let inner = sum(text, at);
            *at += 1;
            return inner;
        }
        if text[*at] == b'-' {
            *at += 1;
            return -factor(text, at);
        }
        let from = *at;
        while *at < text.len() && (text[*at].is_ascii_digit() || text[*at] == b'.') {
            *at += 1;
        }
        std::str::from_utf8(&text[from..*at]).unwrap().parse().unwrap()
    }
    let plain: Vec<u8> = text.bytes().filter(|b| *b != b',' && *b != b' ').collect();
    sum(&plain, &mut 0)
}

fn annotations(solution: &str) -> Vec<(&str, f64)> {
    let inner = solution.split("<<").skip(1).map(|part| part.split(">>").next().unwrap());
    inner.map(|a| a.rsplit_once('=').unwrap()).map(|(left, right)| (left, value(right))).collect()
}

fn gsm8k() -> Option<Vec<Row>> {
    let Ok(folder) = std::env::var("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set (gsm8k/test.jsonl)");
        return None;
    };
    let source = DataSource {
        path: format!("{folder}/gsm8k/test.jsonl"),
        columns: Columns { prompt: Some("question".into()), answer: Some("answer".into()), ..Columns::default() },
        shape: Some(temper_recipe::Shape::PromptOnly),
        ..DataSource::default()
    };
    let mut rows = read(&source, true).unwrap();
    rows.iter_mut().for_each(|row| drop(row.fields.insert("language".into(), "en".into())));
    Some(rows)
}

#[test]
fn changed_problems_have_right_answers() {
    let Some(rows) = gsm8k() else { return };
    let spec = Transform { families: vec![Family::Numbers], side: Variants::All, ..Transform::default() };
    let (made, notes) = transform(&rows, &spec, "gsm8k").unwrap();
    eprintln!("{}", notes.join("\n"));
    let originals: std::collections::HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut changed = std::collections::HashSet::new();
    for row in &made {
        let original = originals[row.fields["original"].as_str().unwrap()];
        let (old, new) = (original.fields["answer"].as_str().unwrap(), row.fields["answer"].as_str().unwrap());
        assert_ne!(original.prompt.request(), row.prompt.request());
        assert_eq!(row.fields["question"].as_str().unwrap(), row.prompt.request(), "the column says what is asked");
        let steps = annotations(new);
        assert_eq!(steps.len(), annotations(old).len());
        for (left, right) in &steps {
            assert!((value(left) - right).abs() < 1e-6, "{left} = {right}");
            assert!(*right >= 0.0);
        }
        let answer: f64 = new.rsplit_once("#### ").unwrap().1.trim().replace(',', "").parse().unwrap();
        assert!((steps.last().unwrap().1 - answer).abs() < 1e-9 && answer.fract() == 0.0);
        // Every number of the changed question that the old solution used is used by the new one.
        changed.insert(original.id.as_str());
    }
    eprintln!("{} of {} problems", changed.len(), rows.len());
    assert!(changed.len() > 150, "{} of {} problems could be changed", changed.len(), rows.len());
}

#[test]
fn every_row_is_made_or_counted() {
    let Some(rows) = gsm8k() else { return };
    for family in Family::ALL {
        let spec = Transform { families: vec![family], per_item: Some(1), ..Transform::default() };
        let (made, notes) = transform(&rows, &spec, "gsm8k").unwrap();
        let numbers: Vec<usize> =
            notes[0].split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let name_has_digits = notes[0].contains("base64") || notes[0].contains("rot13");
        let told = &numbers[usize::from(name_has_digits)..];
        assert_eq!((told[0], told[1]), (made.len(), rows.len()), "{}", notes[0]);
        let skipped: usize =
            notes[0].split(['(', ';']).skip(1).filter_map(|p| p.trim().split(' ').next()?.parse::<usize>().ok()).sum();
        assert_eq!(made.len() + skipped, rows.len(), "{}", notes[0]);
    }
}
