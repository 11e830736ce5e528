//! Training rows that are, or nearly are, held-out items.

use crate::Row;
use crate::edits::Edits;
use crate::grams::Holders;
use crate::units::{HashedMap, Units, compared};
use serde::{Deserialize, Serialize};

/// Words in an n-gram.
const WORDS: usize = 8;
/// Share of an item's n-grams in one training row from which it is a near duplicate.
const NEAR: f64 = 0.8;
/// Fewer n-grams of an item's own than this say nothing, unless the item has no more.
const EVIDENCE: usize = 3;

/// A held-out item that training has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// Index of the training row.
    pub train: usize,
    /// Index of the held-out item.
    pub held_out: usize,
    /// `file:line` of the training row.
    pub train_place: String,
    /// `file:line` of the held-out item.
    pub held_out_place: String,
    /// How alike they are.
    pub kind: LeakKind,
}

/// How alike a training row and a held-out item are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum LeakKind {
    /// The same prompt, apart from case, white space and punctuation.
    Exact,
    /// The share of the item's n-grams that are in the training row.
    Near(f64),
    /// The share of the item's words that remain, in order, in the most similar passage of the training row.
    Edited(f64),
}

impl LeakKind {
    /// Exact before near before edited; then the larger share.
    fn closeness(self) -> (u8, f64) {
        match self {
            Self::Exact => (2, 1.0),
            Self::Near(share) => (1, share),
            Self::Edited(share) => (0, share),
        }
    }
}

/// Held-out items, to look a stream of training rows up in.
///
/// An item has leaked when
///
/// - a row is the same apart from case, white space and punctuation ([`LeakKind::Exact`]);
/// - a row holds at least 0.8 of its n-grams of 8 words, or 13 characters in scripts without spaces ([`LeakKind::Near`]);
///   n-grams that more than a tenth of the items share (and more than ten) are wording around the items, such as an
///   instruction, and are not counted;
/// - or a row repeats it with a few words changed ([`LeakKind::Edited`]): it has at least 20 words, and a passage of the row
///   differs from it in at most three of ten, with every number the same. One word changed in seven leaves no
///   8-gram as it was.
///
/// An item too short for one n-gram is compared exactly.
pub struct LeakIndex {
    places: Vec<String>,
    exact: HashedMap<Vec<u32>>,
    /// How many n-grams each item has, the common ones included.
    grams: Vec<usize>,
    holders: Holders,
    edits: Edits,
    best: Vec<Option<Leak>>,
    /// For each item the n-grams of the row at hand that it has too; 0 between rows.
    hits: Vec<usize>,
}

impl LeakIndex {
    /// `items` are the place (`file:line`) and the text of each held-out item.
    pub fn new<'a>(items: impl IntoIterator<Item = (String, &'a str)>) -> Self {
        let (places, units): (Vec<String>, Vec<Units>) =
            items.into_iter().map(|(place, text)| (place, Units::of(text))).unzip();
        let mut exact: HashedMap<Vec<u32>> = HashedMap::default();
        for (item, units) in units.iter().enumerate() {
            exact.entry(units.whole()).or_default().push(item as u32);
        }
        let grams: Vec<Vec<u64>> = units.iter().map(|units| units.distinct(WORDS)).collect();
        Self {
            exact,
            holders: Holders::new(&grams),
            grams: grams.iter().map(Vec::len).collect(),
            edits: Edits::new(&units),
            best: vec![None; places.len()],
            hits: vec![0; places.len()],
            places,
        }
    }

    /// Looks up one training row: its index, its place (`file:line`) and its text. Returns the item that it is closest to, of
    /// those that leak in it, and how alike they are.
    pub fn check(&mut self, row: usize, place: &str, text: &str) -> Option<(&str, LeakKind)> {
        let units = Units::of(text);
        let mut found: Vec<(u32, LeakKind)> = Vec::new();
        found.extend(self.exact.get(&units.whole()).into_iter().flatten().map(|item| (*item, LeakKind::Exact)));
        let mut touched = Vec::new();
        for item in units.distinct(WORDS).iter().flat_map(|gram| self.holders.of(*gram)) {
            if self.hits[*item as usize] == 0 {
                touched.push(*item);
            }
            self.hits[*item as usize] += 1;
        }
        for item in touched {
            let counted = self.holders.counted[item as usize];
            let share = std::mem::take(&mut self.hits[item as usize]) as f64 / counted as f64;
            if share >= NEAR && counted >= EVIDENCE.min(self.grams[item as usize]) {
                found.push((item, LeakKind::Near(share)));
            }
        }
        found.extend(self.edits.of(&units).into_iter().map(|(item, share)| (item, LeakKind::Edited(share))));
        for (item, kind) in &found {
            note(&mut self.best, &self.places, (row, place), *item, *kind);
        }
        let closer = |best: (u32, LeakKind), next: (u32, LeakKind)| {
            if next.1.closeness() > best.1.closeness() { next } else { best }
        };
        let closest = found.into_iter().reduce(closer);
        closest.map(|(item, kind)| (self.places[item as usize].as_str(), kind))
    }

    /// As [`new`](Self::new), of rows: compared are the turns of user, assistant and tools, or the plain text, of a row without
    /// a prompt its completion.
    pub fn of_rows(held_out: &[Row]) -> Self {
        let texts: Vec<String> = held_out.iter().map(compared).collect();
        Self::new(held_out.iter().zip(&texts).map(|(row, text)| (row.place(), text.as_str())))
    }

    /// As [`check`](Self::check), of a row.
    pub fn check_row(&mut self, index: usize, row: &Row) -> Option<(&str, LeakKind)> {
        self.check(index, &row.place(), &compared(row))
    }

    /// At most one leak per item, the closest and then the earliest, in the order of the items.
    pub fn finish(self) -> Vec<Leak> {
        self.best.into_iter().flatten().collect()
    }
}

/// Keeps the closest leak of an item; of equally close ones the first.
fn note(best: &mut [Option<Leak>], places: &[String], row: (usize, &str), item: u32, kind: LeakKind) {
    let item = item as usize;
    if best[item].as_ref().is_none_or(|so_far| kind.closeness() > so_far.kind.closeness()) {
        best[item] = Some(Leak {
            train: row.0,
            held_out: item,
            train_place: row.1.to_owned(),
            held_out_place: places[item].clone(),
            kind,
        });
    }
}

/// Held-out rows that are, or nearly are, training rows, as [`LeakIndex`] finds them.
///
/// Compared are the turns of user and assistant, or the plain text, of a row without a prompt its completion: lower case,
/// without punctuation, signs of calculation kept.
pub fn leaks(train: &[Row], held_out: &[Row]) -> Vec<Leak> {
    let texts: Vec<String> = held_out.iter().map(compared).collect();
    let items = held_out.iter().zip(&texts).map(|(row, text)| (row.place(), text.as_str()));
    let mut index = LeakIndex::new(items);
    for (at, row) in train.iter().enumerate() {
        index.check(at, &row.place(), &compared(row));
    }
    index.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_text::Prompt;

    fn rows(texts: &[&str]) -> Vec<Row> {
        let row = |(i, text): (usize, &&str)| Row {
            file: "f".into(),
            line: i + 1,
            id: i.to_string(),
            prompt: Prompt::user(*text),
            ..Row::default()
        };
        texts.iter().enumerate().map(row).collect()
    }

    const LONG: &str =
        "A farmer has twelve hens and every hen lays two eggs a day, so how many eggs are there after a week?";

    #[test]
    fn the_same_prompt_is_found_whatever_its_case_and_punctuation() {
        let found = leaks(&rows(&["x", "What is 3 + 4?"]), &rows(&["what  is 3 + 4", "What is 3 - 4?"]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].train, found[0].held_out, found[0].kind), (1, 0, LeakKind::Exact));
        assert_eq!(found[0].train_place, "f:2");
    }

    #[test]
    fn a_near_duplicate_is_found_and_a_changed_number_in_a_short_text_is_not() {
        let longer = format!("Think first. {LONG} Give the number only.");
        let found = leaks(&rows(&["other", &longer]), &rows(&[LONG]));
        assert_eq!((found[0].train, found[0].kind), (1, LeakKind::Near(1.0)));
        let changed = LONG.replace("twelve", "thirty").replace("week", "month");
        assert!(leaks(&rows(&[&changed]), &rows(&[LONG])).is_empty());
    }

    #[test]
    fn chinese_is_compared_by_characters() {
        let item = "农夫有十二只母鸡，每只母鸡每天下两个蛋，一个星期以后一共有多少个鸡蛋？";
        let found = leaks(&rows(&[&format!("请先思考。{item}")]), &rows(&[item]));
        assert_eq!(found[0].kind, LeakKind::Near(1.0));
        assert!(
            leaks(&rows(&["农夫有三十只母鸡，每只母鸡每天下一个蛋，两天以后有多少个？"]), &rows(&[item])).is_empty()
        );
    }

    #[test]
    fn wording_that_all_items_share_is_not_a_leak() {
        let instruction = "Please reason step by step, and put your final answer between the two braces at the end:";
        let items: Vec<String> = (0..40).map(|i| format!("{instruction} what is {i} times {}?", i + 1)).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let train = format!("{instruction} what is 99 times 98?");
        assert!(leaks(&rows(&[&train]), &rows(&items)).is_empty());
        assert_eq!(leaks(&rows(&items[3..4]), &rows(&items)).len(), 1);
    }

    #[test]
    fn a_row_is_told_what_it_is_closest_to() {
        let items = rows(&["Who is there?", LONG]);
        let mut index = LeakIndex::of_rows(&items);
        let longer = format!("Think first. {LONG}");
        let train = rows(&["What is new?", &longer, LONG]);
        let found: Vec<Option<(String, LeakKind)>> = train
            .iter()
            .enumerate()
            .map(|(at, row)| index.check_row(at, row).map(|(place, kind)| (place.to_owned(), kind)))
            .collect();
        let place = "f:2".to_owned();
        assert_eq!(found, [None, Some((place.clone(), LeakKind::Near(1.0))), Some((place, LeakKind::Exact))]);
    }

    #[test]
    fn exact_wins_over_near_and_the_earliest_row_over_later_ones() {
        let longer = format!("Think first. {LONG}");
        let found = leaks(&rows(&[&longer, LONG, LONG]), &rows(&[LONG]));
        assert_eq!((found.len(), found[0].train, found[0].kind), (1, 1, LeakKind::Exact));
        assert!(leaks(&[], &rows(&[LONG])).is_empty() && leaks(&rows(&[LONG]), &[]).is_empty());
    }
}
