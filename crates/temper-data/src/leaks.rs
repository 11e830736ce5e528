//! Training rows that are, or nearly are, held-out items.

use crate::Row;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use temper_text::Prompt;

/// Words in an n-gram of text in words.
const WORDS: usize = 8;
/// Characters in an n-gram of Chinese text.
const CHARACTERS: usize = 13;
/// Share of an item's n-grams in one training row from which it is a near duplicate.
const NEAR: f64 = 0.8;
/// An n-gram in more than this share of the items, and in at least [`COMMON_ITEMS`], is the wording that they share.
const COMMON_SHARE: f64 = 0.1;
const COMMON_ITEMS: usize = 10;
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
}

/// Held-out items whose prompt is that of a training row, or has at least 0.8 of its n-grams in one (n-grams of 8 words, of
/// 13 characters in Chinese text). At most one leak per item, the closest and then the earliest, in the order of the items.
///
/// Compared are the turns of user and assistant, or the plain text, of a row without a prompt its completion: lower case,
/// without punctuation, signs of calculation kept. N-grams that more than a tenth of the items share (and at least ten items)
/// are wording around the items, such as an instruction, and are not counted. An item too short for one n-gram is compared
/// exactly.
pub fn leaks(train: &[Row], held_out: &[Row]) -> Vec<Leak> {
    let items: Vec<Grams> = held_out.iter().map(Grams::of).collect();
    let mut exact: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        exact.entry(item.whole).or_default().push(i);
        for gram in &item.grams {
            holders.entry(*gram).or_default().push(i);
        }
    }
    let common = COMMON_ITEMS.max((items.len() as f64 * COMMON_SHARE) as usize);
    holders.retain(|_, held| held.len() <= common);
    let mut counted = vec![0usize; items.len()];
    for held in holders.values() {
        for i in held {
            counted[*i] += 1;
        }
    }

    let mut best: Vec<Option<(f64, usize)>> = vec![None; items.len()];
    let mut note = |item: usize, overlap: f64, row: usize| {
        if best[item].is_none_or(|(so_far, _)| overlap > so_far) {
            best[item] = Some((overlap, row));
        }
    };
    // More than any share, so that an exact match is the closest.
    const EXACT: f64 = 2.0;
    let mut hits = vec![0usize; items.len()];
    let mut touched = Vec::new();
    for (row, grams) in train.iter().map(Grams::of).enumerate() {
        for item in exact.get(&grams.whole).into_iter().flatten() {
            note(*item, EXACT, row);
        }
        for item in grams.grams.iter().filter_map(|gram| holders.get(gram)).flatten() {
            if hits[*item] == 0 {
                touched.push(*item);
            }
            hits[*item] += 1;
        }
        for item in touched.drain(..) {
            let overlap = hits[item] as f64 / counted[item] as f64;
            hits[item] = 0;
            if overlap >= NEAR && counted[item] >= EVIDENCE.min(items[item].grams.len()) {
                note(item, overlap, row);
            }
        }
    }
    let found = best.into_iter().enumerate().filter_map(|(item, best)| Some((item, best?)));
    found
        .map(|(item, (overlap, row))| Leak {
            train: row,
            held_out: item,
            train_place: train[row].place(),
            held_out_place: held_out[item].place(),
            kind: if overlap == EXACT { LeakKind::Exact } else { LeakKind::Near(overlap) },
        })
        .collect()
}

/// Hashes of a prompt: whole, and of each distinct n-gram in it.
struct Grams {
    whole: u64,
    grams: HashSet<u64>,
}

impl Grams {
    fn of(row: &Row) -> Self {
        let text = compared(row);
        let units = units(&text);
        let whole = hash(&units);
        let han = text.chars().filter(|c| is_han(*c)).count();
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        let grams = match han * 2 > letters {
            true => {
                let characters: Vec<String> = units.iter().flat_map(|u| u.chars()).map(String::from).collect();
                let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
                characters.windows(CHARACTERS).map(hash).collect()
            }
            false => units.windows(WORDS).map(hash).collect(),
        };
        Self { whole, grams }
    }
}

/// The text of a row that is compared, in lower case.
fn compared(row: &Row) -> String {
    let text = match &row.prompt {
        Prompt::Text(text) if text.is_empty() => row.said(),
        Prompt::Text(text) => text.clone(),
        Prompt::Chat(dialogue) => {
            let said = dialogue.messages.iter().filter(|turn| turn.role != "system").map(|turn| turn.content.as_str());
            said.collect::<Vec<_>>().join("\n")
        }
    };
    text.to_lowercase()
}

/// Runs of letters and digits, and signs one by one; without white space and punctuation. A Han character is a unit.
fn units(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let word = c.is_alphanumeric() && !is_han(c);
        if !word && let Some(from) = start.take() {
            out.push(&text[from..at]);
        }
        match c {
            _ if word => start = start.or(Some(at)),
            c if c.is_whitespace() || is_punctuation(c) => {}
            c => out.push(&text[at..at + c.len_utf8()]),
        }
    }
    if let Some(from) = start {
        out.push(&text[from..]);
    }
    out
}

fn is_punctuation(c: char) -> bool {
    ".,;:!?'\"`()[]{}…—–‘’“”。，、；：！？（）「」『』《》【】".contains(c)
}

fn is_han(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

/// FNV-1a over the units, with a separator between them.
fn hash(units: &[&str]) -> u64 {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    units.iter().flat_map(|unit| unit.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn exact_wins_over_near_and_the_earliest_row_over_later_ones() {
        let longer = format!("Think first. {LONG}");
        let found = leaks(&rows(&[&longer, LONG, LONG]), &rows(&[LONG]));
        assert_eq!((found.len(), found[0].train, found[0].kind), (1, 1, LeakKind::Exact));
        assert!(leaks(&[], &rows(&[LONG])).is_empty() && leaks(&rows(&[LONG]), &[]).is_empty());
    }
}
