//! The language of words.

/// A language that words can be told to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Latin script.
    English,
    /// Han script.
    Chinese,
    /// Any other script.
    Other,
}

/// What a word counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordKind {
    /// A word of a language.
    Language(Language),
    /// Digits, formulas, tags: no language.
    Neutral,
}

/// The words of a text with what they count as.
pub fn words(_text: &str) -> impl Iterator<Item = (&str, WordKind)> {
    std::iter::empty()
}

/// Share of words in `target` among the words that have a language.
pub fn consistency(_text: &str, _target: Language) -> Option<f64> {
    None
}

/// The language most words are in.
pub fn detect(_text: &str) -> Option<Language> {
    None
}
