//! The units that texts are compared by, and n-grams of them.
//!
//! A text becomes lower case; its units are its words, with signs such as `+` and `%` one by one, and without white space and
//! punctuation. Scripts that are written without spaces between words (Han, kana, Thai, Lao, Khmer, Burmese) have one unit
//! per character.
//!
//! An n-gram is n words long, or, where units are characters, 13/8 as many: a word of these scripts takes one to two
//! characters. Every n-gram is told by its own units alone, so an item is found in a text of another language as well.

use crate::Row;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use temper_text::Prompt;

/// What one word counts in an n-gram, and what one character of a script without spaces counts.
const WORD: u32 = 13;
const CHARACTER: u32 = 8;

/// The units of a text.
pub(crate) struct Units {
    /// The text in lower case, which [`Unit::at`] points into.
    pub text: String,
    pub units: Vec<Unit>,
}

/// A word, a sign, or a character of a script without spaces.
pub(crate) struct Unit {
    /// Where it is in the text, in bytes.
    pub at: Range<usize>,
    /// Hash of its letters.
    pub hash: u64,
    /// [`WORD`] or [`CHARACTER`].
    weight: u32,
}

/// One n-gram: its hash, and the units it is made of.
pub(crate) struct Gram {
    pub hash: u64,
    pub units: Range<usize>,
}

impl Units {
    pub fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let mut units = Vec::new();
        let mut start = None;
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            let mut class = Class::of(c);
            // The hyphen of a compound is no sign of calculation.
            if matches!(c, '-' | '\u{2010}' | '\u{2011}')
                && before.is_alphabetic()
                && text[at + c.len_utf8()..].chars().next().is_some_and(char::is_alphabetic)
            {
                class = Class::Nothing;
            }
            before = c;
            if class != Class::Letter
                && let Some(from) = start.take()
            {
                units.push(Unit::new(&text, from..at, WORD));
            }
            match class {
                Class::Letter => start = start.or(Some(at)),
                Class::Character => units.push(Unit::new(&text, at..at + c.len_utf8(), CHARACTER)),
                Class::Sign => units.push(Unit::new(&text, at..at + c.len_utf8(), WORD)),
                Class::Nothing => {}
            }
        }
        if let Some(from) = start {
            units.push(Unit::new(&text, from..text.len(), WORD));
        }
        Self { text, units }
    }

    /// Hash of all units in order: equal for texts that differ only in case, white space and punctuation.
    pub fn whole(&self) -> u64 {
        hash(&self.units)
    }

    /// The n-grams of `n` words in order, repeated ones included; none for a text that is shorter.
    pub fn grams(&self, n: usize) -> impl Iterator<Item = Gram> {
        let full = u32::try_from(n).unwrap_or(u32::MAX).saturating_mul(WORD);
        let (mut end, mut weight) = (0, 0u32);
        (0..self.units.len()).map_while(move |start| {
            while weight < full {
                weight += self.units.get(end)?.weight;
                end += 1;
            }
            weight -= self.units[start].weight;
            Some(Gram { hash: hash(&self.units[start..end]), units: start..end })
        })
    }

    /// Hashes of the distinct n-grams, sorted.
    pub fn distinct(&self, n: usize) -> Vec<u64> {
        let mut hashes: Vec<u64> = self.grams(n).map(|gram| gram.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }

    /// The letters of one unit.
    pub fn word(&self, unit: usize) -> &str {
        &self.text[self.units[unit].at.clone()]
    }

    /// The text from the first to the last of some units.
    pub fn words(&self, units: Range<usize>) -> &str {
        match (self.units.get(units.start), self.units.get(units.end.saturating_sub(1))) {
            (Some(first), Some(last)) if !units.is_empty() => &self.text[first.at.start..last.at.end],
            _ => "",
        }
    }
}

impl Unit {
    fn new(text: &str, at: Range<usize>, weight: u32) -> Self {
        // FNV-1a, mixed once more so that every bit depends on every letter.
        let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = mix(text[at.clone()].bytes().fold(0xcbf2_9ce4_8422_2325, step));
        Self { at, hash, weight }
    }
}

/// Hash of units in order.
fn hash(units: &[Unit]) -> u64 {
    units.iter().fold(units.len() as u64, |h, unit| mix(h ^ unit.hash))
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Hash of a text as it stands, with a seed.
pub(crate) fn hash_text(text: &str, seed: u64) -> u64 {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    mix(text.bytes().fold(mix(seed) ^ 0xcbf2_9ce4_8422_2325, step))
}

/// For maps whose keys are hashes already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map whose keys are hashes already.
pub(crate) type HashedMap<V> = std::collections::HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// What a character does in a text.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Part of a word.
    Letter,
    /// A unit of its own, in a script without spaces.
    Character,
    /// A unit of its own.
    Sign,
    /// White space and punctuation.
    Nothing,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | '0'..='9' => Self::Letter,
            c if c.is_whitespace() || is_punctuation(c) => Self::Nothing,
            c if has_no_spaces(c) => Self::Character,
            c if c.is_alphanumeric() || is_mark(c) => Self::Letter,
            _ => Self::Sign,
        }
    }
}

fn is_punctuation(c: char) -> bool {
    ".,;:!?'\"`()[]{}…—–‘’“”„‚«»‹›¿¡·。，、；：！？（）「」『』《》〈〉【】〔〕・～｡｢｣､؟،؛۔।॥\u{200e}\u{200f}"
        .contains(c)
}

/// Characters of scripts written without spaces between words, their vowel and tone marks included.
fn has_no_spaces(c: char) -> bool {
    matches!(u32::from(c),
        0x0E01..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3005..=0x3007 | 0x3041..=0x30FF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x20000..=0x323AF)
        && !matches!(c, '๐'..='๙' | '໐'..='໙' | '၀'..='၉' | '០'..='៩')
}

/// Marks that Unicode does not call alphabetic and that are still part of a word: accents, vowel signs, joiners.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x0300..=0x036F | 0x0591..=0x05C7 | 0x0610..=0x061A | 0x064B..=0x065F | 0x0900..=0x0DFF
        | 0x200B..=0x200D | 0xFE00..=0xFE0F)
}

/// The text of a row that is compared with other rows': what user, assistant and tools say in the prompt, without the
/// system's turns; of a row without a prompt its completion.
pub(crate) fn compared(row: &Row) -> String {
    match &row.prompt {
        Prompt::Text(text) if text.is_empty() => row.said(),
        Prompt::Text(text) => text.clone(),
        chat => {
            let said = chat.messages().iter().filter(|turn| turn.role != "system").map(|turn| turn.content.as_str());
            said.collect::<Vec<_>>().join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(text: &str) -> Vec<String> {
        let units = Units::of(text);
        (0..units.units.len()).map(|at| units.word(at).to_owned()).collect()
    }

    #[test]
    fn units_are_words_signs_and_characters() {
        assert_eq!(spelt("What IS 3+4, then?"), ["what", "is", "3", "+", "4", "then"]);
        assert_eq!(
            spelt("Step-by-step: 3-x, x-3, a - b"),
            ["step", "by", "step", "3", "-", "x", "x", "-", "3", "a", "-", "b"]
        );
        assert_eq!(spelt("它值 $5。OK"), ["它", "值", "$", "5", "ok"]);
        assert_eq!(spelt("リンゴは3個"), ["リ", "ン", "ゴ", "は", "3", "個"]);
        assert_eq!(spelt("มี12ลูก"), ["ม", "ี", "12", "ล", "ู", "ก"]);
        assert_eq!(spelt("क्या हुआ?"), ["क्या", "हुआ"]);
        assert_eq!(spelt(" …!?"), Vec::<String>::new());
    }

    #[test]
    fn case_space_and_punctuation_do_not_matter_and_signs_do() {
        assert_eq!(Units::of("What is 3 + 4?").whole(), Units::of("what  IS (3 +4)").whole());
        assert_ne!(Units::of("3 + 4").whole(), Units::of("3 - 4").whole());
        assert_ne!(Units::of("ab c").whole(), Units::of("a bc").whole());
    }

    #[test]
    fn an_n_gram_is_n_words_or_thirteen_eighths_as_many_characters() {
        let count = |text: &str, n| Units::of(text).grams(n).count();
        assert_eq!((count("a b c d e", 5), count("a b c d", 5), count("a b c d e f", 5)), (1, 0, 2));
        let characters: String = ('一'..).take(20).collect();
        assert_eq!((count(&characters[..39], 8), count(&characters[..36], 8), count(&characters, 8)), (1, 0, 8));
        assert_eq!(count("", 1), 0);
    }

    #[test]
    fn an_n_gram_depends_on_its_own_units_alone() {
        let item = "农夫有十二只母鸡，每只母鸡每天下两个蛋，一个星期以后一共有多少个鸡蛋？";
        let around = format!("Answer the question in one short sentence: {item} Think first, and then tell me.");
        let (item, around) = (Units::of(item).distinct(8), Units::of(&around).distinct(8));
        assert!(item.len() > 10 && item.iter().all(|gram| around.contains(gram)));
    }

    #[test]
    fn the_words_of_an_n_gram_are_cut_from_the_text() {
        let units = Units::of("One, two (three) four.");
        let spelt: Vec<&str> = units.grams(3).map(|gram| units.words(gram.units)).collect();
        assert_eq!(spelt, ["one, two (three", "two (three) four"]);
        assert_eq!(units.words(2..2), "");
    }
}
