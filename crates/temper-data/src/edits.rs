//! Items that stand in a text with a few words changed.

use crate::grams::Holders;
use crate::units::{Units, mix};

/// Items with fewer words (or 13/8 as many characters) are too short to be told from others with another word: "how do I kill
/// a process" is not "how do I kill a person".
const SHORTEST: usize = 20;
/// The share of an item's units that must remain. On GSM8K, with one word changed in five, 98 % of the test items are found,
/// and none of the training split. Numbers decide: where they may change, 25 test items have half of their words in a training
/// row, one problem told twice with other numbers, and where they may not, none has. The Jaccard index of 3-grams cannot do
/// this: one word changed in seven brings it below 0.5.
const REMAINING: f64 = 0.7;
/// Words of the n-grams that propose an item, and the share of an item's that must be in the text. One word changed in four
/// leaves one 3-gram in four, at the worst.
const PROPOSING: usize = 3;
const PROPOSED: f64 = 0.2;

/// The units of items, to find them in texts with a few changed.
pub(crate) struct Edits {
    items: Vec<Vec<u64>>,
    holders: Holders,
    hits: Vec<usize>,
}

impl Edits {
    pub fn new(items: &[Units]) -> Self {
        let long = |units: &Units| units.grams(SHORTEST).next().is_some();
        let grams: Vec<Vec<u64>> =
            items.iter().map(|units| if long(units) { units.distinct(PROPOSING) } else { Vec::new() }).collect();
        Self { items: items.iter().map(marked).collect(), holders: Holders::new(&grams), hits: vec![0; items.len()] }
    }

    /// Items that a passage of the text repeats but for a few units, and the share of the item's units that remain.
    pub fn of(&mut self, text: &Units) -> Vec<(u32, f64)> {
        let mut touched = Vec::new();
        for item in text.distinct(PROPOSING).iter().flat_map(|gram| self.holders.of(*gram)) {
            if self.hits[*item as usize] == 0 {
                touched.push(*item);
            }
            self.hits[*item as usize] += 1;
        }
        let mut out = Vec::new();
        let mut units = None;
        for item in touched {
            let hits = std::mem::take(&mut self.hits[item as usize]);
            if hits as f64 >= self.holders.counted[item as usize] as f64 * PROPOSED {
                let units = units.get_or_insert_with(|| marked(text));
                let share = remaining(&self.items[item as usize], units);
                if share >= REMAINING {
                    out.push((item, share));
                }
            }
        }
        out
    }
}

/// Hashes of the units; the last bit tells whether the unit is a number.
fn marked(units: &Units) -> Vec<u64> {
    let hash = |at: usize| mix(units.units[at].hash) & !1 | u64::from(is_number(units.word(at)));
    (0..units.units.len()).map(hash).collect()
}

/// 1 − d / units of the item, where d is the least number of units to insert, delete or replace in the item to make a passage
/// of the text (Sellers 1980); numbers of the item are neither deleted nor replaced. 0 where that cannot be.
fn remaining(item: &[u64], text: &[u64]) -> f64 {
    let never = (item.len() + text.len() + 1) as u32;
    let lost = |unit: u64| if unit & 1 == 1 { never } else { 1 };
    // costs[i] after a unit of the text: the least edits of item[..i] to a passage that ends there.
    let mut costs: Vec<u32> = Vec::with_capacity(item.len() + 1);
    costs.push(0);
    for unit in item {
        costs.push((costs[costs.len() - 1] + lost(*unit)).min(never));
    }
    let mut least = costs[item.len()];
    for read in text {
        let mut diagonal = 0;
        for (i, unit) in item.iter().enumerate() {
            let replaced = if read == unit { diagonal } else { diagonal + lost(*unit) };
            diagonal = costs[i + 1];
            costs[i + 1] = replaced.min(diagonal + 1).min(costs[i] + lost(*unit)).min(never);
        }
        least = least.min(costs[item.len()]);
    }
    1.0 - f64::from(least.min(item.len() as u32)) / item.len().max(1) as f64
}

/// Digits, numerals in English, numerals in Han characters.
fn is_number(unit: &str) -> bool {
    const WORDS: [&str; 41] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "sixty",
        "seventy",
        "eighty",
        "ninety",
        "hundred",
        "thousand",
        "million",
        "billion",
        "half",
        "third",
        "quarter",
        "dozen",
        "once",
        "twice",
        "double",
        "triple",
        "thrice",
    ];
    unit.chars().any(|c| c.is_numeric() || "零〇一二两三四五六七八九十百千万亿半".contains(c)) || WORDS.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "A farmer in the valley has 12 hens, and every hen lays two large eggs a day. \
        How many eggs does the farmer sell in a week if the family eats 5 of them every day?";

    fn found(item: &str, text: &str) -> Option<f64> {
        let mut edits = Edits::new(&[Units::of("something else altogether"), Units::of(item)]);
        let found = edits.of(&Units::of(text));
        assert_eq!(edits.hits, [0, 0]);
        assert!(found.iter().all(|(item, _)| *item == 1));
        found.first().map(|(_, share)| *share)
    }

    #[test]
    fn a_few_changed_words_are_seen_through() {
        let changed = ITEM.replace("farmer", "man").replace("valley", "hills").replace("large", "big");
        // 4 of 36 words.
        assert!((found(ITEM, &changed).unwrap() - 32.0 / 36.0).abs() < 1e-9);
        let embedded =
            format!("Here is a riddle with 3 parts. {changed} Think first, then say it. {}", "More. ".repeat(300));
        assert_eq!(found(ITEM, &embedded), found(ITEM, &changed));
        assert_eq!(found(ITEM, ITEM), Some(1.0));
        assert_eq!(found(ITEM, &ITEM.replace("a day. ", "a day, they say. ")), Some(1.0 - 2.0 / 36.0));
    }

    #[test]
    fn another_number_makes_another_item() {
        assert_eq!(found(ITEM, &ITEM.replace("12", "13")), None);
        assert_eq!(found(ITEM, &ITEM.replace("two", "three")), None);
        assert_eq!(found(ITEM, &ITEM.replace("12 hens", "hens")), None);
    }

    #[test]
    fn short_items_and_distant_texts_are_not_found() {
        let short = "How many eggs do 12 hens lay in all, if every hen lays two?";
        assert_eq!(found(short, short), None);
        assert_eq!(found(ITEM, "A farmer in the valley has 12 hens and two dogs, and 5 of them are brown."), None);
        assert_eq!((found(ITEM, ""), found("", ITEM)), (None, None));
    }

    #[test]
    fn chinese_is_compared_by_characters() {
        let item = "山谷里有一位农夫，他养了十二只母鸡，每只母鸡每天下两个大鸡蛋，他一个星期以后一共能卖出多少个鸡蛋？";
        assert!(found(item, &format!("请回答。{}", item.replace("农夫", "老人").replace("山谷", "村子"))).is_some());
        assert_eq!(found(item, &item.replace("十二", "十三")), None);
    }

    /// All ways to edit, without the tables of [`remaining`].
    fn brute(item: &[u64], text: &[u64]) -> u64 {
        fn cost(item: &[u64], text: &[u64]) -> u64 {
            match (item, text) {
                ([], rest) => rest.len() as u64,
                ([first, item @ ..], []) => (first & 1) * 100 + 1 + cost(item, &[]),
                ([a, item_rest @ ..], [b, text_rest @ ..]) => {
                    let lost = (a & 1) * 100 + 1;
                    let replaced = if a == b { 0 } else { lost };
                    (replaced + cost(item_rest, text_rest))
                        .min(lost + cost(item_rest, text))
                        .min(1 + cost(item, text_rest))
                }
            }
        }
        let starts = 0..=text.len();
        starts
            .flat_map(|from| (from..=text.len()).map(move |to| (from, to)))
            .map(|(from, to)| cost(item, &text[from..to]))
            .min()
            .unwrap()
    }

    #[test]
    fn the_share_is_that_of_the_best_of_all_edits() {
        for case in 0..300u64 {
            let draw = |i: u64| mix(case * 100 + i) % 5;
            let item: Vec<u64> = (0..1 + case % 5).map(draw).collect();
            let text: Vec<u64> = (0..case % 7).map(|i| draw(50 + i)).collect();
            let least = brute(&item, &text).min(item.len() as u64);
            let expected = 1.0 - least as f64 / item.len() as f64;
            assert!((remaining(&item, &text) - expected).abs() < 1e-12, "{item:?} in {text:?}");
        }
    }
}
