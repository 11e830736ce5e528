//! On the lab's texts the share of words by language is that by script alone, to the bit: the lab's truth.

#![allow(clippy::unwrap_used, reason = "tests")]

use temper_lab::World;
use temper_recipe::Lab;
use temper_text::language::{Language, consistency, share};

/// The words of a text in another order, some dropped: what an untrained model writes. A function of the index.
fn scrambled(text: &str, index: usize) -> String {
    let mut words: Vec<&str> = text.split_inclusive(' ').collect();
    let mut state = index as u64 | 1;
    for at in (1..words.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        words.swap(at, (state >> 33) as usize % (at + 1));
    }
    words.truncate(words.len() - words.len() / 5);
    words.concat()
}

#[test]
fn the_labs_languages_are_those_of_its_scripts() {
    let world = World::new(&Lab::default());
    let (mut texts, mut wrong) = (0, Vec::new());
    for (index, document) in world.corpus().take(20_000).enumerate() {
        let said = document.completion;
        for text in [&scrambled(&said, index), &said, &document.prompt] {
            for (language, code) in [(Language::English, "en"), (Language::Chinese, "zh")] {
                let (by_script, found) = (consistency(text, language), share(text, code));
                texts += 1;
                if by_script != found {
                    wrong.push(format!("{code} {by_script:?} {found:?}: {text}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {texts}\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
