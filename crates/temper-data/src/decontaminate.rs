//! Training texts that share n-grams with evaluation sets.
//!
//! DeepSeek-R1's data was filtered so: a training text that shares a 10-gram of words with an evaluation item was removed
//! (arXiv 2501.12948, appendix on decontamination). Two things are added here, and counted:
//!
//! - n-grams that more than a tenth of a set's items share, and more than ten of them, are the wording around the items, such as
//!   "answer with the letter only", and would remove whatever has the same instruction; they do not count;
//! - an item that is shorter than an n-gram, or all common wording, is compared as a whole.

use crate::grams::Holders;
use crate::units::{HashedMap, Units};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Words of an n-gram in DeepSeek-R1's decontamination.
pub const R1_NGRAM: usize = 10;
/// Examples that an [`Overlap`] keeps.
const EXAMPLES: usize = 5;

/// Evaluation sets, to look training texts up in.
pub struct EvalIndex {
    n: usize,
    sets: Vec<Set>,
}

struct Set {
    name: Arc<str>,
    /// Id or place of each item.
    items: Vec<Arc<str>>,
    holders: Holders,
    /// Items that are compared as a whole.
    whole: HashedMap<Vec<u32>>,
    compared_whole: usize,
}

/// An evaluation item that a text shares words with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// Name of the evaluation set.
    pub set: Arc<str>,
    /// Id or place of the item.
    pub item: Arc<str>,
    /// How many different n-grams of the item are in the text; 0 for an item that is compared as a whole.
    pub shared: usize,
    /// The share of the item's n-grams that are in the text, common wording left out; 1 for a whole item.
    pub share: f64,
    /// The first words of the text that are the item's.
    pub words: String,
    /// Position of the set and of the item in it.
    #[serde(skip)]
    at: (usize, usize),
}

/// A set while its items are read.
#[derive(Default)]
struct Gathered {
    name: String,
    items: Vec<Arc<str>>,
    /// The distinct n-grams of each item.
    grams: Vec<Vec<u64>>,
    /// The hash of each item that is not empty.
    wholes: Vec<Option<u64>>,
}

impl Set {
    fn new(gathered: Gathered) -> Self {
        let holders = Holders::new(&gathered.grams);
        let mut whole: HashedMap<Vec<u32>> = HashedMap::default();
        let mut compared_whole = 0;
        for (item, hash) in gathered.wholes.iter().enumerate() {
            if let (0, Some(hash)) = (holders.counted[item], hash) {
                whole.entry(*hash).or_default().push(item as u32);
                compared_whole += 1;
            }
        }
        Self { name: gathered.name.into(), items: gathered.items, holders, whole, compared_whole }
    }
}

impl EvalIndex {
    /// `items` are the name of the evaluation set, the item's id or place, and its text; n-grams are `n` words long (or 13/8
    /// as many characters, in scripts without spaces), at least one.
    pub fn new<'a>(n: usize, items: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let n = n.max(1);
        let mut sets: Vec<Gathered> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (name, id, text) in items {
            let at = *known.entry(name).or_insert_with(|| {
                sets.push(Gathered { name: name.into(), ..Default::default() });
                sets.len() - 1
            });
            let units = Units::of(text);
            sets[at].items.push(id.into());
            sets[at].grams.push(units.distinct(n));
            sets[at].wholes.push((!units.units.is_empty()).then(|| units.whole()));
        }
        Self { n, sets: sets.into_iter().map(Set::new).collect() }
    }

    /// The items that share an n-gram with the text, in the order of sets and items.
    pub fn hits(&self, text: &str) -> Vec<Hit> {
        let units = Units::of(text);
        let whole = units.whole();
        let grams: Vec<_> = units.grams(self.n).collect();
        let mut out = Vec::new();
        for (number, set) in self.sets.iter().enumerate() {
            let hit = |item: u32, shared: usize, share: f64, words: &str| Hit {
                set: set.name.clone(),
                item: set.items[item as usize].clone(),
                shared,
                share,
                words: words.to_owned(),
                at: (number, item as usize),
            };
            let equal = set.whole.get(&whole).into_iter().flatten();
            let mut found: Vec<Hit> = equal.map(|item| hit(*item, 0, 1.0, units.words(0..units.units.len()))).collect();

            // Item, n-gram and where it begins, so that the first of each n-gram remains.
            let mut shared: Vec<(u32, u64, usize)> = Vec::new();
            for (at, gram) in grams.iter().enumerate() {
                shared.extend(set.holders.of(gram.hash).iter().map(|item| (*item, gram.hash, at)));
            }
            shared.sort_unstable();
            shared.dedup_by_key(|(item, gram, _)| (*item, *gram));
            for same in shared.chunk_by(|a, b| a.0 == b.0) {
                let item = same[0].0;
                let first = same.iter().map(|(_, _, at)| *at).min().unwrap_or(0);
                let share = same.len() as f64 / set.holders.counted[item as usize] as f64;
                found.push(hit(item, same.len(), share, units.words(grams[first].units.clone())));
            }
            found.sort_by_key(|hit| hit.at);
            out.extend(found);
        }
        out
    }

    /// The names of the sets, in the order of their first items.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().map(|set| &*set.name)
    }
}

/// How far a stream of training texts overlaps with one evaluation set, whether or not they are removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Name of the evaluation set.
    pub set: String,
    /// Its items.
    pub items: usize,
    /// Words of an n-gram.
    pub ngram: usize,
    /// Items that are compared as a whole, because they are shorter than an n-gram or all common wording.
    pub compared_whole: usize,
    /// N-grams that are not counted, because more than a tenth of the items share them.
    pub common_ngrams: usize,
    /// Items that share an n-gram with a training text.
    pub items_touched: usize,
    /// Training texts that share an n-gram with an item.
    pub rows_touched: usize,
    /// The first of them.
    pub examples: Vec<OverlapExample>,
}

/// A training text and an evaluation item that share words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverlapExample {
    /// Where the training text is.
    pub row: String,
    /// Id or place of the item.
    pub item: String,
    /// N-grams that they share.
    pub shared: usize,
    /// The share of the item's n-grams.
    pub share: f64,
    /// The first shared words.
    pub words: String,
}

/// Adds up hits over a stream.
pub struct Overlaps {
    touched: Vec<Vec<bool>>,
    overlaps: Vec<Overlap>,
}

impl Overlaps {
    /// Nothing found yet in any set of the index.
    pub fn new(index: &EvalIndex) -> Self {
        let overlap = |set: &Set| Overlap {
            set: set.name.to_string(),
            items: set.items.len(),
            ngram: index.n,
            compared_whole: set.compared_whole,
            common_ngrams: set.holders.common,
            items_touched: 0,
            rows_touched: 0,
            examples: Vec::new(),
        };
        Self {
            touched: index.sets.iter().map(|set| vec![false; set.items.len()]).collect(),
            overlaps: index.sets.iter().map(overlap).collect(),
        }
    }

    /// Notes the [`hits`](EvalIndex::hits) of one training text, of the same index.
    pub fn add(&mut self, row: &str, hits: &[Hit]) {
        for same in hits.chunk_by(|a, b| a.at.0 == b.at.0) {
            let overlap = &mut self.overlaps[same[0].at.0];
            overlap.rows_touched += 1;
            for hit in same {
                let touched = &mut self.touched[hit.at.0][hit.at.1];
                overlap.items_touched += usize::from(!std::mem::replace(touched, true));
            }
            let closest = same.iter().max_by(|a, b| a.share.total_cmp(&b.share).then(b.at.cmp(&a.at)));
            if let (true, Some(hit)) = (overlap.examples.len() < EXAMPLES, closest) {
                overlap.examples.push(OverlapExample {
                    row: row.to_owned(),
                    item: hit.item.to_string(),
                    shared: hit.shared,
                    share: hit.share,
                    words: hit.words.clone(),
                });
            }
        }
    }

    /// One overlap per set, in the order of the sets.
    pub fn finish(self) -> Vec<Overlap> {
        self.overlaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "A farmer has twelve hens and every hen lays two eggs a day, so how many eggs are there?";

    #[test]
    fn one_shared_ten_gram_is_a_hit_and_nine_words_are_not() {
        let index = EvalIndex::new(R1_NGRAM, [("gsm", "1", ITEM), ("gsm", "2", "what is six times seven")]);
        // The item has 19 words, so ten 10-grams.
        let hits = index.hits("He said: every hen lays two eggs a day so HOW many. That was all.");
        assert_eq!(hits.len(), 1);
        assert_eq!((&*hits[0].set, &*hits[0].item, hits[0].shared), ("gsm", "1", 1));
        assert!((hits[0].share - 0.1).abs() < 1e-12);
        assert_eq!(hits[0].words, "every hen lays two eggs a day so how many");
        assert!(index.hits("every hen lays two eggs a day so how few").is_empty());
        assert_eq!(index.hits(ITEM)[0].share, 1.0);
        assert_eq!(index.hits(&format!("{ITEM} {ITEM}"))[0].shared, 10);
    }

    #[test]
    fn short_items_are_compared_whole() {
        let index =
            EvalIndex::new(R1_NGRAM, [("a", "1", "What is six times seven?"), ("a", "2", ""), ("b", "1", ITEM)]);
        let hits = index.hits("what is SIX times seven");
        assert_eq!((hits.len(), &*hits[0].item, hits[0].shared, hits[0].share), (1, "1", 0, 1.0));
        assert!(index.hits("Tell me: what is six times seven?").is_empty());
        assert!(index.hits("").is_empty());
        let overlaps = Overlaps::new(&index).finish();
        assert_eq!(overlaps.iter().map(|o| o.compared_whole).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn common_wording_is_counted_and_does_not_hit() {
        let wording = "Please reason step by step, and put your final answer between the two braces at the end:";
        let items: Vec<String> = (0..40).map(|i| format!("{wording} what is {i} times {}?", i + 1)).collect();
        let index = EvalIndex::new(R1_NGRAM, items.iter().map(|text| ("set", "id", text.as_str())));
        assert!(index.hits(&format!("{wording} name a river")).is_empty());
        assert_eq!(index.hits(&items[3]).len(), 1);
        assert!(Overlaps::new(&index).finish()[0].common_ngrams >= 8);
        // Items that are all common wording are still found as a whole.
        let same = EvalIndex::new(R1_NGRAM, (0..12).map(|_| ("set", "id", ITEM)));
        assert_eq!(same.hits(ITEM).len(), 12);
        assert!(same.hits(&format!("Well: {ITEM}")).is_empty());
    }

    #[test]
    fn overlaps_add_up_over_a_stream() {
        let index =
            EvalIndex::new(4, [("a", "a1", ITEM), ("a", "a2", "nothing of this is in the rows"), ("b", "b1", ITEM)]);
        let mut overlaps = Overlaps::new(&index);
        for (row, text) in ["none at all", "twelve hens and every hen", ITEM, "hens and every hen"].iter().enumerate() {
            overlaps.add(&format!("f:{row}"), &index.hits(text));
        }
        let found = overlaps.finish();
        assert_eq!(found.len(), 2);
        for (overlap, items) in found.iter().zip([2, 1]) {
            assert_eq!((overlap.items, overlap.items_touched, overlap.rows_touched), (items, 1, 3));
            let rows: Vec<&str> = overlap.examples.iter().map(|example| example.row.as_str()).collect();
            assert_eq!(rows, ["f:1", "f:2", "f:3"]);
            assert_eq!(overlap.examples[1].share, 1.0);
        }
        assert_eq!(index.sets().collect::<Vec<_>>(), ["a", "b"]);
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Overlap>>(&json).unwrap(), found);
    }
}
