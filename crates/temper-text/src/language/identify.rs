//! Which language a text is in: by script where the script decides, by n-grams of letters (`lingua`) where it does not.

use super::{WordKind, is_han, is_kana, is_latin, words};
use lingua::{IsoCode639_1, LanguageDetector, LanguageDetectorBuilder};
use std::sync::LazyLock;

/// A language and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identified {
    /// ISO 639-1 code.
    pub code: &'static str,
    /// In [0, 1]: the share of the text that is in the language's script, times the probability of the language among those
    /// of [`LANGUAGES`] with that script.
    pub confidence: f64,
}

/// The languages that [`identify`] can answer: ISO 639-1 code and English name.
pub const LANGUAGES: [(&str, &str); 35] = [
    ("am", "Amharic"),
    ("ar", "Arabic"),
    ("bn", "Bengali"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("fr", "French"),
    ("gu", "Gujarati"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hy", "Armenian"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ka", "Georgian"),
    ("km", "Khmer"),
    ("kn", "Kannada"),
    ("ko", "Korean"),
    ("lo", "Lao"),
    ("ml", "Malayalam"),
    ("my", "Burmese"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ru", "Russian"),
    ("si", "Sinhala"),
    ("sw", "Swahili"),
    ("ta", "Tamil"),
    ("te", "Telugu"),
    ("th", "Thai"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
];

/// The language that most of a text is in; `None` for a text without letters, or mostly in a script of none of
/// [`LANGUAGES`].
///
/// Code, formulas, tags, URLs and numbers are passed over, as in [`words`](super::words). The letters are counted by script
/// (a Han character as three, a kana or a Hangul syllable as two), and the script with most letters decides. Scripts of one
/// known language answer alone; Latin and Cyrillic texts are told apart by `lingua`'s letter n-grams. Han characters with
/// kana among them (one for five or more) are Japanese.
///
/// The answer is always one of [`LANGUAGES`]: a text in Danish, Persian or Marathi gets the nearest language with the same
/// script. Of a long text about 1000 letters are read, in words spread evenly over it.
///
/// ```
/// use temper_text::language::identify;
/// assert_eq!(identify("Wie viele Äpfel hat sie noch?").map(|found| found.code), Some("de"));
/// assert_eq!(identify("りんごは何個残っていますか").map(|found| found.code), Some("ja"));
/// assert_eq!(identify("$x^2$ = 4"), None);
/// ```
pub fn identify(text: &str) -> Option<Identified> {
    let mut weights = [0u64; SCRIPTS];
    let mut spelt: Vec<(&str, Script)> = Vec::new();
    for (word, kind) in words(text) {
        // Formulas, tags and code are neutral and hold letters; single letters and units do not matter.
        if kind == WordKind::Neutral {
            continue;
        }
        let mut main = None;
        for c in word.chars() {
            if let Some(script) = Script::of(c) {
                weights[script as usize] += script.weight();
                main = main.or(Some(script));
            }
        }
        if let Some(script @ (Script::Latin | Script::Cyrillic)) = main {
            spelt.push((word, script));
        }
    }
    // One kana for five Han characters, in the weights of both.
    let (han, kana) = (weights[Script::Han as usize], weights[Script::Kana as usize]);
    if kana * 15 > han * 2 {
        weights[Script::Kana as usize] += han;
        weights[Script::Han as usize] = 0;
    }
    let all: u64 = weights.iter().sum();
    let (most, weight) = weights.iter().enumerate().rev().max_by_key(|(_, weight)| **weight)?;
    if *weight == 0 {
        return None;
    }
    let share = *weight as f64 / all as f64;
    let script = Script::ALL[most];
    let (code, probability) = match script.language() {
        Some(code) => (code, 1.0),
        None if matches!(script, Script::Latin | Script::Cyrillic) => among(script, &sample(&spelt, script))?,
        None => return None,
    };
    Some(Identified { code, confidence: round(share * probability) })
}

/// The letters of a text that are read at most, approximately.
const SAMPLE: usize = 1000;

/// Every k-th word of one script, so that about [`SAMPLE`] letters remain.
pub(super) fn sample(words: &[(&str, Script)], script: Script) -> String {
    let of_script = || words.iter().filter(|(_, of)| *of == script).map(|(word, _)| *word);
    let letters: usize = of_script().map(|word| word.chars().count()).sum();
    let step = letters.div_ceil(SAMPLE).max(1);
    of_script().step_by(step).collect::<Vec<_>>().join(" ")
}

/// The most probable language of a text in Latin or Cyrillic letters, and its probability.
pub(super) fn among(script: Script, text: &str) -> Option<(&'static str, f64)> {
    use IsoCode639_1 as Iso;
    static LATIN: LazyLock<LanguageDetector> = LazyLock::new(|| {
        LanguageDetectorBuilder::from_iso_codes_639_1(&[
            Iso::DE,
            Iso::EN,
            Iso::ES,
            Iso::FR,
            Iso::ID,
            Iso::IT,
            Iso::NL,
            Iso::PL,
            Iso::PT,
            Iso::SW,
            Iso::TR,
            Iso::VI,
        ])
        .build()
    });
    static CYRILLIC: LazyLock<LanguageDetector> =
        LazyLock::new(|| LanguageDetectorBuilder::from_iso_codes_639_1(&[Iso::RU, Iso::UK]).build());
    let detector = if script == Script::Cyrillic { &*CYRILLIC } else { &*LATIN };
    // The values are sums in the random order of a hash map: rounded, so that ties fall the same way in every process.
    let values = detector.compute_language_confidence_values(text);
    let values = values.into_iter().map(|(language, value)| (language.iso_code_639_1().to_string(), round(value)));
    let (code, value) = values.max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)))?;
    let known = LANGUAGES.iter().find(|(known, _)| *known == code)?;
    (value > 0.0).then_some((known.0, value))
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Writing systems, as far as they tell languages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Han,
    Kana,
    Hangul,
    Arabic,
    Devanagari,
    Bengali,
    Gujarati,
    Tamil,
    Telugu,
    Kannada,
    Malayalam,
    Sinhala,
    Thai,
    Lao,
    Myanmar,
    Khmer,
    Georgian,
    Ethiopic,
    Hebrew,
    Armenian,
    Greek,
    Unknown,
}

const SCRIPTS: usize = Script::ALL.len();

impl Script {
    pub(super) const ALL: [Script; 24] = [
        Self::Latin,
        Self::Cyrillic,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Arabic,
        Self::Devanagari,
        Self::Bengali,
        Self::Gujarati,
        Self::Tamil,
        Self::Telugu,
        Self::Kannada,
        Self::Malayalam,
        Self::Sinhala,
        Self::Thai,
        Self::Lao,
        Self::Myanmar,
        Self::Khmer,
        Self::Georgian,
        Self::Ethiopic,
        Self::Hebrew,
        Self::Armenian,
        Self::Greek,
        Self::Unknown,
    ];

    /// The script of a letter; `None` for what is none. Blocks of Unicode 16.
    pub(super) fn of(c: char) -> Option<Self> {
        if is_latin(c) {
            return Some(Self::Latin);
        }
        if is_han(c) {
            return Some(Self::Han);
        }
        if !c.is_alphabetic() {
            return None;
        }
        Some(match u32::from(c) {
            _ if is_kana(c) => Self::Kana,
            0x0250..=0x02AF | 0x2C60..=0x2C7F | 0xA720..=0xA7FF => Self::Latin,
            0x0370..=0x03FF | 0x1F00..=0x1FFF => Self::Greek,
            0x0400..=0x052F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Self::Cyrillic,
            0x0530..=0x058F => Self::Armenian,
            0x0590..=0x05FF => Self::Hebrew,
            0x0600..=0x06FF | 0x0750..=0x077F | 0x08A0..=0x08FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFF => Self::Arabic,
            0x0900..=0x097F | 0xA8E0..=0xA8FF => Self::Devanagari,
            0x0980..=0x09FF => Self::Bengali,
            0x0A80..=0x0AFF => Self::Gujarati,
            0x0B80..=0x0BFF => Self::Tamil,
            0x0C00..=0x0C7F => Self::Telugu,
            0x0C80..=0x0CFF => Self::Kannada,
            0x0D00..=0x0D7F => Self::Malayalam,
            0x0D80..=0x0DFF => Self::Sinhala,
            0x0E00..=0x0E7F => Self::Thai,
            0x0E80..=0x0EFF => Self::Lao,
            0x1000..=0x109F | 0xAA60..=0xAA7F => Self::Myanmar,
            0x1780..=0x17FF => Self::Khmer,
            0x10A0..=0x10FF | 0x1C90..=0x1CBF => Self::Georgian,
            0x1200..=0x139F => Self::Ethiopic,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xAC00..=0xD7FF => Self::Hangul,
            _ => Self::Unknown,
        })
    }

    /// How many letters of an alphabet a character stands for, roughly.
    fn weight(self) -> u64 {
        match self {
            Self::Han => 3,
            Self::Kana | Self::Hangul | Self::Ethiopic => 2,
            _ => 1,
        }
    }

    /// The only known language of the script.
    pub(super) fn language(self) -> Option<&'static str> {
        Some(match self {
            Self::Latin | Self::Cyrillic | Self::Unknown => return None,
            Self::Han => "zh",
            Self::Kana => "ja",
            Self::Hangul => "ko",
            Self::Arabic => "ar",
            Self::Devanagari => "hi",
            Self::Bengali => "bn",
            Self::Gujarati => "gu",
            Self::Tamil => "ta",
            Self::Telugu => "te",
            Self::Kannada => "kn",
            Self::Malayalam => "ml",
            Self::Sinhala => "si",
            Self::Thai => "th",
            Self::Lao => "lo",
            Self::Myanmar => "my",
            Self::Khmer => "km",
            Self::Georgian => "ka",
            Self::Ethiopic => "am",
            Self::Hebrew => "he",
            Self::Armenian => "hy",
            Self::Greek => "el",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        identify(text).map(|found| found.code)
    }

    #[test]
    fn scripts_of_one_language_decide_alone() {
        let texts = [
            ("ko", "사과가 몇 개 남았나요"),
            ("ja", "東京都の人口は何人ですか"),
            ("zh", "还剩下多少个苹果"),
            ("th", "เหลือแอปเปิ้ลกี่ลูก"),
            ("hi", "कितने सेब बचे हैं"),
            ("ar", "كم تفاحة بقيت"),
            ("bn", "কতগুলি আপেল বাকি আছে"),
            ("te", "ఎన్ని ఆపిల్స్ మిగిలి ఉన్నాయి"),
            ("el", "Πόσα μήλα έμειναν"),
        ];
        for (language, text) in texts {
            assert_eq!(identify(text), Some(Identified { code: language, confidence: 1.0 }), "{text}");
        }
    }

    #[test]
    fn latin_and_cyrillic_texts_are_told_apart_by_their_letters() {
        let texts = [
            ("en", "How many apples are left in the basket?"),
            ("de", "Wie viele Äpfel sind noch im Korb?"),
            ("fr", "Combien de pommes reste-t-il dans le panier ?"),
            ("es", "¿Cuántas manzanas quedan en la cesta?"),
            ("pt", "Quantas maçãs sobraram na cesta?"),
            ("it", "Quante mele sono rimaste nel cestino?"),
            ("nl", "Hoeveel appels zitten er nog in de mand?"),
            ("pl", "Ile jabłek zostało w koszyku?"),
            ("tr", "Sepette kaç elma kaldı?"),
            ("vi", "Còn lại bao nhiêu quả táo trong giỏ?"),
            ("id", "Berapa banyak apel yang tersisa di keranjang?"),
            ("sw", "Ni matufaha mangapi yamebaki kwenye kikapu?"),
            ("ru", "Сколько яблок осталось в корзине?"),
            ("uk", "Скільки яблук залишилося в кошику?"),
        ];
        for (language, text) in texts {
            let found = identify(text).unwrap();
            assert_eq!(found.code, language, "{text}");
            assert!(found.confidence > 0.3 && found.confidence <= 1.0, "{text}: {}", found.confidence);
        }
    }

    #[test]
    fn code_formulas_and_numbers_have_no_language() {
        for text in ["", "12 + 30 = 42", "`let mut apples = count;`", "\\(x + y\\) $a$", "https://example.org/apples"] {
            assert_eq!(identify(text), None, "{text}");
        }
        assert_eq!(code("Напиши функцию: ```def count_all_apples_in_the_basket(): return None```"), Some("ru"));
        assert_eq!(identify("ᚠᚢᚦᚨᚱᚲ"), None);
    }

    #[test]
    fn the_larger_part_of_a_mixed_text_decides() {
        let found = identify("请用 Python 写一个函数").unwrap();
        assert_eq!(found.code, "zh");
        assert!(found.confidence > 0.7 && found.confidence < 0.9, "{}", found.confidence);
        assert_eq!(code("The word 苹果 means apple in Chinese, and it has two characters."), Some("en"));
    }

    #[test]
    fn a_long_text_is_read_in_words_spread_over_it() {
        let german = "Die Katze sitzt auf dem Dach und schaut den Vögeln zu. ".repeat(300);
        let text = format!("The cat sits on the roof. {german}");
        assert_eq!(code(&text), Some("de"));
        let spelt: Vec<(&str, Script)> = german.split(' ').map(|word| (word, Script::Latin)).collect();
        assert!(sample(&spelt, Script::Latin).len() < SAMPLE * 2);
    }

    #[test]
    fn the_names_are_in_order_and_every_answer_has_one() {
        assert!(LANGUAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for script in Script::ALL {
            assert!(
                script.language().is_none_or(|code| LANGUAGES.iter().any(|(known, _)| *known == code)),
                "{script:?}"
            );
            assert_eq!(Script::ALL[script as usize], script);
        }
    }
}
