//! How often the language of published prompts is identified, from the folder that `TEMPER_DATA` names.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use temper_text::language::identify;

/// Prompts of a CSV file: the first field of each record; quoted fields may hold line ends.
fn prompts(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut records = vec![Vec::new()];
    let (mut field, mut quoted) = (String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => records.last_mut().unwrap().push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                records.last_mut().unwrap().push(std::mem::take(&mut field));
                records.push(Vec::new());
            }
            c => field.push(c),
        }
    }
    let at = records[0].iter().position(|name| name.trim() == "prompt").unwrap();
    records[1..]
        .iter()
        .filter_map(|record| record.get(at).cloned())
        .filter(|prompt| !prompt.trim().is_empty())
        .collect()
}

#[derive(Default)]
struct Tally {
    right: usize,
    all: usize,
    wrong: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, expected: &str, text: &str) {
        let answer = identify(text);
        // Hash maps inside the library are in another order each time.
        assert_eq!(identify(text), answer, "{text}");
        let found = answer.map_or("none", |found| found.code);
        self.all += 1;
        self.right += usize::from(found == expected);
        if found != expected {
            *self.wrong.entry(found.into()).or_default() += 1;
        }
    }

    fn share(&self) -> f64 {
        self.right as f64 / self.all as f64
    }
}

fn print(name: &str, tallies: &BTreeMap<String, Tally>, seconds: f64) {
    let texts: usize = tallies.values().map(|tally| tally.all).sum();
    println!("{name}: {texts} texts, {:.0} texts/s on one thread", 2.0 * texts as f64 / seconds);
    for (language, tally) in tallies {
        println!("  {language} {:.4} of {}, wrong: {:?}", tally.share(), tally.all, tally.wrong);
    }
}

#[test]
fn prompts_of_the_language_confusion_benchmark() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        println!("skipped: TEMPER_DATA is not set");
        return;
    };
    let folder = Path::new(&data).join("language_confusion/test_sets/monolingual");
    let (mut tallies, start) = (BTreeMap::<String, Tally>::new(), std::time::Instant::now());
    for set in ["aya", "dolly", "native", "okapi"] {
        let mut files: Vec<_> =
            std::fs::read_dir(folder.join(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let language = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let tally = tallies.entry(language.clone()).or_default();
            prompts(&file).iter().for_each(|prompt| tally.add(&language, prompt));
        }
    }
    print("monolingual prompts", &tallies, start.elapsed().as_secs_f64());
    assert_eq!(tallies.len(), 15);
    for (language, tally) in &tallies {
        assert!(tally.share() >= 0.95, "{language}: {:.4}", tally.share());
    }
    let (right, all) = tallies.values().fold((0, 0), |(right, all), tally| (right + tally.right, all + tally.all));
    assert!(right * 1000 >= all * 990, "{right} of {all}");
}

#[test]
fn problems_of_mgsm() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        println!("skipped: TEMPER_DATA is not set");
        return;
    };
    let (mut tallies, start) = (BTreeMap::<String, Tally>::new(), std::time::Instant::now());
    for language in ["de", "en", "es", "ja", "zh"] {
        let text = std::fs::read_to_string(Path::new(&data).join(format!("mgsm/mgsm_{language}.tsv"))).unwrap();
        let tally = tallies.entry(language.into()).or_default();
        text.lines().for_each(|line| tally.add(language, line.split('\t').next().unwrap()));
    }
    print("MGSM", &tallies, start.elapsed().as_secs_f64());
    for (language, tally) in &tallies {
        assert_eq!((tally.right, tally.all), (250, 250), "{language}: {:?}", tally.wrong);
    }
}
