//! Applies a source's `clean` to its rows.

use crate::units::compared;
use crate::{
    Duplicate, DuplicateKind, Duplicates, EvalIndex, Hit, LanguageRule, LengthRule, LengthUnit, Overlap, Overlaps,
    R1_NGRAM, Removed, Row, SettingError,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use temper_recipe::{Clean, Duplicates as Repeats};

/// What cleaning did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cleaned {
    /// Rows before.
    pub seen: usize,
    /// Rows after.
    pub kept: usize,
    /// Each rule with what it removed, in the order in which they were applied.
    pub removed: Vec<Removed>,
    /// N-grams shared with evaluation sets, one entry per set, whether or not rows were removed for it.
    pub overlaps: Vec<Overlap>,
}

/// Keeps or removes rows as they come. Rules are applied in this order, each to what the ones before it left: length, language,
/// duplicates, decontamination.
///
/// The length counts prompt and completion. The language is that of the completion, without one of the request. Duplicates
/// are rows with the same prompt and completion. Decontamination compares prompt and completion with the prompts of the
/// evaluation sets.
pub struct Cleaner<'a> {
    index: Option<&'a EvalIndex>,
    overlaps: Option<Overlaps>,
    length: Option<(LengthRule, Removed)>,
    language: Option<(LanguageRule, Removed)>,
    duplicates: Option<(Duplicates, Removed, Vec<String>)>,
    decontaminate: Option<Removed>,
    seen: usize,
    kept: usize,
}

/// What is worked out about a row on any thread.
struct Judged {
    row: Row,
    text: String,
    hits: Vec<Hit>,
}

/// The n-grams of a source's evaluation sets, of the length that its `clean` says, else of 10 words. `sets` are the names of
/// the sets and their items.
pub fn eval_index(clean: &Clean, sets: &[(&str, &[Row])]) -> EvalIndex {
    let items: Vec<(&str, String, String)> =
        sets.iter().flat_map(|(set, rows)| rows.iter().map(move |row| (*set, row.place(), compared(row)))).collect();
    let items = items.iter().map(|(set, place, text)| (*set, place.as_str(), text.as_str()));
    EvalIndex::new(clean.decontaminate.unwrap_or(R1_NGRAM), items)
}

impl<'a> Cleaner<'a> {
    /// The rules of `clean`. With an index, overlaps are counted even where nothing is removed for them.
    ///
    /// # Errors
    /// A language that cannot be identified.
    pub fn new(clean: &Clean, index: Option<&'a EvalIndex>) -> Result<Self, SettingError> {
        let length = LengthRule { unit: LengthUnit::Characters, least: clean.min_chars, most: clean.max_chars };
        let language = match clean.languages.is_empty() {
            true => None,
            false => Some(LanguageRule::new(&clean.languages, 0.0)?),
        };
        let duplicates = match clean.duplicates {
            Repeats::Keep => None,
            Repeats::Exact => Some((1.0, "exact duplicates".to_owned())),
            Repeats::Near => {
                Some((clean.similarity, format!("near duplicates, similarity at least {}", clean.similarity)))
            }
        };
        let shared = clean.decontaminate.map(|n| format!("{n}-grams shared with evaluation items"));
        Ok(Self {
            index,
            overlaps: index.map(Overlaps::new),
            length: (length.least.is_some() || length.most.is_some())
                .then(|| (length, Removed::new(length.to_string()))),
            language: language.map(|rule| (rule.clone(), Removed::new(rule.to_string()))),
            duplicates: duplicates
                .map(|(threshold, rule)| (Duplicates::new(threshold), Removed::new(rule), Vec::new())),
            decontaminate: shared.filter(|_| index.is_some()).map(Removed::new),
            seen: 0,
            kept: 0,
        })
    }

    /// The rows of a batch that stay, in order. Batches of a few hundred rows use all threads.
    pub fn keep(&mut self, rows: Vec<Row>) -> Vec<Row> {
        self.seen += rows.len();
        let index = self.index;
        let (length, language) =
            (self.length.as_ref().map(|(rule, _)| *rule), self.language.as_ref().map(|(rule, _)| rule));
        let judge = |row: Row| {
            let text = whole(&row);
            let too_long = length.and_then(|rule| rule.breaks(text.chars().count()));
            let other = match (&too_long, language) {
                (None, Some(rule)) => rule.breaks(&judged_language(&row)),
                _ => None,
            };
            let hits = index.map_or(Vec::new(), |index| index.hits(&text));
            (Judged { row, text, hits }, too_long, other)
        };
        let judged: Vec<_> = rows.into_par_iter().map(judge).collect();
        let mut left = Vec::with_capacity(judged.len());
        for (judged, too_long, other) in judged {
            let place = judged.row.place();
            let stays =
                |rule: Option<&mut Removed>, why| rule.is_none_or(|removed| removed.note(&place, &judged.text, why));
            if stays(self.length.as_mut().map(|(_, removed)| removed), too_long)
                && stays(self.language.as_mut().map(|(_, removed)| removed), other)
            {
                left.push(judged);
            }
        }
        let repeats = match &mut self.duplicates {
            None => vec![None; left.len()],
            Some((duplicates, _, _)) => {
                duplicates.add_all(&left.iter().map(|judged| judged.text.as_str()).collect::<Vec<_>>())
            }
        };
        let mut kept = Vec::with_capacity(left.len());
        for (Judged { row, text, hits }, repeat) in left.into_iter().zip(repeats) {
            let place = row.place();
            if let Some((_, removed, places)) = &mut self.duplicates {
                let why = repeat.map(|repeat| repeats_what(&repeat, places));
                places.push(place.clone());
                if !removed.note(&place, &text, why) {
                    continue;
                }
            }
            if let Some(overlaps) = &mut self.overlaps {
                overlaps.add(&place, &hits);
            }
            if let Some(removed) = &mut self.decontaminate {
                let why = hits.first().map(|hit| format!("shares {:?} with {} of {}", hit.words, hit.item, hit.set));
                if !removed.note(&place, &text, why) {
                    continue;
                }
            }
            kept.push(row);
        }
        self.kept += kept.len();
        kept
    }

    /// What was done.
    pub fn finish(self) -> Cleaned {
        let removed = [
            self.length.map(|(_, removed)| removed),
            self.language.map(|(_, removed)| removed),
            self.duplicates.map(|(_, removed, _)| removed),
            self.decontaminate,
        ];
        Cleaned {
            seen: self.seen,
            kept: self.kept,
            removed: removed.into_iter().flatten().collect(),
            overlaps: self.overlaps.map_or(Vec::new(), Overlaps::finish),
        }
    }
}

fn repeats_what(repeat: &Duplicate, places: &[String]) -> String {
    let of = places.get(repeat.of).map_or("an earlier row", String::as_str);
    match repeat.kind {
        DuplicateKind::Exact => format!("the same as {of}"),
        DuplicateKind::Near(share) => format!("{:.0} % like {of}", 100.0 * share),
    }
}

/// Prompt and completion as one text.
pub(crate) fn whole(row: &Row) -> String {
    let mut text = compared(row);
    let said = row.said();
    if !said.is_empty() && text != said {
        text.push('\n');
        text.push_str(&said);
    }
    text
}

fn judged_language(row: &Row) -> String {
    let said = row.said();
    if said.is_empty() { row.prompt.request().to_owned() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_text::Prompt;

    fn rows(texts: &[(&str, &str)]) -> Vec<Row> {
        let row = |(i, (prompt, completion)): (usize, &(&str, &str))| Row {
            file: "t.jsonl".into(),
            line: i + 1,
            prompt: Prompt::user(*prompt),
            completion: Some((*completion).into()),
            ..Row::default()
        };
        texts.iter().enumerate().map(row).collect()
    }

    const ITEM: &str =
        "A farmer has twelve hens and every hen lays two eggs a day, how many eggs are there after a week?";

    #[test]
    fn every_rule_counts_what_it_removes() {
        let train = rows(&[
            ("How many apples are left in the basket?", "There are seven apples left in the basket."),
            ("How many apples are left in the basket?", "there are SEVEN apples left in the basket"),
            ("Wie viele Äpfel sind noch im Korb?", "Es sind noch sieben Äpfel in dem Korb."),
            ("hi", "ok"),
            (&format!("Think first. {ITEM}"), "There are one hundred and sixty-eight eggs after a week."),
        ]);
        let items = rows(&[(ITEM, "")]);
        let clean = Clean {
            duplicates: Repeats::Exact,
            decontaminate: Some(10),
            languages: vec!["en".into()],
            min_chars: Some(10),
            ..Clean::default()
        };
        let index = eval_index(&clean, &[("eggs", &items)]);
        let mut cleaner = Cleaner::new(&clean, Some(&index)).unwrap();
        let kept = cleaner.keep(train.clone());
        assert_eq!(kept.iter().map(|row| row.line).collect::<Vec<_>>(), [1]);
        let cleaned = cleaner.finish();
        assert_eq!((cleaned.seen, cleaned.kept), (5, 1));
        let counts: Vec<(&str, usize)> =
            cleaned.removed.iter().map(|r| (r.examples[0].place.as_str(), r.count)).collect();
        assert_eq!(counts, [("t.jsonl:4", 1), ("t.jsonl:3", 1), ("t.jsonl:2", 1), ("t.jsonl:5", 1)]);
        assert_eq!(cleaned.removed[2].examples[0].why, "the same as t.jsonl:1");
        assert_eq!((cleaned.overlaps[0].items_touched, cleaned.overlaps[0].rows_touched), (1, 1));

        // Without the rule the overlap is reported all the same.
        let mut cleaner = Cleaner::new(&Clean::default(), Some(&index)).unwrap();
        assert_eq!(cleaner.keep(train).len(), 5);
        let cleaned = cleaner.finish();
        assert_eq!((cleaned.removed.len(), cleaned.overlaps[0].rows_touched), (0, 1));
    }

    #[test]
    fn batches_make_no_difference() {
        let words = ["one", "two", "three", "four", "five", "six", "seven"];
        let texts: Vec<(String, String)> = (0..300)
            .map(|i| (format!("count {}", words[i % 7]), format!("{} and {}", words[i % 5], words[i % 3])))
            .collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let clean = Clean { duplicates: Repeats::Near, ..Clean::default() };
        let kept = |size: usize| {
            let mut cleaner = Cleaner::new(&clean, None).unwrap();
            let kept: Vec<usize> =
                rows(&texts).chunks(size).flat_map(|batch| cleaner.keep(batch.to_vec())).map(|row| row.line).collect();
            (kept, cleaner.finish())
        };
        assert_eq!(kept(300), kept(7));
        assert_eq!(kept(300).0.len(), 105);
    }
}
