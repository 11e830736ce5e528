//! Rules about a text: what language it is in, how long it is.
//!
//! A rule says why a text breaks it. Which part of a row is judged is the caller's choice;
//! [`Removed::note`](crate::Removed::note) counts and decides.

use crate::setting::SettingError;
use temper_text::language::{LANGUAGES, identify};

/// Keeps texts in some languages.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageRule {
    /// ISO 639-1 codes.
    codes: Vec<String>,
    /// The least confidence; a text below is kept by no language.
    confidence: f64,
}

impl LanguageRule {
    /// Texts in one of `codes` (ISO 639-1, in any case) stay where the identification's confidence is at least `confidence`, in
    /// [0, 1].
    ///
    /// # Errors
    ///
    /// A code that [`LANGUAGES`] does not hold.
    pub fn new(codes: &[impl AsRef<str>], confidence: f64) -> Result<Self, SettingError> {
        let check = |code: &str| {
            let lower = code.trim().to_ascii_lowercase();
            let known = LANGUAGES.iter().any(|(known, _)| *known == lower);
            if known {
                return Ok(lower);
            }
            let all = LANGUAGES.map(|(code, name)| format!("{code} ({name})")).join(", ");
            Err(SettingError::new(format!("the language `{code}` cannot be identified"), format!("Use one of {all}")))
        };
        Ok(Self { codes: codes.iter().map(|code| check(code.as_ref())).collect::<Result<_, _>>()?, confidence })
    }

    /// Why a text is removed; `None` for one that stays. A text without a language, such as a formula, stays.
    pub fn breaks(&self, text: &str) -> Option<String> {
        let found = identify(text)?;
        let named = self.codes.iter().any(|code| code == found.code);
        (!named || found.confidence < self.confidence)
            .then(|| format!("language {}, confidence {:.2}", found.code, found.confidence))
    }
}

impl std::fmt::Display for LanguageRule {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "language {}", self.codes.join(", "))?;
        if self.confidence > 0.0 { write!(out, ", confidence at least {}", self.confidence) } else { Ok(()) }
    }
}

/// What a length is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LengthUnit {
    /// Unicode characters.
    Characters,
    /// Words and signs; in scripts without spaces characters.
    Words,
    /// Tokens of a tokenizer, which the caller counts.
    Tokens,
}

impl LengthUnit {
    /// The length of a text; `None` for [`Tokens`](Self::Tokens), which need a tokenizer.
    pub fn of(self, text: &str) -> Option<usize> {
        match self {
            Self::Characters => Some(text.chars().count()),
            Self::Words => Some(crate::units::Units::of(text).units.len()),
            Self::Tokens => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Words => "words",
            Self::Tokens => "tokens",
        }
    }
}

/// Keeps texts of some lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthRule {
    /// What the length is counted in.
    pub unit: LengthUnit,
    /// The least length that stays.
    pub least: Option<usize>,
    /// The greatest length that stays.
    pub most: Option<usize>,
}

impl LengthRule {
    /// Why a text of a length is removed; `None` for one that stays.
    pub fn breaks(&self, length: usize) -> Option<String> {
        let inside = self.least.is_none_or(|least| length >= least) && self.most.is_none_or(|most| length <= most);
        (!inside).then(|| format!("{length} {}", self.unit.name()))
    }
}

impl std::fmt::Display for LengthRule {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        let unit = self.unit.name();
        match (self.least, self.most) {
            (Some(least), Some(most)) => write!(out, "{least} to {most} {unit}"),
            (Some(least), None) => write!(out, "at least {least} {unit}"),
            (None, Some(most)) => write!(out, "at most {most} {unit}"),
            (None, None) => write!(out, "any number of {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Removed;

    #[test]
    fn a_language_rule_keeps_what_it_names() {
        let rule = LanguageRule::new(&["EN", "zh"], 0.0).unwrap();
        assert_eq!(rule.breaks("How many apples are left in the basket?"), None);
        assert_eq!(rule.breaks("还剩下多少个苹果"), None);
        assert_eq!(rule.breaks("$x^2$ = 4"), None);
        let why = rule.breaks("Wie viele Äpfel sind noch im Korb?").unwrap();
        assert!(why.starts_with("language de, confidence "), "{why}");
        assert_eq!(rule.to_string(), "language en, zh");
        let sure = LanguageRule::new(&["zh"], 0.95).unwrap();
        assert!(sure.breaks("请用 Python 写一个函数").unwrap().starts_with("language zh"));
        assert_eq!(sure.to_string(), "language zh, confidence at least 0.95");
    }

    #[test]
    fn an_unknown_language_is_an_error_that_names_the_known_ones() {
        let error = LanguageRule::new(&["en", "tlh"], 0.0).unwrap_err().to_string();
        assert!(error.contains("`tlh`") && error.contains("Use one of") && error.contains("sw (Swahili)"), "{error}");
    }

    #[test]
    fn a_length_rule_keeps_what_is_between() {
        let rule = LengthRule { unit: LengthUnit::Words, least: Some(2), most: Some(4) };
        let mut removed = Removed::new(rule.to_string());
        for text in ["one", "one two", "a b c d", "a b c d e", "他有三个"] {
            removed.note("f:1", text, rule.breaks(rule.unit.of(text).unwrap()));
        }
        assert_eq!((removed.rule.as_str(), removed.count), ("2 to 4 words", 2));
        assert_eq!(removed.examples[1].why, "5 words");
        assert_eq!(LengthUnit::Characters.of("äöü 他"), Some(5));
        assert_eq!(LengthUnit::Tokens.of("x"), None);
        let open = LengthRule { unit: LengthUnit::Tokens, least: None, most: Some(512) };
        assert_eq!(
            (open.breaks(512), open.breaks(513), open.to_string()),
            (None, Some("513 tokens".into()), "at most 512 tokens".into())
        );
    }
}
